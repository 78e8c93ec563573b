"""Notes which distribution asks for which file or address; loaded only where BLAST_TRACK names a file to note it in.

By Python's audit events (PEP 578), so from Python 3.8 on. Advisory: what C code or another program does raises none.
The one who asked is the innermost frame that is not of Python itself: its file is of a distribution, by that one's
RECORD, or of the program. One line a thing, as jail/asked.h has them; at most 4096 a process.
"""
import posix
import sys
from _thread import get_ident

import _blast_boot as boot

THINGS = 4096
DEPTH = 60  # frames that are looked at
WRITES = posix.O_WRONLY | posix.O_RDWR | posix.O_CREAT | posix.O_TRUNC
# event: the arguments that are paths, how they are asked for, the arguments that are directory descriptors
PATHS = {
    "os.listdir": ((0,), "read", ()), "os.scandir": ((0,), "read", ()), "os.chdir": ((0,), "read", ()),
    "os.mkdir": ((0,), "write", (2,)), "os.remove": ((0,), "write", (1,)), "os.rmdir": ((0,), "write", (1,)),
    "os.rename": ((0, 1), "write", (2, 3)), "os.link": ((1,), "write", (2, 3)), "os.symlink": ((1,), "write", (2,)),
    "os.truncate": ((0,), "write", ()), "os.chmod": ((0,), "write", (2,)), "os.chown": ((0,), "write", (3,)),
    "os.exec": ((0,), "exec", ()), "os.posix_spawn": ((0,), "exec", ()), "subprocess.Popen": ((0,), "exec", ()),
}
ADDRESSES = {"socket.connect": "connect", "socket.bind": "listen"}

fd = -1
seen = set()
busy = set()   # threads that are here: what we open ourselves is not told
owners = None  # first name below site-packages -> distribution
site = ""      # site-packages of the tree
own = ()       # of Python and the environment: reading there is part of importing


def start(path):
    global fd, site, own
    if fd >= 0 or not hasattr(sys, "addaudithook"):
        return
    opened = posix.open(path, posix.O_WRONLY | posix.O_APPEND | posix.O_CLOEXEC)
    try:
        from fcntl import fcntl
        fd = fcntl(opened, 1030, boot.FIRST_FD)  # F_DUPFD_CLOEXEC
    finally:
        posix.close(opened)
    tail = "/lib/python%d.%d/site-packages/" % sys.version_info[:2]
    site = boot.tree + tail
    library = sys.modules["os"].__file__.rpartition("/")[0] + "/"
    own = (boot.tree + "/", sys.prefix + "/", library)
    sys.addaudithook(hook)


def hook(event, args):
    if event != "open" and event not in PATHS and event not in ADDRESSES:
        return
    me = get_ident()
    if me in busy or len(seen) >= THINGS:
        return
    busy.add(me)
    try:
        look(event, args)
    except Exception:  # what is raised here, the program would get
        pass
    finally:
        busy.discard(me)


def look(event, args):
    if event == "open":
        note_path(args[0], "write" if args[2] & WRITES else "read")
    elif event in ADDRESSES:
        address = args[1]
        if isinstance(address, tuple) and isinstance(address[0], str) and address[0][:1].isdigit():
            note("%s:%d" % address[:2], ADDRESSES[event])
    else:
        which, how, folders = PATHS[event]
        if all(len(args) <= i or args[i] in (-1, None) for i in folders):
            for i in which:
                note_path(args[i], how)


def note_path(path, how):
    path = text(path)
    if not path or (how == "exec" and "/" not in path):  # a name for PATH
        return
    if not path.startswith("/"):
        path = posix.getcwd() + "/" + path
    if how != "read" or not path.startswith(own):
        note(path, how)


def note(what, how):
    if (how, what) not in seen:
        seen.add((how, what))
        posix.write(fd, line(how, what, who()))


def text(path):
    """Of a path in any form; "" for a descriptor."""
    if not isinstance(path, (str, bytes)):
        path = getattr(path, "__fspath__", str)()
    return path.decode("utf-8", "surrogateescape") if isinstance(path, bytes) else path


def line(how, what, by):
    from _json import encode_basestring_ascii as quote
    what, by = (s.encode("utf-8", "replace").decode("utf-8") for s in (what, by))
    return ('{"how":"%s","what":%s%s}\n' % (how, quote(what), ',"by":' + quote(by) if by else "")).encode("ascii")


def who():
    """The distribution that asks; "" for the program itself, or when nobody can be found."""
    frame = sys._getframe(0)
    while frame and frame.f_code.co_filename == __file__:
        frame = frame.f_back
    for _ in range(DEPTH):
        if frame is None:
            return ""
        file = frame.f_code.co_filename
        if file.startswith(site):
            return owner(file[len(site):].partition("/")[0])
        if not file.startswith(own) and not file.startswith("<frozen"):
            return ""
        frame = frame.f_back
    return ""


def owner(top):
    global owners
    if owners is None:
        owners = {}
        for name in posix.listdir(site):
            if name.endswith(".dist-info"):
                claim(name)
    return owners.get(top, "")


def claim(info):
    distribution = info[:-len(".dist-info")].rpartition("-")[0]
    try:
        with open(site + info + "/RECORD", encoding="utf-8", errors="replace") as f:
            for row in f:
                owners.setdefault(row.partition(",")[0].partition("/")[0], distribution)
    except OSError:
        pass
