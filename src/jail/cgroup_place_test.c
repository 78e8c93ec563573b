#include "jail/cgroup_place.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "base/arena.h"

#define V2_MOUNT \
    "29 23 0:26 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate,memory_recursiveprot\n"
#define V1_MOUNT(names) "33 25 0:29 / /sys/fs/cgroup/" names " rw shared:16 - cgroup cgroup rw," names "\n"
#define OTHER "22 27 0:20 / /proc rw,nosuid - proc proc rw\n"
#define V1_GROUPS \
    "5:pids:/user.slice\n4:cpu,cpuacct:/user.slice\n3:memory:/user.slice/s\n1:name=systemd:/init\n0::/init\n"

static const struct {
    const char *what, *groups, *mounts, *controller, *place; /* NULL: none */
} cases[] = {
    { "version 2", "0::/user.slice/a.scope\n", OTHER V2_MOUNT, "", "/sys/fs/cgroup/user.slice/a.scope" },
    { "the root group", "0::/\n", V2_MOUNT, "", "/sys/fs/cgroup" },
    { "a name with a colon", "0::/a:b:c\n", V2_MOUNT, "", "/sys/fs/cgroup/a:b:c" },
    { "no line end", "0::/a", V2_MOUNT, "", "/sys/fs/cgroup/a" },
    { "version 1", V1_GROUPS, V1_MOUNT("memory") V1_MOUNT("pids"), "pids", "/sys/fs/cgroup/pids/user.slice" },
    { "two controllers together", V1_GROUPS, V1_MOUNT("cpu,cpuacct"), "cpu", "/sys/fs/cgroup/cpu,cpuacct/user.slice" },
    { "a controller whose name begins another's", V1_GROUPS, V1_MOUNT("cpuacct"), "cpu", NULL },
    { "a controller without a mount", V1_GROUPS, V1_MOUNT("pids"), "memory", NULL },
    { "a controller without a group", V1_GROUPS, V1_MOUNT("blkio"), "blkio", NULL },
    { "version 2 beside version 1", V1_GROUPS,
      V1_MOUNT("pids") "30 23 0:27 / /sys/fs/cgroup/unified rw - cgroup2 c rw\n", "",
      "/sys/fs/cgroup/unified/init" },
    { "version 1 alone", "3:memory:/\n", V1_MOUNT("memory"), "", NULL },
    { "a container's part", "0::/docker/ab/x\n", "1 2 0:3 /docker/ab /sys/fs/cgroup ro - cgroup2 cgroup rw\n", "",
      "/sys/fs/cgroup/x" },
    { "a container's part, itself", "0::/docker/ab\n", "1 2 0:3 /docker/ab /sys/fs/cgroup ro - cgroup2 cgroup rw\n", "",
      "/sys/fs/cgroup" },
    { "a mount of somebody else's part", "0::/docker/abc\n", "1 2 0:3 /docker/ab /sys/fs/cgroup ro - cgroup2 c rw\n",
      "", NULL },
    { "the second mount shows it", "0::/b/c\n", "1 2 0:3 /a /x rw - cgroup2 c rw\n2 2 0:3 /b /y rw - cgroup2 c rw\n",
      "", "/y/c" },
    { "above the cgroup namespace", "0::/../../other\n", V2_MOUNT, "", NULL },
    { "above the cgroup namespace, its parent", "0::/..\n", V2_MOUNT, "", NULL },
    { "a mount from above the namespace", "0::/\n", "1 2 0:3 /../.. /sys/fs/cgroup rw - cgroup2 c rw\n", "", NULL },
    { "dots in a name", "0::/..a/b..\n", V2_MOUNT, "", "/sys/fs/cgroup/..a/b.." },
    { "a mount point with a space", "0::/a\n", "1 2 0:3 / /my\\040groups\\134 rw - cgroup2 c rw\n", "",
      "/my groups\\/a" },
    { "several optional fields", "0::/a\n", "1 2 0:3 / /g rw shared:1 master:2 propagate_from:3 - cgroup2 c rw\n", "",
      "/g/a" },
    { "no lists", "", "", "", NULL },
    { "cut off", "0:", "1 2 0:3 / /g rw - cgroup2", "", NULL },
    { "no path", "0::\n", V2_MOUNT, "", NULL },
};

static void finds_our_own_group_and_no_other(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        AUTO_ARENA a = { 0 };
        struct str out = STR("");

        arena_init(&a);
        bool found = cgroup_place(str_of(cases[i].groups), str_of(cases[i].mounts), str_of(cases[i].controller), &a,
                                  &out);

        if (found != (cases[i].place != NULL) || (found && !str_eq(out, str_of(cases[i].place))))
            fail_msg("%s: '" STR_FMT "'", cases[i].what, STR_ARG(found ? out : STR("none")));
        if (found)
            assert_int_equal(out.p[out.n], '\0');
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_our_own_group_and_no_other),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
