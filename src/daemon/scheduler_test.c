#include "base/test_dir.h"

#include <sys/stat.h>
#include <unistd.h>
#include <uv.h>
#include "base/arena.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/proc.h"
#include "base/str.h"
#include "config/dirs.h"
#include "daemon/scheduler.h"
#include "daemon/update_service.h"

/* The scheduler in a real loop, with real files and processes; in blast's place a script that writes down what it was
 * asked for (file `ran`) and answers as files in the project say: answer, exit, slow. */
static const char script[] =
    "#!/bin/sh\n"
    "echo \"$2 $BLAST_ACTOR $BLAST_REASON\" >>\"$4/../ran\"\n"
    "if test -e \"$4/slow\"; then echo $$ >\"$4/../pid\"; exec sleep 600; fi\n"
    "if test -e \"$4/answer\"; then cat \"$4/answer\"\n"
    "else echo '{\"schema\":\"blast.background/1\",\"state\":\"synced\",\"generation\":7,\"message\":\"done\"}'; fi\n"
    "if test -e \"$4/exit\"; then echo 'the reason' >&2; exit $(cat \"$4/exit\"); fi\n";

#define WAIT_MS 20000

struct ended {
    unsigned n;
    enum job_state state;
    char word[32], message[300];
    int exit_code;
    uint64_t generation;
};

struct fixture {
    const struct test_dir *t;
    struct arena a;
    uv_loop_t loop;
    uv_timer_t guard;
    struct dirs dirs;
    struct scheduler *s;
    const char *state, *blast, *project;
    struct ended ended;
    unsigned changed, drifts, imports, notices, jobs_begun;
    char text[300], import[100], distribution[100];
    bool verified, drained, offline;
};

static bool online = true;

static bool is_online(void)
{
    return online;
}

static void keep(char *out, size_t n, struct str s)
{
    (void)snprintf(out, n, STR_FMT, STR_ARG(s));
}

static void on_event(void *ctx, const struct daemon_event *ev)
{
    struct fixture *f = ctx;

    f->changed += ev->kind == EVENT_CHANGED;
    f->drifts += ev->kind == EVENT_DRIFT;
    f->imports += ev->kind == EVENT_IMPORT;
    f->notices += ev->kind == EVENT_NOTICE;
    f->jobs_begun += ev->kind == EVENT_JOB && ev->state == JOB_RUNNING && !ev->phase.n;
    if (ev->kind == EVENT_CHANGED)
        keep(f->text, sizeof f->text, ev->text);
    if (ev->kind == EVENT_IMPORT) {
        keep(f->import, sizeof f->import, ev->name);
        keep(f->distribution, sizeof f->distribution, ev->distribution);
        f->verified = ev->verified;
    }
}

static void on_ended(void *ctx, const struct job_result *r)
{
    struct ended *e = ctx;

    *e = (struct ended){ .n = e->n + 1, .state = r->state, .exit_code = r->exit_code, .generation = r->generation };
    keep(e->word, sizeof e->word, r->word);
    keep(e->message, sizeof e->message, r->message);
}

static void on_guard(uv_timer_t *t)
{
    (void)t;
}

static const char *at(struct fixture *f, const char *name)
{
    return arena_printf(&f->a, "%s/%s", f->t->path, name).p;
}

static void put(struct fixture *f, const char *name, const char *text)
{
    struct err e = { 0 };
    struct str path = str_of(name), above = str_sub(path, 0, str_rfind(path, '/'));
    bool deep = above.n < path.n;
    AUTO_FD dir = -1;

    assert_true(fd_open_dir(f->t->fd, deep ? arena_cstr(&f->a, above) : ".", &dir, &e));
    assert_true(file_replace(dir, deep ? name + above.n + 1 : name, str_of(text), 0644, FILE_NO_SYNC, &e));
}

/* As editors do that write in place. */
static void edit(struct fixture *f, const char *name, const char *text)
{
    AUTO_FD fd = openat(f->t->fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
}

static void start_scheduler(struct fixture *f)
{
    struct err e = { 0 };
    struct scheduler_config config = {
        .blast = f->blast,
        .state = f->state,
        .dirs = &f->dirs,
        .event = on_event,
        .ctx = f,
        .online = is_online,
    };

    if (!scheduler_start(&f->loop, &config, &f->s, &e))
        fail_msg("%s", e.text);
}

static void begin(struct fixture *f, void **state)
{
    struct err e = { 0 };

    *f = (struct fixture){ .t = *state };
    online = true;
    assert_int_equal(setenv("BLAST_NO_UPDATE_NOTIFIER", "1", 1), 0);
    f->state = at(f, "state");
    f->blast = at(f, "blast");
    f->project = at(f, "p");
    f->dirs = (struct dirs){
        .home = at(f, "home"),
        .config = at(f, "config"),
        .state = f->state,
        .cache = at(f, "cache"),
        .store = at(f, "store"),
    };
    put(f, "blast", script);
    assert_int_equal(chmod(f->blast, 0755), 0);
    assert_true(file_make_dirs(f->t->fd, "state", 0700, &e) && file_make_dirs(f->t->fd, "p/src", 0755, &e));
    put(f, "p/pyproject.toml", "[project]\nname = 'p'\n");
    assert_int_equal(uv_loop_init(&f->loop), 0);
    assert_int_equal(uv_timer_init(&f->loop, &f->guard), 0);
    assert_int_equal(uv_timer_start(&f->guard, on_guard, 50, 50), 0);
    start_scheduler(f);
}

static void stop_scheduler(struct fixture *f)
{
    scheduler_stop(f->s);
    f->s = NULL;
    for (unsigned i = 0; i < 3; i++)
        (void)uv_run(&f->loop, UV_RUN_NOWAIT);
}

static void end(struct fixture *f)
{
    if (f->s)
        stop_scheduler(f);
    uv_close((uv_handle_t *)&f->guard, NULL);
    (void)uv_run(&f->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&f->loop), 0);
    arena_clear(&f->a);
}

#define RUN_UNTIL(f, condition)                                                                                        \
    do {                                                                                                               \
        uint64_t until_ = clock_ms() + WAIT_MS;                                                                        \
        while (!(condition)) {                                                                                         \
            if (clock_ms() > until_)                                                                                   \
                fail_msg("line %d: waited for %s", __LINE__, #condition);                                              \
            (void)uv_run(&(f)->loop, UV_RUN_ONCE);                                                                     \
        }                                                                                                              \
    } while (0)

static struct scheduler_metrics metrics(struct fixture *f)
{
    struct scheduler_metrics m;

    scheduler_metrics(f->s, &m);
    return m;
}

/* Nothing settles, waits or runs. */
static bool is_quiet(struct fixture *f)
{
    struct scheduler_project p;
    size_t i = 0, jobs = 0;

    for (struct scheduler_job_info j; scheduler_job_each(f->s, &jobs, &j);)
        return false;
    while (scheduler_project_each(f->s, &i, &p))
        if (!str_eq(str_of(p.state), STR("idle")) && !str_eq(str_of(p.state), STR("paused")) &&
            !str_eq(str_of(p.state), STR("failed")))
            return false;
    (void)uv_timer_stop(&f->guard);
    int timeout = uv_backend_timeout(&f->loop);

    (void)uv_timer_start(&f->guard, on_guard, 50, 50);
    return timeout < 0 || timeout > 60000;
}

static void open_project(struct fixture *f)
{
    struct err e = { 0 };

    assert_true(scheduler_session_begin(f->s, f->project, 4711, &e));
    scheduler_ready(f->s);
    RUN_UNTIL(f, is_quiet(f));
}

static struct str ran(struct fixture *f)
{
    struct str text;
    struct err e = { 0 };

    assert_true(fd_read_if_there(f->t->fd, "ran", 100000, &f->a, &text, &e));
    return text.p ? text : STR("");
}

static unsigned lines(struct str s)
{
    unsigned n = 0;

    for (struct str line; str_next_line(&s, &line);)
        n++;
    return n;
}

static uint64_t submit(struct fixture *f, enum job_verb verb, enum job_priority priority)
{
    struct scheduler_job job = { f->project, verb, priority, STR("asked for"), on_ended, &f->ended };
    struct err e = { 0 };
    uint64_t number;

    if (!scheduler_submit(f->s, &job, &number, &e))
        fail_msg("%s", e.text);
    return number;
}

/* ------------------------------------------------------------ jobs */

static void a_job_is_a_child_that_tells_how_it_went(void **state)
{
    struct fixture f;

    begin(&f, state);
    open_project(&f);
    assert_string_equal(ran(&f).p, "sync daemon looked at anew\n");
    (void)submit(&f, JOB_UPDATE, PRIORITY_USER);
    assert_int_equal(f.ended.n, 0); /* from the loop, not from the call */
    RUN_UNTIL(&f, f.ended.n == 1);
    assert_int_equal(f.ended.state, JOB_DONE);
    assert_string_equal(f.ended.word, "synced");
    assert_string_equal(f.ended.message, "done");
    assert_int_equal(f.ended.generation, 7);
    assert_int_equal(f.ended.exit_code, 0);
    assert_non_null(strstr(ran(&f).p, "update daemon asked for\n"));
    end(&f);
}

static void bad_ends_are_told_as_they_are(void **state)
{
    static const struct {
        const char *answer, *exit, *word, *message;
        int exit_code;
        enum job_state state;
    } cases[] = {
        { "", "3", "failed", "the reason", 3, JOB_FAILED },
        { "{\"schema\":\"blast.background/1\",\"state\":\"failed\",\"message\":\"no such package\"}", "1", "failed",
          "no such package", 1, JOB_FAILED },
        { "{\n  \"schema\": \"blast.background/1\",\n  \"state\": \"pending\"\n}\n", "4", "pending", "the reason", 4,
          JOB_DONE },
        { "{\"event\":\"progress\",\"phase\":\"fetch\",\"done\":1,\"total\":2}\n"
          "{\"schema\":\"blast.background/1\",\"state\":\"denied\",\"message\":\"not trusted\"}", "5",
          "denied", "not trusted", 5, JOB_FAILED },
        { "{\"schema\":\"other/1\",\"state\":\"synced\"}", "0", "failed", "the reason", 0, JOB_FAILED },
        { "nonsense", "0", "failed", "the reason", 0, JOB_FAILED },
        { "{\"schema\":\"blast.background/1\",\"state\":", "0", "failed", "the reason", 0, JOB_FAILED },
    };
    struct fixture f;

    begin(&f, state);
    open_project(&f);
    for (size_t i = 0; i < COUNT(cases); i++) {
        put(&f, "p/answer", cases[i].answer);
        put(&f, "p/exit", cases[i].exit);
        f.ended.n = 0;
        (void)submit(&f, JOB_CHECK, PRIORITY_USER);
        RUN_UNTIL(&f, f.ended.n == 1);
        if (f.ended.state != cases[i].state || f.ended.exit_code != cases[i].exit_code ||
            strcmp(f.ended.word, cases[i].word) != 0 || strcmp(f.ended.message, cases[i].message) != 0)
            fail_msg("case %zu: state %d, exit %d, '%s', '%s'", i, (int)f.ended.state, f.ended.exit_code, f.ended.word,
                     f.ended.message);
    }
    end(&f);
}

/* A branch came and went while it read: at its end the files are what they were at its start. */
static void a_job_that_read_other_bytes_is_done_again(void **state)
{
    static const char text[] = "[project]\nname = 'p'\n"; /* as begin() writes it */
    static const char answer[] = "{\"schema\":\"blast.background/1\",\"state\":\"synced\",\"read\":"
                                 "{\"pyproject\":%llu,\"lock\":0}}";
    struct fixture f;
    struct err e = { 0 };

    begin(&f, state);
    put(&f, "p/answer", arena_printf(&f.a, answer, 12345ULL).p);
    assert_true(scheduler_session_begin(f.s, f.project, 4711, &e));
    scheduler_ready(f.s);
    RUN_UNTIL(&f, lines(ran(&f)) >= 2);
    put(&f, "p/answer", arena_printf(&f.a, answer, (unsigned long long)hash_fast(text, sizeof text - 1)).p);
    RUN_UNTIL(&f, is_quiet(&f));
    assert_in_range(lines(ran(&f)), 2, UPDATE_FREE_SYNCS);
    end(&f);
}

static void a_child_that_prints_without_end_is_ended(void **state)
{
    struct fixture f;

    begin(&f, state);
    put(&f, "blast", "#!/bin/sh\nexec cat /dev/zero\n");
    assert_int_equal(chmod(f.blast, 0755), 0);
    open_project(&f);
    (void)submit(&f, JOB_CHECK, PRIORITY_USER);
    RUN_UNTIL(&f, f.ended.n == 1);
    assert_int_equal(f.ended.state, JOB_FAILED);
    assert_string_equal(f.ended.message, "the job printed more than 262144 bytes");
    end(&f);
}

static void a_program_that_is_not_there_is_a_failure(void **state)
{
    struct fixture f;

    begin(&f, state);
    open_project(&f);
    assert_int_equal(unlink(f.blast), 0);
    (void)submit(&f, JOB_CHECK, PRIORITY_USER);
    RUN_UNTIL(&f, f.ended.n == 1);
    assert_int_equal(f.ended.exit_code, 127);
    assert_non_null(strstr(f.ended.message, "cannot run '"));
    end(&f);
}

static void jobs_for_unknown_projects_are_refused(void **state)
{
    struct fixture f;
    struct err e = { 0 };
    struct scheduler_job job = { .path = "/nowhere", .verb = JOB_SYNC };
    uint64_t number;

    begin(&f, state);
    assert_false(scheduler_submit(f.s, &job, &number, &e));
    assert_int_equal(e.kind, ERR_DAEMON);
    assert_string_equal(e.text, "'/nowhere' is no project that is looked after");
    assert_false(scheduler_project_add(f.s, "relative", false, &e));
    assert_false(scheduler_cancel(f.s, 99));
    end(&f);
}

static pid_t child_pid(struct fixture *f)
{
    size_t i = 0;

    for (struct scheduler_job_info j; scheduler_job_each(f->s, &i, &j);)
        if (j.pid)
            return (pid_t)j.pid;
    return 0;
}

static void a_command_of_the_user_comes_before_background_work(void **state)
{
    struct fixture f;
    struct scheduler_project p;

    begin(&f, state);
    open_project(&f);
    put(&f, "p/slow", "");
    (void)submit(&f, JOB_SYNC, PRIORITY_WATCH);
    RUN_UNTIL(&f, file_exists(f.t->fd, "pid"));
    pid_t pid = child_pid(&f);

    assert_true(pid > 0);
    scheduler_foreground(f.s, f.project);
    RUN_UNTIL(&f, metrics(&f).jobs_preempted == 1);
    assert_int_equal(kill(pid, 0), -1);
    assert_int_equal(f.ended.n, 0); /* it is not over: it was queued again */
    assert_true(scheduler_project_find(f.s, f.project, &p));
    assert_string_equal(p.state, "waiting");
    unsigned before = lines(ran(&f));

    for (unsigned i = 0; i < 5; i++)
        (void)uv_run(&f.loop, UV_RUN_ONCE);
    assert_int_equal(lines(ran(&f)), before);
    assert_int_equal(unlink(at(&f, "p/slow")), 0);
    scheduler_foreground_end(f.s, f.project);
    RUN_UNTIL(&f, f.ended.n == 1);
    assert_int_equal(f.ended.state, JOB_DONE);
    end(&f);
}

static void jobs_can_be_cancelled(void **state)
{
    struct fixture f;

    begin(&f, state);
    open_project(&f);
    put(&f, "p/slow", "");
    uint64_t first = submit(&f, JOB_SYNC, PRIORITY_USER);

    RUN_UNTIL(&f, file_exists(f.t->fd, "pid"));
    uint64_t second = submit(&f, JOB_CHECK, PRIORITY_USER);

    assert_true(scheduler_cancel(f.s, second)); /* waits: at once */
    assert_int_equal(f.ended.n, 1);
    assert_int_equal(f.ended.state, JOB_CANCELLED);
    assert_true(scheduler_cancel(f.s, first));
    RUN_UNTIL(&f, f.ended.n == 2);
    assert_int_equal(f.ended.state, JOB_CANCELLED);
    RUN_UNTIL(&f, is_quiet(&f));
    end(&f);
}

static void whoever_stops_waiting_is_not_called(void **state)
{
    struct fixture f;

    begin(&f, state);
    open_project(&f);
    (void)submit(&f, JOB_CHECK, PRIORITY_USER);
    scheduler_forget(f.s, &f.ended);
    RUN_UNTIL(&f, is_quiet(&f));
    assert_int_equal(f.ended.n, 0);
    assert_int_equal(metrics(&f).jobs_done, 2);
    end(&f);
}

static void what_was_handed_in_survives_the_daemon(void **state)
{
    struct fixture f;

    begin(&f, state);
    open_project(&f);
    put(&f, "p/slow", "");
    (void)submit(&f, JOB_UPDATE, PRIORITY_USER);
    RUN_UNTIL(&f, file_exists(f.t->fd, "pid"));
    (void)submit(&f, JOB_CHECK, PRIORITY_USER);
    stop_scheduler(&f);
    assert_int_equal(unlink(at(&f, "p/slow")), 0);
    assert_int_equal(unlink(at(&f, "ran")), 0);
    start_scheduler(&f);
    open_project(&f);
    struct str text = ran(&f);

    assert_int_equal(lines(text), 2); /* both, and no sync: the inputs are those of the last one */
    assert_non_null(strstr(text.p, "update daemon asked for\n"));
    assert_non_null(strstr(text.p, "check daemon asked for\n"));
    end(&f);
}

static void a_network_that_is_gone_is_tried_later(void **state)
{
    struct fixture f;
    struct scheduler_job_info j;
    size_t i = 0;

    begin(&f, state);
    open_project(&f);
    put(&f, "p/exit", "6");
    put(&f, "p/answer", "");
    edit(&f, "p/pyproject.toml", "[project]\nname = 'q'\n");
    RUN_UNTIL(&f, f.jobs_begun == 2 && metrics(&f).jobs_running == 0);
    assert_true(scheduler_job_each(f.s, &i, &j));
    assert_int_equal(j.state, JOB_WAITING);
    assert_int_equal(j.attempts, 1);
    assert_true(j.not_before >= clock_now() + 20);
    put(&f, "p/exit", "0");
    edit(&f, "p/pyproject.toml", "[project]\nname = 'r'\n"); /* news: at once */
    RUN_UNTIL(&f, f.jobs_begun == 3);
    end(&f);
}

static void few_jobs_run_at_a_time_one_for_each_project(void **state)
{
    struct fixture f;
    struct err e = { 0 };
    struct scheduler_job job = { .verb = JOB_SYNC, .priority = PRIORITY_USER };
    uint64_t number;

    begin(&f, state);
    scheduler_ready(f.s);
    for (unsigned i = 0; i < 5; i++) {
        const char *name = arena_printf(&f.a, "p%u", i).p;

        assert_true(file_make_dirs(f.t->fd, name, 0755, &e));
        put(&f, arena_printf(&f.a, "%s/slow", name).p, "");
        assert_true(scheduler_project_add(f.s, at(&f, name), false, &e));
        job.path = at(&f, name);
        for (enum job_verb v = 0; v < JOB_VERBS; v++) {
            job.verb = v;
            assert_true(scheduler_submit(f.s, &job, &number, &e));
        }
    }
    RUN_UNTIL(&f, lines(ran(&f)) == 2);
    assert_int_equal(metrics(&f).jobs_running, 2);
    assert_int_equal(metrics(&f).jobs_waiting, 18);
    size_t i = 0;
    struct str seen[2];
    unsigned n = 0;

    for (struct scheduler_job_info j; scheduler_job_each(f.s, &i, &j);)
        if (j.state == JOB_RUNNING)
            seen[n++] = j.path;
    assert_int_equal(n, 2);
    assert_false(str_eq(seen[0], seen[1]));
    assert_true(scheduler_project_remove(f.s, at(&f, "p0")));
    RUN_UNTIL(&f, lines(ran(&f)) == 3);
    end(&f);
}

static void on_drained(void *ctx)
{
    *(bool *)ctx = true;
}

static void draining_lets_running_jobs_end_and_starts_none(void **state)
{
    struct fixture f;

    begin(&f, state);
    open_project(&f);
    (void)submit(&f, JOB_CHECK, PRIORITY_USER);
    RUN_UNTIL(&f, metrics(&f).jobs_started == 2);
    scheduler_drain(f.s, on_drained, &f.drained);
    (void)submit(&f, JOB_UPDATE, PRIORITY_USER);
    RUN_UNTIL(&f, f.drained);
    assert_int_equal(f.ended.n, 1);
    assert_int_equal(metrics(&f).jobs_waiting, 1);
    end(&f);
}

/* ------------------------------------------------------------ changes */

static void an_edit_is_followed_once_and_the_same_bytes_are_not(void **state)
{
    struct fixture f;

    begin(&f, state);
    open_project(&f);
    edit(&f, "p/pyproject.toml", "[project]\nname = 'p'\ndependencies = ['x']\n");
    RUN_UNTIL(&f, f.changed == 1 && is_quiet(&f));
    assert_string_equal(f.text, "pyproject.toml");
    assert_string_equal(ran(&f).p, "sync daemon looked at anew\nsync daemon pyproject.toml changed\n");
    edit(&f, "p/pyproject.toml", "[project]\nname = 'p'\ndependencies = ['x']\n");
    put(&f, "p/pyproject.toml", "[project]\nname = 'p'\ndependencies = ['x']\n");
    uint64_t events = metrics(&f).file_events;

    RUN_UNTIL(&f, metrics(&f).file_events > events && is_quiet(&f));
    assert_int_equal(f.changed, 1);
    assert_int_equal(lines(ran(&f)), 2);
    end(&f);
}

static void requirements_files_are_followed_where_they_lead(void **state)
{
    struct fixture f;
    struct err e = { 0 };

    begin(&f, state);
    assert_true(file_make_dirs(f.t->fd, "shared", 0755, &e));
    put(&f, "shared/base.txt", "a\n");
    put(&f, "p/requirements.txt", "-r ../shared/base.txt\n-c limits/c.txt\n");
    open_project(&f);
    edit(&f, "shared/base.txt", "b\n");
    RUN_UNTIL(&f, f.changed == 1 && is_quiet(&f));
    assert_non_null(strstr(f.text, "/shared/base.txt"));
    assert_true(file_make_dirs(f.t->fd, "p/limits", 0755, &e));
    edit(&f, "p/limits/c.txt", "a<2\n");
    RUN_UNTIL(&f, f.changed == 2 && is_quiet(&f));
    assert_string_equal(f.text, "limits/c.txt");
    edit(&f, "p/requirements.txt", "-r ../shared/other.txt\n");
    RUN_UNTIL(&f, f.changed == 3 && is_quiet(&f));
    edit(&f, "shared/other.txt", "c\n");
    RUN_UNTIL(&f, f.changed == 4);
    end(&f);
}

static bool git(struct fixture *f, const char *command)
{
    const char *line = arena_printf(&f->a, "git -c user.name=t -c user.email=t@example -c commit.gpgsign=false %s",
                                    command).p;
    const char *argv[] = { "sh", "-c", line, NULL };
    struct proc_spec spec = { .argv = argv, .dir = f->project, .timeout_ms = 30000 };
    struct err e = { 0 };
    int status;

    return proc_run(&spec, &status, &e) && status == 0;
}

static void a_branch_switch_is_one_sync(void **state)
{
    struct fixture f;

    begin(&f, state);
    if (!git(&f, "init -q -b main")) {
        end(&f);
        print_message("SKIP: there is no git\n");
        skip();
    }
    assert_true(git(&f, "add -A") && git(&f, "commit -q -m one") && git(&f, "checkout -q -b feature"));
    put(&f, "p/pyproject.toml", "[project]\nname = 'other'\n");
    put(&f, "p/pylock.toml", "lock-version = '1.0'\n");
    put(&f, "p/blast.toml", "[monitor]\nwatch_paths = ['src', 'more']\n");
    for (unsigned i = 0; i < 50; i++)
        put(&f, arena_printf(&f.a, "p/src/m%u.py", i).p, "x = 1\n");
    assert_true(git(&f, "add -A") && git(&f, "commit -q -m two"));
    open_project(&f);
    unsigned before = lines(ran(&f));

    assert_true(git(&f, "checkout -q main"));
    RUN_UNTIL(&f, f.changed == 1 && is_quiet(&f));
    assert_int_equal(lines(ran(&f)), before + 1);
    assert_non_null(strstr(ran(&f).p, "git switch main: blast.toml, pylock.toml, pyproject.toml changed\n"));
    assert_true(git(&f, "checkout -q feature"));
    RUN_UNTIL(&f, f.changed == 2 && is_quiet(&f));
    assert_int_equal(lines(ran(&f)), before + 2);
    end(&f);
}

static void an_input_that_is_rewritten_all_the_time_is_followed_now_and_then(void **state)
{
    struct fixture f;
    struct scheduler_job_info j;
    size_t i = 0;

    begin(&f, state);
    open_project(&f);
    for (unsigned n = 1; n <= UPDATE_FREE_SYNCS + 2; n++) {
        edit(&f, "p/pyproject.toml", arena_printf(&f.a, "[project]\nname = 'n%u'\n", n).p);
        RUN_UNTIL(&f, f.changed == n && metrics(&f).jobs_running == 0 && (n >= UPDATE_FREE_SYNCS || is_quiet(&f)));
    }
    assert_int_equal(lines(ran(&f)), UPDATE_FREE_SYNCS);
    assert_true(scheduler_job_each(f.s, &i, &j)); /* one, for all that came since */
    assert_true(j.not_before > clock_now() + 30);
    assert_false(scheduler_job_each(f.s, &i, &j));
    end(&f);
}

static void settings_take_effect_when_they_are_saved(void **state)
{
    struct fixture f;
    struct scheduler_project p;

    static const char required[] = "[env]\n[container]\n[sandbox]\n[security]\n[sync]\n";

    begin(&f, state);
    put(&f, "p/blast.toml", arena_printf(&f.a, "%s[pkg_layer]\nauto_sync = false\n", required).p);
    open_project(&f);
    assert_int_equal(lines(ran(&f)), 0);
    edit(&f, "p/pyproject.toml", "[project]\nname = 'new'\n");
    RUN_UNTIL(&f, f.changed == 1 && is_quiet(&f));
    assert_int_equal(lines(ran(&f)), 0);
    edit(&f, "p/blast.toml", "[broken\n"); /* the settings stay as they are */
    RUN_UNTIL(&f, f.changed == 2 && is_quiet(&f));
    assert_int_equal(lines(ran(&f)), 0);
    edit(&f, "p/blast.toml", arena_printf(&f.a, "%s[monitor]\nenabled = false\n", required).p);
    RUN_UNTIL(&f, f.changed == 2 && metrics(&f).watches == 0);
    assert_true(scheduler_project_find(f.s, f.project, &p));
    RUN_UNTIL(&f, scheduler_project_find(f.s, f.project, &p) && str_eq(p.watch, STR("off")));
    end(&f);
}

static void what_changed_while_nobody_looked_is_followed(void **state)
{
    struct fixture f;
    struct err e = { 0 };

    begin(&f, state);
    open_project(&f);
    assert_true(scheduler_session_end(f.s, f.project, 4711));
    assert_false(scheduler_session_end(f.s, f.project, 4711));
    assert_int_equal(metrics(&f).watches, 0);
    assert_true(scheduler_is_idle(f.s));
    edit(&f, "p/pyproject.toml", "[project]\nname = 'meanwhile'\n");
    assert_true(scheduler_session_begin(f.s, f.project, 4712, &e));
    RUN_UNTIL(&f, lines(ran(&f)) == 2 && is_quiet(&f));
    assert_true(scheduler_session_begin(f.s, f.project, 4713, &e));
    RUN_UNTIL(&f, is_quiet(&f));
    assert_int_equal(lines(ran(&f)), 2);
    assert_false(scheduler_is_idle(f.s));
    end(&f);
}

static void changes_of_a_foreground_command_are_looked_at_in_the_end(void **state)
{
    struct fixture f;

    begin(&f, state);
    open_project(&f);
    scheduler_foreground(f.s, f.project);
    scheduler_foreground(f.s, f.project);
    uint64_t events = metrics(&f).file_events;

    edit(&f, "p/pyproject.toml", "[project]\nname = 'edited'\n");
    RUN_UNTIL(&f, metrics(&f).file_events > events && is_quiet(&f));
    assert_int_equal(f.changed, 0);
    scheduler_foreground_end(f.s, f.project);
    assert_int_equal(f.changed, 0);
    scheduler_foreground_end(f.s, f.project);
    RUN_UNTIL(&f, f.changed == 1 && is_quiet(&f));
    assert_int_equal(lines(ran(&f)), 2);
    end(&f);
}

static void make_environment(struct fixture *f)
{
    struct err e = { 0 };

    assert_true(file_make_dirs(f->t->fd, "p/.venv/lib/python3.12/site-packages/known-1.dist-info", 0755, &e) &&
                file_make_dirs(f->t->fd, "p/.venv/lib/python3.12/site-packages/known", 0755, &e));
    put(f, "p/.venv/pyvenv.cfg", "home = /usr\n");
}

static void changes_by_hand_are_drift_and_put_away_once_an_interval(void **state)
{
    struct fixture f;
    struct err e = { 0 };

    begin(&f, state);
    make_environment(&f);
    open_project(&f);
    assert_true(file_make_dirs(f.t->fd, "p/.venv/lib/python3.12/site-packages/by_hand-1.dist-info", 0755, &e));
    RUN_UNTIL(&f, f.drifts == 1 && is_quiet(&f));
    assert_string_equal(ran(&f).p, "sync daemon looked at anew\nsnapshot daemon site-packages was changed by hand\n");
    assert_true(file_remove_tree(f.t->fd, "p/.venv/lib/python3.12/site-packages/by_hand-1.dist-info", &e));
    RUN_UNTIL(&f, f.drifts == 2 && is_quiet(&f)); /* the next snapshot is due in 300 s */
    assert_int_equal(lines(ran(&f)), 2);
    end(&f);
}

static void a_missing_import_is_proposed_before_it_is_run(void **state)
{
    struct fixture f;

    begin(&f, state);
    make_environment(&f);
    open_project(&f);
    edit(&f, "p/src/own.py", "import os\n");
    edit(&f, "p/src/a.py", "import os, known\nfrom own import x\ntry:\n    import ujson\nexcept ImportError: pass\n"
                           "import some_thing_unknown.sub\n");
    RUN_UNTIL(&f, f.imports == 1 && is_quiet(&f));
    assert_string_equal(f.import, "some_thing_unknown.sub");
    assert_false(f.verified);
    assert_int_equal(f.notices, 1);
    edit(&f, "p/src/a.py", "import some_thing_unknown.sub\nimport yaml\n"); /* told once */
    RUN_UNTIL(&f, f.imports == 2 && is_quiet(&f));
    assert_string_equal(f.import, "yaml");
    assert_string_equal(f.distribution, "PyYAML");
    assert_true(f.verified);
    end(&f);
}

/* ------------------------------------------------------------ rest */

static void twenty_projects_at_rest_arm_no_timer(void **state)
{
    struct fixture f;
    struct err e = { 0 };

    begin(&f, state);
    for (unsigned i = 0; i < 20; i++) {
        const char *name = arena_printf(&f.a, "q%u", i).p;

        assert_true(file_make_dirs(f.t->fd, arena_printf(&f.a, "%s/src/a/b/c", name).p, 0755, &e));
        assert_true(scheduler_session_begin(f.s, at(&f, name), 100 + i, &e));
    }
    scheduler_ready(f.s);
    RUN_UNTIL(&f, metrics(&f).jobs_done == 20 && is_quiet(&f));
    (void)uv_timer_stop(&f.guard);
    assert_int_equal(uv_backend_timeout(&f.loop), -1);
    assert_int_equal(metrics(&f).watches, 20 * 5);
    end(&f);
}

static void updates_are_looked_for_daily_and_never_offline(void **state)
{
    struct fixture f;
    struct scheduler_project p;

    begin(&f, state);
    assert_int_equal(unsetenv("BLAST_NO_UPDATE_NOTIFIER"), 0);
    assert_int_equal(unsetenv("NO_UPDATE_NOTIFIER"), 0);
    assert_int_equal(unsetenv("CI"), 0);
    assert_int_equal(unsetenv("BLAST_OFFLINE"), 0);
    assert_int_equal(setenv("BLAST_NOW", "2026-01-01T00:00:00Z", 1), 0);
    open_project(&f);
    assert_int_equal(metrics(&f).checks, 0);
    online = false;
    assert_int_equal(setenv("BLAST_NOW", "2026-01-01T01:00:00Z", 1), 0);
    edit(&f, "p/pyproject.toml", "[project]\nname = 'wakes'\n");
    RUN_UNTIL(&f, f.changed == 1 && is_quiet(&f));
    assert_int_equal(metrics(&f).checks, 0);
    online = true;
    assert_int_equal(setenv("BLAST_NOW", "2026-01-01T02:30:00Z", 1), 0);
    edit(&f, "p/pyproject.toml", "[project]\nname = 'wakes again'\n");
    RUN_UNTIL(&f, f.changed == 2 && is_quiet(&f));
    assert_int_equal(metrics(&f).checks, 1);
    assert_non_null(strstr(ran(&f).p, "check daemon looking for updates\n"));
    assert_true(scheduler_project_find(f.s, f.project, &p));
    assert_true(p.last_check > 0);
    assert_int_equal(setenv("BLAST_NOW", "2026-01-01T20:00:00Z", 1), 0);
    edit(&f, "p/pyproject.toml", "[project]\nname = 'too early'\n");
    RUN_UNTIL(&f, f.changed == 3 && is_quiet(&f));
    assert_int_equal(metrics(&f).checks, 1);
    assert_int_equal(unsetenv("BLAST_NOW"), 0);
    end(&f);
}

static void a_project_that_goes_away_is_waited_for(void **state)
{
    struct fixture f;
    struct scheduler_project p;

    begin(&f, state);
    open_project(&f);
    assert_int_equal(rename(f.project, at(&f, "away")), 0);
    RUN_UNTIL(&f, scheduler_project_find(f.s, f.project, &p) && p.gone && is_quiet(&f));
    (void)submit(&f, JOB_CHECK, PRIORITY_USER);
    for (unsigned i = 0; i < 5; i++)
        (void)uv_run(&f.loop, UV_RUN_ONCE);
    assert_int_equal(metrics(&f).jobs_started, 1);
    assert_int_equal(rename(at(&f, "away"), f.project), 0);
    RUN_UNTIL(&f, f.ended.n == 1);
    assert_true(scheduler_project_find(f.s, f.project, &p));
    assert_false(p.gone);
    end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_IN_DIR(a_job_is_a_child_that_tells_how_it_went),
        TEST_IN_DIR(bad_ends_are_told_as_they_are),
        TEST_IN_DIR(a_job_that_read_other_bytes_is_done_again),
        TEST_IN_DIR(a_child_that_prints_without_end_is_ended),
        TEST_IN_DIR(a_program_that_is_not_there_is_a_failure),
        TEST_IN_DIR(jobs_for_unknown_projects_are_refused),
        TEST_IN_DIR(a_command_of_the_user_comes_before_background_work),
        TEST_IN_DIR(jobs_can_be_cancelled),
        TEST_IN_DIR(whoever_stops_waiting_is_not_called),
        TEST_IN_DIR(what_was_handed_in_survives_the_daemon),
        TEST_IN_DIR(a_network_that_is_gone_is_tried_later),
        TEST_IN_DIR(few_jobs_run_at_a_time_one_for_each_project),
        TEST_IN_DIR(draining_lets_running_jobs_end_and_starts_none),
        TEST_IN_DIR(an_edit_is_followed_once_and_the_same_bytes_are_not),
        TEST_IN_DIR(requirements_files_are_followed_where_they_lead),
        TEST_IN_DIR(a_branch_switch_is_one_sync),
        TEST_IN_DIR(an_input_that_is_rewritten_all_the_time_is_followed_now_and_then),
        TEST_IN_DIR(settings_take_effect_when_they_are_saved),
        TEST_IN_DIR(what_changed_while_nobody_looked_is_followed),
        TEST_IN_DIR(changes_of_a_foreground_command_are_looked_at_in_the_end),
        TEST_IN_DIR(changes_by_hand_are_drift_and_put_away_once_an_interval),
        TEST_IN_DIR(a_missing_import_is_proposed_before_it_is_run),
        TEST_IN_DIR(twenty_projects_at_rest_arm_no_timer),
        TEST_IN_DIR(updates_are_looked_for_daily_and_never_offline),
        TEST_IN_DIR(a_project_that_goes_away_is_waited_for),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
