#include "sync/build_answer.h"

#include "base/arena.h"
#include "base/err.h"
#include "base/vec.h"
#include "codec/json.h"

#define LIST_MAX 1000

bool build_answer_name(struct str text, struct arena *a, struct str *name, bool *missing, struct err *e)
{
    struct json j;
    struct str key, value = { NULL, 0 };

    *missing = false;
    json_init(&j, text, a, e);
    if (json_object_begin(&j))
        while (json_object_next(&j, &key)) {
            if (str_eq(key, STR("missing")))
                (void)json_bool(&j, missing);
            else if (str_eq(key, STR("value")))
                (void)json_string(&j, &value);
        }
    if (!json_end(&j))
        return err_as(e, ERR_PACKAGE, "read the answer of its build backend");
    if (!*missing && (value.n == 0 || value.n > 255 || value.p[0] == '.' || str_find(value, '/') < value.n ||
                      str_find(value, '\0') < value.n))
        return err_set(e, ERR_PACKAGE, "its build backend built no wheel: '" STR_FMT "' is no name of a file",
                       STR_ARG(str_sub(value, 0, value.n > 80 ? 80 : value.n)));
    *name = value;
    return true;
}

bool build_answer_list(struct str text, struct arena *a, struct str_list *out, struct err *e)
{
    struct json j;
    struct str key, one;
    VEC(struct str) list = { 0 };

    json_init(&j, text, a, e);
    if (json_object_begin(&j))
        while (json_object_next(&j, &key)) {
            if (!str_eq(key, STR("value")) || !json_array_begin(&j))
                continue;
            while (json_array_next(&j) && json_string(&j, &one))
                VEC_PUSH_IN(a, &list, one);
        }
    if (!json_end(&j))
        return err_as(e, ERR_PACKAGE, "read what its build backend requires");
    if (list.n > LIST_MAX)
        return err_set(e, ERR_PACKAGE, "its build backend requires %zu packages, the limit is %d", list.n, LIST_MAX);
    *out = (struct str_list){ list.p, list.n };
    return true;
}
