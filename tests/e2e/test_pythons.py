"""Every real interpreter here gets an environment that it itself finds in order."""
import re
import subprocess

import pytest
from conftest import interpreters
from index_server import make_wheel


@pytest.mark.parametrize("version", sorted(interpreters(), key=lambda v: int(v.split(".")[1])) or ["none"])
def test_start_with_each_interpreter(project, index, pythons, version):
    index.add(make_wheel("demo", "1.0", entry_points={"demo": "demo:main"}))
    project.require("demo", python=">=3.6")
    project("start", "--python", version)
    code = "import sys, demo; print('%d.%d' % sys.version_info[:2], sys.prefix)"
    out = subprocess.run([project.python, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out == f"{version} {project.path / '.venv'}\n"
    out = subprocess.run([project.path / ".venv/bin/demo"], capture_output=True, text=True, check=True).stdout
    assert out == "demo 1.0\n"


def test_python_list_names_each_interpreter(blast, pythons):
    text = blast("python", "list").stdout
    path = blast.env["PATH"].split(":")
    for version, exe in pythons.items():
        if str(exe.parent) in path:
            assert version in text, text


def test_python_version_file_chooses(project, pythons):
    version = sorted(pythons)[0]
    project.require(python=">=3.6")
    project.write(".python-version", version + "\n")
    project("start")
    out = subprocess.run([project.python, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"],
                         capture_output=True, text=True, check=True).stdout
    assert out.strip() == version


def test_requires_python_that_nothing_meets_is_an_error_with_the_file(project):
    project.require(python=">=3.99")
    r = project("start", code=None)
    assert r.code != 0 and "3.99" in r.stderr and "pyproject.toml" in r.stderr, r


def test_the_environment_keeps_its_interpreter_while_it_fits(project, pythons):
    version = sorted(pythons)[0]
    project.require(python=">=3.6")
    project("start", "--python", str(pythons[version]))
    config = project.path / "blast.toml"
    text = config.read_text()
    for asked in (version, ">=3.6", f"cpython-{version}"):
        config.write_text(re.sub(r"(?m)^python_version = .*$", f'python_version = "{asked}"', text))
        project("sync")
        assert str(pythons[version]) in (project.path / ".venv/pyvenv.cfg").read_text(), asked
