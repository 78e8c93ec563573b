"""[sandbox.filesystem] recovery = "keep": what a sandbox holds apart outlives its crash, and nothing else."""
import json
import os
import signal
import subprocess
from pathlib import Path

import pytest

import cells
from test_cell import end, hold, log_of
from test_sandbox import USERS, make_box, wait_for

KEEP = {"BLAST_SANDBOX_FILESYSTEM_RECOVERY": "keep"}
OVERLAID = {**KEEP, "BLAST_SANDBOX_FILESYSTEM_ENVIRONMENT": "overlay"}
CHANGE = ("echo made > made; echo more >> pyproject.toml; rm blast.toml; mkdir -p a/b; echo deep > a/b/c; "
          "echo up; read line")


@pytest.fixture(scope="module", params=USERS)
def box(request, program):
    b = make_box(program, request.param)
    try:
        os.setxattr(b.home, "user.blast.try", b"")
    except OSError:
        b.close()
        pytest.skip(f"the file system of {b.top} has no attributes of users: no layer can lie there")
    yield b
    b.close()


@pytest.fixture(autouse=True)
def alone(box):
    """Each test begins, and ends, without a sandbox and without anything that one has left."""
    wait_for(lambda: not cells.keepers(box.path))
    yield
    wait_for(lambda: not cells.keepers(box.path))
    assert box.blast("sandbox", "recovered", "--drop").returncode == 0
    assert not kept(box) and not on_disk(box)


def state(box):
    found, = (box.home / "blast").glob("state")
    return found


def on_disk(box):
    """What sandboxes have or had on disk."""
    return [p for pattern in ("cells/*.upper", "cells/*.drop") for p in state(box).rglob(pattern)]


def kept(box):
    return json.loads(box.blast("sandbox", "recovered", "--json").stdout)["recovered"]


def recovered_events(box):
    return [d for d in log_of(box) if d["sandbox"] == "recovered"]


def kill(box, whom, first):
    """One of the programs is killed, and the rest of the sandbox is awaited."""
    (keeper,), (jail,) = cells.keepers(box.path), cells.jails(box.path)
    below = cells.below(jail)
    one = cells.children(jail)[0]
    for pid in {"keeper": [keeper], "jail": [jail], "both": [keeper, jail], "one": [one]}[whom]:
        os.kill(pid, signal.SIGKILL)
    wait_for(lambda: not any(Path(f"/proc/{p}").exists() for p in (keeper, jail, *below)))
    assert end(first) in (125, 137)


def by_name(box):
    return {Path(r["over"]).name: r for r in kept(box)}


@pytest.mark.parametrize("whom", ["keeper", "jail", "both", "one"])
def test_what_was_changed_is_kept_when_a_program_is_killed(box, whom):
    before = {p: p.read_text() for p in (box.path / "pyproject.toml", box.path / "blast.toml")}
    events = len(recovered_events(box))
    kill(box, whom, hold(box, "sh", "-c", CHANGE, level="container", env=KEEP))
    p = box.run("sh", "-c", "cat blast.toml; test -e made || echo untouched", level="container", env=KEEP)
    assert "untouched" in p.stdout and before[box.path / "blast.toml"] in p.stdout
    assert p.stderr.count("a sandbox was killed; what it had changed is kept") == 1
    project = by_name(box)["project"]
    at = Path(project["path"])
    assert project["over"] == str(box.path) and project["files"] == 3 and project["removed"] == 1
    assert project["counted_whole"] and project["bytes"] > 0 and 0 < project["since"] <= project["kept"]
    assert (at / "made").read_text() == "made\n" and (at / "a/b/c").read_text() == "deep\n"
    assert (at / "pyproject.toml").read_text() == before[box.path / "pyproject.toml"] + "more\n"
    owner = (box.path.stat().st_uid, box.path.stat().st_gid)
    for f in ("made", "pyproject.toml", "a/b", "a/b/c"):
        assert ((at / f).stat().st_uid, (at / f).stat().st_gid) == owner
    assert all(p.read_text() == text for p, text in before.items()) and not (box.path / "made").exists()
    new = recovered_events(box)[events:]
    assert len(new) == 1 and Path(new[0]["kept"]).name == project["name"]
    assert new[0]["why"] == ("its keeper was killed" if whom in ("keeper", "both") else "it did not end in order")
    said = box.blast("sandbox", "recovered").stdout
    assert project["name"] in said and "3 files, 1 removed" in said and str(at) in said


def test_the_overlaid_environment_is_kept_too(box):
    first = hold(box, "sh", "-c", "echo x > .venv/new; echo up; read line", env=OVERLAID)
    kill(box, "both", first)
    box.run("true", env=OVERLAID)
    one, = kept(box)
    assert (Path(one["path"]) / "new").read_text() == "x\n" and not (box.path / ".venv/new").exists()


@pytest.mark.parametrize("words", [("sh", "-c", "echo x > made; exit 3"), ("sh", "-c", "kill -9 $$")])
def test_an_end_in_order_leaves_nothing(box, words):
    box.run(*words, level="container", env=KEEP, code=None)
    wait_for(lambda: not cells.keepers(box.path))
    assert not on_disk(box) and not kept(box)


def test_blast_kill_is_an_end_in_order(box):
    first = hold(box, "sh", "-c", CHANGE, level="container", env=KEEP)
    assert on_disk(box)
    assert box.blast("kill", level="container", env=KEEP).returncode == 0
    end(first)
    wait_for(lambda: not cells.keepers(box.path))
    assert not on_disk(box) and not kept(box)


def test_without_a_change_nothing_is_kept(box):
    kill(box, "both", hold(box, "sh", "-c", "echo up; read line", level="container", env=KEEP))
    assert on_disk(box)
    p = box.run("true", level="container", env=KEEP)
    assert "is kept" not in p.stderr and not kept(box)


def test_discard_has_nothing_on_disk(box):
    first = hold(box, "sh", "-c", CHANGE, level="container")
    assert not on_disk(box)
    kill(box, "both", first)
    box.run("true", level="container")
    assert not on_disk(box) and not kept(box)


def test_a_second_crash_does_not_touch_what_the_first_left(box):
    for text in ("one", "two"):
        kill(box, "both", hold(box, "sh", "-c", f"echo {text} > made; echo up; read line", level="container", env=KEEP))
        assert len(kept(box)) == {"one": 1, "two": 2}[text]
    texts = [(Path(r["path"]) / "made").read_text() for r in kept(box) if Path(r["over"]) == box.path]
    assert sorted(texts) == ["one\n", "two\n"]
    name = kept(box)[0]["name"]
    assert box.blast("sandbox", "recovered", "--drop", name).returncode == 0
    left, = kept(box)
    assert left["name"] != name


def test_only_names_of_this_projects_can_be_dropped(box):
    for name in ("../cells", "nothing", "", "."):
        p = box.blast("sandbox", "recovered", "--drop", name)
        assert p.returncode == 2 and "has the name" in p.stderr, p.stderr
    assert box.blast("sandbox", "check", "--drop").returncode == 2
    assert box.blast("sandbox", "recovered", "more").returncode == 2


HOSTILE = """
import os
os.symlink('/etc', 'to-etc'); os.symlink(os.environ['KEEPSAKE'], 'to-keepsake')
os.mkdir('shut'); open('shut/file', 'w').close(); os.mkdir('shut/inner'); os.chmod('shut/inner', 0); os.chmod('shut', 0)
open('one', 'w').close(); os.link('one', 'two')
os.mkdir('lock'); os.mkdir('.0'); os.mkdir('work'); os.mkfifo('pipe')
os.chmod(os.getcwd(), 0)
"""
DEEP = """
import os
os.mkdir('deeper'); os.chdir('deeper')
for i in range(600):
    os.mkdir('d' * 200); os.chdir('d' * 200)
os.mkdir('end'); os.chmod('end', 0o500)
"""


def test_a_hostile_tree_is_removed_and_nothing_beside_it(box):
    keepsake = box.outside / "keepsake"
    keepsake.mkdir()
    (keepsake / "file").write_text("precious\n")
    code = f"import os, sys\nos.environ['KEEPSAKE'] = {str(keepsake)!r}\n" + DEEP + f"os.chdir({str(box.path)!r})\n" + HOSTILE
    box.run("python", "-c", code, level="container", env=KEEP)
    wait_for(lambda: not cells.keepers(box.path))
    assert not on_disk(box), "an end in order leaves nothing"
    kill(box, "both", hold(box, "python", "-c", code + "print('up', flush=True); sys.stdin.readline()",
                           level="container", env=KEEP))
    box.run("true", level="container", env=KEEP)
    one, = {r["name"]: r for r in kept(box)}.values()
    assert not one["counted_whole"]
    p = box.blast("sandbox", "recovered", "--drop")
    assert p.returncode == 0 and "dropped 1" in p.stderr, p.stderr
    assert not list((state(box)).rglob("recovered/*"))
    assert (keepsake / "file").read_text() == "precious\n" and Path("/etc/passwd").exists()


def test_what_a_removal_or_a_check_left_is_removed_by_the_next_start(box):
    first = hold(box, "sh", "-c", CHANGE, level="container", env=KEEP)
    upper, = on_disk(box)
    end(first)
    wait_for(lambda: not cells.keepers(box.path))
    for name in (upper.name.replace(".upper", ".drop"), "check.1-0.upper"):
        left = upper.with_name(name)
        box.outside_of("mkdir", "-p", left / "0/upper/file", check=True)
        box.outside_of("touch", left / "lock", check=True)
    assert len(on_disk(box)) == 2
    p = box.run("true", level="container", env=KEEP)
    wait_for(lambda: not cells.keepers(box.path))
    assert not on_disk(box) and not kept(box) and "is kept" not in p.stderr


def test_one_in_use_is_left_alone(box):
    first = hold(box, "sh", "-c", CHANGE, level="container", env=KEEP)
    other = {**KEEP, "BLAST_SANDBOX_FILESYSTEM_MAX_FILE_SIZE": "1M"}
    box.run("true", level="container", env=other)  # another sandbox of the project
    wait_for(lambda: len(cells.keepers(box.path)) == 1)
    assert not kept(box) and len(on_disk(box)) == 1
    assert box.run("cat", "made", level="container", env=KEEP).stdout == "made\n" and end(first) == 1  # of read, at the end


def test_the_report_says_that_the_disk_is_sampled(box):
    env = {**KEEP, "BLAST_SANDBOX_RESOURCES_DISK_LIMIT": "100M"}
    p = box.blast("sandbox", "check", "--json", level="container", env=env)
    row = {r["setting"]: r for r in json.loads(p.stdout)["enforcement"]["settings"]}["disk_limit"]
    assert row["state"] == "sampled" and 'recovery = "keep"' in row["reason"]
    assert not on_disk(box)
    p = box.blast("sandbox", "check", "--json", level="container", env={**env, **{k: "discard" for k in KEEP}})
    assert {r["setting"]: r for r in json.loads(p.stdout)["enforcement"]["settings"]}["disk_limit"]["state"] == "hard"


def test_what_is_on_disk_counts_for_the_limit(box):
    env = {**KEEP, "BLAST_SANDBOX_RESOURCES_DISK_LIMIT": "20M"}
    code = ("import itertools\nwith open('big', 'wb', buffering=0) as f:\n for i in itertools.count():\n"
            "  if i < 60: f.write(bytes(1 << 20))\n  else: import signal; signal.pause()")
    p = box.run("python", "-c", code, level="container", env=env, code=None)
    assert p.returncode in (125, 137) and "disk_limit" in p.stderr, p.stderr
    wait_for(lambda: not cells.keepers(box.path))
    assert not on_disk(box) and not kept(box)


@pytest.mark.parametrize("kind,why", [("overlay", "an overlay itself"), ("ramfs", "no attributes of users")])
def test_a_file_system_that_can_hold_no_layer_is_refused_with_the_way_out(box, kind, why):
    if box.user != "root":
        pytest.skip("mounting takes root")
    code = f"""
set -e
mkdir -p {box.top}/l {box.top}/w {box.top}/m
if [ {kind} = overlay ]; then
  mount -t tmpfs none {box.top}/w; mkdir {box.top}/w/u {box.top}/w/w
  mount -t overlay none -o lowerdir={box.top}/l,upperdir={box.top}/w/u,workdir={box.top}/w/w {box.top}/m
else
  mount -t ramfs none {box.top}/m
fi
exec "$@"
"""
    p = subprocess.run(["unshare", "-m", "sh", "-c", code, "sh", str(box.program), "run", "--no-sync", "--", "true"],
                       cwd=box.path, env=box.environment("container", **KEEP, BLAST_STATE_DIR=f"{box.top}/m"),
                       capture_output=True, text=True, stdin=subprocess.DEVNULL)
    assert p.returncode == 125 and 'recovery = "keep"' in p.stderr and 'recovery = "discard"' in p.stderr, p.stderr
    assert why in p.stderr
