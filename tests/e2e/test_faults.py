"""Each call that changes files fails once in turn (disk full), and once the process dies there. After every run the
environment is the old one or the new one, never between, and the next command works."""
import json
import os
import shutil
import subprocess

import pytest
from index_server import make_wheel

OLD = {"old": "1.0", "dep": "1.0"}
NEW = {"old": "1.0", "dep": "2.0", "new": "1.0"}
ENOSPC = "28"
KILL = "0"
MOST = 100  # runs of one kind; more calls than that are sampled evenly, another sample each time the count changes


@pytest.fixture
def shim(program):
    """For tests of the release build alone: the sanitizers' library must come first, so nothing can be put before it."""
    found = os.environ.get("BLAST_FAULT_SHIM") or program.parents[2] / "tests/libfault.so"
    if not os.path.exists(found):
        pytest.skip(f"the fault shim is not built: {found}")
    return str(found)


@pytest.fixture
def before(project, index, tmp_path):
    """A project with an old environment, of which every run gets a fresh copy in the same place."""
    project.blast.env["BLAST_NO_COMPILE"] = "1"  # the home is copied: nothing may write there in the background
    index.add(make_wheel("old", "1.0", requires=["dep"], entry_points={"old": "old:main"}))
    index.add(make_wheel("new", "1.0", requires=["dep>=2"], entry_points={"new": "new:main"},
                         data={"data/share/new.txt": "x"}))
    index.add(make_wheel("dep", "1.0"))
    index.add(make_wheel("dep", "2.0"))
    project.require("old", "dep==1.0")
    project("start")
    project.require("old", "new")
    kept = tmp_path / "kept"
    kept.mkdir()
    places = (project.path, project.blast.home)
    for place in places:
        subprocess.run(["cp", "-a", place, kept / place.name], check=True)

    def restore():
        for place in places:
            subprocess.run(["rm", "-rf", place], check=True)
            subprocess.run(["cp", "-a", kept / place.name, place], check=True)
        return project

    return restore


def orders(shim, at, how):
    return {"LD_PRELOAD": shim, "FAULT_PROGRAM": "blast", "FAULT_AT": str(at), "FAULT_HOW": how}


def counted(restore, shim, tmp_path):
    project, path = restore(), tmp_path / "count"
    project("start", env={**orders(shim, 0, KILL), "FAULT_COUNT": str(path)})
    assert project.installed_by_python() == NEW
    return int(path.read_text())


def is_whole(project):
    """What the environment holds, once its parts agree with each other."""
    found = project.installed_by_python()
    assert found in (OLD, NEW), found
    assert (project.path / ".venv/bin/new").exists() == (found == NEW)
    code = "import importlib, sys; [importlib.import_module(n) for n in sys.argv[1:]]"
    subprocess.run([project.python, "-c", code, *found], check=True, env=project.blast.env)
    return found


@pytest.mark.release_only
@pytest.mark.parametrize("how", [ENOSPC, KILL], ids=["disk full", "killed"])
def test_a_fault_at_any_file_operation_leaves_old_or_new(before, shim, tmp_path, how):
    total = counted(before, shim, tmp_path)
    assert total > 5, "the shim counts nothing: are the calls interposed?"
    step = max(1, -(-total // MOST))
    for at in range(1 + total % step, total + 1, step):
        project = before()
        p = project.blast.start("start", cwd=project.path, env=orders(shim, at, how))
        out, err = p.communicate(timeout=100)
        where = f"call {at} of {total}, exit {p.returncode}\n{err}"
        try:
            found = is_whole(project)
            if p.returncode == 0:
                assert found == NEW
            project("start")
            assert project.installed_by_python() == NEW
            project("doctor")
            assert json.loads(project("list", "--json").stdout)
        except AssertionError as e:
            pytest.fail(f"{where}\n{e}")
    shutil.rmtree(tmp_path / "kept", ignore_errors=True)
