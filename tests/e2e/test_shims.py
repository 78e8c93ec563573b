"""The environment's programs in an activated shell run in the sandbox: .venv/shims, blast shim, blast start --inside."""
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys

import pytest

import cells
from index_server import make_wheel
from test_sandbox import TOML, wait_for
from test_shells import ALL, BOUND, POSIX, Shell, init_line, need, other, script, shell_env  # noqa: F401

SLEEP = ("import os, signal, time\nsignal.signal(signal.SIGCONT, lambda *_: os.write(1, b'goes on\\n'))\n"
         "print('up', flush=True)\ntime.sleep(600)\n")
WITHOUT = TOML.replace("[sandbox]\n", "[sandbox]\nnetwork_isolation = false\nfilesystem_isolation = false\n"
                                      "resource_control = false\n")


@pytest.fixture(autouse=True)
def sandbox(program):
    if not (program.parent / "blast-jail").exists():
        pytest.skip("blast-jail is not built")


@pytest.fixture
def secret(project):
    path = project.blast.cwd / "secret"
    path.write_text("hidden words\n")
    return path


def direct(project, *words, code=0, **more):
    """A shim, without a shell."""
    p = subprocess.run([str(project.path / ".venv/shims" / words[0]), *map(str, words[1:])], capture_output=True, text=True,
                       cwd=more.pop("cwd", project.path), env=dict(project.blast.env, **more), timeout=BOUND,
                       stdin=subprocess.DEVNULL)
    assert "Sanitizer" not in p.stderr, p.stderr
    assert p.returncode == code, f"{words}\nexit {p.returncode}\n{p.stdout}\n{p.stderr}"
    return p


# ------------------------------------------------------------ in an activated shell

@pytest.mark.parametrize("shell", ALL)
def test_what_is_typed_has_no_files_and_no_network_but_the_sandboxes(project, secret, shell):
    server = socket.create_server(("127.0.0.1", 0))
    project.write("read.py", f"print(open({str(secret)!r}).read())\n")
    project.write("call.py", f"import socket\nsocket.create_connection(('127.0.0.1', {server.getsockname()[1]}))\n")
    with Shell(shell, project) as sh:
        sh("blast start")
        assert sh("command -v python").endswith("/.venv/shims/python")
        assert "FileNotFoundError" in sh("python read.py", code=1)
        assert "Error: " in sh("python call.py", code=1)
        assert sh("python -c 'open(\"made\", \"w\").write(\"here\")'") == ""
        assert project.read("made") == "here"
        outside = shlex.quote(sys.executable)  # the control: outside both work
        assert "hidden words" in sh(f"{outside} read.py")
        sh(f"{outside} call.py")


@pytest.mark.parametrize("shell", ALL)
def test_the_sandbox_is_one_for_the_shell_and_ends_with_it(project, shell):
    with Shell(shell, project) as sh:
        sh("blast start")
        sh("python -c 'open(\"/tmp/kept\", \"w\").write(\"words\")'")
        assert sh("python -c 'print(open(\"/tmp/kept\").read())'") == "words"
        assert sh("blast run cat /tmp/kept") == "words"
        assert len(cells.jails(project.path)) == 1
        assert not os.path.exists("/tmp/kept")
    wait_for(lambda: not cells.jails(project.path))


@pytest.mark.parametrize("shell", ALL)
def test_the_sandbox_ends_with_the_environment_that_is_left(project, shell):
    with Shell(shell, project) as sh:
        before = sh("printf '%s\\n' \"$PATH\"")
        sh("blast start")
        sh("python -c 0")
        assert len(cells.jails(project.path)) == 1
        sh("blast kill --force")
        wait_for(lambda: not cells.jails(project.path))
        assert sh("printf '%s\\n' \"$PATH\"") == before


@pytest.mark.parametrize("shell", ALL)
def test_a_shell_within_has_the_shims_whatever_its_start_files_do_to_path(project, shell):
    project("start")
    env = project.path / ".venv"
    active = dict(VIRTUAL_ENV=str(env), VIRTUAL_ENV_PROMPT="app", BLAST_ENV=str(env), BLAST_PROJECT=str(project.path))
    show = "printf '%s\\n' \"$PATH\" \"$BLAST_SHELL_PID\""
    own = "$fish_pid" if shell == "fish" else "$$"
    before = shell_env(project)["PATH"]
    for path in (before, f"/first:{env}/shims:{before}"):
        out = script(shell, project, f"{show} {own}\n", PATH=path, BLAST_SHELL_PID="1", **active).split("\n")
        assert out[0].startswith(f"{env}/shims:") and out[0].count("/.venv/") == 1, out
        assert out[1] == out[2] != "1", out
    out = script(shell, project, f"{show}\n", PATH=f"/first:{env}/bin:{before}", **active)
    assert out.startswith(f"{env}/bin:/first:"), "one that was entered without a sandbox stays so"


@pytest.mark.parametrize("shell", ALL)
def test_stacked_environments_each_have_their_own(project, other, secret, shell):  # noqa: F811
    project("start")
    with Shell(shell, project) as sh:
        sh("blast start")
        sh(f"cd {shlex.quote(str(other.path))}")
        sh("blast start --stack")
        where = "python -c 'import sys; print(sys.prefix)'"
        assert sh(where) == str(other.path / ".venv")
        sh("blast kill --force")
        sh(f"cd {shlex.quote(str(project.path))}")
        assert sh(where) == str(project.path / ".venv")
        sh("blast kill --force")
        assert ".venv" not in sh("printf '%s\\n' \"$PATH\" \"$BLAST_SHELL_PID\"")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_keys_reach_what_runs(project, shell):
    project.write("sleep.py", SLEEP)
    with Shell(shell, project) as sh:
        sh("blast start")
        sh.prompt()
        for stop in (False, True):
            sh.type("python sleep.py\r")
            sh.expect(r"\bup\b")
            if stop:
                sh.type("\x1a")
                sh.expect(r"(?i)stopped|suspended")
                sh("true")
                sh.prompt()
                sh.type("fg\r")
                sh.expect("goes on")
            sh.type("\x03")
            sh.expect("KeyboardInterrupt")
            sh.expect("PROMPT> ")
        assert sh("echo here") == "here"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_pager_behind_a_pipe_has_the_keys(project, shell):
    need("less")
    project.write("many.py", "for i in range(100000):\n    print('line', i)\n")
    with Shell(shell, project, LESS="") as sh:
        sh("blast start")
        before = sh("stty -a")
        sh.prompt()
        sh.type("python many.py | less\r")
        for page in range(3):
            sh.expect(r"line \d+\n:")
            sh.type(" ")
        sh.type("q")
        sh.expect("PROMPT> ")
        assert sh("stty -a") == before


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_question_within_a_pipeline_is_answered(project, shell):
    project.write("ask.py", "import getpass, sys\nprint('name?', file=sys.stderr)\nprint('got', input())\n"
                            "print('secret', getpass.getpass('word?\\n'))\n")
    with Shell(shell, project) as sh:
        sh("blast start")
        before = sh("stty -a")
        sh.prompt()
        sh.type("python ask.py | cat\r")
        sh.expect(r"name\?")
        sh.type("bee\r")
        sh.expect(r"word\?")
        sh.type("hidden\r")
        sh.expect("got bee\nsecret hidden\n")
        sh.expect("PROMPT> ")
        assert sh("stty -a") == before


@pytest.mark.parametrize("shell", ALL)
def test_pip_changes_the_environment_through_blast(project, index, shell):
    index.add(make_wheel("more", "1.0", entry_points={"more-tool": "more:main"}))
    index.add(make_wheel("other", "2.0"))
    with Shell(shell, project, BLAST_INDEX_URL=index.index) as sh:
        sh("blast start")
        assert "Successfully installed more-1.0" in sh("pip install more")
        assert sh("more-tool") == "more 1.0"
        assert "Successfully installed other-2.0" in sh("python -m pip install other")
        assert sh("python -c 'import other; print(other.__version__)'") == "2.0"
        history = sh("blast history")
        assert "pip install more" in history and "pip install other" in history
        sh("blast undo 2")
        sh("more-tool", code=127)


@pytest.mark.parametrize("shell", POSIX)
def test_printed_text_activates_with_the_sandbox(project, secret, shell):
    text = project("start", "--print", shell if shell != "dash" else "sh").stdout
    before = shell_env(project)["PATH"]
    p = subprocess.run([need(shell), *(["-f"] if shell == "zsh" else []), "-c",
                        f"{text}\nprintf '%s\\n' \"$PATH\"\npython -c 'open({str(secret)!r})' || echo refused\n"
                        "deactivate\nprintf '%s\\n' \"$PATH\"\n"], cwd=project.path, env=shell_env(project),
                       capture_output=True, text=True, timeout=BOUND)
    assert p.stdout.split("\n")[:3] == [f"{project.path}/.venv/shims:{before}", "refused", before], p


def test_printed_text_for_fish_activates_with_the_sandbox(project):
    text = project("start", "--print", "fish").stdout
    before = shell_env(project)["PATH"]
    p = subprocess.run([need("fish"), "-c", f"{text}\nstring join : $PATH\ndeactivate\nstring join : $PATH\n"],
                       cwd=project.path, env=shell_env(project), capture_output=True, text=True, timeout=BOUND)
    assert p.stdout.split("\n")[:2] == [f"{project.path}/.venv/shims:{before}", before], p


# ------------------------------------------------------------ a shim by itself

def test_each_program_has_one_and_it_keeps_arguments_input_and_exit_code(project, index):
    index.add(make_wheel("demo", "1.0", entry_points={"demo-tool": "demo:main"}))
    project.require("demo")
    project("start")
    assert direct(project, "demo-tool").stdout == "demo 1.0\n"
    names = {p.name for p in (project.path / ".venv/shims").iterdir()}
    assert names == {p.name for p in (project.path / ".venv/bin").iterdir() if not p.name.startswith("activate")}
    assert direct(project, "python", "-c", "import sys; print(sys.argv[1:]); sys.exit(7)", "--help", "", "a b", "--", "-v",
                  code=7).stdout == "['--help', '', 'a b', '--', '-v']\n"
    p = subprocess.run([project.path / ".venv/shims/python", "-"], input="print(1 + 1)", capture_output=True, text=True,
                       cwd=project.path, env=project.blast.env, timeout=BOUND)
    assert (p.stdout, p.stderr) == ("2\n", "")
    (project.path / ".venv/shims/gone").symlink_to("../../../.shim")
    assert "is not in the environment any more" in direct(project, "gone", code=127).stderr


def test_it_knows_its_environment_however_it_is_called(project):
    project("start")
    shims = project.path / ".venv/shims"
    for word, cwd in (("./python", shims), ("shims/python", shims.parent), ("./shims/../../../shims/python", shims.parent)):
        p = subprocess.run([word, "-c", "import sys; print(sys.prefix)"], cwd=cwd, env=project.blast.env, text=True,
                           capture_output=True, timeout=BOUND)
        assert p.stdout.strip() == str(project.path / ".venv"), p
    link = project.blast.cwd / "linked"
    link.symlink_to(project.path)
    p = subprocess.run([link / ".venv/shims/python", "-c", "import sys; print(sys.prefix)"], cwd="/", text=True,
                       env=project.blast.env, capture_output=True, timeout=BOUND)
    assert p.returncode == 0 and "my app" in p.stdout, p
    r = project("shim", "/usr/bin/python3", code=125)
    assert "is started by the programs in .venv/shims" in r.stderr


def test_a_program_blast_that_is_gone_is_said_and_nothing_runs_outside(project):
    project("start")
    shim = project.path / ".venv/.shim"
    right = shim.read_text()
    shim.write_text(re.sub("(?m)^blast=.*", "blast='/nowhere/blast'", right))
    out = script("bash", project, "PATH=$PWD/.venv/shims:$PATH\npython -c 'print(1)' 2>&1 || echo \"rc $?\"\n")
    assert "/nowhere/blast, which puts it into the sandbox, is not there" in out and out.endswith("rc 125\n"), out
    project("start", "--no-activate")
    assert shim.read_text() == right


def test_without_a_sandbox_to_run_in_it_runs_as_it_is(project, secret):
    project("start")
    read = f"print(open({str(secret)!r}).read())"
    direct(project, "python", "-c", read, code=1)
    project.write("blast.toml", WITHOUT)
    project("trust", "--yes")
    assert direct(project, "python", "-c", read).stdout == "hidden words\n\n"
    out = script("bash", project, "blast start\nprintf '%s\\n' \"$PATH\"\n")
    assert out.startswith(f"{project.path}/.venv/bin:"), "the shell needs no shims then"


def test_a_broken_blast_toml_refuses(project, secret):
    project("start")
    project.write("blast.toml", "[sandbox\n")
    assert "blast.toml" in direct(project, "python", "-c", "print(1)", code=125).stderr


def test_an_older_generation_gets_them_when_it_comes_back(project, index):
    index.add(make_wheel("demo", "1.0", entry_points={"demo-tool": "demo:main"}))
    project("start")
    project("install", "demo")
    project("remove", "demo")
    tree = max((p for p in (project.path / ".venv/.gen").iterdir() if (p / "bin/demo-tool").exists()), key=lambda p: p.name)
    shutil.rmtree(tree / "shims")  # as an older Blast made it
    project("undo")
    assert direct(project, "demo-tool").stdout == "demo 1.0\n"
    shutil.rmtree((project.path / ".venv/shims").resolve())
    (project.path / ".venv/shims").unlink()
    project("start")
    assert direct(project, "python", "-c", "print('here')").stdout == "here\n"


def test_a_package_cannot_bring_one(project, index):
    index.add(make_wheel("evil", "1.0", data={"data/shims/python": "#!/bin/sh\necho taken\n", "data/shims/more": "x",
                                              "data/share/fine": "x"}))
    project.require("evil")
    r = project("start")
    assert "its name is reserved" in r.stderr, r.stderr
    assert direct(project, "python", "-c", "print('mine')").stdout == "mine\n"
    assert not (project.path / ".venv/shims/more").exists() and (project.path / ".venv/share/fine").exists()


def test_eject_leaves_none(project):
    project("start")
    project("eject", "--yes")
    assert not (project.path / ".venv/shims").is_symlink() and not (project.path / ".venv/.shim").exists()
    out = script("bash", project, "blast start\nprintf '%s\\n' \"$PATH\"\n")
    assert out.startswith(f"{project.path}/.venv/bin:")
    assert "what you type in an activated shell" in project("status", "--json").json["not_enforced"]


def test_the_interpreters_of_this_machine_are_not_looked_for_there(project):
    project("start")
    path = f"{project.path}/.venv/shims:{shell_env(project)['PATH']}"
    assert "shims" not in project("python", "list", env=dict(PATH=path)).stdout


def test_what_is_inside_and_what_not_is_said(project):
    r = project("start")
    assert "the environment's programs and builds are inside; outside: other programs (git, an editor)" in r.stderr
    status = project("status", "--json").json
    assert "programs" in status["enforced"] and "an editor" in status["not_enforced"]


# ------------------------------------------------------------ blast inside

def test_blast_inside_says_where_it_works(project):
    project("start")
    blast = "ASAN_OPTIONS=detect_leaks=0 " + shlex.quote(str(project.blast.program))  # it would need ptrace
    readable = dict(BLAST_SANDBOX_FILESYSTEM_READONLY_PATHS=f"/usr,/lib,/bin,{project.blast.program.parent}")
    for words in ("install demo", "start", "kill", "undo", "status", "pip list"):
        r = project("run", "--no-sync", "sh", "-c", f"{blast} {words}", env=readable, code=None)
        assert "does not work inside the sandbox of" in r.stderr and "in another terminal" in r.stderr, r
    r = project("run", "--no-sync", "sh", "-c", f"{blast} run python -c 'import sys; print(sys.prefix)'", env=readable)
    assert r.stdout.strip() == str(project.path / ".venv")


def test_a_variable_alone_takes_no_command_out(project, secret):
    project("start")
    r = project("run", "--no-sync", "cat", str(secret), env=dict(BLAST_SANDBOX=str(project.path / ".venv")), code=None)
    assert r.code == 1 and r.stdout == ""


@pytest.mark.parametrize("shell", ALL)
def test_a_shell_inside_keeps_all_that_is_typed(project, secret, shell):
    with Shell(shell, project, init=None, words=[str(project.blast.program), "start", "--inside"]) as sh:
        sh.expect("a shell inside the sandbox: exit leaves it")
        sh.expect(r"\(app\)")
        assert sh("printf '%s\\n' \"$VIRTUAL_ENV\"") == str(project.path / ".venv")
        assert "No such file" in sh(f"cat {secret}", code=1)
        assert sh("python -c 'import sys; print(sys.prefix)'") == str(project.path / ".venv")
        sh.type("exit\r")
        assert os.waitstatus_to_exitcode(sh.ended()) == 0
    wait_for(lambda: not cells.jails(project.path))


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_keys_in_a_shell_inside_are_its_own(project, shell):
    project.write("sleep.py", SLEEP)
    with Shell(shell, project) as sh:
        sh("true")
        sh.prompt()
        sh.type("blast start --inside\r")
        sh.expect(r"\(app\)")
        sh.type("python sleep.py\r")
        sh.expect(r"\bup\b")
        sh.type("\x1a")
        sh.expect(r"(?i)stopped|suspended")
        assert sh("echo \"[$VIRTUAL_ENV_PROMPT]\"") == "[app]", "the shell outside must not come to the fore"
        sh.type("fg\r")
        sh.expect("goes on")
        sh.type("\x03")
        sh.expect("KeyboardInterrupt")
        sh.type("exit 3\r")
        sh.expect("PROMPT> ")
        assert sh("echo \"[$VIRTUAL_ENV_PROMPT]\"") == "[]"


def test_kill_from_outside_ends_a_shell_inside(project):
    with Shell("bash", project, init=None, words=[str(project.blast.program), "start", "--inside"]) as sh:
        sh.expect(r"\(app\)")
        assert "ended the sandbox" in project("kill", "--force").stderr
        assert os.waitstatus_to_exitcode(sh.ended()) not in (0, -signal.SIGKILL)


def test_a_shell_inside_needs_a_sandbox(project):
    project("start")
    project.write("blast.toml", WITHOUT)
    project("trust", "--yes")
    r = project("start", "--inside", code=2)
    assert "there is no sandbox to open a shell in" in r.stderr
