#include "daemon/job.h"

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "codec/json.h"
#include "codec/json_write.h"

static const char *const verb_words[] = {
#define X(verb, word) [JOB_##verb] = word,
    JOB_VERB_WORDS(X)
#undef X
};

static const char *const priority_words[] = {
    [PRIORITY_FOREGROUND] = "foreground",
    [PRIORITY_USER] = "user",
    [PRIORITY_WATCH] = "watch",
    [PRIORITY_CHECK] = "check",
};

static const char *const state_words[] = {
    [JOB_WAITING] = "waiting", [JOB_RUNNING] = "running",     [JOB_DONE] = "done",
    [JOB_FAILED] = "failed",   [JOB_CANCELLED] = "cancelled",
};

const char *job_verb_word(enum job_verb verb)
{
    return verb_words[verb];
}

const char *job_priority_word(enum job_priority priority)
{
    return priority_words[priority];
}

const char *job_state_word(enum job_state state)
{
    return state_words[state];
}

static bool find_word(struct str word, const char *const *words, size_t n, size_t *out)
{
    for (size_t i = 0; i < n; i++)
        if (str_eq(word, str_of(words[i]))) {
            *out = i;
            return true;
        }
    return false;
}

bool job_verb_find(struct str word, enum job_verb *out)
{
    size_t i;

    if (!find_word(word, verb_words, JOB_VERBS, &i))
        return false;
    *out = (enum job_verb)i;
    return true;
}

bool job_priority_find(struct str word, enum job_priority *out)
{
    size_t i;

    if (!find_word(word, priority_words, PRIORITIES, &i))
        return false;
    *out = (enum job_priority)i;
    return true;
}

/* {"pyproject": N, "lock": N}, or null */
static void read_files(struct json *j, struct job_result *out)
{
    struct str key;

    if (json_take_null(j) || !json_object_begin(j))
        return;
    out->read = true;
    while (json_object_next(j, &key)) {
        if (str_eq(key, STR("pyproject")))
            json_u64(j, &out->pyproject);
        else if (str_eq(key, STR("lock")))
            json_u64(j, &out->lock);
    }
}

bool job_result_parse(struct str text, struct arena *a, struct job_result *out, struct err *e)
{
    struct json j;
    struct str key, schema = { 0 }, word = { 0 }, message = { 0 };
    struct job_result said = { 0 };
    AUTO_BUF line = { .limit = JOB_OUTPUT_MAX };

    json_init(&j, text, a, e);
    if (json_object_begin(&j))
        while (json_object_next(&j, &key)) {
            if (str_eq(key, STR("schema")))
                json_string(&j, &schema);
            else if (str_eq(key, STR("state")))
                json_string(&j, &word);
            else if (str_eq(key, STR("message")) && !json_take_null(&j))
                json_string(&j, &message);
            else if (str_eq(key, STR("generation")) && !json_take_null(&j))
                json_u64(&j, &said.generation);
            else if (str_eq(key, STR("read")))
                read_files(&j, &said);
            else if (str_eq(key, STR("passing")))
                json_bool(&j, &said.passing);
        }
    if (!json_end(&j))
        return err_as(e, ERR_DAEMON, "read the result of a background job");
    if (!str_eq(schema, STR("blast.background/1")) || !word.n)
        return err_set(e, ERR_DAEMON, "the result of a background job has schema '" STR_FMT "', wanted "
                       "'blast.background/1' with a state", STR_ARG(schema));
    if (!json_write_minified(text, &line, e))
        return err_as(e, ERR_DAEMON, "read the result of a background job");
    out->word = word;
    out->message = message;
    out->generation = said.generation;
    out->read = said.read;
    out->pyproject = said.pyproject;
    out->lock = said.lock;
    out->passing = said.passing;
    out->json = arena_str(a, buf_done(&line));
    return true;
}

bool job_progress_parse(struct str line, struct arena *a, struct job_progress *out)
{
    struct json j;
    struct err wrong = { 0 };
    struct str key, event = { 0 };
    struct job_progress got = { 0 };

    if (!str_starts(line, STR("{\"event\"")))
        return false;
    json_init(&j, line, a, &wrong);
    if (json_object_begin(&j))
        while (json_object_next(&j, &key)) {
            if (str_eq(key, STR("event")))
                json_string(&j, &event);
            else if (str_eq(key, STR("phase")))
                json_string(&j, &got.phase);
            else if (str_eq(key, STR("done")))
                json_u64(&j, &got.done);
            else if (str_eq(key, STR("total")))
                json_u64(&j, &got.total);
        }
    if (!json_end(&j) || !str_eq(event, STR("progress")))
        return false;
    *out = got;
    return true;
}
