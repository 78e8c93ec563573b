"""Learning: what a command asked for in its sandbox becomes a change of blast.toml, and with the change it works."""
import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest
from index_server import make_wheel
from test_gateway import Cell, world  # noqa: F401 (a fixture)

NOBODY = 65534
USERS = ("root", "nobody") if os.geteuid() == 0 else ("self",)
PYTHON = "/usr/bin/python3"
TIMEOUT = 90
TOML = """# ours
[env]
[container]
network_policy = "isolated" # for now
[sandbox]
[security]
[sync]
# end"""
PROGRAM = """
import os, sys
from pathlib import Path

top, failed = Path(sys.argv[1]), 0
def attempt(what, *args):
    global failed
    try:
        what(*args)
    except OSError as e:
        failed += 1
        print(e)
attempt((top / "data/in.csv").read_text)
attempt((top / "out/result").write_text, "done")
for secret in (Path.home() / ".ssh/id", Path.home() / ".netrc", top / "data/absent"):
    try:
        secret.read_text()
    except OSError:
        pass
sys.exit(failed)
"""


class Place:
    """A project, a home directory with secrets, and things outside both."""

    def __init__(self, program, user):
        self.program, self.user = program, user
        self.top = Path(tempfile.mkdtemp(prefix="blast-learn-", dir="/tmp"))
        self.path, self.home = self.top / "project", self.top / "home"
        for d in (self.path, self.home / ".ssh", self.top / "data", self.top / "out"):
            d.mkdir(parents=True)
        for f in (self.home / ".ssh/id", self.home / ".netrc", self.top / "data/in.csv"):
            f.write_text("secret\n")
        (self.path / "blast.toml").write_text(TOML)
        (self.path / "app.py").write_text(PROGRAM)
        (self.path / "pyproject.toml").write_text('[project]\nname = "app"\nversion = "1"\nrequires-python = ">=3.8"\n')
        self.env = {"HOME": str(self.home), "BLAST_HOME": str(self.home / "blast"), "BLAST_NO_DAEMON": "1",
                    "PATH": "/usr/local/bin:/usr/bin:/bin", "TERM": "dumb", "NO_COLOR": "1", "LANG": "C.UTF-8",
                    "BLAST_OFFLINE": "1"}
        self.env.update({k: os.environ[k] for k in ("ASAN_OPTIONS", "UBSAN_OPTIONS") if k in os.environ})
        self.give(self.top)
        self.blast("start", "--no-activate", "--python", PYTHON)

    def give(self, top):
        if self.user == "nobody":
            for p in [top, *top.rglob("*")]:
                os.chown(p, NOBODY, NOBODY)

    def blast(self, *words, code=0, env=None):
        drop = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"] if self.user == "nobody" else []
        p = subprocess.run([*drop, self.program, *map(str, words)], cwd=self.path, env={**self.env, **(env or {})},
                           capture_output=True, text=True, timeout=TIMEOUT, stdin=subprocess.DEVNULL)
        assert "Sanitizer" not in p.stderr and "runtime error:" not in p.stderr, p.stderr
        assert p.returncode == code, f"{words}: exit {p.returncode}, wanted {code}\n{p.stdout}\n{p.stderr}"
        return p

    def run(self, *words, **more):
        return self.blast("run", "--no-sync", *words, **more)

    def python(self, text, **more):
        return self.run("--learn", "--", "python", "-c", text, **more)

    def learned(self):
        return json.loads(self.blast("sandbox", "learned", "--json").stdout)

    def toml(self):
        return (self.path / "blast.toml").read_text()

    def events(self, kind):
        lines = [json.loads(line) for log in self.home.rglob("log.jsonl") for line in log.read_text().splitlines()]
        return [line["data"] for line in lines if line["event"] == kind]


@pytest.fixture(params=USERS)
def place(program, request):
    if not os.access(PYTHON, os.X_OK):
        pytest.skip(f"no {PYTHON}, which every user may run")
    if not (Path(program).parent / "blast-jail").exists():
        pytest.skip("blast-jail is not built")
    p = Place(program, request.param)
    yield p
    subprocess.run(["chmod", "-R", "u+w", p.top], check=False)
    shutil.rmtree(p.top, ignore_errors=True)


def test_the_change_that_is_learned_lets_the_program_through(place):
    p = place.run("--learn", "--", "python", "app.py", place.top, code=2)
    assert "learned: 2 things to allow in blast.toml" in p.stderr
    assert "make this change with: blast sandbox learned --apply" in p.stderr
    assert place.toml() == TOML, "nothing is changed unasked"
    diff = place.blast("sandbox", "learned").stdout
    assert f"""@@ -3,6 +3,10 @@
 [container]
 network_policy = "isolated" # for now
 [sandbox]
+
+[sandbox.filesystem]
+readonly_paths = ["/usr", "/lib", "/bin", "{place.top}/data"]
+allowed_paths = ["{place.top}/out"]
 [security]
 [sync]
 # end
\\ No newline at end of file
""" in diff
    place.blast("sandbox", "learned", "--apply")
    assert [line for line in place.toml().splitlines() if line in TOML.splitlines() and line] == TOML.splitlines()
    p = place.run("--learn", "--", "python", "app.py", place.top)
    assert (place.top / "out/result").read_text() == "done"
    assert "learned: nothing was refused" in p.stderr
    assert place.learned()["changes"] == [], "what was applied is forgotten"


def test_secrets_are_listed_and_not_proposed(place):
    p = place.run("--learn", "--", "python", "app.py", place.top, code=2)
    kept = {k["what"]: k["why"] for k in place.learned()["not_proposed"]}
    assert kept == {f"{place.home}/.ssh/id": "it may hold secrets", f"{place.home}/.netrc": "it may hold secrets"}
    assert f'refused and not proposed: read "{place.home}/.netrc": it may hold secrets' in p.stderr
    assert "absent" not in json.dumps(place.learned()), "what is not there either is not missed"


def test_what_was_refused_is_in_the_audit_log_once_and_escaped(place):
    place.python(f"for _ in range(5):\n try: open('{place.top}/data/in.csv')\n except OSError: pass\n"
                 f"try: open('{place.top}/data/in.csv\\n\\x1b[2Jx', 'w')\nexcept OSError: pass")
    denied = place.events("denied")
    assert [d["what"] for d in denied if d["how"] == "read"] == [f"{place.top}/data/in.csv"]
    assert any("\x1b" in d["what"] for d in denied)
    raw = b"".join(log.read_bytes() for log in place.home.rglob("log.jsonl"))
    assert b"\x1b" not in raw and b"\\u001b" in raw


def test_a_program_that_asks_for_ever_is_bounded(place):
    (place.top / "many").mkdir()
    for n in range(400):
        (place.top / f"many/{n}").touch()
    place.give(place.top / "many")
    place.python(f"for n in range(10000):\n try: open('{place.top}/many/%d' % n)\n except OSError: pass")
    denied = place.events("denied")
    assert len(denied) <= 201, len(denied)
    assert [c["value"] for c in place.learned()["changes"]] == [f"{place.top}/many"]


def test_what_runs_inside_cannot_speak_for_the_gateway(place):
    place.python("""
import os
lines = ['{"how":"name","what":"evil.test"}', '{"how":"denied","what":"203.0.113.9:443"}', 'nonsense',
         '{"how":"broken","what":"a","why":"\\\\u001b[2J"}', '{"how":"read","what":"/etc"}']
with open(os.environ["BLAST_TRACK"], "a") as f:
    f.write("\\n".join(lines) + "\\n")
""")
    said = place.learned()
    assert said["changes"] == [] and said["not_proposed"] == []


def test_runs_add_up_until_they_are_forgotten(place):
    text = "try: open('{}')\nexcept OSError: pass"
    place.python(text.format(f"{place.top}/data/in.csv"))
    place.python(text.format(f"{place.home}/.netrc"))
    said = place.learned()
    assert len(said["changes"]) == 1 and len(said["not_proposed"]) == 1
    place.blast("sandbox", "forget")
    said = place.learned()
    assert said["changes"] == [] and said["not_proposed"] == [] and said["diff"] == ""


def test_settings_that_nobody_accepted_are_not_accepted_with_it(place):
    (place.path / "blast.toml").write_text(TOML.replace("[security]", '[security]\nallow_degraded = ["iops_limit"]'))
    place.python(f"try: open('{place.top}/data/in.csv')\nexcept OSError: pass")
    p = place.blast("sandbox", "learned", "--apply")
    assert "blast trust" in p.stderr
    trust = json.loads(place.blast("trust", "--show", "--json").stdout)
    assert trust["level"] != "full"
    p = place.run("--learn", "--", "python", "app.py", place.top, code=2)
    place.blast("trust", "--yes")
    place.run("--", "python", "-c", f"open('{place.top}/data/in.csv')")


def test_a_variable_that_wins_is_named(place):
    p = place.python(f"try: open('{place.top}/data/in.csv')\nexcept OSError: pass",
                     env={"BLAST_SANDBOX_FILESYSTEM_READONLY_PATHS": "/usr"})
    assert "BLAST_SANDBOX_FILESYSTEM_READONLY_PATHS, which wins over blast.toml" in p.stderr
    assert '"/lib"' in place.blast("sandbox", "learned").stdout, "the variable's value does not get into the file"


def test_without_a_sandbox_there_is_nothing_to_learn(place):
    (place.path / "blast.toml").unlink()
    p = place.python("pass", code=125)
    assert "--learn needs a sandbox" in p.stderr
    place.blast("sandbox", "show", "--apply", code=2)


def test_a_link_is_not_replaced(place):
    (place.path / "blast.toml").rename(place.path / "real.toml")
    (place.path / "blast.toml").symlink_to("real.toml")
    place.python(f"try: open('{place.top}/data/in.csv')\nexcept OSError: pass")
    p = place.blast("sandbox", "learned", "--apply", code=2)
    assert "a link" in p.stderr
    assert (place.path / "blast.toml").is_symlink()


def test_tracking_by_package_says_what_it_is(place):
    (place.path / "blast.toml").write_text(TOML.replace("[security]", '[sandbox.filesystem]\ntracking = "package"\n[security]'))
    place.run("--", "python", "app.py", place.top, code=2)
    rows = json.loads(place.blast("sandbox", "accesses", "--json").stdout)["accesses"]
    assert ("write", f"{place.top}/out/result") in [(r["how"], r["what"]) for r in rows]
    report = json.loads(place.blast("sandbox", "check", "--json").stdout)["enforcement"]["settings"]
    row = next(r for r in report if r["setting"] == "tracking")
    assert row["state"] == "advisory" and "C code" in row["reason"]
    assert [c["value"] for c in place.learned()["changes"]] == [f"{place.top}/data", f"{place.top}/out"]


def test_the_distribution_that_asked_is_named(project, index):
    outside = project.path.parent / "outside"
    outside.mkdir()
    (outside / "file").touch()
    index.add(make_wheel("demo-dist", "1.0", files={
        "demo_mod/__init__.py": "def look(p):\n    import json\n    try:\n        json.load(open(p))\n"
                                "    except (OSError, ValueError):\n        pass\n"}))
    project.require("demo-dist")
    project.write("blast.toml", TOML)
    project("sync", "--python", PYTHON)
    project("run", "--learn", "--", "python", "-c", f"import demo_mod; demo_mod.look('{outside}/file')")
    rows = json.loads(project("sandbox", "accesses", "--json").stdout)["accesses"]
    assert [r.get("by") for r in rows if r["what"] == f"{outside}/file"] == ["demo_dist"]


# ---------------------------------------------------------------- by system call, by fanotify


def tracking(place, how):
    (place.path / "blast.toml").write_text(
        TOML.replace("[security]", f'[sandbox.filesystem]\ntracking = "{how}"\n[security]'))
    report = json.loads(place.blast("sandbox", "check", "--json").stdout)["enforcement"]["settings"]
    return next(r for r in report if r["setting"] == "tracking")


def asked(place):
    rows = json.loads(place.blast("sandbox", "accesses", "--json").stdout)["accesses"]
    return {(r["how"], r["what"]) for r in rows}


def test_programs_of_any_kind_are_learned(place):
    """Neither a shell nor a call from C raises an event of Python."""
    place.run("--learn", "--", "sh", "-c", f"cat {place.top}/data/in.csv; echo x > {place.top}/out/new; true")
    assert [c["value"] for c in place.learned()["changes"]] == [f"{place.top}/data", f"{place.top}/out"]
    place.blast("sandbox", "forget")
    place.python(f"import ctypes; ctypes.CDLL(None).open(b'{place.top}/data/in.csv', 0)")
    assert [c["value"] for c in place.learned()["changes"]] == [f"{place.top}/data"]


def test_tracking_by_system_call_sees_what_is_refused_and_what_is_not(place):
    assert tracking(place, "syscall")["state"] == "hard"
    place.run("--", "sh", "-c", f"cat app.py > /dev/null; cat {place.top}/data/in.csv; mkdir made; true")
    seen = asked(place)
    assert {("read", f"{place.path}/app.py"), ("read", f"{place.top}/data/in.csv"),
            ("write", f"{place.path}/made")} <= seen
    assert any(how == "exec" and what.endswith("/cat") for how, what in seen)
    assert [d["what"] for d in place.events("denied")] == [f"{place.top}/data/in.csv"]


def test_what_cannot_be_told_is_counted(place):
    tracking(place, "syscall")
    place.python("import ctypes\nfor _ in range(3): assert ctypes.CDLL(None).open(ctypes.c_void_p(1), 0) == -1")
    rows = json.loads(place.blast("sandbox", "accesses", "--json").stdout)["accesses"]
    unread = [(r["what"], r["count"]) for r in rows if r["how"] == "unread"]
    assert unread == [("calls whose program could not be looked at", 3)]
    assert [(d["how"], d["count"]) for d in place.events("denied")] == [("unread", 3)]


def test_a_tracked_program_with_threads_and_children_works(place):
    tracking(place, "syscall")
    p = place.run("--", "python", "-c", """
import concurrent.futures as f, os, signal, subprocess, sys
signal.signal(signal.SIGALRM, lambda *_: None)
signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)  # an open never ends with EINTR
def one(n):
    for i in range(200):
        os.close(os.open("app.py", os.O_RDONLY))
    with open(f"thread-{n}", "w") as out:
        out.write("x")
    return subprocess.run(["/bin/true"]).returncode
with f.ThreadPoolExecutor(8) as pool:
    print(sum(pool.map(one, range(8))))
signal.setitimer(signal.ITIMER_REAL, 0)
""")
    assert p.stdout == "0\n"
    seen = asked(place)
    assert {("write", f"{place.path}/thread-{n}") for n in range(8)} <= seen
    rows = json.loads(place.blast("sandbox", "accesses", "--json").stdout)["accesses"]
    assert len([r for r in rows if r["what"] == f"{place.path}/app.py"]) == 1


def test_a_command_whose_tracker_is_killed_fails_and_does_not_hang(place):
    tracking(place, "syscall")
    drop = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"] if place.user == "nobody" else []
    p = subprocess.Popen([*drop, place.program, "run", "--no-sync", "--", "python", "-c",
                          "import sys; print('up', flush=True); sys.stdin.readline(); open('app.py')"],
                         cwd=place.path, env=place.env, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                         stderr=subprocess.PIPE, text=True)
    assert p.stdout.readline() == "up\n"
    trackers = [int(d) for d in os.listdir("/proc") if d.isdigit() and is_tracker_of(int(d), place)]
    assert len(trackers) == 1, trackers
    os.kill(trackers[0], 9)
    _, err = p.communicate("\n", timeout=TIMEOUT)
    assert p.returncode == 1 and "Function not implemented" in err, err
    assert ("unread", "calls of a command whose tracker did not come to its end") in asked(place)


def is_tracker_of(pid, place):
    """A process blast-track below the keeper of this place's sandbox."""
    try:
        if Path(f"/proc/{pid}/comm").read_text() != "blast-track\n":
            return False
        while pid > 1:
            if str(place.path) in Path(f"/proc/{pid}/cmdline").read_text():
                return True
            pid = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        pass
    return False


def test_fanotify_is_for_root_and_sees_what_was_opened(place):
    row = tracking(place, "fanotify")
    if place.user != "root":
        assert row["state"] == "not enforced" and "root" in row["reason"] and "syscall" in row["help"]
        return
    assert row["state"] == "hard", row
    place.run("--", "sh", "-c", f"cat app.py > /dev/null; cat {place.top}/data/in.csv; echo x > made; true")
    seen = asked(place)
    assert {("read", f"{place.path}/app.py"), ("write", f"{place.path}/made")} <= seen
    assert ("read", f"{place.top}/data/in.csv") not in seen, "nothing was opened"
    assert any(how == "exec" and what.endswith("/cat") for how, what in seen)


@pytest.mark.parametrize("level", ["process", "container"])
def test_other_levels_are_tracked_too(place, level):
    tracking(place, "syscall")
    env = {"BLAST_CONTAINER_ISOLATION_LEVEL": level, "BLAST_SECURITY_DEFAULT_POLICY": "permissive"}
    place.run("--", "sh", "-c", f"cat {place.top}/data/in.csv; true", env=env)
    assert ("read", f"{place.top}/data/in.csv") in asked(place)


# ---------------------------------------------------------------- network


CONNECTS = """
import socket, sys
failed = 0
for host, port in (("good.test", 80), ("other.test", 80), ("good.test", 9000), ("203.0.113.7", 80),
                   ("169.254.169.254", 80), ("10.9.9.9", 80)):
    try:
        with socket.create_connection((host, port), 10) as s:
            if port == 80:
                s.sendall(b"GET / HTTP/1.1\\r\\nHost: %s\\r\\n\\r\\n" % host.encode())
            else:
                s.sendall(b"x")
                s.shutdown(socket.SHUT_WR)
            if not s.recv(100):
                raise OSError("nothing came")
    except OSError as e:
        print(host, port, e)
        failed += 1
sys.exit(failed)
"""


@pytest.mark.parametrize("user", ["root", "nobody"])
def test_names_addresses_and_ports_are_learned(program, world, user):  # noqa: F811
    cell = Cell(program, world, user)
    for name in ("DOMAINS", "OUTBOUND_PORTS"):
        del cell.env[f"BLAST_SANDBOX_NETWORK_ALLOWED_{name}"]
    (cell.path / "connects.py").write_text(CONNECTS)
    (cell.path / "blast.toml").write_text("""[env]
[container]
[sandbox]
[sandbox.network]
allowed_domains = [
    "good.test", # theirs
]
[security]
[sync]
""")
    trust = cell.blast("trust", "--yes")
    assert trust.returncode == 0, trust.stderr
    p = cell.blast("run", "--no-sync", "--learn", "--", "python", "connects.py")
    assert p.returncode == 5, p.stdout + p.stderr
    said = json.loads(cell.blast("sandbox", "learned", "--json").stdout)
    assert [(c["key"].rpartition(".")[2], c["value"]) for c in said["changes"]] == [
        ("allowed_outbound_ports", "9000"), ("allowed_domains", "other.test"), ("allowed_ips", "203.0.113.7")]
    assert {k["what"] for k in said["not_proposed"]} == {"169.254.169.254:80", "10.9.9.9:80"}
    p = cell.blast("sandbox", "learned", "--apply")
    assert p.returncode == 0, p.stderr
    assert '    "good.test", # theirs\n    "other.test",\n' in (cell.path / "blast.toml").read_text()
    p = cell.blast("run", "--no-sync", "--", "python", "connects.py")
    assert p.returncode == 2, p.stdout + p.stderr
    shutil.rmtree(cell.top, ignore_errors=True)
