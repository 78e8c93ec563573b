"""The audit log: what is recorded, by whom, and that nobody changes it unseen."""
import json
import os
import re

import pytest

from index_server import make_wheel


def entries(project, *args):
    return project("audit", "show", "--json", *args).json["entries"]


def log_file(blast):
    return blast.home / "blast/state/audit/log.jsonl"


@pytest.fixture
def app(project, index):
    for version in ("1.0", "2.0"):
        index.add(make_wheel("demo", version))
    project.require("demo==1.0")
    return project


def test_changes_are_recorded_with_who_and_why(app):
    app("sync")
    app("install", "demo==2.0", env={"BLAST_ACTOR": "pip", "BLAST_REASON": "pip install demo"})
    app("undo")
    found = {e["event"]: e for e in entries(app)}
    assert {"policy-changed", "environment-created", "generation", "restore"} <= set(found)
    change = found["generation"]
    assert change["actor"] == "pip" and change["data"]["why"] == "pip install demo"
    assert change["data"]["changes"] == ["~demo 1.0 -> 2.0"] and change["gen"] == 3
    assert found["restore"]["data"]["changes"] == ["~demo 2.0 -> 1.0"]
    assert change["env"] == str(app.path / ".venv") and change["uid"] == os.getuid()
    assert app("audit", "verify").stdout.startswith("lines 1 to ")


def test_an_actor_that_nobody_knows_is_not_taken(app):
    app("sync", env={"BLAST_ACTOR": "root"})
    assert {e["actor"] for e in entries(app)} == {"cli"}


def test_a_command_that_changes_nothing_records_nothing(app):
    app("sync")
    before = log_file(app.blast).read_bytes()
    app("sync")
    app("status")
    app("list")
    assert log_file(app.blast).read_bytes() == before


def test_a_changed_line_is_named(app):
    app("sync")
    app("install", "demo==2.0")
    log = log_file(app.blast)
    lines = log.read_text().splitlines(keepends=True)
    log.write_text("".join([lines[0], lines[1].replace('"cli"', '"pip"'), *lines[2:]]))
    r = app("audit", "verify", code=5)
    assert "line 2 of the audit log is wrong: its content is not what its hash says" in r.stderr
    assert app("audit", "verify", "--json", code=5).json["bad"] == 2


def test_a_cut_end_is_told_apart_from_a_crash(app):
    app("sync")
    log = log_file(app.blast)
    text = log.read_bytes()
    log.write_bytes(text[:text.rstrip().rfind(b"\n") + 1])
    verdict = app("audit", "verify", "--json", code=5).json
    assert verdict["truncated"] and not verdict["torn"]
    log.write_bytes(text[:-7])
    verdict = app("audit", "verify", "--json", code=5).json
    assert verdict["torn"]
    app("install", "demo==2.0")
    assert "healed" in [e["event"] for e in entries(app)]


def test_a_checkpoint_kept_elsewhere_exposes_a_log_written_anew(app):
    app("sync")
    kept = re.search(r"^checkpoint (\d+:[0-9a-f]{64})$", app("audit", "verify").stdout, re.M).group(1)
    assert "that was given fits" in app("audit", "verify", kept).stdout
    for f in log_file(app.blast).parent.glob("[lh]*"):
        f.unlink()
    app("install", "demo==2.0")
    app("undo")
    app("redo")
    app("undo")
    app("audit", "verify")
    r = app("audit", "verify", kept, code=5)
    assert "its hash is not that of the checkpoint" in r.stderr


def test_no_credentials_get_into_the_log(app, index):
    url = index.index.replace("http://", "http://someone:hunter2@")
    app("sync", "--index-url", url)
    app("install", f"demo @ {url.split('/simple')[0]}/files/demo-2.0-py3-none-any.whl?token=hunter2", code=None)
    assert "hunter2" not in log_file(app.blast).read_text()


def test_a_denial_is_recorded(app, index):
    index.add(make_wheel("bad", "1.0", record="wrong"))
    app.require("bad")
    app("sync", code=5)
    denied = entries(app, "--event", "denied")
    assert len(denied) == 1 and "bad-1.0" in denied[0]["data"]["error"]


def test_switching_it_off_is_itself_recorded(app):
    app.write("../../home/blast/config/config.toml", "[security]\naudit_logging = false\n")
    app("sync")
    assert [e["event"] for e in entries(app)] == ["audit-logging"]
    app("install", "demo==2.0")
    assert len(entries(app)) == 1
    app.write("../../home/blast/config/config.toml", "")
    app("undo")
    assert [e["data"].get("logging") for e in entries(app, "--event", "audit-logging")] == ["off", "on"]


def test_show_chooses_by_event_and_time(app):
    app("sync")
    assert {e["event"] for e in entries(app, "--event", "generation")} == {"generation"}
    assert entries(app, "--since", "2000-01-01") and not entries(app, "--since", "2100-01-01")
    assert "generation" in app("audit", "show").stdout
    r = app("audit", "show", "--event", "nonsense", code=2)
    assert "no event 'nonsense'" in r.stderr


def test_following_shows_what_comes(app):
    app("sync")
    p = app.blast.start("audit", "show", "-f", "--json", cwd=app.path)
    try:
        first = json.loads(p.stdout.readline())
        assert first["seq"] == 1
        app("install", "demo==2.0")
        while json.loads(p.stdout.readline())["data"].get("changes") != ["~demo 1.0 -> 2.0"]:
            pass
    finally:
        p.terminate()
        p.communicate()
