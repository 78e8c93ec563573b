"""Ways out of a sandbox that take more than one step: over two runs, beside another sandbox, past a limit, in a race.

sandbox_attempts.py has those of one step. The table of all of them is in test_attempts_table.py.
"""
import errno
import fcntl
import json
import os
import re
import shutil
import signal
import subprocess
import termios
from pathlib import Path

import pytest

import cells

from test_sandbox import (LEVELS, NOBODY, OPEN, PYTHON, TIMEOUT, USERS, in_terminal, make_box, read_until,
                          wait_for)

DENIED = "BLAST_SANDBOX_FILESYSTEM_DENIED_PATHS"
READONLY = "BLAST_SANDBOX_FILESYSTEM_READONLY_PATHS"
ALLOWED = "BLAST_SANDBOX_FILESYSTEM_ALLOWED_PATHS"
HIDDEN = "BLAST_SANDBOX_FILESYSTEM_HIDDEN_PATHS"
R = "BLAST_SANDBOX_RESOURCES_"


@pytest.fixture(scope="module", params=USERS)
def box(program, request):
    b = make_box(program, request.param)
    yield b
    b.close()


def give(box, *paths):
    """To the user of the box, with what is in them."""
    if box.user == "nobody":
        for top in paths:
            for p in [top, *top.rglob("*")] if top.is_dir() and not top.is_symlink() else [top]:
                os.chown(p, NOBODY, NOBODY, follow_symlinks=False)


def put(box, name, text="secret\n"):
    path = box.path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    give(box, box.path / Path(name).parts[0])
    return path


def error_of(box, code, **more):
    """What `code` ends with inside: "ok", or the name of the error."""
    p = box.python("import errno, os\ntry:\n " + code.replace("\n", "\n ") +
                   "\n print('ok')\nexcept OSError as e: print(errno.errorcode[e.errno])", **more)
    return p.stdout.split()[-1]


# ------------------------------------------------------------ names

@pytest.mark.parametrize("level", LEVELS)
def test_another_name_of_a_denied_file_is_said(box, level):
    """A hard link that was there before cannot be told from the file: the report does not call that hard."""
    env = {DENIED: "linked", HIDDEN: "/nonexistent"}
    put(box, "linked")
    try:
        rows = json.loads(box.blast("sandbox", "check", "--json", level=level, env=env).stdout)["enforcement"]["settings"]
        assert {r["setting"]: r for r in rows}["denied_paths"]["state"] == "hard"
        os.link(box.path / "linked", box.path / "link-to-it")
        rows = json.loads(box.blast("sandbox", "check", "--json", level=level, env=env).stdout)["enforcement"]["settings"]
        row = {r["setting"]: r for r in rows}["denied_paths"]
        assert row["state"] == "advisory" and "hard links" in row["reason"]
        assert error_of(box, "open('linked').read(1)", level=level, env=env) == "EACCES"
    finally:
        for name in ("linked", "link-to-it"):
            (box.path / name).unlink(missing_ok=True)


@pytest.mark.parametrize("level", LEVELS)
def test_a_denied_path_is_denied_by_each_of_its_names(box, level):
    put(box, "vault/file")
    alias = box.top / "alias"
    alias.symlink_to(box.path / "vault")
    try:
        for denied, named in (("vault", alias), (alias, box.path / "vault"), (f"{alias}/./../vault//", alias)):
            env = {DENIED: str(denied), HIDDEN: "/nonexistent", READONLY: f"/usr,/lib,/bin,{alias}"}
            assert error_of(box, f"open('{named}/file').read(1)", level=level, env=env) in ("EACCES", "ENOENT")
        env = {DENIED: "/nonexistent", HIDDEN: "/nonexistent", READONLY: f"/usr,/lib,/bin,{alias}"}
        assert error_of(box, f"open('{alias}/file').read(1)", level=level, env=env) == "ok"
    finally:
        alias.unlink()
        shutil.rmtree(box.path / "vault")


@pytest.mark.parametrize("key", (ALLOWED, READONLY))
@pytest.mark.parametrize("level", ("process", "namespace"))
def test_a_link_that_a_run_plants_shows_nothing_to_the_next(box, level, key):
    """A configured path that was not there yet, or that the program could replace, is now a link to somewhere else."""
    env = {**OPEN, key: "later" if key == ALLOWED else "/usr,/lib,/bin,later"}
    try:
        box.python(f"import os; os.symlink('{box.outside}', 'later')", level=level, env=env)
        assert (box.path / "later/secret").read_text() == "secret\n"  # outside it leads there
        p = box.python("print(open('later/secret').read())", level=level, env=env, code=None)
        assert "secret\n" not in p.stdout
        assert p.returncode == 2 and f"/later' is a link that leads out of the writable '{box.path}'" in p.stderr, p.stderr
    finally:
        (box.path / "later").unlink(missing_ok=True)


def test_nothing_is_made_where_a_planted_link_leads(box):
    """The mount points for what is denied and hidden are made in directories the program may write to."""
    before = sorted(os.listdir(box.outside))
    (box.path / "way").symlink_to(box.outside)
    try:
        box.run("true", env={DENIED: "way/new/denied", HIDDEN: "way/hidden"}, code=None)
        assert sorted(os.listdir(box.outside)) == before
    finally:
        (box.path / "way").unlink()


def test_an_overlay_does_not_follow_what_a_lower_file_says(box):
    """CVE-2021-3493 and its like: the attributes by which an overlay redirects lie in the project, which was writable."""
    put(box, "plain/own")
    try:
        box.python("import os; os.setxattr('plain', 'user.overlay.redirect', b'/denied'); "
                   "os.setxattr('plain', 'user.overlay.opaque', b'y')", env=OPEN)
        assert os.getxattr(box.path / "plain", "user.overlay.redirect") == b"/denied"
        p = box.python("import os; print(os.path.exists('plain/own'), os.path.exists('plain/file'))", level="container")
        assert p.stdout.split()[1] == "False"
    finally:
        shutil.rmtree(box.path / "plain")


ODD = ("with space", "with,comma", "with:colon", "with\nnewline", "with\\backslash", "with\"quote", "-dash", "ünï", "a" * 200)


@pytest.mark.parametrize("level", LEVELS)
def test_paths_with_any_bytes_are_denied_all_the_same(box, level):
    denied = [f"odd/{n}" for n in ODD] + ["odd/./sub/../sub//file"]
    for n in [*ODD, "sub/file"]:
        put(box, f"odd/{n}")
    toml = box.path / "blast.toml"
    before = toml.read_text()
    toml.write_text(before + f"[sandbox.filesystem]\ndenied_paths = {json.dumps(denied, ensure_ascii=False)}\n")
    env = {DENIED: None}
    try:
        p = box.python("import errno, os, json, sys\nout = {}\nfor n in json.loads(sys.argv[1]):\n"
                       " try: open('odd/' + n).read(1); out[n] = 'ok'\n except OSError as e: out[n] = errno.errorcode[e.errno]\n"
                       "print(json.dumps(out))", level=level, env=env, words=[json.dumps([*ODD, "sub/file"])])
        assert json.loads(p.stdout) == {n: "EACCES" for n in [*ODD, "sub/file"]}
    finally:
        toml.write_text(before)
        shutil.rmtree(box.path / "odd")


@pytest.mark.parametrize("level", LEVELS)
def test_a_change_of_the_policy_does_not_reach_a_command_that_runs(box, level):
    toml = box.path / "blast.toml"
    before = toml.read_text()
    rule = "[sandbox.filesystem]\ndenied_paths = [\"{}\"]\nhidden_paths = [\"/nonexistent\"]\n"
    toml.write_text(before + rule.format("denied"))
    read = "print('ready', flush=True); input()\ntry: print(open('denied/file').read())\nexcept OSError as e: print(e.errno)"
    p = subprocess.Popen(box.words(box.program, "run", "--no-sync", "--", "python", "-c", read), cwd=box.path,
                         env={k: v for k, v in box.environment(level).items() if k not in (DENIED, HIDDEN)}, text=True,
                         stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        assert p.stdout.readline() == "ready\n"
        toml.write_text(before + rule.format("nothing"))
        assert p.communicate("\n", TIMEOUT)[0] == f"{errno.EACCES}\n"
        assert box.run("cat", "denied/file", level=level, env=OPEN).stdout == "secret\n"
    finally:
        toml.write_text(before)
        p.kill()
        p.wait(TIMEOUT)


# ------------------------------------------------------------ two at once

MARK = ("import os, socket, sys, time\n"
        "open('/tmp/mark', 'w').close(); open('/dev/shm/mark', 'w').close(); open(os.path.expanduser('~/mark'), 'w').close()\n"
        "s = socket.socket(socket.AF_UNIX); s.bind('\\0blast-mark'); s.listen()\n"
        "t = socket.create_server(('127.0.0.1', 47123))\n")
LOOK = ("import ctypes, json, os, socket\n"
        "def reach(f):\n try: f(); return True\n except OSError: return False\n"
        "def abstract(): socket.socket(socket.AF_UNIX).connect('\\0blast-mark')\n"
        "def tcp(): socket.create_connection(('127.0.0.1', 47123), 2)\n"
        "def marked(p):\n try: return b'blast-mark' in open(f'/proc/{p}/cmdline', 'rb').read()\n except OSError: return False\n"
        "def shm(): assert ctypes.CDLL(None).shmget(0x626c6173, 4096, 0) >= 0\n"
        "print(json.dumps({'tmp': os.path.exists('/tmp/mark'), 'shm': os.path.exists('/dev/shm/mark'),\n"
        " 'home': os.path.exists(os.path.expanduser('~/mark')), 'abstract': reach(abstract), 'tcp': reach(tcp),\n"
        " 'sysv': ctypes.CDLL(None).shmget(0x626c6173, 4096, 0) >= 0,\n"
        " 'process': any(marked(p) for p in os.listdir('/proc') if p.isdigit() and int(p) != os.getpid())}), flush=True)\n")


@pytest.mark.parametrize("level", ("namespace", "container"))
def test_two_sandboxes_do_not_reach_each_other(box, level):
    first = MARK + ("import ctypes, subprocess\nctypes.CDLL(None).shmget(0x626c6173, 4096, 0o1666)\n"
                    f"subprocess.run([sys.executable, '-c', {LOOK!r}])\ninput()\n")
    p = subprocess.Popen(box.words(box.program, "run", "--no-sync", "--", "python", "-c", first, "blast-mark"), cwd=box.path,
                         env=box.environment(level, **OPEN), text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        there = json.loads(p.stdout.readline())
        assert there == {k: True for k in there} and len(there) == 7
        other = {**OPEN, "BLAST_SANDBOX_FILESYSTEM_MAX_FILE_SIZE": "1G"}  # another policy: not the same sandbox
        beside = json.loads(box.python(LOOK, level=level, env=other).stdout)
        assert beside == {k: False for k in there}
    finally:
        p.communicate("\n", TIMEOUT)
        assert p.returncode == 0


# ------------------------------------------------------------ terminals

def test_what_is_typed_for_the_callers_shell_does_not_appear(box):
    """TIOCSTI, and the caller's own terminal by each of its names. The control: outside it works."""
    push = ("import fcntl, os, termios\nout = []\n"
            "for name in ('/proc/self/fd/0', '/dev/tty', '{tty}'):\n"
            " try:\n"
            "  fd = os.open(name, os.O_RDWR | os.O_NOCTTY)\n"
            "  st = os.fstat(fd)\n"
            "  out.append('same' if (st.st_dev, st.st_ino) == {file} else 'own')\n"
            "  for c in b'echo own' + b'ed\\n': fcntl.ioctl(fd, termios.TIOCSTI, bytes([c]))\n"
            "  out.append('typed')\n"
            " except OSError as e: out.append('refused')\n"
            "print('out', *out, 'end')\n")
    pid, fd = in_terminal(box, "bash", "--norc", "-i")
    tty = os.ptsname(fd) if hasattr(os, "ptsname") else f"/dev/pts/{pts_number(fd)}"
    code = box.path / "push.py"
    code.write_text(push.format(tty=tty, file=(os.stat(tty).st_dev, os.stat(tty).st_ino)))
    give(box, code)
    try:
        os.write(fd, f"{box.program} run --no-sync -- python push.py; echo shell''again\n".encode())
        said = read_until(fd, b"shellagain").split(b"out ")[-1].split()
        assert b"typed" not in said and b"same" not in said, said
        if Path("/proc/sys/dev/tty/legacy_tiocsti").exists() and Path("/proc/sys/dev/tty/legacy_tiocsti").read_text() == "1\n":
            os.write(fd, f"{PYTHON} push.py\n".encode())
            assert b"typed" in read_until(fd, b"end").split(b"out ")[-1]
    finally:
        os.close(fd)
        os.waitpid(pid, 0)
        code.unlink()


def pts_number(master):
    number = bytearray(4)
    fcntl.ioctl(master, termios.TIOCGPTN if hasattr(termios, "TIOCGPTN") else 0x80045430, number)
    return int.from_bytes(number, "little")


# ------------------------------------------------------------ limits

BOMB = {
    "forks": "if os.fork() == 0: os.read(r, 1); os._exit(0)",
    "double forks": "if os.fork() == 0:\n  os.setsid()\n  try:\n   if os.fork() == 0: os.read(r, 1)\n  finally: os._exit(0)",
    "spawned": "subprocess.Popen(['cat'], stdin=r)",
    "threads": "threading.Thread(target=os.read, args=(r, 1), daemon=True).start()",
}


@pytest.mark.release_only
@pytest.mark.parametrize("kind", BOMB)
def test_the_number_of_processes_is_held_whatever_they_are(box, kind):
    """Counted from outside of them: how many are there when no more can be made?"""
    code = ("import os, signal, subprocess, sys, threading\nr, w = os.pipe()\n"
            "signal.signal(signal.SIGCHLD, signal.SIG_IGN)\ntry:\n for _ in range(80):\n  " + BOMB[kind].replace("\n", "\n  ") +
            "\nexcept (OSError, RuntimeError): pass\n"
            "n = 0\nfor p in os.listdir('/proc'):\n try: n += len(os.listdir(f'/proc/{p}/task')) if p.isdigit() else 0\n"
            " except OSError: pass\nprint(n, flush=True)\nos._exit(0)")
    assert int(box.python(code, env={R + "PROCESS_LIMIT": "200"}).stdout) > 70
    assert int(box.python(code, env={R + "PROCESS_LIMIT": "20"}).stdout) <= 22


MEMORY = {
    "a mapping that is shared": "m = mmap.mmap(-1, 1 << 20); m.write(b'x' * (1 << 20)); kept.append(m)",
    "a file without a name": "fd = os.memfd_create('x'); os.write(fd, b'x' * (1 << 20)); kept.append(fd)",
    "System V": "i = libc.shmget(0, 1 << 20, 0o1600); libc.shmat.restype = ctypes.c_void_p; "
                "ctypes.memset(libc.shmat(i, None, 0), 1, 1 << 20)",
    "a file in /dev/shm": "open(f'/dev/shm/{n}', 'wb').write(b'x' * (1 << 20))",
    "many processes": "if os.fork() == 0: kept.append(b'x' * (1 << 20)); signal.pause()",
}


@pytest.mark.release_only
@pytest.mark.parametrize("kind", MEMORY)
def test_memory_of_any_kind_is_held(box, kind):
    eat = ("import ctypes, mmap, os, signal, time\nlibc = ctypes.CDLL(None)\nkept = []\nfor n in range(@):\n " + MEMORY[kind] +
           "\nprint('ate', flush=True)\n")
    env = {R + "MEMORY_LIMIT": "100M", R + "PROCESS_LIMIT": "500", R + "DISK_LIMIT": "1G"}
    assert box.python(eat.replace("@", "10"), env=env).stdout == "ate\n"
    p = box.python(eat.replace("@", "300") + "time.sleep(60)", env=env, code=137)
    assert "ended by the sandbox: memory_limit" in p.stderr


@pytest.mark.release_only
def test_the_processor_is_shared_out_among_daemons_too(box):
    """Four that have left their parent and its session, and one that wakes the others whenever it can."""
    code = ("import os, resource, signal, time\nr, w = os.pipe()\nend = time.monotonic() + 2\nfor n in range(4):\n"
            " if os.fork() == 0:\n  os.setsid()\n  if os.fork(): os._exit(0)\n  while time.monotonic() < end: os.kill(-1, signal.SIGCONT)\n"
            "  u = resource.getrusage(resource.RUSAGE_SELF); os.write(w, f'{u.ru_utime + u.ru_stime}\\n'.encode()); os._exit(0)\n"
            " os.wait()\nos.close(w)\nprint(sum(map(float, os.fdopen(r).read().split())))")
    free = float(box.python(code, env={R + "CPU_LIMIT": "400"}).stdout)
    for without in ("", "cgroup"):
        env = {R + "CPU_LIMIT": "20", "BLAST_JAIL_WITHOUT": without}
        assert float(box.python(code, env=env).stdout) < min(1.2, free), without or "as it is"


FILL = {
    "space of a file that is gone": "fd = os.open('/tmp/x', os.O_CREAT | os.O_RDWR); os.unlink('/tmp/x')\nfor _ in range(20): os.write(fd, b'x' * (1 << 20))",
    "space asked for": "fd = os.open('/tmp/x', os.O_CREAT | os.O_RDWR); os.posix_fallocate(fd, 0, 20 << 20)",
    "names": "os.mkdir('/tmp/many')\nfor n in range(8000): os.close(os.open(f'/tmp/many/{n}', os.O_CREAT))",
    "two places": "for d in ('/tmp', '/var/tmp', os.path.expanduser('~')):\n for n in range(5): open(f'{d}/{n}', 'wb').write(b'x' * (1 << 20))",
}


@pytest.mark.release_only
@pytest.mark.parametrize("kind", FILL)
def test_a_disk_in_memory_is_full_in_the_end(box, kind):
    assert error_of(box, FILL[kind], env={R + "DISK_LIMIT": "1G"}) == "ok"
    assert error_of(box, FILL[kind], env={R + "DISK_LIMIT": "8M"}) == "ENOSPC"


def test_what_is_removed_and_open_counts_on_the_disk_too(box):
    fill = ("import os, time\nfd = os.open('gone', os.O_CREAT | os.O_RDWR); os.unlink('gone')\n"
            "for _ in range(32): os.write(fd, b'x' * (1 << 20))\nprint('written', flush=True)\ntime.sleep({})")
    assert box.python(fill.format(0)).stdout == "written\n"
    p = box.python(fill.format(60), env={R + "DISK_LIMIT": "8M"}, code=137)
    assert "ended by the sandbox: disk_limit" in p.stderr


LARGE = {
    "write": "[os.write(fd, b'x' * (1 << 19)) for _ in range(6)]",
    "pwrite": "os.pwrite(fd, b'x', 3 << 20)",
    "pwritev": "os.pwritev(fd, [b'x'], 3 << 20)",
    "truncate": "os.ftruncate(fd, 3 << 20)",
    "fallocate": "os.posix_fallocate(fd, 0, 3 << 20)",
    "copy_file_range": "[os.copy_file_range(src, fd, 1 << 19, 0) for _ in range(6)]",
    "sendfile": "[os.sendfile(fd, src, 0, 1 << 19) for _ in range(6)]",
    "splice": "r, w = os.pipe(); [(os.write(w, b'x' * 65536), os.splice(r, fd, 65536)) for _ in range(40)]",
    "memfd": "os.ftruncate(os.memfd_create('x'), 3 << 20)",
}


@pytest.mark.release_only
@pytest.mark.parametrize("level", LEVELS)
def test_no_call_makes_a_larger_file(box, level):
    code = ("import errno, json, os, tempfile\nsrc = os.open(os.path.join(tempfile.gettempdir(), 'src'), os.O_CREAT | os.O_RDWR)\n"
            "os.write(src, b'x' * (1 << 19))\nout = {}\n"
            f"for name, do in {LARGE!r}.items():\n fd = os.open(os.path.join(tempfile.gettempdir(), 'big'), os.O_CREAT | os.O_RDWR | os.O_TRUNC)\n"
            " try: exec(do); out[name] = 'ok'\n except OSError as e: out[name] = errno.errorcode[e.errno]\n os.close(fd)\nprint(json.dumps(out))")
    free = json.loads(box.python(code, level=level, env={**OPEN, "BLAST_SANDBOX_FILESYSTEM_MAX_FILE_SIZE": "100M"}).stdout)
    held = json.loads(box.python(code, level=level, env={**OPEN, "BLAST_SANDBOX_FILESYSTEM_MAX_FILE_SIZE": "1M"}).stdout)
    assert free == {n: "ok" for n in LARGE}
    assert held == {n: "EFBIG" for n in LARGE}


# ------------------------------------------------------------ the end

@pytest.mark.parametrize("level", ("namespace", "container"))
def test_nothing_is_left_of_a_launcher_killed_while_it_builds(box, level):
    """Whenever it happens: at its first sight, and later and later. One that ends before it took the command is made
    anew, but not forever."""
    for looks in range(8):
        mark = f"blast-race-{os.getpid()}-{looks}"
        p = subprocess.Popen(box.words(box.program, "run", "--no-sync", "--", "python", "-c",
                                       "import time; time.sleep(600)", mark), cwd=box.path,
                             env=box.environment(level, **OPEN), stdin=subprocess.DEVNULL, stderr=subprocess.PIPE,
                             text=True)
        killed = set()
        while p.poll() is None:
            killed |= kill_child(p.pid, "blast-jail", looks * 20)
        _, said = p.communicate()
        assert p.returncode == 125 and 1 <= len(killed) <= 5, (p.returncode, killed, said)
        assert re.search("ended by signal 9|was ended while 'python' ran|ends whenever a command comes", said), said
        wait_for(lambda: not processes_with(mark))


@pytest.mark.parametrize("deaths", (1, 2, 9))
def test_a_launcher_that_dies_before_it_took_the_command_is_replaced(box, deaths):
    """Five times at the most, and one that is about to be gone may be found twice; the last one's end is the error."""
    stand_in, count = box.path / "blast-jail", box.path / "deaths"
    stand_in.write_text(f'''#!/bin/sh
n=$(cat {count} 2>/dev/null || echo 0)
echo $((n + 1)) > {count}
[ "$n" -ge {deaths} ] || kill -9 $$
exec {box.program.parent / "blast-jail"} "$@"
''')
    stand_in.chmod(0o755)
    count.unlink(missing_ok=True)
    p = box.run("python", "-c", "print(6 * 7)", level="namespace", env={**OPEN, "BLAST_JAIL": str(stand_in)},
                code=125 if deaths == 9 else 0)
    assert p.stdout == ("" if deaths == 9 else "42\n")
    ends = re.search("ended by signal 9|ends whenever a command comes", p.stderr)
    assert bool(ends) == (deaths == 9), p.stderr


def kill_child(pid, name, looks):
    """After as many looks at it. Whom that was."""
    for child in [j for keeper in cells.children(pid) for j in cells.children(keeper)]:
        try:
            if Path(f"/proc/{child}/comm").read_text() == name + "\n":
                for _ in range(looks):
                    Path(f"/proc/{child}/status").read_text()
                os.kill(child, signal.SIGKILL)
                return {child}
        except (FileNotFoundError, ProcessLookupError):
            pass
    return set()


def processes_with(mark):
    found = []
    for d in Path("/proc").glob("[0-9]*"):
        try:
            if mark.encode() in (d / "cmdline").read_bytes():
                found.append(d.name)
        except OSError:
            pass
    return found


# ------------------------------------------------------------ what is missing is said

@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("without", ("userns", "landlock", "seccomp", "cgroup", "userns,landlock", "userns,landlock,seccomp"))
def test_what_is_missing_is_never_called_hard(box, level, without):
    """What the report calls hard under strict holds; what does not hold refuses the start, or is named."""
    limits = {R + "CPU_LIMIT": "50", R + "MEMORY_LIMIT": "1G", R + "PROCESS_LIMIT": "100", R + "IOPS_LIMIT": "0"}
    env = {**OPEN, "BLAST_JAIL_WITHOUT": without, "BLAST_SECURITY_ALLOW_DEGRADED": "", **limits}
    p = box.blast("sandbox", "check", "--json", level=level, env=env)
    rows = {r["setting"]: r for r in json.loads(p.stdout)["enforcement"]["settings"]}
    assert p.returncode == 0 or [r for r in rows.values() if r["state"] == "not enforced"], p.stdout
    gone = {"userns": ("mount", "pid 1", "namespace"), "landlock": ("Landlock",), "seccomp": ("seccomp",), "cgroup": ("cgroup v",)}
    for what in without.split(","):
        for name, row in rows.items():
            if row["state"] == "hard" and p.returncode == 0:
                assert not any(word in row["mechanism"] for word in gone[what]), (name, row)
    lacking = [n for n, r in rows.items() if r["state"] == "not enforced"]
    p = box.run("true", level=level, env={**env, "BLAST_SECURITY_DEFAULT_POLICY": "strict"}, code=None)
    assert p.returncode == (125 if lacking else 0), (lacking, p.stderr)
    assert not lacking or any(f"error: {name} is not enforced" in p.stderr for name in lacking), p.stderr
