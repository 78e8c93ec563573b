"""What Blast says and does about modules that are missing. Loaded at the first failed import of a process.

Settings are those that the generation was made with ("key=value" lines of its .inuse file):

    hook=suggest     below an uncaught error: which package has the module, and the command that installs it
    hook=ask         the same, and on a terminal the offer to do it
    hook=declared    a module of a package that the project asks for, or its lock has, is installed on the spot
    hook=auto        any module whose package is known for sure is, too; never where CI is set
    hook=off         nothing
    blast=PATH       the program; else `blast` of PATH

Which package has a module is known to `blast import NAME --json`, which is run only then. No frame of this file is in
any traceback: nothing is raised or called on the way of the program's own errors.
"""
import sys

import _blast_boot as boot

SECONDS = 20  # an import may wait so long for an install


def settings():
    found = {"hook": "suggest"}
    try:
        with open(boot.tree + "/.inuse") as f:
            for line in f:
                key, _, value = line.rstrip("\n").partition("=")
                if value:
                    found[key] = value
    except (OSError, ValueError):
        pass
    return found


class Report:
    def __init__(self, missed):
        self.missed = missed
        self.settings = settings()
        self.hook = self.settings["hook"]
        self.tried = set()
        self.said = set()
        self.main_hook = self.thread_hook = self.shell = None  # ours, as they were installed

    def miss(self, name, path):
        """A module was not found: a spec when it is there now, else None. Called by the finder."""
        if self.hook == "off":
            return None
        self.arm()
        if self.hook not in ("declared", "auto") or name in self.tried:
            return None
        self.tried.add(name)
        file, line = self.missed.get(name, ("", 0))
        if not own_code(file) or guarded(file, line):
            return None
        return self.install(name, path)

    # ---------------------------------------------------------- uncaught errors

    def arm(self):
        """Listens where uncaught errors end, from the first miss on: programs that miss nothing see no change. What
        the program has put there stays in force; ours comes after it."""
        if sys.excepthook is not self.main_hook:
            sys.excepthook = self.main_hook = self.after(sys.excepthook, lambda kind, error, trace: (error, True))
        threading = sys.modules.get("threading")
        if hasattr(threading, "excepthook") and threading.excepthook is not self.thread_hook:
            threading.excepthook = self.thread_hook = self.after(threading.excepthook,
                                                                 lambda args: (args.exc_value, False))
        shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
        if shell is not None and shell is not self.shell:
            self.shell = shell
            shell.events.register("post_run_cell", self.after_cell)

    def after(self, hook, what):
        def hook_and_say(*args):
            hook(*args)
            self.say(*what(*args))
        return hook_and_say

    def after_cell(self, result):
        self.say(getattr(result, "error_in_exec", None), False)

    def say(self, error, main):
        """Below the traceback. `main`: the program ends with it."""
        try:
            name = self.missing_of(error)
            if name is None or name in self.said or sys.stderr is None:
                return
            self.said.add(name)
            answer = self.ask(name)
            if answer.get("text"):
                sys.stderr.write("blast: " + answer["text"] + "\n")
                sys.stderr.flush()
                if self.hook == "ask" and main:
                    self.offer(name, answer)
        except (Exception, KeyboardInterrupt):  # the program's own error has been shown: that is what counts
            pass

    def missing_of(self, error):
        """The missing module that an error is about, or is caused by; None when it is about something else."""
        for _ in range(20):
            if error is None:
                return None
            if isinstance(error, ModuleNotFoundError) and error.name in self.missed:
                return error.name
            error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
        return None

    # ---------------------------------------------------------- blast

    def run(self, words, timeout=None, **more):
        import os
        import subprocess
        env = dict(os.environ, BLAST_ACTOR="import-hook", BLAST_NO_INPUT="1")
        env.update(more.pop("env", {}))
        for key in ("BLAST_FORMAT", "BLAST_JSON", "BLAST_ENV", "BLAST_PROJECT", "PYTHONPATH", "PYTHONHOME"):
            env.pop(key, None)
        program = self.settings.get("blast", "")
        if not os.access(program, os.X_OK):
            program = "blast"
        return subprocess.run([program, "--project", os.path.dirname(sys.prefix)] + words, env=env,
                              stdin=subprocess.DEVNULL, timeout=timeout, **more)

    def ask(self, name):
        """What `blast import` knows of the module; {} when it cannot be asked."""
        import json
        import subprocess
        file, line = self.missed.get(name, ("", 0))
        try:
            p = self.run(["import", name, "--json", "--from", "%s:%d" % (file, line)], 5, stdout=subprocess.PIPE,
                         stderr=subprocess.DEVNULL)
            answer = json.loads(p.stdout.decode("utf-8", "replace"))
        except (OSError, ValueError, subprocess.SubprocessError):
            return {}
        return answer if answer.get("schema") == "blast.import/1" else {}

    def offer(self, name, answer):
        """[i]nstall and run again, [s]kip, [n]ever: on the terminal that the program runs on."""
        import os
        never = sys.prefix + "/.import-never"
        interactive = sys.flags.interactive or sys.flags.inspect or hasattr(sys, "ps1")
        if interactive or os.environ.get("CI") or not answer.get("command"):
            return
        try:
            with open(never) as f:
                if name in f.read().split():
                    return
        except OSError:
            pass
        if not (sys.stdin and sys.stdin.isatty() and sys.stderr.isatty()):
            return
        sys.stderr.write("blast: [i]nstall and run again, [s]kip, [n]ever ask for this? ")
        sys.stderr.flush()
        choice = sys.stdin.readline().strip().lower()[:1]
        if choice == "n":
            with open(never, "a") as f:
                f.write(name + "\n")
        elif choice == "i" and self.run(answer["command"], env=self.why(name)).returncode == 0:
            for stream in (sys.stdout, sys.stderr):
                stream.flush()
            with open("/proc/self/cmdline", "rb") as f:
                os.execv(sys.executable, f.read().split(b"\0")[:-1])

    def why(self, name):
        return {"BLAST_REASON": "import %s at %s:%d" % ((name,) + self.missed.get(name, ("", 0)))}

    # ---------------------------------------------------------- live install

    def install(self, name, path):
        """Installs the package of a module and lets this process see it: a spec, or None with the reason said."""
        import os
        import subprocess
        answer = self.ask(name)
        if not answer.get("install") or (self.hook == "auto" and os.environ.get("CI")):
            return None
        sys.stderr.write("blast: installing %s for 'import %s'\n" % (answer["distribution"], name))
        try:
            p = self.run(answer["command"] + ["-q"], SECONDS, env=self.why(name), stdout=subprocess.DEVNULL)
        except (OSError, subprocess.SubprocessError) as e:
            sys.stderr.write("blast: %s\n" % e)
            return None
        if p.returncode != 0:
            return None
        return self.adopt(name, path)

    def adopt(self, name, path):
        """Goes over to the generation that is current now, unless that would mix versions of what is imported."""
        from importlib import invalidate_caches
        from importlib.machinery import PathFinder
        new = boot.current()
        if new != boot.tree:
            changed = self.changed(boot.tree, new)
            if changed:
                sys.stderr.write("blast: '%s' is installed, but %s changed, too, and is imported already: "
                                 "start the program again\n" % (name, ", ".join(changed)))
                return None
            boot.hold(new)  # and keep the old one: packages imported from it load more modules from there
            boot.fix(new)
            boot.tree = new
        invalidate_caches()
        return PathFinder.find_spec(name, path)

    def changed(self, old, new):
        """Packages of the old tree that the new one has not in the same version, and of which something is imported."""
        import os
        for entry in sys.path:
            if entry.startswith(old + "/lib/") and entry.endswith("/site-packages"):
                tail = entry[len(old):]
                break
        else:
            return []
        gone = set(infos(old + tail)) - set(infos(new + tail))
        found = []
        for info in sorted(gone):
            tops = set()
            try:
                with open(os.path.join(old + tail, info, "RECORD"), encoding="utf-8") as f:
                    tops = {row.split(",")[0].split("/")[0].split(".")[0] for row in f}
            except OSError:
                pass
            if any(top in sys.modules for top in tops):
                found.append(info[:-len(".dist-info")])
        return found


def infos(folder):
    import os
    return [d for d in os.listdir(folder) if d.endswith(".dist-info")]


def own_code(file):
    """Is the import in a file of the program, not of a package or of Python?"""
    import os
    if not file or file.startswith("<"):
        return file in ("<stdin>", "<string>") or file.startswith(("<ipython", "<python-input"))
    file = os.path.abspath(file)
    return not file.startswith((sys.prefix + "/", os.path.dirname(os.__file__) + "/")) and \
        "/site-packages/" not in file


def guarded(file, line):
    """Is the import inside a `try` that catches its failure? Such code asks; it does not need."""
    import ast
    try:
        with open(file, "rb") as f:
            module = ast.parse(f.read())
    except (OSError, SyntaxError, ValueError):
        return False
    for node in ast.walk(module):
        if isinstance(node, ast.Try) and node.body[0].lineno <= line < first_line_after(node) and \
                any(catches(h.type) for h in node.handlers):
            return True
        if isinstance(node, ast.With) and node.lineno <= line <= last_line(node) and \
                any(suppresses(i.context_expr) for i in node.items):
            return True
    return False


def last_line(node):
    import ast
    return max(getattr(n, "lineno", 0) for n in ast.walk(node))


def suppresses(call):
    """contextlib.suppress(ImportError) and the like."""
    import ast
    return isinstance(call, ast.Call) and \
        (getattr(call.func, "id", "") == "suppress" or getattr(call.func, "attr", "") == "suppress") and \
        any(catches(a) for a in call.args)


def first_line_after(node):
    """The line on which the body of a `try` has ended."""
    return min(part[0].lineno for part in (node.handlers, node.orelse, node.finalbody) if part)


def catches(kind):
    import ast
    if kind is None:
        return True
    kinds = kind.elts if isinstance(kind, ast.Tuple) else [kind]
    return any(getattr(k, "id", "") in ("ImportError", "ModuleNotFoundError", "Exception", "BaseException")
               for k in kinds)
