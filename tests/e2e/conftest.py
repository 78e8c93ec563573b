"""What every journey needs: the program, an empty home, a local index, real interpreters.

BLAST names the program; without it build/release, then build/asan is used. Nothing here reaches the network and
nothing outside the test's own temporary directory is written.
"""
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from index_server import IndexServer  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
TIMEOUT = 120  # seconds a command may take before the test fails; nothing here takes more than a few
PYENV = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
TEST_TIMEOUT = 900  # seconds a whole test may take: one that waits for a process for ever fails with its name
KEPT = ("PATH", "LANG", "LC_ALL", "TMPDIR", "ASAN_OPTIONS", "UBSAN_OPTIONS", "LD_LIBRARY_PATH")


RELEASE_ONLY = ("release_only: what it tries is the kernel, a shell, an interpreter or somebody's program around code of "
                "ours that other tests run with the sanitizers, or it cannot be tried with them")
left_out = [0]  # how many tests the sanitized program is not tried with


def sanitized(program):
    return b"__asan_init" in program.read_bytes()


def pytest_configure(config):
    config.addinivalue_line("markers", RELEASE_ONLY)


def pytest_collection_modifyitems(config, items):
    found = find_blast()
    if found and sanitized(found):
        left = [i for i in items if i.get_closest_marker("release_only")]
        items[:] = [i for i in items if not i.get_closest_marker("release_only")]
        config.hook.pytest_deselected(items=left)
        left_out[0] = len(left)


def pytest_sessionfinish(session):
    if hasattr(session.config, "workeroutput"):  # of a worker of pytest-xdist: each of them collects all tests
        session.config.workeroutput["left_out"] = left_out[0]


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node):
    left_out[0] = max(left_out[0], getattr(node, "workeroutput", {}).get("left_out", 0))


def pytest_terminal_summary(terminalreporter):
    if left_out[0]:
        terminalreporter.write_line(f"{left_out[0]} end-to-end tests run on the release build alone")


# A shell that starts the tests in the background ignores Ctrl-C for them, nohup a terminal that hangs up, and programs
# would inherit that. They do not inherit a handler.
signal.signal(signal.SIGINT, signal.default_int_handler)
if signal.getsignal(signal.SIGHUP) == signal.SIG_IGN:
    signal.signal(signal.SIGHUP, lambda *_: None)


@pytest.fixture(autouse=True)
def bounded():
    def stop(_signal, _frame):
        pytest.fail(f"takes more than {TEST_TIMEOUT} seconds")

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(TEST_TIMEOUT)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


def find_blast():
    named = os.environ.get("BLAST")
    places = [Path(named)] if named else [ROOT / "build" / d / "src/main/blast" for d in ("release", "asan")]
    return next((p.resolve() for p in places if os.access(p, os.X_OK)), None)


class Result:
    """What a command did. `json` parses stdout, and shows everything when it is not JSON."""

    def __init__(self, words, code, stdout, stderr):
        self.words, self.code, self.stdout, self.stderr = words, code, stdout, stderr

    @property
    def json(self):
        try:
            return json.loads(self.stdout)
        except ValueError:
            pytest.fail(f"not JSON on stdout\n{self}")

    def __str__(self):
        return (f"$ {' '.join(map(str, self.words))}\nexit {self.code}\n"
                f"--- stdout\n{self.stdout}\n--- stderr\n{self.stderr}")

    __repr__ = __str__


class Blast:
    """Runs the program in one home: `blast("install", "x")` must end with 0, `blast(..., code=2)` with 2,
    `blast(..., code=None)` with anything that is not a signal."""

    def __init__(self, program, home, cwd):
        self.program, self.home, self.cwd = program, home, cwd
        self.env = {k: os.environ[k] for k in KEPT if k in os.environ}
        self.env.update(HOME=str(home), BLAST_HOME=str(home / "blast"), BLAST_NO_DAEMON="1", TERM="dumb",
                        NO_COLOR="1", PYTHONDONTWRITEBYTECODE="1", PIP_CONFIG_FILE="/dev/null", PYENV_ROOT=str(PYENV))

    def __call__(self, *args, cwd=None, code=0, env=None, stdin=None, timeout=TIMEOUT):
        words = [str(self.program), *map(str, args)]
        full = {k: v for k, v in {**self.env, **(env or {})}.items() if v is not None}
        try:
            p = subprocess.run(words, cwd=cwd or self.cwd, env=full, input=stdin, capture_output=True, text=True,
                               timeout=timeout, stdin=None if stdin is not None else subprocess.DEVNULL)
        except subprocess.TimeoutExpired as e:
            pytest.fail(f"$ {' '.join(words)}\nno end after {timeout} s\n{e.stdout}\n{e.stderr}")
        r = Result(words, p.returncode, p.stdout, p.stderr)
        assert r.code >= 0, f"ended by a signal\n{r}"
        assert "Sanitizer" not in r.stderr and "runtime error:" not in r.stderr, str(r)
        if code is not None:
            assert r.code == code, f"expected exit {code}\n{r}"
        return r

    def start(self, *args, cwd=None, env=None, **more):
        """The process itself, for tests that signal or race it."""
        return subprocess.Popen([str(self.program), *map(str, args)], cwd=cwd or self.cwd,
                                env={**self.env, **(env or {})}, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, text=True, **more)


class Project:
    """A directory with a pyproject.toml, and shortcuts to what is in its environment."""

    def __init__(self, path, blast):
        self.path, self.blast = path, blast

    def write(self, name, text):
        target = self.path / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
        return target

    def read(self, name):
        return (self.path / name).read_text()

    def require(self, *requirements, python=">=3.8", extra=""):
        lines = "".join(f"    {json.dumps(r)},\n" for r in requirements)
        return self.write("pyproject.toml", f'[project]\nname = "app"\nversion = "1.0"\nrequires-python = "{python}"\n'
                                            f"dependencies = [\n{lines}]\n{extra}")

    @property
    def python(self):
        return self.path / ".venv/bin/python"

    def __call__(self, *args, **more):
        return self.blast(*args, cwd=more.pop("cwd", self.path), **more)

    def installed(self):
        """Name to version, as Blast says."""
        return {p["name"]: p["version"] for p in self("list", "--format", "json").json}

    def installed_by_python(self):
        """Name to version, as the environment's own interpreter sees it: what counts in the end."""
        code = ("import importlib.metadata as m, json, re; "
                "print(json.dumps({re.sub('[-_.]+', '-', d.metadata['Name']).lower(): d.version "
                "for d in m.distributions() if d.metadata['Name']}))")
        p = subprocess.run([self.python, "-c", code], capture_output=True, text=True, env=self.blast.env, cwd="/",
                           timeout=TIMEOUT)
        assert p.returncode == 0, p.stderr
        return {k: v for k, v in json.loads(p.stdout).items() if k not in ("pip", "setuptools")}


@pytest.fixture(scope="session")
def program():
    found = find_blast()
    if not found:
        pytest.skip("blast is not built: ./check builds it, or set BLAST to the program")
    return found


@pytest.fixture(scope="session")
def commands():
    """The names in the table of commands."""
    return [name.replace("_", "-")
            for name in re.findall(r"^COMMAND\((\w+)", (ROOT / "src/cli/commands.def").read_text(), re.M)]


@pytest.fixture
def blast(program, tmp_path):
    """The runner with an empty home. Commands start in an empty directory."""
    home, cwd = tmp_path / "home", tmp_path / "work"
    home.mkdir()
    cwd.mkdir()
    yield Blast(program, home, cwd)
    for top, dirs, _ in os.walk(tmp_path):  # the store is read-only
        for d in dirs:
            p = os.path.join(top, d)
            if not os.path.islink(p):
                os.chmod(p, 0o755)
    shutil.rmtree(tmp_path, ignore_errors=True)


@pytest.fixture
def project(blast):
    """A project without requirements, in a path with a space: such paths exist."""
    path = blast.cwd / "my app"
    path.mkdir()
    p = Project(path, blast)
    p.require()
    return p


@pytest.fixture
def index(blast):
    """An empty index that every command of the test asks: index.add(make_wheel("demo", "1.0"))."""
    with IndexServer() as server:
        blast.env["BLAST_INDEX_URL"] = server.index
        yield server


def interpreters():
    """Version words ("3.11") to paths of the real interpreters here, the newest of each."""
    found = {}
    places = [Path("/usr/bin"), Path("/usr/local/bin")]
    places += sorted(PYENV.glob("versions/*/bin"))
    for place in places:
        for path in place.glob("python3.*"):
            if re.fullmatch(r"python3\.\d+", path.name) and os.access(path, os.X_OK):
                found[path.name[len("python"):]] = path
    return found


@pytest.fixture(scope="session")
def pythons():
    found = interpreters()
    if not found:
        pytest.skip("no python3.N in /usr/bin, /usr/local/bin or pyenv")
    return found
