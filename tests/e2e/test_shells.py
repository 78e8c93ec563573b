"""Activation in real shells on real terminals: blast shell-init, start, prompt, kill.

`Shell` is an interactive shell in a pty; `script` runs lines in a shell without a terminal. Every wait is for a text, with
a bound. Shells that are not installed are skipped with that reason.
"""
import fcntl
import os
import pty
import re
import select
import shlex
import shutil
import signal
import struct
import subprocess
import termios
import time
from pathlib import Path

import pytest

from conftest import Project

# What our programs do for zsh and dash they do for bash and fish, too.
ZSH, DASH = (pytest.param(shell, marks=pytest.mark.release_only) for shell in ("zsh", "dash"))
ALL = ["bash", ZSH, "fish", DASH]
POSIX = ["bash", ZSH, DASH]
AT_TERMINALS = ["bash", ZSH, "fish"]
BOUND = 60  # seconds until a text that does not come is a failure
NOISE = re.compile(r"\x1b\[[0-9;?<=>]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b[()][A-Z0-9]|\x1b[=>78cM]|\x0f|\r")
NASTY = ["it's", 'quo"te', "new\nline", "dollar $HOME $(touch hacked) `touch hacked`", "back\\slash", "per%cent %n %(?.a.b)",
         "semi;colon & pipe|", "-dash", "tab\there", "é ü ☃", "[glob]*?", "{brace,s}", "!bang!", "~tilde", "#hash"]


def kind(shell):
    return "sh" if shell == "dash" else shell


def need(shell):
    path = shutil.which(shell)
    if not path:
        pytest.skip(f"{shell} is not installed")
    return path


def init_line(shell, *more):
    words = " ".join(["blast", "shell-init", kind(shell), *more])
    return f"{words} | source\n" if shell == "fish" else f'eval "$({words})"\n'


def shell_env(project, **more):
    """Our program is the `blast` on PATH; nothing of an environment that is active around the tests."""
    env = dict(project.blast.env, PATH=f"{project.blast.program.parent}:/usr/local/bin:/usr/bin:/bin", TERM="xterm",
               LC_ALL="C.UTF-8", FAKE_HOME="1")
    env.pop("CI", None)
    env.update(more)
    return {k: v for k, v in env.items() if v is not None}


def script(shell, project, lines, cwd=None, code=0, first="", **more):
    """The output of the lines, without a terminal, behind shell-init."""
    text = first + init_line(shell) + lines
    words = [need(shell), *(["-f"] if shell == "zsh" else []), "-c", text]
    p = subprocess.run(words, cwd=cwd or project.path, env=shell_env(project, **more), capture_output=True, text=True,
                       timeout=BOUND, stdin=subprocess.DEVNULL)
    assert p.returncode == code, f"{shell} ended with {p.returncode}\n{text}\n{p.stdout}\n{p.stderr}"
    assert "Sanitizer" not in p.stderr, p.stderr
    return p.stdout


class Shell:
    """An interactive shell whose own prompt is `PROMPT> `."""

    def __init__(self, shell, project, rc="", before="", init=(), words=None, **more):
        self.shell, self.seen, self.count = shell, "", 0 # seen: what no expect() has used yet
        self.all = ""
        home = project.blast.home
        prompt = "function fish_prompt; printf 'PROMPT> '; end\n" if shell == "fish" else "PS1='PROMPT> '\n"
        text = prompt + before + ("" if init is None else init_line(shell, *init)) + rc
        files = {"bash": ".bashrc", "zsh": ".zshrc", "fish": ".config/fish/config.fish", "dash": ".shrc"}
        file = home / files[shell]
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        # else fish's first start has a Python read all manual pages, which is a process of the environment
        (home / ".local/share/fish/generated_completions").mkdir(parents=True, exist_ok=True)
        env = shell_env(project, SHELL=need(shell), ENV=str(home / ".shrc"), HISTFILE="/dev/null", **more)
        words = words or [need(shell), "-i"]
        self.pid, self.terminal = pty.fork()
        if self.pid == 0:
            os.chdir(project.path)
            os.closerange(3, 1024)
            os.execve(words[0], words, env)
        fcntl.ioctl(self.terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 500, 0, 0))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        try:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        except (ProcessLookupError, ChildProcessError):
            pass
        os.close(self.terminal)

    def read(self):
        """False at the end."""
        if not select.select([self.terminal], [], [], 0.1)[0]:
            return True
        try:
            data = os.read(self.terminal, 65536)
        except OSError:
            return False
        self.seen += data.decode(errors="replace")
        self.all += data.decode(errors="replace")
        return bool(data)

    def expect(self, pattern):
        """Waits for the pattern, returns the match, forgets everything up to its end."""
        end = time.monotonic() + BOUND
        while True:
            text = NOISE.sub("", self.seen)
            found = re.search(pattern, text, re.S)
            if found:
                self.seen = text[found.end():]
                return found
            if time.monotonic() > end or not self.read():
                pytest.fail(f"{self.shell}: no {pattern!r} in\n{text}")

    def type(self, text):
        os.write(self.terminal, text.encode())

    def __call__(self, command, code=0):
        """Runs a line, returns what it printed; the prompt behind it is still to be read."""
        self.count += 1
        status = "$status" if self.shell == "fish" else "$?"
        self.type(f"printf '\\nBE%s%d\\n' GIN {self.count}; {command}; printf '\\nrc=%s D%s%d\\n' {status} ONE {self.count}\r")
        found = self.expect(rf"\nBEGIN{self.count}\n(.*?)\nrc=(\d+) DONE{self.count}\n")
        assert int(found.group(2)) == code, f"{command}: {found.group(2)}\n{found.group(1)}"
        return found.group(1).strip("\n")

    def prompt(self):
        """The mark in front of the prompt behind the last command."""
        mark = self.expect(r"(?:^|\n)([^\n]*?)PROMPT> ").group(1)
        return "".join(re.findall(r"\(.*\)", mark))  # zsh and fish put a sign before where output had no line end

    def await_child(self, name):
        end = time.monotonic() + BOUND
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children")
        while time.monotonic() < end:
            self.read()
            for child in children.read_text().split():
                try:
                    if Path(f"/proc/{child}/comm").read_text() == name + "\n":
                        return
                except (FileNotFoundError, ProcessLookupError):
                    pass
        pytest.fail(f"{self.shell} has no child {name}\n{self.seen}")

    def ended(self):
        end = time.monotonic() + BOUND
        while time.monotonic() < end:
            self.read()
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                return status
        pytest.fail(f"{self.shell} is still there\n{self.seen}")


@pytest.fixture
def other(project):
    """A second project."""
    path = project.blast.cwd / "second"
    path.mkdir()
    p = Project(path, project.blast)
    p.require()
    p.write("pyproject.toml", p.read("pyproject.toml").replace('"app"', '"second"'))
    return p


# ------------------------------------------------------------ without a terminal

SHOW = r"""printf '%s\n' "$VIRTUAL_ENV" "$VIRTUAL_ENV_PROMPT" "$BLAST_ENV" "$BLAST_PROJECT" "$PATH" """


@pytest.mark.parametrize("shell", ALL)
def test_start_and_kill_act_on_the_shell_itself(project, shell):
    before = shell_env(project)["PATH"]
    out = script(shell, project, f"blast start\n{SHOW}\nblast start\npython -c 'import sys; print(sys.prefix)'\n"
                                 f"blast kill\n{SHOW}\nenv\n").split("\n")
    env = str(project.path / ".venv")
    assert out[:6] == [env, "app", env, str(project.path), f"{env}/shims:{before}", env]
    assert out[6:11] == ["", "", "", "", before]
    assert not [line for line in out[11:] if re.match("_?BLAST_(ENV|PROJECT|DIRECTIVE|SHELL_PID)|VIRTUAL_ENV|_blast", line)]


@pytest.mark.parametrize("shell", POSIX)
def test_everything_holds_with_set_eu(project, shell):
    out = script(shell, project, "blast start\nblast start\nblast install nosuch --offline || echo \"rc $?\"\nblast kill\n"
                                 "blast kill\n" + init_line(shell) + "f() { g() { blast start; }; g; }; f\n"
                                 "echo \"$VIRTUAL_ENV_PROMPT\"\ndeactivate\necho \"${VIRTUAL_ENV-gone}\"\n",
                 first="set -eu\n")
    assert out.split("\n")[-4:] == ["rc 6", "app", "gone", ""], out


@pytest.mark.parametrize("shell", POSIX)
def test_set_e_ends_the_script_with_the_code_of_blast(project, shell):
    out = script(shell, project, "blast start --no-such-option\necho reached\n", first="set -e\n", code=2)
    assert "reached" not in out


@pytest.mark.parametrize("shell", ALL)
@pytest.mark.parametrize("words,code", [("start --no-such-option", 2), ("kill word", 2), ("install", 0), ("undo x", 2),
                                        ("list", 0), ("nonsense", 2), ("-q start", 0), ("--project . kill", 0),
                                        ("run sh -c 'exit 7'", 7), ("start --print bash", 0)])
def test_the_exit_code_is_the_programs(project, shell, words, code):
    project("start")
    script(shell, project, f"blast {words}\n", code=code)


@pytest.mark.parametrize("shell", ALL)
@pytest.mark.parametrize("name", NASTY)
def test_any_path_and_name_is_taken_as_it_is(project, shell, name):
    path = project.blast.cwd / name
    path.mkdir()
    p = Project(path, project.blast)
    p.write("requirements.txt", "")
    script(shell, p, "blast start\nblast start\npython -c 'import os, sys\nprint(ascii((sys.prefix, os.environ[\"VIRTUAL_ENV\"]"
                     ")), file=open(\"seen\", \"w\"))'\nsh -c 'printf %s \"$BLAST_PROJECT\" >project'\nblast kill\npython3 -c 'import os\n"
                     "print(ascii([os.environ.get(\"VIRTUAL_ENV\"), os.environ[\"PATH\"]]), file=open(\"after\", \"w\"))'\n")
    env = str(path / ".venv")
    assert p.read("seen") == ascii((env, env)) + "\n" and p.read("project") == str(path)
    assert p.read("after") == ascii([None, shell_env(p)["PATH"]]) + "\n"
    assert not (path / "hacked").exists()


@pytest.mark.parametrize("shell", ALL)
def test_only_what_is_still_ours_is_taken_back(project, shell):
    setting = {"fish": "set -gx PATH /mine $PATH\nset -gx VIRTUAL_ENV_PROMPT changed\n"}
    out = script(shell, project, "blast start\n" + setting.get(shell, "PATH=/mine:$PATH VIRTUAL_ENV_PROMPT=changed\n") +
                 f"blast kill\n{SHOW}\necho \"$PYTHONHOME\"\n", PYTHONHOME="/nowhere").split("\n")
    assert out[:6] == ["", "changed", "", "", f"/mine:{shell_env(project)['PATH']}", "/nowhere"]


@pytest.mark.parametrize("shell", ALL)
def test_pythonhome_is_away_while_active(project, shell):
    out = script(shell, project, "blast start\nenv\n", PYTHONHOME="/nowhere")
    assert "PYTHONHOME" not in out


@pytest.mark.parametrize("shell", ALL)
def test_another_environment_is_switched_to_unless_stacked(project, other, shell):
    project("start")
    there = shlex.quote(str(other.path))
    before = shell_env(project)["PATH"]
    one, two = project.path / ".venv", other.path / ".venv"
    out = script(shell, project, f"blast start\ncd {there}\nblast start\n{SHOW}\nblast kill\n{SHOW}\n").split("\n")
    assert out[:5] == [str(two), "second", str(two), str(other.path), f"{two}/shims:{before}"]
    assert out[5:10] == ["", "", "", "", before]
    out = script(shell, project, f"blast start\ncd {there}\nblast start --stack\n{SHOW}\nblast kill\n{SHOW}\nblast kill\n"
                                 f"{SHOW}\n").split("\n")
    assert out[:5] == [str(two), "second", str(two), str(other.path), f"{two}/shims:{one}/shims:{before}"]
    assert out[5:10] == [str(one), "app", str(one), str(project.path), f"{one}/shims:{before}"]
    assert out[10:15] == ["", "", "", "", before]


@pytest.mark.parametrize("shell", ALL)
def test_an_environment_of_another_tool_is_left_first(project, pythons, shell):
    foreign = project.blast.cwd / "foreign"
    subprocess.run([sorted(pythons.items())[-1][1], "-m", "venv", "--without-pip", foreign], check=True)
    source = f"source {foreign}/bin/activate.fish" if shell == "fish" else f". {foreign}/bin/activate"
    before = shell_env(project)["PATH"]
    out = script(shell, project, f"{source}\nblast start\n{SHOW}\nblast kill\n{SHOW}\n").split("\n")
    assert out[:2] == [str(project.path / ".venv"), "app"] and out[4] == f"{project.path}/.venv/shims:{before}"
    assert out[5:10] == ["", "", "", "", before]


@pytest.mark.parametrize("shell", ALL)
def test_the_activate_script_takes_over_from_start(project, shell):
    project("start")
    source = "source .venv/bin/activate.fish" if shell == "fish" else ". .venv/bin/activate"
    before = shell_env(project)["PATH"]
    out = script(shell, project, f"blast start\n{source}\n{SHOW}\ndeactivate\n{SHOW}\n").split("\n")
    assert out[:2] == [str(project.path / ".venv"), "app"] and out[4] == f"{project.path}/.venv/bin:{before}"
    assert out[5:10] == ["", "", "", "", before]


@pytest.mark.parametrize("shell", POSIX)
def test_no_descriptor_and_no_variable_reaches_a_child(project, shell):
    own = "ls /proc/self/fd | wc -l; env | grep -c -e DIRECTIVE -e _blast"
    out = script(shell, project, f"blast start\nsh -c {shlex.quote(own)}\nblast run sh -c {shlex.quote(own)} || :\n")
    assert out.split() == ["4", "0", "4", "0"], out  # 0, 1, 2 and that of ls


@pytest.mark.parametrize("shell", ALL)
def test_conda_is_mentioned_once(project, shell):
    text = init_line(shell) + "blast start\nblast kill\nblast start\n"
    p = subprocess.run([need(shell), "-c", text], cwd=project.path, capture_output=True, text=True, timeout=BOUND,
                       env=shell_env(project, CONDA_PREFIX="/opt/conda", CONDA_DEFAULT_ENV="base"))
    assert p.stderr.count("conda's 'base' is active as well") == 1, p.stderr


@pytest.mark.parametrize("shell", ALL)
def test_a_child_shell_goes_on_and_a_vanished_environment_is_forgotten(project, shell):
    project("start")
    env, before = project.path / ".venv", shell_env(project)["PATH"]
    active = dict(VIRTUAL_ENV=str(env), VIRTUAL_ENV_PROMPT="app", BLAST_ENV=str(env), BLAST_PROJECT=str(project.path),
                  PATH=f"/rc/files/first:{env}/bin:{before}")
    out = script(shell, project, f"{SHOW}\ncd /\nblast kill\n{SHOW}\n", **active).split("\n")
    assert out[0] == str(env) and out[4] == f"{env}/bin:/rc/files/first:{before}"
    assert out[5:10] == ["", "", "", "", f"/rc/files/first:{before}"]
    project("kill", "--purge", "--yes")
    out = script(shell, project, SHOW + "\n", **active).split("\n")
    assert out[:5] == ["", "", "", "", f"/rc/files/first:{before}"]


def test_an_environment_of_another_user_is_not_adopted(project):
    if os.geteuid() != 0:
        pytest.skip("only root can make a directory of another user")
    project("start")
    env = project.path / ".venv"
    os.chown(env, 65534, 65534)
    out = script("bash", project, 'echo "[$_blast_env]"\n', VIRTUAL_ENV=str(env), BLAST_ENV=str(env))
    assert out == "[]\n"


def test_variables_of_an_activation_are_no_orders(project, other):
    project("start")
    env = project.path / ".venv"
    r = other("status", "--json", env=dict(VIRTUAL_ENV=str(env), BLAST_ENV=str(env), BLAST_PROJECT=str(project.path)))
    assert str(other.path) in r.stdout and str(project.path) not in r.stdout, r


def test_a_directive_goes_to_nothing_but_a_pipe_or_an_own_file(project):
    kept = project.write("kept", "precious")
    empty = project.write("empty", "")
    project("start", env=dict(BLAST_DIRECTIVE_FILE=str(kept), BLAST_DIRECTIVE_SHELL="fish 1"))
    assert kept.read_text() == "precious"
    project("start", env=dict(BLAST_DIRECTIVE_FILE=str(empty), BLAST_DIRECTIVE_SHELL="tcsh 1"))
    assert empty.read_text() == ""
    link = project.path / "link"
    link.symlink_to(empty)
    project("start", env=dict(BLAST_DIRECTIVE_FILE=str(link), BLAST_DIRECTIVE_SHELL="fish 1"))
    assert empty.read_text() == ""
    project("start", env=dict(BLAST_DIRECTIVE_FILE=str(empty), BLAST_DIRECTIVE_SHELL="fish 1"))
    assert empty.read_text().startswith("_blast_enter ")


def test_purging_means_the_folder_one_stands_in(project, other):
    project("start")
    other("start")
    env = project.path / ".venv"
    told = dict(VIRTUAL_ENV=str(env), BLAST_ENV=str(env), BLAST_PROJECT=str(project.path))
    r = other("kill", "--purge", "--yes", env=told, code=2)
    assert f"the environment of this shell is '{env}'" in r.stderr and env.exists() and (other.path / ".venv").exists()
    other("kill", "--purge", "--yes", "--project", str(other.path), env=told)
    assert env.exists() and not (other.path / ".venv").exists()


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish", "sh", "pwsh"])
def test_shell_init_needs_nothing(blast, shell):
    text = blast("shell-init", shell, env=dict(HOME=None, BLAST_HOME=None, PATH="/nowhere")).stdout
    assert "_blast_enter" in text and text == blast("shell-init", shell).stdout
    assert len(blast("shell-init", shell, "--auto").stdout) > len(text) or shell == "sh"


def test_shell_init_says_which_shells_it_knows(blast):
    r = blast("shell-init", "tcsh", code=2)
    assert "wants bash, zsh, fish, sh or pwsh" in r.stderr and "~/.bashrc" in r.stderr
    blast("shell-init", code=2)


def test_the_text_for_powershell_runs(project):
    if not shutil.which("pwsh"):
        pytest.skip("pwsh is not installed: the text for PowerShell is only read by people")
    text = "Invoke-Expression (& blast shell-init pwsh | Out-String)\nblast start\n$env:VIRTUAL_ENV\nblast kill\n\"[$env:VIRTUAL_ENV]\"\n"
    p = subprocess.run(["pwsh", "-NoProfile", "-Command", text], cwd=project.path, env=shell_env(project),
                       capture_output=True, text=True, timeout=BOUND)
    assert p.stdout.split("\n")[-3:-1] == [str(project.path / ".venv"), "[]"], p


# ------------------------------------------------------------ on a terminal

@pytest.mark.parametrize("shell", ALL)
def test_a_session_at_a_terminal(project, shell):
    with Shell(shell, project) as sh:
        assert sh.prompt() == ""
        sh("test -t 1 && test -t 2")
        path = sh("printf '%s\\n' \"$PATH\"")
        ps1 = "" if shell == "fish" else sh('printf "%s\\n" "$PS1"')
        sh("blast start")
        sh.prompt()
        sh("true")
        assert sh.prompt() == "(app)"
        assert sh("python -c 'import sys; print(sys.prefix)'") == str(project.path / ".venv")
        sh("blast nonsense", code=2)
        sh("blast start")
        sh("blast kill")
        sh("true")
        assert sh.prompt() == ""
        assert sh("printf '%s\\n' \"$PATH\"") == path
        if ps1:
            assert sh('printf "%s\\n" "$PS1"') == ps1


@pytest.mark.parametrize("shell", AT_TERMINALS)
def test_the_prompt_shows_each_state_and_a_notice_once(project, shell):
    project("start")
    status = project.path / ".venv/.status"
    with Shell(shell, project) as sh:
        sh("blast start")
        for line, mark in (("7 ok", "(app)"), ("7 sync", "(app ~)"), ("7 decide", "(app !)"), ("8 failed", "(app x)"),
                           ("12 pinned", "(app @12)"), ("nonsense", "(app)")):
            status.write_text(line + "\n")
            sh("true")
            assert sh.prompt() == mark, line  # the prompt behind it was drawn with the new line
        status.unlink()
        sh("true")
        assert sh.prompt() == "(app)"
        status.write_text("13 ok blast: new \x1b[31mversion $(touch hacked)\n")
        sh("true")
        assert "blast: new  [31mversion $(touch hacked)" in sh.expect(r".*?PROMPT> ").group(0)
        sh("true")
        assert "version" not in sh.expect(r".*?PROMPT> ").group(0)
        assert not (project.path / "hacked").exists()


@pytest.mark.parametrize("shell", AT_TERMINALS)
def test_nothing_in_a_name_is_run_or_expanded_by_the_prompt(project, shell):
    name = "$(touch hacked)`touch hacked` %n \\\\u"
    project("start")
    text = re.sub(r"(?m)^name = .*\n", "", project.read("blast.toml"))
    text, n = re.subn(r"(?m)^\[env\]\n", lambda m: f"[env]\nname = '{name}'\n", text)
    assert n == 1
    project.write("blast.toml", text)
    project("kill", "--purge", "--yes")
    more = "setopt PROMPT_SUBST\n" if shell == "zsh" else ""
    with Shell(shell, project, rc=more) as sh:
        sh("blast start")
        sh("true")
        assert sh.prompt() == f"({name})"
        sh("source .venv/bin/activate" + (".fish" if shell == "fish" else ""))
        sh("true")
        assert name in sh.prompt()
    assert not (project.path / "hacked").exists()


@pytest.mark.parametrize("shell", AT_TERMINALS)
def test_the_prompts_owner_keeps_it(project, shell):
    project("start")
    with Shell(shell, project, VIRTUAL_ENV_DISABLE_PROMPT="1") as sh:
        sh("blast start")
        sh("true")
        assert sh.prompt() == ""
    starship = {"bash": "starship_precmd() { :; }\n", "zsh": "starship_precmd() { :; }\n", "fish": "set -gx STARSHIP_SHELL fish\n"}
    with Shell(shell, project, before=starship[shell]) as sh:
        sh("blast start")
        sh("true")
        assert sh.prompt() == ""
        assert sh("printf '%s\\n' \"$VIRTUAL_ENV_PROMPT\"") == "app"


@pytest.mark.parametrize("shell", ["bash", ZSH])
def test_a_prompt_that_is_set_anew_each_time_gets_its_mark(project, shell):
    project("start")
    theme = {"bash": "PROMPT_COMMAND='PS1=\"PROMPT> \"'\n", "zsh": "precmd() { PS1='PROMPT> '; }\n"}
    with Shell(shell, project, before=theme[shell]) as sh:
        sh("blast start")
        for _ in range(2):
            sh("true")
            assert sh.prompt() == "(app)"


@pytest.mark.parametrize("shell", AT_TERMINALS)
def test_the_prompt_sees_the_status_of_the_last_command(project, shell):
    project("start")
    own = {"bash": "PS1='[$?] PROMPT> '\n", "zsh": "PS1='[%?] PROMPT> '\n",
           "fish": "function fish_prompt; printf '[%s] PROMPT> ' $status; end\n"}
    fails = "sh -c 'exit 3'"
    with Shell(shell, project, before=own[shell]) as sh:
        sh("blast start")
        sh.expect(r"\(app\) \[0\] PROMPT> ")
        sh.type(fails + "\r")
        sh.expect(r"\(app\) \[3\] PROMPT> ")


@pytest.mark.parametrize("shell", ["bash", ZSH])
def test_an_alias_named_blast_does_no_harm(project, shell):
    with Shell(shell, project, before="alias blast='blast --quiet'\n") as sh:
        sh("blast start")
        sh("true")
        assert sh.prompt() == "(app)"
        assert sh("alias blast").endswith("blast --quiet'")


@pytest.mark.parametrize("shell", AT_TERMINALS)
def test_a_program_that_a_change_brings_is_found_at_once(project, shell):
    """Where a shell had found a program before is forgotten when the generation changes, by whomever."""
    project("start")
    decoy = project.blast.home / "bin"
    decoy.mkdir()
    for place, word in ((decoy, "outside"), (project.path / ".venv/.gen/1000/bin", "inside")):
        place.mkdir(parents=True, exist_ok=True)
        (place / "tool").write_text(f"#!/bin/sh\necho {word}\n")
        (place / "tool").chmod(0o755)
    with Shell(shell, project, PATH=f"{project.blast.program.parent}:{decoy}:/usr/bin:/bin") as sh:
        sh("blast start")
        assert sh("tool") == "outside"
        (project.path / ".venv/bin/tool").symlink_to(project.path / ".venv/.gen/1000/bin/tool")
        (project.path / ".venv/shims/tool").symlink_to("../../../.shim")
        (project.path / ".venv/.status").write_text("1000 ok\n")
        sh("true")
        assert sh("tool") == "inside"


@pytest.mark.parametrize("key", ["", "\x1a"], ids=["Ctrl-C", "Ctrl-Z first"])
@pytest.mark.parametrize("shell", ALL)
def test_ctrl_c_ends_the_command_and_leaves_the_shell(project, index, shell, key):
    project.require("nothing-that-is-here")
    with Shell(shell, project, BLAST_INDEX_URL=index.view("delay=30")) as sh:
        assert sh.prompt() == ""
        sh.type("blast start\r")
        end = time.monotonic() + BOUND
        while not index.requests() and time.monotonic() < end:
            sh.read()
        sh.type(key + "\x03")
        sh.expect(r"PROMPT> ")
        assert sh("echo here") == "here"
        assert sh("ls /proc/self/fd | wc -l").strip() == "4", "a descriptor of the wrapper is left open"


@pytest.mark.parametrize("shell", ALL)
@pytest.mark.parametrize("how", ["exec", "child"])
def test_a_shell_within_goes_on_with_the_environment(project, shell, how):
    project("start")
    with Shell(shell, project) as sh:
        sh("blast start")
        sh.type(f"{'exec ' if how == 'exec' else ''}{need(shell)} -i\r")
        sh("cd /")
        sh("true")
        assert sh.prompt() == "(app)"
        sh("blast kill")
        sh("true")
        assert sh.prompt() == ""
        assert ".venv" not in sh("printf '%s\\n' \"$PATH\" \"$VIRTUAL_ENV\"")


def test_panes_of_a_terminal_multiplexer_get_no_undo_data(project):
    tmux = need("tmux")
    project("start")
    socket = project.blast.home / "t"
    words = [tmux, "-S", str(socket), "-f", "/dev/null"]
    with Shell("bash", project) as sh:
        sh("blast start")
        sh(f"{' '.join(words)} new-session -d 'env > {project.blast.home}/pane; cat'")
        env = shell_env(project)
        try:
            end = time.monotonic() + BOUND
            pane = project.blast.home / "pane"
            while not (pane.exists() and "BLAST_ENV" in pane.read_text()) and time.monotonic() < end:
                sh.read()
            assert "BLAST_ENV=" in pane.read_text() and "_blast_" not in pane.read_text()
        finally:
            subprocess.run([*words, "kill-server"], env=env, check=False)


@pytest.mark.parametrize("shell", AT_TERMINALS)
def test_kill_names_what_runs_and_asks(project, shell):
    project("start")
    with Shell(shell, project) as sh:
        sh("blast start")
        sh("sleep 300 &" if shell == "fish" else "{ sleep 300 & } 2>/dev/null")
        sh.await_child("sleep")  # before its exec it is no process of the environment
        sh.prompt()
        sh.type("blast kill\r")
        sh.expect(r"end 1 process \(sleep \d+\)\? \[y/N\] ")
        sh.type("n\r")
        sh.expect(r"left running: sleep (\d+)")
        sh("true")
        assert sh.prompt() == ""
        sh("blast start")
        sh.type("blast kill\r")
        sh.expect(r"\[y/N\] ")
        sh.type("y\r")
        sh.expect(r"ended 1 process of the environment")


def test_kill_all_ends_what_runs_in_every_environment(project, other):
    project("start")
    other("start")
    runs = [subprocess.Popen(["sleep", "300"], env={**os.environ, "VIRTUAL_ENV": str(p.path / ".venv")}) for p in (project, other)]
    stays = subprocess.Popen(["sleep", "300"], env={**os.environ, "VIRTUAL_ENV": "/another/.venv"})
    try:
        assert other("kill", "--json").json["ended"] == 1
        assert runs[1].wait(BOUND) == -signal.SIGTERM and runs[0].poll() is None
        assert other("kill", "--all", "--json").json["ended"] == 1
        assert runs[0].wait(BOUND) == -signal.SIGTERM and stays.poll() is None
    finally:
        for p in (*runs, stays):
            p.kill()
            p.wait()


@pytest.mark.parametrize("shell", ALL)
def test_the_daemon_knows_the_session_of_the_shell(project, other, shell):
    if not (project.blast.program.parent / "blastd").exists():
        pytest.skip("the daemon's program is not built beside blast")

    def sessions():
        return project("daemon", "status", "--json", env=dict(BLAST_NO_DAEMON=None), code=None).json["status"]["sessions"]

    project("start")
    with Shell(shell, project, BLAST_NO_DAEMON=None) as sh:
        try:
            sh("blast start")
            assert sessions() == 1
            sh("blast start")
            assert sessions() == 1, "a shell is one session, however often it starts"
            sh(f"cd {shlex.quote(str(other.path))}")
            sh("blast start")
            assert sessions() == 1, "the project that was left for this one has none any more"
            sh("blast kill --force")
            assert sessions() == 0
        finally:
            project("daemon", "stop", env=dict(BLAST_NO_DAEMON=None), code=None)


@pytest.mark.parametrize("shell", AT_TERMINALS)
def test_with_auto_the_folder_decides_where_the_user_acted_before(project, other, shell):
    project("start")
    env = other.path / ".venv"
    other("start")
    never = Project(project.blast.cwd / "never", project.blast)
    shutil.copytree(other.path, never.path, symlinks=True)
    (project.path / "deep/er").mkdir(parents=True)
    with Shell(shell, project, init=("--auto",)) as sh:
        sh("true")
        assert sh.prompt() == "(app)"
        sh("cd deep/er")
        sh("true")
        assert sh.prompt() == "(app)"
        sh(f"cd {shlex.quote(str(other.path))}")
        sh("true")
        assert sh.prompt() == "(second)"
        assert sh("printf '%s\\n' $VIRTUAL_ENV") == str(env)
        sh(f"cd {shlex.quote(str(never.path))}")
        sh.expect("is not entered: nothing was started there by hand yet")
        sh("true")
        assert sh.prompt() == ""
        sh("cd /")
        sh(f"cd {shlex.quote(str(project.path))}")
        sh("true")
        assert sh.prompt() == "(app)"
        sh("blast kill")
        sh("true")
        assert sh.prompt() == "", "it was left by hand: not entered again before the folder changes"
        sh("blast start")
        sh(f"cd {shlex.quote(str(other.path))}")
        sh("true")
        assert sh.prompt() == "(app)", "what start entered stays"


# ------------------------------------------------------------ a shell of its own

@pytest.mark.parametrize("shell", ALL)
def test_without_the_function_start_opens_a_shell_with_the_mark(project, shell):
    rc = "set -g FROM_RC yes\n" if shell == "fish" else "FROM_RC=yes\n"
    with Shell(shell, project, init=None, rc=rc, words=[str(project.blast.program), "start"]) as sh:
        sh.expect("to enter environments in the shell at hand")
        sh("true")
        assert sh.prompt() == "(app)"
        assert sh("printf '%s\\n' \"$FROM_RC\" \"$VIRTUAL_ENV\"").split() == ["yes", *str(project.path / ".venv").split()]
        env = sh("env")
        assert not re.search(r"^(ZDOTDIR|BLAST_START|BLAST_ZDOTDIR|BLAST_SH_ENV)=", env, re.M), env
        assert sh("ls -l /proc/self/fd; true").count("->") == 4, "0, 1, 2 and that of ls"
        (project.path / ".venv/.status").write_text("9 sync\n")
        if shell != "dash":
            sh("true")
            assert sh.prompt() == "(app ~)"
        sh.type("blast kill --force\r")  # fish may still read manual pages in the background
        sh.ended()


def test_how_to_enter_in_place_is_said_once(project):
    for said in (True, False):
        with Shell("bash", project, init=None, words=[str(project.blast.program), "start"]) as sh:
            sh("true")
            sh.type("exit\r")
            sh.ended()
            assert "a new shell with the environment active" in sh.all
            assert ("to enter environments in the shell at hand" in sh.all) is said, sh.all


def test_subshell_is_opened_on_request_with_the_function_too(project):
    with Shell("bash", project) as sh:
        sh.prompt()
        sh.type("blast start --subshell\r")
        sh.expect("a new shell with the environment active")
        depth = sh('echo "$SHLVL"')
        sh.type("blast kill\r")
        sh.expect("left the shell that blast start opened")
        assert int(sh('echo "$SHLVL"')) == int(depth) - 1


# ------------------------------------------------------------ completions

@pytest.mark.parametrize("shell", AT_TERMINALS)
def test_completions_still_load_beside_the_function(project, shell):
    """Names of commands and the words that a command knows; zsh completes only with its line editor, so there it is read."""
    file = project.write("completions", project("completions", shell).stdout)
    load = f"source {shlex.quote(str(file))}\n"
    lines = {
        "bash": load + "f() { COMP_WORDS=(blast \"$@\"); COMP_CWORD=$#; _blast; echo \"${COMPREPLY[*]}\"; }\n"
                       "f shell-i; f shell-init fi; f kill --pur\n",
        "zsh": "autoload -U compinit\ncompinit -D -u\n" + load + "echo ${_comps[blast]} $+functions[_blast]\n"
               "functions _blast | grep -c -e \"'2:word:( bash zsh fish sh pwsh)'\"\n",
        "fish": load + "for line in 'shell-i' 'shell-init fi' 'kill --pur'\n"
                       "complete -C \"blast $line\" | string split -f1 \\t\nend\n",
    }
    out = script(shell, project, lines[shell])
    assert out == ("_blast 1\n1\n" if shell == "zsh" else "shell-init\nfish\n--purge\n")
