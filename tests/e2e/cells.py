"""The processes of the sandboxes of a project, seen from outside: a keeper, its blast-jail, and what that started."""
import os
from pathlib import Path


def children(pid):
    try:
        return [int(p) for p in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def below(pid):
    todo, found = [pid], []
    while todo:
        todo += (more := children(todo.pop()))
        found += more
    return found


def name_of(pid):
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""


def keepers(project):
    """Those that serve the sandboxes of this project."""
    found = []
    for p in Path("/proc").iterdir():
        try:
            words = (p / "cmdline").read_bytes().split(b"\0") if p.name.isdigit() else []
        except OSError:
            continue
        if b"keep" in words and os.fsencode(project) in words:
            found.append(int(p.name))
    return found


def jails(project):
    return [j for k in keepers(project) for j in children(k)]


def gates(project):
    return [p for k in keepers(project) for p in below(k) if name_of(p) == "blast-gate"]
