"""What runs at every start of this environment's Python; put here by Blast, taken out by `blast eject`.

It fixes sys.path to the generation that is current now, so that modules imported later come from the same tree even
when the environment changes meanwhile; it holds a lock that keeps that tree from being removed; and it puts a finder
behind all others, which is asked only when an import has failed already. BLAST_IMPORT_HOOK=0, -I, or import_hook =
"off" in blast.toml leave the finder out, -S all of it. Works with Python 3.6 and later; imports nothing that is not
in the interpreter but fcntl, since all programs pay for it.
"""
import posix
import sys
from _thread import get_ident

FIRST_FD = 64  # of ours: programs count on getting 3 first

tree = None   # folder of the generation that this process is fixed to
locks = []    # one for each tree that modules were loaded from
finder = None


def current():
    """The tree of the current generation, by the links of the environment as the user reaches it."""
    here = posix.readlink(sys.prefix + "/.current")
    try:
        return sys.prefix + "/.gen/" + posix.readlink(sys.prefix + "/" + here)  # after an undo: the older one's tree
    except OSError:
        return sys.prefix + "/" + here


def hold(folder):
    """A shared lock on the tree, as long as this process and what it forks live. Best effort."""
    try:
        from fcntl import LOCK_NB, LOCK_SH, fcntl, flock
        fd = posix.open(folder + "/.inuse", posix.O_RDONLY | posix.O_CLOEXEC)
        try:
            flock(fd, LOCK_SH | LOCK_NB)
            locks.append(fcntl(fd, 1030, FIRST_FD))  # F_DUPFD_CLOEXEC; the lock belongs to both descriptors
        finally:
            posix.close(fd)
    except (ImportError, OSError):
        pass


def fix(folder):
    """Entries of sys.path for site-packages of this environment, whatever tree they name, name that one."""
    heads = (sys.prefix + "/lib/", sys.prefix + "/lib64/", tree + "/lib/")
    for i, entry in enumerate(sys.path):
        for head in heads:
            if isinstance(entry, str) and entry.startswith(head) and entry.endswith("/site-packages"):
                sys.path[i] = folder + "/lib/" + entry[len(head):]
                break


def start():
    global tree, finder
    try:
        if tree is None:
            tree = current()
            hold(tree)
        fix(tree)
    except OSError:  # not an environment of Blast any more
        return
    if b"BLAST_TRACK" in posix.environ:
        track(posix.environ[b"BLAST_TRACK"])
    if finder is None and not sys.flags.isolated and posix.environ.get(b"BLAST_IMPORT_HOOK") != b"0":
        finder = Finder()
        sys.meta_path.append(finder)


def track(path):
    """Blast runs this in a sandbox and wants to know who asks for what."""
    try:
        import _blast_track
        _blast_track.start(path)
    except (ImportError, OSError):  # a program that it started, somewhere else
        pass


class Finder:
    """Asked last, so for modules that are not there. Notes who wanted what; what is said is said only when the error
    reaches the user, for most misses are questions ("is there a faster json?") that the program answers itself."""

    def __init__(self):
        self.missed = {}   # name -> (file, line) of the import
        self.report = None
        self.busy = set()  # threads that are here: what we import ourselves may be missing, too

    def find_spec(self, name, path=None, target=None):
        me = get_ident()
        if me in self.busy or name in ("sitecustomize", "usercustomize"):  # every start asks for these
            return None
        self.busy.add(me)
        try:
            frame = sys._getframe(1)
            while frame and ("importlib" in frame.f_code.co_filename or "<frozen" in frame.f_code.co_filename):
                frame = frame.f_back
            if len(self.missed) < 1000:
                self.missed[name] = (frame.f_code.co_filename, frame.f_lineno) if frame else ("", 0)
            if self.report is None:
                import _blast_report
                self.report = _blast_report.Report(self.missed)
            return self.report.miss(name, path)
        except Exception:  # an import that failed anyway must not fail in another way because of us
            return None
        finally:
            self.busy.discard(me)
