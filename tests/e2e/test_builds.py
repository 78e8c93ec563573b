"""Source distributions: what only a build can tell, what is built, what a build may do, and what goes wrong in one."""
import json
import os

import pytest
from index_server import make_sdist, make_wheel

DYNAMIC = "Metadata-Version: 2.1\nName: {0}\nVersion: {1}\n"  # of 2.1 and older nothing may be believed
HEAD = """
import os, sys
def get_requires_for_build_wheel(config_settings=None):
    return {more!r}
"""


def backend_of(sdist_text, more=(), before="", after=""):
    return HEAD.format(more=list(more)) + before + sdist_text + after


@pytest.fixture(params=["sandbox", "host"])
def how(request, project):
    """With the sandbox, and with the option that leaves it away."""
    if request.param == "host":
        return ["--no-build-sandbox"]
    said = project("sandbox", "check", "--json", code=None)
    if said.code:
        pytest.skip(f"the sandbox does not work here: {said.stderr.strip()[:200]}")
    return []


def own_backend(name, version, requires=()):
    """The text of the backend that make_sdist() writes, to be put around."""
    from index_server import BACKEND, core_metadata
    return BACKEND.format(name=name, version=version, metadata=core_metadata(name, version, requires))


def index_port(index):
    return int(index.index.split(":")[2].split("/")[0])


def dynamic(name, version, requires=(), build_requires=(), **more):
    """A source distribution whose dependencies only a build can tell."""
    files = {"PKG-INFO": DYNAMIC.format(name, version),
             "pyproject.toml": f"[build-system]\nrequires = {json.dumps(list(build_requires))}\n"
                               "build-backend = \"backend\"\nbackend-path = [\".\"]\n"
                               f"[project]\nname = \"{name}\"\ndynamic = [\"version\", \"dependencies\"]\n"}
    return make_sdist(name, version, requires=requires, files=files, **more)


def test_a_package_without_wheel_is_built_and_installed(project, index, how):
    index.add(dynamic("built", "1.0", requires=["dep"]))
    index.add(make_wheel("dep", "1.0"))
    project("install", "built", *how)
    assert project.installed_by_python() == {"built": "1.0", "dep": "1.0"}
    lock = project.read("pylock.toml")
    assert "built-1.0.tar.gz" in lock and ".whl" in lock


def test_static_fields_of_pyproject_toml_need_no_build(project, index):
    """PEP 621: a backend may not change what pyproject.toml says and does not declare dynamic."""
    backend = "raise SystemExit('called')\n"
    index.add(make_sdist("said", "1.0", requires=["dep>=1", "more; python_version < '3'"], backend=backend,
                         files={"PKG-INFO": DYNAMIC.format("said", "1.0")}))
    index.add(make_wheel("dep", "1.0"))
    project.write("in.txt", "said\n")
    project("lock", "-r", "in.txt", "-o", "out.txt")
    assert project.read("out.txt").split() == ["dep==1.0", "said==1.0"]


def test_the_list_that_setuptools_left_in_the_archive_is_believed(project, index):
    """As uv does: else every old package would have to be built only to be asked."""
    files = {"demo.egg-info/requires.txt": "dep>=1\n\n[:python_version < '3']\nold\n\n[x]\nmore\n\n"
                                           "[y:python_version >= '3']\nother\n",
             "demo.egg-info/PKG-INFO": DYNAMIC.format("demo", "1.0") + "Requires-Python: >=3.6\n",
             "PKG-INFO": DYNAMIC.format("demo", "1.0"), "pyproject.toml": "", "setup.py": "raise SystemExit('run')"}
    index.add(make_sdist("demo", "1.0", files=files))
    for name in ("dep", "more", "other"):
        index.add(make_wheel(name, "1.0"))
    for asked, found in (("demo", []), ("demo[x]", ["more==1.0"]), ("demo[x,y]", ["more==1.0", "other==1.0"])):
        project.write("in.txt", asked + "\n")
        project("lock", "-r", "in.txt", "-o", "out.txt")
        assert project.read("out.txt").split() == ["demo==1.0", "dep==1.0", *found]


def test_what_was_built_is_not_built_again(project, index, how):
    index.add(dynamic("built", "1.0"))
    project("install", "built", *how)
    project("kill", "--purge", "--yes")
    index.counts.clear()
    project("sync", *how)
    assert project.installed_by_python() == {"built": "1.0"}
    assert not [path for path in index.counts if path.endswith(".tar.gz")]


def test_a_wheel_is_preferred_and_no_binary_builds(project, index, how):
    index.add(make_wheel("both", "1.0"))
    index.add(make_sdist("both", "1.0"))
    project("install", "both", *how)
    code = "import both, sys; sys.exit(not hasattr(both, 'BUILT'))"
    assert project("run", "--no-sync", "python", "-c", code, code=None).code == 1
    project("remove", "both")
    project("install", "both", "--no-binary", "both", *how)
    assert project("run", "--no-sync", "python", "-c", code, code=None).code == 0


def test_no_build_leaves_source_distributions_out(project, index):
    index.add(make_sdist("built", "2.0"))
    index.add(make_wheel("built", "1.0"))
    project("install", "built", "--no-build")
    assert project.installed_by_python() == {"built": "1.0"}


def test_requirements_of_the_build_come_in_two_rounds(project, index, how):
    index.add(make_wheel("first", "1.0"))
    index.add(make_wheel("second", "1.0"))
    text = backend_of(own_backend("built", "1.0"), more=["second"], before="import first\n",
                      after="\nold = build_wheel\ndef build_wheel(where, *more):\n    import second\n"
                            "    return old(where, *more)\n")
    index.add(dynamic("built", "1.0", build_requires=["first"], backend=text))
    project("install", "built", *how)
    assert project.installed_by_python() == {"built": "1.0"}, "what only the build needs stays out"


def test_what_a_build_requires_is_built_too(project, index, how):
    index.add(dynamic("tool", "1.0"))
    index.add(dynamic("built", "1.0", build_requires=["tool"],
                      backend="import tool\nassert tool.BUILT\n" + own_backend("built", "1.0")))
    project("install", "built", *how)
    assert project.installed_by_python() == {"built": "1.0"}


def test_a_build_that_requires_itself_ends(project, index, how):
    index.add(dynamic("round", "1.0", build_requires=["round"]))
    r = project("install", "round", *how, code=1)
    assert "levels deep" in r.stderr, r


def test_metadata_comes_from_the_hook_when_the_backend_has_it(project, index, how):
    text = own_backend("built", "1.0", ["dep"]) + """
def prepare_metadata_for_build_wheel(where, config_settings=None):
    info = STEM + ".dist-info"
    os.mkdir(os.path.join(where, info))
    with open(os.path.join(where, info, "METADATA"), "wb") as f:
        f.write(METADATA)
    return info
"""
    index.add(dynamic("built", "1.0", backend=text))
    index.add(make_wheel("dep", "1.0"))
    project("lock", *how)
    project("install", "built", *how)
    assert project.installed_by_python() == {"built": "1.0", "dep": "1.0"}


def test_the_end_of_the_output_of_a_failed_build_is_shown_and_all_of_it_kept(project, index, how):
    text = own_backend("built", "1.0") + """
def build_wheel(where, config_settings=None, metadata_directory=None):
    for n in range(100):
        print("line", n)
    raise SystemExit("it does not compile")
"""
    index.add(make_sdist("built", "1.0", backend=text))
    r = project("install", "built", *how, code=1)
    assert "it does not compile" in r.stderr and "line 99" in r.stderr and "line 10\n" not in r.stderr, r
    kept = next(line.split(" is in ")[1] for line in r.stderr.splitlines() if " is in " in line)
    assert "line 10\n" in open(kept, encoding="utf-8").read()
    assert not (project.path / ".venv").exists() or project.installed() == {}


@pytest.mark.parametrize("trap, said", [
    ('os.symlink("/etc/passwd", os.path.join(where, FILE))', "is no file|symbolic link"),
    ('os.mkfifo(os.path.join(where, FILE))', "is no file"),
    ('open(os.path.join(where, FILE), "w").write("no zip")', "zip"),
    ('FILE = "../" + FILE', "built no wheel"),
    ('FILE = "other-1.0-py3-none-any.whl"; open(os.path.join(where, FILE), "w").close()', "another package"),
    ('FILE = 7', "string"),
])
def test_the_result_of_a_build_is_not_trusted(project, index, trap, said):
    text = own_backend("built", "1.0") + f"""
def build_wheel(where, config_settings=None, metadata_directory=None):
    FILE = STEM + "-py3-none-any.whl"
    {trap}
    return FILE
"""
    index.add(make_sdist("built", "1.0", backend=text))
    r = project("install", "built", "--no-build-sandbox", code=None)
    assert r.code in (1, 5) and any(word in r.stderr for word in said.split("|")), r


def test_a_build_can_do_nothing_but_build(project, index, how):
    """No network, no home directory, no write outside of its own place; the same succeeds without the sandbox."""
    secret = project.blast.home / "secret"
    secret.write_text("x")
    text = own_backend("built", "1.0") + f"""
import socket
done = []
try:
    open({str(secret)!r}).close(); done.append("read")
except OSError: pass
try: # what lies under the hidden home is in memory, and gone with the sandbox
    open({str(secret)!r} + ".new", "w").close()
except OSError: pass
try:
    socket.create_connection(("127.0.0.1", {index_port(index)}), 5).close(); done.append("connect")
except OSError: pass
if [k for k in os.environ if k.startswith("BLAST_")]: done.append("environment")
raise SystemExit("could " + " ".join(done))
"""
    index.add(make_sdist("built", "1.0", backend=text))
    r = project("install", "built", *how, code=1)
    said = next(line for line in r.stderr.splitlines() if "could" in line).split("could")[1].split()
    assert said == (["read", "connect"] if how else []), r
    assert secret.with_suffix(".new").exists() == bool(how)


def test_a_killed_build_leaves_nothing_that_stays(project, index):
    """The room of a build whose process is gone is swept up by the next one."""
    rooms = project.blast.home / "blast/cache/builds-v1"
    (rooms / "1-1/work").mkdir(parents=True)
    (rooms / "1-1/lock").touch()
    index.add(dynamic("built", "1.0"))
    project("install", "built", "--no-build-sandbox")
    assert os.listdir(rooms) == []


def test_a_build_that_makes_another_version_is_refused(project, index):
    index.add(make_sdist("built", "1.0", backend=own_backend("built", "2.0")))
    r = project("install", "built", "--no-build-sandbox", code=1)
    assert "made version 2.0, its metadata said 1.0" in r.stderr, r
