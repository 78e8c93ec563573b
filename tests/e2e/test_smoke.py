"""The program answers, says what is wrong in one look, and uses the exit codes it promises."""
import re
from pathlib import Path

import pytest

TABLE = (Path(__file__).resolve().parents[2] / "src/cli/commands.def").read_text()
COMMANDS = [name.replace("_", "-") for name in re.findall(r"^COMMAND\((\w+)", TABLE, re.M)]
ROWS = re.split(r"^COMMAND\(", TABLE, flags=re.M)[1:]
RAW = [name for name, row in zip(COMMANDS, ROWS) if "W_RAW" in row]  # their words are all their own
HIDDEN = [name for name, row in zip(COMMANDS, ROWS) if "W_HIDDEN" in row]  # for programs


def test_version_is_one_line(blast):
    r = blast("--version")
    assert re.fullmatch(r"blast \d+\.\d+\.\d+\S*\n", r.stdout), r
    assert r.stderr == ""


def test_help_names_every_command(blast):
    text = blast("--help").stdout
    missing = [c for c in COMMANDS if c not in RAW + HIDDEN and not re.search(rf"^\s+{c}\b", text, re.M)]
    assert not missing, text


@pytest.mark.parametrize("command", [c for c in COMMANDS if c not in RAW])
def test_every_command_has_help(blast, command):
    r = blast(command, "--help")
    assert re.search(rf"\bblast {command}\b", r.stdout), r
    assert r.stderr == ""


def test_misspelt_command_gets_a_suggestion(blast):
    r = blast("instal", code=2)
    assert "instal" in r.stderr and "install" in r.stderr, r
    assert r.stdout == ""


def test_unknown_option_is_named(blast):
    r = blast("list", "--no-such-option", code=2)
    assert "--no-such-option" in r.stderr, r
