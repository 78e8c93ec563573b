/* The tables behind help, completions and manual pages. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>
#include "cli/cli.h"

static void every_command_has_a_sentence_and_examples_of_itself(void **state)
{
    (void)state;
    for (const struct command *c = command_table; c->name; c++) {
        char begin[64];

        (void)snprintf(begin, sizeof begin, "blast %s", c->name);
        if (strlen(c->text) < 10 || c->text[strlen(c->text) - 1] == '.')
            fail_msg("%s: '%s' is no sentence without a full stop", c->name, c->text);
        for (struct str line, rest = str_of(c->examples); str_next_line(&rest, &line);)
            if (str_search(line, str_of(begin)) == line.n)
                fail_msg("%s: the example '%.*s' is not about it", c->name, STR_ARG(line));
        assert_true(strlen(c->examples) > 0);
        assert_ptr_equal(command_find(str_of(c->name)), c);
    }
    assert_null(command_find(STR("nothing")));
}

static void every_option_has_a_sentence_and_a_command(void **state)
{
    uint64_t used = W_ALL;

    (void)state;
    for (const struct command *c = command_table; c->name; c++)
        used |= c->where;
    for (unsigned i = 0; i < OPTION_IDS; i++) {
        const struct option *o = &option_table[i];
        bool value = o->kind == OPTION_VALUE || o->kind == OPTION_LIST;

        if (strlen(o->text) < 5 || !(o->where & used) || value != (o->value != NULL))
            fail_msg("--%s: '%s', value %s, belongs to %llx", o->name, o->text, o->value ? o->value : "none",
                     (unsigned long long)o->where);
    }
}

static void no_letter_means_two_things_for_a_command(void **state)
{
    (void)state;
    for (const struct command *c = command_table; c->name; c++)
        for (unsigned i = 0; i < OPTION_IDS; i++)
            for (unsigned k = i + 1; k < OPTION_IDS; k++) {
                const struct option *x = &option_table[i], *y = &option_table[k];
                uint64_t where = c->where | W_ALL;

                if (i == OPT_INTERACTIVE && k == OPT_INDEX_URL)
                    continue; /* the checklist of update: the first in the table wins */
                if (x->letter && x->letter == y->letter && x->where & where && y->where & where)
                    fail_msg("blast %s: -%c is --%s and --%s", c->name, x->letter, x->name, y->name);
            }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_command_has_a_sentence_and_examples_of_itself),
        cmocka_unit_test(every_option_has_a_sentence_and_a_command),
        cmocka_unit_test(no_letter_means_two_things_for_a_command),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
