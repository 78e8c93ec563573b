"""What a project may not decide by itself: settings that widen power, and code that runs at every start of Python."""
import os
import shutil
import subprocess

import pytest

from index_server import make_wheel

BLAST_TOML = """
[env]
[container]
isolation_level = "{level}"
[sandbox]
network_isolation = {network}
[security]
[sync]
{more}
"""


def blast_toml(project, level="namespace", network="true", more=""):
    project.write("blast.toml", BLAST_TOML.format(level=level, network=network, more=more))


def config(project, key):
    return project("config", "get", key).stdout.strip()


@pytest.fixture
def app(project, index):
    index.add(make_wheel("demo", "1.0"))
    project.require("demo")
    return project


def test_the_defaults_ask_for_nothing(app):
    app("init")
    app("sync")
    shown = app("trust", "--show", "--json").json
    assert shown["level"] == "sync" and shown["settings"] == []


def test_what_widens_power_is_not_in_force_until_it_is_accepted(app):
    blast_toml(app, level="process", network="false")
    r = app("sync")
    assert "not trusted and not in force: container.isolation_level, sandbox.network_isolation" in r.stderr
    assert config(app, "sandbox.network_isolation").endswith("true")
    r = app("trust", code=5)
    assert '- container.isolation_level = "namespace"' in r.stdout
    assert '+ container.isolation_level = "process"' in r.stdout
    assert "--yes" in r.stderr
    app("trust", "--yes")
    assert app("trust", "--show", "--json").json["level"] == "full"
    assert config(app, "sandbox.network_isolation").endswith("false")
    assert "not trusted" not in app("sync").stderr


def test_another_value_is_asked_for_again(app):
    blast_toml(app, more='[sandbox.network]\nallowed_domains = ["index", "a.example"]\n')
    app("trust", "--yes")
    blast_toml(app, more='[sandbox.network]\nallowed_domains = ["index", "b.example"]\n')
    shown = app("trust", "--show", "--json").json
    assert shown["level"] == "changed"
    (setting,) = shown["settings"]
    assert not setting["accepted"] and "a.example" in setting["accepted_before"] and "b.example" in setting["value"]
    assert config(app, "sandbox.network.allowed_domains").endswith('["index"]')


def test_a_folder_made_again_is_not_trusted(app):
    blast_toml(app, network="false")
    app("trust", "--yes")
    copy = app.path.with_name("copy")
    shutil.copytree(app.path, copy)
    shutil.rmtree(app.path)
    copy.rename(app.path)
    shown = app("trust", "--show")
    assert "another folder was trusted at this path" in shown.stdout
    assert config(app, "sandbox.network_isolation").endswith("true")


def test_trust_can_be_taken_back(app):
    blast_toml(app, network="false")
    app("trust", "--yes")
    app("trust", "--revoke")
    assert app("trust", "--show", "--json").json["level"] == "none"
    assert [e["event"] for e in app("audit", "show", "--json").json["entries"]][-2:] == ["policy-changed", "trust-revoked"]


def test_the_project_cannot_record_its_own_trust(app):
    blast_toml(app, network="false")
    for name in (".blast", "trust", ".trust"):
        app.write(f"{name}/trust.json", '{"full":true}')
    assert app("trust", "--show", "--json").json["level"] == "none"


def test_an_index_that_is_not_trusted_stops_the_command(app, index):
    app.blast.env.pop("BLAST_INDEX_URL")
    blast_toml(app, more=f'[resolver]\nindex_url = "{index.index}"\n')
    r = app("sync", code=5)
    assert "resolver.index_url" in r.stderr and "blast trust" in r.stderr
    app("sync", "--index-url", index.index)
    app("trust", "--yes")
    app("sync", "--refresh")
    assert app.installed() == {"demo": "1.0"}


def test_files_of_another_user_are_never_accepted(app):
    if os.getuid() != 0:
        pytest.skip("only root can give a file to another user")
    blast_toml(app, network="false")
    os.chown(app.path / "blast.toml", 65534, 65534)
    r = app("trust", "--yes", code=5)
    assert "belongs to another user" in r.stderr
    assert config(app, "sandbox.network_isolation").endswith("true")


@pytest.mark.parametrize("name", ["./evil", "tools/../evil", "{project}/evil", "/proc/self/cwd/evil"])
def test_a_program_of_the_project_is_not_run_as_the_interpreter(app, name):
    ran = app.path / "ran"
    (app.path / "tools").mkdir()
    evil = app.write("evil", f"#!/bin/sh\ntouch '{ran}'\n")
    evil.chmod(0o755)
    app.write(".python-version", name.format(project=app.path) + "\n")
    r = app("sync", code=5)
    assert "is a program of the project" in r.stderr and not ran.exists()


# ---------------------------------------------------------------- start-up code

EVIL = {"demo/__init__.py": "", "demo-setup.pth": "import os; os.environ.get('X')\n"}
HIDDEN = {"demo/__init__.py": "", "demo-setup.pth": "# nothing\x0cimport os; os.environ.get('X')\n"}
DISTUTILS = ("import os; var = 'SETUPTOOLS_USE_DISTUTILS'; enabled = os.environ.get(var, 'local') == 'local'; "
             "enabled and __import__('_distutils_hack').add_shim(); ")


@pytest.mark.parametrize("files,data,word", [
    (EVIL, None, "demo-setup.pth: a line that is executed: import os"),
    (HIDDEN, None, "demo-setup.pth: a line that is executed: import os"),
    ({"sitecustomize.py": "print('x')"}, None, "sitecustomize.py: a module that is imported"),
    ({"usercustomize/__init__.py": ""}, None, "usercustomize/__init__.py"),
    ({"demo.start": "demo:main\n"}, None, "demo.start: entry points that are called"),
    ({"json/__init__.py": ""}, None, "named like a module of the standard library"),
    ({"demo/__init__.py": ""}, {"purelib/late.pth": "import os\n"}, "late.pth"),
    ({"demo/__init__.py": ""}, {"data/lib/python3.99/site-packages/late.pth": "import os\n"}, "late.pth"),
])
def test_start_up_code_stops_before_any_interpreter_runs(project, index, files, data, word):
    index.add(make_wheel("demo", "2.0", files=files, data=data))
    project.require("demo")
    r = project("sync", code=5)
    assert "'demo 2.0' brings code that runs at every start of Python" in r.stderr and word in r.stderr
    assert "--allow-startup demo" in r.stderr
    assert project.installed() == {}
    assert project("audit", "show", "--json").json["entries"][-1]["event"] == "denied"


def test_an_allowed_one_is_not_asked_for_again_until_it_changes(project, index):
    index.add(make_wheel("demo", "1.0", files=EVIL))
    index.add(make_wheel("demo", "2.0", files=EVIL))
    index.add(make_wheel("demo", "3.0", files={**EVIL, "demo-setup.pth": "import sys; sys.exit()\n"}))
    project.require("demo==1.0")
    project("sync", code=5)
    project("sync", "--allow-startup", "demo")
    assert project.installed() == {"demo": "1.0"}
    allowed = project("audit", "show", "--json", "--event", "startup-allowed").json["entries"]
    assert allowed[0]["data"]["package"] == "demo 1.0" and "demo-setup.pth" in allowed[0]["data"]["what"]
    project.require("demo==2.0")
    project("sync")
    project.require("demo==3.0")
    project("sync", code=5)
    assert project.installed() == {"demo": "2.0"}


def test_known_code_and_plain_paths_pass(project, index):
    index.add(make_wheel("setuptools", "80.0", files={"setuptools/__init__.py": "", "_distutils_hack/__init__.py": "",
                                                      "distutils-precedence.pth": DISTUTILS}))
    index.add(make_wheel("paths", "1.0", files={"paths.pth": "../elsewhere\n# import x\n"}))
    index.add(make_wheel("other", "1.0", files={"other.pth": DISTUTILS}))
    project.require("setuptools", "paths")
    project("sync")
    project.require("other")
    project("sync", code=5)  # the line is known of setuptools, not of anybody


@pytest.mark.parametrize("policy,known,unknown", [("allow", 0, 0), ("allow-known", 0, 5), ("deny", 5, 5)])
def test_policies(project, index, policy, known, unknown):
    index.add(make_wheel("setuptools", "80.0", files={"setuptools/__init__.py": "", "d.pth": DISTUTILS}))
    index.add(make_wheel("demo", "1.0", files=EVIL))
    project.blast.env["BLAST_SECURITY_STARTUP_CODE"] = policy
    project.require("setuptools")
    project("sync", code=known)
    project.require("demo")
    project("sync", code=unknown)


def test_a_project_cannot_open_the_gate_itself(project, index):
    index.add(make_wheel("demo", "1.0", files=EVIL))
    project.require("demo")
    blast_toml(project)
    project.write("blast.toml", project.read("blast.toml").replace("[security]", '[security]\nstartup_code = "allow"'))
    project("sync", code=5)
    project("trust", "--yes")
    project("sync")


def test_going_back_needs_no_consent(project, index):
    index.add(make_wheel("demo", "1.0", files=EVIL))
    project.require("demo")
    project("sync", "--allow-startup", "demo")
    project.require()
    project("sync")
    project("undo")
    assert project.installed() == {"demo": "1.0"}


def test_a_terminal_is_asked(project, index):
    index.add(make_wheel("demo", "1.0", files=EVIL))
    project.require("demo")
    script = shutil.which("script")
    if not script:
        pytest.skip("script(1) is not here to make a terminal")
    command = f"'{project.blast.program}' sync --no-progress"
    p = subprocess.run([script, "-qec", command, "/dev/null"], input="y\n", capture_output=True, text=True,
                       cwd=project.path, env=project.blast.env, timeout=120)
    assert p.returncode == 0, p.stdout
    assert "brings code that runs at every start of Python" in p.stdout and "allow it?" in p.stdout
    assert project.installed() == {"demo": "1.0"}
