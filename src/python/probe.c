/* The cache file: its key (a line that names the executable and what would change with it), a line of what was found
 * out without the interpreter, and the interpreter's answer as it came.
 *
 *     66306:133851 6831736 1778312155.84 1778312155.84 0 /usr/bin/python3.11
 *     glibc 2 36 64 -
 *     {"major":3,...}
 */
#include "python/probe.h"

#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/proc.h"
#include "python/elf.h"
#include "python/facts.h"
#include "python/facts_read.h"

#define STDERR_SHOWN 300 /* bytes of the end of an interpreter's complaints */
#define LIBC_MINOR_MAX 200u
#define OLDEST_MINOR 6u

/* For Python 3.4 and later, PyPy too; nothing is imported that the start-up has not already, but _json and _imp, which
 * are built in. sysconfig and platform cost more than all of the rest. */
static const char script[] =
    "import sys,os\n"
    "try:\n"
    " from _json import encode_basestring_ascii as q\n"
    "except ImportError:\n"
    " from json.encoder import encode_basestring_ascii as q\n"
    "import _imp\n"
    "v=sys.version_info\n"
    "i=sys.implementation\n"
    "w=i.version\n"
    "x='%d.%d.%d'%w[:3]\n"
    "if w[3]!='final':x+=w[3][0]+str(w[4])\n"
    "s=_imp.extension_suffixes()[0].split('.')\n"
    "try:\n"
    " c=os.confstr('CS_GNU_LIBC_VERSION') or ''\n"
    "except (AttributeError,ValueError,OSError):\n"
    " c=''\n"
    "d=[]\n"
    "try:\n"
    " import _manylinux as m\n"
    " f=getattr(m,'manylinux_compatible',None)\n"
    " k={5:'manylinux1_compatible',12:'manylinux2010_compatible',17:'manylinux2014_compatible'}\n"
    " for n in range(5,100):\n"
    "  r=f(2,n,os.uname().machine) if f else getattr(m,k.get(n,''),None)\n"
    "  if r is not None and not r:d.append('2_%d'%n)\n"
    "except ImportError:\n"
    " pass\n"
    "t={'full':sys.version.split()[0],'implementation':i.name,'implementation_version':x,\n"
    " 'cache_tag':i.cache_tag or '','soabi':s[1] if len(s)>2 else '','abiflags':getattr(sys,'abiflags',''),\n"
    " 'base_prefix':sys.base_prefix,'stdlib':getattr(sys,'_stdlib_dir',None) or os.path.dirname(os.__file__),\n"
    " 'platlibdir':getattr(sys,'platlibdir','lib'),'platform':sys.platform,'executable':sys.executable or '',\n"
    " 'libc':c,'denied':' '.join(d)}\n"
    "sys.stdout.write('{\"major\":%d,\"minor\":%d,\"micro\":%d,\"debug\":%s'%(v[0],v[1],v[2],\n"
    " 'true' if 'd' in getattr(sys,'abiflags','') else 'false')\n"
    " +''.join(',\"%s\":%s'%(n,q(t[n])) for n in t)+'}')\n";

/* One interpreter while it is asked. */
struct asked {
    const char *executable;
    struct arena *a;
    struct str real;      /* links resolved */
    struct str venv;      /* the environment it belongs to; n == 0: none */
    struct str venv_home; /* `home` of its pyvenv.cfg */
    struct str key;
    bool is_elf;
    struct elf elf;
    struct str answer, more; /* the JSON, and the line before it in the cache */
};

static struct str dir_of(struct str path)
{
    size_t slash = str_rfind(path, '/');

    return str_sub(path, 0, slash == path.n ? 0 : slash);
}

/* pyvenv.cfg beside the executable or one directory up (PEP 405). The executable's own path counts, not what it links
 * to. */
static void find_venv(struct asked *q, struct stat *cfg)
{
    struct str dir = dir_of(str_of(q->executable));
    struct err ignored = { 0 }; /* unreadable: treated as none, the interpreter does the same */
    struct str text, line, path;

    memset(cfg, 0, sizeof *cfg);
    for (int i = 0; i < 2 && dir.n > 0; i++, dir = dir_of(dir)) {
        path = arena_printf(q->a, STR_FMT "/pyvenv.cfg", STR_ARG(dir));
        if (stat(path.p, cfg) < 0 || !fd_read_file(AT_FDCWD, path.p, 1 << 16, q->a, &text, &ignored))
            continue;
        q->venv = arena_str(q->a, dir);
        while (str_next_line(&text, &line)) {
            size_t eq = str_find(line, '=');

            if (eq < line.n && str_eq_nocase(str_trim(str_sub(line, 0, eq)), STR("home")))
                q->venv_home = arena_str(q->a, str_trim(str_sub(line, eq + 1, line.n)));
        }
        return;
    }
    memset(cfg, 0, sizeof *cfg);
}

static bool look(const char *executable, struct arena *a, struct asked *q, struct err *e)
{
    char real[PATH_MAX];
    struct stat st, cfg;

    *q = (struct asked){ .executable = executable, .a = a };
    if (!realpath(executable, real))
        return err_sys(e, "resolve %s", executable);
    if (stat(real, &st) < 0)
        return err_sys(e, "look at %s", real);
    if (!S_ISREG(st.st_mode) || access(real, X_OK) < 0)
        return err_set(e, ERR_PYTHON, "'%s' is not an executable file", executable);
    q->real = arena_str(a, str_of(real));
    find_venv(q, &cfg);
    q->key = arena_printf(a, "%llu:%llu %lld %lld.%ld %lld.%ld %lld.%ld %s\n", (unsigned long long)st.st_dev,
                          (unsigned long long)st.st_ino, (long long)st.st_size, (long long)st.st_mtim.tv_sec,
                          st.st_mtim.tv_nsec, (long long)st.st_ctim.tv_sec, st.st_ctim.tv_nsec,
                          (long long)cfg.st_mtim.tv_sec, cfg.st_mtim.tv_nsec, executable);
    return true;
}

static struct str cache_dir(const struct asked *q, const char *cache)
{
    return arena_printf(q->a, "%s/python-v1", cache);
}

static struct str cache_name(const struct asked *q)
{
    return arena_printf(q->a, "%016llx", (unsigned long long)hash_fast(q->executable, strlen(q->executable)));
}

static bool load(struct asked *q, const char *cache)
{
    struct err ignored = { 0 }; /* what cannot be read is asked again */
    struct str text, file;

    if (!cache || !*cache)
        return false;
    file = arena_printf(q->a, STR_FMT "/" STR_FMT, STR_ARG(cache_dir(q, cache)), STR_ARG(cache_name(q)));
    if (!fd_read_if_there(AT_FDCWD, file.p, PROBE_OUTPUT_MAX, q->a, &text, &ignored) || !text.p ||
        !str_cut_prefix(&text, q->key) || !str_next_line(&text, &q->more))
        return false;
    q->answer = text;
    return true;
}

static void save(const struct asked *q, const char *cache)
{
    struct err ignored = { 0 }; /* without a cache the next run asks again */
    AUTO_FD dir = -1;

    if (!cache || !*cache || !q->is_elf) /* a script decides at each start what it runs */
        return;

    struct str path = cache_dir(q, cache);
    struct str text = arena_printf(q->a, STR_FMT STR_FMT "\n" STR_FMT, STR_ARG(q->key), STR_ARG(q->more),
                                   STR_ARG(q->answer));

    if (!file_make_dirs(AT_FDCWD, path.p, 0777, &ignored) || !fd_open_dir(AT_FDCWD, path.p, &dir, &ignored) ||
        !file_replace(dir, cache_name(q).p, text, 0666, FILE_NO_SYNC, &ignored))
        err_clear(&ignored);
}

/* The end of what was written to stderr, from a line's beginning, control characters made visible as '?'. */
static const char *complaint(struct buf *err, struct arena *a)
{
    struct str text = str_trim(buf_done(err));
    size_t from = text.n > STDERR_SHOWN ? text.n - STDERR_SHOWN : 0;
    char *p;

    while (from > 0 && from < text.n && text.p[from - 1] != '\n')
        from++;
    if (from == text.n)
        from = text.n > STDERR_SHOWN ? text.n - STDERR_SHOWN : 0;
    p = arena_text(a, text.p + from, text.n - from);
    for (char *c = p; *c; c++)
        if ((unsigned char)*c < ' ')
            *c = *c == '\n' ? '|' : '?';
    return p;
}

static bool ask(struct asked *q, struct err *e)
{
    const char *argv[] = { q->executable, "-I", "-S", "-B", "-c", script, NULL };
    AUTO_BUF out, err;
    int status;

    buf_init(&out, PROBE_OUTPUT_MAX);
    buf_init(&err, PROBE_OUTPUT_MAX);
    if (!proc_run(&(struct proc_spec){ .argv = argv, .timeout_ms = PROBE_TIMEOUT_MS, .out = &out, .err = &err },
                  &status, e))
        return err_as(e, ERR_PYTHON, "ask interpreter '%s' about itself", q->executable);

    struct str said = buf_done(&err);

    if (status != 0 && str_starts(said, STR("Unknown option: -I")))
        return err_set(e, ERR_PYTHON, "interpreter '%s' is a Python before 3.4, 3.%u is the oldest supported",
                       q->executable, OLDEST_MINOR);
    if (status != 0)
        return err_set(e, ERR_PYTHON, "interpreter '%s' ended with status %d: %s", q->executable, status,
                       said.n ? complaint(&err, q->a) : "it wrote nothing");
    q->answer = arena_str(q->a, buf_done(&out));
    return true;
}

static bool two_numbers(struct str text, unsigned *major, unsigned *minor)
{
    uint64_t n[2] = { 0, 0 };

    for (int i = 0; i < 2; i++) {
        size_t end = 0;

        while (end < text.n && char_is_digit(text.p[end]))
            end++;
        if (!str_to_u64(str_sub(text, 0, end), &n[i]) || n[i] > LIBC_MINOR_MAX)
            return false;
        text = str_sub(text, end, text.n);
        if (i == 0 && !str_cut_prefix(&text, STR(".")))
            return false;
    }
    *major = (unsigned)n[0];
    *minor = (unsigned)n[1];
    return true;
}

/* The loader of musl, run alone, writes "musl libc (x86_64)\nVersion 1.2.4\n..." to stderr (PEP 656). */
static bool ask_musl(const struct asked *q, unsigned *major, unsigned *minor)
{
    const char *argv[] = { q->elf.loader, NULL };
    struct err ignored = { 0 }; /* no musllinux wheels then */
    AUTO_BUF err;
    int status;

    buf_init(&err, PROBE_OUTPUT_MAX);
    if (!proc_run(&(struct proc_spec){ .argv = argv, .timeout_ms = PROBE_TIMEOUT_MS, .err = &err }, &status, &ignored))
        return false;

    struct str text = buf_done(&err), line;

    return str_starts(text, STR("musl")) && str_next_line(&text, &line) && str_next_line(&text, &line) &&
           str_cut_prefix(&line, STR("Version ")) && two_numbers(line, major, minor);
}

/* The line of the cache that the interpreter does not say itself: libc, width, float ABI. */
static void find_libc(struct asked *q)
{
    const struct str said = STR("\"libc\":\"glibc ");
    struct str name = STR("none");
    unsigned major = 0, minor = 0;
    size_t at = str_search(q->answer, said);

    if (at < q->answer.n && two_numbers(str_sub(q->answer, at + said.n, q->answer.n), &major, &minor))
        name = STR("glibc");
    else if (q->is_elf && str_search(str_of(q->elf.loader), STR("musl")) < strlen(q->elf.loader) &&
             ask_musl(q, &major, &minor))
        name = STR("musl");
    q->more = arena_printf(q->a, STR_FMT " %u %u %s %s", STR_ARG(name), major, minor, q->elf.is_32bit ? "32" : "64",
                           q->elf.arm_hard_float ? "hard" : "-");
}

static bool read_more(struct str line, struct py_facts *f)
{
    struct str part[5];
    uint64_t major, minor;

    if (str_split(line, ' ', part, COUNT(part)) != COUNT(part) || !str_to_u64(part[1], &major) ||
        !str_to_u64(part[2], &minor) || major > LIBC_MINOR_MAX || minor > LIBC_MINOR_MAX)
        return false;
    f->libc = str_eq(part[0], STR("glibc")) ? TAG_GLIBC : str_eq(part[0], STR("musl")) ? TAG_MUSL : TAG_LIBC_NONE;
    f->libc_major = (unsigned)major;
    f->libc_minor = (unsigned)minor;
    f->is_32bit = str_eq(part[3], STR("32"));
    f->arm_hard_float = str_eq(part[4], STR("hard"));
    return true;
}

/* The executable outside of the environment. One that is a link leads there; a copy is told by pyvenv.cfg. */
static struct str base_of(const struct asked *q, const struct py_facts *f)
{
    struct str inside = arena_printf(q->a, STR_FMT "/", STR_ARG(q->venv));
    char real[PATH_MAX];

    if (q->venv.n == 0 || q->venv_home.n == 0 || !str_starts(f->real_executable, inside))
        return f->real_executable;

    struct str guess[] = {
        arena_printf(q->a, STR_FMT "/python%u.%u", STR_ARG(q->venv_home), f->major, f->minor),
        arena_printf(q->a, STR_FMT "/python3", STR_ARG(q->venv_home)),
        arena_printf(q->a, STR_FMT "/python", STR_ARG(q->venv_home)),
    };

    for (size_t i = 0; i < COUNT(guess); i++)
        if (access(guess[i].p, X_OK) == 0 && realpath(guess[i].p, real))
            return arena_str(q->a, str_of(real));
    return f->real_executable;
}

static bool finish(struct asked *q, struct py_facts *out, struct err *e)
{
    struct py_facts f;
    char real[PATH_MAX];

    if (!facts_read(q->answer, q->a, &f, e) || !read_more(q->more, &f))
        return err_as(e, ERR_PYTHON, "interpreter '%s' gives no sensible answer", q->executable);
    if (f.major != 3 || f.minor < OLDEST_MINOR)
        return err_set(e, ERR_PYTHON, "interpreter '%s' is Python %u.%u, 3.%u is the oldest supported", q->executable,
                       f.major, f.minor, OLDEST_MINOR);
    /* A wrapper script knows where the interpreter is, its own path does not. */
    if (!q->is_elf && realpath(f.real_executable.p, real))
        q->real = arena_str(q->a, str_of(real));
    f.executable = arena_str(q->a, str_of(q->executable));
    f.real_executable = q->real;
    f.base_executable = base_of(q, &f);
    f.prefix = q->venv.n > 0 ? q->venv : f.base_prefix;
    facts_complete(&f, q->a);
    *out = f;
    return true;
}

bool probe_cached(const char *executable, const char *cache, struct arena *a, struct py_facts *out)
{
    struct err ignored = { 0 }; /* the caller may ask the interpreter, which says what is wrong */
    struct asked q;

    if (!look(executable, a, &q, &ignored) || !load(&q, cache))
        return false;
    q.is_elf = true; /* others are not kept */
    return finish(&q, out, &ignored);
}

bool probe_python(const char *executable, const char *cache, struct arena *a, struct py_facts *out, struct err *e)
{
    struct asked q;

    if (probe_cached(executable, cache, a, out))
        return true;
    if (!look(executable, a, &q, e))
        return err_as(e, ERR_PYTHON, "use interpreter '%s'", executable);
    q.is_elf = elf_read(q.real.p, &q.elf);
    if (!ask(&q, e))
        return false;
    find_libc(&q);
    if (!finish(&q, out, e))
        return false;
    save(&q, cache);
    return true;
}
