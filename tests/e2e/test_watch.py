"""The daemon at work: what is saved, checked out or done by hand is followed, once, and nothing else is.

A real blastd with real projects and the local index; the client is the one of test_daemon.py.
"""
import os
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from index_server import make_wheel
from conftest import sanitized
from test_daemon import alive, daemon, until  # noqa: F401

REST = 2.0  # seconds in which a daemon at rest must not run


class Watched:
    """A project in whose environment a shell works, seen through the daemon."""

    def __init__(self, project, client):
        self.project, self.client, self.path = project, client, str(project.path)

    def status(self):
        return self.client.call("project.status", path=self.path)["project"]

    def figure(self, name):
        text = self.client.call("metrics")["text"]
        return int(float(next(line.split()[1] for line in text.splitlines()
                              if line.split()[0] == f"blast_daemon_{name}")))

    def rest(self):
        def resting():
            s = self.status()
            return s["state"] in ("idle", "failed") and not s["waiting"] and "job" not in s
        until(resting, "rest")

    def changes(self, act):
        """Does it, waits until it was noticed and all it led to is over; returns how many jobs that were."""
        changes, jobs = self.figure("changes_total"), self.figure("jobs_started_total")
        act()
        until(lambda: self.figure("changes_total") > changes, "a change")
        self.rest()
        return self.figure("jobs_started_total") - jobs


@pytest.fixture
def watched(daemon, project, index):  # noqa: F811
    for version in ("1.0", "2.0"):
        index.add(make_wheel("demo", version))
        index.add(make_wheel("other", version))
    project.require("demo==1.0")
    project("start", "--no-daemon")
    daemon.start()
    with daemon.client() as client:
        w = Watched(project, client)
        client.call("session.begin", path=w.path, pid=os.getpid())
        w.rest()
        yield w


def git(project, *words):
    subprocess.run(["git", "-c", "user.name=t", "-c", "user.email=t@example", "-c", "commit.gpgsign=false", *words],
                   cwd=project.path, check=True, capture_output=True)


def test_an_edit_is_followed(watched):
    project = watched.project
    assert watched.changes(lambda: project.require("demo==2.0", "other")) == 1  # the lock it writes is its own
    assert project.installed_by_python() == {"demo": "2.0", "other": "2.0"}
    assert watched.status()["watch"].startswith("inotify, ")
    watched.changes(lambda: project.require("demo==1.0"))
    assert project.installed_by_python() == {"demo": "1.0"}


def test_the_same_bytes_and_temporary_files_start_nothing(watched):
    project = watched.project
    text = project.read("pyproject.toml")
    jobs, events = watched.figure("jobs_started_total"), watched.figure("file_events_total")
    for name in ("4913", ".pyproject.toml.swp", "pyproject.toml~", ".#pyproject.toml", "pyproject.toml___jb_tmp___"):
        project.write(name, "x")
        (project.path / name).unlink()
    project.write("pyproject.toml.new", text).rename(project.path / "pyproject.toml")
    project.write("pyproject.toml", text)
    until(lambda: watched.figure("file_events_total") > events, "an event")
    watched.rest()
    assert watched.figure("jobs_started_total") == jobs
    assert watched.figure("changes_total") == 0


def test_a_branch_switch_is_one_sync(watched):
    if not shutil.which("git"):
        pytest.skip("there is no git")
    project = watched.project
    git(project, "init", "-q", "-b", "main")
    for i in range(60):
        project.write(f"src/app/m{i}.py", "x = 1\n")
    git(project, "add", "-A")
    git(project, "commit", "-q", "-m", "one")
    git(project, "checkout", "-q", "-b", "feature")
    project.require("demo==2.0", "other==1.0")
    project("sync", "--no-daemon")  # the lock of this branch
    for i in range(60):
        project.write(f"src/app/m{i}.py", "x = 2\n")
    project.write("src/new/__init__.py", "")
    git(project, "add", "-A")
    git(project, "commit", "-q", "-m", "two")
    until(lambda: watched.status()["last_change"], "a look at what the command did")
    watched.rest()
    for branch, packages in (("main", {"demo": "1.0"}), ("feature", {"demo": "2.0", "other": "1.0"}),
                             ("main", {"demo": "1.0"})):
        before = project.read("pyproject.toml"), project.read("pylock.toml")
        assert watched.changes(lambda: git(project, "checkout", "-q", branch)) == 1, branch  # noqa: B023
        assert (project.read("pyproject.toml"), project.read("pylock.toml")) != before
        assert project.installed_by_python() == packages, branch
        status = subprocess.run(["git", "status", "--porcelain"], cwd=project.path, capture_output=True, text=True)
        assert status.stdout == "", "the background wrote a tracked file"


def test_a_broken_file_keeps_the_environment(watched):
    project = watched.project
    good = project.read("pyproject.toml")
    watched.changes(lambda: project.write("pyproject.toml", good + "\n[broken"))
    assert project.installed_by_python() == {"demo": "1.0"}
    status = watched.status()
    assert status["state"] == "failed"
    assert "pyproject.toml" in status["message"]
    watched.changes(lambda: project.write("pyproject.toml", good.replace("demo==1.0", "demo==2.0")))
    assert project.installed_by_python() == {"demo": "2.0"}
    assert watched.status()["state"] == "idle"


def test_a_command_of_the_user_is_not_disturbed(watched, daemon):  # noqa: F811
    project = watched.project
    jobs = watched.figure("jobs_started_total")
    with daemon.client() as waiting:
        waiting.call("foreground", path=watched.path, pid=os.getpid())
        events = watched.figure("file_events_total")
        project.require("demo==2.0")
        until(lambda: watched.figure("file_events_total") > events, "an event")
        watched.rest()
        assert watched.figure("jobs_started_total") == jobs
    until(lambda: project.installed_by_python() == {"demo": "2.0"}, "the sync once the command is over")


def test_an_environment_that_was_deleted_is_made_again_unless_it_was_purged(watched):
    project = watched.project
    shutil.rmtree(project.path / ".venv")
    until(project.python.exists, "the environment")
    watched.rest()
    assert project.installed_by_python() == {"demo": "1.0"}
    project.blast.env.pop("BLAST_NO_DAEMON", None)
    project("kill", "--purge", "--yes")
    assert str(project.path) not in [p["path"] for p in watched.client.call("project.list")["projects"]]
    assert not (project.path / ".venv").exists()


def test_a_generation_made_past_the_daemon_is_followed(watched):
    """Two branches later the files are what they were, but the environment is not."""
    project = watched.project
    text = project.read("pyproject.toml"), project.read("pylock.toml")
    with watched.client.__class__(Path(watched.project.blast.env["BLAST_HOME"]) / "state") as waiting:
        waiting.call("foreground", path=watched.path, pid=os.getpid())
        project.require("demo==2.0")
        project("sync", "--no-daemon")
        project.write("pyproject.toml", text[0])
        project.write("pylock.toml", text[1])
    until(lambda: project.installed_by_python() == {"demo": "1.0"}, "the sync")


def test_changes_by_hand_are_noticed(watched, daemon):  # noqa: F811
    with daemon.client() as listener:
        listener.ask("subscribe", path=watched.path)
        site = next((watched.project.path / ".venv/lib").glob("python*/site-packages"))
        (site / "byhand-1.0.dist-info").mkdir()
        assert listener.event("drift")["project"] == watched.path
        until(lambda: "snapshot of" in daemon.log() or listener.event("job")["verb"] == "snapshot", "a snapshot")


def test_a_missing_import_is_proposed_before_it_is_run(watched, daemon):  # noqa: F811
    with daemon.client() as listener:
        listener.ask("subscribe", path=watched.path)
        (watched.project.path / "src").mkdir()
        watched.project.write("src/app.py", "import os\nimport demo\ntry:\n    import ujson\nexcept ImportError:\n"
                                            "    ujson = None\nimport yaml\n")
        event = listener.event("import")
        assert (event["name"], event["line"], event["distribution"]) == ("yaml", 7, "PyYAML")
        assert event["file"].endswith("src/app.py")


def test_a_daemon_that_was_killed_catches_up(watched, daemon):  # noqa: F811
    project, pid = watched.project, daemon.pid
    os.kill(pid, 9)
    until(lambda: not alive(pid), "the end of the daemon")
    project.require("demo==2.0")
    project.blast("daemon", "start")
    until(lambda: project.installed_by_python() == {"demo": "2.0"}, "the sync of what changed meanwhile")


def voluntary(pid):
    text = Path(f"/proc/{pid}/status").read_text()
    return int(next(line.split()[1] for line in text.splitlines() if line.startswith("voluntary_ctxt_switches")))


def resident(pid):
    text = Path(f"/proc/{pid}/status").read_text()
    return int(next(line.split()[1] for line in text.splitlines() if line.startswith("VmRSS"))) * 1024


def test_at_rest_with_twenty_projects_it_does_nothing(daemon, blast):  # noqa: F811
    daemon.start()
    with daemon.client() as client:
        for i in range(20):
            path = blast.cwd / f"p{i}"
            (path / "src/a/b").mkdir(parents=True)
            (path / "pyproject.toml").write_text(f'[project]\nname = "p{i}"\nversion = "1"\n')
            client.call("session.begin", path=str(path), pid=os.getpid())

        def resting():
            projects = client.call("project.list")["projects"]
            return len(projects) == 20 and all(p["state"] in ("idle", "failed") and not p["waiting"] for p in projects)
        until(resting, "rest")
    pid = daemon.pid
    last = [voluntary(pid), time.monotonic()]

    def settled():  # the closed connection is the last that it has to do with
        now = voluntary(pid)
        if now != last[0]:
            last[:] = [now, time.monotonic()]
        return time.monotonic() - last[1] > REST
    until(settled, f"{REST} s without a wake-up")
    if not sanitized(daemon.program):
        assert resident(pid) < 4 << 20
