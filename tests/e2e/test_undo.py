"""Generations as the user meets them: back and forth, snapshots, changes by pip, trials, bisection, running programs."""
import json
import os
import shutil
import signal
import subprocess
import time

import pytest
from index_server import make_wheel

VERSIONS = ["1.0", "2.0", "3.0", "4.0", "5.0"]


@pytest.fixture
def shelf(project, index, pythons):
    """An index with five versions of `demo` and a few others; the project uses a Python that brings a pip."""
    for v in VERSIONS:
        index.add(make_wheel("demo", v, requires=["dep"], entry_points={"demo": "demo:main"},
                             files={"demo/__init__.py": f"version = {v!r}\n\n\ndef main():\n    print(version)\n",
                                    "demo/late.py": f"late = {v!r}\n"}))
    for name in ("dep", "extra", "other"):
        index.add(make_wheel(name, "1.0"))
    index.add(make_wheel("other", "2.0"))
    project.blast.env["BLAST_NO_COMPILE"] = "1"
    return project


@pytest.fixture
def moved(shelf):
    """demo 1.0 to 5.0, one generation each."""
    for v in VERSIONS:
        shelf("install", f"demo=={v}")
    return shelf


def demo(project):
    return project.installed_by_python().get("demo")


def history(project):
    return project("history", "--json").json


def current(project):
    return history(project)["current"]


def generation(project, seq):
    return next(g for g in history(project)["generations"] if g["generation"] == seq)


def made(project, version):
    """The number of the generation that brought this version of demo."""
    return next(g["generation"] for g in history(project)["generations"]
                if any(c["name"] == "demo" and c.get("to") == version for c in g["changes"]))


@pytest.fixture
def pip(shelf, index, tmp_path, pythons):
    """Runs a real pip, from outside, on the project's environment, with wheels of a local folder."""
    def run(*args):
        version = ".".join(shelf("status", "--json").json["python"].split(".")[:2])
        python = pythons.get(version)
        probe = subprocess.run([python, "-m", "pip", "--python", shelf.python, "--version"], capture_output=True,
                               text=True)
        if probe.returncode:
            pytest.skip(f"{python} has no pip that knows --python: {probe.stderr.strip()[-200:]}")
        wheels = tmp_path / "wheels"
        wheels.mkdir(exist_ok=True)
        for f in index.files.values():
            (wheels / f.name).write_bytes(f.data)
        p = subprocess.run([python, "-m", "pip", "--python", shelf.python, "--isolated", "--no-input",
                            "--disable-pip-version-check", *args], capture_output=True, text=True, cwd=tmp_path,
                           env={**shelf.blast.env, "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(wheels),
                                "PIP_CONFIG_FILE": "/dev/null"})
        assert p.returncode == 0, p.stdout + p.stderr

    def install(*names):
        run("install", "--no-index", "--find-links", tmp_path / "wheels", *names)

    def uninstall(*names):
        run("uninstall", "--yes", *names)

    install.uninstall = uninstall
    return install


# -- back and forth -------------------------------------------------------------------------------------------


def test_undo_and_redo_take_several_steps(moved):
    moved("undo", "3")
    assert demo(moved) == "2.0"
    moved("redo", "2")
    assert demo(moved) == "4.0"
    moved("redo")
    assert demo(moved) == "5.0"
    r = moved("redo", code=1)
    assert "nothing to redo" in r.stderr
    r = moved("undo", "x", code=2)
    assert "takes a number of steps, not 'x'" in r.stderr


def test_rollback_takes_numbers_tags_steps_ages_and_packages(moved):
    two = made(moved, "2.0")
    moved("rollback", two)
    assert demo(moved) == "2.0"
    moved("rollback", "@-1")
    assert demo(moved) == "5.0"
    moved("snapshot", "create", "five", "-m", "it works")
    moved("rollback", "before:demo")
    assert demo(moved) == "2.0"
    moved("rollback", "five")
    assert demo(moved) == "5.0"
    later = {"BLAST_NOW": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 7200))}
    moved("install", "demo==1.0", env=later)
    assert demo(moved) == "1.0"
    moved("rollback", "@1h", env=later)
    assert demo(moved) == "5.0"


@pytest.mark.parametrize("word, why", [("99", "generation 99"), ("fivee", "did you mean 'five'?"), ("@x", "@2h"),
                                       ("before:nothing", "in no generation"), ("@9w", "does not reach back")])
def test_a_rollback_that_leads_nowhere_says_why_and_changes_nothing(moved, word, why):
    moved("snapshot", "create", "five")
    before = current(moved)
    r = moved("rollback", word, code=1)
    assert why in r.stderr
    assert current(moved) == before


def test_a_dry_run_names_the_changes_and_makes_none(moved):
    before = current(moved)
    r = moved("undo", "2", "--dry-run", "--json").json
    assert [(c["name"], c["from"], c["to"]) for c in r["changes"]] == [("demo", "5.0", "3.0")]
    moved("snapshot", "create", "x", "--dry-run")
    assert current(moved) == before and demo(moved) == "5.0"
    assert moved("snapshot", "list", "--json").json["snapshots"] == []


def test_the_history_says_who_why_what_and_whether_it_is_hot(moved):
    moved("undo", "-m", "5.0 is slow")
    h = history(moved)
    last = h["generations"][-1]
    assert last["kind"] == "undo" and last["current"] and last["actor"] == "cli" and "5.0 is slow" in last["command"]
    assert [(c["from"], c["to"]) for c in last["changes"]] == [("5.0", "4.0")]
    assert last["tree"] == "hot" and h["pinned"]
    assert any(g["tree"] == "cold" for g in h["generations"]), "only three trees are kept"
    text = moved("history", "--diff").stdout
    assert "~ demo 5.0 -> 4.0" in text


def test_undo_works_after_the_environment_was_deleted(moved):
    shutil.rmtree(moved.path / ".venv")
    moved("start", "--no-activate")
    assert demo(moved) == "5.0"
    moved("undo")
    assert demo(moved) == "4.0"
    moved("redo")
    assert demo(moved) == "5.0"


def test_after_an_undo_run_stays_until_resume(moved):
    moved("undo")
    moved("run", "true")
    assert demo(moved) == "4.0"
    r = moved("resume", "--json").json
    assert r["was_pinned"]
    assert moved("resume", "--json").json["was_pinned"] is False
    moved("run", "true")
    assert demo(moved) == "5.0"


def test_a_redo_to_the_end_is_not_pinned_and_one_on_the_way_is(moved):
    moved("undo", "2")
    moved("redo")
    assert history(moved)["pinned"]
    moved("redo")
    assert not history(moved)["pinned"]


def test_an_edit_ends_the_pinned_state(moved):
    moved("undo")
    moved("install", "extra")
    assert not history(moved)["pinned"]
    assert moved.installed_by_python() == {"demo": "5.0", "dep": "1.0", "extra": "1.0"}


def test_an_environment_of_another_tool_says_that_it_has_no_history(moved):
    moved("eject", "--yes")
    for words in (["undo"], ["rollback", "@"], ["diff"], ["snapshot", "create", "x"], ["bisect", "run", "--", "true"]):
        assert "keeps no history" in moved(*words, code=1).stderr


# -- snapshots ------------------------------------------------------------------------------------------------


def test_a_snapshot_outlives_the_limit_and_gc(moved):
    moved.blast.env["BLAST_ENV_LAYER_MAX_SNAPSHOTS"] = "2"
    moved("rollback", made(moved, "1.0"))
    kept = moved("snapshot", "create", "first", "-m", "where it began", "--json").json["generation"]
    moved("resume")
    for i in range(4):
        moved("install", f"other=={1 + i % 2}.0")
    seen = [g["generation"] for g in history(moved)["generations"]]
    assert kept in seen and len(seen) < 12
    listed = moved("snapshot", "list", "--json").json["snapshots"]
    assert [(s["name"], s["generation"], s["text"]) for s in listed] == [("first", kept, "where it began")]
    moved("cache", "gc")
    moved("rollback", "first")
    assert moved.installed_by_python() == {"demo": "1.0", "dep": "1.0"}
    moved("snapshot", "rm", "first")
    r = moved("snapshot", "rm", "first", code=2)
    assert "there is no snapshot 'first'" in r.stderr


def test_a_misspelt_word_of_snapshot_and_drift_is_pointed_at(moved):
    assert "did you mean 'create'?" in moved("snapshot", "creat", code=2).stderr
    assert "did you mean 'scratch'?" in moved("drift", "scrach", code=2).stderr


# -- diff -----------------------------------------------------------------------------------------------------


def test_diff_compares_generations_and_the_disk(moved, pip):
    r = moved("diff", made(moved, "1.0"), made(moved, "3.0"), "--json").json
    assert [(c["action"], c["name"], c["from"], c["to"]) for c in r["changes"]] == [("replace", "demo", "1.0", "3.0")]
    assert moved("diff", "--json").json["changes"] == []
    pip("extra")
    r = moved("diff", "--json").json
    assert r["to"] == "disk" and [(c["action"], c["name"]) for c in r["changes"]] == [("add", "extra")]
    assert "+ extra 1.0" in moved("diff").stdout


# -- changes by pip -------------------------------------------------------------------------------------------


def test_drift_lists_what_pip_added_changed_and_removed(moved, pip):
    moved("install", "other==1.0")
    pip("extra", "other==2.0")
    pip.uninstall("dep")
    kinds = {c["name"]: (c["kind"], c["from"], c["to"]) for c in moved("drift", "--json").json["changes"]}
    assert kinds == {"extra": ("added", "", "1.0"), "other": ("changed", "1.0", "2.0"), "dep": ("removed", "1.0", "")}


def test_drift_sees_the_same_version_installed_again_and_loose_files(moved, pip):
    pip("--force-reinstall", "--no-deps", "demo==5.0")
    found = moved("drift", "--json").json["changes"]
    assert [(c["kind"], c["name"]) for c in found] == [("changed", "demo")]
    moved("drift", "drop")
    assert moved("drift", "--json").json["changes"] == []
    site = next((moved.path / ".venv/lib").glob("python*/site-packages"))
    (site / "mine.py").write_text("x = 1\n")
    assert [(c["kind"], c["name"]) for c in moved("drift", "--json").json["changes"]] == [("file-added", "mine.py")]


def test_drift_keep_makes_it_the_projects(moved, pip):
    pip("extra")
    moved("drift", "keep")
    assert '"extra==1.0"' in moved.read("pyproject.toml")
    assert 'name = "extra"' in moved.read("pylock.toml")
    assert moved.installed_by_python() == {"demo": "5.0", "dep": "1.0", "extra": "1.0"}
    assert moved("drift", "--json").json["changes"] == []


def test_scratch_survives_runs_and_gc_until_the_lock_changes(moved, pip):
    pip("extra")
    r = moved("drift", "scratch", "--json").json
    g = generation(moved, r["generation"])
    assert g["kind"] == "scratch" and g["actor"] == "pip" and g["current"] and g["tree"] == "hot"
    moved("run", "true")
    moved("sync")
    moved("cache", "gc")
    assert "extra" in moved.installed_by_python()
    moved("install", "other==1.0")
    assert moved.installed_by_python() == {"demo": "5.0", "dep": "1.0", "other": "1.0"}
    moved("undo")
    assert moved.installed_by_python() == {"demo": "5.0", "dep": "1.0", "extra": "1.0"}


def test_what_pip_installed_can_be_made_again_from_the_store(moved, pip):
    pip("extra")
    scratch = moved("drift", "scratch", "--json").json["generation"]
    for v in ("1.0", "2.0", "1.0", "2.0"):
        moved("install", f"other=={v}")
    moved("cache", "gc")
    assert generation(moved, scratch)["tree"] == "cold"
    shutil.rmtree(moved.path / ".venv")
    moved("start", "--no-activate")
    moved("rollback", scratch)
    assert moved.installed_by_python() == {"demo": "5.0", "dep": "1.0", "extra": "1.0"}
    subprocess.run([moved.python, "-c", "import extra"], check=True)


def test_a_dirty_tree_is_never_taken_for_its_generation(moved, pip):
    five = current(moved)
    pip("extra")
    r = moved("install", "other==1.0")
    assert "+extra 1.0" in r.stderr
    moved("rollback", five)
    assert moved.installed_by_python() == {"demo": "5.0", "dep": "1.0"}
    site = next((moved.path / ".venv/lib").glob("python*/site-packages"))
    assert not (site / "extra").exists()


def test_undo_takes_back_what_pip_did_and_redo_brings_it_again(moved, pip):
    pip("extra")
    moved("undo")
    assert moved.installed_by_python() == {"demo": "5.0", "dep": "1.0"}
    moved("redo")
    assert moved.installed_by_python() == {"demo": "5.0", "dep": "1.0", "extra": "1.0"}


def test_run_leaves_what_pip_installed_and_says_so(moved, pip):
    pip("extra")
    r = moved("run", "python", "-c", "import extra")
    assert "changed by hand: +extra 1.0" in r.stderr
    moved("drift", "drop")
    assert moved.installed_by_python() == {"demo": "5.0", "dep": "1.0"}
    assert "nothing was changed by hand" in moved("drift").stderr


# -- trials ---------------------------------------------------------------------------------------------------


@pytest.fixture
def wide(shelf):
    """demo 1.0 is installed, 5.0 is possible."""
    shelf("install", "demo==1.0")
    shelf.require("demo")
    shelf("sync")
    assert demo(shelf) == "1.0"
    return shelf


def test_an_update_that_stands_its_trial_becomes_current(wide):
    wide("update", "--try", "python -c 'import demo; assert demo.version == \"5.0\"' && test $(demo) = 5.0")
    assert demo(wide) == "5.0"
    assert "5.0" in wide.read("pylock.toml")


def test_an_update_that_fails_its_trial_changes_nothing_and_can_be_looked_at(wide):
    lock, before = wide.read("pylock.toml"), current(wide)
    r = wide("update", "--try", "test $(demo) = 1.0", code=1)
    assert "the trial 'test $(demo) = 1.0' ended with 1" in r.stderr
    assert demo(wide) == "1.0" and current(wide) == before and wide.read("pylock.toml") == lock
    failed = [g for g in history(wide)["generations"] if g["kind"] == "failed"]
    assert len(failed) == 1
    n = failed[0]["generation"]
    view = wide.path / f".venv/.gen/{n}/.view/bin"
    assert f"blast diff @ {n}" in r.stderr and f".gen/{n}/.view/bin/python" in r.stderr
    p = subprocess.run([view / "demo"], capture_output=True, text=True, env=wide.blast.env)
    assert p.stdout == "5.0\n", p.stderr
    assert "~ demo 1.0 -> 5.0" in wide("diff", "@", n).stdout
    wide("install", "extra")
    assert demo(wide) == "1.0", "a failed tree is no place to go on from"
    wide("undo")
    assert wide.installed_by_python() == {"demo": "1.0", "dep": "1.0"}
    wide("rollback", n)
    assert demo(wide) == "5.0"


# -- bisect ---------------------------------------------------------------------------------------------------


def test_bisect_finds_the_first_bad_generation_without_touching_the_current(moved):
    before = current(moved)
    check = "import demo, sys; sys.exit(float(demo.version) >= 3)"
    r = moved("bisect", "run", "--good", made(moved, "1.0"), "--json", "--", "python", "-c", check).json
    assert r["first_bad"] == made(moved, "3.0") and r["last_good"] == made(moved, "2.0") and r["sure"]
    assert [(c["name"], c["from"], c["to"]) for c in r["changes"]] == [("demo", "2.0", "3.0")]
    assert current(moved) == before and demo(moved) == "5.0"
    assert not list((moved.path / ".venv/.gen").glob(".trial-*"))
    r = moved("bisect", "run", "--good", made(moved, "1.0"), "--", "sh", "-c", 'test "$(demo)" != 4.0 -a "$(demo)" != 5.0')
    assert f"generation {made(moved, '4.0')} is the first bad one" in r.stdout


def test_bisect_says_when_the_ends_are_not_what_they_should_be(moved):
    first = made(moved, "1.0")
    assert "works" in moved("bisect", "run", "--good", first, "--", "true", code=1).stderr
    assert "fails" in moved("bisect", "run", "--good", first, "--", "false", code=1).stderr
    assert "cannot be run" in moved("bisect", "run", "--good", first, "--", "no-such-command", code=1).stderr
    assert "knows the word run" in moved("bisect", "start", code=2).stderr


def test_bisect_passes_over_what_cannot_be_judged(moved):
    check = "import demo, sys; v = float(demo.version); sys.exit(125 if v == 3 else v >= 4)"
    r = moved("bisect", "run", "--good", made(moved, "1.0"), "--json", "--", "python", "-c", check).json
    assert r["first_bad"] == made(moved, "4.0") and r["last_good"] == made(moved, "2.0") and not r["sure"]


# -- running programs -----------------------------------------------------------------------------------------


def wait_for(condition, what, seconds=30):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return
        time.sleep(0.02)
    pytest.fail(f"no {what} after {seconds} s")


def test_a_program_keeps_the_generation_it_began_with(moved, tmp_path):
    if not list((moved.path / ".venv/lib").glob("python*/site-packages/_blast_boot.pth")):
        pytest.skip("this environment has no boot file, which pins programs to their generation")
    code = ("import demo, sys, os; print(demo.version, flush=True); sys.stdin.readline(); "
            "import demo.late; print(demo.late.late, flush=True)")
    p = subprocess.Popen([moved.python, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                         env=moved.blast.env)
    try:
        assert p.stdout.readline() == "5.0\n"
        moved("undo", "2")
        assert demo(moved) == "3.0"
        users = moved("status", "--json").json["older_processes"]
        assert [u["pid"] for u in users] == [p.pid]
        assert f"{p.pid}" in moved("status").stdout
        for i in range(5):
            moved("install", f"other=={1 + i % 2}.0")
        moved("cache", "gc")
        p.stdin.write("\n")
        p.stdin.flush()
        assert p.stdout.readline() == "5.0\n"
        assert p.wait(timeout=30) == 0
    finally:
        p.kill()
        p.wait()
    assert moved("status", "--json").json["older_processes"] == []


# -- damage ---------------------------------------------------------------------------------------------------


def state_dir(project):
    found = [p for p in (project.blast.home / "blast").rglob("envs/*") if (p / "env.json").exists()]
    return next(p for p in found if json.loads((p / "env.json").read_text())["path"] == str(project.path / ".venv"))


def break_tree(project):
    seq = os.readlink(project.path / ".venv/.current").split("/")[1]
    shutil.rmtree(project.path / ".venv/.gen" / seq)


def break_manifest(project):
    seq = os.readlink(project.path / ".venv/.current").split("/")[1]
    (state_dir(project) / f"gen-{seq}.json").unlink()


def break_link(project):
    (project.path / ".venv/.current").unlink()


DAMAGE = {"tree": (break_tree, "5.0", "4.0"), "manifest": (break_manifest, "4.0", "3.0"), "link": (break_link, "5.0", "4.0")}


@pytest.mark.parametrize("what", DAMAGE)
@pytest.mark.parametrize("mode", ["latest", "previous", "manual"])
def test_recovery_mode_decides_what_damage_leads_to(moved, what, mode):
    damage, latest, previous = DAMAGE[what]
    moved.blast.env["BLAST_ENV_LAYER_RECOVERY_MODE"] = mode
    damage(moved)
    if mode == "manual":
        r = moved("sync", code=1)
        assert "recovery_mode is manual" in r.stderr and "blast rollback" in r.stderr
        moved("rollback", made(moved, "4.0"))
        assert demo(moved) == "4.0"
        moved("sync")
        assert demo(moved) == "5.0"
        return
    r = moved("run", "demo")
    kinds = [g["kind"] for g in history(moved)["generations"]]
    assert "repair" in kinds or "rollback" in kinds
    if mode == "previous":
        assert "the content of" in r.stderr
    moved("sync")
    assert demo(moved) == "5.0"
    moved("doctor")


# -- by itself ------------------------------------------------------------------------------------------------


def background(project, **env):
    return project("background", "snapshot", "--no-daemon", "--no-input", env=env, code=None).json


def test_automatic_snapshots_come_at_most_once_an_interval(moved, pip):
    assert background(moved)["state"] == "unchanged"
    pip("extra")
    off = background(moved, BLAST_ENV_LAYER_SNAPSHOT_INTERVAL="0")
    assert off["state"] == "unchanged" and "snapshot_interval = 0" in off["message"] and off["changes"] == "+extra 1.0"
    first = background(moved)
    assert first["state"] == "synced" and first["changes"] == "+extra 1.0"
    assert generation(moved, first["generation"])["kind"] == "scratch"
    assert background(moved)["state"] == "unchanged"
    pip("other==1.0")
    soon = background(moved)
    assert soon["state"] == "unchanged" and "younger than snapshot_interval" in soon["message"]
    later = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 400))
    second = background(moved, BLAST_NOW=later)
    assert second["state"] == "synced" and second["changes"] == "+other 1.0"
    moved("undo")
    assert moved.installed_by_python() == {"demo": "5.0", "dep": "1.0", "extra": "1.0"}


def test_gc_names_the_histories_that_become_impossible(moved):
    state, path = state_dir(moved), str(moved.path / ".venv")
    shutil.rmtree(moved.path / ".venv")
    assert moved("cache", "gc", "--json").json["impossible"] == []
    long_ago = time.time() - 15 * 24 * 3600
    os.utime(state, (long_ago, long_ago))
    r = moved("cache", "gc", "--dry-run", "--json")
    assert r.json["impossible"] == [path] and r.json["removed"] > 0
    assert "could not be had again" in r.stderr


# -- faults ---------------------------------------------------------------------------------------------------

SAMPLES = int(os.environ.get("BLAST_FAULT_SAMPLES", "16"))  # of the file operations of each command


@pytest.fixture
def shim(program):
    """For tests of the release build alone: the sanitizers' library must come first, so nothing can be put before it."""
    found = os.environ.get("BLAST_FAULT_SHIM") or program.parents[2] / "tests/libfault.so"
    if not os.path.exists(found):
        pytest.skip(f"the fault shim is not built: {found}")
    return str(found)


def stands(project):
    """The versions, once everything that says what they are agrees."""
    found = project.installed_by_python()
    subprocess.run([project.python, "-c", "import importlib, sys; [importlib.import_module(n) for n in sys.argv[1:]]",
                    *found], check=True, env=project.blast.env)
    assert project.installed() == found
    return found


CASES = {
    "hot undo": (lambda p, pip: None, ("undo",), {"demo": "5.0", "dep": "1.0"}, {"demo": "4.0", "dep": "1.0"}),
    "cold rollback": (lambda p, pip: None, ("rollback", "cold"), {"demo": "5.0", "dep": "1.0"},
                      {"demo": "1.0", "dep": "1.0"}),
    "undo of drift": (lambda p, pip: pip("extra"), ("undo",), {"demo": "5.0", "dep": "1.0", "extra": "1.0"},
                      {"demo": "5.0", "dep": "1.0"}),
    "scratch": (lambda p, pip: pip("extra"), ("drift", "scratch"), {"demo": "5.0", "dep": "1.0", "extra": "1.0"},
                {"demo": "5.0", "dep": "1.0", "extra": "1.0"}),
    "drop": (lambda p, pip: pip("extra"), ("drift", "drop"), {"demo": "5.0", "dep": "1.0", "extra": "1.0"},
             {"demo": "5.0", "dep": "1.0"}),
}


@pytest.mark.release_only
@pytest.mark.parametrize("how", ["28", "0"], ids=["disk full", "killed"])
@pytest.mark.parametrize("case", CASES)
def test_a_fault_leaves_the_old_or_the_new_content(moved, pip, shim, tmp_path, case, how):
    prepare, words, old, new = CASES[case]
    prepare(moved, pip)
    words = [made(moved, "1.0") if w == "cold" else w for w in words]
    kept = tmp_path / "kept"
    kept.mkdir()
    places = (moved.path, moved.blast.home)
    for place in places:
        subprocess.run(["cp", "-a", place, kept / place.name], check=True)

    def run(at, **more):
        for place in places:
            subprocess.run(["rm", "-rf", place], check=True)
            subprocess.run(["cp", "-a", kept / place.name, place], check=True)
        p = moved.blast.start(*words, cwd=moved.path, env={"LD_PRELOAD": shim, "FAULT_PROGRAM": "blast",
                                                           "FAULT_AT": str(at), "FAULT_HOW": how, **more})
        _, err = p.communicate(timeout=100)
        return p.returncode, err

    count = tmp_path / "count"
    code, err = run(0, FAULT_COUNT=str(count))
    assert code == 0 and stands(moved) == new, err
    total = int(count.read_text())
    assert total > 3, "the shim counts nothing: are the calls interposed?"
    step = max(1, -(-total // SAMPLES))
    for at in range(1 + total % step, total + 1, step):
        code, err = run(at)
        try:
            found = stands(moved)
            assert found in (old, new)
            assert code != 0 or found == new
            moved("sync")
            assert "demo" in stands(moved)
            moved("undo")
            moved("doctor")
        except AssertionError as e:
            pytest.fail(f"call {at} of {total}, exit {code}\n{err}\n{e}")
    subprocess.run(["chmod", "-R", "u+w", kept], check=True)
