#include "base/arena.h"
#include "base/err.h"
#include "codec/toml.h"
#include "codec/toml_edit.h"
#include "config/key.h"
#include "sync/learn.h"

/* What is in force while the file says nothing. A variable's value is this shell's, not the project's. */
static struct str value_without_file(enum config_key key, const struct config *c, struct arena *a)
{
    const struct config_key_info *k = &config_keys[key];
    struct config preset = { 0 };

    if (c->origin[key].layer != CONFIG_VARIABLE && c->origin[key].layer != CONFIG_PROJECT)
        return key_format(k, c, a);
    if (!key_from_text(k, str_of(k->preset), a, &preset))
        BUG("the default of %s does not fit", k->name);
    return key_format(k, &preset, a);
}

static bool is_there(struct toml_edit *ed, const struct learn_change *x, struct str name, bool *list, bool *value,
                     struct err *e)
{
    struct toml_doc *d;

    *list = *value = false;
    if (!toml_parse(ed->text, ed->name, ed->a, &d, e))
        return false;
    const struct toml_node *array = toml_find(d, name.p);

    *list = array != NULL;
    for (const struct toml_node *n = array ? array->first : NULL; n; n = n->next)
        *value |= str_eq(n->text, x->value);
    return true;
}

static bool add(struct toml_edit *ed, const struct learn_change *x, const struct config *c, struct err *e)
{
    struct str name = learn_key_name(x->key, ed->a);
    bool list, value;
    uint64_t port;

    if (!is_there(ed, x, name, &list, &value, e))
        return false;
    if (!list && !toml_set(ed, name, value_without_file(x->key, c, ed->a), e))
        return false;
    if (value)
        return true; /* it is there, and not in force: blast trust */
    if (config_keys[x->key].type != TYPE_PORTS)
        return toml_array_add(ed, name, x->value, e);
    if (!str_to_u64(x->value, &port))
        BUG("a port that is no number");
    return toml_array_add_number(ed, name, port, e);
}

bool learn_edit(const struct learn *l, const struct config *c, struct str text, struct arena *a, struct str *out,
                struct err *e)
{
    struct toml_edit ed = { .a = a, .text = text, .name = "blast.toml" };

    for (size_t i = 0; i < l->n_changes; i++)
        if (!add(&ed, &l->change[i], c, e))
            return err_wrap(e, "add '" STR_FMT "' to %s of blast.toml", STR_ARG(l->change[i].value),
                            config_keys[l->change[i].key].name);
    *out = ed.text;
    return true;
}
