#include "cli/options.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include "base/arena.h"
#include "base/err.h"

const struct option option_table[OPTION_IDS] = {
#define OPTION(id, name, letter, kind, value, where, text)                                                             \
    [OPT_##id] = { name, letter, OPTION_##kind, value, where, text },
#include "cli/options.def"
#undef OPTION
};

struct reader {
    struct arena *a;
    struct options *o;
    uint64_t where; /* of the command, once it is known */
    struct err *e;
};

void option_variable(enum option_id id, char out[64])
{
    int n = snprintf(out, 64, "BLAST_%s", option_table[id].name);

    for (int i = 0; i < n && i < 63; i++)
        out[i] = out[i] == '-' ? '_' : (char)toupper((unsigned char)out[i]);
}

bool option_flag(const struct options *o, enum option_id id)
{
    return o->at[id].count > 0;
}

unsigned option_count(const struct options *o, enum option_id id)
{
    return o->at[id].count;
}

struct str option_value(const struct options *o, enum option_id id)
{
    size_t n = o->at[id].values.n;

    return n ? o->at[id].values.p[n - 1] : (struct str){ NULL, 0 };
}

static bool unknown_option(struct reader *r, struct str word)
{
    struct str name = word;
    const char *best = NULL;
    unsigned best_distance = 3;

    (void)str_cut_prefix(&name, STR("--"));
    name = str_sub(name, 0, str_find(name, '='));
    for (unsigned i = 0; i < OPTION_IDS; i++) {
        unsigned d = str_distance(name, str_of(option_table[i].name), 2);

        if (d < best_distance && (!r->where || option_table[i].where & (r->where | W_ALL))) {
            best = option_table[i].name;
            best_distance = d;
        }
    }
    (void)err_set(r->e, ERR_CONFIG, "unknown option '" STR_FMT "'", STR_ARG(word));
    return best ? err_hint(r->e, "did you mean --%s?", best) : err_hint(r->e, "--help lists the options");
}

static bool wrong_place(struct reader *r, enum option_id id)
{
    (void)err_set(r->e, ERR_CONFIG, "option --%s does not belong to this command", option_table[id].name);
    return err_hint(r->e, "blast COMMAND --help lists its options");
}

static bool find_long(struct str name, enum option_id *id)
{
    for (unsigned i = 0; i < OPTION_IDS; i++) {
        if (str_eq(name, str_of(option_table[i].name))) {
            *id = (enum option_id)i;
            return true;
        }
    }
    return false;
}

static bool find_short(struct reader *r, char letter, enum option_id *id)
{
    for (unsigned i = 0; i < OPTION_IDS; i++) {
        if (option_table[i].letter == letter && (!r->where || option_table[i].where & (r->where | W_ALL))) {
            *id = (enum option_id)i;
            return true;
        }
    }
    return false;
}

static bool allowed(struct reader *r, enum option_id id)
{
    return !r->where || option_table[id].where & (r->where | W_ALL) || wrong_place(r, id);
}

static bool takes_value(enum option_id id)
{
    return option_table[id].kind == OPTION_VALUE || option_table[id].kind == OPTION_LIST;
}

static void add(struct reader *r, enum option_id id, struct str value)
{
    r->o->at[id].count++;
    if (takes_value(id))
        VEC_PUSH_IN(r->a, &r->o->at[id].values, value);
}

static bool missing_value(struct reader *r, enum option_id id)
{
    (void)err_set(r->e, ERR_CONFIG, "option --%s wants a value: --%s %s", option_table[id].name,
                  option_table[id].name, option_table[id].value);
    return strcmp(option_table[id].value, "COMMAND") == 0
               ? err_hint(r->e, "one word in quotes, such as --%s 'pytest -q'", option_table[id].name)
               : false;
}

/* --name, --name=value, --name value; *i moves on when the next word is used. */
static bool read_long(struct reader *r, int argc, char **argv, int *i)
{
    struct str word = str_of(argv[*i]);
    size_t eq = str_find(word, '=');
    enum option_id id;

    if (!find_long(str_sub(word, 2, eq), &id))
        return unknown_option(r, word);
    if (!allowed(r, id))
        return false;
    if (!takes_value(id)) {
        if (eq < word.n)
            return err_set(r->e, ERR_CONFIG, "option --%s takes no value", option_table[id].name);
        add(r, id, word);
    } else if (eq < word.n) {
        add(r, id, str_sub(word, eq + 1, word.n));
    } else if (*i + 1 < argc && strcmp(argv[*i + 1], "--") != 0) {
        add(r, id, str_of(argv[++*i]));
    } else {
        return missing_value(r, id);
    }
    return true;
}

/* -x, -xy, -x value, -xvalue */
static bool read_short(struct reader *r, int argc, char **argv, int *i)
{
    struct str word = str_of(argv[*i]);

    for (size_t k = 1; k < word.n; k++) {
        enum option_id id;

        if (!find_short(r, word.p[k], &id))
            return unknown_option(r, word);
        if (!takes_value(id)) {
            add(r, id, word);
            continue;
        }
        if (k + 1 < word.n)
            add(r, id, str_sub(word, k + 1, word.n));
        else if (*i + 1 < argc)
            add(r, id, str_of(argv[++*i]));
        else
            return missing_value(r, id);
        break;
    }
    return true;
}

/* In a shell that entered an environment BLAST_ENV and BLAST_PROJECT tell programs which; they are no orders to us, or
 * every command would work there, wherever the user stands. */
static bool is_told(enum option_id id)
{
    const char *env = getenv("BLAST_ENV"), *active = getenv("VIRTUAL_ENV");

    return (id == OPT_ENV || id == OPT_PROJECT) && env && active && strcmp(env, active) == 0;
}

static void read_variables(struct reader *r)
{
    for (unsigned i = 0; i < OPTION_IDS; i++) {
        char name[64];

        if (r->o->at[i].count || i == OPT_HELP || i == OPT_YES || is_told((enum option_id)i))
            continue;
        option_variable((enum option_id)i, name);
        const char *v = getenv(name);

        if (!v || !*v || (!takes_value((enum option_id)i) && (strcmp(v, "0") == 0 || strcmp(v, "false") == 0)))
            continue;
        r->o->at[i].from_variable = true;
        if (option_table[i].kind != OPTION_LIST) {
            add(r, (enum option_id)i, str_of(v));
            continue;
        }
        for (struct str one, rest = str_of(v); str_next(&rest, ' ', &one);)
            if (one.n)
                add(r, (enum option_id)i, one);
    }
}

bool options_parse(int argc, char **argv, uint64_t (*where_of)(struct str command), struct arena *a,
                   struct options *out, struct err *e)
{
    struct reader r = { .a = a, .o = out, .e = e };
    bool only_words = false;

    *out = (struct options){ 0 };
    for (int i = 1; i < argc; i++) {
        struct str word = str_of(argv[i]);
        bool option = !only_words && word.n > 1 && word.p[0] == '-';

        if (option && str_eq(word, STR("--"))) {
            only_words = true;
        } else if (option) {
            bool ok = word.p[1] == '-' ? read_long(&r, argc, argv, &i) : read_short(&r, argc, argv, &i);

            if (!ok)
                return err_exit(e, 2);
        } else if (!out->command.p) {
            out->command = word;
            r.where = where_of(word);
            only_words = r.where & W_RAW;
        } else {
            VEC_PUSH_IN(a, &out->words, word);
            only_words = only_words || r.where & W_RUN;
        }
    }
    read_variables(&r);
    return true;
}
