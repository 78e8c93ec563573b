"""Makes wheels and source distributions, the same bytes each time.

    wheel(folder, "demo", "1.0", requires=["other>=2; python_version > '3.8'"], scripts={"demo": "demo:main"})

A wheel without `files` has one module of its name with `VERSION` and a `main()` that prints name, version, arguments.
"""
import base64
import csv
import hashlib
import io
import re
import tarfile
import zipfile
from pathlib import Path

DATE = (2020, 1, 1, 0, 0, 0)


def module_name(name):
    return re.sub(r"[-_.]+", "_", name).lower()


def metadata(name, version, requires=(), extras=(), python=None, more=()):
    lines = ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}", "Summary: made for a test"]
    lines += [f"Requires-Python: {python}"] if python else []
    lines += [f"Provides-Extra: {e}" for e in extras]
    lines += [f"Requires-Dist: {r}" for r in requires]
    return "\n".join(lines + list(more)) + "\n\n"


def default_files(name, version):
    code = (f'import sys\nVERSION = "{version}"\n\n\ndef main():\n'
            f'    print("{name}", VERSION, *sys.argv[1:])\n    return 0\n')
    return {f"{module_name(name)}/__init__.py": code}


def entry_points(scripts, gui):
    text = ""
    for section, table in (("console_scripts", scripts), ("gui_scripts", gui)):
        if table:
            text += f"[{section}]\n" + "".join(f"{k} = {v}\n" for k, v in table.items()) + "\n"
    return text


def record_line(name, data):
    digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
    return [name, f"sha256={digest}", str(len(data))]


def wheel(folder, name, version, *, requires=(), extras=None, python=None, scripts=None, gui=None, files=None,
          data=None, tag="py3-none-any", build="", record_change=None, modes=None):
    """Writes the wheel and returns its path.

    extras: name to list of requirements. files: path to text or bytes, in site-packages. data: path below
    NAME.data/ (such as "scripts/run.sh", "data/share/x"). record_change: gets and returns the rows of RECORD, for
    damaged wheels. modes: path to permission bits."""
    extras, modes = extras or {}, modes or {}
    stem = f"{module_name(name)}-{version}"
    wanted = list(requires)
    for extra, lines in extras.items():
        for r in lines:
            head, _, marker = r.partition(";")
            wanted.append(f'{head.strip()} ; {f"({marker.strip()}) and " if marker else ""}extra == "{extra}"')
    content = dict(default_files(name, version) if files is None else files)
    content.update({f"{stem}.data/{k}": v for k, v in (data or {}).items()})
    info = f"{stem}.dist-info"
    content[f"{info}/METADATA"] = metadata(name, version, wanted, extras, python)
    tags = "".join(f"Tag: {t}\n" for t in expand(tag))
    pure = str(tag.endswith("-any")).lower()
    content[f"{info}/WHEEL"] = f"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: {pure}\n{tags}"
    if scripts or gui:
        content[f"{info}/entry_points.txt"] = entry_points(scripts, gui)
    path = Path(folder) / f"{stem}-{build + '-' if build else ''}{tag}.whl"
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = []
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as z:
        def put(where, text):
            entry = zipfile.ZipInfo(where, DATE)
            entry.external_attr = (0o100000 | modes.get(where, 0o644)) << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            z.writestr(entry, text)

        for where, text in content.items():
            raw = text if isinstance(text, bytes) else text.encode()
            rows.append(record_line(where, raw))
            put(where, raw)
        rows.append([f"{info}/RECORD", "", ""])
        out = io.StringIO()
        csv.writer(out, lineterminator="\n").writerows(record_change(rows) if record_change else rows)
        put(f"{info}/RECORD", out.getvalue())
    return path


def expand(tag):
    python, abi, platform = tag.split("-")
    return [f"{p}-{a}-{f}" for p in python.split(".") for a in abi.split(".") for f in platform.split(".")]


# a build backend in one file, so that a source distribution builds without anything from an index
BACKEND = '''\
import base64, hashlib, os, zipfile
NAME, VERSION, META = {name!r}, {version!r}, {meta!r}
STEM = NAME.replace("-", "_") + "-" + VERSION


def put(z, rows, where, text):
    z.writestr(zipfile.ZipInfo(where, (2020, 1, 1, 0, 0, 0)), text)
    digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
    rows.append(f"{{where}},sha256={{digest}},{{len(text.encode())}}")


def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
{before}    name = f"{{STEM}}-py3-none-any.whl"
    rows = []
    with zipfile.ZipFile(os.path.join(wheel_directory, name), "w") as z:
        put(z, rows, NAME.replace("-", "_") + "/__init__.py", f"VERSION = {{VERSION!r}}\\n")
        put(z, rows, STEM + ".dist-info/METADATA", META)
        put(z, rows, STEM + ".dist-info/WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        z.writestr(zipfile.ZipInfo(STEM + ".dist-info/RECORD", (2020, 1, 1, 0, 0, 0)),
                   "\\n".join(rows + [STEM + ".dist-info/RECORD,,"]) + "\\n")
    return name
'''


def source_files(name, version, *, requires=(), python=None, before=""):
    """A project's files: pyproject.toml and its backend. before: lines run at the start of build_wheel."""
    meta = metadata(name, version, requires, python=python)
    lines = "".join(f"    {line}\n" for line in before.splitlines())
    return {
        "pyproject.toml": f'[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n\n'
                          f'[project]\nname = "{name}"\nversion = "{version}"\ndynamic = ["dependencies"]\n',
        "backend.py": BACKEND.format(name=module_name(name), version=version, meta=meta, before=lines),
        "PKG-INFO": meta,
    }


def sdist(folder, name, version, **more):
    """Writes NAME-VERSION.tar.gz, which builds itself into a wheel; arguments as source_files()."""
    stem = f"{module_name(name)}-{version}"
    path = Path(folder) / f"{stem}.tar.gz"
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w:gz") as t:
        for where, text in source_files(name, version, **more).items():
            raw = text.encode()
            entry = tarfile.TarInfo(f"{stem}/{where}")
            entry.size, entry.mtime = len(raw), 1577836800
            t.addfile(entry, io.BytesIO(raw))
    return path
