#include "sync/failure.h"

#include "codec/json_write.h"

static void optional(struct json_write *w, const char *name, struct str value)
{
    if (value.n)
        json_write_member(w, name, value);
}

static void write_fact(struct json_write *w, const struct explain_fact *f)
{
    json_write_object_begin(w);
    json_write_member_cstr(w, "cause", explain_word(f->cause));
    json_write_member(w, "package", f->package);
    optional(w, "versions", f->set);
    optional(w, "requires", f->on);
    optional(w, "detail", f->detail);
    optional(w, "origin", f->origin);
    json_write_member(w, "text", f->text);
    json_write_object_end(w);
}

static void write_repair(struct json_write *w, const struct repair *r)
{
    static const char *const word[] = { [REPAIR_BOUND] = "bound", [REPAIR_EXTRA] = "extra", [REPAIR_DROP] = "drop" };

    json_write_object_begin(w);
    json_write_member_cstr(w, "kind", word[r->kind]);
    json_write_member(w, "requirement", r->requirement);
    json_write_member(w, "origin", r->origin);
    optional(w, "replacement", r->replacement);
    json_write_member(w, "package", r->package);
    optional(w, "version", r->version);
    json_write_object_end(w);
}

void failure_write(const struct failure *f, struct json_write *w)
{
    json_write_key(w, STR("facts"));
    json_write_array_begin(w);
    for (size_t i = 0; i < f->explain.n; i++)
        write_fact(w, &f->explain.fact[i]);
    json_write_array_end(w);
    json_write_key(w, STR("repairs"));
    json_write_array_begin(w);
    for (size_t i = 0; i < f->repairs.n; i++)
        write_repair(w, &f->repairs.p[i]);
    json_write_array_end(w);
}
