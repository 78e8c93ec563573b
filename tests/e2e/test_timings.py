"""Reports of what took how long, and the figures that are kept."""
import json
import re

import pytest

from index_server import make_wheel


@pytest.fixture
def app(project, index):
    for name in ("demo", "other"):
        index.add(make_wheel(name, "1.0"))
    project.require("demo", "other")
    return project


def test_a_page_that_loads_nothing_from_elsewhere(app, tmp_path):
    page = tmp_path / "t.html"
    app("sync", "--timings-html", page)
    text = page.read_text()
    assert "<svg" in text and "Critical path" in text
    for word in ("page demo", "fetch demo-1.0-py3-none-any.whl", "unpack other-1.0-py3-none-any.whl", "link demo",
                 "commit generation"):
        assert f"<title>{word}: " in text, word
    assert not re.search(r"(?:src|href)=|url\(|@import|<script", text)


def test_what_was_in_the_store_is_shown_as_such(app, tmp_path):
    app("sync")
    app("kill", "--purge", "--yes")
    page = tmp_path / "t.html"
    app("sync", "--timings-html", page)
    text = page.read_text()
    assert "In the store already" in text and "demo-1.0-py3-none-any.whl" in text and "<title>fetch" not in text


def test_a_chrome_trace_of_complete_events(app, tmp_path):
    out = tmp_path / "t.json"
    app("sync", env={"BLAST_TIMINGS_JSON": str(out)})
    events = json.loads(out.read_text())["traceEvents"]
    assert {e["ph"] for e in events} == {"X"} and {"fetch", "unpack", "link", "commit"} <= {e["cat"] for e in events}
    lanes = {}
    for e in sorted(events, key=lambda e: e["ts"]):  # what shares a lane does not overlap
        assert e["ts"] >= lanes.get(e["tid"], 0), e
        lanes[e["tid"]] = e["ts"] + e["dur"]


def test_a_report_that_cannot_be_written_is_a_warning(app):
    r = app("sync", "--timings-html", "/nowhere/t.html")
    assert "warning: timings: open /nowhere/t.html" in r.stderr
    assert set(app.installed()) == {"demo", "other"}
