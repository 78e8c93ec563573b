"""What only the user can decide is solved, priced and parked; nothing is changed until a choice is taken."""
import json
import os
import pty
import select
import shutil
import subprocess
import time

import pytest
from index_server import make_wheel

GIT = shutil.which("git")


@pytest.fixture
def shop(project, index):
    """demo 2.0 needs dep 2.0, demo 1.0 needs nothing of the kind."""
    index.add(make_wheel("demo", "1.0", requires=["dep"]))
    index.add(make_wheel("demo", "2.0", requires=["dep>=2"]))
    index.add(make_wheel("dep", "1.0"))
    index.add(make_wheel("dep", "2.0"))
    project.require("demo<2", "dep<2")
    project("sync")
    return project


def conflict(shop):
    shop.require("demo>=2", "dep<2")


def settings(project, **keys):
    """A blast.toml with these keys, given as section__key."""
    sections = {s: [] for s in ("env", "container", "sandbox", "security", "sync")}
    for name, value in keys.items():
        section, key = name.split("__")
        sections.setdefault(section, []).append(f"{key} = {json.dumps(value)}\n")
    project.write("blast.toml", "".join(f"[{s}]\n{''.join(lines)}" for s, lines in sections.items()))


def track(project, *names):
    """A git repository that keeps these files."""
    if not GIT:
        pytest.skip("git is not installed")
    for words in (("init", "-q"), ("add", *names)):
        subprocess.run([GIT, *words], cwd=project.path, check=True, env={**os.environ, "HOME": str(project.blast.home)})


def background(project, verb="sync", code=None):
    r = project("background", verb, "--no-daemon", "--no-input", code=code, env={"BLAST_ACTOR": "daemon"})
    assert r.json["schema"] == "blast.background/1" and r.json["exit"] == r.code, r
    return r.json


def waiting(project):
    return project("resolve", "--list", "--json").json["decisions"]


def in_terminal(project, *args, answers, prompt=b"d w l]"):
    """The command with a terminal; each answer is typed when the prompt for it is there. Exit code and output."""
    pid, fd = pty.fork()
    if pid == 0:
        os.chdir(project.path)
        os.execve(project.blast.program, [str(project.blast.program), *args], project.blast.env)
    out, answers, end = b"", list(answers), time.monotonic() + 60
    while time.monotonic() < end:
        if select.select([fd], [], [], 0.1)[0]:
            try:
                data = os.read(fd, 65536)
            except OSError:
                break
            if not data:
                break
            out += data
        if answers and out.rstrip(b" ").endswith(prompt):
            out += b" "
            os.write(fd, answers.pop(0).encode() + b"\n")
            out += b"\n"
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    os.close(fd)
    text = out.decode()
    assert "Sanitizer" not in text, text
    return code, text


# ------------------------------------------------------------ conflicts

def test_a_conflict_off_a_terminal_ends_with_4_and_priced_choices(shop):
    conflict(shop)
    r = shop("sync", "--json", code=4)
    error = r.json["error"]
    assert error["kind"] == "resolution" and error["exit"] == 4
    choices = error["decision"]["choices"]
    assert {c["edits"] for c in choices} == {"pyproject.toml:6", "pyproject.toml:7"}, choices
    assert any(c["label"] == "keep demo 1.0" and c["change"] == 0 for c in choices), choices
    move = next(c for c in choices if c["label"] == "move dep 1.0 -> 2.0")
    assert move["change"] == 2 and "~dep 1.0 -> 2.0" in move["changes"] and move["bytes"] > 0, move
    assert shop.installed() == {"demo": "1.0", "dep": "1.0"}


def test_the_facts_of_a_conflict_are_data(shop):
    conflict(shop)
    error = shop("lock", "--json", code=1).json["error"]
    origins = {f.get("origin") for f in error["facts"]}
    assert {"pyproject.toml:6", "pyproject.toml:7"} <= origins, error["facts"]
    assert any(f["cause"] == "dependency" and f["package"] == "demo" for f in error["facts"]), error["facts"]
    repair = next(r for r in error["repairs"] if r["package"] == "dep")
    assert repair["requirement"] == "dep<2" and repair["replacement"] == "dep>=2.0" and repair["version"] == "2.0"


def test_a_choice_is_an_ordinary_edit_with_a_generation(shop):
    conflict(shop)
    shop("sync", code=4)
    (decision,) = waiting(shop)
    n = [c["edits"] for c in decision["choices"]].index("pyproject.toml:7") + 1
    shop("resolve", "--choose", n)
    assert '"demo>=2"' in shop.read("pyproject.toml") and '"dep>=2.0"' in shop.read("pyproject.toml")
    assert shop.installed_by_python() == {"demo": "2.0", "dep": "2.0"}
    assert waiting(shop) == []
    shop("sync", "--check")
    shop("undo")
    assert shop.installed_by_python() == {"demo": "1.0", "dep": "1.0"}


def test_a_decision_is_void_when_the_files_change(shop):
    conflict(shop)
    shop("sync", code=4)
    assert len(waiting(shop)) == 1
    shop.require("demo>=2")
    assert waiting(shop) == []
    r = shop("resolve", "--choose", "1", code=2)
    assert "nothing to decide" in r.stderr, r


def test_resolve_without_a_choice_off_a_terminal_ends_with_4(shop):
    assert "nothing to decide" in shop("resolve").stderr
    conflict(shop)
    shop("sync", code=4)
    r = shop("resolve", code=4)
    assert len(r.json["decisions"]) == 1, r
    assert "--choose is a number from 1" in shop("resolve", "--choose", "9", code=2).stderr
    assert "no decision 7" in shop("resolve", "7", "--choose", "1", code=2).stderr


def test_a_terminal_asks_at_once(shop):
    conflict(shop)
    code, out = in_terminal(shop, "sync", answers=["w", "d", "1"])
    assert code == 0, out
    assert "1) " in out and "works without the bound" in out and "dep<2" in out, out
    assert waiting(shop) == []
    shop("sync", "--check")


def test_later_parks_the_decision(shop):
    conflict(shop)
    code, out = in_terminal(shop, "sync", answers=["l"])
    assert code == 4, out
    assert len(waiting(shop)) == 1
    assert shop.installed() == {"demo": "1.0", "dep": "1.0"}


def test_an_install_that_conflicts_is_offered_with_its_edit(shop):
    shop.require("dep<2")
    shop("sync")
    r = shop("install", "demo>=2", "--json", code=4)
    (choice,) = [c for c in r.json["error"]["decision"]["choices"] if c["label"] == "move dep 1.0 -> 2.0"]
    assert "demo" not in shop.read("pyproject.toml")
    n = r.json["error"]["decision"]["choices"].index(choice) + 1
    shop("resolve", "--choose", n)
    assert '"demo>=2"' in shop.read("pyproject.toml")
    assert shop.installed_by_python() == {"demo": "2.0", "dep": "2.0"}


def test_an_extra_may_be_dropped(project, index):
    index.add(make_wheel("web", "1.0", requires=["dep>=2; extra == 'h2'"], extras=["h2"]))
    index.add(make_wheel("dep", "1.0"))
    index.add(make_wheel("dep", "2.0"))
    project.require("web", "dep<2")
    project("sync")
    project.require("web[h2]", "dep<2")
    choices = project("sync", "--json", code=4).json["error"]["decision"]["choices"]
    n = [c["label"] for c in choices].index("drop the extras of web[h2]") + 1
    project("resolve", "--choose", n)
    assert '"web"' in project.read("pyproject.toml") and "[h2]" not in project.read("pyproject.toml")


@pytest.mark.parametrize("how, code", [("fail", 1), ("keep", 0), ("newest", 0)])
def test_conflict_resolution_in_the_foreground(shop, how, code):
    settings(shop, sync__conflict_resolution=how)
    conflict(shop)
    r = shop("sync", code=code)
    assert waiting(shop) == []
    if how == "newest":  # demo>=2 is the later change: dep gives way
        assert shop.installed_by_python() == {"demo": "2.0", "dep": "2.0"}, r
    else:
        assert shop.installed_by_python() == {"demo": "1.0", "dep": "1.0"}, r
        assert '"dep<2"' in shop.read("pyproject.toml")
    assert ("conflict_resolution = keep" in r.stderr) == (how == "keep"), r


def test_keep_does_not_hide_that_an_install_failed(shop):
    settings(shop, sync__conflict_resolution="keep")
    shop.require("dep<2")
    shop("sync")
    shop("install", "demo>=2", code=1)


# ------------------------------------------------------------ in the background

def test_the_background_never_writes_a_tracked_lock(shop):
    track(shop, "pylock.toml", "pyproject.toml")
    before = shop.read("pylock.toml")
    shop.require("demo<2", "dep")
    got = background(shop)
    assert got["state"] == "pending" and got["decision"] == 1, got
    assert shop.read("pylock.toml") == before
    assert shop.installed() == {"demo": "1.0", "dep": "1.0"}
    (decision,) = waiting(shop)
    assert decision["kind"] == "relock" and decision["choices"][0]["edits"] == "pylock.toml"
    assert decision["choices"][1]["changes"] == "~dep 1.0 -> 2.0", decision
    shop("resolve", "--choose", "2")
    assert shop.installed_by_python() == {"demo": "1.0", "dep": "2.0"}
    assert background(shop)["state"] == "unchanged"


def test_the_background_writes_a_lock_that_nobody_tracks(shop, index):
    index.add(make_wheel("more", "1.0"))
    shop.require("demo<2", "dep<2", "more")
    got = background(shop, code=0)
    assert got["state"] == "synced" and got["changes"] == "+more 1.0", got
    assert 'name = "more"' in shop.read("pylock.toml")
    assert background(shop)["state"] == "unchanged"


def test_the_background_applies_a_tracked_lock_that_fits(shop, index):
    index.add(make_wheel("more", "1.0"))
    before = shop.read("pylock.toml"), shop.read("pyproject.toml")
    shop.require("demo<2", "dep<2", "more")
    shop("lock")
    track(shop, "pylock.toml", "pyproject.toml")
    assert background(shop)["state"] == "synced"
    shop.write("pylock.toml", before[0])
    shop.write("pyproject.toml", before[1])
    got = background(shop)
    assert got["state"] == "synced" and got["changes"] == "-more 1.0", got


def test_a_conflict_in_the_background_is_parked(shop):
    conflict(shop)
    before = shop.read("pyproject.toml")
    got = background(shop, code=4)
    assert got["state"] == "pending" and waiting(shop)[0]["kind"] == "conflict", got
    assert shop.read("pyproject.toml") == before
    assert " decide decision 1: " in (shop.path / ".venv/.status").read_text()


@pytest.mark.parametrize("how, state", [("fail", "failed"), ("keep", "unchanged"), ("newest", "pending")])
def test_conflict_resolution_in_the_background(shop, how, state):
    """newest parks too where a choice would edit pyproject.toml, which is the user's."""
    settings(shop, sync__conflict_resolution=how)
    conflict(shop)
    assert background(shop)["state"] == state
    assert len(waiting(shop)) == (state == "pending")


def test_packages_installed_by_hand_are_not_removed_in_the_background(shop, index, tmp_path):
    index.add(make_wheel("more", "1.0"))
    wheel = make_wheel("scratch", "1.0")
    index.add(wheel)
    site = next((shop.path / ".venv/lib").glob("python3.*/site-packages"))
    shutil.copytree(unpack(wheel, tmp_path), site, dirs_exist_ok=True, symlinks=True)
    shop.require("demo<2", "dep<2", "more")
    got = background(shop, code=4)
    (decision,) = waiting(shop)
    assert decision["kind"] == "hand" and "scratch 1.0" in decision["text"], (got, decision)
    labels = [c["label"] for c in decision["choices"]]
    assert labels == ["keep: add scratch 1.0 to the project", "remove scratch 1.0"], labels
    shop("resolve", "--choose", "1")
    assert "scratch>=1.0" in shop.read("pyproject.toml")
    assert shop.installed_by_python() == {"demo": "1.0", "dep": "1.0", "more": "1.0", "scratch": "1.0"}


def unpack(wheel, tmp_path):
    import io
    import zipfile
    where = tmp_path / "unpacked"
    zipfile.ZipFile(io.BytesIO(wheel.data)).extractall(where)
    return where


def test_an_undo_pauses_the_background(shop):
    shop.require("demo<2")
    shop("sync")
    shop("undo")
    got = background(shop, code=0)
    assert got["state"] == "paused" and "undo" in got["message"], got


def test_a_file_in_the_middle_of_an_edit_keeps_the_environment(shop):
    shop.write("pyproject.toml", '[project\nname = "app"\n')
    got = background(shop, code=2)
    assert got["state"] == "failed" and "pyproject.toml" in got["message"], got
    assert (shop.path / ".venv").is_dir()


def test_somebody_who_changes_the_environment_goes_first(shop):
    import fcntl
    shop.require("demo<2")
    with open(shop.path / ".venv/.lock", "r+") as lock:
        fcntl.lockf(lock, fcntl.LOCK_EX)
        assert background(shop, code=7)["state"] == "locked"
