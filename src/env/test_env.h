/* An environment of Blast in a temporary directory, with generations of invented packages. For tests. */
#pragma once

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>
#include "base/err.h"
#include "base/fd.h"
#include "base/file.h"
#include "env/env.h"
#include "env/generation.h"

#define TEST_SHA "dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd"

struct test_env {
    char root[64];
    struct env env;
    struct arena a;
};

static inline int test_env_set_up(void **state)
{
    static struct test_env t;
    char path[96], states[96];
    struct err e = { 0 };

    t = (struct test_env){ 0 };
    (void)snprintf(t.root, sizeof t.root, "%s", "/tmp/blast-gen-XXXXXX");
    if (!mkdtemp(t.root))
        return -1;
    (void)snprintf(path, sizeof path, "%s/demo/.venv", t.root);
    (void)snprintf(states, sizeof states, "%s/state", t.root);
    struct env_new spec = { .path = path, .state = states,
                            .python = { .executable = STR("/usr/bin/python3"), .version = STR("3.11.2"), .major = 3,
                                        .minor = 11 } };

    arena_init(&t.a);
    *state = &t;
    return env_create(&spec, &t.env, &e) && env_lock(&t.env, NULL, &e) ? 0 : -1;
}

static inline int test_env_tear_down(void **state)
{
    struct test_env *t = *state;
    struct err e = { 0 };

    env_close(&t->env);
    arena_clear(&t->a);
    return file_remove_tree(AT_FDCWD, t->root, &e) ? 0 : -1;
}

/* A file below a directory, its parents made. */
static inline void test_env_write(int dir, const char *path, const char *text)
{
    struct err e = { 0 };
    AUTO_FD fd = -1;
    struct str all = str_of(path);
    char parent[300];

    (void)snprintf(parent, sizeof parent, "%.*s", (int)str_rfind(all, '/'), path);
    assert_true(file_make_dirs(dir, parent, 0755, &e));
    assert_true(fd_open(dir, path, O_WRONLY | O_CREAT | O_TRUNC, 0644, &fd, &e));
    assert_true(fd_write_all(fd, text, strlen(text), path, &e));
}

/* Lays a package into a prefix, as an installer does. */
static inline void test_env_install(struct env *env, int prefix, const char *name, const char *version,
                                    const char *record)
{
    char path[300], text[200];

    (void)snprintf(path, sizeof path, "%s/%s-%s.dist-info/METADATA", env->site.p, name, version);
    (void)snprintf(text, sizeof text, "Metadata-Version: 2.1\nName: %s\nVersion: %s\n\n", name, version);
    test_env_write(prefix, path, text);
    (void)snprintf(path, sizeof path, "%s/%s-%s.dist-info/RECORD", env->site.p, name, version);
    test_env_write(prefix, path, record);
    (void)snprintf(path, sizeof path, "%s/%s/__init__.py", env->site.p, name);
    test_env_write(prefix, path, "");
}

/* A generation that holds demo in a version; returns its number. */
static inline uint32_t test_env_publish(struct env *env, const char *version)
{
    struct generation_package p = { .name = STR("demo"), .version = str_of(version), .sha256 = STR(TEST_SHA) };
    struct generation g = { .reason = { .command = STR("install demo"), .actor = STR("cli") }, .packages = &p,
                            .n_packages = 1 };
    struct generation_stage stage;
    struct err e = { 0 };

    assert_true(generation_begin(env, &stage, &e));
    test_env_install(env, stage.dir, "demo", version, "demo/__init__.py,,0\n");
    assert_true(generation_commit(env, &stage, &g, false, &e));
    return g.seq;
}

static inline struct generation test_env_load(struct test_env *t, uint32_t seq)
{
    struct generation g = { 0 };
    struct err e = { 0 };
    bool there = false;

    assert_true(generation_load(&t->env, seq, &t->a, &g, &there, &e));
    assert_true(there);
    return g;
}
