"""The command line itself: options, JSON, messages, interrupts, and leaving Blast."""
import json
import os
import pty
import select
import shutil
import signal
import subprocess
import time

import pytest
from index_server import make_wheel
from test_faults import ENOSPC, KILL, orders, shim  # noqa: F401


@pytest.fixture
def shop(index):
    index.add(make_wheel("demo", "1.0", requires=["dep>=1"], entry_points={"demo": "demo:main"}))
    index.add(make_wheel("demo", "2.0", requires=["dep>=2"], entry_points={"demo": "demo:main"}))
    index.add(make_wheel("dep", "1.0"))
    index.add(make_wheel("dep", "2.0"))
    return index


# ------------------------------------------------------------ JSON

OUTSIDE = ("list", "status", "history", "tree", "why demo", "undo", "run", "kill", "sync", "lock", "bogus", "python list",
           "python find 99", "cache dir", "cache size", "cache gc", "cache verify", "cache clear", "config list",
           "config get env.name", "config get no.key", "config check", "explain", "explain network", "explain nothing",
           "doctor", "help", "help install", "install --help", "install --no-such-option", "completions bash",
           "install -r missing.txt", "eject", "")
INSIDE = ("list", "list --outdated", "status", "status --short", "tree", "why demo", "why demmo", "outdated", "history",
          "lock", "lock --check", "lock --dry-run", "sync", "sync --check", "sync --dry-run", "update", "update demmo",
          "install", "install nosuch", "install alone", "remove demmo", "remove alone", "undo --dry-run", "undo", "redo",
          "rollback 1", "rollback 99", "start", "start --print fish", "doctor", "venv e", "venv e", "init", "kill",
          "eject --dry-run", "eject", "eject --yes", "eject --yes", "history", "kill --purge --yes", "kill")


def assert_json(run, line):
    r = run(*line.split(), "--json", code=None)
    value = r.json  # one value and nothing else
    if r.code not in (0, 3) and not (isinstance(value, dict) and "schema" in value):
        assert value["error"]["exit"] == r.code and value["error"]["frames"], r


def test_every_command_prints_one_json_value_without_a_project(blast, index):
    for line in OUTSIDE:
        assert_json(blast, line)


def test_every_command_prints_one_json_value_in_a_project(project, shop):
    shop.add(make_wheel("alone", "1.0"))
    project.require("demo")
    project("sync")
    for line in INSIDE:
        assert_json(project, line)


def test_quiet_says_nothing_but_errors(project, shop):
    project.require("demo")
    r = project("start", "-q")
    assert r.stdout == "" and r.stderr == "", r
    r = project("install", "nosuch", "-q", code=1)
    assert r.stderr.startswith("error: "), r


def test_timings_and_verbose_tell_about_phases_and_requests(project, shop):
    project.require("demo")
    r = project("sync", "--timings")
    for word in ("prepare", "resolve", "fetch", "install", "total"):
        assert word in r.stderr, r
    shop.add(make_wheel("alone", "1.0"))
    r = project("install", "alone", "-v")
    assert "pages 1" in r.stderr and "MB received" in r.stderr, r


# ------------------------------------------------------------ options

@pytest.mark.parametrize("line", ["status --index-url x", "history --dry-run", "tree --refresh", "start -r x.txt",
                                  "undo --python 3", "list --link-mode copy", "python list --python 3", "kill --timings"])
def test_an_option_that_would_do_nothing_is_refused(blast, line):
    r = blast(*line.split(), code=2)
    assert "option" in r.stderr and "help: " in r.stderr, r


def test_every_option_of_the_help_is_accepted(blast):
    """What --help lists must parse: with --help behind it the command itself does nothing."""
    for command in blast("help", "--json").json["commands"]:
        if command["command"] == "debug":
            continue
        told = blast(command["command"], "--help", "--json").json
        for option in told["options"]:
            words = [f"--{option['name']}"]
            if "value" in option and option["name"] not in ("format", "color"):
                words.append("x")
            elif "value" in option:
                words.append(option["value"].split("|")[0])
            r = blast(command["command"], *words, "--help")
            assert told["text"] in r.stdout or option["name"] in ("json", "help"), r


def test_blast_alone_shows_the_first_commands(blast):
    r = blast()
    assert 8 <= len(r.stdout.splitlines()) <= 14 and r.stderr == "", r


# ------------------------------------------------------------ names

def test_misspelt_names_get_the_nearest_one(project, shop):
    project.require("demo", extra='[project.optional-dependencies]\nweb = ["dep"]\n[dependency-groups]\ntest = ["dep"]\n')
    project("sync")
    for words, near in ((("remove", "demoo"), "demo"), (("why", "dpe"), "dep"), (("tree", "demoo"), "demo"),
                        (("update", "deep"), "dep"), (("sync", "--extra", "wep"), "web"),
                        (("run", "--group", "tets", "true"), "test"), (("install", "demoo"), "demo")):
        r = project(*words, code=None)
        assert r.code != 0 and f"did you mean '{near}'" in r.stderr, r


def test_install_of_an_unknown_name_writes_nothing(blast, index):
    r = blast("install", "nosuch", code=1)
    assert "nosuch was not found" in r.stderr and "check the spelling" in r.stderr, r
    assert os.listdir(blast.cwd) == [], os.listdir(blast.cwd)


# ------------------------------------------------------------ conflicts

def test_a_conflict_names_ways_out_that_work(project, shop):
    project.require("demo>=2", "dep<2")
    r = project("lock", code=1)
    assert "works without the bound in dep<2 (pyproject.toml:7): dep 2.0 would be taken" in r.stderr, r
    assert "works without the bound in demo>=2 (pyproject.toml:6): demo 1.0 would be taken" in r.stderr, r
    for way in (("demo>=2", "dep"), ("demo", "dep<2")):
        project.require(*way)
        project("lock")


def test_a_conflict_known_already_asks_no_index(project, shop):
    project.require("demo>=2", "dep<2")
    first = project("lock", code=1)
    asked = shop.requests()
    second = project("lock", "--offline", code=1)
    assert shop.requests() == asked
    assert second.stderr == first.stderr, second


# ------------------------------------------------------------ install -r, -c

def test_files_of_requirements_go_into_the_project(project, shop):
    shop.add(make_wheel("alone", "1.0"))
    project.write("more.txt", "demo>=1  # comment\n-c bounds.txt\nalone==1.0\n")
    project.write("bounds.txt", "demo<2\ndep==1.0\n")
    project("install", "-r", "more.txt")
    assert project.installed_by_python() == {"demo": "1.0", "dep": "1.0", "alone": "1.0"}
    text = project.read("pyproject.toml")
    assert '"demo>=1"' in text and '"alone==1.0"' in text and "dep" not in text.replace("dependencies", ""), text
    project("sync", "--frozen")
    assert project.installed()["dep"] == "1.0"
    assert "install -r more.txt" in project("history").stdout


def test_a_file_with_a_path_that_is_not_there_changes_nothing(project, shop):
    before = project.read("pyproject.toml")
    project.write("more.txt", "demo\n./x-1.0-py3-none-any.whl\n")
    r = project("install", "-r", "more.txt", code=2)
    assert "find './x-1.0-py3-none-any.whl'" in r.stderr, r
    assert project.read("pyproject.toml") == before
    assert not (project.path / ".venv").exists()


def test_remove_takes_names_from_a_file(project, shop):
    project.require("demo", "dep")
    project("sync")
    project.write("gone.txt", "demo>=1\n-c bounds.txt\n")
    project.write("bounds.txt", "other<2\n")
    project("remove", "-r", "gone.txt")
    assert project.installed_by_python() == {"dep": "2.0"}
    assert "demo" not in project.read("pyproject.toml")


# ------------------------------------------------------------ interrupts

@pytest.mark.parametrize("sig, code", [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_shell_sees_the_code_of_an_interrupt(project, index, sig, code):
    index.add(make_wheel("slow", "1.0"))
    env = {**project.blast.env, "BLAST_INDEX_URL": index.view("delay=30@file!1")}
    # the shell is not interrupted itself: it lives in another process group than the command
    script = f'set -m; "{project.blast.program}" install slow & echo $!; wait $!; echo "code $?"'
    p = subprocess.Popen(["bash", "-c", script], cwd=project.path, env=env, stdout=subprocess.PIPE,
                         stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True)
    pid = int(p.stdout.readline())
    end = time.monotonic() + 60
    while not any("/files/slow" in k for k in index.counts) and time.monotonic() < end:
        time.sleep(0.01)  # until the request has come in
    os.kill(pid, sig)
    out, err = p.communicate(timeout=60)
    assert f"code {code}" in out, (out, err)
    assert err.count("interrupted") == 1, err
    assert "slow" not in project.read("pyproject.toml")
    project("install", "slow")


# ------------------------------------------------------------ undo

def test_run_keeps_what_undo_chose_until_the_next_sync(project, shop):
    project.require("demo<2")
    project("sync")
    project.require("demo")
    project("update")
    project("undo", "-m", "tests fail")
    assert project("status", "--json").json["state"] == "pinned"
    project("run", "demo")
    assert project.installed_by_python()["demo"] == "1.0"
    assert "undo: tests fail" in project("history").stdout
    project("sync")
    assert project.installed_by_python()["demo"] == "2.0"
    assert project("status", "--json").json["state"] == "synced"


def test_status_is_one_word(project, shop):
    def state():
        return project("status", "--json").json["state"]

    assert state() == "missing"
    project.require("demo<2")
    project("sync")
    assert state() == "synced"
    project.require("demo")
    assert state() == "stale"
    project("lock", "--upgrade")
    assert state() == "drifted"


# ------------------------------------------------------------ eject

def test_eject_makes_what_other_tools_manage(project, shop, pythons):
    project.require("demo<2")
    project("start")
    (project.path / ".venv/lib").resolve()
    site = next((project.path / ".venv/lib").glob("python*/site-packages"))
    (site / "mine.py").write_text("x = 7\n")
    r = project("eject", code=1)
    assert "not confirmed" in r.stderr and (project.path / ".venv/.gen").exists(), r
    assert "would copy" in project("eject", "--dry-run").stderr
    assert (project.path / ".venv/.gen").exists()
    project("eject", "--yes")
    env = project.path / ".venv"
    assert not any((env / name).exists() for name in (".gen", ".current", ".lock"))
    assert "blast" not in (env / "pyvenv.cfg").read_text()
    assert (env / "bin").is_dir() and not (env / "bin").is_symlink() and not (env / "lib").is_symlink()
    assert sorted(os.listdir(project.path)) == [".venv", "blast.toml", "pylock.toml", "pyproject.toml"]
    for top, _, names in os.walk(env):
        for name in names:
            st = os.lstat(os.path.join(top, name))
            assert st.st_nlink == 1 and (os.path.islink(os.path.join(top, name)) or st.st_mode & 0o200), name
    subprocess.run([project.python, "-c", "import mine, demo"], check=True, cwd="/")
    assert project("eject").stderr.strip().endswith("is a plain environment already")
    # the store may go now, and pip may take packages out
    project("cache", "gc")
    pip = subprocess.run([project.python, "-m", "ensurepip"], capture_output=True, text=True)
    if pip.returncode:
        pytest.skip(f"this Python has no ensurepip: {pip.stderr.strip()[-200:]}")
    subprocess.run([project.python, "-m", "pip", "uninstall", "-y", "demo"], check=True, capture_output=True,
                   env={**project.blast.env, "PYTHONDONTWRITEBYTECODE": "1"})
    assert project.installed_by_python() == {"dep": "2.0"}
    assert not (env / "bin/demo").exists()


def test_an_ejected_project_goes_on_with_blast(project, shop):
    project.require("demo<2")
    project("start")
    project("eject", "--yes")
    project.require("demo")
    project("update")
    assert project.installed_by_python()["demo"] == "2.0"
    project("kill", "--purge", "--yes")
    project("start")
    assert json.loads(project("history", "--json").stdout)["generations"]


@pytest.mark.release_only
@pytest.mark.parametrize("how", [ENOSPC, KILL], ids=["disk full", "killed"])
def test_a_fault_while_ejecting_leaves_an_environment_that_works(project, shop, shim, tmp_path, how):  # noqa: F811
    project.blast.env["BLAST_NO_COMPILE"] = "1"  # the home is copied: nothing may write there in the background
    project.require("demo")
    project("start")
    kept, count = tmp_path / "kept", tmp_path / "count"
    places = (project.path, project.blast.home)
    kept.mkdir()
    for place in places:
        subprocess.run(["cp", "-a", place, kept / place.name], check=True)
    project("eject", "--yes", env={**orders(shim, 0, KILL), "FAULT_COUNT": str(count)})
    total = int(count.read_text())
    assert total > 5, "the shim counts nothing: are the calls interposed?"
    for at in range(1, total + 1, max(1, total // 15)):
        for place in places:
            subprocess.run(["rm", "-rf", place], check=True)
            subprocess.run(["cp", "-a", kept / place.name, place], check=True)
        p = project.blast.start("eject", "--yes", cwd=project.path, env=orders(shim, at, how))
        _, err = p.communicate(timeout=100)
        try:
            assert project.installed_by_python() == {"demo": "2.0", "dep": "2.0"}
            project("eject", "--yes")
            assert not (project.path / ".venv/.gen").exists()
            assert project.installed_by_python() == {"demo": "2.0", "dep": "2.0"}
            assert sorted(os.listdir(project.path)) == [".venv", "blast.toml", "pylock.toml", "pyproject.toml"]
        except AssertionError as e:
            pytest.fail(f"call {at} of {total}, exit {p.returncode}\n{err}\n{e}")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_kill_ends_the_shell_that_start_opened(project, shell):
    path = shutil.which(shell)
    if not path:
        pytest.skip(f"no {shell} here")
    project("start")
    pid, terminal = pty.fork()
    if pid == 0:
        env = dict(project.blast.env, SHELL=path, TERM="dumb")
        env.pop("CI", None)
        os.chdir(project.path)
        os.execve(project.blast.program, [project.blast.program, "start"], env)
    os.write(terminal, f"{project.blast.program} kill --force\n".encode())
    end = time.monotonic() + 30
    gone = 0
    while not gone and time.monotonic() < end:
        if select.select([terminal], [], [], 0.2)[0]:
            try:
                os.read(terminal, 65536)
            except OSError:
                pass # the other side is closed
        gone, status = os.waitpid(pid, os.WNOHANG)
    if not gone:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    os.close(terminal)
    assert gone, "the shell is still there"
