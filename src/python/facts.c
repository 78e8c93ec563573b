#include "python/facts.h"

#include <sys/utsname.h>
#include <unistd.h>
#include "base/arena.h"
#include "base/err.h"
#include "codec/json.h"
#include "python/facts_read.h"

#define MINOR_MAX 99u /* a libc or Python minor version above this is nonsense */

bool facts_is_venv(const struct py_facts *f)
{
    return !str_eq(f->prefix, f->base_prefix);
}

struct str facts_describe(const struct py_facts *f, struct arena *a)
{
    return arena_printf(a, STR_FMT " " STR_FMT "%s (" STR_FMT ")", STR_ARG(f->implementation), STR_ARG(f->version_text),
                        f->free_threaded ? "t" : "", STR_ARG(f->executable));
}

struct tag_set *facts_tags(const struct py_facts *f, struct arena *a)
{
    return tag_set_new(
        &(struct tag_input){
            .implementation = f->implementation,
            .major = f->major,
            .minor = f->minor,
            .free_threaded = f->free_threaded,
            .debug = f->debug,
            .no_pymalloc = str_find(f->abiflags, 'm') == f->abiflags.n,
            .soabi = f->soabi,
            .machine = f->machine,
            .is_32bit = f->is_32bit,
            .arm_hard_float = f->arm_hard_float,
            .libc = f->libc,
            .libc_major = f->libc_major,
            .libc_minor = f->libc_minor,
            .manylinux_denied = f->manylinux_denied,
        },
        a);
}

struct str facts_fingerprint(const struct py_facts *f, struct arena *a)
{
    static const char *const libc[] = { "none", "glibc", "musl" };

    return arena_printf(a, STR_FMT "-" STR_FMT "-" STR_FMT "%s%s-" STR_FMT "%s-%s%u.%u%s" STR_FMT,
                        STR_ARG(f->implementation), STR_ARG(f->version_text), STR_ARG(f->soabi),
                        f->free_threaded ? "-t" : "", f->debug ? "-d" : "", STR_ARG(f->machine),
                        f->is_32bit ? "-32" : "", libc[f->libc], f->libc_major, f->libc_minor,
                        f->manylinux_denied.n ? "-not " : "", STR_ARG(f->manylinux_denied));
}

static struct str keep(struct arena *a, struct str s)
{
    return arena_str(a, s);
}

/* The texts of the answer, by the names that the probe's script gives them. */
static struct str *text_field(struct py_facts *f, struct str key)
{
    const struct {
        const char *key;
        struct str *to;
    } fields[] = {
        { "full", &f->version_text },
        { "implementation", &f->implementation },
        { "implementation_version", &f->marker.implementation_version },
        { "cache_tag", &f->cache_tag },
        { "soabi", &f->soabi },
        { "abiflags", &f->abiflags },
        { "base_prefix", &f->base_prefix },
        { "stdlib", &f->stdlib },
        { "platlibdir", &f->layout.platlib },
        { "platform", &f->marker.sys_platform },
        { "executable", &f->real_executable },
        { "denied", &f->manylinux_denied },
    };

    for (size_t i = 0; i < COUNT(fields); i++)
        if (str_eq(key, str_of(fields[i].key)))
            return fields[i].to;
    return NULL;
}

static void read_answer(struct json *j, struct arena *a, struct py_facts *f)
{
    struct str key, text;
    uint64_t n;

    if (!json_object_begin(j))
        return;
    while (json_object_next(j, &key)) {
        struct str *to = text_field(f, key);

        if (to) {
            if (json_string(j, &text))
                *to = keep(a, text);
        } else if (str_eq(key, STR("major"))) {
            f->major = json_u64(j, &n) && n <= MINOR_MAX ? (unsigned)n : 0;
        } else if (str_eq(key, STR("minor"))) {
            f->minor = json_u64(j, &n) && n <= MINOR_MAX ? (unsigned)n : 0;
        } else if (str_eq(key, STR("micro"))) {
            f->micro = json_u64(j, &n) && n <= UINT16_MAX ? (unsigned)n : 0;
        } else if (str_eq(key, STR("debug"))) {
            json_bool(j, &f->debug);
        } else {
            json_skip(j);
        }
    }
}

/* Virtual environments put everything below names of the version (sysconfig's scheme "venv", without what
 * distributions change in their own). */
static void make_layout(struct py_facts *f, struct arena *a)
{
    bool pypy = str_eq(f->implementation, STR("pypy"));
    const char *word = pypy ? "pypy" : "python";
    const char *t = f->free_threaded ? "t" : "";
    struct str lib = f->layout.platlib.n > 0 && !pypy ? f->layout.platlib : STR("lib");

    if (pypy && f->minor < 8) {
        f->layout.purelib = f->layout.platlib = STR("site-packages");
        f->layout.include = STR("include");
    } else {
        f->layout.purelib = arena_printf(a, "lib/%s%u.%u%s/site-packages", word, f->major, f->minor, t);
        f->layout.platlib = arena_printf(a, STR_FMT "/%s%u.%u%s/site-packages", STR_ARG(lib), word, f->major, f->minor,
                                         t);
        f->layout.include = arena_printf(a, "include/site/%s%u.%u%s", word, f->major, f->minor, t);
    }
    f->layout.scripts = STR("bin");
    f->layout.data = STR("");
}

/* The kernel's part is asked each time: it changes without the interpreter. */
static void ask_kernel(struct py_facts *f, struct arena *a)
{
    struct utsname u;

    if (uname(&u) < 0) /* cannot fail with a valid pointer */
        return;
    f->machine = keep(a, str_of(u.machine));
    if (f->is_32bit && str_eq(f->machine, STR("x86_64")))
        f->machine = STR("i686");
    else if (f->is_32bit && str_eq(f->machine, STR("aarch64")))
        f->machine = STR("armv8l");
    f->marker.platform_machine = f->machine;
    f->marker.platform_release = keep(a, str_of(u.release));
    f->marker.platform_system = keep(a, str_of(u.sysname));
    f->marker.platform_version = keep(a, str_of(u.version));
}

static void make_marker(struct py_facts *f, struct arena *a)
{
    struct str name = STR("CPython");

    if (str_eq(f->implementation, STR("pypy")))
        name = STR("PyPy");
    else if (str_eq(f->implementation, STR("graalpy")))
        name = STR("GraalVM");
    f->marker.os_name = STR("posix");
    f->marker.platform_python_implementation = name;
    f->marker.python_version = arena_printf(a, "%u.%u", f->major, f->minor);
    f->marker.python_full_version = f->version_text;
    f->marker.implementation_name = f->implementation;
    ask_kernel(f, a);
}

bool facts_read(struct str json, struct arena *a, struct py_facts *out, struct err *e)
{
    struct py_facts f = { 0 };
    struct json j;

    json_init(&j, json, a, e);
    read_answer(&j, a, &f);
    if (!json_end(&j))
        return false;
    if (f.major == 0 || f.implementation.n == 0 || f.base_prefix.n == 0 || f.real_executable.n == 0)
        return err_set(e, ERR_PYTHON, "its answer is not complete");

    struct str text = f.version_text;

    /* "3.14.0a2+": built between two releases. */
    if (str_cut_suffix(&text, STR("+")))
        f.version_text = arena_printf(a, STR_FMT "+local", STR_ARG(text));
    if (!version_parse(f.version_text, a, &f.version))
        return err_set(e, ERR_PYTHON, "its version '" STR_FMT "' is none", STR_ARG(f.version_text));
    f.free_threaded = str_find(f.abiflags, 't') < f.abiflags.n;
    make_layout(&f, a);
    *out = f;
    return true;
}

void facts_complete(struct py_facts *f, struct arena *a)
{
    struct str file = arena_printf(a, STR_FMT "/EXTERNALLY-MANAGED", STR_ARG(f->stdlib));

    f->home = arena_str(a, str_sub(f->base_executable, 0, str_rfind(f->base_executable, '/')));
    f->externally_managed = f->stdlib.n > 0 && access(file.p, F_OK) == 0 ? file : STR("");
    make_marker(f, a);
}
