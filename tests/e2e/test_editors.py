"""What editors look for in a project's .venv, and pyright itself where it is installed."""
import configparser
import json
import os
import queue
import shutil
import subprocess
import threading

import pytest
from index_server import make_wheel

ANSWER = 60  # seconds pyright may take before the test fails


@pytest.fixture
def with_demo(project, index):
    """A project whose environment holds `demo`."""
    index.add(make_wheel("demo", "1.0"))
    index.add(make_wheel("later", "1.0"))
    project.require("demo")
    project("start")
    project.write("app.py", "import demo\nimport later\n")
    return project


def pyright(name):
    found = shutil.which(name)
    if not found:
        pytest.skip(f"{name} is not installed: npm install pyright, and node_modules/.bin on PATH")
    return found


def test_the_environment_is_one_by_the_rules_of_editors(with_demo):
    """VS Code and PyCharm take a real folder .venv with pyvenv.cfg and an executable bin/python; links lose it."""
    venv = with_demo.path / ".venv"
    assert venv.is_dir() and not venv.is_symlink()
    text = configparser.ConfigParser()
    text.read_string("[x]\n" + (venv / "pyvenv.cfg").read_text())
    facts = text["x"]
    assert os.access(f"{facts['home']}/python3", os.X_OK), dict(facts)
    assert facts["version"].count(".") == 2 and facts["include-system-site-packages"] == "false"
    assert "blast" in facts and "uv" not in facts, "tools tell managers apart by that key"
    for name in ("python", "python3"):
        assert os.access(venv / "bin" / name, os.X_OK), name
    code = "import sys, json; print(json.dumps([sys.prefix, sys.base_prefix, sys.executable]))"
    said = subprocess.run([venv / "bin/python", "-c", code], capture_output=True, text=True, check=True).stdout
    prefix, base, executable = json.loads(said)
    assert prefix == str(venv) and base != prefix and executable == str(venv / "bin/python")


def unresolved(said):
    return sorted(d["message"].split('"')[1] for d in said if "could not be resolved" in d["message"])


@pytest.mark.release_only
@pytest.mark.parametrize("how", ["interpreter", "configuration", "activated"])
def test_pyright_finds_the_packages(with_demo, how):
    words, env = [pyright("pyright"), "--outputjson"], dict(os.environ)
    if how == "interpreter":
        words += ["--pythonpath", str(with_demo.python)]
    elif how == "configuration":
        with_demo.write("pyrightconfig.json", '{"venvPath": ".", "venv": ".venv"}')
    else:
        env.update(VIRTUAL_ENV=str(with_demo.path / ".venv"), PATH=f"{with_demo.path}/.venv/bin:{env['PATH']}")
    done = subprocess.run([*words, "app.py"], cwd=with_demo.path, env=env, capture_output=True, text=True,
                          timeout=ANSWER, check=False)
    assert unresolved(json.loads(done.stdout)["generalDiagnostics"]) == ["later"], done.stdout


class Server:
    """pyright's language server as an editor drives it, told to use one interpreter."""

    def __init__(self, program, root, python):
        self.python, self.id, self.said = str(python), 0, queue.Queue()
        self.process = subprocess.Popen([program, "--stdio"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        threading.Thread(target=self.listen, daemon=True).start()
        self.send("initialize", {"processId": os.getpid(), "rootUri": root.as_uri(),
                                 "workspaceFolders": [{"uri": root.as_uri(), "name": "project"}],
                                 "capabilities": {"workspace": {"configuration": True}}}, asks=True)
        self.send("initialized", {})

    def write(self, message):
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        self.process.stdin.write(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
        self.process.stdin.flush()

    def send(self, method, params, asks=False):
        self.id += 1
        self.write({"method": method, "params": params, **({"id": self.id} if asks else {})})

    def listen(self):
        while line := self.process.stdout.readline():
            length = int(line.split(b":")[1]) if line.lower().startswith(b"content-length") else 0
            while self.process.stdout.readline().strip():
                pass
            self.said.put(json.loads(self.process.stdout.read(length)))

    def diagnostics(self):
        while True:
            m = self.said.get(timeout=ANSWER)
            if m.get("method") == "textDocument/publishDiagnostics":
                return m["params"]["diagnostics"]
            if m.get("method") == "workspace/configuration":
                self.write({"id": m["id"], "result": [{"pythonPath": self.python} for _ in m["params"]["items"]]})
            elif "method" in m and "id" in m:
                self.write({"id": m["id"], "result": None})


@pytest.mark.release_only
def test_the_language_server_follows_a_new_generation(with_demo):
    """As with any environment it looks again when the editor says that settings changed."""
    server = Server(pyright("pyright-langserver"), with_demo.path, with_demo.python)
    try:
        app = with_demo.path / "app.py"
        server.send("textDocument/didOpen", {"textDocument": {"uri": app.as_uri(), "languageId": "python",
                                                              "version": 1, "text": app.read_text()}})
        assert unresolved(server.diagnostics()) == ["later"]
        with_demo("install", "later")
        server.send("workspace/didChangeConfiguration", {"settings": None})
        assert not unresolved(server.diagnostics())
    finally:
        server.process.kill()
        server.process.wait()
