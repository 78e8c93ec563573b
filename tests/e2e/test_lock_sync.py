"""The lock is the truth between machines: what it says is what is installed, hash by hash, or nothing is."""
import hashlib
import re

import pytest
from index_server import IndexServer, make_wheel


@pytest.fixture
def locked(project, index):
    index.add(make_wheel("demo", "1.0", requires=["dep"]))
    index.add(make_wheel("dep", "1.0"))
    project.require("demo")
    project("lock")
    return project


def test_lock_writes_the_standard_file_with_hashes(locked):
    text = locked.read("pylock.toml")
    assert re.search(r'^lock-version = "1\.\d+"', text, re.M), text
    assert len(re.findall(r"^\[\[packages\]\]", text, re.M)) == 2, text
    assert len(re.findall(r"sha256 = ['\"][0-9a-f]{64}['\"]", text)) == 2, text
    assert not (locked.path / ".venv").exists()


def test_a_second_lock_is_the_same_to_the_byte(locked):
    before = locked.read("pylock.toml")
    locked("lock")
    assert locked.read("pylock.toml") == before


def test_sync_installs_what_the_lock_says_not_what_is_newest(locked, index):
    index.add(make_wheel("dep", "2.0"))
    locked("sync")
    assert locked.installed_by_python() == {"demo": "1.0", "dep": "1.0"}


def test_lock_keeps_versions_and_upgrade_moves_them(locked, index):
    index.add(make_wheel("dep", "2.0"))
    locked("lock")
    assert 'version = "1.0"' in locked.read("pylock.toml") and "2.0" not in locked.read("pylock.toml")
    locked("lock", "--upgrade", "--refresh")
    assert 'version = "2.0"' in locked.read("pylock.toml")


def test_check_ends_with_3_when_something_would_change(locked):
    locked("lock", "--check")
    locked("sync", "--check", code=3)
    locked("sync")
    locked("sync", "--check")
    before = locked.read("pylock.toml")
    locked.require("dep")
    locked("lock", "--check", code=3)
    assert locked.read("pylock.toml") == before


def test_frozen_refuses_a_lock_that_does_not_fit(locked, index):
    index.add(make_wheel("other", "1.0"))
    locked("sync", "--frozen")
    locked.require("demo", "other")
    r = locked("sync", "--frozen", code=None)
    assert r.code != 0 and "pylock.toml" in r.stderr, r
    assert locked.installed_by_python() == {"demo": "1.0", "dep": "1.0"}


def test_sync_removes_what_the_lock_does_not_have(locked):
    locked("sync")
    locked.require("dep")
    locked("lock")
    locked("sync")
    assert locked.installed_by_python() == {"dep": "1.0"}


def test_a_synced_project_syncs_again_without_an_index(locked, index):
    locked("sync")
    index.stop()
    locked("sync", "--offline")
    assert locked.installed_by_python() == {"demo": "1.0", "dep": "1.0"}


def test_another_project_is_filled_from_the_store_without_an_index(locked, index, blast):
    locked("sync")
    index.stop()
    other = blast.cwd / "other"
    other.mkdir()
    for name in ("pyproject.toml", "pylock.toml"):
        (other / name).write_text(locked.read(name))
    blast("sync", "--offline", cwd=other)
    assert len(blast("list", "--json", cwd=other).json) == 2


def test_offline_says_what_is_not_here(locked):
    r = locked("sync", "--offline", code=None)
    assert r.code != 0 and "demo" in r.stderr and "offline" in r.stderr, r


def test_a_file_that_is_not_what_the_lock_says_is_refused(project):
    good = make_wheel("demo", "1.0")
    with IndexServer([good]) as server:
        project.require("demo")
        project("lock", "--index-url", server.index)
        server.files[good.name].data = make_wheel("demo", "1.0", files={"demo.py": "evil = True\n"}).data
        r = project("sync", "--index-url", server.index, code=5)
    assert "demo" in r.stderr and "sha256" in r.stderr, r
    assert project.path.joinpath(".venv").exists() is False or project.installed() == {}


def test_lock_can_write_the_requirements_form(locked):
    locked("lock", "-o", "requirements.lock.txt", "--hashes")
    text = locked.read("requirements.lock.txt")
    assert "demo==1.0" in text and text.count("--hash=sha256:") == 2, text


def test_require_hashes_refuses_a_requirement_without_one(blast, index):
    index.add(make_wheel("demo", "1.0"))
    (blast.cwd / "requirements.txt").write_text("demo==1.0\n")
    blast("venv", "e")
    r = blast("sync", "--require-hashes", "-r", "requirements.txt", "--env", "e", code=None)
    assert r.code != 0 and "demo" in r.stderr and "hash" in r.stderr, r


def test_an_environment_outside_a_project(blast, index):
    index.add(make_wheel("demo", "1.0", requires=["dep"]))
    index.add(make_wheel("dep", "1.0"))
    blast("venv", "e")
    blast("install", "demo", "--env", "e")
    assert {p["name"] for p in blast("list", "--env", "e", "--json").json} == {"demo", "dep"}
    blast("remove", "demo", "--env", "e")
    assert "demo" not in {p["name"] for p in blast("list", "--env", "e", "--json").json}
    assert not (blast.cwd / "pyproject.toml").exists()


def test_an_index_without_hashes_gets_them_recorded_and_verified(project, index):
    good = make_wheel("demo", "1.0", requires=["dep"])
    index.add(good)
    index.add(make_wheel("dep", "2.0"))
    project.require("demo")
    project("lock", "--index-url", index.view("no-hash"))
    assert hashlib.sha256(good.data).hexdigest() in (project.path / "pylock.toml").read_text()
    project("sync", "--index-url", index.view("no-hash"))
    assert project.installed_by_python() == {"demo": "1.0", "dep": "2.0"}


def test_what_is_installed_already_asks_nothing_of_the_index(blast, index, tmp_path):
    index.add(make_wheel("demo", "1.0", requires=["dep>=2", 'more; extra == "x"'], extras=["x"]))
    index.add(make_wheel("dep", "2.0"))
    index.add(make_wheel("more", "1.0"))
    env = tmp_path / "e"
    blast("venv", env)
    blast("install", "--env", env, "demo", "--index-url", index.index)
    asked = sum(index.counts.values())
    r = blast("install", "--env", env, "demo>=1", "--index-url", index.index)
    assert sum(index.counts.values()) == asked and "up to date" in r.stderr, r
    blast("install", "--env", env, "demo[x]", "--index-url", index.index)
    assert sum(index.counts.values()) > asked
    names = {p["name"] for p in blast("list", "--env", env, "--json").json}
    assert names == {"demo", "dep", "more"}
    blast("remove", "--env", env, "dep")
    blast("install", "--env", env, "demo", "--index-url", index.index)
    assert {p["name"] for p in blast("list", "--env", env, "--json").json} == {"demo", "dep", "more"}
