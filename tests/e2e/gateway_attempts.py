"""Ways out, tried one by one: run inside a sandbox and outside of it by test_gateway.py. Prints one JSON object."""
import errno
import json
import os
import socket
import ssl
import struct
import sys

GOOD, OTHER, META, SIX, SIX_OTHER = "203.0.113.6", "203.0.113.7", "169.254.169.254", "2001:db8:1::6", "2001:db8:1::7"
INSIDE = len(sys.argv) > 1 and sys.argv[1] == "inside"
ROUTER, ROUTER_SIX = ("10.0.2.2", "fd62:6c61:7374::2") if INSIDE else (GOOD, SIX)
attempts = {}


def attempt(f):
    attempts[f.__name__] = f
    return f


def connect(host, port, family=None, patience=5):
    s = socket.socket(family or (socket.AF_INET6 if ":" in host else socket.AF_INET))
    s.settimeout(patience)
    s.connect(socket.getaddrinfo(host, port, s.family, socket.SOCK_STREAM)[0][4])
    return s


def rest(s):
    data = b""
    while True:
        chunk = s.recv(65536)
        if not chunk:
            return data
        data += chunk


pending = {}  # what came behind an answer, by connection


def one_answer(s):
    """One answer of the server: the text behind its head."""
    data = pending.pop(s.fileno(), b"")
    while b"\r\n\r\n" not in data:
        chunk = s.recv(4096)
        if not chunk:
            raise ConnectionResetError(errno.ECONNRESET, "ended")
        data += chunk
    head, _, body = data.partition(b"\r\n\r\n")
    n = int(head.split(b"Content-Length: ")[1].split(b"\r\n")[0])
    while len(body) < n:
        chunk = s.recv(65536)
        if not chunk:
            raise ConnectionResetError(errno.ECONNRESET, "ended")
        body += chunk
    pending[s.fileno()] = body[n:]
    return body[:n].decode()


def http(text, host="good.test", port=80, times=1):
    with connect(host, port) as s:
        s.sendall(text.replace("\n", "\r\n").encode())
        answers = [one_answer(s) for _ in range(times)]
        pending.clear()
        return " | ".join(answers)


def tls(name, host="good.test", port=443):
    context = ssl.create_default_context(cafile="cert.pem")
    context.check_hostname = False
    with connect(host, port) as s, context.wrap_socket(s, server_hostname=name) as t:
        t.sendall(b"GET / HTTP/1.1\r\nHost: good.test\r\n\r\n")
        return one_answer(t)


def hello(name):
    """A real ClientHello, with this server name."""
    out, into = ssl.MemoryBIO(), ssl.MemoryBIO()
    context = ssl.create_default_context()
    context.check_hostname = False
    o = context.wrap_bio(into, out, server_hostname=name)
    try:
        o.do_handshake()
    except ssl.SSLWantReadError:
        pass
    return out.read()


def raw_hello(data, pieces=None):
    with connect("good.test", 443) as s:
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for piece in pieces or [data]:
            s.sendall(piece)
        return "answered" if s.recv(5)[:1] == b"\x16" else "ended"


def dns(name, kind=1, server=ROUTER, tcp=False, patience=2):
    q = struct.pack(">HHHHHH", 77, 0x100, 1, 0, 0, 0)
    q += b"".join(bytes([len(p)]) + p.encode("latin-1") for p in name.split(".")) + b"\0" + struct.pack(">HH", kind, 1)
    if tcp:
        with connect(server, 53) as s:
            s.sendall(struct.pack(">H", len(q)) + q)
            n = struct.unpack(">H", s.recv(2))[0]
            a = s.recv(n)
    else:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.settimeout(patience)
            s.connect((server, 53))
            s.send(q)
            a = s.recv(2048)
    code, n = a[3] & 15, struct.unpack(">H", a[6:8])[0]
    return f"code {code}" if code else (socket.inet_ntoa(a[-4:]) if n else "no data")


# ------------------------------------------------------------ what is allowed

@attempt
def http_allowed(): return http("GET / HTTP/1.1\nHost: good.test\n\n")
@attempt
def http_port_in_host(): return http("GET / HTTP/1.1\nHost: GOOD.test.:8080\n\n", port=8080)
@attempt
def http_twice(): return http("GET / HTTP/1.1\nHost: good.test\n\n" * 2, times=2)
@attempt
def http_bodies():
    return http("POST / HTTP/1.1\nHost: good.test\nContent-Length: 5\n\nhello"
                "POST / HTTP/1.1\nHost: good.test\nTransfer-Encoding: chunked\n\n5\nhello\n3\nabc\n0\n\n"
                "GET / HTTP/1.1\nHost: good.test\n\n", times=3)
@attempt
def http_large_body(): return http("POST / HTTP/1.1\nHost: good.test\nContent-Length: 3000000\n\n" + "x" * 3000000)
@attempt
def http_large_answer():
    with connect("good.test", 80) as s:
        s.sendall(b"GET /big HTTP/1.1\r\nHost: good.test\r\n\r\n")
        return str(len(one_answer(s)))
@attempt
def http_in_single_bytes():
    with connect("good.test", 80) as s:
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for b in b"GET / HTTP/1.1\r\nHost: good.test\r\n\r\n":
            s.sendall(bytes([b]))
        return one_answer(s)
@attempt
def https_allowed(): return tls("good.test")
@attempt
def https_upper_case(): return tls("GOOD.test")
@attempt
def https_split():
    h = hello("good.test")
    return raw_hello(h, [h[:3], h[3:50], h[50:51], h[51:]])
@attempt
def https_in_records():
    h = hello("good.test")
    body = h[5:]
    return raw_hello(h, [b"\x16\x03\x01" + struct.pack(">H", len(p)) + p for p in (body[:40], body[40:90], body[90:])])
@attempt
def wildcard_allowed(): return http("GET / HTTP/1.1\nHost: a.wild.test\n\n", host="a.wild.test")
@attempt
def over_ipv6(): return http("GET / HTTP/1.1\nHost: six.test\n\n", host="six.test" if INSIDE else GOOD)
@attempt
def half_close():
    with connect("good.test", 9000) as s:
        s.sendall(b"x" * 100000)
        s.shutdown(socket.SHUT_WR)
        return f"{len(rest(s))}"
@attempt
def one_good_address_of_two(): return http("GET / HTTP/1.1\nHost: mixed.test\n\n", host="mixed.test" if INSIDE else GOOD)


# ------------------------------------------------------------ addresses and ports

@attempt
def unlisted_address(): return connect(OTHER, 80) and "connected"
@attempt
def true_address_of_allowed(): return connect(GOOD, 80) and "connected"
@attempt
def unlisted_port(): return connect("good.test", 9001) and "connected"
@attempt
def metadata_address(): return connect(META, 80) and "connected"
@attempt
def loopback_of_machine(): return connect("127.0.0.1", 22) and "connected"
@attempt
def router_open_port(): return http("GET / HTTP/1.1\nHost: good.test\n\n", host=ROUTER)
@attempt
def router_other_port(): return connect(ROUTER, 9001) and "connected"
@attempt
def unused_synthetic(): return http("GET / HTTP/1.1\nHost: good.test\n\n", host="198.18.200.1")
@attempt
def ipv6_literal(): return http("GET / HTTP/1.1\nHost: any.test\n\n", host=SIX)
@attempt
def ipv6_half_close():
    with connect(SIX, 9000) as s:
        s.sendall(b"x" * 100000)
        s.shutdown(socket.SHUT_WR)
        return f"{len(rest(s))}"
@attempt
def ipv6_unlisted_port(): return connect(SIX, 9001) and "connected"
@attempt
def ipv6_unlisted(): return connect(SIX_OTHER, 80) and "connected"
@attempt
def ipv6_private(): return connect("fd00:9::9", 80) and "connected"
@attempt
def ipv6_in_6to4(): return connect("2002:cb00:7106::1", 80) and "connected"
@attempt
def ipv6_router(): return http("GET / HTTP/1.1\nHost: any.test\n\n", host=ROUTER_SIX)
@attempt
def ipv6_of_link(): return connect("fe80::fe%" + ("eth0" if INSIDE else "near0"), 80) and "connected"
@attempt
def ipv6_of_link_of_router(): return connect("fe80::2%eth0", 80) and "connected"
@attempt
def ipv4_mapped(): return connect("::ffff:" + OTHER, 80) and "connected"
@attempt
def ipv4_mapped_allowed(): return http("GET / HTTP/1.1\nHost: any.test\n\n", host="::ffff:" + GOOD)
@attempt
def leads_to_private6():
    return http("GET / HTTP/1.1\nHost: private6.test\n\n", host="private6.test" if INSIDE else "fd00:9::9")
def datagram(host, port=9000, data=b"secret", patience=1):
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.settimeout(patience)
        s.connect((host, port))
        s.send(data)
        return s.recv(65535).decode()
@attempt
def udp(): return datagram("good.test", patience=5)
@attempt
def udp_ipv6(): return datagram(SIX, patience=5)
@attempt
def udp_over_ipv6(): return datagram("six.test" if INSIDE else SIX, patience=5)
@attempt
def udp_large(): return str(len(datagram("good.test", data=b"x" * 60000, patience=5)))
@attempt
def udp_unlisted_port(): return datagram("good.test", 9001)
@attempt
def udp_unlisted(): return datagram(OTHER)
@attempt
def udp_unlisted_ipv6(): return datagram(SIX_OTHER)
@attempt
def udp_to_private(): return datagram("private.test" if INSIDE else "10.9.9.9")
@attempt
def udp_to_metadata(): return datagram("meta.test" if INSIDE else META)
@attempt
def udp_to_router(): return datagram(ROUTER)
@attempt
def udp_unused_synthetic(): return datagram("198.18.200.1")
@attempt
def udp_of_another_port():
    if not INSIDE:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.settimeout(5)
            s.sendto(b"elsewhere", (GOOD, 9000))
            return s.recv(100).decode()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.settimeout(1)
        s.sendto(b"elsewhere", (socket.gethostbyname("good.test"), 9000))
        return s.recv(100).decode()
@attempt
def udp_quic(): return datagram("good.test", 443)
@attempt
def udp_dns_elsewhere(): return datagram(GOOD, 53)
@attempt
def udp_broadcast():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.settimeout(1)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        s.sendto(b"secret", ("255.255.255.255", 9000))
        return s.recv(100).decode()
@attempt
def udp_answers():
    """Of 100 datagrams, one at a time, how many come back."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.connect(("good.test", 9000))
        s.settimeout(5)
        s.send(b"first")
        n = len(s.recv(100)) > 0
        s.settimeout(0.03)
        for _ in range(99):
            s.send(b"x" * 1000)
            try:
                n += len(s.recv(2000)) > 0
            except socket.timeout:
                pass
        return str(n)
@attempt
def ping():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM, socket.IPPROTO_ICMP) as s:
        s.settimeout(1)
        s.connect((GOOD, 0))
        s.send(b"\x08\0\0\0\0\0\0\1secret")
        return s.recv(100)[8:].decode()
@attempt
def raw_gre(): return socket.socket(socket.AF_INET, socket.SOCK_RAW, 47) and "made"
@attempt
def packet_socket(): return socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) and "made"
@attempt
def netfilter(): return socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 12) and "made"
@attempt
def raw_icmp(): return socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP) and "made"
@attempt
def sctp(): return socket.socket(socket.AF_INET, socket.SOCK_STREAM, 132) and "made"
def ask_kernel(kind, flags, body):
    """One request of rtnetlink(7)."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as s:
        s.send(struct.pack("IHHII", 16 + len(body), kind, 5 | flags, 1, 0) + body)
        code = struct.unpack("i", s.recv(4096)[16:20])[0]
    if code:
        raise OSError(-code, os.strerror(-code))
    return "done"
def member(kind, data): return struct.pack("HH", 4 + len(data), kind) + data + bytes(-len(data) % 4)
@attempt
def add_route():
    body = struct.pack("BBBBBBBBI", socket.AF_INET, 32, 0, 0, 254, 4, 0, 6, 0) + member(1, socket.inet_aton(OTHER))
    return ask_kernel(24, 0x400, body)
@attempt
def add_address():
    return ask_kernel(20, 0x400, struct.pack("BBBBI", socket.AF_INET, 32, 0, 0, 1) + member(2, socket.inet_aton(OTHER)))
@attempt
def take_link_down(): return ask_kernel(16, 0, struct.pack("BxHiII", 0, 0, 1, 0, 1))
@attempt
def new_link():
    return ask_kernel(16, 0x600, struct.pack("BxHiII", 0, 0, 0, 0, 0) + member(18, member(1, b"veth\0")))
@attempt
def write_sysctl():
    with open("/proc/sys/net/ipv4/ip_forward", "w") as f:
        f.write("1")
    return "done"


# ------------------------------------------------------------ names

@attempt
def dns_allowed(): return dns("good.test")
@attempt
def dns_upper_case(): return dns("GOOD.Test")
@attempt
def dns_over_tcp(): return dns("good.test", tcp=True)
@attempt
def dns_of_any_server(): return dns("good.test", server="198.18.9.9")
@attempt
def dns_ipv6(): return dns("good.test", 28)
@attempt
def dns_https(): return dns("good.test", 65)
@attempt
def dns_unlisted(): return dns("other.test")
@attempt
def dns_tunnel(): return dns("c2VjcmV0.other.test", 16)
@attempt
def dns_suffix_before(): return dns("evil-good.test")
@attempt
def dns_suffix_behind(): return dns("good.test.evil")
@attempt
def dns_below(): return dns("x.good.test")
@attempt
def dns_wildcard_itself(): return dns("wild.test")
@attempt
def dns_text(): return dns("good.test", 16)
@attempt
def dns_null(): return dns("good.test", 10)
@attempt
def dns_unlisted_over_tcp(): return dns("other.test", tcp=True)
@attempt
def dns_with_at(): return dns("good.test@evil")
@attempt
def dns_over_tls(): return tls("good.test", port=853)
@attempt
def dns_over_https(): return tls("other.test", host=OTHER)
@attempt
def dns_odd_bytes(): return dns("good\x00.test")
@attempt
def dns_of_the_world(): return dns("good.test", server="8.8.8.8", patience=1)
@attempt
def dns_labels_are_bounded():
    return " ".join(sorted({dns(f"l{i}.wild.test").split(".")[0] for i in range(80)}))
@attempt
def leads_to_private(): return http("GET / HTTP/1.1\nHost: private.test\n\n", host="private.test" if INSIDE else "10.9.9.9")
@attempt
def leads_to_metadata(): return http("GET / HTTP/1.1\nHost: meta.test\n\n", host="meta.test" if INSIDE else META)
@attempt
def leads_to_loopback(): return connect("127.0.0.1", 22) if not INSIDE else http("GET / HTTP/1.1\nHost: loop.test\n\n", host="loop.test")
@attempt
def leads_by_cname(): return http("GET / HTTP/1.1\nHost: cname.test\n\n", host="cname.test")
@attempt
def leads_there_later():
    """The name server is asked anew: first it answers with an address that may be, then with a private one."""
    try:
        socket.gethostbyname("again.test")
    except OSError:
        pass
    first = http("GET / HTTP/1.1\nHost: rebind.test\n\n", host="rebind.test")
    return first + " | " + http("GET / HTTP/1.1\nHost: rebind.test\n\n", host="rebind.test")
@attempt
def leads_to_machine(): return connect("203.0.113.1", 80) if not INSIDE else http("GET / HTTP/1.1\nHost: own.test\n\n", host="own.test")


# ------------------------------------------------------------ TLS and HTTP that say another name

@attempt
def sni_of_another(): return tls("other.test")
@attempt
def sni_none(): return tls(None)
@attempt
def sni_with_suffix(): return tls("good.test.evil.test")
def other_name(name):
    """A hello for a name of ten bytes, which need not be one."""
    return hello("good.testx").replace(b"good.testx", name)
@attempt
def https_dot_at_end(): return raw_hello(other_name(b"good.test."))
@attempt
def sni_with_nul(): return raw_hello(other_name(b"good.test\0"))
@attempt
def sni_not_ascii(): return raw_hello(other_name("good.tesä".encode()))
@attempt
def sni_of_another_split():
    h = other_name(b"other.test")
    return raw_hello(h, [h[:3], h[3:50], h[50:51], h[51:]])
@attempt
def sni_of_another_in_records():
    body = other_name(b"other.test")[5:]
    return raw_hello(b"", [b"\x16\x03\x01" + struct.pack(">H", len(p)) + p for p in (body[:40], body[40:90], body[90:])])
@attempt
def sni_encrypted():
    """The extension of ECH beside a name that is allowed."""
    h = bytearray(hello("good.test") + struct.pack(">HH", 0xfe0d, 1) + b"\1")
    e = 43 + 1 + h[43]
    e += 2 + struct.unpack(">H", h[e:e + 2])[0]
    e += 1 + h[e]
    for at, form in ((e, ">H"), (3, ">H")):
        h[at:at + 2] = struct.pack(form, struct.unpack(form, h[at:at + 2])[0] + 5)
    h[6:9] = struct.pack(">I", len(h) - 9)[1:]
    return raw_hello(bytes(h))
@attempt
def hello_without_end():
    """What does not say what it is for is ended by the gateway; a server waits."""
    with connect("good.test", 443) as s:
        s.sendall(b"\x16\x03\x01")
        s.settimeout(20 if INSIDE else 0.5)
        return s.recv(1).decode()
@attempt
def sni_twice():
    h = hello("good.test")
    at = h.index(b"\0\0" + struct.pack(">HHBH", 14, 12, 0, 9) + b"good.test")
    one = h[at:at + 18]
    h = bytearray(h[:at] + one + h[at:])
    n = struct.unpack(">H", h[3:5])[0] + 18
    h[3:5] = struct.pack(">H", n)
    h[6:9] = struct.pack(">I", n - 4)[1:]
    e = 43 + 1 + h[43]
    e += 2 + struct.unpack(">H", h[e:e + 2])[0]
    e += 1 + h[e]
    h[e:e + 2] = struct.pack(">H", struct.unpack(">H", h[e:e + 2])[0] + 18)
    return raw_hello(bytes(h))
@attempt
def plain_text_on_443(): return http("GET / HTTP/1.1\nHost: good.test\n\n", port=443)
@attempt
def tls_on_80(): return tls("good.test", port=80)
@attempt
def host_of_another(): return http("GET / HTTP/1.1\nHost: other.test\n\n")
@attempt
def host_with_at(): return http("GET / HTTP/1.1\nHost: good.test@evil\n\n")
@attempt
def host_with_suffix(): return http("GET / HTTP/1.1\nHost: good.test.evil\n\n")
@attempt
def host_with_prefix(): return http("GET / HTTP/1.1\nHost: evil-good.test\n\n")
@attempt
def host_of_another_port(): return http("GET / HTTP/1.1\nHost: good.test:8080\n\n")
@attempt
def host_none(): return http("GET / HTTP/1.1\n\n")
@attempt
def host_twice(): return http("GET / HTTP/1.1\nHost: good.test\nHost: other.test\n\n")
@attempt
def host_folded(): return http("GET / HTTP/1.1\nX: a\n Host: b\nHost: good.test\n\n")
@attempt
def absolute_target(): return http("GET http://other.test/ HTTP/1.1\nHost: good.test\n\n")
@attempt
def other_host_kept_alive():
    with connect("good.test", 80) as s:
        s.sendall(b"GET / HTTP/1.1\r\nHost: good.test\r\n\r\n")
        first = one_answer(s)
        s.sendall(b"GET / HTTP/1.1\r\nHost: other.test\r\n\r\n")
        return first + " | " + one_answer(s)
@attempt
def other_host_pipelined():
    return http("GET / HTTP/1.1\nHost: good.test\n\nGET / HTTP/1.1\nHost: other.test\n\n", times=2)
@attempt
def other_host_behind_chunks():
    return http("POST / HTTP/1.1\nHost: good.test\nTransfer-Encoding: chunked\n\n3\nabc\n0\n\n"
                "GET / HTTP/1.1\nHost: other.test\n\n", times=2)
@attempt
def two_lengths(): return http("POST / HTTP/1.1\nHost: good.test\nContent-Length: 3\nTransfer-Encoding: chunked\n\n0\n\n")
@attempt
def connect_method(): return http("CONNECT other.test:80 HTTP/1.1\nHost: good.test\n\n")
@attempt
def upgrade(): return http("GET / HTTP/1.1\nHost: good.test\nConnection: Upgrade\nUpgrade: x\n\n")
@attempt
def urgent_data():
    with connect("good.test", 9000) as s:
        s.sendall(b"a")
        s.send(b"b", socket.MSG_OOB)
        s.sendall(b"c")
        s.shutdown(socket.SHUT_WR)
        return f"{len(rest(s))}"


def main():
    only = sys.argv[2:]
    out = {}
    for name, f in attempts.items():
        if only and name not in only:
            continue
        try:
            result = f()
            out[name] = result if isinstance(result, str) else "connected"
        except (TimeoutError, socket.timeout):
            out[name] = "timeout"
        except ssl.SSLError as e:
            out[name] = f"ssl {e.reason}"
        except OSError as e:
            out[name] = errno.errorcode.get(e.errno, str(e))
    print(json.dumps(out))


main()
