"""Which versions are taken, and what is said when none fit. The resolver itself has its own scenarios; this is the way
from the command line and the index to it and back."""
import re

import pytest
from index_server import IndexServer, make_sdist, make_wheel


def test_an_extra_brings_its_requirements(project, index):
    index.add(make_wheel("web", "1.0", requires=["core", 'fast>=1; extra == "speed"'], extras=["speed"]))
    index.add(make_wheel("core", "1.0"))
    index.add(make_wheel("fast", "1.1"))
    project.require("web")
    project("start")
    assert project.installed() == {"web": "1.0", "core": "1.0"}
    project.require("web[speed]")
    project("start")
    assert project.installed_by_python() == {"web": "1.0", "core": "1.0", "fast": "1.1"}


def test_markers_are_those_of_the_environment(project, index):
    index.add(make_wheel("app-lib", "1.0", requires=['on-linux; sys_platform == "linux"',
                                                     'on-windows; sys_platform == "win32"',
                                                     'old; python_version < "3"']))
    index.add(make_wheel("on-linux", "1.0"))
    project.require("app-lib")
    project("start")
    assert project.installed_by_python() == {"app-lib": "1.0", "on-linux": "1.0"}


def test_a_pre_release_is_taken_only_when_asked_for(project, index):
    index.add(make_wheel("demo", "1.0"))
    index.add(make_wheel("demo", "2.0rc1"))
    project.require("demo")
    project("start")
    assert project.installed() == {"demo": "1.0"}
    project("update", "--prerelease", "allow")
    assert project.installed() == {"demo": "2.0rc1"}


def test_a_pre_release_is_taken_when_there_is_nothing_else(project, index):
    index.add(make_wheel("demo", "2.0rc1"))
    project.require("demo")
    project("start")
    assert project.installed() == {"demo": "2.0rc1"}


def test_a_yanked_version_is_taken_only_when_named(project, index):
    index.add(make_wheel("demo", "1.0"))
    index.add(make_wheel("demo", "1.1", yanked="broken"))
    project.require("demo")
    project("start")
    assert project.installed() == {"demo": "1.0"}
    project.require("demo==1.1")
    r = project("start")
    assert project.installed() == {"demo": "1.1"}
    assert "yanked" in r.stderr, r


def test_versions_for_other_pythons_are_passed_over(project, index):
    index.add(make_wheel("demo", "1.0"))
    index.add(make_wheel("demo", "2.0", requires_python=">=4"))
    project.require("demo")
    project("start")
    assert project.installed() == {"demo": "1.0"}


def test_wheels_for_other_platforms_are_passed_over(project, index):
    index.add(make_wheel("demo", "1.0"))
    index.add(make_wheel("demo", "2.0", tags="cp39-cp39-win_amd64"))
    project.require("demo")
    project("start")
    assert project.installed() == {"demo": "1.0"}


def test_it_goes_back_to_an_older_version_when_the_newest_does_not_fit(project, index):
    for v in range(1, 6):
        index.add(make_wheel("top", f"{v}.0", requires=[f"shared=={v}.0"]))
        index.add(make_wheel("shared", f"{v}.0"))
    project.require("top", "shared<=3.0")
    project("start")
    assert project.installed() == {"top": "3.0", "shared": "3.0"}


def test_lowest_takes_the_oldest_that_fits(project, index):
    for v in ("1.0", "1.1", "2.0"):
        index.add(make_wheel("demo", v, requires=["dep"]))
        index.add(make_wheel("dep", v))
    project.require("demo>=1.1")
    project("start", "--resolution", "lowest")
    assert project.installed() == {"demo": "1.1", "dep": "1.0"}


def test_exclude_newer_sees_the_index_of_that_day(project, index):
    index.add(make_wheel("demo", "1.0", upload_time="2020-01-01T00:00:00Z"))
    index.add(make_wheel("demo", "2.0", upload_time="2022-01-01T00:00:00Z"))
    project.require("demo")
    project("start", "--exclude-newer", "2021-06-01")
    assert project.installed() == {"demo": "1.0"}


def conflict(index):
    index.add(make_wheel("left", "1.0", requires=["shared<2"]))
    index.add(make_wheel("right", "1.0", requires=["shared>=2"]))
    index.add(make_wheel("shared", "1.0"))
    index.add(make_wheel("shared", "2.0"))


def test_a_conflict_names_both_sides_and_the_file(project, index):
    conflict(index)
    project.require("left", "right")
    r = project("start", code=None)
    assert r.code in (1, 4), r
    for word in ("left", "right", "shared", "pyproject.toml"):
        assert word in r.stderr, r
    assert not (project.path / ".venv/bin/python").exists() or project.installed() == {}


def test_a_conflict_is_short_and_has_no_ranges_written_out(project, index):
    for i in range(40):
        index.add(make_wheel("left", f"1.{i}", requires=["shared<2"]))
        index.add(make_wheel("right", f"1.{i}", requires=["shared>=2"]))
    index.add(make_wheel("shared", "1.0"))
    index.add(make_wheel("shared", "2.0"))
    project.require("left", "right")
    r = project("start", code=None)
    assert len(r.stderr.strip().splitlines()) <= 15, r
    assert r.stderr.count("1.17") == 0, r


def test_a_conflict_as_json_carries_its_kind(project, index):
    conflict(index)
    project.require("left", "right")
    r = project("start", "--json", code=None)
    assert r.json["error"]["kind"] == "resolution", r


def test_a_conflict_leaves_the_old_environment(project, index):
    conflict(index)
    project.require("left")
    project("start")
    r = project("install", "right", code=None)
    assert r.code in (1, 4), r
    assert project.installed_by_python() == {"left": "1.0", "shared": "1.0"}
    assert "right" not in project.read("pyproject.toml")


def test_a_wrong_specifier_is_shown_with_file_and_line(project):
    project.write("pyproject.toml", '[project]\nname = "app"\nversion = "1"\ndependencies = [\n    "demo>==1",\n]\n')
    r = project("start", code=2)
    assert re.search(r"pyproject\.toml:5\b", r.stderr), r
    assert "demo>==1" in r.stderr, r


def test_an_unknown_package_is_named_with_a_way_out(project, index):
    project.require("reqeusts")
    r = project("start", code=1)
    assert "reqeusts" in r.stderr and "pyproject.toml" in r.stderr, r


def test_requirements_txt_is_enough(blast, index):
    index.add(make_wheel("demo", "1.0", requires=["dep"]))
    index.add(make_wheel("demo", "2.0", requires=["dep"]))
    index.add(make_wheel("dep", "1.0"))
    (blast.cwd / "base.txt").write_text("dep==1.0\n")
    (blast.cwd / "requirements.txt").write_text("# comment\n-r base.txt\ndemo<2  # bound\n")
    blast("start")
    assert {p["name"]: p["version"] for p in blast("list", "--json").json} == {"demo": "1.0", "dep": "1.0"}


def test_find_links_alone_are_enough(project, index, tmp_path):
    folder = tmp_path / "wheels"
    folder.mkdir()
    w = make_wheel("demo", "1.0")
    (folder / w.name).write_bytes(w.data)
    project.require("demo")
    project("start", "--no-index", "--find-links", folder)
    assert project.installed() == {"demo": "1.0"}
    assert index.requests() == 0


def test_the_first_index_that_knows_a_package_wins(project, index):
    index.add(make_wheel("demo", "1.0"))
    with IndexServer([make_wheel("demo", "9.0"), make_wheel("other", "1.0")]) as extra:
        extra_first = project.blast.env.pop("BLAST_INDEX_URL")
        project.require("demo", "other")
        project("start", "--index-url", extra_first, "--extra-index-url", extra.index)
        assert project.installed() == {"demo": "9.0", "other": "1.0"}


def test_no_build_refuses_a_source_distribution(project, index):
    index.add(make_sdist("built", "1.0"))
    project.require("built")
    r = project("start", "--no-build", code=None)
    assert r.code != 0 and "built" in r.stderr, r


@pytest.mark.parametrize("form", ["html", "json", "no-metadata", "plain", "no-hash", "absolute", "gzip", "close10"])
def test_any_form_of_index_gives_the_same(project, index, form):
    index.add(make_wheel("demo", "1.0", requires=["dep>=2"]))
    index.add(make_wheel("dep", "1.0"))
    index.add(make_wheel("dep", "2.0"))
    project.blast.env["BLAST_INDEX_URL"] = index.view(form)
    project.require("demo")
    project("start")
    assert project.installed_by_python() == {"demo": "1.0", "dep": "2.0"}


def test_a_host_without_metadata_files_is_asked_for_one_only_once_a_day(project, index):
    for name in ("one", "two", "three"):
        index.add(make_wheel(name, "1.0"))
    url = index.view("no-metadata")
    project.require("one")
    project("lock", "--index-url", url)
    first = sum(n for path, n in index.counts.items() if path.endswith(".metadata"))
    assert first >= 1, dict(index.counts)
    project.require("one", "two", "three")
    project("lock", "--index-url", url)
    assert sum(n for path, n in index.counts.items() if path.endswith(".metadata")) == first, dict(index.counts)


def test_static_metadata_of_a_source_distribution_is_used_without_a_build(project, index):
    index.add(make_sdist("only", "2.0", files={"PKG-INFO": INFO.format("2.2", "2.0")}))
    index.add(make_wheel("dep", "1.0"))
    project.write("in.txt", "only\n")
    project("lock", "-r", "in.txt", "-o", "out.txt")
    assert project.read("out.txt").split() == ["dep==1.0", "only==2.0"]
    project.write("out.txt", "")
    r = project("lock", "-r", "in.txt", "-o", "out.txt", "--no-build", code=1)
    assert "would need a build" in r.stderr, r
    project.require("only")
    assert "would need a build" in project("start", "--no-build", code=1).stderr


INFO = "Metadata-Version: {}\nName: only\nVersion: {}\nRequires-Dist: dep>=1\n"
