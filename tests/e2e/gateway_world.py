"""A pretended Internet for test_gateway.py: run by `unshare -nm`, says READY and its pid, lives until its stdin ends.

This process is in the pretended machine's network and mount namespaces: 203.0.113.1 is its address, /etc/hosts holds its
names. A child is in the network beyond: the servers, each on an address of its own, and 10.9.9.9 and 169.254.169.254,
which are reachable from the machine and must not be from a sandbox. Nothing leaves the two namespaces.
"""
import ctypes
import os
import socket
import ssl
import struct
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

CLONE_NEWNET = 0x40000000
MACHINE, GOOD, OTHER, PRIVATE, META, SIX = ("203.0.113.1", "203.0.113.6", "203.0.113.7", "10.9.9.9", "169.254.169.254",
                                            "2001:db8:1::6")
NAMES = "203.0.113.53"
# Not allowed: another server, one in a private network, 203.0.113.6 behind 6to4, and a neighbour on the link.
MORE_SIX = ("2001:db8:1::7", "fd00:9::9", "2002:cb00:7106::1", "fe80::fe")
HOSTS = f"""127.0.0.1 localhost loop.test
{GOOD} good.test a.wild.test b.wild.test evil-good.test good.test.evil mixed.test
{OTHER} other.test
{PRIVATE} private.test mixed.test
{META} meta.test
{MACHINE} own.test
{SIX} six.test
fd00:9::9 private6.test
"""


def ip(*words):
    subprocess.run(["ip", *words], check=True)


def answer(sock, where):
    """HTTP/1.1 with keep-alive: says which server it is, which host was asked for and what was sent."""
    f = sock.makefile("rb")
    while True:
        line = f.readline()
        if not line:
            return
        fields = {}
        while True:
            h = f.readline().strip()
            if not h:
                break
            k, _, v = h.partition(b":")
            fields[k.lower()] = v.strip()
        if fields.get(b"transfer-encoding") == b"chunked":
            body = b""
            while True:
                n = int(f.readline(), 16)
                body += f.read(n)
                f.readline()
                if n == 0:
                    break
        else:
            body = f.read(int(fields.get(b"content-length", b"0")))
        text = b"%s %s %d" % (where.encode(), fields.get(b"host", b"-"), len(body))
        if b"big" in line:
            text = b"x" * (8 << 20)
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(text), text))


def echo(sock, where):
    """Everything back after the other side has ended: shows that half-closing passes."""
    data = b""
    while chunk := sock.recv(65536):
        data += chunk
    sock.sendall(where.encode() + b" " + data)


def serve(address, port, handle, context=None):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    at = socket.getaddrinfo(address, port, family, socket.SOCK_STREAM)[0][4]
    listener = socket.create_server(at, family=family, backlog=512)

    def one(sock):
        try:
            if context:
                sock = context.wrap_socket(sock, server_side=True)
            handle(sock, address)
        except (OSError, ValueError):
            pass
        finally:
            sock.close()

    def loop():
        while True:
            threading.Thread(target=one, args=(listener.accept()[0],), daemon=True).start()

    threading.Thread(target=loop, daemon=True).start()


def datagrams(address, port):
    """Each comes back with "udp " before it; "elsewhere" from another port, which nobody has written to."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    here, other = (socket.socket(family, socket.SOCK_DGRAM) for _ in range(2))
    here.bind((address, port))
    other.bind((address, 0))

    def loop():
        while True:
            data, who = here.recvfrom(65535)
            (other if data == b"elsewhere" else here).sendto((b"udp " + data)[:65000], who)

    threading.Thread(target=loop, daemon=True).start()


def names(address):
    """A name server: cname.test leads to a private address by another name, rebind.test there from the second time on."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind((address, 53))
    asked = set()

    def record(name, kind, data):
        return name + struct.pack(">HHIH", kind, 1, 0, len(data)) + data

    def answers(name, kind):
        here, there = b"\xc0\x0c", b"\x06inside\x04test\x00"
        if kind != 1:
            return []
        if name == b"\x05cname\x04test\x00":
            return [record(here, 5, there), record(there, 1, socket.inet_aton(PRIVATE))]
        if name == b"\x06rebind\x04test\x00":
            first = name not in asked
            asked.add(name)
            return [record(here, 1, socket.inet_aton(GOOD if first else PRIVATE))]
        return []

    def loop():
        while True:
            q, who = sock.recvfrom(512)
            end = q.index(0, 12) + 1
            name, kind = q[12:end].lower(), struct.unpack(">H", q[end:end + 2])[0]
            if name == b"\x05again\x04test\x00":  # the next that asks for rebind.test is the first
                asked.clear()
            found = answers(name, kind)
            known = name in (b"\x05cname\x04test\x00", b"\x06rebind\x04test\x00")
            sock.sendto(q[:2] + struct.pack(">HHHHH", 0x8180 | (0 if known else 3), 1, len(found), 0, 0) +
                        q[12:end + 4] + b"".join(found), who)

    threading.Thread(target=loop, daemon=True).start()


def beyond(ready, go, directory):
    os.read(go, 1)
    ip("link", "set", "lo", "up")
    ip("addr", "add", "203.0.113.254/24", "dev", "far0")
    ip("addr", "add", "2001:db8:1::fe/64", "dev", "far0", "nodad")
    ip("link", "set", "far0", "up")
    for a in (GOOD, OTHER, PRIVATE, META, NAMES):
        ip("addr", "add", a + "/32", "dev", "far0")
    for a in (SIX, *MORE_SIX):
        ip("addr", "add", a + ("/64" if a.startswith("fe80") else "/128"), "dev", "far0", "nodad")
    cert, key = directory / "cert.pem", directory / "key.pem"
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    for a in (GOOD, OTHER, PRIVATE, META, SIX, *MORE_SIX[:3], MORE_SIX[3] + "%far0"):
        serve(a, 80, answer)
        serve(a, 8080, answer)
        serve(a, 443, answer, context)
        serve(a, 853, answer, context)
        serve(a, 9000, echo)
        serve(a, 9001, echo)
    for a in (GOOD, OTHER, PRIVATE, META, SIX, *MORE_SIX[:2]):
        for port in (53, 443, 9000, 9001):
            datagrams(a, port)
    names(NAMES)
    os.write(ready, b"r")
    threading.Event().wait()


def main():
    directory = Path(sys.argv[1])
    libc = ctypes.CDLL(None, use_errno=True)
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", directory / "key.pem", "-out",
                    directory / "cert.pem", "-days", "7", "-subj", "/CN=good.test", "-addext",
                    "subjectAltName=DNS:good.test,DNS:other.test,DNS:*.wild.test,DNS:six.test,DNS:mixed.test"],
                   check=True, capture_output=True)
    os.chmod(directory / "cert.pem", 0o644)
    for name, text in (("hosts", HOSTS), ("nsswitch.conf", "passwd: files\ngroup: files\nhosts: files dns\n"),
                       ("resolv.conf", f"nameserver {NAMES}\noptions timeout:1 attempts:2\n")):
        (directory / name).write_text(text)
        os.chmod(directory / name, 0o644)
        subprocess.run(["mount", "--bind", directory / name, f"/etc/{name}"], check=True)
    ready, go, entered = os.pipe(), os.pipe(), os.pipe()
    child = os.fork()
    if child == 0:
        ctypes.CDLL(None).prctl(1, 9)
        if libc.unshare(CLONE_NEWNET) != 0:
            os._exit(1)
        os.write(entered[1], b"e")
        beyond(ready[1], go[0], directory)
    os.close(ready[1])
    os.close(entered[1])
    assert os.read(entered[0], 1) == b"e"
    ip("link", "set", "lo", "up")
    ip("link", "add", "near0", "type", "veth", "peer", "name", "far0", "netns", str(child))
    ip("addr", "add", MACHINE + "/24", "dev", "near0")
    ip("addr", "add", "2001:db8:1::1/64", "dev", "near0", "nodad")
    ip("link", "set", "near0", "up")
    ip("route", "add", "default", "via", "203.0.113.254")
    ip("route", "add", "default", "via", "2001:db8:1::fe")
    Path("/proc/sys/net/ipv4/ping_group_range").write_text("0 2147483647")
    os.write(go[1], b"g")
    if os.read(ready[0], 1) != b"r":
        sys.exit("the servers did not start")
    local = socket.create_server(("127.0.0.1", 22), backlog=8)
    own = socket.create_server((MACHINE, 80), backlog=8)
    print("READY", os.getpid(), flush=True)
    sys.stdin.read()
    local.close()
    own.close()
    os.kill(child, 9)


main()
