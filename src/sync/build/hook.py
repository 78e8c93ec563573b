"""One call of a build backend (PEP 517, PEP 660), inside the sandbox, by the interpreter that the wheel is for.

    python -c TEXT REQUEST

REQUEST is a JSON object: archive or tree (unpacked or copied into source when that does not exist), source,
subdirectory (of the source, where the project lies), backend, backend_path, hook, args (of the hook), result (where the
answer goes as {"value": ...} or {"missing": true}).
"""
import importlib
import json
import os
import shutil
import stat
import sys
import tarfile
import zipfile


def fail(text):
    sys.stderr.write("blast: %s\n" % text)
    raise SystemExit(70)


def check_name(name):
    parts = name.replace("\\", "/").split("/")
    if name.startswith(("/", "\\")) or ".." in parts:
        fail("the archive holds %r, which would lie outside" % name)


def check_tar(archive, into):
    root = os.path.realpath(into)
    for member in archive.getmembers():
        check_name(member.name)
        if member.issym() or member.islnk():
            base = os.path.dirname(member.name) if member.issym() else ""
            target = os.path.realpath(os.path.join(root, base, member.linkname))
            if os.path.isabs(member.linkname) or not (target + os.sep).startswith(root + os.sep):
                fail("the archive's link %r leads outside" % member.name)
        elif not (member.isfile() or member.isdir()):
            fail("the archive holds %r, which is no file" % member.name)
        yield member


def unpack(archive, into):
    """Leaves the archive's only top-level directory at `into`."""
    room = into + ".unpacked"
    os.makedirs(room)
    if archive.endswith(".zip"):
        with zipfile.ZipFile(archive) as z:
            for name in z.namelist():
                check_name(name)
            z.extractall(room)
    else:
        with tarfile.open(archive) as t:
            members = list(check_tar(t, room))
            if hasattr(tarfile, "data_filter"):
                t.extractall(room, members, filter="data")
            else:
                t.extractall(room, members)
    tops = [name for name in os.listdir(room) if os.path.isdir(os.path.join(room, name))]
    if len(tops) != 1:
        fail("the archive has %d directories at its top, a source distribution has one" % len(tops))
    os.rename(os.path.join(room, tops[0]), into)


LEFT_OUT = ("__pycache__", ".mypy_cache", ".nox", ".pytest_cache", ".ruff_cache", ".tox", "node_modules")


def left_out(folder, names):
    """What has no part in a build: environments, caches, and what is no file, such as a socket."""
    for name in names:
        path = os.path.join(folder, name)
        kind = os.lstat(path).st_mode
        if stat.S_ISDIR(kind):
            if name in LEFT_OUT or os.path.exists(os.path.join(path, "pyvenv.cfg")):
                yield name
        elif not (stat.S_ISREG(kind) or stat.S_ISLNK(kind)):
            yield name


def find_backend(request, root):
    """The backend's object: a module, or what "module:object.attribute" names in it."""
    for path in reversed(request["backend_path"]):
        full = os.path.realpath(os.path.join(root, path))
        if not (full + os.sep).startswith(os.path.realpath(root) + os.sep):
            fail("backend-path %r leads out of the source tree" % path)
        sys.path.insert(0, full)
    module, _, attributes = request["backend"].partition(":")
    backend = importlib.import_module(module)
    for name in attributes.split(".") if attributes else []:
        backend = getattr(backend, name)
    return backend


def answer(path, value):
    with open(path, "w", encoding="utf-8") as f:
        json.dump(value, f)


def main():
    with open(sys.argv[1], encoding="utf-8") as f:
        request = json.load(f)
    if not os.path.exists(request["source"]):
        if "tree" in request:
            shutil.copytree(request["tree"], request["source"], symlinks=True,
                            ignore=lambda folder, names: list(left_out(folder, names)))
        else:
            unpack(request["archive"], request["source"])
    root = os.path.join(request["source"], request["subdirectory"])
    os.chdir(root)
    sys.argv = ["-c"]
    hook = getattr(find_backend(request, root), request["hook"], None)
    if hook is None:
        answer(request["result"], {"missing": True})
    else:
        answer(request["result"], {"value": hook(*request["args"])})


main()
