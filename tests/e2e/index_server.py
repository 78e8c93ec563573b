"""A package index on the loopback for tests: PEP 503 and PEP 691 pages, wheels it makes, misbehaviour on request.

In a test:

    server = IndexServer()
    server.add(make_wheel("demo", "1.0", requires=["dep>=2"]))
    with server:
        ... server.index            # http://127.0.0.1:PORT/simple/
        ... server.view("html,truncate=100@file")   # the same index, but behaving so
        server.counts["/files/demo-1.0-py3-none-any.whl"]

On its own: `index_server.py [--dir WHEELS] [--many N]` prints its base URL as the first line and ends with its parent,
at the end of its standard input (--stdin), or after --lifetime seconds.

A path `/x/BEHAVIOUR,BEHAVIOUR.../rest` answers as `/rest` does, changed by the behaviours. Each is `word` or
`word=value`, and may end in `@page`, `@file` or `@metadata` (only for those) and `!N` (only the first N times this path
is asked):

  status=N            this status and a short body          retry-after=S      with Retry-After (also `date:S`)
  truncate=N          closes after N bytes of the body       reset=N            the same with a TCP reset
  drip                one byte every half second             silent             accepts, never answers
  garbage             an answer that is not HTTP             endless            a body without end
  bomb=M              M MiB of zeros as gzip                 longer=N           N bytes too many, length and all
  shorter=N           N bytes too few, length and all        flip               one byte is wrong
  html, json          only this form of pages                wrong-type         text/plain
  bad-utf8            a page with a broken character         close10            HTTP/1.0, no length, closed at the end
  gzip                compresses what accepts it             delay=S            waits before answering
  no-ranges           ignores Range                          elsewhere          a range that starts at another place
  no-etag             no ETag and Last-Modified              new-etag           another ETag each time
  max-age=N, no-store, immutable                             auth=USER:PASS     401 without these
  redirect=N          N redirects first                      loop               redirects to itself
  to-localhost        redirects to the other name of the host  to=URL           redirects there (percent-encoded)
  absolute, protocol  the form of links (else relative)      base               relative to a <base href>
  plain               metadata is there but not announced    no-metadata        nor is it there
  no-hash, no-size, no-time, md5     what pages leave out; md5 instead of sha256
  echo                the request's headers as JSON          huge-headers       1 MiB of headers

`/-/counts`, `/-/reset` and `/-/stop` are for the test that started it.
"""

import argparse
import base64
import ctypes
import dataclasses
import email.utils
import gzip
import hashlib
import html
import http.server
import io
import json
import os
import pathlib
import re
import signal
import socket
import ssl
import stat
import struct
import sys
import tarfile
import threading
import time
import urllib.parse
import zipfile

JSON_TYPE = "application/vnd.pypi.simple.v1+json"
HTML_TYPE = "application/vnd.pypi.simple.v1+html"
OLD_TIME = (2020, 1, 1, 0, 0, 0)
MODIFIED = "Wed, 01 Jan 2020 00:00:00 GMT"


def normalize(name):
    return re.sub(r"[-_.]+", "-", name).lower()


# -- files ----------------------------------------------------------------------------------------------------


@dataclasses.dataclass
class File:
    """One file of a project, and what the index says about it (which need not be the truth)."""

    name: str
    data: bytes
    metadata: bytes | None = None  # what NAME.metadata answers; None: 404
    project: str = ""
    version: str = ""
    requires_python: str | None = None
    yanked: str | bool = False
    upload_time: str | None = "2020-01-01T00:00:00Z"
    sha256: str | None = None  # said in place of the true one
    size: int | None = None  # said in place of the true one
    metadata_sha256: str | None = None

    def said_sha256(self):
        return self.sha256 or hashlib.sha256(self.data).hexdigest()

    def said_metadata_sha256(self):
        return self.metadata_sha256 or hashlib.sha256(self.metadata).hexdigest()


def core_metadata(name, version, requires=(), requires_python=None, extras=(), extra=""):
    lines = ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}", f"Summary: {name} for tests"]
    if requires_python:
        lines.append(f"Requires-Python: {requires_python}")
    lines += [f"Requires-Dist: {r}" for r in requires]
    lines += [f"Provides-Extra: {x}" for x in extras]
    return ("\n".join(lines) + "\n" + extra + f"\n{name}\n").encode()


def _entry(name, mode=0o644):
    info = zipfile.ZipInfo(name, OLD_TIME)
    info.compress_type = zipfile.ZIP_DEFLATED
    info.create_system = 3
    info.external_attr = (stat.S_IFREG | mode) << 16
    return info


def _hostile_entries(kind):
    """Entries that no unpacker may put where they say."""
    link = _entry("link")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    return {
        None: [],
        "traversal": [(_entry("../../escaped.txt"), b"out\n")],
        "absolute": [(_entry("/tmp/blast-escaped.txt"), b"out\n")],
        "backslash": [(_entry("..\\..\\escaped.txt"), b"out\n")],
        "symlink": [(link, b"/etc/passwd")],
        "symlink-then-file": [(link, b"/tmp"), (_entry("link/escaped.txt"), b"out\n")],
        "duplicate": [(_entry("twice.txt"), b"one\n"), (_entry("twice.txt"), b"two\n")],
        "case-duplicate": [(_entry("Twice.txt"), b"one\n"), (_entry("twice.txt"), b"two\n")],
        "file-and-dir": [(_entry("both"), b"file\n"), (_entry("both/inside.txt"), b"dir\n")],
        "bad-name": [(_entry("new\nline.txt"), b"x\n")],
        "bomb": [(_entry("zeros.bin"), bytes(64 << 20))],
    }[kind]


def make_wheel(name, version, requires=(), files=None, entry_points=None, requires_python=None, tags="py3-none-any",
               extras=(), build=None, data=None, hostile=None, metadata_extra="", record="right", metadata=None,
               **said):
    """A wheel as File. `files`: path -> text or bytes (default: one module). `data`: paths under NAME.data/.
    `entry_points`: text of entry_points.txt, or {"command": "module:function"}. `hostile`: see _hostile_entries().
    `record`: right, wrong, none, short (lists too few). `metadata`: what the index answers for .metadata in place of
    the wheel's own. Others: fields of File."""
    module = name.replace("-", "_").replace(".", "_").lower()
    stem = f"{re.sub(r'[-_.]+', '_', name)}-{version}"
    info = f"{stem}.dist-info"
    if files is None:
        text = f"__version__ = {version!r}\n\n\ndef main():\n    print({name + ' ' + version!r})\n"
        files = {f"{module}/__init__.py": text}
    own = core_metadata(name, version, requires, requires_python, extras, metadata_extra)
    content = {path: text.encode() if isinstance(text, str) else text for path, text in files.items()}
    content.update({f"{stem}.data/{p}": t.encode() if isinstance(t, str) else t for p, t in (data or {}).items()})
    content[f"{info}/METADATA"] = own
    python, abi, platform = (part.split(".") for part in tags.split("-"))
    tag_lines = "".join(f"Tag: {a}-{b}-{c}\n" for a in python for b in abi for c in platform)
    pure = "false" if "none-any" not in tags else "true"
    head = f"Wheel-Version: 1.0\nGenerator: index_server\nRoot-Is-Purelib: {pure}\n"
    content[f"{info}/WHEEL"] = (head + tag_lines).encode()
    if isinstance(entry_points, dict):
        entry_points = "[console_scripts]\n" + "".join(f"{k} = {v}\n" for k, v in entry_points.items())
    if entry_points:
        content[f"{info}/entry_points.txt"] = entry_points.encode()
    out = io.BytesIO()
    lines = []
    with zipfile.ZipFile(out, "w") as z, _quiet():
        entries = [(_entry(p, 0o755 if p.endswith(".so") else 0o644), b) for p, b in content.items()]
        for entry, body in entries + _hostile_entries(hostile):
            z.writestr(entry, body)
            digest = base64.urlsafe_b64encode(hashlib.sha256(body).digest()).rstrip(b"=").decode()
            lines.append(f"{_csv(entry.filename)},sha256={digest if record != 'wrong' else 'A' * 43},{len(body)}\n")
        if record == "short":
            lines = lines[1:]
        if record != "none":
            z.writestr(_entry(f"{info}/RECORD"), "".join(lines) + f"{info}/RECORD,,\n")
    file_name = f"{stem}{'-' + build if build else ''}-{tags}.whl"
    said_metadata = own if metadata is None else metadata
    return File(file_name, out.getvalue(), said_metadata, name, version, requires_python, **said)


class _quiet:
    """zipfile warns of duplicate names; here they are meant."""

    def __enter__(self):
        import warnings
        self.catcher = warnings.catch_warnings()
        self.catcher.__enter__()
        warnings.simplefilter("ignore")

    def __exit__(self, *what):
        self.catcher.__exit__(*what)


def _csv(field):
    return '"' + field.replace('"', '""') + '"' if re.search(r'[",\n]', field) else field


BACKEND = '''
import base64, hashlib, os, zipfile
NAME, VERSION, METADATA = {name!r}, {version!r}, {metadata!r}
STEM = NAME.replace("-", "_") + "-" + VERSION

def build_wheel(where, config_settings=None, metadata_directory=None):
    module = NAME.replace("-", "_")
    body = {{f"{{module}}/__init__.py": f"__version__ = {{VERSION!r}}\\nBUILT = True\\n".encode(),
            f"{{STEM}}.dist-info/METADATA": METADATA,
            f"{{STEM}}.dist-info/WHEEL": b"Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n"}}
    record = ""
    with zipfile.ZipFile(os.path.join(where, STEM + "-py3-none-any.whl"), "w") as z:
        for path, data in body.items():
            z.writestr(path, data)
            digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
            record += f"{{path}},sha256={{digest}},{{len(data)}}\\n"
        z.writestr(f"{{STEM}}.dist-info/RECORD", record + f"{{STEM}}.dist-info/RECORD,,\\n")
    return STEM + "-py3-none-any.whl"
'''


def make_sdist(name, version, requires=(), requires_python=None, build_requires=(), files=None, backend=None, **said):
    """A .tar.gz with a build backend of its own that needs nothing but Python. `backend`: its text in place of that."""
    stem = f"{re.sub(r'[-_.]+', '_', name).lower()}-{version}"
    meta = core_metadata(name, version, requires, requires_python)
    content = {
        "pyproject.toml": f"[build-system]\nrequires = {json.dumps(list(build_requires))}\n"
                          f"build-backend = \"backend\"\nbackend-path = [\".\"]\n"
                          f"[project]\nname = \"{name}\"\nversion = \"{version}\"\n"
                          f"dependencies = {json.dumps(list(requires))}\n",
        "backend.py": backend or BACKEND.format(name=name, version=version, metadata=meta),
        "PKG-INFO": meta,
        **(files or {}),
    }
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        for path, body in content.items():
            body = body.encode() if isinstance(body, str) else body
            info = tarfile.TarInfo(f"{stem}/{path}")
            info.size = len(body)
            info.mtime = 1577836800
            tar.addfile(info, io.BytesIO(body))
    return File(f"{stem}.tar.gz", out.getvalue(), None, name, version, requires_python, **said)


def load_dir(path):
    """The wheels and source archives of a directory as Files."""
    for p in sorted(pathlib.Path(path).iterdir()):
        if p.suffix == ".whl":
            data = p.read_bytes()
            with zipfile.ZipFile(io.BytesIO(data)) as z:
                meta = [n for n in z.namelist() if re.fullmatch(r"[^/]+\.dist-info/METADATA", n)]
                metadata = z.read(meta[0]) if meta else None
            found = re.search(rb"^Requires-Python: *(.*)$", metadata or b"", re.M)
            name, version = p.name.split("-")[:2]
            yield File(p.name, data, metadata, name, version, found and found[1].decode().strip())
        elif p.name.endswith(".tar.gz"):
            name, version = p.name[:-7].rsplit("-", 1)
            yield File(p.name, p.read_bytes(), None, name, version)


# -- pages ----------------------------------------------------------------------------------------------------


def _hashes(f, b):
    if "no-hash" in b:
        return {}
    if "md5" in b:
        return {"md5": hashlib.md5(f.data).hexdigest()}
    return {"sha256": f.said_sha256()}


def _announced(f, b):
    return f.metadata is not None and "plain" not in b and "no-metadata" not in b


def json_page(project, files, links, b):
    listed = []
    for f in files:
        d = {"filename": f.name, "url": links(f), "hashes": _hashes(f, b), "yanked": f.yanked}
        if f.requires_python:
            d["requires-python"] = f.requires_python
        if "no-size" not in b:
            d["size"] = f.size if f.size is not None else len(f.data)
        if f.upload_time and "no-time" not in b:
            d["upload-time"] = f.upload_time
        if _announced(f, b):
            d["core-metadata"] = {"sha256": f.said_metadata_sha256()}
        listed.append(d)
    versions = sorted({f.version for f in files})
    page = {"meta": {"api-version": "1.1"}, "name": normalize(project), "versions": versions, "files": listed}
    return json.dumps(page).encode()


def html_page(project, files, links, b):
    lines = ["<!DOCTYPE html>", "<html><head>", '<meta name="pypi:repository-version" content="1.1">']
    if "base" in b:
        lines.append('<base href="../../files/">')
    lines.append(f"<title>Links for {project}</title></head><body>")
    for f in files:
        fragment = "".join(f"#{k}={v}" for k, v in _hashes(f, b).items())
        attributes = ""
        if f.requires_python:
            attributes += f' data-requires-python="{html.escape(f.requires_python)}"'
        if f.yanked is not False:
            attributes += f' data-yanked="{html.escape(f.yanked if isinstance(f.yanked, str) else "")}"'
        if _announced(f, b):
            attributes += f' data-core-metadata="sha256={f.said_metadata_sha256()}"'
            attributes += f' data-dist-info-metadata="sha256={f.said_metadata_sha256()}"'
        lines.append(f'<a href="{html.escape(links(f) + fragment)}"{attributes}>{html.escape(f.name)}</a><br>')
    return ("\n".join(lines) + "\n</body></html>\n").encode()


# -- the server -----------------------------------------------------------------------------------------------


class Gone(Exception):
    """The answer was broken off on purpose."""


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = 1 << 16
    timeout = 60

    def log_message(self, *_):
        pass

    def do_HEAD(self):
        self.do_GET()

    def do_GET(self):
        try:
            self.answer()
        except (Gone, BrokenPipeError, ConnectionResetError, TimeoutError):
            self.close_connection = True

    def parse(self):
        """The path without /x/..., and the behaviours that count for it."""
        path = self.path.split("?")[0]
        seen = self.server.owner.count(self.command, self.path)
        b = {}
        prefix = ""
        found = re.match(r"/x/([^/]*)(/.*)", path)
        words = found[1].split(",") if found else []
        if found:
            prefix, path = f"/x/{found[1]}", found[2]
        for start, more in self.server.owner.behaviours.items():
            if path.startswith(start):
                words = words + more.split(",")
        kind = "metadata" if path.endswith(".metadata") else "page" if path.startswith("/simple") else "file"
        for word in words:
            word, _, times = word.partition("!")
            word, _, only = word.partition("@")
            word, _, value = word.partition("=")
            if word and only in ("", kind) and (not times or seen <= int(times)):
                b[word] = urllib.parse.unquote(value)
        return prefix, urllib.parse.unquote(path), b

    def answer(self):
        owner = self.server.owner
        prefix, path, b = self.parse()
        if path.startswith("/-/"):
            return self.control(path)
        if "delay" in b:
            time.sleep(min(float(b["delay"]), 30))
        if self.misbehave_before(prefix, path, b):
            return None
        if "auth" in b:
            want = "Basic " + base64.b64encode(b["auth"].encode()).decode()
            if self.headers.get("Authorization") != want:
                more = {"WWW-Authenticate": 'Basic realm="test"'}
                return self.send(401, b"credentials wanted\n", "text/plain", b, more)
        if "echo" in b:
            return self.send(200, json.dumps(dict(self.headers)).encode(), "application/json", b)
        if "status" in b:
            more = {}
            if "retry-after" in b:
                value = b["retry-after"]
                if value.startswith("date:"):
                    value = email.utils.formatdate(time.time() + float(value[5:]), usegmt=True)
                more["Retry-After"] = value
            return self.send(int(b["status"]), b"no\n", "text/plain", b, more)
        body, kind = owner.content(prefix, path, b, self.headers.get("Accept", "*/*"), self.headers.get("Host", ""))
        if body is None:
            return self.send(404, b"not found\n", "text/plain", b)
        return self.send(200, self.misbehave_body(body, b), kind, b)

    def control(self, path):
        owner = self.server.owner
        if path == "/-/reset":
            owner.counts.clear()
        if path == "/-/stop":
            threading.Thread(target=owner.stop, daemon=True).start()
        self.send(200, json.dumps(owner.counts).encode(), "application/json", {"no-etag": ""})

    def redirect(self, to):
        self.send(302, b"", "text/plain", {"no-etag": ""}, {"Location": to})
        return True

    def misbehave_before(self, prefix, path, b):
        """Behaviours that replace the whole answer; True when one did."""
        if "silent" in b:
            self.server.owner.stopping.wait(60)
            raise Gone
        if "garbage" in b:
            self.wfile.write(b"\0\1\2 this is no HTTP\r\n\r\n" * 4)
            self.wfile.flush()
            raise Gone
        if "loop" in b:
            return self.redirect(self.path)
        if "redirect" in b and int(b["redirect"]) > 0:
            left = int(b["redirect"]) - 1
            return self.redirect(re.sub(r"redirect=\d+", f"redirect={left}", self.path))
        if "to" in b:
            return self.redirect(b["to"])
        host = self.headers.get("Host", "")
        if "to-localhost" in b and not host.startswith("localhost"):
            return self.redirect(f"http://localhost:{self.server.server_port}{self.path}")
        if "endless" in b:
            self.endless()
        if "bomb" in b:
            self.bomb(int(b["bomb"]))
            return True
        if "huge-headers" in b:
            self.send_response(200)
            for i in range(64):
                self.send_header(f"X-Fill-{i}", "x" * 16000)
            self.end_headers()
            raise Gone
        return False

    def endless(self):
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        chunk = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"
        while not self.server.owner.stopping.is_set():
            self.wfile.write(chunk)

    def bomb(self, mib):
        out = io.BytesIO()
        with gzip.GzipFile(fileobj=out, mode="wb", compresslevel=9) as z:
            for _ in range(min(mib, 4096)):
                z.write(bytes(1 << 20))
        body = out.getvalue()
        self.send_response(200)
        self.send_header("Content-Type", HTML_TYPE)
        self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def misbehave_body(self, body, b):
        if "flip" in b and body:
            middle = len(body) // 2
            body = body[:middle] + bytes([body[middle] ^ 1]) + body[middle + 1:]
        if "longer" in b:
            body += b"\0" * int(b["longer"])
        if "shorter" in b:
            body = body[:-int(b["shorter"])]
        if "bad-utf8" in b:
            body = body.replace(b"demo", b"d\xffmo")
        return body

    def part(self, body, etag, b):
        """What a Range header asks for: (from, to) or None for all of it, or False for 416."""
        asked = re.fullmatch(r"bytes=(\d*)-(\d*)", self.headers.get("Range", ""))
        if not asked or "no-ranges" in b or self.headers.get("If-Range", etag) not in (etag, MODIFIED):
            return None
        if asked[1]:
            start, end = int(asked[1]), min(int(asked[2] or len(body) - 1), len(body) - 1)
        else:
            start, end = max(len(body) - int(asked[2]), 0), len(body) - 1
        if start > end:
            return False
        return (start, end)

    def send(self, status, body, kind, b, more=None):
        headers = {"Content-Type": "text/plain" if "wrong-type" in b else kind, **(more or {})}
        etag = f'"{hashlib.sha256(body).hexdigest()[:16]}"'
        if "new-etag" in b:
            etag = f'"{time.monotonic_ns()}"'
        if "max-age" in b:
            headers["Cache-Control"] = f"max-age={b['max-age']}, public"
        if "no-store" in b:
            headers["Cache-Control"] = "no-store"
        if "immutable" in b:
            headers["Cache-Control"] = "max-age=365000000, immutable"
        if status == 200 and "no-etag" not in b:
            headers["ETag"], headers["Last-Modified"] = etag, MODIFIED
            if self.headers.get("If-None-Match") == etag:
                return self.write(304, b"", headers, b)
            if "If-None-Match" not in self.headers and self.headers.get("If-Modified-Since") == MODIFIED:
                return self.write(304, b"", headers, b)
        if status == 200 and "no-ranges" not in b:
            headers["Accept-Ranges"] = "bytes"
            span = self.part(body, etag if "no-etag" not in b else "", b)
            if span is False:
                return self.write(416, b"", {"Content-Range": f"bytes */{len(body)}"}, b)
            if span:
                shift = 1 if "elsewhere" in b else 0
                headers["Content-Range"] = f"bytes {span[0] + shift}-{span[1]}/{len(body)}"
                return self.write(206, body[span[0] + shift:span[1] + 1], headers, b)
        if "gzip" in b and "gzip" in self.headers.get("Accept-Encoding", ""):
            headers["Content-Encoding"] = "gzip"
            body = gzip.compress(body, 1)
        return self.write(status, body, headers, b)

    def write(self, status, body, headers, b):
        if "close10" in b:
            self.protocol_version = "HTTP/1.0"
            self.close_connection = True
        self.send_response(status)
        for k, v in headers.items():
            self.send_header(k, v)
        if "close10" not in b and status != 304:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "HEAD" or status == 304:
            return
        if status < 300 and ("truncate" in b or "reset" in b):
            self.wfile.write(body[:int(b.get("truncate", b.get("reset")))])
            self.wfile.flush()
            if "reset" in b:
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                self.connection.close()
            raise Gone
        if status < 300 and "drip" in b:
            for byte in body:
                self.wfile.write(bytes([byte]))
                self.wfile.flush()
                if self.server.owner.stopping.wait(0.5):
                    raise Gone
        self.wfile.write(body)


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256
    allow_reuse_address = False

    def __init__(self, owner):
        self.owner = owner
        self.room = threading.BoundedSemaphore(256)
        super().__init__(("127.0.0.1", 0), Handler)

    def process_request(self, request, client_address):
        self.room.acquire()
        super().process_request(request, client_address)

    def process_request_thread(self, request, client_address):
        try:
            super().process_request_thread(request, client_address)
        finally:
            self.room.release()

    def handle_error(self, request, client_address):
        pass


class IndexServer:
    def __init__(self, files=(), certificate=None):
        """`certificate`: a PEM file with its key; the server then speaks TLS."""
        self.projects = {}  # normalized name -> [File]
        self.files = {}  # file name -> File
        self.behaviours = {}  # path prefix -> behaviours, for all requests below it
        self.counts = {}  # path with query -> requests
        self.lock = threading.Lock()
        self.stopping = threading.Event()
        self.pages = {}
        for f in files:
            self.add(f)
        self.server = _Server(self)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            self.server.socket = context.wrap_socket(self.server.socket, True, do_handshake_on_connect=False)
            self.url = self.url.replace("http:", "https:")
        self.index = self.url + "/simple/"

    def add(self, f):
        self.projects.setdefault(normalize(f.project), []).append(f)
        self.files[f.name] = f
        self.pages.clear()
        return f

    def view(self, behaviours):
        """The index under these behaviours; relative links stay below them."""
        return f"{self.url}/x/{behaviours}/simple/"

    def count(self, command, path):
        with self.lock:
            key = path if command == "GET" else f"{command} {path}"
            self.counts[key] = self.counts.get(key, 0) + 1
            return self.counts[key]

    def requests(self):
        with self.lock:
            return sum(n for path, n in self.counts.items() if not path.startswith("/-/"))

    def content(self, prefix, path, b, accept, host):
        """(body, type) or (None, None)."""
        if path == "/simple/":
            if "html" in b or (JSON_TYPE not in accept and "json" not in b):
                names = "".join(f'<a href="{n}/">{n}</a>\n' for n in sorted(self.projects))
                return f"<!DOCTYPE html><html><body>{names}</body></html>".encode(), HTML_TYPE
            return json.dumps({"meta": {"api-version": "1.1"},
                               "projects": [{"name": n} for n in sorted(self.projects)]}).encode(), JSON_TYPE
        if path.startswith("/simple/"):
            return self.page(prefix, path, b, accept, host)
        if not path.startswith("/files/"):
            return None, None
        name = path[len("/files/"):]
        if name.endswith(".metadata"):
            f = self.files.get(name[:-len(".metadata")])
            if not f or f.metadata is None or "no-metadata" in b:
                return None, None
            return f.metadata, "application/octet-stream"
        f = self.files.get(name)
        return (f.data, "application/octet-stream") if f else (None, None)

    def page(self, prefix, path, b, accept, host):
        project = normalize(path[len("/simple/"):].strip("/"))
        if project not in self.projects:
            return None, None
        as_json = "json" in b or (JSON_TYPE in accept and "html" not in b)
        key = (prefix, project, as_json, host)
        if key not in self.pages or b:
            base = "../../files/"
            if "base" in b and not as_json:
                base = ""
            if "absolute" in b:
                base = f"http://{host}{prefix}/files/"
            if "protocol" in b:
                base = f"//{host}{prefix}/files/"
            make = json_page if as_json else html_page
            body = make(project, self.projects[project], lambda f: base + urllib.parse.quote(f.name), b)
            self.pages[key] = (body, JSON_TYPE if as_json else HTML_TYPE + "; charset=utf-8")
        return self.pages[key]

    def start(self):
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def stop(self):
        self.stopping.set()
        self.server.shutdown()
        self.server.server_close()

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()


def demo_files(many):
    """What the command line serves without --dir."""
    yield make_wheel("demo", "1.0", requires=["dep>=1"], entry_points={"demo": "demo:main"})
    yield make_wheel("demo", "1.1", requires=["dep>=2"], requires_python=">=3.8,<4", upload_time="2021-01-01T00:00:00Z")
    yield make_wheel("demo", "1.2", yanked="broken on purpose")
    yield make_wheel("dep", "1.0")
    yield make_wheel("dep", "2.0")
    yield make_sdist("sdist-only", "1.0", requires=["dep"])
    yield make_wheel("large", "1.0", files={"large/noise.bin": _noise(4 << 20)})
    for i in range(many):
        yield make_wheel(f"many-{i}", "1.0")


def _noise(n):
    """Bytes that do not compress, the same in each run."""
    return hashlib.shake_256(b"seed").digest(n)


def end_with_parent():
    parent = os.getppid()
    try:
        ctypes.CDLL(None).prctl(1, signal.SIGKILL, 0, 0, 0)  # PR_SET_PDEATHSIG
    except (OSError, AttributeError):
        pass  # the thread below sees it too, later
    if os.getppid() != parent:
        os._exit(1)

    def watch():
        while os.getppid() == parent:
            time.sleep(1)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def main():
    parser = argparse.ArgumentParser(description="a package index on the loopback, for tests")
    parser.add_argument("--dir", help="serve the wheels and source archives of this directory")
    parser.add_argument("--many", type=int, default=0, help="add this many small projects")
    parser.add_argument("--certificate", help="speak TLS with this PEM file of certificate and key")
    parser.add_argument("--lifetime", type=float, default=600, help="end after this many seconds")
    parser.add_argument("--stdin", action="store_true", help="end when standard input ends")
    args = parser.parse_args()
    end_with_parent()
    files = load_dir(args.dir) if args.dir else demo_files(min(args.many, 10000))
    server = IndexServer(files, args.certificate).start()
    print(server.url, flush=True)
    if args.stdin:
        threading.Thread(target=lambda: (sys.stdin.buffer.read(), server.stop()), daemon=True).start()
    server.stopping.wait(args.lifetime)
    os._exit(0)


if __name__ == "__main__":
    main()
