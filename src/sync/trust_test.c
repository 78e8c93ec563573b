#include "sync/trust.h"

#include "sync/test_project.h"

#define REST "[env]\n[container]\n%s\n[sandbox]\n%s\n[security]\n%s\n[sync]\n%s\n"

struct texts {
    const char *container, *sandbox, *security, *more;
};

static void put(struct test_project *p, const char *path, const struct texts *x)
{
    char text[2048];

    (void)snprintf(text, sizeof text, REST, x->container ? x->container : "", x->sandbox ? x->sandbox : "",
                   x->security ? x->security : "", x->more ? x->more : "");
    test_write(p->t, path, text);
}

/* The settings that are not in force, by name, with blanks between. */
static const char *asked(struct test_project *p)
{
    struct workspace *w = test_open(p);
    struct trust t;
    struct err e = { 0 };
    struct str all = STR("");

    if (!trust_state(w, &t, &e))
        fail_msg("%s", e.text);
    for (size_t i = 0; i < t.n; i++)
        if (!t.p[i].accepted)
            all = arena_printf(&p->a, STR_FMT "%s" STR_FMT, STR_ARG(all), all.n ? " " : "", STR_ARG(t.p[i].name));
    return all.p;
}

static void only_what_is_wider_than_the_layer_below_counts(void **state)
{
    static const struct {
        struct texts project;
        const char *user, *asked;
    } cases[] = {
        { { 0 }, "", "" },
        { { .container = "isolation_level = 'process'" }, "", "container.isolation_level" },
        { { .container = "isolation_level = 'container'" }, "", "" },
        { { .container = "isolation_level = 'process'" }, "[container]\nisolation_level = 'process'\n", "" },
        { { .container = "network_policy = 'host'" }, "", "container.network_policy" },
        { { .container = "network_policy = 'none'" }, "[container]\nnetwork_policy = 'isolated'\n", "" },
        { { .sandbox = "filesystem_isolation = false" }, "", "sandbox.filesystem_isolation" },
        { { .security = "audit_logging = false" }, "", "security.audit_logging" },
        { { .security = "default_policy = 'permissive'" }, "", "security.default_policy" },
        { { .security = "default_policy = 'strict'" }, "", "" },
        { { .security = "startup_code = 'allow'" }, "", "security.startup_code" },
        { { .security = "startup_code = 'deny'" }, "", "" },
        { { .security = "startup_code = 'ask'" }, "[security]\nstartup_code = 'deny'\n", "security.startup_code" },
        { { .more = "[sandbox.network]\nallow_inbound = true" }, "", "sandbox.network.allow_inbound" },
        { { .more = "[sandbox.network]\nallowed_domains = ['index', 'x.example']" }, "",
          "sandbox.network.allowed_domains" },
        { { .more = "[sandbox.network]\nallowed_domains = []" }, "", "" },
        { { .more = "[sandbox.network]\nallowed_outbound_ports = [443]" }, "", "" },
        { { .more = "[sandbox.network]\nallowed_outbound_ports = [443, 22]" }, "",
          "sandbox.network.allowed_outbound_ports" },
        { { .more = "[sandbox.network]\nallowed_udp_ports = [443]" }, "", "sandbox.network.allowed_udp_ports" },
        { { .more = "[sandbox.filesystem]\nallowed_paths = ['build', './x/y']" }, "", "" },
        { { .more = "[sandbox.filesystem]\nallowed_paths = ['../x']" }, "", "sandbox.filesystem.allowed_paths" },
        { { .more = "[sandbox.filesystem]\nallowed_paths = ['~/.ssh']" }, "", "sandbox.filesystem.allowed_paths" },
        { { .more = "[sandbox.filesystem]\ndenied_paths = []" }, "[sandbox.filesystem]\ndenied_paths = ['/k']\n",
          "sandbox.filesystem.denied_paths" },
        { { .more = "[sandbox.resources]\nprocess_limit = 5000" }, "", "sandbox.resources.process_limit" },
        { { .more = "[sandbox.resources]\nprocess_limit = 100" }, "", "" },
        { { .more = "[sandbox.resources]\nmemory_limit = 0" }, "[sandbox.resources]\nmemory_limit = '1G'\n",
          "sandbox.resources.memory_limit" },
        { { .more = "[resolver]\nextra_index_urls = ['https://u:p@x.example/simple/']" }, "",
          "resolver.extra_index_urls" },
        { { .more = "[resolver]\nfind_links = ['wheels']" }, "", "" },
        { { .more = "[updates]\nauto_update = true" }, "", "updates.auto_update" },
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        struct test_project p;

        test_init(&p, state);
        put(&p, "p/blast.toml", &cases[i].project);
        test_write(p.t, "home/config/config.toml", cases[i].user);
        const char *got = asked(&p);

        if (strcmp(got, cases[i].asked) != 0)
            fail_msg("case %zu: '%s', want '%s'", i, got, cases[i].asked);
        test_close(&p);
    }
}

static void what_is_not_accepted_has_the_value_below(void **state)
{
    struct test_project p;
    struct err e = { 0 };

    test_init(&p, state);
    put(&p, "p/blast.toml", &(struct texts){ .container = "isolation_level = 'process'",
                                             .more = "[sandbox.network]\nallowed_domains = ['x.example']" });
    struct workspace *w = test_open(&p);

    assert_int_equal(w->config.container_isolation_level, CONFIG_ISOLATION_NAMESPACE);
    assert_int_equal(w->config.sandbox_network_allowed_domains.n, 1);
    assert_true(str_eq(w->config.sandbox_network_allowed_domains.item[0], STR("index")));
    assert_int_equal(w->config.origin[CONFIG_KEY_container_isolation_level].layer, CONFIG_DEFAULT);
    if (!trust_accept(w, &e))
        fail_msg("%s", e.text);
    test_close(&p);
    test_init(&p, state);
    w = test_open(&p);
    assert_int_equal(w->config.container_isolation_level, CONFIG_ISOLATION_PROCESS);
    assert_true(str_eq(w->config.sandbox_network_allowed_domains.item[0], STR("x.example")));
    test_close(&p);
}

static void credentials_are_told_apart_but_not_recorded(void **state)
{
    static const struct texts one = { .more = "[resolver]\nindex_url = 'https://u:one@x.example/simple/'" };
    static const struct texts two = { .more = "[resolver]\nindex_url = 'https://u:two@x.example/simple/'" };
    struct test_project p;
    struct trust t;
    struct err e = { 0 };

    test_init(&p, state);
    p.r.index_url = STR("");
    put(&p, "p/blast.toml", &one);
    struct workspace *w = test_open(&p);

    assert_false(trust_check_sources(w, &e));
    assert_int_equal(err_exit_code(&e), 5);
    assert_null(strstr(e.text, "u:one"));
    err_clear(&e);
    assert_true(trust_accept(w, &e) && trust_state(w, &t, &e));
    assert_int_equal(t.level, TRUST_FULL);
    assert_null(strstr(t.p[0].before.p, "one"));
    test_close(&p);
    test_init(&p, state);
    put(&p, "p/blast.toml", &two);
    w = test_open(&p);
    assert_true(trust_state(w, &t, &e));
    assert_int_equal(t.level, TRUST_CHANGED);
    test_close(&p);
}

static void acting_in_a_project_is_remembered_until_it_is_revoked(void **state)
{
    struct test_project p;
    struct trust t;
    struct err e = { 0 };
    bool was;

    test_init(&p, state);
    struct workspace *w = test_open(&p);

    assert_true(trust_state(w, &t, &e));
    assert_int_equal(t.level, TRUST_NONE);
    assert_true(trust_note(w, &e) && trust_state(w, &t, &e));
    assert_int_equal(t.level, TRUST_SYNC);
    assert_true(trust_allow_startup(w, &(struct str)STR_INIT("digest"), 1, &e) && trust_state(w, &t, &e));
    assert_int_equal(t.n_startup, 1);
    assert_true(trust_revoke(w, &was, &e) && was && trust_state(w, &t, &e));
    assert_int_equal(t.level, TRUST_NONE);
    assert_true(trust_revoke(w, &was, &e));
    assert_false(was);
    test_close(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_IN_DIR(only_what_is_wider_than_the_layer_below_counts),
        TEST_IN_DIR(what_is_not_accepted_has_the_value_below),
        TEST_IN_DIR(credentials_are_told_apart_but_not_recorded),
        TEST_IN_DIR(acting_in_a_project_is_remembered_until_it_is_revoked),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
