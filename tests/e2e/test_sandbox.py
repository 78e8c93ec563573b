"""The sandbox: what gets out of it, what still works in it, what is said about it.

Every refusal has a control: the same attempt outside, as the same user, which succeeds. Else a missing tool would pass.
"""
import ctypes
import fcntl
import json
import os
import pty
import re
import select
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import termios
import time
from pathlib import Path

import pytest

import cells

HERE = Path(__file__).parent
SECRETS = (".netrc", ".aws/credentials", ".git-credentials", ".bash_history", ".docker/config.json", ".config/gh/hosts.yml",
           ".local/share/keyrings/login.keyring", ".mozilla/firefox/x/logins.json", ".gnupg/private-keys-v1.d/x.key")
NOBODY = 65534
LEVELS = ("process", "namespace", "container")
USERS = ("root", "nobody") if os.geteuid() == 0 else ("self",)
PYTHON = "/usr/bin/python3"
TIMEOUT = 90
TOML = ('[env]\n[container]\nisolation_level = "container"\nnetwork_policy = "isolated"\n[sandbox]\n'
        '[security]\n[sync]\n')

# What must fail inside though it works outside, by what is allowed to be the answer. "-": works at that level.
BLOCKED = {
    "write_readonly": "EROFS EACCES", "write_environment": {"container": "-", "": "EROFS EACCES"},
    "read_outside": "ENOENT EACCES", "read_home": "ENOENT EACCES",
    "read_denied": "EACCES", "read_denied_file": "EACCES", "read_denied_slashes": "EACCES", "read_denied_link": "EACCES",
    "read_denied_by_root": "EACCES ENOENT", "read_denied_by_cwd": "EACCES ENOENT",
    "read_hidden": "EACCES", "list_hidden": {"process": "-", "": "EACCES"}, "uncover_by_chmod": "EROFS EACCES EPERM",
    "uncover_by_rename": "EBUSY EACCES EXDEV", "climb": "ENOENT EACCES", "inherited_descriptor": "EBADF",
    "see_host_process": {"process": "-", "": "ESRCH"}, "signal_host_process": "ESRCH EPERM",
    "read_host_environment": "ENOENT EACCES EPERM", "ptrace": "EPERM", "read_memory": "EPERM",
    "new_user_namespace": "EPERM", "new_net_namespace": "EPERM", "key_ring": "EPERM", "new_key": "EPERM",
    "io_uring": "EPERM", "user_faults": "EPERM", "compare_processes": "EPERM", "personality": "EPERM",
    "file_handle": "EPERM", "i386_call": "signal 31", "host_tcp": "ECONNREFUSED EACCES",
    "host_abstract": "ECONNREFUSED EACCES", "host_path_socket": "ECONNREFUSED EACCES",
    "host_project_socket": "ECONNREFUSED EACCES", "internet": "ENETUNREACH EACCES", "mptcp": "EPROTONOSUPPORT",
    "kernel_crypto": "EAFNOSUPPORT", "vsock": "EAFNOSUPPORT", "uevents": "EPROTONOSUPPORT",
    "read_denied_by_parent": "EACCES EBUSY EXDEV", "move_parent_of_denied": "EACCES EBUSY EXDEV",
    "redirect_layer": {"process": "-", "": "EROFS"}, "read_other_secrets": "ENOENT EACCES", "write_audit_log": "ENOENT EACCES EROFS",
    "write_interpreter": {"container": "-", "": "EROFS EACCES"},
    "write_start_up_code": {"container": "-", "": "EROFS EACCES"},
    "make_setuid": "EPERM", "make_setuid_by_descriptor": "EPERM", "make_setuid_by_open": "EPERM",
    "make_setuid_by_openat2": "ENOSYS", "make_setuid_by_mknod": "EPERM", "make_setuid_by_fchmodat2": "EPERM",
    "open_host_namespace": "ENOENT EACCES EPERM", "limit_host_process": "ESRCH EPERM", "take_descriptor": "EPERM",
    "leave_core": "ENODATA", "secret_of_own": "ENODATA", "make_in_denied": "EACCES",
    "new_user_namespace_by_clone": "EPERM", "host_agent_socket": "ENOENT EACCES",
    "open_callers_terminal": {"process": "-", "": "ENOENT EACCES"},
}
# What works outside only for root, or only with more than a test may do: refused by name all the same.
REFUSED = {
    "uncover_by_umount": "EPERM", "remount_writable": "EPERM", "read_through_pid1": "EACCES ENOENT EPERM",
    "open_disk": "ENOENT EACCES", "make_device": "EPERM EACCES", "write_core_pattern": "EROFS EACCES ENOENT",
    "read_kcore": "ENODATA EACCES ENOENT EPERM", "press_sysrq": "ENODATA EROFS EACCES ENOENT EPERM", "trace_parent": "EPERM", "raise_limit": "EPERM ValueError",
    "write_uid_map": "EPERM EACCES EROFS", "oom_shield": "EACCES EPERM", "new_namespace_by_clone3": "ENOSYS",
    "enter_namespace": "EPERM", "splice_pages": "EPERM", "host_name": "EPERM", "change_root": "EPERM",
    "mount_tmpfs": "EPERM", "new_mount_interface": "EPERM", "set_clock": "EPERM", "bpf": "EPERM",
    "future_call": "ENOSYS", "x32_call": "ENOSYS", "type_into_terminal": "EPERM", "type_with_high_bits": "EPERM",
    "raw_socket": "EPERM EACCES", "packet_socket": "EAFNOSUPPORT",
    "read_denied_by_pid1": "EACCES ENOENT EPERM", "umount_by_descriptor": "EPERM", "open_by_handle": "EPERM",
    "redirect_layer_as_root": "EPERM", "write_modprobe": "EROFS EACCES ENOENT", "write_uevent_helper": "EROFS EACCES ENOENT",
    "write_release_agent": "EROFS EACCES ENOENT", "leave_group": "EROFS EACCES ENOENT",
    "read_keys": {"process": "-", "": "ENODATA EACCES ENOENT"}, "read_kallsyms": {"process": "-", "": "ENODATA EACCES ENOENT"},
    "read_timers": {"process": "-", "": "ENODATA EACCES ENOENT"},
    "write_launcher": "EACCES EPERM ENOENT ETXTBSY EROFS", "write_gid_map": "EPERM EACCES EROFS",
    "write_setgroups": "EPERM EACCES EROFS", "stop_launcher": {"process": "EPERM", "": "ok EPERM"},
    "be_nicer": "EACCES EPERM", "real_time": "EPERM", "secret_of_pid1": "ENODATA ENOENT EACCES EPERM",
    "secret_of_launcher": "ENODATA ENOENT EACCES EPERM",
    "paste_into_console": "EPERM", "limit_launcher": "EPERM",
}
# Refused with these words inside; outside root gets another answer, or the test could not tell who refused.
REFUSED_CALLS = {
    **{name: "EPERM" for name in (
        "call_request_key call_keyctl call_kexec_load call_kexec_file_load call_init_module call_finit_module call_delete_module call_syslog "
        "call_quotactl call_quotactl_fd call_acct call_swapon call_swapoff call_reboot call_iopl call_ioperm call_settimeofday "
        "call_adjtimex call_clock_adjtime call_perf_event_open call_pivot_root call_open_tree call_fsmount call_fsconfig "
        "call_fspick call_move_mount call_mount_setattr call_umount call_mount call_setns call_unshare call_fanotify_init "
        "call_modify_ldt call_set_mempolicy call_mbind call_move_pages call_setdomainname call_process_vm_writev "
        "call_process_madvise call_io_uring_enter call_io_uring_register call_ustat call_sysfs").split()},
    **{name: "EAFNOSUPPORT" for name in "socket_can socket_bluetooth socket_xdp socket_tipc socket_rds socket_smc".split()},
    "socket_netlink_audit": "EPROTONOSUPPORT", "socket_netlink_netfilter": "EPROTONOSUPPORT", "socket_packet_old": "EPERM EACCES",
}
# For users other than root: what root's files are guarded by inside, but not outside.
OF_USERS = {"setuid_program": "EACCES EPERM", "capable_program": "EACCES EPERM"}
# What root may do outside without harm to anybody: the control of refusals that an ordinary user meets anyway.
OF_ROOT = ("open_by_handle", "make_device", "write_core_pattern", "change_root", "new_mount_interface", "enter_namespace", "raw_socket", "packet_socket", "be_nicer",
           "oom_shield", "redirect_layer_as_root", "read_timers")
# What must go on working.
WORKS = {"write_project": "process", "read_readonly": "", "run_system": "", "own_loopback": "process"}


class Box:
    """A project with an environment, things around it that must stay out of reach, and blast run as one user."""

    def __init__(self, program, user):
        self.program, self.user = program, user
        self.top = Path(tempfile.mkdtemp(prefix="blast-sandbox-", dir="/tmp"))
        self.path, self.home, self.outside, self.readonly = (self.top / n for n in ("project", "home", "outside", "ro"))
        for f in (self.home / ".ssh/id", self.outside / "secret", self.readonly / "file", self.path / "denied/file",
                  self.path / "hidden/file", self.path / "deep/inner/file", self.path / "token",
                  *(self.home / name for name in SECRETS)):
            f.parent.mkdir(parents=True, exist_ok=True)
            f.write_text("secret\n")
        for d in (self.home / ".agent", self.path / "open"):
            d.mkdir()
        (self.home / ".netrc").write_text("machine index.test password secret\n")
        (self.home / ".netrc").chmod(0o600)  # Blast reads it too
        (self.path / "to-denied").symlink_to("denied/file")
        (self.path / "blast.toml").write_text(TOML)
        (self.path / "pyproject.toml").write_text('[project]\nname = "app"\nversion = "1"\nrequires-python = ">=3.8"\n')
        shutil.copy(HERE / "sandbox_attempts.py", self.path)
        self.env = {"HOME": str(self.home), "BLAST_HOME": str(self.home / "blast"), "BLAST_NO_DAEMON": "1",
                    "PATH": "/usr/local/bin:/usr/bin:/bin", "TERM": "dumb", "NO_COLOR": "1", "LANG": "C.UTF-8",
                    "SECRET_TOKEN": "hunter2", "BLAST_SANDBOX_FILESYSTEM_READONLY_PATHS": f"/usr,/lib,/bin,{self.readonly}",
                    "BLAST_SANDBOX_FILESYSTEM_DENIED_PATHS": "denied,token,deep/inner",
                    "BLAST_SANDBOX_FILESYSTEM_HIDDEN_PATHS": "hidden", "BLAST_SECURITY_DEFAULT_POLICY": "standard",
                    "BLAST_OFFLINE": "1", "BLAST_CONTAINER_NETWORK_POLICY": "isolated", "PYTHONDONTWRITEBYTECODE": "1"}
        self.env.update({k: os.environ[k] for k in ("ASAN_OPTIONS", "UBSAN_OPTIONS") if k in os.environ})
        self.sockets = []
        if user == "nobody":
            for p in [self.top, *self.top.rglob("*")]:
                os.chown(p, NOBODY, NOBODY, follow_symlinks=False)
        p = self.blast("start", "--no-activate", "--python", PYTHON)
        assert p.returncode == 0, p.stderr

    def words(self, *words):
        drop = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"] if self.user == "nobody" else []
        return drop + [str(w) for w in words]

    def environment(self, level=None, **env):
        more = {"BLAST_CONTAINER_ISOLATION_LEVEL": level} if level else {}
        if level == "container" and self.user != "root":  # refused without a cgroup; what else it keeps is looked at
            more["BLAST_SECURITY_ALLOW_DEGRADED"] = "isolation_level"
        return {k: v for k, v in {**self.env, **more, **env}.items() if v is not None}

    def outside_of(self, *words, **more):
        return subprocess.run(self.words(*words), cwd=self.path, env=self.env, capture_output=True, text=True,
                              timeout=TIMEOUT, stdin=subprocess.DEVNULL, **more)

    def blast(self, *words, level=None, env=None, **more):
        p = subprocess.run(self.words(self.program, *words), cwd=more.pop("cwd", self.path),
                           env=self.environment(level, **(env or {})), capture_output=True, text=True, timeout=TIMEOUT,
                           stdin=subprocess.DEVNULL, **more)
        assert "Sanitizer" not in p.stderr and "runtime error:" not in p.stderr, p.stderr
        return p

    def run(self, *words, level="namespace", env=None, code=0, **more):
        p = self.blast("run", "--no-sync", "--", *words, level=level, env=env, **more)
        assert code is None or p.returncode == code, f"{words}: exit {p.returncode}, wanted {code}\n{p.stdout}\n{p.stderr}"
        return p

    def python(self, text, words=(), **more):
        return self.run("python", "-c", text, *words, **more)

    def listen(self):
        """Sockets of the host that must not be reached."""
        tcp, abstract, ro, rw, agent = socket.socket(), *(socket.socket(socket.AF_UNIX) for _ in range(4))
        tcp.bind(("127.0.0.1", 0))
        name = f"blast-test-{os.getpid()}-{self.user}"
        abstract.bind("\0" + name)
        ro.bind(str(self.readonly / "socket"))
        rw.bind(str(self.path / "socket"))
        agent.bind(str(self.home / ".agent/socket"))
        for s in (tcp, abstract, ro, rw, agent):
            s.listen(64)
            self.sockets.append(s)
        for p in (self.readonly / "socket", self.path / "socket", self.home / ".agent/socket"):
            p.chmod(0o777)
        return {"port": tcp.getsockname()[1], "abstract": name}

    def close(self):
        for s in self.sockets:
            s.close()
        shutil.rmtree(self.top, ignore_errors=True)


def make_box(program, user):
    if not os.access(PYTHON, os.X_OK):
        pytest.skip(f"no {PYTHON}, which every user may run")
    if not (Path(program).parent / "blast-jail").exists():
        pytest.skip("blast-jail is not built")
    return Box(program, user)


@pytest.fixture(scope="module", params=USERS)
def box(program, request):
    b = make_box(program, request.param)
    yield b
    b.close()


def wait_for(what, seconds=20):
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, "it did not come true"
        time.sleep(0.01)


def is_free(path):
    with open(path, "a") as f:
        try:
            fcntl.flock(f, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
    return True


# ------------------------------------------------------------ ways out

def a_terminal(box):
    """One of the same user, as the shell has it from which blast was called."""
    box.master, slave = os.openpty()
    if box.user == "nobody":
        os.fchown(slave, NOBODY, NOBODY)
    return os.ttyname(slave)


def handle_of(path):
    """The number of a file, by which root can open it without any path: struct file_handle, as hexadecimal."""
    handle = ctypes.create_string_buffer(struct.pack("I", 128), 136)
    number = ctypes.c_int()
    ctypes.CDLL(None).name_to_handle_at(-100, str(path).encode(), handle, ctypes.byref(number), 0)
    return handle.raw.hex()


def mark_programs(box):
    """Programs that give whoever runs them root's rights, and a file to show it with."""
    for name in ("setuid-cat", "capable-cat"):
        shutil.copy("/bin/cat", box.path / name)
    os.chmod(box.path / "setuid-cat", 0o4755)
    # VFS_CAP_REVISION_2 with the effective bit; CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH
    os.setxattr(box.path / "capable-cat", "security.capability", struct.pack("<5I", 0x02000001, 6, 0, 0, 0))
    secret = box.path / "root-only"
    secret.touch(mode=0o600)
    secret.write_text("secret\n")


def targets(box):
    if not hasattr(box, "targets"):
        sleeper = subprocess.Popen(box.words("sleep", "600"), env=box.env)
        box.sleeper = sleeper
        box.targets = {"project": str(box.path), "readonly": str(box.readonly), "outside": str(box.outside),
                       "home": str(box.home), "pid": sleeper.pid, "secrets": SECRETS,
                       "group": "/sys/fs/cgroup/memory" if os.path.isdir("/sys/fs/cgroup/memory") else "/sys/fs/cgroup",
                       "audit": str(box.home / "blast/state/audit/log.jsonl"), "tty": a_terminal(box),
                       "handle": handle_of(box.outside / "secret"), **box.listen()}
        if os.geteuid() == 0:
            mark_programs(box)
    return box.targets


def attempts(box, run, skip=()):
    fd = os.open(box.outside, os.O_RDONLY)
    try:
        p = run(PYTHON, "sandbox_attempts.py", json.dumps({**targets(box), "fd": fd, "skip": list(skip)}),
                pass_fds=(fd,))
    finally:
        os.close(fd)
    assert p.returncode == 0, f"{p.stdout}\n{p.stderr}"
    return json.loads(p.stdout)


@pytest.fixture(scope="module")
def control(box):
    """What the same attempts give outside, as the same user."""
    said = attempts(box, box.outside_of, skip=[n for n in REFUSED if box.user != "root" or n not in OF_ROOT])
    yield said
    box.sleeper.kill()
    box.sleeper.wait()
    for made in (box.path / ".venv/poison.pth", box.readonly / "made", box.path / "made"):
        made.unlink(missing_ok=True)


def wrong(got, wanted, level):
    out = []
    for name, answers in wanted.items():
        if isinstance(answers, dict):
            answers = answers.get(level, answers[""])
        if answers == "-":
            continue
        if got[name].split()[0] not in answers.split() and got[name] != answers:
            out.append(f"{name}: {got[name]}, wanted {answers}")
    return out


@pytest.mark.parametrize("level", LEVELS)
def test_nothing_gets_out(box, control, level):
    got = attempts(box, lambda *words, **more: box.run(*words, level=level, code=None, **more))
    rules = {**BLOCKED, **REFUSED, **REFUSED_CALLS, **(OF_USERS if box.user == "nobody" else {})}
    found = wrong(got["tries"], rules, level)
    assert not found, "\n".join(found)
    for name, broken in WORKS.items():
        assert got["tries"][name] == "ok" or broken == level, f"{name}: {got['tries'][name]}"
    assert "SECRET_TOKEN" not in got["env"]
    assert [n for n in got["fds"] if n > 3] == []  # 3 is the listing's own
    assert got["cwd"] == str(box.path)
    zero = "0" * 16
    bound = {"NoNewPrivs": "1", "Seccomp": "2", "CapInh": zero, "CapPrm": zero, "CapEff": zero, "CapAmb": zero}
    if box.user == "root" or level != "process":  # the bounding set is for the privileged to shrink
        bound["CapBnd"] = zero
    assert [{k: t[k] for k in bound} for t in got["threads"]] == [bound] * 4


def test_the_same_attempts_succeed_outside(box, control):
    """The control of the test above: a refusal counts only where there was something to refuse."""
    machine = {"io_uring", "user_faults", "vsock", "kernel_crypto", "mptcp", "i386_call", "internet", "compare_processes"}
    failed = {n: o for n, o in control["tries"].items() if n in BLOCKED and o != "ok"}
    assert not {n: o for n, o in failed.items() if n not in machine}
    assert len(failed) <= 4, failed
    assert "SECRET_TOKEN" in control["env"]
    if box.user == "nobody":
        assert {n: control["tries"][n] for n in OF_USERS} == {n: "ok" for n in OF_USERS}
    if box.user == "root":
        assert {n: control["tries"][n] for n in OF_ROOT} == {n: "ok" for n in OF_ROOT}
        assert not [n for n in REFUSED_CALLS if control["tries"][n] == REFUSED_CALLS[n] == "EPERM"]


@pytest.mark.parametrize("without,layer", [("landlock", "mounts"), ("seccomp", "namespaces"),
                                           ("landlock,seccomp", "namespaces alone")])
def test_each_layer_holds_alone(box, control, without, layer):
    """Files stay shut without Landlock; without seccomp the namespace forbids what the filter did."""
    got = attempts(box, lambda *w, **m: box.run(*w, env={"BLAST_JAIL_WITHOUT": without}, code=None, **m),
                   skip=("trace_parent",))["tries"]
    files = {n: a for n, a in BLOCKED.items() if n.startswith(("read_", "write_", "list_", "uncover_", "climb", "host_"))
             and n != "read_memory"}
    assert not wrong(got, files, "namespace"), layer
    if "seccomp" in without:
        assert got["new_user_namespace"] == "ENOSPC"
        assert got["mount_tmpfs"] == "EPERM" and got["uncover_by_umount"] == "EPERM" and got["change_root"] == "EPERM"


def test_a_denied_path_keeps_its_name_for_the_next_run(box):
    """Under another name it would not be denied then."""
    env = {"BLAST_SANDBOX_FILESYSTEM_DENIED_PATHS": "vault/inner/file"}
    (box.path / "vault/inner").mkdir(parents=True)
    (box.path / "vault/inner/file").write_text("secret\n")
    if box.user == "nobody":
        for p in ("vault", "vault/inner", "vault/inner/file"):
            os.chown(box.path / p, NOBODY, NOBODY)
    try:
        assert box.outside_of("sh", "-c", "mv vault v && mv v vault").returncode == 0
        p = box.python("import os\nfor name in ('vault', 'vault/inner', 'vault/inner/file'):\n try: os.rename(name, 'elsewhere')\n"
                       " except OSError as e: print(e.errno)", env=env)
        assert set(p.stdout.split()) <= {"16", "18"} and len(p.stdout.split()) == 3, p.stdout  # EBUSY, EXDEV
        p = box.run("sh", "-c", "echo new > vault/new && mv vault/new vault/inner/ && cat vault/inner/new", env=env)
        assert p.stdout == "new\n"
    finally:
        shutil.rmtree(box.path / "vault")


@pytest.mark.parametrize("level", LEVELS)
def test_a_denied_path_through_a_link_of_the_project_is_refused(box, level):
    """A program could lead the link elsewhere, and the next run would deny that and not the secret."""
    (box.path / "true-vault").mkdir()
    (box.path / "to-vault").symlink_to("true-vault")
    (box.path / "true-vault/file").write_text("secret\n")
    if box.user == "nobody":
        for p in ("true-vault", "true-vault/file", "to-vault"):
            os.chown(box.path / p, NOBODY, NOBODY, follow_symlinks=False)
    try:
        through = {"BLAST_SANDBOX_FILESYSTEM_DENIED_PATHS": "to-vault/file"}
        p = box.run("sh", "-c", "cat true-vault/file to-vault/file", env=through, level=level, code=2)
        assert "secret" not in p.stdout
        assert f"denied_paths: '{box.path}/to-vault' is a link in the writable '{box.path}'" in p.stderr
        assert f"write '{box.path}/true-vault/file' in its place" in p.stderr
        straight = {"BLAST_SANDBOX_FILESYSTEM_DENIED_PATHS": "true-vault/file"}
        p = box.run("sh", "-c", "rm to-vault; ln -s . to-vault; cat true-vault/file; echo done", env=straight, level=level)
        assert p.stdout == "done\n" and "Permission denied" in p.stderr
    finally:
        (box.path / "to-vault").unlink(missing_ok=True)
        shutil.rmtree(box.path / "true-vault")


def test_landlock_alone_guards_the_files_of_the_level_process(box, control):
    got = attempts(box, lambda *w, **m: box.run(*w, level="process", env={"BLAST_JAIL_WITHOUT": "seccomp",
                   "BLAST_SECURITY_DEFAULT_POLICY": "permissive"}, code=None, **m), skip=("trace_parent",))["tries"]
    for name in ("read_outside", "read_home", "read_denied", "write_readonly", "write_environment"):
        assert got[name] == "EACCES", f"{name}: {got[name]}"


# ------------------------------------------------------------ what works

# At the level process a denied path in a directory means that nothing new can be made in it: see blast-sandbox(1).
OPEN = {"BLAST_SANDBOX_FILESYSTEM_DENIED_PATHS": "/nonexistent", "BLAST_SANDBOX_FILESYSTEM_HIDDEN_PATHS": "/nonexistent"}
PROGRAMS = {
    "subprocess": "import subprocess; assert subprocess.run(['sh', '-c', 'echo hi'], capture_output=True).stdout == b'hi\\n'",
    "multiprocessing": "import concurrent.futures as f\nwith f.ProcessPoolExecutor(2) as p: assert list(p.map(abs, [-1, -2])) == [1, 2]",
    "shared memory": "from multiprocessing import shared_memory as m; s = m.SharedMemory(create=True, size=10); s.close(); s.unlink()",
    "semaphore": "import multiprocessing as m; s = m.Semaphore(1); assert s.acquire(); s.release()",
    "sqlite": "import sqlite3; c = sqlite3.connect('t.db'); c.execute('create table t(x)'); c.commit(); c.close(); import os; os.unlink('t.db')",
    "asyncio": "import asyncio\nasync def f():\n p = await asyncio.create_subprocess_exec('true'); assert await p.wait() == 0\nasyncio.run(f())",
    "threads": "import threading; t = threading.Thread(target=print); t.start(); t.join()",
    "temporary files": "import tempfile; f = tempfile.NamedTemporaryFile(); f.write(b'x'); f.flush()",
    "home": "import os; p = os.path.expanduser('~/x'); open(p, 'w').close(); os.unlink(p)",
    "terminal of one's own": "import os, pty; m, s = pty.openpty(); assert os.isatty(s)",
    "who am I": "import getpass, os; getpass.getuser(); os.getlogin if 0 else 0; os.cpu_count()",
}


@pytest.mark.release_only
@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("name", PROGRAMS)
def test_programs_run(box, level, name):
    box.python(PROGRAMS[name], level=level, env=OPEN)


@pytest.mark.parametrize("level", LEVELS)
def test_exit_codes_are_the_commands_own(box, level):
    box.python("import sys; sys.exit(7)", level=level, code=7)
    box.python("import os, signal; os.kill(os.getpid(), signal.SIGTERM)", level=level, code=128 + 15)
    p = box.run("no-such-command", level=level, code=127)
    assert "run 'no-such-command' in the sandbox" in p.stderr
    box.run("./blast.toml", level=level, code=126)


def test_the_directory_is_kept_where_it_is_shown(box):
    (box.path / "sub").mkdir(exist_ok=True)
    assert box.run("pwd", cwd=box.path / "sub").stdout.strip() == str(box.path / "sub")
    p = box.blast("run", "--no-sync", "--project", box.path, "--", "pwd", level="namespace", cwd=box.outside)
    assert p.stdout.strip() == str(box.path) and "is not shown in it" in p.stderr


def test_files_made_inside_belong_to_the_user(box):
    box.run("sh", "-c", "echo x > owned; mkdir owned-dir")
    uid = NOBODY if box.user == "nobody" else os.geteuid()
    assert (box.path / "owned").stat().st_uid == uid and (box.path / "owned-dir").stat().st_uid == uid
    (box.path / "owned").unlink()
    (box.path / "owned-dir").rmdir()


def test_root_runs_it_under_another_number(box):
    if box.user != "root":
        pytest.skip("for root alone")
    p = box.start = subprocess.Popen(box.words(box.program, "run", "--no-sync", "--", "sleep", "30"), cwd=box.path,
                                     env=box.environment("namespace"), stdin=subprocess.DEVNULL)
    try:
        found = []

        def uid_of_sleep():
            for d in Path("/proc").glob("[0-9]*"):
                try:
                    if (d / "cmdline").read_bytes() == b"sleep\x0030\x00" and d.stat().st_uid > 1 << 30:
                        found.append(d.stat().st_uid)
                except OSError:
                    pass
            return found
        wait_for(uid_of_sleep)
    finally:
        p.terminate()
        assert p.wait(TIMEOUT) == 128 + 15


def test_changes_of_a_container_are_gone(box):
    box.run("sh", "-c", "echo x > gone && cat gone && echo y >> .venv/pyvenv.cfg", level="container")
    assert not (box.path / "gone").exists() and "y\n" not in (box.path / ".venv/pyvenv.cfg").read_text()


def test_an_overlaid_environment_takes_changes_and_forgets_them(box):
    env = {"BLAST_SANDBOX_FILESYSTEM_ENVIRONMENT": "overlay"}
    box.run("sh", "-c", "echo x > .venv/new && cat .venv/new", env=env)
    assert not (box.path / ".venv/new").exists()


def test_pass_environment_lets_a_variable_in(box):
    p = box.python("import os; print(os.environ.get('SECRET_TOKEN'))", env={"BLAST_SANDBOX_PASS_ENVIRONMENT": "SECRET_*"})
    assert p.stdout == "hunter2\n"


@pytest.mark.parametrize("policy,wanted", [("isolated", "ok"), ("none", "EACCES")])
def test_networks_without_a_way_out(box, policy, wanted):
    p = box.python("import socket\ntry:\n s = socket.socket(); s.bind(('127.0.0.1', 0)); s.listen(); "
                   "socket.create_connection(s.getsockname()); print('ok')\nexcept PermissionError: print('EACCES')",
                   env={"BLAST_CONTAINER_NETWORK_POLICY": policy})
    assert p.stdout.strip() == wanted


def test_the_hosts_network_when_asked_for(box, control):
    p = box.python(f"import socket; socket.create_connection(('127.0.0.1', {targets(box)['port']})); print('ok')",
                   env={"BLAST_CONTAINER_NETWORK_POLICY": "host"})
    assert p.stdout == "ok\n"


# ------------------------------------------------------------ limits

def rows_of(box, env):
    p = box.blast("sandbox", "check", "--json", level="namespace", env=env)
    return {r["setting"]: r for r in json.loads(p.stdout)["enforcement"]["settings"]}


def test_the_number_of_processes_is_held(box):
    fork = ("import os\nn = 0\nr, w = os.pipe()\ntry:\n for _ in range(60):\n  if os.fork() == 0:\n   os.close(w); os.read(r, 1);"
            " os._exit(0)\n  n += 1\nexcept BlockingIOError: pass\nprint(n)\nos.close(w)")
    assert int(box.outside_of(PYTHON, "-c", fork).stdout) == 60
    assert 10 <= int(box.python(fork, env={"BLAST_SANDBOX_RESOURCES_PROCESS_LIMIT": "20"}).stdout) <= 20


@pytest.mark.parametrize("level", LEVELS)
def test_the_largest_file_is_held(box, level):
    p = box.python("import os\nfor f in (lambda: open('big', 'wb').write(b'x' * 3000000), lambda: os.truncate('big', 1 << 30)):\n"
                   " try: f(); print('ok')\n except OSError as e: print(e.errno)", level=level,
                   env={**OPEN, "BLAST_SANDBOX_FILESYSTEM_MAX_FILE_SIZE": "1M"})
    assert p.stdout.split() == ["27", "27"]
    (box.path / "big").unlink(missing_ok=True)


def test_memory_is_held(box):
    eat = "x = []\nfor _ in range(400): x.append(bytearray(b'x' * (1 << 20)))\nprint('ate')"
    assert box.outside_of(PYTHON, "-c", eat).stdout == "ate\n"
    p = box.python(eat + "\nimport time; time.sleep(5)", env={"BLAST_SANDBOX_RESOURCES_MEMORY_LIMIT": "100M"}, code=137)
    assert "ended by the sandbox: memory_limit" in p.stderr


def test_memory_that_is_a_disk_is_held(box):
    fill = "import os\nfd = os.open('/tmp/fill', os.O_CREAT | os.O_WRONLY)\ntry:\n for _ in range(64): os.write(fd, b'x' * (1 << 20))\n print('ok')\nexcept OSError as e: print(e.errno)"
    assert box.python(fill).stdout == "ok\n"
    assert box.python(fill, env={"BLAST_SANDBOX_RESOURCES_DISK_LIMIT": "8M"}).stdout == "28\n"


def test_what_the_project_takes_on_disk_is_measured(box):
    fill = ("import time\nwith open('filled', 'wb') as f: f.write(b'x' * (32 << 20))\nprint('written', flush=True)\n"
            "time.sleep({})")
    try:
        assert box.python(fill.format(0)).stdout == "written\n"
        (box.path / "filled").unlink()
        p = box.python(fill.format(60), env={"BLAST_SANDBOX_RESOURCES_DISK_LIMIT": "8M"}, code=137)
        assert "ended by the sandbox: disk_limit" in p.stderr
        row = rows_of(box, {"BLAST_SANDBOX_RESOURCES_DISK_LIMIT": "8M"})["disk_limit"]
        assert row["state"] == "sampled" and "every two seconds" in row["reason"]
    finally:
        (box.path / "filled").unlink(missing_ok=True)


def test_the_largest_number_of_disk_operations_is_held_or_said_not_to_be(box):
    env = {"BLAST_SANDBOX_RESOURCES_IOPS_LIMIT": "20"}
    row = rows_of(box, env)["iops_limit"]
    write = ("import mmap, os, time\nb = mmap.mmap(-1, 4096)\nbegun = time.monotonic()\n"
             "fd = os.open('direct', os.O_CREAT | os.O_WRONLY | os.O_DIRECT)\nfor _ in range(60): os.write(fd, b)\n"
             "os.unlink('direct')\nprint(time.monotonic() - begun)")
    p = box.python(write, env=env)
    if row["state"] == "not enforced":
        assert row["mechanism"] is None and row["reason"]
        assert "iops_limit is not enforced" in p.stderr
        assert box.run("true", env={**env, "BLAST_SECURITY_DEFAULT_POLICY": "strict"}, code=125)
    else:  # version 1: direct writes alone
        assert row["state"] == ("advisory" if row["mechanism"] == "cgroup v1" else "hard")
        assert float(box.python(write).stdout) < 1.5 < 2 < float(p.stdout)  # 60 at 20 a second, less what a burst lets through


def test_processor_time_is_shared_out(box):
    spin = ("import time, resource\nend = time.monotonic() + 2\nwhile time.monotonic() < end: pass\n"
            "u = resource.getrusage(resource.RUSAGE_SELF); print(u.ru_utime + u.ru_stime)")
    used = float(box.python(spin, env={"BLAST_SANDBOX_RESOURCES_CPU_LIMIT": "20"}).stdout)
    assert used < 1.2  # a fifth of two seconds, and what a start may take; without the limit it is near two


# ------------------------------------------------------------ the end

DAEMON = ("import fcntl, os, signal, sys, time\nif os.fork() == 0:\n os.setsid()\n if os.fork() == 0:\n"
          "  for s in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT): signal.signal(s, signal.SIG_IGN)\n"
          "  f = open('held', 'w'); fcntl.flock(f, fcntl.LOCK_EX); open('ready', 'w').close()\n"
          "  for fd in (0, 1, 2): os.close(fd)\n  time.sleep(600)\n os._exit(0)\n"
          "while not os.path.exists('ready'): time.sleep(0.01)\n")


@pytest.fixture
def held(box):
    for n in ("held", "ready"):
        (box.path / n).unlink(missing_ok=True)
    yield box.path / "held"
    for n in ("held", "ready"):
        (box.path / n).unlink(missing_ok=True)


@pytest.mark.parametrize("level", ("process", "namespace"))
def test_nothing_outlives_the_command(box, held, level):
    box.python(DAEMON, level=level, env=OPEN)
    wait_for(lambda: is_free(held))


@pytest.mark.parametrize("who", ("blast", "keeper", "blast-jail"))
def test_nothing_outlives_a_killed_launcher(box, held, who):
    p = subprocess.Popen(box.words(box.program, "run", "--no-sync", "--", "python", "-c", DAEMON + "time.sleep(600)"),
                         cwd=box.path, env=box.environment("namespace"), stdin=subprocess.DEVNULL)
    wait_for((box.path / "ready").exists)
    assert not is_free(held)
    os.kill({"blast": [p.pid], "keeper": cells.keepers(box.path), "blast-jail": cells.jails(box.path)}[who][0],
            signal.SIGKILL)
    p.wait(TIMEOUT)
    wait_for(lambda: is_free(held))


def test_a_launcher_killed_while_it_names_a_namespace_leaves_nothing(box):
    """Its first kill() ends the process that held the namespace; here it comes for the launcher itself, before that."""
    if box.user != "root" or not shutil.which("strace"):
        pytest.skip("for root alone, who shows files under another number, with strace")
    p = subprocess.run(["strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=kill", "-e", "inject=kill:signal=SIGKILL:when=1",
                        *box.words(box.program, "run", "--no-sync", "--", "true")], cwd=box.path,
                       env={**box.environment("namespace"),
                            "ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "") + ":detect_leaks=0"},  # it cannot be traced
                       capture_output=True, text=True, timeout=TIMEOUT)
    assert p.returncode == 125 and re.search("ended by signal 9|ends whenever a command comes", p.stderr), p.stderr


def test_the_directory_of_a_killed_process_level_goes_at_the_next_start(box):
    p = subprocess.Popen(box.words(box.program, "run", "--no-sync", "--", "sh", "-c", "touch $HOME/f; echo $HOME; sleep 600"),
                         cwd=box.path, env=box.environment("process", **OPEN), stdin=subprocess.DEVNULL,
                         stdout=subprocess.PIPE, text=True)
    scratch = Path(p.stdout.readline().strip())
    assert scratch.is_dir() and scratch.name.startswith("blast-run-")
    box.run("true", level="process", env=OPEN)
    assert (scratch / "f").exists()  # in use
    launcher, = cells.jails(box.path)
    below = cells.below(launcher)
    os.kill(launcher, signal.SIGKILL)
    assert p.wait(TIMEOUT) == 125
    wait_for(lambda: not any(Path(f"/proc/{b}").exists() for b in below))
    box.run("true", level="process", env=OPEN)  # any start of this user sweeps, also one of a test beside this one
    assert not scratch.exists()


def test_a_killed_blast_takes_its_directory_along(box):
    p = subprocess.Popen(box.words(box.program, "run", "--no-sync", "--", "sh", "-c", "echo $HOME; sleep 600"), cwd=box.path,
                         env=box.environment("process", **OPEN), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
    scratch = Path(p.stdout.readline().strip())
    assert scratch.is_dir()
    p.kill()
    p.wait(TIMEOUT)
    wait_for(lambda: not scratch.exists())


def test_no_group_and_no_mount_is_left(box):
    def groups():
        names = [os.path.basename(d) for d, _, _ in os.walk("/sys/fs/cgroup")]  # passes over those that vanish meanwhile
        return {n for n in names if n.startswith("blast-") and not Path("/proc", n.split("-")[1]).exists()}
    before = groups()
    mounts = Path("/proc/self/mountinfo").read_text()
    box.run("true", env={"BLAST_SANDBOX_RESOURCES_MEMORY_LIMIT": "1G"})
    wait_for(lambda: groups() <= before)
    assert Path("/proc/self/mountinfo").read_text() == mounts


def own_groups():
    """The directories in which a sandbox of ours makes its groups under cgroup v1."""
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _, names, path = line.split(":", 2)
        if names in ("memory", "pids", "cpu", "blkio"):
            yield Path(f"/sys/fs/cgroup/{names}{path}")


def test_groups_of_the_dead_are_swept_and_no_others(box):
    """Each hierarchy, also those that this sandbox has no limit for; also where another program has the number by now."""
    places = [p for p in own_groups() if os.access(p, os.W_OK)]
    if box.user != "root" or len(places) < 2:
        pytest.skip("for root alone, with the hierarchies of cgroup v1")
    start = Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19]
    dead, reused, alive, locked, other = "blast-4194305-7", f"blast-{os.getpid()}-1", f"blast-{os.getpid()}-{start}", \
        "blast-4194305-8", "blast-4194305"
    held = []
    only = {"BLAST_SANDBOX_RESOURCES_MEMORY_LIMIT": "1G", "BLAST_SANDBOX_RESOURCES_PROCESS_LIMIT": "0",
            "BLAST_SANDBOX_RESOURCES_CPU_LIMIT": "0"}
    try:
        for p in places:
            for name in (dead, reused, alive, locked, other):
                (p / name).mkdir()
            held.append(os.open(p / locked, os.O_RDONLY | os.O_DIRECTORY))
            fcntl.flock(held[-1], fcntl.LOCK_EX)  # a launcher that this /proc does not show has it
        box.run("true", env=only)
        for p in places:
            assert [(p / name).exists() for name in (dead, reused, alive, locked, other)] == [False, False, True, True, True], p
        for fd in held:
            fcntl.flock(fd, fcntl.LOCK_UN)
        box.run("true", env=only)
        assert not any((p / locked).exists() for p in places)
    finally:
        for fd in held:
            os.close(fd)
        for p in places:
            for name in (dead, reused, alive, locked, other):
                if (p / name).exists():
                    (p / name).rmdir()


def test_a_group_is_locked_while_its_sandbox_lives(box):
    """Else a launcher of another process namespace, which /proc does not show, would take it away while it is empty."""
    if box.user != "root" or not any(os.access(p, os.W_OK) for p in own_groups()):
        pytest.skip("for root alone, with the hierarchies of cgroup v1")
    p = subprocess.Popen(box.words(box.program, "run", "--no-sync", "--", "sh", "-c", "echo up; read line"), cwd=box.path,
                         env=box.environment("namespace", BLAST_SANDBOX_RESOURCES_MEMORY_LIMIT="1G"),
                         stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert p.stdout.readline() == "up\n"
    jail, = cells.jails(box.path)
    groups = [g for place in own_groups() for g in place.glob(f"blast-{jail}-*")]
    assert groups
    for g in groups:
        fd = os.open(g, os.O_RDONLY | os.O_DIRECTORY)
        with pytest.raises(BlockingIOError):
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.close(fd)
    p.communicate("\n", timeout=TIMEOUT)
    wait_for(lambda: not any(g.exists() for g in groups))


def test_signals_reach_the_command(box):
    p = subprocess.Popen(box.words(box.program, "run", "--no-sync", "--", "python", "-c",
                         "import signal, sys, time\nsignal.signal(signal.SIGUSR1, lambda *a: sys.exit(9))\n"
                         "print('up', flush=True)\ntime.sleep(60)"),
                         cwd=box.path, env=box.environment("namespace"), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    assert p.stdout.readline() == b"up\n"
    p.send_signal(signal.SIGUSR1)
    assert p.wait(TIMEOUT) == 9


# ------------------------------------------------------------ terminals

def in_terminal(box, *words, level="namespace"):
    pid, fd = pty.fork()
    if pid == 0:
        os.chdir(box.path)
        w = box.words(*words)
        os.execvpe(w[0], w, box.environment(level))
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", 31, 97, 0, 0))
    return pid, fd


def read_until(fd, text, seconds=15):
    said, end = b"", time.monotonic() + seconds
    while text not in said:
        assert time.monotonic() < end, said
        if select.select([fd], [], [], 0.2)[0]:
            try:
                said += os.read(fd, 4096)
            except OSError:
                break
    assert text in said, said
    return said


@pytest.mark.parametrize("level", LEVELS)
def test_a_terminal_of_its_own(box, level):
    pid, fd = in_terminal(box, box.program, "run", "--no-sync", "--", "python", "-c",
                          "import os, signal, sys\n"
                          "signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])\n"  # else it may come before the read
                          "print(os.ttyname(0), os.isatty(1), 'size', *os.get_terminal_size())\n"
                          "print('said', input('ask> '), flush=True)\n"
                          "signal.sigwait([signal.SIGINT])\nprint('interrupted')\nsys.exit(3)", level=level)
    ours = os.ptsname(fd) if hasattr(os, "ptsname") else os.readlink(f"/proc/{pid}/fd/0")
    said = read_until(fd, b"ask> ")
    assert b"/dev/pts/" in said and b"True" in said
    if level != "process":
        assert b"/dev/pts/0 " in said
    else:
        assert ours.encode() + b" " not in said
    os.write(fd, b"this\n")
    read_until(fd, b"said this")
    os.write(fd, b"\x03")
    read_until(fd, b"interrupted")
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 3
    os.close(fd)


def test_a_terminal_that_hangs_up_ends_the_command(box):
    pid, fd = in_terminal(box, box.program, "run", "--no-sync", "--", "python", "-c", "input('ask> ')")
    read_until(fd, b"ask> ")
    os.close(fd)
    try:
        wait_for(lambda: os.waitpid(pid, os.WNOHANG)[0] == pid)
    except AssertionError:
        os.kill(pid, signal.SIGKILL)
        raise


def test_ctrl_z_stops_the_job_and_fg_goes_on(box):
    pid, fd = in_terminal(box, "bash", "--norc", "-i")
    code = 'import signal as s; s.pthread_sigmask(0, [2]); print("u"+"p", flush=True); s.sigwait([2]); print("en"+"ded")'
    os.write(fd, f"{box.program} run --no-sync -- python -c '{code}'\n".encode())
    read_until(fd, b"\nup")
    os.write(fd, b"\x1a")
    read_until(fd, b"Stopped")
    os.write(fd, b"fg\n")
    read_until(fd, b"run --no-sync")
    wait_for(lambda: not termios.tcgetattr(fd)[3] & termios.ISIG)  # the terminal is relayed again
    os.write(fd, b"\x03")
    read_until(fd, b"ended")
    os.close(fd)  # hangs up: bash ends, and with it whatever is left
    os.waitpid(pid, 0)


# ------------------------------------------------------------ what is said, and what is refused

def test_check_says_by_what_each_setting_is_kept(box):
    p = box.blast("sandbox", "check", "--json", level="namespace")
    rows = {r["setting"]: r for r in json.loads(p.stdout)["enforcement"]["settings"]}
    assert p.returncode == 0
    assert rows["isolation_level"]["state"] == "hard" and rows["network_policy"]["state"] == "hard"
    assert rows["denied_paths"]["state"] == "hard" and "mount namespace" in rows["denied_paths"]["mechanism"]
    assert "bandwidth_limit" not in rows
    text = box.blast("sandbox", "check", level="namespace").stdout
    assert "isolation_level" in text and "a command would run" in text


def test_show_prints_the_policy(box):
    p = json.loads(box.blast("sandbox", "show", "--json", level="namespace").stdout)
    paths = {x["path"]: x["access"] for x in p["policy"]["paths"]}
    assert paths[str(box.path)] == "write" and paths[str(box.path / ".venv")] == "read"
    assert paths[str(box.path / "denied")] == "deny" and len(p["digest"]) == 64


def test_strict_refuses_what_cannot_be_kept(box):
    env = {"BLAST_SECURITY_DEFAULT_POLICY": "strict", "BLAST_JAIL_WITHOUT": "seccomp"}
    p = box.run("true", env=env, code=125)
    assert "default_policy is strict" in p.stderr and "system_calls is not enforced" in p.stderr
    assert "allow_degraded" in p.stderr
    assert box.blast("sandbox", "check", level="namespace", env=env).returncode == 5
    box.run("true", env={**env, "BLAST_SECURITY_ALLOW_DEGRADED": "system_calls"})


def test_an_allowlist_lets_nothing_out_that_is_not_on_it(box, control):
    p = box.python(f"import socket\ntry: socket.create_connection(('127.0.0.1', {targets(box)['port']}))\nexcept OSError: print('shut')",
                   env={"BLAST_CONTAINER_NETWORK_POLICY": "allowlist"})
    assert p.stdout == "shut\n"


def test_without_namespaces_it_says_so(box):
    env = {"BLAST_JAIL_WITHOUT": "userns"}
    p = box.run("true", env=env)
    assert "the sandbox is at level process, not namespace" in p.stderr
    p = box.run("true", env={**env, "BLAST_SECURITY_DEFAULT_POLICY": "strict"}, code=125)
    assert "isolation_level is not enforced" in p.stderr


def test_a_container_without_a_cgroup_is_refused(box):
    env = {"BLAST_JAIL_WITHOUT": "cgroup", "BLAST_SECURITY_ALLOW_DEGRADED": ""}
    p = box.run("true", level="container", env=env, code=125)
    assert "isolation_level is not enforced: the level container needs a cgroup" in p.stderr
    assert "isolation_level = \"namespace\"" in p.stderr and "allow_degraded" in p.stderr
    p = box.run("echo", "ran", level="container", env={**env, "BLAST_SECURITY_DEFAULT_POLICY": "permissive"})
    assert p.stdout == "ran\n"
    box.run("true", level="container", env={**env, "BLAST_SECURITY_ALLOW_DEGRADED": "isolation_level"})


def test_blast_inside_blast_is_refused_clearly(box):
    inner = box.top / "programs"  # where the sandbox may show files
    inner.mkdir()
    for name in ("blast", "blast-jail", "blast-gate"):
        shutil.copy(Path(box.program).parent / name, inner)
    env = {"BLAST_SANDBOX_FILESYSTEM_READONLY_PATHS": f"/usr,/lib,/bin,{inner}",
           "BLAST_SANDBOX_PASS_ENVIRONMENT": "BLAST_*,ASAN_OPTIONS"}
    p = subprocess.run(box.words(box.program, "run", "--no-sync", "--", "env", "-u", "BLAST_SANDBOX", inner / "blast", "run",
                                 "--no-sync", "--", "true"),  # else it knows that it is inside, and runs it as it is
                       cwd=box.path, env=box.environment("namespace", **env), capture_output=True, text=True,
                       timeout=TIMEOUT, stdin=subprocess.DEVNULL)
    if "LeakSanitizer" in p.stderr:
        pytest.skip("the leak checker of this build needs ptrace, which the outer sandbox refuses")
    assert "not namespace" in p.stderr and "Traceback" not in p.stderr


def test_no_sandbox_needs_a_permissive_policy(box):
    p = box.blast("run", "--no-sync", "--no-sandbox", "--", "true", level="namespace")
    assert p.returncode == 5 and "blast trust" in p.stderr
    p = box.blast("run", "--no-sync", "--no-sandbox", "--", "cat", box.outside / "secret", level="namespace",
                  env={"BLAST_SECURITY_DEFAULT_POLICY": "permissive"})
    assert p.returncode == 0 and p.stdout == "secret\n"


def test_a_path_that_would_show_the_machine_is_an_error(box):
    p = box.run("true", env={"BLAST_SANDBOX_FILESYSTEM_ALLOWED_PATHS": "/run"}, code=None)
    assert p.returncode in (2, 125) and "'/run' cannot be shown" in p.stderr


def test_a_directory_as_standard_input_is_refused(box):
    fd = os.open(box.outside, os.O_RDONLY)
    p = subprocess.run(box.words(box.program, "run", "--no-sync", "--", "true"), cwd=box.path,
                       env=box.environment("namespace"), stdin=fd, capture_output=True, text=True, timeout=TIMEOUT)
    os.close(fd)
    assert p.returncode == 125 and "descriptor 0 is a directory" in p.stderr


if __name__ == "__main__":
    sys.exit(pytest.main([__file__]))
