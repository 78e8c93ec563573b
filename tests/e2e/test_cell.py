"""One sandbox for all that runs in an environment at the same time: what is shared, what is not, when it ends."""
import json
import os
import signal
import subprocess
from pathlib import Path

import pytest

import cells
from test_sandbox import LEVELS, TIMEOUT, USERS, make_box, wait_for

INSIDE = ("namespace", "container")
HOLD = "import sys; print('up', flush=True); sys.stdin.readline()"


@pytest.fixture(scope="module", params=USERS)
def box(request, program):
    b = make_box(program, request.param)
    yield b
    b.close()


def hold(box, *words, level="namespace", env=None):
    """A command that runs until its input ends, already up."""
    p = subprocess.Popen(box.words(box.program, "run", "--no-sync", "--", *(words or ("python", "-c", HOLD))), cwd=box.path,
                         env=box.environment(level, **(env or {})), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                         stderr=subprocess.PIPE, text=True)
    line = p.stdout.readline()
    assert line, p.stderr.read()
    p.said = line.strip()
    return p


def log_of(box):
    said = json.loads(box.blast("audit", "show", "--event", "sandbox", "--json").stdout)["entries"]
    return [e["data"] for e in said]


def end(p):
    p.communicate(timeout=TIMEOUT)
    return p.returncode


@pytest.mark.parametrize("level", INSIDE)
def test_a_server_in_one_terminal_is_reached_from_the_next(box, level):
    server = hold(box, "python", "-c", "import socket, sys\ns = socket.create_server(('127.0.0.1', 0))\n"
                  "print(s.getsockname()[1], flush=True)\ns.accept()[0].sendall(b'served')", level=level)
    p = box.run("python", "-c", f"import socket; print(socket.create_connection(('127.0.0.1', {server.said})).recv(99))",
                level=level)
    assert p.stdout == "b'served'\n" and end(server) == 0


def test_commands_see_each_other_and_temporary_files(box):
    first = hold(box, "sh", "-c", "echo x > /tmp/shared; echo $$; read line")
    assert box.run("cat", "/tmp/shared").stdout == "x\n"
    assert box.run("sh", "-c", f"kill -0 {first.said} && echo there").stdout == "there\n"
    end(first)
    assert box.run("sh", "-c", "test -e /tmp/shared || echo gone").stdout == "gone\n"  # another sandbox by now


def test_each_command_has_its_own_directory_environment_and_exit_code(box):
    first = hold(box)
    p = box.run("sh", "-c", "pwd; echo $LANG; exit 7", code=7, cwd=box.path / "denied" / "..",
                env={"LANG": "de_DE.UTF-8"})
    assert p.stdout.splitlines() == [str(box.path), "de_DE.UTF-8"]
    assert end(first) == 0


@pytest.mark.parametrize("level", LEVELS)
def test_what_a_command_leaves_behind_ends_with_it_though_others_run(box, level):
    env = {"BLAST_SECURITY_ALLOW_DEGRADED": "isolation_level,host_sockets,process_isolation"}
    wait_for(lambda: not cells.jails(box.path))
    where = "" if level == "container" else "os.chdir(os.environ['TMPDIR' if 'TMPDIR' in os.environ else 'HOME']); "
    code = ("import os, signal, sys, time\n" + where + "\nif os.fork() == 0:\n os.setsid()\n if os.fork() == 0:\n"
            "  signal.signal(15, signal.SIG_IGN); open('left-by', 'w').close(); time.sleep(600)\n os._exit(0)\n"
            "while not os.path.exists('left-by'): time.sleep(0.01)")
    first = hold(box, level=level, env=env)
    box.run("python", "-c", code, level=level, env=env)
    jail, = cells.jails(box.path)
    assert len([p for p in cells.below(jail) if cells.name_of(p) == "python"]) == 1  # the first
    assert end(first) == 0


def test_a_killed_client_takes_its_command_along_and_no_other(box):
    wait_for(lambda: not cells.jails(box.path))
    first, second = hold(box), hold(box)
    jail, = cells.jails(box.path)
    running = lambda: [p for p in cells.below(jail) if cells.name_of(p) == "python"]  # noqa: E731
    assert len(running()) == 2
    first.kill()
    wait_for(lambda: len(running()) == 1)
    assert box.run("echo", "on").stdout == "on\n"
    assert end(second) == 0
    first.wait()


def test_it_ends_with_the_last_command(box):
    first, second = hold(box), hold(box)
    jails = cells.jails(box.path)
    assert len(jails) == 1 and end(first) == 0
    assert cells.jails(box.path) == jails and end(second) == 0
    wait_for(lambda: not cells.jails(box.path))


def test_many_that_come_at_once_find_one(box):
    first = hold(box)
    many = [subprocess.Popen(box.words(box.program, "run", "--no-sync", "--", "echo", str(i)), cwd=box.path,
                             env=box.environment("namespace"), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
            for i in range(12)]
    assert sorted(int(p.communicate(timeout=TIMEOUT)[0]) for p in many) == list(range(12))
    assert len(cells.jails(box.path)) == 1 and end(first) == 0


def test_many_that_come_while_it_ends_all_run(box):
    for _ in range(4):
        many = [subprocess.Popen(box.words(box.program, "run", "--no-sync", "--", "true"), cwd=box.path,
                                 env=box.environment("namespace"), stdin=subprocess.DEVNULL, stderr=subprocess.PIPE,
                                 text=True) for _ in range(6)]
        for p in many:
            _, said = p.communicate(timeout=TIMEOUT)
            assert p.returncode == 0, said


def test_another_policy_is_another_sandbox(box):
    first = hold(box)
    p = box.run("sh", "-c", "ulimit -f", env={"BLAST_SANDBOX_FILESYSTEM_MAX_FILE_SIZE": "1M"})
    assert p.stdout.strip() == "2048" and box.run("sh", "-c", "ulimit -f").stdout.strip() == "unlimited"
    assert end(first) == 0


def test_it_stays_for_as_long_as_a_shell_holds_it(box):
    shell = subprocess.Popen(box.words("sleep", "600"), stdin=subprocess.DEVNULL)
    env = {"BLAST_SHELL_PID": str(shell.pid)}
    box.run("sh", "-c", "echo kept > /tmp/kept", env=env)
    assert box.run("cat", "/tmp/kept").stdout == "kept\n"
    jails = cells.jails(box.path)
    assert len(jails) == 1
    shell.send_signal(signal.SIGKILL)
    shell.wait()
    wait_for(lambda: not cells.jails(box.path))


def test_kill_ends_it_with_all_that_runs_in_it(box):
    first = hold(box)
    p = box.blast("kill", level="namespace")
    assert p.returncode == 0, p.stderr
    assert end(first) == 125 or first.returncode > 128
    wait_for(lambda: not cells.jails(box.path))


def test_status_shows_what_runs_and_what_it_uses(box):
    first = hold(box)
    sandbox, = json.loads(box.blast("status", "--json", level="namespace").stdout)["sandboxes"]
    assert [c["command"] for c in sandbox["commands"]] == ["python"]
    assert sandbox["memory"] > 1 << 20 and 2 <= sandbox["processes"] < 20
    assert "python" in box.blast("status", level="namespace").stdout
    assert end(first) == 0


def test_the_audit_log_has_the_sandbox_and_each_command(box):
    wait_for(lambda: not cells.keepers(box.path))
    box.run("sh", "-c", "exit 3", code=3)
    wait_for(lambda: log_of(box)[-1]["sandbox"] == "ended")
    made, run, ended = log_of(box)[-3:]
    assert made["sandbox"] == "made" and made["enforcement"]["level"] == "namespace" and len(made["policy"]) == 64
    assert run["sandbox"] == "run" and run["command"] == "sh" and run["exit"] == 3
    assert ended["sandbox"] == "ended" and ended["end"] == "over"


def test_a_memory_hog_does_not_take_the_others_along(box):
    if box.user != "root":
        pytest.skip("without a cgroup memory is sampled, and over the limit all of it ends")
    env = {"BLAST_SANDBOX_RESOURCES_MEMORY_LIMIT": "100M"}
    first = hold(box, env=env)
    p = box.run("python", "-c", "b = bytearray(300 << 20)", env=env, code=137)
    assert "memory_limit" in p.stderr
    met = [d for d in log_of(box) if d["sandbox"] == "limit"]
    assert met[-1]["limit"] == "memory_limit" and met[-1]["times"] == 1
    assert box.run("echo", "on", env=env).stdout == "on\n" and end(first) == 0


@pytest.mark.release_only
def test_a_fork_bomb_ends_with_its_command(box):
    wait_for(lambda: not cells.jails(box.path))
    env = {"BLAST_SANDBOX_RESOURCES_PROCESS_LIMIT": "60"}
    first = hold(box, env=env)
    box.run("python", "-c", "import os, signal, sys\nsignal.signal(15, signal.SIG_IGN)\nfor _ in range(200):\n"
            " try:\n  os.fork()\n except OSError: pass\nos._exit(0)", env=env)
    jail, = cells.jails(box.path)
    assert len([p for p in cells.below(jail) if cells.name_of(p) == "python"]) == 1
    if box.user == "root":  # whose sandbox has a cgroup, which counts
        assert any(d["sandbox"] == "limit" and d["limit"] == "process_limit" for d in log_of(box))
    assert end(first) == 0


def test_what_a_killed_keeper_left_is_cleaned_up_by_the_next_start(box):
    wait_for(lambda: not cells.jails(box.path))
    first = hold(box, env={"BLAST_SANDBOX_RESOURCES_MEMORY_LIMIT": "1G"})
    (keeper,), (jail,) = cells.keepers(box.path), cells.jails(box.path)
    below = cells.below(jail)
    for pid in (keeper, jail):
        os.kill(pid, signal.SIGKILL)
    assert end(first) in (125, 137)  # blast-jail may still have told it
    wait_for(lambda: not any(Path(f"/proc/{b}").exists() for b in below))
    assert box.run("echo", "again").stdout == "again\n"
    recovered = [d for d in log_of(box) if d["sandbox"] == "recovered"]
    assert len(recovered) == 1 and recovered[0]["why"] == "its keeper was killed" and len(recovered[0]["policy"]) == 64
    wait_for(lambda: not list((box.home / "blast" / "state").rglob("cells/*")))
    groups = [g for g in Path("/sys/fs/cgroup").rglob(f"blast-{jail}-*") if (g / "cgroup.procs").read_text().split()]
    assert not groups


def test_where_no_state_can_be_kept_each_command_has_its_own(box):
    if box.user == "root":
        pytest.skip("root can write everywhere")
    state = box.home / "blast" / "state"
    wait_for(lambda: not list(state.rglob("cells/*")))
    for cells_dir in state.rglob("cells"):
        cells_dir.rmdir()
    state.chmod(0o555)
    try:
        p = box.run("sh", "-c", "echo on; cat /etc/shadow", code=1)
        assert p.stdout == "on\n" and "Permission denied" in p.stderr or "No such file" in p.stderr
        assert box.run("sh", "-c", "exit 4", code=4)
    finally:
        state.chmod(0o755)
