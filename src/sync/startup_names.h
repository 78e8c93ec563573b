/* What sync/startup.c compares with: modules of the standard library, well-known start-up code. Private to it. */
#pragma once

#include "base/str.h"

/* Importable in every Python from 3.8 to 3.14, so that a package of that name is no backport; sorted in byte order.
 * From sys.stdlib_module_names, without those that wheels bring by mistake (test). */
static const char *const stdlib_modules[] = {
    "abc", "argparse", "array", "ast", "asyncio", "atexit", "base64", "bdb", "binascii", "bisect", "builtins", "bz2",
    "cProfile", "calendar", "cmath", "cmd", "code", "codecs", "codeop", "collections", "colorsys", "compileall",
    "concurrent", "configparser", "contextlib", "contextvars", "copy", "copyreg", "csv", "ctypes", "curses",
    "dataclasses", "datetime", "dbm", "decimal", "difflib", "dis", "doctest", "email", "encodings", "ensurepip",
    "enum", "errno", "faulthandler", "fcntl", "filecmp", "fileinput", "fnmatch", "fractions", "ftplib", "functools",
    "gc", "genericpath", "getopt", "getpass", "gettext", "glob", "graphlib", "grp", "gzip", "hashlib", "heapq",
    "hmac", "html", "http", "imaplib", "importlib", "inspect", "io", "ipaddress", "itertools", "json", "keyword",
    "linecache", "locale", "logging", "lzma", "mailbox", "marshal", "math", "mimetypes", "mmap", "modulefinder",
    "multiprocessing", "netrc", "numbers", "opcode", "operator", "optparse", "os", "pathlib", "pdb", "pickle",
    "pickletools", "pkgutil", "platform", "plistlib", "poplib", "posix", "posixpath", "pprint", "profile", "pstats",
    "pwd", "py_compile", "pyclbr", "pydoc", "pydoc_data", "pyexpat", "queue", "quopri", "random", "re", "readline",
    "reprlib", "resource", "rlcompleter", "runpy", "sched", "secrets", "select", "selectors", "shelve", "shlex",
    "shutil", "signal", "site", "smtplib", "socket", "socketserver", "sqlite3", "sre_compile", "sre_constants",
    "sre_parse", "ssl", "stat", "statistics", "string", "stringprep", "struct", "subprocess", "symtable", "sys",
    "sysconfig", "syslog", "tabnanny", "tarfile", "tempfile", "termios", "textwrap", "threading", "time", "timeit",
    "tkinter", "token", "tokenize", "trace", "traceback", "tracemalloc", "tty", "types", "typing", "unicodedata",
    "unittest", "urllib", "uuid", "venv", "warnings", "wave", "weakref", "webbrowser", "wsgiref", "xml", "xmlrpc",
    "zipapp", "zipfile", "zipimport", "zlib", "zoneinfo",
};

/* Published before these names became modules of the standard library; inert beside it. */
static const char *const backports[] = { "contextvars", "dataclasses", "enum34", "futures", "typing" };

/* Lines of .pth files that are known to do nothing but what they are for. In a shape %q is a quoted dotted name, %t a
 * tuple of quoted names, %e an editable finder; everything else is literal. `project` NULL: of any project. */
static const struct {
    const char *project, *shape;
} known_lines[] = {
    /* setuptools: distutils of its own; the default of the variable changed with version 60 */
    { "setuptools", "import os; var = 'SETUPTOOLS_USE_DISTUTILS'; enabled = os.environ.get(var, %q) == 'local'; "
                    "enabled and __import__('_distutils_hack').add_shim(); " },
    /* pytest-cov 2 to 6: coverage of child processes, when COV_CORE_SOURCE is set */
    { "pytest-cov",
      "import os, sys;exec('if \\'COV_CORE_SOURCE\\' in os.environ:\\n try:\\n  from pytest_cov.embed import init\\n  "
      "init()\\n except Exception as exc:\\n  sys.stderr.write(\\n   \"pytest-cov: Failed"
      " to setup subprocess coverage. \"\\n   \"Environ: {0!r} \"\\n   \"Exception: "
      "{1!r}\\\\n\".format(\\n    dict((k, v) "
      "for k, v in os.environ.items() if k.startswith(\\'COV_CORE\\')),\\n    exc\\n   )\\n  )\\n')" },
    /* setuptools' namespace packages, *-nspkg.pth; with a parent one more statement */
    { NULL, "import sys, types, os;has_mfs = sys.version_info > (3, 5);p = os.path.join(sys._getframe(1).f_locals["
            "'sitedir'], *%t);importlib = has_mfs and __import__('importlib.util');has_mfs and __import__('importlib."
            "machinery');m = has_mfs and sys.modules.setdefault(%q, importlib.util.module_from_spec(importlib."
            "machinery.PathFinder.find_spec(%q, [os.path.dirname(p)])));m = m or sys.modules.setdefault(%q, types."
            "ModuleType(%q));mp = (m or []) and m.__dict__.setdefault('__path__',[]);(p not in mp) and mp.append(p)" },
    { NULL, "import sys, types, os;has_mfs = sys.version_info > (3, 5);p = os.path.join(sys._getframe(1).f_locals["
            "'sitedir'], *%t);importlib = has_mfs and __import__('importlib.util');has_mfs and __import__('importlib."
            "machinery');m = has_mfs and sys.modules.setdefault(%q, importlib.util.module_from_spec(importlib."
            "machinery.PathFinder.find_spec(%q, [os.path.dirname(p)])));m = m or sys.modules.setdefault(%q, types."
            "ModuleType(%q));mp = (m or []) and m.__dict__.setdefault('__path__',[]);(p not in mp) and mp.append(p);"
            "m and setattr(sys.modules[%q], %q, m)" },
    /* setuptools' editable installs: the module was written by the build, beside it */
    { NULL, "import %e; %e.install()" },
};
