"""Every word that blast.toml allows for the two layers and for updates does what its page says."""
import json
import time

import pytest
from index_server import make_wheel
from test_decisions import background, in_terminal, settings, track, waiting


@pytest.fixture
def shop(project, index):
    """demo and dep at 1.2.0, both in the lock; newer ones are on the index since."""
    index.add(make_wheel("demo", "1.2.0", requires=["dep>=1"]))
    index.add(make_wheel("dep", "1.2.0"))
    project.require("demo")
    project("sync")
    for version in ("1.2.1", "1.3.0", "2.0.0"):
        index.add(make_wheel("demo", version, requires=["dep>=1"]))
        index.add(make_wheel("dep", version))
    return project


def versions(project):
    got = project.installed()
    return got["demo"], got["dep"]


def trusted(project, **keys):
    """auto_update lets things happen unasked: from a project's file it counts only once it was accepted."""
    settings(project, **keys)
    project("trust", "--yes")


def refresh(project):
    """So that the background sees what is new: its pages are fresh for a while."""
    project("lock", "--check", "--upgrade", "--refresh", code=None)


# ------------------------------------------------------------ [sync] pkg_layer, [pkg_layer] auto_sync

def test_manual_packages_change_on_command_only(shop, index):
    index.add(make_wheel("more", "1.0"))
    settings(shop, sync__pkg_layer="manual")
    shop.require("demo", "more")
    shop("start", "--no-activate")
    assert "more" not in shop.installed()
    got = background(shop, code=0)
    assert got["state"] == "paused" and "pkg_layer is manual" in got["message"], got
    assert "more" not in shop.installed()
    shop("sync")
    assert "more" in shop.installed()


def test_run_takes_the_environment_as_it_is_under_manual(shop, index):
    index.add(make_wheel("more", "1.0"))
    shop.require("demo", "more")
    shop("run", "true", env={"BLAST_SYNC_PKG_LAYER": "manual"})
    assert "more" not in shop.installed()
    shop("run", "true")
    assert "more" in shop.installed()


def test_manual_makes_an_environment_that_is_missing(project, index):
    index.add(make_wheel("demo", "1.0"))
    settings(project, sync__pkg_layer="manual")
    project.require("demo")
    project("start", "--no-activate")
    assert project.installed() == {"demo": "1.0"}


def test_locked_takes_only_what_the_lock_says(shop, index):
    index.add(make_wheel("more", "1.0"))
    settings(shop, sync__pkg_layer="locked")
    assert background(shop)["state"] == "unchanged"
    before = shop.read("pylock.toml")
    shop.require("demo", "more")
    assert background(shop, code=4)["state"] == "pending"
    r = shop("sync", "--json", code=4)
    assert r.json["error"]["decision"]["kind"] == "relock", r
    assert shop.read("pylock.toml") == before and "more" not in shop.installed()
    shop("lock")
    assert background(shop, code=0)["state"] == "synced"
    assert "more" in shop.installed()


def test_auto_sync_false_pauses_the_background(shop):
    settings(shop, pkg_layer__auto_sync=False)
    got = background(shop, code=0)
    assert got["state"] == "paused" and "auto_sync" in got["message"], got


def test_a_project_that_nobody_used_is_not_trusted(project, index):
    index.add(make_wheel("demo", "1.0"))
    project.require("demo")
    got = background(project, code=5)
    assert got["state"] == "denied" and not (project.path / ".venv").exists(), got


# ------------------------------------------------------------ [sync] env_layer

@pytest.fixture
def two_pythons(pythons):
    if len(pythons) < 2:
        pytest.skip("two interpreters are needed")
    return sorted(pythons, key=lambda v: int(v.split(".")[1]))[-2:]


def minor(project):
    return ".".join(project("status", "--json").json["python"].split(".")[:2])


@pytest.mark.parametrize("layer, moves", [("strict", True), ("relaxed", False), ("manual", False)])
def test_another_python_in_the_files(project, index, two_pythons, layer, moves):
    old, new = two_pythons
    index.add(make_wheel("demo", "1.0"))
    settings(project, sync__env_layer=layer)
    project.require("demo")
    project.write(".python-version", old + "\n")
    project("sync")
    project.write(".python-version", new + "\n")
    r = project("sync")
    assert minor(project) == (new if moves else old)
    assert (f"asks for Python {new}" in r.stderr) == (not moves), r
    project("sync", "--python", new)
    assert minor(project) == new
    assert project.installed_by_python() == {"demo": "1.0"}


@pytest.mark.parametrize("layer", ["relaxed", "manual"])
def test_a_python_that_the_project_does_not_take(project, index, two_pythons, layer):
    old, new = two_pythons
    index.add(make_wheel("demo", "1.0"))
    settings(project, sync__env_layer=layer)
    project.require("demo")
    project("sync", "--python", old)
    project.require("demo", python=f">={new}")
    if layer == "relaxed":
        project("sync")
        assert minor(project) == new
        return
    r = project("sync", "--json", code=4)
    assert r.json["error"]["decision"]["kind"] == "python", r
    assert minor(project) == old
    assert background(project, code=4)["state"] == "pending"
    project("resolve", "--choose", "1")
    assert minor(project) == new and project.installed_by_python() == {"demo": "1.0"}


@pytest.mark.parametrize("layer, moves", [("strict", True), ("relaxed", False), ("manual", False)])
def test_another_name_in_the_files(project, index, layer, moves):
    index.add(make_wheel("demo", "1.0"))
    settings(project, sync__env_layer=layer, env__name="first")
    project.require("demo")
    project("sync")
    settings(project, sync__env_layer=layer, env__name="second")
    r = project("sync", "--json")
    assert r.json["created"] is moves, r
    assert ("prompt = second" in project.read(".venv/pyvenv.cfg")) == moves
    assert project.installed_by_python() == {"demo": "1.0"}
    assert project("sync", "--json").json["created"] is False
    project("undo" if moves else "sync")


@pytest.mark.parametrize("name", ["it's", ' "x" ', "a b", "é"])
def test_a_name_of_any_kind_makes_the_environment_once(project, index, name):
    index.add(make_wheel("demo", "1.0"))
    settings(project, env__name=name)
    project.require("demo")
    project("sync")
    assert project("sync", "--json").json["created"] is False


def test_an_environment_that_could_not_be_filled_stays(project, index, two_pythons):
    old, new = two_pythons
    tag = "cp" + old.replace(".", "")
    index.add(make_wheel("demo", "1.0", tags=f"{tag}-none-any"))
    project.require("demo")
    project.write(".python-version", old + "\n")
    project("sync")
    project.write(".python-version", new + "\n")
    project("sync", code=1)
    assert project.installed_by_python() == {"demo": "1.0"}


# ------------------------------------------------------------ [pkg_layer] version_policy, update

@pytest.mark.parametrize("policy, want", [("latest", "2.0.0"), ("minor", "1.3.0"), ("patch", "1.2.1"),
                                          ("locked", "1.2.0")])
def test_version_policy_bounds_an_update(shop, policy, want):
    settings(shop, pkg_layer__version_policy=policy)
    shop("update")
    assert versions(shop) == (want, want)
    shop("sync", "--check")


def test_what_the_project_asks_for_comes_before_the_policy(shop):
    settings(shop, pkg_layer__version_policy="patch")
    shop.require("demo>=2")
    shop("sync", "--refresh")
    shop("update")
    assert versions(shop) == ("2.0.0", "1.2.1")


def test_the_plan_says_what_moves_and_what_holds_it(shop):
    settings(shop, pkg_layer__version_policy="minor")
    shop.require("demo<1.3")
    shop("sync")
    before = shop.read("pylock.toml")
    r = shop("update", "--dry-run")
    lines = {line.split()[0]: line for line in r.stdout.splitlines()}
    assert lines["package"].split() == ["package", "current", "wanted", "latest", "age", "held", "by"], r
    assert lines["demo"].split()[1:4] == ["1.2.0", "1.2.1", "2.0.0"] and "minor" in lines["demo"], r
    rows = {p["name"]: p for p in shop("update", "--dry-run", "--json").json["plan"]}
    assert rows["dep"]["wanted"] == "1.3.0" and rows["dep"]["held_by"] == "version_policy = minor", rows
    assert rows["dep"]["age"].endswith(" d") and rows["dep"]["moves"] is True, rows
    assert shop.read("pylock.toml") == before and versions(shop) == ("1.2.0", "1.2.0")


def test_the_plan_names_the_requirement_that_holds(shop):
    shop.require("demo<1.3")
    rows = {p["name"]: p for p in shop("update", "--dry-run", "--json").json["plan"]}
    assert rows["demo"]["held_by"] == "demo<1.3 (pyproject.toml:6)", rows


def test_a_checklist_in_a_terminal(shop):
    code, out = in_terminal(shop, "update", "-i", answers=["2"], prompt=b"empty none]")
    assert code == 0, out
    assert versions(shop) == ("1.2.0", "2.0.0"), out
    assert "1) demo 1.2.0 -> 2.0.0" in out or "2) demo 1.2.0 -> 2.0.0" in out, out


def test_a_checklist_needs_a_terminal(shop):
    r = shop("update", "-i", code=2)
    assert "needs a terminal" in r.stderr, r


# ------------------------------------------------------------ [updates]

def test_updates_are_not_installed_unasked(shop):
    refresh(shop)
    assert background(shop, "update", code=0)["state"] == "unchanged"
    assert versions(shop) == ("1.2.0", "1.2.0")


def test_auto_update_installs_and_can_be_undone(shop):
    trusted(shop, updates__auto_update=True, pkg_layer__version_policy="minor")
    refresh(shop)
    got = background(shop, "update", code=0)
    assert got["state"] == "synced" and versions(shop) == ("1.3.0", "1.3.0"), got
    shop("undo")
    assert versions(shop) == ("1.2.0", "1.2.0")
    assert background(shop, "update", code=0)["state"] == "paused"


def test_an_update_of_a_tracked_lock_is_a_decision(shop):
    trusted(shop, updates__auto_update=True)
    track(shop, "pylock.toml")
    refresh(shop)
    before = shop.read("pylock.toml")
    assert background(shop, "update", code=4)["state"] == "pending"
    (decision,) = waiting(shop)
    assert decision["kind"] == "update" and "2 packages can be updated" in decision["text"], decision
    assert shop.read("pylock.toml") == before
    shop("resolve", "--choose", "1")
    assert versions(shop) == ("2.0.0", "2.0.0")


def test_update_dependencies_false_moves_only_what_is_named(shop):
    trusted(shop, updates__auto_update=True, updates__update_dependencies=False)
    refresh(shop)
    assert background(shop, "update", code=0)["state"] == "synced"
    assert versions(shop) == ("2.0.0", "1.2.0")


def test_what_is_too_new_is_not_taken(shop, index):
    index.add(make_wheel("dep", "3.0.0", upload_time="2999-01-01T00:00:00Z"))
    trusted(shop, updates__auto_update=True, resolver__cooldown="3d")
    shop("sync")
    refresh(shop)
    background(shop, "update", code=0)
    assert versions(shop) == ("2.0.0", "2.0.0")


@pytest.mark.parametrize("force", [False, True])
def test_force_updates_and_packages_installed_by_hand(shop, tmp_path, force):
    trusted(shop, updates__auto_update=True, updates__force_updates=force)
    refresh(shop)
    site = next((shop.path / ".venv/lib").glob("python3.*/site-packages"))
    info = site / "scratch-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: scratch\nVersion: 1.0\n")
    (info / "RECORD").write_text("scratch-1.0.dist-info/METADATA,,\nscratch-1.0.dist-info/RECORD,,\n")
    got = background(shop, "update")
    if force:
        assert got["state"] == "synced" and versions(shop) == ("2.0.0", "2.0.0"), got
    else:
        assert got["state"] == "pending" and versions(shop) == ("1.2.0", "1.2.0"), got
        assert waiting(shop)[0]["kind"] == "hand"


def test_a_check_leaves_a_notice_and_changes_nothing(shop):
    refresh(shop)
    before = shop.read("pylock.toml")
    got = background(shop, "check", code=0)
    assert got["state"] == "unchanged" and "2 packages can be updated" in got["message"], got
    assert shop.read("pylock.toml") == before and versions(shop) == ("1.2.0", "1.2.0")
    assert "2 packages can be updated" in (shop.path / ".venv/.status").read_text()
    assert "2 packages can be updated" in shop("status").stdout
    shop("update")
    assert background(shop, "check", code=0)["message"] == "nothing newer is there"
    assert "can be updated" not in shop("status").stdout


def test_a_terminated_job_leaves_the_old_environment_or_the_new(shop, index):
    index.add(make_wheel("more", "1.0"))
    shop.require("demo", "more")
    for delay in (0.0, 0.02, 0.05, 0.1, 0.2):
        job = shop.blast.start("background", "sync", "--no-daemon", cwd=shop.path)
        time.sleep(delay)
        job.terminate()
        job.communicate(timeout=60)
        got = shop.installed_by_python()
        assert got in ({"demo": "1.2.0", "dep": "1.2.0"}, {"demo": "1.2.0", "dep": "1.2.0", "more": "1.0"}), got
    background(shop, code=0)
    assert shop.installed_by_python() == {"demo": "1.2.0", "dep": "1.2.0", "more": "1.0"}
    shop("sync", "--check")


# ------------------------------------------------------------ [tool.blast] overrides

def test_an_override_replaces_every_requirement_on_its_package(project, index):
    index.add(make_wheel("demo", "1.0", requires=["dep>=2"]))
    index.add(make_wheel("dep", "1.0"))
    index.add(make_wheel("dep", "2.0"))
    project.require("demo", "dep>=2", extra='[tool.blast]\noverrides = ["dep==1.0"]\n')
    r = project("sync")
    assert project.installed_by_python() == {"demo": "1.0", "dep": "1.0"}
    assert "override" not in r.stderr, r
    project("sync", "--check")
    project.require("demo", "dep>=2")
    project("sync")
    assert project.installed_by_python()["dep"] == "2.0"


def test_an_override_whose_marker_does_not_hold_takes_the_package_out(project, index):
    index.add(make_wheel("demo", "1.0", requires=["dep>=2"]))
    project.require("demo", extra="[tool.blast]\noverrides = [\"dep; sys_platform == 'never'\"]\n")
    project("sync")
    assert project.installed_by_python() == {"demo": "1.0"}


def test_a_conflict_with_an_override_names_its_line(project, index):
    index.add(make_wheel("demo", "1.0", requires=["dep"]))
    index.add(make_wheel("dep", "1.0"))
    project.require("demo", extra='[tool.blast]\noverrides = ["dep>=9"]\n')
    assert "pyproject.toml:9" in project("lock", code=1).stderr


# ------------------------------------------------------------ a crash before

def test_lock_settles_what_a_crash_left(shop):
    """The journal of a change that never got its generation: the old text comes back before it is read."""
    shop("install", "dep")
    (lock,) = (shop.blast.home / "blast/state/projects").glob("*.lock")
    old = shop.read("pyproject.toml")
    new = old.replace('"demo"', '"demo", "nosuch"')
    seq = shop("status", "--json").json["generation"]
    lock.with_suffix(".journal").write_text(
        json.dumps({"seq": seq, "files": [{"name": "pyproject.toml", "old": old, "new": new}]}))
    shop.write("pyproject.toml", new)
    shop("lock")
    assert shop.read("pyproject.toml") == old
    assert not lock.with_suffix(".journal").exists()
