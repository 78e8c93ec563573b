"""The environment's programs by their names in .venv/shims run in the sandbox: blast shim."""
import shutil
import subprocess

import pytest

from index_server import make_wheel
from test_shells import BOUND, shell_env


@pytest.fixture(autouse=True)
def sandbox(program):
    if not (program.parent / "blast-jail").exists():
        pytest.skip("blast-jail is not built")


def direct(project, *words, code=0, **more):
    """A shim, without a shell."""
    p = subprocess.run([str(project.path / ".venv/shims" / words[0]), *map(str, words[1:])], capture_output=True, text=True,
                       cwd=more.pop("cwd", project.path), env=dict(project.blast.env, **more), timeout=BOUND,
                       stdin=subprocess.DEVNULL)
    assert "Sanitizer" not in p.stderr, p.stderr
    assert p.returncode == code, f"{words}\nexit {p.returncode}\n{p.stdout}\n{p.stderr}"
    return p


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


def test_a_broken_blast_toml_refuses(project):
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


def test_a_package_cannot_bring_one(project, index):
    index.add(make_wheel("evil", "1.0", data={"data/shims/python": "#!/bin/sh\necho taken\n", "data/shims/more": "x",
                                              "data/share/fine": "x"}))
    project.require("evil")
    r = project("start")
    assert "its name is reserved" in r.stderr, r.stderr
    assert direct(project, "python", "-c", "print('mine')").stdout == "mine\n"
    assert not (project.path / ".venv/shims/more").exists() and (project.path / ".venv/share/fine").exists()


def test_the_interpreters_of_this_machine_are_not_looked_for_there(project):
    project("start")
    path = f"{project.path}/.venv/shims:{shell_env(project)['PATH']}"
    assert "shims" not in project("python", "list", env=dict(PATH=path)).stdout
