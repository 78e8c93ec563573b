#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <unistd.h>
#include <cmocka.h>
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/file.h"
#include "config/config.h"
#include "config/key.h"

#define REQUIRED "[env]\n[container]\n[sandbox]\n[security]\n[sync]\n"

static const char *const no_env[] = { NULL };

static struct config read_project(struct arena *a, const char *text)
{
    struct config_input in = { .project = str_of(text), .project_name = "blast.toml", .env = no_env };
    struct config c;
    struct err e = { 0 };

    if (!config_read(&in, a, &c, &e))
        fail_msg("%s: %s", text, e.text);
    return c;
}

/* Everything that the project's description of blast.toml shows. */
static const char full[] =
    "[env]\npython_version = \"3.11\"\nname = \"project_name\"\nversion = \"1.0.0\"\n"
    "[container]\nisolation_level = \"process\"\nresource_limits = true\nnetwork_policy = \"isolated\"\n"
    "[sandbox]\nnetwork_isolation = true\nresource_control = true\nfilesystem_isolation = true\n"
    "[security]\ndefault_policy = \"strict\"\naudit_logging = true\n"
    "[sync]\nenv_layer = \"strict\"\npkg_layer = \"automatic\"\nconflict_resolution = \"interactive\"\n"
    "[env_layer]\nsnapshot_interval = 300\nmax_snapshots = 10\nrecovery_mode = \"latest\"\n"
    "[pkg_layer]\nauto_sync = true\nsync_interval = 60\nversion_policy = \"latest\"\n"
    "[resolver]\nmax_concurrent_requests = 10\nrequest_timeout = 30\nverify_ssl = true\nallow_prereleases = false\n"
    "[cache]\nttl = 86400\ncache_dir = \".blast/cache\"\n"
    "[updates]\nauto_update = true\nforce_updates = false\nupdate_dependencies = true\n"
    "[monitor]\nenabled = true\nwatch_paths = [\"src\"]\n"
    "[sandbox.network]\nallow_outbound = false\nallow_inbound = false\nallowed_outbound_ports = [443, 80]\n"
    "allowed_domains = [\"index.example\", \"files.example\"]\nbandwidth_limit = 10485760\n"
    "[sandbox.resources]\ncpu_limit = 100.0\nmemory_limit = 2147483648\ndisk_limit = 10737418240\n"
    "iops_limit = 1000\nprocess_limit = 50\n"
    "[sandbox.filesystem]\nreadonly_paths = [\"/usr\", \"/lib\", \"/bin\"]\n"
    "hidden_paths = [\"/proc\", \"/sys\", \"/dev\"]\n"
    "allowed_paths = [\"/tmp\", \"/var/tmp\"]\ndenied_paths = [\"/etc/shadow\", \"/etc/passwd\", \"/root\"]\n"
    "max_file_size = 104857600\n";

static void reads_every_documented_section_and_key(void **state)
{
    AUTO_ARENA a = { 0 };
    struct config c = read_project(&a, full);

    (void)state;
    assert_int_equal(c.warnings.n, 0);
    assert_true(c.found);
    assert_string_equal(c.env_python_version.p, "3.11");
    assert_int_equal(c.container_isolation_level, CONFIG_ISOLATION_PROCESS);
    assert_int_equal(c.container_network_policy, CONFIG_NETWORK_ISOLATED);
    assert_int_equal(c.security_default_policy, CONFIG_POLICY_STRICT);
    assert_int_equal(c.resolver_max_concurrent_requests, 10);
    assert_int_equal(c.cache_ttl, 86400);
    assert_false(c.sandbox_network_allow_outbound);
    assert_int_equal(c.sandbox_network_allowed_outbound_ports.n, 2);
    assert_int_equal(c.sandbox_network_allowed_outbound_ports.port[1], 80);
    assert_string_equal(c.sandbox_network_allowed_domains.item[1].p, "files.example");
    assert_true(c.sandbox_resources_cpu_limit > 99.9 && c.sandbox_resources_cpu_limit < 100.1);
    assert_int_equal(c.sandbox_resources_memory_limit, 2147483648);
    assert_int_equal(c.sandbox_filesystem_denied_paths.n, 3);
    assert_string_equal(c.origin[CONFIG_KEY_env_name].text.p, "blast.toml:3");
    assert_int_equal(c.origin[CONFIG_KEY_env_name].layer, CONFIG_PROJECT);
    assert_int_equal(c.origin[CONFIG_KEY_cache_max_size].layer, CONFIG_DEFAULT);
}

static void has_the_documented_defaults(void **state)
{
    AUTO_ARENA a = { 0 };
    struct config c = read_project(&a, REQUIRED);

    (void)state;
    assert_int_equal(c.container_isolation_level, CONFIG_ISOLATION_NAMESPACE);
    assert_int_equal(c.container_network_policy, CONFIG_NETWORK_ALLOWLIST);
    assert_int_equal(c.security_default_policy, CONFIG_POLICY_STANDARD);
    assert_int_equal(c.resolver_max_concurrent_requests, 50);
    assert_string_equal(c.sandbox_network_allowed_domains.item[0].p, "index");
    assert_int_equal(c.cache_max_size, 20LL << 30);
    assert_int_equal(c.env_layer_max_snapshots, 10);
}

static void puts_layers_over_each_other_and_remembers_which(void **state)
{
    static const char *const env[] = { "BLAST_SYNC_PKG_LAYER=locked", "BLAST_MONITOR_WATCH_PATHS=a, b",
                                       "BLAST_RESOLVER_VERIFY_SSL=", "BLAST_OTHER=1", NULL };
    AUTO_ARENA a = { 0 };
    struct config_input in = {
        .user = STR("[cache]\nttl = \"1h\"\nmax_size = \"5G\"\n[resolver]\nindex_url = \"u\"\ncooldown = \"3d\"\n"),
        .user_name = "config.toml",
        .pyproject = STR("[tool.blast]\nindex_url = \"p\"\nprerelease = \"allow\"\nconstraints = []\nnope = 1\n"),
        .pyproject_name = "pyproject.toml",
        .project = STR(REQUIRED "pkg_layer = 'manual'\n[cache]\nttl = 5\n[resolver]\nexclude_newer = 2026-01-31\n"),
        .project_name = "blast.toml",
        .env = env,
    };
    struct config c;
    struct err e = { 0 };

    (void)state;
    assert_true(config_read(&in, &a, &c, &e));
    assert_int_equal(c.cache_ttl, 5);
    assert_int_equal(c.cache_max_size, 5LL << 30);
    assert_string_equal(c.origin[CONFIG_KEY_cache_max_size].text.p, "config.toml:3");
    assert_string_equal(c.resolver_index_url.p, "p");
    assert_int_equal(c.origin[CONFIG_KEY_resolver_index_url].layer, CONFIG_PYPROJECT);
    assert_int_equal(c.resolver_cooldown, 3 * 86400);
    assert_int_equal(c.resolver_prerelease, CONFIG_PRERELEASE_ALLOW);
    assert_string_equal(c.resolver_exclude_newer.p, "2026-01-31");
    assert_int_equal(c.sync_pkg_layer, CONFIG_PKG_LOCKED);
    assert_string_equal(c.origin[CONFIG_KEY_sync_pkg_layer].text.p, "BLAST_SYNC_PKG_LAYER");
    assert_int_equal(c.monitor_watch_paths.n, 2);
    assert_string_equal(c.monitor_watch_paths.item[1].p, "b");
    assert_int_equal(c.warnings.n, 1);
    assert_string_equal(c.warnings.item[0].p, "pyproject.toml:5: unknown key 'nope' in [tool.blast]");
}

static void allow_prereleases_means_prerelease_allow(void **state)
{
    AUTO_ARENA a = { 0 };
    struct config c = read_project(&a, REQUIRED "[resolver]\nallow_prereleases = true\n");

    (void)state;
    assert_int_equal(c.resolver_prerelease, CONFIG_PRERELEASE_ALLOW);
    assert_string_equal(c.origin[CONFIG_KEY_resolver_prerelease].text.p, "blast.toml:7");
    c = read_project(&a, REQUIRED "[resolver]\nallow_prereleases = true\nprerelease = \"disallow\"\n");
    assert_int_equal(c.resolver_prerelease, CONFIG_PRERELEASE_DISALLOW);
}

static void warns_of_unknown_names_with_the_nearest_known(void **state)
{
    static const struct {
        const char *text, *warning;
    } cases[] = {
        { REQUIRED "[chache]\n", "blast.toml:6: unknown section [chache]; did you mean [cache]?" },
        { REQUIRED "env_layr = 'x'\n", "blast.toml:6: unknown key 'env_layr' in [sync]; did you mean 'env_layer'?" },
        { REQUIRED "ttl = 1\n", "blast.toml:6: unknown key 'ttl' in [sync]; it belongs in [cache]" },
        { REQUIRED "zzzzzzz = 1\n", "blast.toml:6: unknown key 'zzzzzzz' in [sync]" },
        { REQUIRED "[sandbox.netwrok]\n",
          "blast.toml:6: unknown section [sandbox.netwrok]; did you mean [sandbox.network]?" },
        { "x = 1\n" REQUIRED, "blast.toml:1: unknown key 'x' outside of a section" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        AUTO_ARENA a = { 0 };
        struct config c = read_project(&a, cases[i].text);

        assert_int_equal(c.warnings.n, 1);
        assert_string_equal(c.warnings.item[0].p, cases[i].warning);
    }
}

static void refuses_wrong_types_and_values(void **state)
{
    static const struct {
        const char *line, *why, *hint;
    } cases[] = {
        { "[env]\npython_version = 3.11\n",
          "blast.toml:2:18: 'python_version' in [env] is 3.11, it wants a string of at most 64 bytes",
          "write it with quotes: python_version = \"3.11\"" },
        { "[container]\nisolation_level = \"proces\"\n",
          "blast.toml:2:19: 'isolation_level' in [container] is \"proces\", it wants \"process\", \"namespace\" or "
          "\"container\"",
          "did you mean isolation_level = \"process\"?" },
        { "[container]\nresource_limits = \"true\"\n", "it wants true or false", "" },
        { "[resolver]\nmax_concurrent_requests = 0\n", "is 0, it wants a whole number from 1 to 500", "" },
        { "[resolver]\nmax_concurrent_requests = 501\n", "from 1 to 500", "" },
        { "[resolver]\nrequest_timeout = \"30x\"\n", "1 to 86400 seconds or a string such as \"5m\"", "" },
        { "[resolver]\nrequest_timeout = \"2d\"\n", "1 to 86400 seconds", "" },
        { "[resolver]\nexclude_newer = \"yesterday\"\n", "a date or date-time such as 2026-01-31", "" },
        { "[cache]\nmax_size = \"12X\"\n", "a number of bytes or a string such as \"512M\"", "" },
        { "[cache]\nmax_size = \"99999999999T\"\n", "a number of bytes", "" },
        { "[cache]\nmax_size = -1\n", "is -1", "" },
        { "[monitor]\nwatch_paths = \"src\"\n", "an array of at most 1024 strings", "" },
        { "[monitor]\nwatch_paths = [1]\n", "is [1]", "" },
        { "[sandbox.network]\nallowed_outbound_ports = [0]\n", "numbers from 1 to 65535", "" },
        { "[sandbox.resources]\ncpu_limit = nan\n", "a number from 0 to 100000", "" },
        { "[sandbox]\nnetwork = 1\n", "[sandbox.network] is an integer, a table is wanted", "" },
        { "cache = 1\n", "[cache] is an integer, a table is wanted", "" },
        { "[env\n", "blast.toml:1:5: ']' is missing", "" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        AUTO_ARENA a = { 0 };
        struct config_input in = { .project = str_of(cases[i].line), .project_name = "blast.toml", .env = no_env };
        struct config c;
        struct err e = { 0 };

        assert_false(config_read(&in, &a, &c, &e));
        assert_int_equal(e.kind, ERR_CONFIG);
        if (!strstr(e.text, cases[i].why))
            fail_msg("got '%s', want '%s'", e.text, cases[i].why);
        assert_string_equal(e.hint, cases[i].hint);
    }
}

static void shows_the_lines_that_a_missing_section_needs(void **state)
{
    AUTO_ARENA a = { 0 };
    struct config_input in = { .project = STR("[env]\n[container]\n[sandbox.network]\n"), .project_name = "blast.toml",
                               .env = no_env };
    struct config c;
    struct err e = { 0 };

    (void)state;
    assert_false(config_read(&in, &a, &c, &e));
    assert_string_equal(e.text, "blast.toml: the required sections [security], [sync] are missing");
    assert_string_equal(e.hint, "add to it:\n[security]\ndefault_policy = \"standard\"\naudit_logging = true\n"
                                "startup_code = \"ask\"\n[sync]\nenv_layer = \"strict\"\n"
                                "pkg_layer = \"automatic\"\nconflict_resolution = \"interactive\"");
    in.project = STR("[env]\npython_versoin = \"3.11\"\n");
    err_clear(&e);
    assert_false(config_read(&in, &a, &c, &e));
    assert_ptr_equal(strstr(e.hint, "blast.toml:2: unknown key 'python_versoin' in [env]; did you mean "
                                    "'python_version'?\nadd to it:"), e.hint);
    in.project = STR("");
    err_clear(&e);
    assert_false(config_read(&in, &a, &c, &e));
    assert_true(strlen(e.hint) < sizeof e.hint - 1);
    assert_non_null(strstr(e.hint, "conflict_resolution = \"interactive\""));
}

static void names_the_variable_with_a_wrong_value(void **state)
{
    static const char *const env[] = { "BLAST_SANDBOX_NETWORK_ALLOW_INBOUND=maybe", NULL };
    AUTO_ARENA a = { 0 };
    struct config_input in = { .env = env };
    struct config c;
    struct err e = { 0 };

    (void)state;
    assert_false(config_read(&in, &a, &c, &e));
    assert_string_equal(e.text, "BLAST_SANDBOX_NETWORK_ALLOW_INBOUND is 'maybe', it wants true or false");
}

static void lists_every_key_so_that_it_reads_back(void **state)
{
    AUTO_ARENA a = { 0 };
    AUTO_BUF text = { 0 };
    struct config c = read_project(&a, full), again;
    struct config_item item, other;
    unsigned i = 0, k = 0;
    enum config_key key;
    struct err e = { 0 };

    (void)state;
    buf_init(&text, 1 << 16);
    while (config_each(&c, &i, &a, &item)) {
        struct str dotted = arena_printf(&a, "%s.%s", item.section, item.name);

        assert_true(buf_printf(&text, "%s.%s = %s\n", item.section, item.name, item.value.p));
        assert_true(config_find_key(dotted, &key, &e));
        assert_int_equal(key, item.key);
        assert_true(item.sentence[0] != '\0');
    }
    assert_int_equal(i, CONFIG_KEYS);
    again = read_project(&a, buf_done(&text).p);
    for (i = 0; config_each(&c, &i, &a, &item) && config_each(&again, &k, &a, &other);)
        assert_string_equal(item.value.p, other.value.p);
}

static void suggests_the_nearest_key(void **state)
{
    enum config_key key;
    struct err e = { 0 };

    (void)state;
    assert_false(config_find_key(STR("cache.tll"), &key, &e));
    assert_string_equal(e.text, "there is no key 'cache.tll'");
    assert_string_equal(e.hint, "did you mean 'cache.ttl'?");
    assert_false(config_find_key(STR("allowed_domains"), &key, &e));
    assert_string_equal(e.hint, "did you mean 'sandbox.network.allowed_domains'?");
    assert_false(config_find_key(STR("x"), &key, &e));
    assert_string_equal(e.hint, "");
}

static void words_and_enumerators_agree(void **state)
{
    static const struct {
        enum config_key key;
        int value;
        const char *word;
    } cases[] = {
        { CONFIG_KEY_container_isolation_level, CONFIG_ISOLATION_CONTAINER, "container" },
        { CONFIG_KEY_container_network_policy, CONFIG_NETWORK_HOST, "host" },
        { CONFIG_KEY_container_network_policy, CONFIG_NETWORK_NONE, "none" },
        { CONFIG_KEY_sandbox_filesystem_tracking, CONFIG_TRACKING_FANOTIFY, "fanotify" },
        { CONFIG_KEY_security_default_policy, CONFIG_POLICY_PERMISSIVE, "permissive" },
        { CONFIG_KEY_sync_env_layer, CONFIG_ENV_MANUAL, "manual" },
        { CONFIG_KEY_sync_pkg_layer, CONFIG_PKG_LOCKED, "locked" },
        { CONFIG_KEY_sync_conflict_resolution, CONFIG_CONFLICT_KEEP, "keep" },
        { CONFIG_KEY_sync_conflict_resolution, CONFIG_CONFLICT_NEWEST, "newest" },
        { CONFIG_KEY_env_layer_recovery_mode, CONFIG_RECOVERY_MANUAL, "manual" },
        { CONFIG_KEY_pkg_layer_version_policy, CONFIG_VERSIONS_LOCKED, "locked" },
        { CONFIG_KEY_resolver_prerelease, CONFIG_PRERELEASE_DISALLOW, "disallow" },
        { CONFIG_KEY_resolver_resolution, CONFIG_RESOLUTION_LOWEST_DIRECT, "lowest-direct" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        const struct config_key_info *k = &config_keys[cases[i].key];
        AUTO_ARENA a = { 0 };
        struct config c = { 0 };

        assert_true(key_from_text(k, str_of(cases[i].word), &a, &c));
        assert_int_equal(*(const int *)((const char *)&c + k->offset), cases[i].value);
    }
}

static void reads_sizes_and_durations_with_units(void **state)
{
    static const struct {
        const char *text;
        long long size, duration; /* -1: refused */
    } cases[] = {
        { "0", 0, 0 },           { "512", 512, 512 },      { "2K", 2048, -1 },     { "3MiB", 3LL << 20, -1 },
        { "1 gb", 1LL << 30, -1 }, { "1T", 1LL << 40, -1 }, { "90s", -1, 90 },      { "5m", 5LL << 20, 300 },
        { "2h", -1, 7200 },      { "3d", -1, 259200 },     { "1w", -1, 604800 },   { "", -1, -1 },
        { "-1", -1, -1 },        { "1.5G", -1, -1 },       { "m", -1, -1 },        { "9999999999999999999", -1, -1 },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        const struct config_key_info *size = &config_keys[CONFIG_KEY_cache_max_size];
        const struct config_key_info *duration = &config_keys[CONFIG_KEY_cache_ttl];
        AUTO_ARENA a = { 0 };
        struct config c = { 0 };

        if (key_from_text(size, str_of(cases[i].text), &a, &c) != (cases[i].size >= 0) ||
            (cases[i].size >= 0 && c.cache_max_size != cases[i].size))
            fail_msg("size '%s' is %lld", cases[i].text, (long long)c.cache_max_size);
        if (key_from_text(duration, str_of(cases[i].text), &a, &c) != (cases[i].duration >= 0) ||
            (cases[i].duration >= 0 && c.cache_ttl != cases[i].duration))
            fail_msg("duration '%s' is %lld", cases[i].text, (long long)c.cache_ttl);
    }
}

static void writes_a_file_that_reads_without_complaint(void **state)
{
    char dir[] = "/tmp/blast-config-XXXXXX";
    struct config_start start = { STR("my \"app\""), STR(""), STR("3.12") };
    AUTO_ARENA a = { 0 };
    AUTO_FD fd = -1;
    struct config c;
    struct str text;
    struct err e = { 0 };

    (void)state;
    assert_non_null(mkdtemp(dir));
    assert_true(fd_open_dir(AT_FDCWD, dir, &fd, &e));
    assert_true(config_write_default(fd, &start, &e));
    assert_false(config_write_default(fd, &start, &e));
    assert_string_equal(e.text, "blast.toml is already there");
    assert_true(fd_read_file(fd, "blast.toml", 1 << 16, &a, &text, &e));
    if (!config_load(fd, NULL, &a, &c, &e))
        fail_msg("%s\n%s", e.text, text.p);
    assert_int_equal(c.warnings.n, 0);
    assert_string_equal(c.env_name.p, "my \"app\"");
    assert_string_equal(c.env_python_version.p, "3.12");
    assert_int_equal(c.container_isolation_level, CONFIG_ISOLATION_NAMESPACE);
    assert_string_equal(c.sandbox_network_allowed_domains.item[0].p, "index");
    assert_non_null(strstr(text.p, "# [sandbox.resources]\n"));
    assert_non_null(strstr(text.p, "# mechanism that isolates: \"process\", \"namespace\" or \"container\"\n"));
    for (struct str line; str_next_line(&text, &line);)
        assert_true(line.n <= 120);
    assert_true(file_remove_tree(AT_FDCWD, dir, &e));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_every_documented_section_and_key),
        cmocka_unit_test(has_the_documented_defaults),
        cmocka_unit_test(puts_layers_over_each_other_and_remembers_which),
        cmocka_unit_test(allow_prereleases_means_prerelease_allow),
        cmocka_unit_test(warns_of_unknown_names_with_the_nearest_known),
        cmocka_unit_test(refuses_wrong_types_and_values),
        cmocka_unit_test(shows_the_lines_that_a_missing_section_needs),
        cmocka_unit_test(names_the_variable_with_a_wrong_value),
        cmocka_unit_test(lists_every_key_so_that_it_reads_back),
        cmocka_unit_test(suggests_the_nearest_key),
        cmocka_unit_test(words_and_enumerators_agree),
        cmocka_unit_test(reads_sizes_and_durations_with_units),
        cmocka_unit_test(writes_a_file_that_reads_without_complaint),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
