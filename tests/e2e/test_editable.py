"""Source trees: directories that are installed, editable and not, the project itself, archives by URL, repositories."""
import json
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest
from index_server import make_sdist, make_wheel

SANDBOX_OFF = ["--no-build-sandbox"]

# A backend in the tree itself, so that nothing must be fetched. Its editable wheel is one .pth line.
TREE_BACKEND = """
import os, zipfile, sys
NAME, VERSION, REQUIRES = {name!r}, {version!r}, {requires!r}
STEM = NAME.replace("-", "_") + "-" + VERSION
METADATA = "Metadata-Version: 2.1\\nName: %s\\nVersion: %s\\n" % (NAME, VERSION)
METADATA += "".join("Requires-Dist: %s\\n" % r for r in REQUIRES)

def write(where, files):
    name = STEM + "-py3-none-any.whl"
    info = STEM + ".dist-info/"
    files = dict(files)
    files[info + "METADATA"] = METADATA
    files[info + "WHEEL"] = "Wheel-Version: 1.0\\nGenerator: test\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n"
    import base64, hashlib
    record = ""
    for path, text in files.items():
        sum = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
        record += "%s,sha256=%s,%d\\n" % (path, sum, len(text.encode()))
    files[info + "RECORD"] = record + info + "RECORD,,\\n"
    with zipfile.ZipFile(os.path.join(where, name), "w") as z:
        for path, text in files.items():
            z.writestr(path, text)
    return name

def build_wheel(where, config_settings=None, metadata_directory=None):
    with open("marks", "a") as f: f.write("wheel\\n")
    module = NAME.replace("-", "_") + ".py"
    return write(where, {{module: open(module).read()}})

def build_editable(where, config_settings=None, metadata_directory=None):
    with open("marks", "a") as f: f.write("editable\\n")
    return write(where, {{"__editable__." + STEM + ".pth": os.getcwd() + "\\n"}})
"""


def make_tree(path, name="lib", version="1.0", requires=(), static=True):
    path.mkdir(parents=True, exist_ok=True)
    module = name.replace("-", "_")
    (path / "backend.py").write_text(TREE_BACKEND.format(name=name, version=version, requires=list(requires)))
    head = f'[project]\nname = "{name}"\nversion = "{version}"\ndependencies = {json.dumps(list(requires))}\n\n'
    (path / "pyproject.toml").write_text(
        (head if static else "") +
        '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n')
    if not (path / f"{module}.py").exists():
        (path / f"{module}.py").write_text("WORD = 'one'\n")
    return path


def marks(path):
    file = path / "marks"
    return file.read_text().split() if file.exists() else []


@pytest.fixture(params=["sandbox", "host"])
def how(request, project):
    """With the sandbox, and with the option that leaves it away."""
    if request.param == "host":
        return SANDBOX_OFF
    said = project("sandbox", "check", "--json", code=None)
    if said.code:
        pytest.skip(f"the sandbox does not work here: {said.stderr.strip()[:200]}")
    return []


def run(project, code):
    return project("run", "--no-sync", "python", "-c", code).stdout.strip()


def direct_url(project, name):
    found = list(project.path.glob(f".venv/lib/python*/site-packages/{name}-*.dist-info/direct_url.json"))
    return json.loads(found[0].read_text()) if found else None


def generation(project):
    return os.readlink(project.path / ".venv/.current")


@pytest.mark.parametrize("static", [True, False])
def test_a_directory_is_built_from_a_copy_and_installed(project, index, how, static):
    index.add(make_wheel("dep", "1.0"))
    tree = make_tree(project.path / "sub dir" / "lib", requires=["dep"], static=static)
    project("install", "./sub dir/lib", *how)
    assert project.installed_by_python() == {"lib": "1.0", "dep": "1.0"}
    assert f"lib @ {tree.as_uri()}" in project.read("pyproject.toml")
    assert 'directory = {path = "sub dir/lib"}' in project.read("pylock.toml")
    assert direct_url(project, "lib") == {"url": tree.as_uri(), "dir_info": {}}
    assert marks(tree) == [], "the tree itself is left alone"
    before = generation(project)
    project("sync", *how)
    assert generation(project) == before


def test_a_directory_that_changed_is_built_again(project, index, how):
    tree = make_tree(project.path / "lib")
    project("install", "./lib", *how)
    assert run(project, "import lib; print(lib.WORD)") == "one"
    (tree / "lib.py").write_text("WORD = 'another'\n")
    assert project("sync", "--check", *how, code=None).code == 3
    project("sync", *how)
    assert run(project, "import lib; print(lib.WORD)") == "another"
    project("undo")
    assert run(project, "import lib; print(lib.WORD)") == "one"


def test_an_editable_directory_follows_its_files(project, index, how):
    index.add(make_wheel("dep", "1.0"))
    tree = make_tree(project.path / "lib", requires=["dep"])
    project("install", "-e", "./lib", *how)
    assert project.installed_by_python() == {"lib": "1.0", "dep": "1.0"}
    assert 'lib = "lib"' in project.read("pyproject.toml")
    assert 'directory = {path = "lib", editable = true}' in project.read("pylock.toml")
    assert direct_url(project, "lib") == {"url": tree.as_uri(), "dir_info": {"editable": True}}
    assert [p["name"] for p in project("list", "--format", "json").json if p["editable"]] == ["lib"]
    before = generation(project)
    (tree / "lib.py").write_text("WORD = 'two'\n")
    assert run(project, "import lib; print(lib.WORD)") == "two"
    project("sync", *how)
    assert generation(project) == before and marks(tree) == ["editable"]


def test_an_editable_directory_is_built_again_when_its_pyproject_changes(project, index):
    tree = make_tree(project.path / "lib")
    project("install", "-e", "./lib", *SANDBOX_OFF)
    index.add(make_wheel("dep", "1.0"))
    make_tree(tree, requires=["dep"])
    project("sync", *SANDBOX_OFF)
    assert project.installed_by_python() == {"lib": "1.0", "dep": "1.0"}
    assert marks(tree) == ["editable", "editable"]


def test_remove_takes_an_editable_directory_out(project, index):
    before = project.read("pyproject.toml")
    make_tree(project.path / "lib")
    project("install", "-e", "lib", *SANDBOX_OFF)
    project("remove", "lib", *SANDBOX_OFF)
    assert project.installed_by_python() == {}
    assert project.read("pyproject.toml") == before
    project("undo")
    assert project.installed_by_python() == {"lib": "1.0"}


def test_the_project_itself_is_installed_editable(project, index, how):
    index.add(make_wheel("dep", "1.0"))
    make_tree(project.path, "app")
    project("sync", *how)
    assert project.installed_by_python() == {"app": "1.0"}
    assert run(project, "import app; print(app.WORD)") == "one"
    assert 'directory = {path = ".", editable = true}' in project.read("pylock.toml")
    project("install", "dep", *how)
    assert project.installed_by_python() == {"app": "1.0", "dep": "1.0"}
    assert marks(project.path) == ["editable"], "an edit of the dependencies is no reason to build"
    project("remove", "dep", *how)
    assert project.installed_by_python() == {"app": "1.0"}
    before = generation(project)
    project("sync", *how)
    assert generation(project) == before


def test_package_false_leaves_the_project_out(project, index):
    tree = make_tree(project.path, "app")
    with open(tree / "pyproject.toml", "a") as f:
        f.write("\n[tool.blast]\npackage = false\n")
    project("sync")
    assert project.installed_by_python() == {} and marks(tree) == []


def test_a_lock_with_the_project_in_it_fits_in_another_place(project, index):
    make_tree(project.path, "app")
    make_tree(project.path / "lib")
    project("install", "-e", "./lib", *SANDBOX_OFF)
    lock = project.read("pylock.toml")
    assert str(project.path) not in lock
    other = project.path.parent / "other"
    shutil.copytree(project.path, other, ignore=shutil.ignore_patterns(".venv"))
    project.blast("sync", "--frozen", *SANDBOX_OFF, cwd=other)
    assert (other / "pylock.toml").read_text() == lock


def test_files_with_editable_lines_install_into_an_environment(project, index):
    tree = make_tree(project.path / "lib")
    project.write("wanted.txt", "-e ./lib\n")
    env = project.path.parent / "env"
    project("venv", str(env))
    project("install", "--env", str(env), "-r", "wanted.txt", *SANDBOX_OFF)
    assert [p["name"] for p in project("list", "--env", str(env), "--format", "json").json if p["editable"]] == ["lib"]
    assert marks(tree) == ["editable"]


def test_the_environments_pip_installs_a_directory(project, index):
    make_tree(project.path / "lib")
    project("sync")
    env = {**project.blast.env, "BLAST_NO_BUILD_SANDBOX": "1"}
    p = subprocess.run([project.python, "-m", "pip", "install", "-e", "./lib"], cwd=project.path, env=env, text=True,
                       capture_output=True, timeout=60)
    assert p.returncode == 0, p.stderr
    assert project.installed_by_python() == {"lib": "1.0"}


def test_a_build_is_in_the_audit_log_and_its_output_is_kept(project, index, how):
    make_tree(project.path / "lib")
    project("install", "./lib", *how)
    line = [one for one in project("audit", "show", "--format", "json").json["entries"] if one["event"] == "build"][-1]
    assert line["data"]["source"] == "lib" and len(line["data"]["wheel"]) == 64, line
    assert ("sandbox" in line["data"]) == bool(how) and ("enforcement" in line["data"]) != bool(how), line
    log = next((project.blast.home / "blast").rglob("builds/lib.log")).read_text()
    assert "--- build_wheel" in log and ("sandbox: none" in log) == bool(how), log


def test_an_editable_build_leaves_alone_what_runs_outside(project, index, how):
    """Hooks of git and the environment lie in the tree; the same build writes them without the sandbox."""
    tree = make_tree(project.path, "app")
    (tree / ".git/hooks").mkdir(parents=True)
    with open(tree / "backend.py", "a") as f:
        f.write("\nold = build_editable\ndef build_editable(*a):\n    open('own', 'w').close()\n"
                "    try: open('.git/hooks/post-checkout', 'w').close()\n    except OSError: pass\n"
                "    try: os.rename('.git', '.git2'); os.rename('.git2', '.git')\n    except OSError: pass\n"
                "    else: open('moved', 'w').close()\n    return old(*a)\n")
    project("sync", *how)
    assert project.installed_by_python() == {"app": "1.0"} and (tree / "own").exists()
    assert (tree / ".git/hooks/post-checkout").exists() == bool(how)
    assert (tree / "moved").exists() == bool(how)


def test_a_build_has_its_time(project, index, how):
    tree = make_tree(project.path / "lib")
    with open(tree / "backend.py", "a") as f:
        f.write("\nimport time\nbuild_wheel = lambda *a: time.sleep(60)\n")
    with open(project.path / "pyproject.toml", "a") as f:
        f.write("\n[tool.blast]\nbuild_timeout = 1\n")
    r = project("install", "./lib", *how, code=None, timeout=30)
    assert r.code != 0 and ("wall clock" in r.stderr or "time" in r.stderr), r


def test_an_interrupted_build_leaves_nothing_behind(project, index, how):
    tree = make_tree(project.path / "lib")
    flag = tree / "begun"
    with open(tree / "backend.py", "a") as f:
        f.write("\nimport time\ndef build_editable(*a):\n    open('begun', 'w').close()\n    time.sleep(600)\n")
    p = project.blast.start("install", "-e", "./lib", *how, cwd=project.path, start_new_session=True)
    try:
        end = time.monotonic() + 60
        while not flag.exists() and p.poll() is None and time.monotonic() < end:
            time.sleep(0.02)
        assert flag.exists(), p.communicate()
        os.killpg(p.pid, signal.SIGINT)
        p.communicate(timeout=30)
    finally:
        if p.poll() is None:
            p.kill()
    assert p.returncode == -signal.SIGINT
    end = time.monotonic() + 30
    while processes_in(tree) and time.monotonic() < end:
        time.sleep(0.05)
    assert processes_in(tree) == []
    assert not (project.path / "pylock.toml").exists()
    (tree / "backend.py").write_text((tree / "backend.py").read_text().replace("time.sleep(600)", "raise OSError"))
    project("install", "-e", "./lib", *how, code=1)
    assert os.listdir(project.blast.home / "blast/cache/builds-v1") == []


def processes_in(tree):
    """The programs that work in that directory."""
    found = []
    for one in Path("/proc").glob("[0-9]*"):
        try:
            if os.readlink(one / "cwd") == str(tree):
                found.append(one.name)
        except OSError:
            continue
    return found


def test_lines_of_a_file_go_into_the_project(project, index):
    make_tree(project.path / "lib")
    make_tree(project.path / "other", "other")
    project.write("wanted.txt", "-e ./lib\n./other\n")
    project("install", "-r", "wanted.txt", *SANDBOX_OFF)
    assert project.installed_by_python() == {"lib": "1.0", "other": "1.0"}
    text = project.read("pyproject.toml")
    assert 'lib = "lib"' in text and "other @ file://" in text


def test_a_wheel_by_path_goes_into_the_project(project, index):
    wheel = make_wheel("demo", "1.0")
    (project.path / wheel.name).write_bytes(wheel.data)
    project("install", f"./{wheel.name}")
    assert project.installed_by_python() == {"demo": "1.0"}
    assert f"demo @ {(project.path / wheel.name).as_uri()}" in project.read("pyproject.toml")


def test_extras_of_a_directory(project, index):
    index.add(make_wheel("more", "1.0"))
    tree = make_tree(project.path / "lib")
    text = (tree / "pyproject.toml").read_text()
    (tree / "pyproject.toml").write_text(text.replace("\n[build", "\n[project.optional-dependencies]\n"
                                                      "fast = [\"more; python_version >= '3'\"]\n\n[build"))
    project("install", "-e", "./lib[fast]", *SANDBOX_OFF)
    assert project.installed_by_python() == {"lib": "1.0", "more": "1.0"}
    assert 'lib = "lib[fast]"' in project.read("pyproject.toml")


def test_what_a_source_tree_cannot_be(project, index):
    (project.path / "empty").mkdir()
    (project.path / "file.txt").write_text("")
    cases = [
        (["./gone"], "find './gone'"),
        (["-e", "./gone"], "find './gone'"),
        (["./file.txt"], "neither a wheel nor a source distribution"),
        (["-e", "./file.txt"], "is no directory"),
        (["x @ ftp://host.example/x.tar.gz"], "no place that can be fetched from"),
        (["x @ git+ext::sh"], "git cannot be asked for"),
    ]
    for words, said in cases:
        r = project("install", *words, *SANDBOX_OFF, code=None)
        assert r.code in (1, 2) and said in r.stderr, r


def test_no_build_refuses_a_source_tree(project, index):
    make_tree(project.path / "lib")
    r = project("install", "./lib", "--no-build", code=1)
    assert "build" in r.stderr, r


def test_a_source_of_another_name_is_refused(project, index):
    tree = make_tree(project.path / "lib")
    r = project("install", f"other @ {tree.as_uri()}", *SANDBOX_OFF, code=1)
    assert "'other' is required, but the source is 'lib'" in r.stderr, r


def test_a_backend_without_editable_says_so(project, index):
    tree = make_tree(project.path / "lib")
    text = (tree / "backend.py").read_text()
    (tree / "backend.py").write_text(text.replace("def build_editable", "def nothing"))
    r = project("install", "-e", "./lib", *SANDBOX_OFF, code=1)
    assert "PEP 660" in r.stderr, r


# ------------------------------------------------------------ archives

def test_an_archive_by_url_is_built_with_its_digest_in_the_lock(project, index, how):
    sdist = make_sdist("lib", "1.0", files={"PKG-INFO": "Metadata-Version: 2.1\nName: lib\nVersion: 1.0\n"})
    index.add(sdist)
    url = f"{index.index.rsplit('/simple/', 1)[0]}/files/lib-1.0.tar.gz"
    project("install", f"lib @ {url}", *how)
    assert project.installed_by_python() == {"lib": "1.0"}
    lock = project.read("pylock.toml")
    assert "archive = {" in lock and "sha256" in lock
    info = direct_url(project, "lib")
    assert info["url"] == url and info["archive_info"]["hashes"]["sha256"] in lock
    project("kill", "--purge", "--yes")
    project("sync", *how)
    assert project.installed_by_python() == {"lib": "1.0"}


def test_an_archive_with_another_digest_is_refused(project, index):
    index.add(make_sdist("lib", "1.0"))
    url = f"{index.index.rsplit('/simple/', 1)[0]}/files/lib-1.0.tar.gz#sha256={'0' * 64}"
    r = project("install", f"lib @ {url}", *SANDBOX_OFF, code=5)
    assert "lib-1.0.tar.gz" in r.stderr, r


# ------------------------------------------------------------ repositories

def git(cwd, *words):
    env = {**os.environ, "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_SYSTEM": "/dev/null", "HOME": str(cwd)}
    return subprocess.run(["git", "-c", "user.name=n", "-c", "user.email=n@host.example", *words], cwd=cwd, check=True,
                          capture_output=True, text=True, env=env).stdout.strip()


@pytest.fixture
def repository(project):
    if not shutil.which("git"):
        pytest.skip("there is no git")
    tree = make_tree(project.path.parent / "repo")
    git(tree, "init", "-q", "-b", "main")
    git(tree, "add", ".")
    git(tree, "commit", "-q", "-m", "one")
    git(tree, "tag", "v1")
    return tree


def commit(tree, word):
    (tree / "lib.py").write_text(f"WORD = '{word}'\n")
    git(tree, "commit", "-q", "-a", "-m", word)
    return git(tree, "rev-parse", "HEAD")


def test_a_repository_is_locked_to_its_commit(project, index, repository, how):
    first = git(repository, "rev-parse", "HEAD")
    project("install", f"lib @ git+{repository.as_uri()}", *how)
    assert first in project.read("pylock.toml")
    assert direct_url(project, "lib")["vcs_info"] == {"vcs": "git", "commit_id": first}
    second = commit(repository, "two")
    project("sync", *how)
    assert run(project, "import lib; print(lib.WORD)") == "one"
    project("lock", "--upgrade", *how)
    assert second in project.read("pylock.toml")
    project("sync", *how)
    assert run(project, "import lib; print(lib.WORD)") == "two"


@pytest.mark.parametrize("revision", ["v1", "main", "commit"])
def test_revisions_of_a_repository(project, index, repository, revision):
    first = git(repository, "rev-parse", "HEAD")
    second = commit(repository, "two")
    name = first if revision == "commit" else revision
    project("install", f"git+{repository.as_uri()}@{name}", *SANDBOX_OFF)
    assert f"lib @ git+{repository.as_uri()}@{name}" in project.read("pyproject.toml")
    assert (second if revision == "main" else first) in project.read("pylock.toml")


def test_a_repository_in_the_cache_needs_no_network(project, index, repository):
    project("install", f"lib @ git+{repository.as_uri()}@v1", *SANDBOX_OFF)
    shutil.move(repository, repository.with_name("away"))
    project("kill", "--purge", "--yes")
    project("sync", "--offline", *SANDBOX_OFF)
    assert project.installed_by_python() == {"lib": "1.0"}


def test_a_subdirectory_of_a_repository(project, index, repository):
    make_tree(repository / "deep/er", "inner")
    git(repository, "add", ".")
    git(repository, "commit", "-q", "-m", "inner")
    project("install", f"inner @ git+{repository.as_uri()}#subdirectory=deep/er", *SANDBOX_OFF)
    assert project.installed_by_python() == {"inner": "1.0"}
    assert direct_url(project, "inner")["subdirectory"] == "deep/er"
    r = project("install", f"lib @ git+{repository.as_uri()}#subdirectory=../x", *SANDBOX_OFF, code=1)
    assert "leads out of the source" in r.stderr, r


def test_what_git_cannot_give(project, index, repository):
    r = project("install", f"lib @ git+{repository.as_uri()}@nothing", *SANDBOX_OFF, code=1)
    assert "has no 'nothing'" in r.stderr, r
    r = project("install", f"lib @ git+{repository.as_uri()}.gone", *SANDBOX_OFF, code=None)
    assert r.code == 6 and "git fetch" in r.stderr, r
    r = project("install", f"lib @ git+{repository.as_uri()}@--upload-pack=x", *SANDBOX_OFF, code=None)
    assert r.code == 1 and "is no revision" in r.stderr, r


def test_without_git_a_repository_is_refused_clearly(project, index, repository):
    r = project("install", f"lib @ git+{repository.as_uri()}", *SANDBOX_OFF, code=1,
                env={"PATH": str(project.path), "BLAST_PYTHON": os.path.realpath("/usr/bin/python3")})
    assert "no program 'git'" in r.stderr, r
