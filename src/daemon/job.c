#include "daemon/job.h"

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
