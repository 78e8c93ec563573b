"""When the index, the network or the process misbehaves: the old environment stays, and the message helps."""
import os
import shutil
import signal
import subprocess
import time

import pytest
from index_server import make_wheel


@pytest.fixture
def started(project, index):
    index.add(make_wheel("old", "1.0"))
    project.require("old")
    project("start")
    return project


def still_old(project):
    return project.installed_by_python() == {"old": "1.0"} and project.installed() == {"old": "1.0"}


@pytest.mark.parametrize("behaviour", ["status=500@file", "truncate=200@file", "reset=200@file", "flip@file",
                                       "shorter=10@file", "longer=10@file", "garbage@file"])
def test_a_bad_download_changes_nothing(started, index, behaviour):
    index.add(make_wheel("new", "1.0", files={"new.bin": os.urandom(3000)}))
    started.blast.env["BLAST_INDEX_URL"] = index.view(behaviour)
    r = started("install", "new", code=None)
    assert r.code in (1, 5, 6), r
    assert "new" in r.stderr, r
    assert still_old(started)
    assert "new" not in started.read("pyproject.toml")


@pytest.mark.parametrize("behaviour", ["status=503@page!2", "truncate=50@file!1", "reset=50@file!1"])
def test_a_passing_fault_is_tried_again(started, index, behaviour):
    index.add(make_wheel("new", "1.0"))
    started.blast.env["BLAST_INDEX_URL"] = index.view(behaviour)
    started("install", "new")
    assert started.installed_by_python() == {"old": "1.0", "new": "1.0"}


def test_an_index_that_is_down_is_a_network_error_with_its_address(started, index):
    index.stop()
    r = started("install", "new", code=6)
    assert "127.0.0.1" in r.stderr, r
    assert still_old(started)


def test_offline_makes_no_request(started, index):
    asked = index.requests()
    r = started("install", "new", "--offline", code=None)
    assert r.code != 0 and "offline" in r.stderr, r
    assert index.requests() == asked


@pytest.mark.parametrize("kind", ["traversal", "absolute", "symlink-then-file"])
def test_a_hostile_wheel_is_refused(started, index, kind):
    index.add(make_wheel("new", "1.0", hostile=kind))
    r = started("install", "new", code=None)
    assert r.code in (1, 5) and "new" in r.stderr, r
    assert still_old(started)
    assert not os.path.exists("/tmp/blast-escaped.txt")


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_an_interrupted_install_leaves_the_old_and_the_next_one_works(started, index, how):
    index.add(make_wheel("new", "1.0", files={"new.py": "x = 1\n"}))
    slow = {"BLAST_INDEX_URL": index.view("delay=30@file!1")}
    p = started.blast.start("install", "new", cwd=started.path, env=slow)
    path = "/files/new-1.0-py3-none-any.whl"
    end = time.monotonic() + 60
    while not any(path in k for k in index.counts) and p.poll() is None and time.monotonic() < end:
        time.sleep(0.01)  # until the request has come in
    p.send_signal(how)
    out, err = p.communicate(timeout=60)
    assert p.returncode in ((130, -signal.SIGINT) if how == signal.SIGINT else (-signal.SIGKILL,)), err
    assert still_old(started)
    started("install", "new")
    assert started.installed_by_python() == {"old": "1.0", "new": "1.0"}
    started("doctor")


def test_two_installs_at_once_both_arrive(started, index):
    index.add(make_wheel("one", "1.0"))
    index.add(make_wheel("two", "1.0"))
    both = [started.blast.start("install", name, cwd=started.path) for name in ("one", "two")]
    for p in both:
        out, err = p.communicate(timeout=100)
        assert p.returncode == 0, err
    assert started.installed_by_python() == {"old": "1.0", "one": "1.0", "two": "1.0"}


@pytest.fixture
def small_disk(tmp_path):
    """Mounts a small file system on a directory, keeping what is in it; as root, where mounting is allowed."""
    mounted = []

    def mount(folder, options):
        kept = tmp_path / "kept"
        shutil.copytree(folder, kept, symlinks=True) if folder.exists() else kept.mkdir()
        folder.mkdir(parents=True, exist_ok=True)
        p = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder], capture_output=True, text=True)
        if p.returncode:
            pytest.skip(f"a small file system cannot be mounted here: {p.stderr.strip()}")
        mounted.append(folder)
        shutil.copytree(kept, folder, symlinks=True, dirs_exist_ok=True)

    yield mount
    for folder in mounted:
        subprocess.run(["umount", "-l", folder], check=True)


def test_a_full_disk_under_the_store_changes_nothing(started, index, small_disk):
    index.add(make_wheel("new", "1.0", files={"new.bin": os.urandom(4 << 20)}))
    small_disk(started.blast.home / "blast", "size=3m")
    r = started("install", "new", code=1)
    assert "No space left on device" in r.stderr, r
    assert still_old(started)


def test_a_full_disk_under_the_project_changes_nothing(started, index, small_disk):
    index.add(make_wheel("new", "1.0", data={f"data/share/{i}": "x" for i in range(2000)}))
    small_disk(started.path, "nr_inodes=600")
    r = started("install", "new", code=None)
    assert r.code == 1 and "No space left on device" in r.stderr, r
    assert still_old(started)


def test_a_project_that_moved_still_works(started):
    moved = started.path.parent / "elsewhere ü"
    started.path.rename(moved)
    started.path = moved
    started("start")
    assert still_old(started)


def test_a_wrong_key_in_blast_toml_is_shown_with_its_line_and_the_right_one(started):
    text = started.read("blast.toml")
    line = text.split("\n").index("[env]") + 2
    started.write("blast.toml", text.replace("[env]\n", '[env]\npython_verison = "3.11"\n', 1))
    r = started("start", code=None)
    assert f"blast.toml:{line}" in r.stderr and "python_version" in r.stderr, r


def test_an_interpreter_that_is_not_here_is_named(project):
    r = project("start", "--python", "3.99", code=1)
    assert "3.99" in r.stderr, r
