"""The daemon: started once however many ask, never in the way, and not to be moved by bad clients.

The client here knows only docs/wire.md and docs/wire.schema.json; it is the second implementation of the protocol.
"""
import contextlib
import json
import os
import pty
import shutil
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from conftest import sanitized

ROOT = Path(__file__).resolve().parents[2]
SCHEMA = json.loads((ROOT / "docs/wire.schema.json").read_text())
PATIENCE = 30  # seconds until a condition that must come is taken for lost


def until(condition, what):
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.01)
    pytest.fail(f"{what}: not within {PATIENCE} s")


def conform(value, schema, where="line"):
    """The part of JSON Schema that docs/wire.schema.json uses."""
    if "$ref" in schema:
        return conform(value, SCHEMA["$defs"][schema["$ref"].removeprefix("#/$defs/")], where)
    for word in ("anyOf", "oneOf"):
        if word in schema:
            errors = []
            for option in schema[word]:
                try:
                    return conform(value, option, where)
                except AssertionError as e:
                    errors.append(str(e))
            raise AssertionError(f"{where}: {value!r} fits nothing: {errors}")
    assert "const" not in schema or value == schema["const"], f"{where}: {value!r} is not {schema['const']!r}"
    assert "enum" not in schema or value in schema["enum"], f"{where}: {value!r} is none of {schema['enum']}"
    kinds = {"object": dict, "array": list, "string": str, "boolean": bool, "integer": int, "null": type(None)}
    kind = kinds.get(schema.get("type"))
    assert kind is None or (isinstance(value, kind) and (kind is bool) == isinstance(value, bool)), \
        f"{where}: {value!r} is no {schema['type']}"
    if isinstance(value, int) and not isinstance(value, bool):
        assert schema.get("minimum", value) <= value <= schema.get("maximum", value), f"{where}: {value} is out of range"
    for name in schema.get("required", []):
        assert name in value, f"{where}: {name} is missing in {value}"
    for name, part in schema.get("properties", {}).items():
        if isinstance(value, dict) and name in value:
            conform(value[name], part, f"{where}.{name}")
    for i, item in enumerate(value if isinstance(value, list) and "items" in schema else []):
        conform(item, schema["items"], f"{where}[{i}]")


class Fault(Exception):
    def __init__(self, error):
        super().__init__(f"{error['code']}: {error['message']}")
        self.code, self.message = error["code"], error["message"]


class Client:
    """As docs/wire.md says. Every line that comes is held against the schema."""

    def __init__(self, state, proto=1, hello=True):
        path = json.loads((state / "daemon.lock").read_text())["socket"]
        self.socket = socket.socket(socket.AF_UNIX)
        with short(path) as name:
            self.socket.connect(name)
        self.socket.settimeout(PATIENCE)  # only now: without blocking a full backlog would be an error
        self.lines = self.socket.makefile("rb")
        self.id = 0
        if hello:
            self.send({"hello": {"proto": proto, "build": "test", "pid": os.getpid()}})
        self.hello = self.read()["hello"]

    def send(self, value):
        self.socket.sendall(value if isinstance(value, bytes) else json.dumps(value).encode() + b"\n")

    def read(self):
        """The next line, or None when the daemon closed the connection."""
        try:
            line = self.lines.readline()
        except ConnectionResetError:
            return None
        if not line:
            return None
        assert line.endswith(b"\n") and len(line) <= 1 << 20, line[:100]
        value = json.loads(line)
        conform(value, SCHEMA["$defs"]["answer"])
        return value

    def ask(self, method, **params):
        self.id += 1
        self.send({"id": self.id, "method": method, "params": params})
        return self.id

    def call(self, method, **params):
        number = self.ask(method, **params)
        while True:
            answer = self.read()
            assert answer is not None, f"closed before the answer to {method}"
            if answer["id"] != number or "event" in answer:
                continue
            if "error" in answer:
                raise Fault(answer["error"])
            conform(answer["result"], SCHEMA["$defs"][f"result {method}"], method)
            return answer["result"]

    def event(self, kind):
        while True:
            line = self.read()
            assert line is not None, f"closed before a {kind} event"
            if "event" in line and line["event"]["type"] == kind:
                return line["event"]

    def close(self):
        self.lines.close()
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Daemon:
    def __init__(self, blast):
        self.blast = blast
        blast.env.pop("BLAST_NO_DAEMON")
        self.home = Path(blast.env["BLAST_HOME"])
        self.program = blast.program.parent / "blastd"

    @property
    def state(self):
        return self.home / "state"

    def __call__(self, *words, **more):
        return self.blast("daemon", *words, **more)

    def start(self, **env):
        self("start", env=env)
        return self.pid

    @property
    def pid(self):
        return json.loads((self.state / "daemon.lock").read_text())["pid"]

    def client(self, **more):
        return Client(self.state, **more)

    def runs(self):
        return self("status", "--json").json["running"]

    def log(self):
        path = self.state / "log/daemon.jsonl"
        return path.read_text() if path.exists() else ""


def activated(daemon, listener, **env):
    """What systemd does: the listening socket as descriptor 3, and LISTEN_PID."""
    fd = listener.fileno()
    hand_over = ("import os, sys; os.dup2(int(sys.argv[1]), 3); os.environ['LISTEN_PID'] = str(os.getpid()); "
                 "os.execv(sys.argv[2], sys.argv[2:])")
    return subprocess.Popen([sys.executable, "-c", hand_over, str(fd), daemon.program], pass_fds=[fd],
                            stdin=subprocess.DEVNULL, env={**daemon.blast.env, "LISTEN_FDS": "1", **env})


@contextlib.contextmanager
def short(path):
    """Another name of a path in a folder, for sockets: theirs have 107 bytes at most."""
    folder = os.open(os.path.dirname(path), os.O_PATH | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{folder}/{os.path.basename(path)}"
    finally:
        os.close(folder)


def alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


@pytest.fixture
def daemon(blast):
    if not (blast.program.parent / "blastd").exists():
        pytest.skip("blastd is not built beside blast")
    d = Daemon(blast)
    yield d
    for lock in d.home.parent.rglob("daemon.lock"):
        text = lock.read_text()
        pid = json.loads(text)["pid"] if text else 0
        if pid and alive(pid) and "blastd" in Path(f"/proc/{pid}/cmdline").read_text():
            os.kill(pid, signal.SIGKILL)
    assert "Sanitizer" not in d.log()


@pytest.fixture
def folder(blast):
    path = blast.cwd / "p"
    path.mkdir()
    return str(path)


# Starting and stopping


def test_starts_answers_and_stops(daemon):
    assert daemon("status").stdout.startswith("no daemon runs")
    assert "started the daemon" in daemon("start").stderr
    pid = daemon.pid
    status = daemon("status", "--json").json["status"]
    assert status["pid"] == pid and status["state"] == "running" and status["doing"] == "nothing"
    assert stat.S_IMODE(os.stat(status["socket"]).st_mode) == 0o600
    assert stat.S_IMODE(os.stat(os.path.dirname(status["socket"])).st_mode) == 0o700
    assert f"the daemon runs already, pid {pid}" in daemon("start").stderr
    daemon("stop")
    assert not alive(pid), "stop came back before the end"
    assert not os.path.exists(status["socket"])
    assert "no daemon runs" in daemon("stop").stderr


def test_many_who_start_at_once_get_one_daemon(daemon):
    runs = [daemon.blast.start("daemon", "start", "--json") for _ in range(12)]
    results = [(p, *p.communicate(timeout=PATIENCE)) for p in runs]
    for p, out, err in results:
        assert p.returncode == 0, err
    assert {json.loads(out)["status"]["pid"] for _, out, _ in results} == {daemon.pid}
    assert daemon.log().count("listens on") == 1


def test_the_daemon_holds_nothing_of_its_starter(daemon):
    pid = daemon.start(VIRTUAL_ENV="/v", PYTHONPATH="/x", SECRET="s")
    env = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    names = {v.split(b"=")[0] for v in env}
    assert not names & {b"VIRTUAL_ENV", b"PYTHONPATH", b"SECRET", b"BLAST_NO_DAEMON"}
    assert os.readlink(f"/proc/{pid}/cwd") == "/"
    assert os.getsid(pid) != os.getsid(0)
    assert {os.readlink(f"/proc/{pid}/fd/{n}") for n in (0, 1, 2)} == {"/dev/null"}


def test_a_killed_daemon_blocks_nobody(daemon, folder):
    pid = daemon.start()
    with daemon.client() as c:
        c.call("project.add", path=folder, always=True)
        c.call("session.begin", path=folder, pid=os.getpid())
    os.kill(pid, signal.SIGKILL)
    until(lambda: not alive(pid), "the end of the daemon")
    assert (daemon.state / "daemon/daemon.sock").exists(), "nothing stale is left to be found"
    assert not daemon.runs()
    assert daemon.start() != pid
    with daemon.client() as c:
        project = c.call("project.status", path=folder)["project"]
        assert project["always"] and project["sessions"] == 1
        assert c.call("status")["sessions"] == 1


def test_a_lock_file_without_lock_says_nothing(daemon):
    """A pid in it may be anybody's by now: here it is ours, with the right start time."""
    daemon.state.mkdir(parents=True)
    start = Path("/proc/self/stat").read_text().rsplit(")", 1)[1].split()[19]
    (daemon.state / "daemon.lock").write_text(json.dumps({"socket": "/nowhere", "pid": os.getpid(), "start": int(start),
                                                          "namespace": os.readlink("/proc/self/ns/pid")}))
    told = []
    before = signal.signal(signal.SIGHUP, lambda *_: told.append(1))
    try:
        assert daemon.start() != os.getpid()
    finally:
        signal.signal(signal.SIGHUP, before)
    assert not told


def test_a_daemon_that_lost_its_socket_makes_way(daemon):
    pid = daemon.start()
    os.unlink(daemon.state / "daemon/daemon.sock")
    assert daemon.start() != pid
    until(lambda: not alive(pid), "the end of the first daemon")
    assert daemon.runs()


def test_a_daemon_leaves_the_socket_of_another_alone(daemon):
    pid = daemon.start()
    path = daemon.state / "daemon/daemon.sock"
    path.rename(path.with_suffix(".old"))
    other = socket.socket(socket.AF_UNIX)
    with short(path) as name:
        other.bind(name)
    os.kill(pid, signal.SIGTERM)
    until(lambda: not alive(pid), "the end of the daemon")
    assert path.exists()


def test_is_not_started_by_itself_off_a_terminal(daemon, project):
    project("status")
    project("run", "--no-sync", "true", code=None)
    assert not (daemon.state / "daemon.lock").exists()


@pytest.mark.parametrize("variable", [{}, {"CI": "true"}, {"BLAST_NO_DAEMON": "1"}])
def test_start_on_a_terminal_begins_a_session(daemon, project, pythons, variable):
    """There a daemon is started, but not with CI set, and not where it is switched off."""
    master, slave = pty.openpty()
    p = subprocess.Popen([daemon.blast.program, "start", "--subshell"], cwd=project.path, stdin=slave, stdout=slave,
                         stderr=slave, start_new_session=True, env={**daemon.blast.env, "SHELL": "/bin/sh", **variable})
    os.close(slave)
    said = b""
    os.write(master, b"echo in-$((40+2))-shell\n")
    end = time.monotonic() + 2 * PATIENCE
    while b"in-42-shell" not in said:
        assert time.monotonic() < end, said
        try:
            said += os.read(master, 65536)
        except OSError:
            break
    assert b"in-42-shell" in said, said
    if variable:
        assert not (daemon.state / "daemon.lock").exists(), said
    else:
        with daemon.client() as c:
            [listed] = c.call("project.list")["projects"]
            assert listed["path"] == str(project.path) and listed["sessions"] == 1
    os.write(master, b"exit\n")
    until(lambda: p.poll() is not None, "the end of the shell")
    os.close(master)
    if not variable:
        with daemon.client() as c:
            until(lambda: c.call("project.list")["projects"][0]["sessions"] == 0, "the end of the session")


def test_no_daemon_is_refused_by_start(daemon):
    assert "switched off" in daemon("start", "--no-daemon", code=2).stderr
    assert "switched off" in daemon("start", env={"BLAST_NO_DAEMON": "1"}, code=2).stderr


def test_says_how_to_mend_a_directory_that_is_open_to_others(daemon):
    own = daemon.state / "daemon"
    own.mkdir(parents=True)
    own.chmod(0o755)
    assert f"chmod 700 '{own}'" in daemon("start", code=1).stderr
    own.rmdir()
    own.symlink_to("/tmp")
    assert "is a link, not a directory" in daemon("start", code=1).stderr


def test_root_stays_out_of_a_users_home(daemon):
    if os.geteuid() != 0:
        pytest.skip("only root can try")
    daemon.home.mkdir()
    os.chown(daemon.home, 65534, 65534)
    r = daemon("start", code=1)
    assert f"'{daemon.home}' belongs to uid 65534, and this is root" in r.stderr and "without sudo" in r.stderr


def test_a_long_path_is_no_obstacle(daemon):
    daemon.home = daemon.home / ("d" * 60) / ("e" * 60)
    daemon.blast.env["BLAST_HOME"] = str(daemon.home)
    daemon.start()
    with daemon.client() as c:
        assert len(c.call("status")["socket"]) > 108
    daemon("stop")


def test_blast_itself_does_without_the_event_loop(daemon):
    if not shutil.which("readelf"):
        pytest.skip("readelf is not here")
    def needed(program):
        return subprocess.run(["readelf", "-d", program], capture_output=True, text=True, check=True).stdout
    assert "libuv" not in needed(daemon.blast.program)
    for library in ("libcurl", "libcrypto", "libisal"):
        assert library not in needed(daemon.program)


# The protocol


def test_every_method_answers_as_the_schema_says(daemon, folder):
    daemon.start()
    with daemon.client() as c:
        assert c.hello["proto"] == 1 and c.hello["pid"] == daemon.pid
        assert c.call("project.add", path=folder)["project"]["path"] == folder
        assert c.call("session.begin", path=folder, pid=os.getpid())["session"]
        assert [p["path"] for p in c.call("project.list")["projects"]] == [folder]
        assert c.call("foreground", path=folder, pid=os.getpid()) == {"granted": True}
        job = c.call("job.submit", path=folder, verb="check", reason="test")["job"]
        assert job in [j["job"] for j in c.call("job.list")["jobs"]]
        assert c.call("job.cancel", job=job) == {"cancelled": True}
        assert c.call("import.missing", path=folder, name="yaml", file="a.py", line=3) == {"accepted": True}
        assert c.call("metrics")["text"].endswith("# EOF\n")
        assert c.call("session.end", path=folder, pid=os.getpid()) == {"ended": True}
        assert c.call("drain") == {"reexec": False}
        assert c.call("project.remove", path=folder) == {"removed": True}
        assert c.call("stop") == {"stopped": True}
        assert c.read() is None


@pytest.mark.parametrize("method, params, code", [
    ("project.sell", {}, "method"), ("project.add", {}, "params"), ("project.add", {"path": "relative"}, "params"),
    ("project.status", {"path": "/no/such"}, "unknown"), ("job.submit", {"path": "/no/such", "verb": "sync"}, "unknown"),
    ("session.begin", {"path": "/p", "pid": 2147483647}, "unknown"), ("job.submit", {"path": "/p", "verb": "rm"}, "params"),
])
def test_faults_have_codes(daemon, method, params, code):
    daemon.start()
    with daemon.client() as c:
        with pytest.raises(Fault) as e:
            c.call(method, **params)
        assert e.value.code == code, e.value
        assert c.call("status")["state"] == "running"


def test_a_job_with_wait_gets_its_result(daemon, folder):
    daemon.start()
    with daemon.client() as c:
        c.call("project.add", path=folder)
        r = c.call("job.submit", path=folder, verb="check", priority="foreground", wait=True)
        assert r["state"] in ("done", "failed")


def test_another_protocol_only_gets_what_lasts(daemon):
    daemon.start()
    for c in (daemon.client(proto=999), daemon.client(hello=False)):
        with c:
            with pytest.raises(Fault) as e:
                c.call("project.list")
            assert e.value.code == "version"
            assert c.call("status")["pid"] == daemon.pid
            assert c.call("drain") == {"reexec": False}


def test_one_who_only_shuts_the_sending_side_gets_the_answers(daemon):
    daemon.start()
    with daemon.client() as c:
        c.ask("status")
        c.ask("project.list")
        c.socket.shutdown(socket.SHUT_WR)
        assert "result" in c.read() and "result" in c.read() and c.read() is None


def test_sessions_end_with_their_process(daemon, folder):
    daemon.start()
    shell = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    with daemon.client() as watcher, daemon.client() as c:
        watcher.ask("subscribe", path=folder)
        c.call("status")
        c.call("session.begin", path=folder, pid=shell.pid)
        assert watcher.event("session")["state"] == "begun"
        shell.kill()
        shell.wait()
        ended = watcher.event("session")
        assert ended["state"] == "ended" and ended["pid"] == shell.pid
        assert c.call("project.status", path=folder)["project"]["sessions"] == 0


def test_a_command_of_the_user_comes_first(daemon, project):
    """It says so to the daemon, and the word is taken back when it ends."""
    daemon.start()
    project("run", "--no-sync", "true", code=None)
    project("sync", code=None)
    project("list", code=None)
    with daemon.client() as c:
        text = c.call("metrics")["text"]
        assert 'requests_total{method="foreground"} 2\n' in text
        until(lambda: c.call("status")["connections"] == 1, "the end of what the commands held")


def test_every_method_of_the_schema_was_asked_here():
    methods = {key.removeprefix("result ") for key in SCHEMA["$defs"] if key.startswith("result ")}
    source = Path(__file__).read_text()
    missing = [m for m in methods if f'"{m}"' not in source]
    assert not missing


# Bad clients


@pytest.mark.parametrize("bytes_, code", [
    (b"GET / HTTP/1.1\r\n", "parse"), (b"\0\0\0\n", "parse"), (b"[" * 1000 + b"\n", "parse"), (b'{"id":1}\n', "parse"),
    (b"\xff\xfe\n", "parse"), (b"x" * (1 << 20) + b"\n", "too-long"),
])
def test_garbage_gets_an_error_and_the_door(daemon, bytes_, code):
    daemon.start()
    with daemon.client() as c, daemon.client() as other:
        try:
            c.send(bytes_)
        except (BrokenPipeError, ConnectionResetError):
            pass  # the door came first
        answer = c.read()
        assert answer["error"]["code"] == code, answer
        assert c.read() is None
        assert other.call("status")["state"] == "running"


def figure(client, name):
    for line in client.call("metrics")["text"].splitlines():
        if line.startswith(f"blast_daemon_{name} "):
            return int(line.split()[1])
    raise AssertionError(f"no figure {name}")


def test_half_lines_from_many_do_not_make_it_grow(daemon):
    daemon.start()
    half = b'{"id":1,"method":"' + b"x" * (400 << 10)
    peers = [daemon.client() for _ in range(60)]
    for p in peers:
        p.socket.setblocking(False)
        rest = memoryview(half)
        end = time.monotonic() + PATIENCE
        while rest and time.monotonic() < end:
            try:
                rest = rest[p.socket.send(rest):]
            except BlockingIOError:
                time.sleep(0.001)
            except (BrokenPipeError, ConnectionResetError):
                break  # the bound was passed, and it was the largest
    with daemon.client() as c:
        assert figure(c, "buffer_bytes") <= 16 << 20
        assert figure(c, "dropped_total") > 0
    for p in peers:
        p.close()


def test_a_thousand_connections_keep_nobody_out(daemon):
    daemon.start()
    silent, state = [], json.loads((daemon.state / "daemon.lock").read_text())["socket"]
    for _ in range(900):
        s = socket.socket(socket.AF_UNIX)
        with short(state) as name:
            s.connect(name)
        silent.append(s)
    with daemon.client() as c:
        status = c.call("status")
        assert status["connections"] <= 256
        assert figure(c, "evicted_total") > 0
    for s in silent:
        s.close()


def test_a_full_house_says_so(daemon, folder):
    """Connections with work of their own are not closed for new ones."""
    daemon.start()
    busy = []
    for i in range(256):
        c = daemon.client()
        c.ask("subscribe")
        busy.append(c)
    until(lambda: '"busy"' in json.dumps(probe(daemon)), "a refusal")
    busy.pop().close()
    until(lambda: "state" in probe(daemon), "an answer once there is room")
    for c in busy:
        c.close()


def probe(daemon):
    c = None
    try:
        c = daemon.client()
        return c.call("status")
    except Fault as e:
        return {"code": e.code}
    except (AssertionError, BrokenPipeError, ConnectionResetError, TypeError):
        line = c.read() if c else None
        return {"code": "busy"} if line is None or line.get("error", {}).get("code") == "busy" else line
    finally:
        if c:
            c.close()


def test_a_slow_subscriber_is_dropped_with_a_notice(daemon, blast):
    deep = blast.cwd / ("a" * 200) / ("b" * 200) / ("c" * 200) / ("d" * 200)
    deep.mkdir(parents=True)
    daemon.start()
    with daemon.client() as slow, daemon.client() as c:
        slow.ask("subscribe")
        slow_socket = slow.socket
        slow_socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        c.call("status")
        end = time.monotonic() + PATIENCE
        while figure(c, "dropped_total") == 0:
            assert time.monotonic() < end, "never dropped"
            for _ in range(50):
                c.call("session.begin", path=str(deep), pid=os.getpid())
                c.call("session.end", path=str(deep), pid=os.getpid())
        assert figure(c, "buffer_bytes") < 1 << 20
        lines = []
        while (line := slow.read()) is not None:
            lines.append(line["event"]["type"])
        assert lines[-1] == "dropped", lines[-3:]


def test_a_hundred_at_once_lose_nothing(daemon, blast):
    """Each registers projects of its own and asks for them; bench/daemon-load has the figures for a thousand."""
    daemon.start()
    errors, gate = [], threading.Barrier(100)

    def one(n):
        try:
            gate.wait(PATIENCE)
            with daemon.client() as c:
                for i in range(3):
                    path = blast.cwd / f"p{n}-{i}"
                    path.mkdir()
                    c.call("project.add", path=str(path))
                    assert c.call("project.status", path=str(path))["project"]["path"] == str(path)
        except BaseException as e:  # pytest.fail() too: it is the main thread's to tell
            errors.append(repr(e))

    threads = [threading.Thread(target=one, args=(n,)) for n in range(100)]
    for t in threads:
        t.start()
    for t in threads:
        t.join(PATIENCE)
    assert not errors, errors[:3]
    with daemon.client() as c:
        assert len(c.call("project.list")["projects"]) == 300


def test_one_who_does_not_read_answers_is_not_read_from(daemon):
    daemon.start()
    with daemon.client() as deaf, daemon.client() as c:
        deaf.socket.setblocking(False)
        request = json.dumps({"id": 1, "method": "metrics", "params": {}}).encode() + b"\n"
        sent = 0
        with pytest.raises(BlockingIOError):
            while sent < 64 << 20:
                sent += deaf.socket.send(request * 100)
        assert c.call("status")["state"] == "running"
        assert figure(c, "buffer_bytes") < 4 << 20


# Living and dying


def test_ends_when_nobody_needs_it(daemon, folder):
    pid = daemon.start(BLAST_DAEMON_IDLE_MS="300")
    until(lambda: not alive(pid), "the end of an idle daemon")
    assert not (daemon.state / "daemon/daemon.sock").exists()
    assert "nobody has needed it" in daemon.log()
    daemon.start()
    with daemon.client() as c:
        c.call("project.add", path=folder, always=True)
        until(lambda: not c.call("job.list")["jobs"], "the first look at the project")
    daemon("stop")
    pid = daemon.start(BLAST_DAEMON_IDLE_MS="300")  # has the project from the beginning
    end = time.monotonic() + 1.5
    while time.monotonic() < end:
        assert alive(pid), "it ended although a project is always watched"
        time.sleep(0.05)


def test_one_who_only_looks_on_keeps_it(daemon):
    """The client is there before the daemon, in the backlog; a daemon that does not see it ends within a millisecond."""
    path = daemon.blast.cwd / "s"
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen()
    onlooker = socket.socket(socket.AF_UNIX)
    onlooker.connect(str(path))
    onlooker.settimeout(PATIENCE)
    with onlooker, onlooker.makefile("rw") as lines:
        p = activated(daemon, listener, BLAST_DAEMON_IDLE_MS="1")
        for i in range(1000):
            lines.write(json.dumps({"id": i, "method": "status", "params": {}}) + "\n")
            lines.flush()
            line = lines.readline()
            assert line, f"it ended before request {i}"
    assert p.wait(PATIENCE) == 0
    assert "nobody has needed it" in daemon.log()


def test_sleeps_when_there_is_nothing_to_do(daemon, blast):
    """Not one wake-up in the window: no timer, no polling. The figure over 60 s is bench/daemon-load's."""
    pid = daemon.start()
    with daemon.client() as c:
        for i in range(20):
            path = blast.cwd / f"project {i}"
            path.mkdir()
            (path / "pyproject.toml").write_text('[project]\nname = "a"\nversion = "1"\n')
            c.call("project.add", path=str(path), always=True)
        until(lambda: not c.call("job.list")["jobs"], "the first look at the projects")
        watches = figure(c, "watches")

    def switches():
        text = Path(f"/proc/{pid}/status").read_text()
        return [int(line.split()[1]) for line in text.splitlines() if line.startswith("voluntary_ctxt")][0]

    def still():
        before = switches()
        time.sleep(0.3)
        return switches() == before

    until(still, "rest after the work")
    before, cpu = switches(), Path(f"/proc/{pid}/schedstat").read_text().split()[0]
    time.sleep(3)
    assert switches() == before and Path(f"/proc/{pid}/schedstat").read_text().split()[0] == cpu
    rss = next(int(line.split()[1]) for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmRSS"))
    print(f"\nRSS with 20 projects, {watches} watches: {rss} kB")
    if sanitized(daemon.program):
        pytest.skip(f"the sanitizer's own memory is counted too: {rss} kB; wake-ups were checked")
    assert rss < 4096


def test_sigterm_puts_everything_away(daemon, folder):
    pid = daemon.start()
    with daemon.client() as watcher:
        watcher.ask("subscribe")
        watcher.call("status")
        os.kill(pid, signal.SIGTERM)
        assert watcher.event("goodbye")["reason"] == "stop"
        assert watcher.read() is None
    until(lambda: not alive(pid), "the end of the daemon")
    assert not (daemon.state / "daemon/daemon.sock").exists()
    assert json.loads(daemon.log().splitlines()[-1])["text"] == "ended"


def test_a_crash_leaves_a_report(daemon):
    pid = daemon.start()
    os.kill(pid, signal.SIGSEGV)
    until(lambda: not alive(pid), "the end of the daemon")
    [report] = (daemon.state / "crash").iterdir()
    text = report.read_text(errors="replace")
    assert f"pid {pid}\n" in text and f"signal {signal.SIGSEGV.value}\n" in text and f"sent by {os.getpid()}" in text
    assert "blastd" in text and "listens on" in text
    assert daemon.start() != pid
    found = [f["text"] for f in daemon.blast("doctor", "--json", code=None).json["findings"] if f["about"] == "daemon"]
    assert any(str(report) in f for f in found) and any(f"runs, pid {daemon.pid}" in f for f in found), found


def test_becomes_the_program_that_replaced_it(daemon, folder):
    own = daemon.blast.cwd / "bin"
    own.mkdir()
    for name in ("blast", "blastd"):
        shutil.copy2(daemon.blast.program.parent / name, own / name)
    daemon.blast.program = own / "blast"
    pid = daemon.start()

    def begun():
        return daemon.log().count("listens on")

    with daemon.client() as c:
        c.call("project.add", path=folder)
        c.ask("subscribe")
        shutil.copy2(own / "blastd", own / "new")
        os.rename(own / "new", own / "blastd")
        assert c.event("goodbye")["reason"] == "upgrade"
        assert c.read() is None
    until(lambda: begun() == 2, "the new program")
    assert daemon.pid == pid and alive(pid), "the process is the same one"
    with daemon.client() as c:
        assert [p["path"] for p in c.call("project.list")["projects"]] == [folder]
        c.call("foreground", path=folder, pid=os.getpid())  # it does not do so of its own accord before it is asked
        shutil.copy2(own / "blastd", own / "new")
        os.rename(own / "new", own / "blastd")
        assert c.call("drain") == {"reexec": True}
        assert c.read() is None
    with daemon.client() as c:  # waits in the backlog if need be
        assert c.call("status")["pid"] == pid
    assert begun() == 3
    daemon("stop")
    assert not alive(pid)


def test_the_log_is_rotated(daemon):
    daemon.start()
    daemon("stop")
    log = daemon.state / "log/daemon.jsonl"
    line = log.read_text().splitlines()[0]
    log.write_text((line + "\n") * (2 * (1 << 20) // (len(line) + 1)))
    daemon.start()
    daemon("stop")
    names = sorted(p.name for p in (daemon.state / "log").iterdir())
    assert names == ["daemon.jsonl", "daemon.jsonl.1"]
    assert log.stat().st_size < 4096
    assert "ended" in daemon("logs").stdout


def test_the_service_manager_can_start_it(daemon, tmp_path):
    """And gets word when it is ready."""
    path, notify_path = tmp_path / "s", tmp_path / "n"
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen()
    notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    notify.bind(str(notify_path))
    notify.settimeout(PATIENCE)
    p = activated(daemon, listener, NOTIFY_SOCKET=str(notify_path))
    try:
        assert notify.recv(100) == b"READY=1"
        with daemon.client() as c:
            status = c.call("status")
            assert status["activated"] and status["socket"] == str(path) and status["pid"] == p.pid
        daemon("stop")
        assert notify.recv(100) == b"STOPPING=1"
        assert p.wait(PATIENCE) == 0
        assert path.exists(), "the name is the service manager's"
    finally:
        p.kill()
        p.wait()


def test_the_units_are_those_of_the_tree(daemon):
    text = daemon("install", "--dry-run").stdout
    assert (ROOT / "data/systemd/blast.socket").read_text() in text
    assert (ROOT / "data/systemd/blast.service.in").read_text().replace("@BLASTD@", str(daemon.program)) in text
