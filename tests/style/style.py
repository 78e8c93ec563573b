"""What the style checks share: the files of the tree, complaints, and the proof that a check can complain.

A check is a function from a root directory to complaints ("path:line: what is wrong"). Before it looks at the project
it is run on small trees: on each bad one it must complain in the stated words, on the good one it must be silent. So a
check that lost its bite fails itself. Exit: 0 silent, 1 complaints, 77 with a line SKIP when it cannot run here.
"""
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


class Skip(Exception):
    """Why a check cannot run here."""


def files(root, under="", suffixes=()):
    """Paths relative to root, sorted: what git tracks or would track; every file where there is no git."""
    root = Path(root)
    if (root / ".git").exists():
        out = subprocess.run(["git", "-C", root, "-c", "safe.directory=*", "ls-files", "-z", "-co",
                              "--exclude-standard"], capture_output=True, check=True).stdout
        names = {os.fsdecode(n) for n in out.split(b"\0") if n}
    else:
        names = {str(p.relative_to(root)) for p in root.rglob("*")
                 if p.is_file() and p.relative_to(root).parts[0] not in ("build", ".git")}
    picked = [Path(n) for n in names if n.startswith(under) and (not suffixes or n.endswith(tuple(suffixes)))]
    return sorted(p for p in picked if (root / p).is_file() and not (root / p).is_symlink())


def lines(root, path):
    """(number, text) from 1."""
    return enumerate((Path(root) / path).read_text(encoding="utf-8", errors="replace").split("\n"), 1)


def without_comments(text):
    """C source with comments blanked, line structure kept; string literals are left alone."""
    def blank(found):
        word = found.group(0)
        return re.sub(r"[^\n]", " ", word) if word.startswith("/") else word
    return re.sub(r'"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'|/\*.*?\*/|//[^\n]*', blank, text, flags=re.S)


def plant(tree, root):
    for name, content in tree.items():
        target = Path(root) / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, bytes):
            target.write_bytes(content)
        else:
            target.write_text(content)


def prove(check, good, bad):
    """Complaints about the check itself. good: a tree; bad: (tree on top of it, words of the complaint) pairs."""
    wrong = []
    for tree, words in [({}, None)] + bad:
        with tempfile.TemporaryDirectory() as d:
            plant({**good, **tree}, d)
            said = list(check(Path(d)))
        if words is None and said:
            wrong.append(f"self-test: complains about a good tree: {said}")
        if words is not None and not any(words in s for s in said):
            wrong.append(f"self-test: no '{words}' about {sorted(tree)}: {said}")
    return wrong


def run(check, good, bad):
    root = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT
    try:
        said = prove(check, good, bad) or list(check(root))
    except Skip as why:
        print(f"SKIP: {why}")
        sys.exit(77)
    for s in said:
        print(s)
    print(f"{len(said)} complaints" if said else f"good; {len(bad)} bad trees were found out")
    sys.exit(1 if said else 0)
