"""What Blast puts into an environment: the start-up file with its import hook, and pip answered by Blast."""
import os
import pty
import select
import shutil
import subprocess
import sys
import time

import pytest
from index_server import make_wheel

VERSIONS = ["3.6", "3.8", "3.11", "3.13"]


@pytest.fixture(params=VERSIONS)
def version(request, pythons):
    if request.param not in pythons:
        pytest.skip(f"no Python {request.param} here")
    return request.param


@pytest.fixture
def started(project, index):
    """An environment with one package; `extra` is in the lock's group lint and not installed."""
    index.add(make_wheel("demo", "1.0"))
    index.add(make_wheel("PyExtra", "2.0", files={"extra_mod/__init__.py": "N = 2\n"}))
    project.require("demo", extra='[dependency-groups]\nlint = ["pyextra"]\n')
    return project


def go(project, version=None):
    project("sync", *(["--python", version] if version else []))
    return project


def settings(project, **hooks):
    lines = "".join(f'{k} = "{v}"\n' for k, v in hooks.items())
    project.write("blast.toml", '[env]\nname = "app"\n[container]\n[sandbox]\n[security]\n[sync]\n[hooks]\n' + lines)


def python(project, *words, code=0, env=None, stdin=None):
    full = {k: v for k, v in {**project.blast.env, **(env or {})}.items() if v is not None}
    p = subprocess.run([str(project.python), *map(str, words)], capture_output=True, text=True, cwd=str(project.path),
                       env=full, input=stdin, timeout=120)
    if code is not None:
        assert p.returncode == code, f"{words}\nexit {p.returncode}\n{p.stdout}\n{p.stderr}"
    return p


PATHS = ("import sys; print([p for p in sys.path if p.endswith('site-packages')], "
         "[type(f).__module__ for f in sys.meta_path])")


# ---------------------------------------------------------------- the start-up file


def test_a_process_is_fixed_to_its_generation_and_has_the_finder_last(started, version):
    started.require("demo", python=">=3.6")
    go(started, version)
    out = python(started, "-c", PATHS).stdout
    tree = os.readlink(started.path / ".venv/.current")
    assert f".venv/{tree}/lib/python{version}/site-packages" in out, out
    assert out.rstrip().endswith("'_blast_boot']"), out
    python(started, "-c", "import demo; assert '/.gen/' in demo.__file__, demo.__file__")


def test_isolated_and_switched_off_leave_the_hook_out(started, version):
    started.require("demo", python=">=3.6")
    go(started, version)
    assert "_blast_boot" not in python(started, "-I", "-c", PATHS).stdout
    assert "_blast_boot" not in python(started, "-S", "-c", "import sys; print(list(sys.modules))").stdout
    quiet = python(started, "-c", "import extra_mod", code=1, env={"BLAST_IMPORT_HOOK": "0"})
    assert "blast:" not in quiet.stderr
    settings(started, import_hook="off")
    started("sync")
    assert "blast:" not in python(started, "-c", "import extra_mod", code=1).stderr


def test_imports_after_a_change_come_from_the_tree_before_it(started, index, version):
    started.require("lazy", python=">=3.6")
    index.add(make_wheel("lazy", "1.0", files={"lazy/__init__.py": "V = 1\n", "lazy/late.py": "V = 1\n"}))
    go(started, version)
    p = subprocess.Popen([str(started.python), "-c", "import lazy, sys; print('up', flush=True); sys.stdin.readline(); "
                          "import lazy.late; print(lazy.V, lazy.late.V)"], stdin=subprocess.PIPE,
                         stdout=subprocess.PIPE, text=True, env=started.blast.env)
    assert p.stdout.readline() == "up\n"
    index.add(make_wheel("lazy", "2.0", files={"lazy/__init__.py": "V = 2\n", "lazy/late.py": "V = 2\n"}))
    started("update", "--refresh")
    assert python(started, "-c", "import lazy.late; print(lazy.late.V)").stdout == "2\n"
    out, _ = p.communicate("\n", timeout=60)
    assert out == "1 1\n"


def test_a_running_process_keeps_its_tree_from_being_removed(started, index):
    go(started)
    first = os.readlink(started.path / ".venv/.current")
    p = subprocess.Popen([str(started.python), "-c", "print('up', flush=True); input()"], stdin=subprocess.PIPE,
                         stdout=subprocess.PIPE, text=True, env=started.blast.env)
    assert p.stdout.readline() == "up\n"
    for n in range(2, 8):
        index.add(make_wheel("demo", f"{n}.0"))
        started("update", "--refresh")
    assert (started.path / ".venv" / first).is_dir(), "in use"
    p.communicate("\n", timeout=60)


def test_file_descriptor_three_stays_free(started):
    go(started)
    assert python(started, "-c", "import os; print(os.open('/dev/null', os.O_RDONLY))").stdout == "3\n"


def test_spawned_and_forked_workers_import_what_their_parent_has(started, version):
    started.require("demo", python=">=3.6")
    go(started, version)
    started.write("work.py", """
import multiprocessing as m, sys

def name(_):
    import demo
    return demo.__file__

if __name__ == "__main__":
    import demo
    for way in ("spawn", "forkserver", "fork"):
        with m.get_context(way).Pool(1) as pool:
            assert pool.map(name, [1]) == [demo.__file__], way
    print("same")
""")
    assert python(started, "work.py").stdout == "same\n"


def test_a_zip_of_modules_and_a_tracer_work(started, version):
    started.require("demo", python=">=3.6")
    go(started, version)
    app = started.path / "src"
    app.mkdir()
    (app / "__main__.py").write_text("import sys\nseen = []\n"
                                     "def trace(f, e, a):\n    seen.append(f.f_code.co_filename)\n    return trace\n"
                                     "sys.settrace(trace)\ntry:\n    import nothing_here\nexcept ImportError:\n    pass\n"
                                     "import demo\nsys.settrace(None)\nprint(demo.__version__)\n")
    python(started, "-m", "zipapp", "src")
    assert python(started, "src.pyz").stdout == "1.0\n"


def test_a_moved_or_ejected_environment_starts_without_complaint(started):
    go(started)
    link = started.path / ".venv/.current"
    target = os.readlink(link)
    link.unlink()
    shutil.copytree(started.path / ".venv" / target / "lib", started.path / "lib2", symlinks=True)
    os.symlink(target, link)
    started("eject", "--yes")
    site = next((started.path / ".venv/lib").glob("python3*/site-packages"))
    assert not list(site.glob("_blast*")) and not (site / "pip.py").exists()
    assert not list((started.path / ".venv/bin").glob("pip*"))
    assert python(started, "-c", "import demo").stderr == ""


# ---------------------------------------------------------------- suggestions


def test_an_uncaught_miss_names_the_package_below_the_traceback(started, version):
    started.require("demo", python=">=3.6", extra='[dependency-groups]\nlint = ["pyextra"]\n')
    go(started, version)
    started.write("app.py", "def main():\n    import extra_mod\nmain()\n")
    started("sync", "--group", "lint")  # the store has seen it
    started("sync")
    r = python(started, "app.py", code=1)
    lines = r.stderr.strip().splitlines()
    assert lines[-2].startswith("ModuleNotFoundError"), r.stderr
    assert lines[-1] == ("blast: 'extra_mod' is provided by PyExtra (in your lock, group lint): "
                         "blast sync --group lint"), r.stderr
    assert "_blast_" not in r.stderr and "importlib" not in r.stderr


def test_a_miss_that_the_program_handles_says_nothing(started):
    go(started)
    r = python(started, "-c", "try:\n    import ujson\nexcept ImportError:\n    print('fine')\n")
    assert (r.stdout, r.stderr) == ("fine\n", "")
    r = python(started, "-c", "try:\n    import ujson\nexcept ImportError as e:\n    pass\nraise KeyError('x')", code=1)
    assert "blast:" not in r.stderr


def test_an_error_that_a_miss_caused_is_explained_too(started):
    go(started)
    r = python(started, "-c", "try:\n    import yaml\nexcept ImportError as e:\n    raise ValueError('no') from e", code=1)
    assert "'yaml' is provided by PyYAML (not in your project): blast install pyyaml" in r.stderr


def test_a_thread_that_dies_of_a_miss_is_explained(started):
    go(started, "3.11")
    r = python(started, "-c", "import threading\nt = threading.Thread(target=__import__, args=('yaml',))\n"
                              "t.start(); t.join()")
    assert r.stderr.count("blast: 'yaml' is provided by PyYAML") == 1, r.stderr


def test_another_excepthook_is_still_called(started):
    go(started)
    r = python(started, "-c", "import sys\nsys.excepthook = lambda *a: print('mine', flush=True)\nimport yaml", code=1)
    assert r.stdout == "mine\n" and "Traceback" not in r.stderr and "PyYAML" in r.stderr


def test_a_start_without_misses_loads_nothing_of_the_hook(started, version):
    started.require("demo", python=">=3.6")
    go(started, version)
    out = python(started, "-c", "import sys; print(sys.excepthook is sys.__excepthook__, '_blast_report' in sys.modules)")
    assert out.stdout == "True False\n"


def test_several_packages_are_named_and_none_proposed(started):
    go(started)
    r = python(started, "-c", "import cv2", code=1)
    assert "each of opencv-python, opencv-python-headless" in r.stderr and "ONE" in r.stderr


def test_an_unknown_name_is_called_unverified(started):
    r = go(started)("import", "left_padder", "--json").json
    assert (r["how"], r["verified"], r["command"], r["install"]) == ("guess", False, [], False)
    assert "unverified" in r["text"]


def test_pythons_own_modules_are_no_packages(started):
    r = go(started)("import", "urllib2", "--json").json
    assert r["how"] == "python" and "urllib.request" in r["text"] and r["distributions"] == []


def test_a_word_that_is_no_module_is_refused(started):
    assert "no name of a module" in go(started)("import", "a-b", code=2).stderr


# ---------------------------------------------------------------- installing on demand


def declared(project):
    settings(project, import_hook="declared")
    project("sync", "--group", "lint")
    project("sync")
    if project("config", "get", "hooks.import_hook").stdout.strip().strip('"') != "declared":
        project("trust", "--yes")
        project("sync")
    return project


def test_declared_installs_what_the_project_asks_for_and_goes_on(started):
    declared(started)
    assert "pyextra" not in started.installed()
    started.write("app.py", "import demo\nimport extra_mod\nprint(extra_mod.N, demo.__version__)\n")
    r = python(started, "app.py")
    assert r.stdout == "2 1.0\n", r.stderr
    assert "blast: installing PyExtra" in r.stderr
    newest = started("history", "--json").json
    assert "import-hook" in str(newest), newest


def test_declared_leaves_guarded_imports_and_other_packages_alone(started):
    declared(started)
    started.write("app.py", "try:\n    import extra_mod\nexcept ImportError:\n    print('without')\n")
    assert python(started, "app.py").stdout == "without\n"
    started.write("other.py", "import yaml\n")
    assert "blast install pyyaml" in python(started, "other.py", code=1).stderr
    assert "pyextra" not in started.installed()


def test_a_change_of_an_imported_package_asks_for_a_new_start(started, index):
    declared(started)
    index.add(make_wheel("demo", "2.0"))
    started.write("app.py", "import demo, subprocess, os\n"
                            "subprocess.check_call([os.environ['B'], 'update', '--refresh', '-q'])\n"
                            "import extra_mod\n")
    r = python(started, "app.py", code=1, env={"B": str(started.blast.program)})
    assert "start the program again" in r.stderr, r.stderr


def test_ask_offers_on_a_terminal_and_runs_again(started):
    settings(started, import_hook="ask")
    started("sync", "--group", "lint")
    started("sync")
    if started("config", "get", "hooks.import_hook").stdout.strip().strip('"') != "ask":
        started("trust", "--yes")
        started("sync")
    started.write("app.py", "import extra_mod\nprint('runs', extra_mod.N)\n")
    env = {k: v for k, v in started.blast.env.items() if k != "CI"}
    pid, fd = pty.fork()
    if pid == 0:
        os.chdir(started.path)
        os.execve(str(started.python), [str(started.python), "app.py"], env)
    text, answered, end = "", False, time.monotonic() + 60
    while time.monotonic() < end and "runs 2" not in text:
        if select.select([fd], [], [], 0.2)[0]:
            try:
                text += os.read(fd, 4096).decode(errors="replace")
            except OSError:
                break
        if "[n]ever" in text and not answered:
            os.write(fd, b"i\n")
            answered = True
    os.close(fd)
    os.waitpid(pid, 0)
    assert answered and "runs 2" in text, text


# ---------------------------------------------------------------- pip


def pip(project, *words, code=0, how="module"):
    if how == "module":
        return python(project, "-m", "pip", *words, code=code)
    p = subprocess.run([str(project.path / ".venv/bin" / how), *words], capture_output=True, text=True,
                       cwd=str(project.path), env=project.blast.env, timeout=120)
    assert p.returncode == code, f"{how} {words}\nexit {p.returncode}\n{p.stdout}\n{p.stderr}"
    return p


@pytest.mark.parametrize("how", ["module", "pip", "pip3"])
def test_pip_installs_beside_the_project(started, index, how):
    index.add(make_wheel("more", "1.0", requires=["dep"]))
    index.add(make_wheel("dep", "0.5"))
    go(started)
    before = started.read("pyproject.toml"), started.read("pylock.toml")
    r = pip(started, "install", "more", how=how)
    assert r.stdout == "Successfully installed dep-0.5 more-1.0\n", r.stdout
    assert "blast install" in r.stderr
    assert (started.read("pyproject.toml"), started.read("pylock.toml")) == before
    assert started.installed_by_python() == {"demo": "1.0", "more": "1.0", "dep": "0.5"}
    assert "already satisfied: more in " in pip(started, "install", "more", how=how).stdout
    started("sync")  # the lock is what it was
    assert "more" in started.installed()
    started("install", "dep")
    assert "more" not in started.installed(), "gone with the lock's change"
    started("undo")
    assert "more" in started.installed()


def test_pip_uninstalls_and_undo_takes_it_back(started):
    go(started)
    assert "-y" in pip(started, "uninstall", "demo", code=1).stderr
    r = pip(started, "uninstall", "-y", "demo", "nothing")
    assert "Successfully uninstalled demo-1.0" in r.stdout and "Skipping nothing" in r.stderr
    assert started.installed() == {}
    started("undo")
    assert started.installed() == {"demo": "1.0"}


def test_pip_upgrades_only_what_is_named(started, index):
    index.add(make_wheel("more", "1.0", requires=["dep"]))
    index.add(make_wheel("dep", "1.0"))
    go(started)
    pip(started, "install", "more")
    index.add(make_wheel("more", "2.0", requires=["dep"]))
    index.add(make_wheel("dep", "2.0"))
    started.blast.env["BLAST_REFRESH"] = "1"
    assert pip(started, "install", "-U", "more").stdout == "Successfully installed more-2.0\n"
    assert started.installed()["dep"] == "1.0"


def test_pip_lists_as_pip_does(started, index):
    index.add(make_wheel("Wide.Name", "10.0", requires=["demo>=1", "gone; python_version < '3'"],
                         metadata_extra="License: MIT\n"))
    started.require("Wide-Name")
    go(started)
    assert pip(started, "list").stdout == ("Package   Version\n--------- -------\n"
                                           "demo      1.0\nWide.Name 10.0\n")
    assert pip(started, "list", "--format=json").stdout == ('[{"name":"demo","version":"1.0"},'
                                                            '{"name":"Wide.Name","version":"10.0"}]\n')
    assert pip(started, "freeze").stdout == "demo==1.0\nWide.Name==10.0\n"
    show = pip(started, "show", "wide_name").stdout
    assert "Name: Wide.Name\nVersion: 10.0\nSummary: " in show and "Requires: demo\n" in show
    assert "Required-by: Wide.Name\n" in pip(started, "show", "-f", "demo").stdout
    assert "not found: nope" in pip(started, "show", "nope", code=1).stderr
    assert pip(started, "check").stdout == "No broken requirements found.\n"
    pip(started, "uninstall", "-y", "demo")
    assert "requires demo, which is not installed" in pip(started, "check", code=1).stdout


def test_pip_takes_requirement_files_and_downloads(started, index):
    go(started)
    index.add(make_wheel("more", "1.0"))
    index.add(make_wheel("more", "2.0"))
    started.write("r.txt", "more<2\n")
    pip(started, "install", "-r", "r.txt", "--no-cache-dir", "--disable-pip-version-check")
    assert started.installed()["more"] == "1.0"
    pip(started, "download", "-d", "wheels", "more")
    assert [p.name for p in (started.path / "wheels").iterdir()] == ["more-2.0-py3-none-any.whl"]


@pytest.mark.parametrize("words, code, text", [
    (["install", "-e", "./gone"], 1, "find './gone'"),
    (["install"], 1, "at least one requirement"),
    (["install", "--wat"], 2, "no such option here: '--wat'"),
    (["wheel", "."], 1, "'wheel' is not answered here"),
    (["config", "list"], 1, "blast config"),
    (["install", "--user", "x"], 1, "no user packages"),
    (["install", "nosuch"], 1, "nosuch"),
])
def test_what_pip_does_not_do_here_is_said(started, words, code, text):
    go(started)
    assert text in pip(started, *words, code=code).stderr


def test_pip_says_a_version_that_editors_can_read(started):
    go(started, "3.11")
    assert pip(started, "--version").stdout.startswith("pip 25.0 from ")
    assert "(python 3.11)" in pip(started, "-V", how="pip3.11").stdout
    assert python(started, "-c", "import pip; print(pip.__version__)").stdout == "25.0\n"


def test_pip_mode_block_and_real(started):
    go(started)
    settings(started, pip_mode="block")
    r = pip(started, "list", code=1)
    assert "blocked" in r.stderr and "blast install" in r.stderr
    settings(started, pip_mode="real")
    started("sync")
    assert not (started.path / ".venv/bin/pip").exists()
    python(started, "-m", "pip", "list", code=1)


def test_a_real_pip_of_the_project_is_left_alone(started, index):
    index.add(make_wheel("pip", "9.9", files={"pip/__init__.py": "__version__ = '9.9'\n",
                                              "pip/__main__.py": "print('the real one')\n"},
                         entry_points={"pip": "pip:x"}))
    started.require("pip", python=">=3.8")
    go(started)
    assert python(started, "-m", "pip", "list").stdout == "the real one\n"
    site = next((started.path / ".venv/lib").glob("python3*/site-packages"))
    assert not (site / "pip.py").exists() and (site / "_blast_boot.py").exists()


def test_pip_real_runs_the_interpreters_own(started):
    go(started, "3.11")
    r = python(started, "-m", "pip", "--real", "--version", code=None)
    if "without pip" in r.stderr:
        pytest.skip("this Python has no ensurepip")
    assert "_bundled" in r.stdout or "python-wheels" in r.stdout, r.stdout + r.stderr


def test_files_of_blast_are_no_packages_and_no_drift(started):
    go(started)
    assert started.installed() == {"demo": "1.0"} == started.installed_by_python()
    assert started("drift", "--json").json["changes"] == []
    python(started, "-c", "import demo")
    assert "up to date" in started("sync").stderr


def test_an_environment_of_nobodys_project_gets_nothing(blast, index, tmp_path):
    index.add(make_wheel("demo", "1.0"))
    blast("venv", tmp_path / "e")
    blast("install", "--env", tmp_path / "e", "demo")
    assert not list((tmp_path / "e").rglob("_blast*")) and not (tmp_path / "e/bin/pip").exists()


def test_the_tests_of_a_project_run_under_pytest_and_coverage(started):
    if shutil.which("true") is None or sys.version_info < (3, 8):
        pytest.skip("needs this Python")
    go(started, f"{sys.version_info[0]}.{sys.version_info[1]}")
    started.write("test_it.py", "import pytest\n\ndef test_it():\n    import demo\n    assert demo.__version__ == '1.0'\n"
                                "    with pytest.raises(ModuleNotFoundError):\n        import extra_mod\n")
    place = os.path.dirname(os.path.dirname(pytest.__file__))
    r = python(started, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_it.py", env={"PYTHONPATH": place})
    assert "1 passed" in r.stdout and "blast" not in r.stderr, r.stdout + r.stderr
