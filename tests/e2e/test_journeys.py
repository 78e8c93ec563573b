"""What a user does from day to day: start, install, remove, run, undo. The environment's own Python is the judge."""
import os
import re
import shutil
import subprocess

import pytest
from index_server import make_wheel


@pytest.fixture
def shop(index):
    """An index with a small family of packages."""
    index.add(make_wheel("demo", "1.0", requires=["dep>=1"], entry_points={"demo": "demo:main"}))
    index.add(make_wheel("demo", "2.0", requires=["dep>=2"], entry_points={"demo": "demo:main"}))
    index.add(make_wheel("dep", "1.0"))
    index.add(make_wheel("dep", "2.0"))
    index.add(make_wheel("dep", "2.1"))
    index.add(make_wheel("alone", "0.5"))
    return index


def test_start_makes_an_environment_that_works(project, shop):
    project.require("demo")
    project("start")
    assert project.installed_by_python() == {"demo": "2.0", "dep": "2.1"}
    assert project.installed() == {"demo": "2.0", "dep": "2.1"}
    out = subprocess.run([project.path / ".venv/bin/demo"], capture_output=True, text=True, check=True).stdout
    assert out == "demo 2.0\n"


def test_start_in_an_empty_folder_makes_what_is_needed(blast):
    blast("start")
    assert (blast.cwd / ".venv/bin/python").exists()
    assert (blast.cwd / "blast.toml").exists()


def test_start_writes_a_blast_toml_with_every_required_section_and_says_so(project):
    r = project("start")
    text = project.read("blast.toml")
    for section in ("env", "container", "sandbox", "security", "sync"):
        assert re.search(rf"^\[{section}\]", text, re.M), text
    assert "blast.toml" in r.stderr, r
    project("config", "check")


def test_a_second_start_changes_and_asks_nothing(project, shop):
    project.require("demo")
    project("start")
    before, asked = os.readlink(project.path / ".venv/.current"), shop.requests()
    project("start")
    assert os.readlink(project.path / ".venv/.current") == before
    assert shop.requests() == asked


def test_start_follows_an_edited_pyproject(project, shop):
    project.require("demo")
    project("start")
    project.require("demo<2", "alone")
    project("start")
    assert project.installed_by_python() == {"demo": "1.0", "dep": "2.1", "alone": "0.5"}


def test_the_environment_is_one_that_other_tools_know(project, shop):
    project.require("demo")
    project("start")
    config = (project.path / ".venv/pyvenv.cfg").read_text()
    assert re.search(r"^home = /", config, re.M), config
    code = "import sys; print(sys.prefix != sys.base_prefix, sys.prefix)"
    out = subprocess.run([project.python, "-c", code], capture_output=True, text=True, check=True).stdout.split(" ", 1)
    assert out == ["True", f"{project.path / '.venv'}\n"]


def test_install_adds_to_pyproject_and_keeps_its_comments(project, shop):
    project.write("pyproject.toml", '# ours\n[project]\nname = "app"  # the name\nversion = "1"\n'
                                    'dependencies = [\n    "alone",  # needed\n]\n')
    project("install", "demo")
    text = project.read("pyproject.toml")
    assert "# ours" in text and "# the name" in text and '"alone",  # needed' in text, text
    assert re.search(r'"demo\b', text), text
    assert project.installed_by_python() == {"alone": "0.5", "demo": "2.0", "dep": "2.1"}


def test_install_works_in_a_folder_without_a_project(blast, shop):
    blast("install", "alone")
    assert "alone" in (blast.cwd / "pyproject.toml").read_text()
    r = blast("list", "--format", "json")
    assert [(p["name"], p["direct"]) for p in r.json] == [("alone", True)]


def test_install_with_a_bound_takes_a_version_within_it(project, shop):
    project("install", "demo<2", "dep==1.0")
    assert project.installed() == {"demo": "1.0", "dep": "1.0"}


def test_install_of_an_unknown_package_changes_nothing(project, shop):
    project.require("alone")
    project("start")
    before = project.read("pyproject.toml")
    r = project("install", "no-such-package", code=1)
    assert "no-such-package" in r.stderr, r
    assert project.read("pyproject.toml") == before
    assert project.installed_by_python() == {"alone": "0.5"}


def test_dry_run_says_what_would_happen_and_does_nothing(project, shop):
    project.require("alone")
    project("start")
    before = project.read("pyproject.toml")
    r = project("install", "demo", "--dry-run")
    assert "demo" in r.stdout + r.stderr and "dep" in r.stdout + r.stderr, r
    assert project.read("pyproject.toml") == before
    assert project.installed() == {"alone": "0.5"}


def test_remove_takes_what_only_it_needed_along(project, shop):
    project.require("demo", "alone")
    project("start")
    project("remove", "demo")
    assert project.installed_by_python() == {"alone": "0.5"}
    assert "demo" not in project.read("pyproject.toml")
    assert not (project.path / ".venv/bin/demo").exists()


def test_remove_of_what_is_not_required_is_an_error(project, shop):
    project.require("alone")
    project("start")
    r = project("remove", "aloen", code=None)
    assert r.code in (1, 2) and "aloen" in r.stderr, r
    assert project.installed() == {"alone": "0.5"}


def test_update_moves_within_the_declared_bounds(project, shop):
    project.require("demo<2")
    project("start")
    shop.add(make_wheel("demo", "1.5", requires=["dep"]))
    project("start")
    assert project.installed()["demo"] == "1.0"  # nothing moves unasked
    project("update", "--refresh")
    assert project.installed_by_python()["demo"] == "1.5"


def test_update_of_one_package_leaves_the_others(project, shop):
    project.require("demo<2", "alone")
    project("start")
    shop.add(make_wheel("demo", "1.5", requires=["dep"]))
    shop.add(make_wheel("alone", "0.6"))
    project("update", "alone", "--refresh")
    assert project.installed() == {"demo": "1.0", "dep": "2.1", "alone": "0.6"}


def test_undo_and_redo_go_back_and_forth(project, shop):
    project.require("demo<2")
    project("start")
    project("install", "alone")
    project("undo")
    assert project.installed_by_python() == {"demo": "1.0", "dep": "2.1"}
    project("redo")
    assert project.installed_by_python() == {"demo": "1.0", "dep": "2.1", "alone": "0.5"}


def test_rollback_goes_to_a_generation_of_the_history(project, shop):
    project.require("alone")
    project("start")
    first = project("history", "--format", "json").json
    project("install", "demo")
    project("install", "dep==2.0")
    project("rollback", str(generation_numbers(first)[-1]))
    assert project.installed_by_python() == {"alone": "0.5"}


def generation_numbers(history):
    entries = history["generations"] if isinstance(history, dict) else history
    return sorted(e["generation"] for e in entries)


def test_undo_asks_no_index(project, shop):
    project.require("alone")
    project("start")
    project("install", "demo")
    shop.stop()
    project("undo", "--offline")
    assert project.installed_by_python() == {"alone": "0.5"}


def test_run_gives_the_exit_code_and_the_words_of_the_program(project, shop):
    project.require("demo")
    project("start")
    r = project("run", "python", "-c", "import sys; print(sys.argv[1:], sys.prefix); sys.exit(7)", "a b", "--help",
                code=7)
    assert r.stdout == f"['a b', '--help'] {project.path / '.venv'}\n", r
    assert project("run", "demo").stdout == "demo 2.0\n"


def test_run_makes_the_environment_first(project, shop):
    project.require("alone")
    r = project("run", "python", "-c", "import alone; print(alone.__version__)")
    assert r.stdout == "0.5\n", r


def test_run_of_a_missing_program_is_127(project):
    project("start")
    r = project("run", "no-such-program", code=127)
    assert "no-such-program" in r.stderr, r


def test_list_tree_and_why_agree(project, shop):
    project.require("demo")
    project("start")
    direct = {p["name"]: p["direct"] for p in project("list", "--format", "json").json}
    assert direct == {"demo": True, "dep": False}
    tree = project("tree").stdout
    assert tree.index("demo") < tree.index("dep"), tree
    assert "demo" in project("why", "dep").stdout


def test_outdated_names_what_could_be_newer(project, shop):
    project.require("demo<2")
    project("start")
    r = project("outdated")
    assert re.search(r"demo\s+.*1\.0.*2\.0", r.stdout), r
    assert "dep" not in r.stdout, r


def test_status_is_an_object_first(project, shop):
    project.require("demo")
    project("start")
    assert isinstance(project("status", "--json").json, dict)
    assert project("status").stdout


def test_kill_purge_removes_the_environment_only(project, shop):
    project.require("alone")
    project("start")
    project("kill", "--purge", "--yes")
    assert not (project.path / ".venv").exists()
    assert (project.path / "pyproject.toml").exists()
    project("start")
    assert project.installed_by_python() == {"alone": "0.5"}


def test_eject_leaves_an_environment_without_blast(project, shop, commands):
    if "eject" not in commands:
        pytest.skip("there is no blast eject")
    project.require("demo")
    project("start")
    project("eject", "--yes")
    assert project.installed_by_python() == {"demo": "2.0", "dep": "2.1"}
    for top, dirs, names in os.walk(project.path / ".venv"):
        for name in dirs + names:
            path = os.path.join(top, name)
            if os.path.islink(path):
                assert str(project.blast.home) not in os.readlink(path), path
    out = subprocess.run([project.path / ".venv/bin/demo"], capture_output=True, text=True, check=True).stdout
    assert out == "demo 2.0\n"


def test_doctor_is_content_with_a_fresh_environment(project, shop):
    project.require("demo")
    project("start")
    project("doctor")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_activation_text_works_in_the_shell(project, shop, shell):
    if not shutil.which(shell):
        pytest.skip(f"{shell} is not installed")
    project.require("demo")
    project("start")
    text = project("start", "--print", shell).stdout
    script = project.write(f"activate.{shell}", text)
    out = subprocess.run([shell, "-c", f"source '{script}'; demo; echo $VIRTUAL_ENV"], capture_output=True, text=True,
                         env=project.blast.env, cwd=project.path)
    assert out.stdout == f"demo 2.0\n{project.path / '.venv'}\n", out


def test_a_large_folder_far_below_a_namespace_is_one_link_until_it_is_shared(project, index):
    index.add(make_wheel("wide", "1.0", files={f"ns/part/deep/m{i}.py": f"x = {i}\n" for i in range(70)}))
    index.add(make_wheel("guest", "1.0", files={"ns/part/deep/guest.py": "x = 'guest'\n"}))
    project("install", "wide", "--link-mode", "tree")
    deep = next((project.path / ".venv/lib").glob("python*/site-packages")) / "ns/part/deep"
    assert deep.is_symlink() and not deep.parent.is_symlink()
    project("install", "guest", "--link-mode", "tree")
    assert deep.is_dir() and not deep.is_symlink()
    code = "import ns.part.deep.m69 as a, ns.part.deep.guest as b; print(a.x, b.x)"
    said = subprocess.run([project.python, "-c", code], capture_output=True, text=True, check=True).stdout
    assert said == "69 guest\n"
