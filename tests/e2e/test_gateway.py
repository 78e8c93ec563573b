"""The gateway: what a sandbox with network_policy = "allowlist" reaches, and that it reaches nothing else.

Everything happens in a pretended machine with a pretended Internet behind it (gateway_world.py). What must fail inside is
also tried outside, as the same user, where it succeeds: else a server that is down would pass.
"""
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

import pytest

import cells

HERE = Path(__file__).parent
NOBODY = 65534
PYTHON = "/usr/bin/python3"
TIMEOUT = 120
NAMES = "good.test,*.wild.test,private.test,meta.test,own.test,loop.test,mixed.test,six.test,private6.test,cname.test,rebind.test"
PORTS = "80,443,8080,9000"
TOML = ('[env]\n[container]\nisolation_level = "namespace"\nnetwork_policy = "allowlist"\n[sandbox]\n[security]\n[sync]\n')
GOOD, SIX = "203.0.113.6 good.test 0", "2001:db8:1::6"
RESET, UNREACHABLE = "ECONNRESET", "EHOSTUNREACH"
REFUSED_OR_LOST = f"{UNREACHABLE} timeout"  # the kernel says no more than a few times a second that a way is prohibited

# What must work inside, and its answer.
WORKS = {
    "http_allowed": GOOD, "http_port_in_host": "203.0.113.6 GOOD.test.:8080 0", "http_twice": f"{GOOD} | {GOOD}",
    "http_bodies": f"{GOOD[:-1]}5 | {GOOD[:-1]}8 | {GOOD}", "http_large_body": f"{GOOD[:-1]}3000000",
    "http_large_answer": str(8 << 20), "http_in_single_bytes": GOOD, "https_allowed": GOOD, "https_upper_case": GOOD,
    "https_split": "answered", "https_in_records": "answered", "wildcard_allowed": "203.0.113.6 a.wild.test 0",
    "over_ipv6": "2001:db8:1::6 six.test 0", "half_close": "100012",
    "one_good_address_of_two": "203.0.113.6 mixed.test 0", "dns_allowed": "198.18.", "dns_upper_case": "198.18.",
    "dns_over_tcp": "198.18.", "dns_of_any_server": "198.18.", "dns_ipv6": "no data", "dns_https": "no data",
    "dns_text": "no data", "dns_null": "no data", "https_dot_at_end": "answered",
}
# What must fail inside, how, and what it gives outside (None: there is nothing there to try it on).
FAILS = {
    "unlisted_address": (UNREACHABLE, "connected"), "true_address_of_allowed": (UNREACHABLE, "connected"),
    "unlisted_port": ("ECONNREFUSED", "connected"), "metadata_address": (UNREACHABLE, "connected"),
    "loopback_of_machine": ("ECONNREFUSED", "connected"), "router_open_port": (RESET, GOOD),
    "router_other_port": ("ECONNREFUSED", "connected"), "unused_synthetic": (RESET, None),
    "ipv6_literal": ("ENETUNREACH", f"{SIX} any.test 0"), "ipv6_half_close": ("ENETUNREACH", "100014"),
    "ipv6_unlisted_port": ("ENETUNREACH", "connected"), "ipv6_unlisted": ("ENETUNREACH", "connected"),
    "ipv6_private": ("ENETUNREACH", "connected"), "ipv6_in_6to4": ("ENETUNREACH", "connected"),
    "ipv6_router": ("ENETUNREACH", f"{SIX} any.test 0"), "ipv6_of_link": ("ENETUNREACH EADDRNOTAVAIL", "connected"),
    "ipv6_of_link_of_router": ("ENETUNREACH EADDRNOTAVAIL", None), "ipv4_mapped": (UNREACHABLE, "connected"),
    "ipv4_mapped_allowed": (UNREACHABLE, "203.0.113.6 any.test 0"),
    "leads_to_private6": (RESET, "fd00:9::9 private6.test 0"),
    "udp": ("ECONNREFUSED", "udp secret"), "udp_ipv6": ("ENETUNREACH", "udp secret"),
    "udp_over_ipv6": ("ECONNREFUSED", "udp secret"), "udp_large": ("ECONNREFUSED", "60004"),
    "udp_unlisted_port": ("ECONNREFUSED", "udp secret"), "udp_unlisted": (REFUSED_OR_LOST, "udp secret"),
    "udp_unlisted_ipv6": ("ENETUNREACH", "udp secret"), "udp_to_private": ("ECONNREFUSED", "udp secret"),
    "udp_to_metadata": ("ECONNREFUSED", "udp secret"), "udp_to_router": ("ECONNREFUSED", "udp secret"),
    "udp_unused_synthetic": ("ECONNREFUSED", None), "udp_of_another_port": ("timeout ECONNREFUSED", "udp elsewhere"),
    "udp_quic": ("ECONNREFUSED", "udp secret"), "udp_dns_elsewhere": (REFUSED_OR_LOST, "udp secret"),
    "udp_broadcast": ("timeout EACCES ENETUNREACH EHOSTUNREACH", None), "udp_answers": ("ECONNREFUSED", "100"),
    "ping": ("EACCES", "secret"),
    "netfilter": ("EPROTONOSUPPORT", "made"), "sctp": ("EPROTONOSUPPORT", None),
    "dns_over_tls": ("ECONNREFUSED", GOOD), "dns_over_https": (UNREACHABLE, "203.0.113.7 good.test 0"),
    "dns_unlisted_over_tcp": ("code 3", None), "dns_with_at": ("code 3", None), "dns_unlisted": ("code 3", None), "dns_tunnel": ("code 3", None),
    "dns_suffix_before": ("code 3", None), "dns_suffix_behind": ("code 3", None), "dns_below": ("code 3", None),
    "dns_wildcard_itself": ("code 3", None), "dns_odd_bytes": ("code 3", None),
    "dns_of_the_world": (REFUSED_OR_LOST, None), "dns_labels_are_bounded": ("198 code 5", None),
    "leads_to_private": (RESET, "10.9.9.9 private.test 0"), "leads_to_metadata": (RESET, "169.254.169.254 meta.test 0"),
    "leads_to_loopback": (RESET, "connected"), "leads_to_machine": (RESET, "connected"),
    "leads_by_cname": (RESET, "10.9.9.9 cname.test 0"),
    "sni_with_nul": (RESET, None), "sni_not_ascii": (RESET, "answered"), "sni_of_another_split": (RESET, "answered"),
    "sni_of_another_in_records": (RESET, "answered"), "sni_encrypted": (RESET, "answered"),
    "hello_without_end": (RESET, "timeout"), "host_with_at": (RESET, "203.0.113.6 good.test@evil 0"),
    "host_with_suffix": (RESET, "203.0.113.6 good.test.evil 0"), "host_with_prefix": (RESET, "203.0.113.6 evil-good.test 0"),
    "host_of_another_port": (RESET, "203.0.113.6 good.test:8080 0"),
    "sni_of_another": (RESET, GOOD), "sni_none": (RESET, GOOD), "sni_with_suffix": (RESET, GOOD),
    "sni_twice": (RESET, None), "plain_text_on_443": (RESET, None), "tls_on_80": (RESET, None),
    "host_of_another": (RESET, "203.0.113.6 other.test 0"), "host_none": (RESET, "203.0.113.6 - 0"),
    "host_twice": (RESET, "203.0.113.6 other.test 0"), "host_folded": (RESET, GOOD), "absolute_target": (RESET, GOOD),
    "other_host_kept_alive": (RESET, f"{GOOD} | 203.0.113.6 other.test 0"),
    "other_host_pipelined": (RESET, f"{GOOD} | 203.0.113.6 other.test 0"),
    "other_host_behind_chunks": (RESET, f"{GOOD[:-1]}3 | 203.0.113.6 other.test 0"),
    "two_lengths": (RESET, GOOD), "connect_method": (RESET, GOOD), "upgrade": (RESET, GOOD), "urgent_data": (RESET, "14"),
}
# What needs rights that only root has; outside it is tried as root, in a network of its own.
OF_ROOT = {
    "raw_icmp": ("EPERM", "made"), "raw_gre": ("EPERM", "made"), "packet_socket": ("EAFNOSUPPORT", "made"),
    "add_route": ("EPERM", "done"), "add_address": ("EPERM", "done"), "take_link_down": ("EPERM", "done"),
    "new_link": ("EPERM", "done"), "write_sysctl": ("EROFS EACCES ENOENT", "done"),
}


def wait_for(condition, seconds=20):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return
        time.sleep(0.02)
    raise AssertionError("it did not happen in time")


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    if os.geteuid() != 0:
        pytest.skip("only root can make the pretended machine")
    lacks = [t for t in ("ip", "openssl", "unshare", "nsenter", "setpriv") if not shutil.which(t)]
    if lacks:
        pytest.skip(f"no {lacks[0]} here")
    if subprocess.run(["unshare", "-nm", "ip", "link", "add", "type", "veth"], capture_output=True).returncode:
        pytest.skip("no network namespace with veth can be made here")
    directory = tempfile.mkdtemp(prefix="blast-world-", dir="/tmp")
    os.chmod(directory, 0o755)
    p = subprocess.Popen(["unshare", "-nm", "--propagation", "private", PYTHON, HERE / "gateway_world.py", directory],
                         stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    line = p.stdout.readline().split()
    try:
        assert line[:1] == ["READY"], "the pretended machine did not start"
        yield {"pid": line[1], "directory": Path(directory)}
    finally:
        p.stdin.close()
        p.wait(10)
        shutil.rmtree(directory, ignore_errors=True)


class Cell:
    """A project whose sandbox has a gateway, on the pretended machine."""

    def __init__(self, program, world, user):
        self.program, self.world, self.user = program, world, user
        self.top = Path(tempfile.mkdtemp(prefix="blast-gateway-", dir="/tmp"))
        self.path, self.home = self.top / "project", self.top / "home"
        self.path.mkdir()
        self.home.mkdir()
        (self.path / "blast.toml").write_text(TOML)
        (self.path / "pyproject.toml").write_text('[project]\nname = "app"\nversion = "1"\nrequires-python = ">=3.8"\n')
        shutil.copy(HERE / "gateway_attempts.py", self.path)
        shutil.copy(world["directory"] / "cert.pem", self.path)
        self.env = {"HOME": str(self.home), "BLAST_HOME": str(self.home / "blast"), "BLAST_NO_DAEMON": "1",
                    "PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", "TERM": "dumb", "NO_COLOR": "1",
                    "LANG": "C.UTF-8", "BLAST_OFFLINE": "1", "BLAST_SECURITY_DEFAULT_POLICY": "standard",
                    "BLAST_SANDBOX_NETWORK_ALLOWED_DOMAINS": NAMES, "BLAST_SANDBOX_NETWORK_ALLOWED_OUTBOUND_PORTS": PORTS}
        self.env.update({k: os.environ[k] for k in ("ASAN_OPTIONS", "UBSAN_OPTIONS") if k in os.environ})
        if user == "nobody":
            for p in [self.top, *self.top.rglob("*")]:
                os.chown(p, NOBODY, NOBODY)
        p = self.blast("start", "--no-activate", "--python", PYTHON)
        assert p.returncode == 0, p.stderr

    def words(self, *words):
        drop = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"] if self.user == "nobody" else []
        return ["nsenter", "-t", self.world["pid"], "-n", "-m", f"--wdns={self.path}", *drop, *(str(w) for w in words)]

    def outside(self, *words, root=False):
        if root:
            words = ["unshare", "-n", *words]
            return subprocess.run(words, env=self.env, cwd=self.path, capture_output=True, text=True, timeout=TIMEOUT)
        return subprocess.run(self.words(*words), env=self.env, capture_output=True, text=True, timeout=TIMEOUT)

    def blast(self, *words, env=None):
        p = subprocess.run(self.words(self.program, *words), env={**self.env, **(env or {})}, capture_output=True,
                           text=True, timeout=TIMEOUT, stdin=subprocess.DEVNULL)
        assert "Sanitizer" not in p.stderr and "runtime error:" not in p.stderr, p.stderr
        return p

    def run(self, *words, env=None, code=0):
        p = self.blast("run", "--no-sync", "--", *words, env=env)
        assert code is None or p.returncode == code, f"{words}: exit {p.returncode}, wanted {code}\n{p.stdout}\n{p.stderr}"
        return p

    def start(self, *words, env=None):
        return subprocess.Popen(self.words(self.program, "run", "--no-sync", "--", *words), env={**self.env, **(env or {})},
                                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def try_inside(self, *names, env=None):
        return json.loads(self.run("python", "gateway_attempts.py", "inside", *names, env=env).stdout)

    def events(self):
        lines = [json.loads(line) for log in self.home.rglob("log.jsonl") for line in log.read_text().splitlines()]
        return [line["data"] for line in lines if line["event"] == "connection"]


@pytest.fixture(scope="module", params=["root", "nobody"])
def cell(request, program, world):
    c = Cell(program, world, request.param)
    yield c
    shutil.rmtree(c.top, ignore_errors=True)


@pytest.fixture(scope="module")
def inside(cell):
    return cell.try_inside()


@pytest.fixture(scope="module")
def outside(cell):
    names = [n for n, (_, control) in FAILS.items() if control]
    p = cell.outside(PYTHON, "gateway_attempts.py", "outside", *names)
    assert p.returncode == 0, p.stderr
    return json.loads(p.stdout)


@pytest.mark.parametrize("name", WORKS)
def test_what_is_allowed_works(inside, name):
    wanted = WORKS[name]
    assert inside[name].startswith(wanted) if wanted.endswith(".") else inside[name] == wanted


@pytest.mark.parametrize("name", FAILS)
def test_what_is_not_allowed_fails(inside, outside, name):
    wanted, control = FAILS[name]
    assert inside[name] == wanted or inside[name] in wanted.split()
    if control:
        assert outside[name] == control, "the control outside does not work, so its failure inside says nothing"


def test_the_network_cannot_be_changed_from_inside(cell, inside):
    p = cell.outside(PYTHON, "gateway_attempts.py", "outside", *OF_ROOT, root=True)
    assert json.loads(p.stdout) == {n: control for n, (_, control) in OF_ROOT.items()}, p.stderr
    assert not {n: inside[n] for n, (wanted, _) in OF_ROOT.items() if inside[n] not in wanted.split()}


def test_every_attempt_is_judged():
    text = (HERE / "gateway_attempts.py").read_text()
    names = {line[len("@attempt def "):].split("(")[0] for line in text.replace("@attempt\n", "@attempt ").splitlines()
             if line.startswith("@attempt def ")}
    assert names == set(WORKS) | set(FAILS) | set(OF_ROOT) | {"leads_there_later"}


def test_the_audit_log_has_what_was_let_through_and_what_was_not(cell, inside):
    events = cell.events()
    assert inside["http_allowed"] == GOOD
    opened = [e for e in events if e["verdict"] == "allowed" and e.get("name") == "good.test"]
    closed = [e for e in events if e["verdict"] == "closed" and e.get("name") == "good.test"]
    assert opened and opened[0]["peer"] == "203.0.113.6:80" and opened[0]["rule"] == "good.test"
    assert closed and closed[0]["out"] > 0 and closed[0]["in"] > 0
    why = {e["why"] for e in events if e["verdict"] == "denied"}
    assert {"the address is not allowed", "the port is not allowed", "the name is not allowed",
            "the name leads to this machine or its private networks"} <= why
    assert any(e["protocol"] == "udp" and e["to"].endswith(":9000") for e in events if e["verdict"] == "denied")


def test_a_name_that_leads_elsewhere_later_does_not_lead_there(cell):
    outside = cell.outside(PYTHON, "gateway_attempts.py", "outside", "leads_there_later")
    assert json.loads(outside.stdout)["leads_there_later"] == "203.0.113.6 rebind.test 0 | 10.9.9.9 rebind.test 0"
    cell.outside(PYTHON, "-c", "import socket\nsocket.gethostbyname('again.test')")  # the next answer is the first again
    assert cell.try_inside("leads_there_later")["leads_there_later"] == " | ".join(["203.0.113.6 rebind.test 0"] * 2)
    assert cell.try_inside("leads_there_later")["leads_there_later"] == RESET  # looked up anew, it leads to a private address


def test_an_allowed_address_needs_no_name_and_may_be_private(cell):
    env = {"BLAST_SANDBOX_NETWORK_ALLOWED_IPS": "203.0.113.0/29,10.9.9.9", "BLAST_SANDBOX_NETWORK_ALLOWED_DOMAINS": "private.test"}
    got = cell.try_inside("true_address_of_allowed", "leads_to_private", "metadata_address", env=env)
    assert got == {"true_address_of_allowed": "connected", "leads_to_private": "10.9.9.9 private.test 0",
                   "metadata_address": UNREACHABLE}


def test_addresses_of_ipv6_may_be_allowed_and_no_others_are(cell, outside):
    wanted = {
        "ipv6_literal": f"{SIX} any.test 0", "ipv6_half_close": "100014", "ipv6_unlisted_port": "ECONNREFUSED",
        "ipv6_unlisted": "EACCES", "ipv6_private": "EACCES", "ipv6_in_6to4": "EACCES", "ipv6_router": RESET,
        "ipv6_of_link": "EADDRNOTAVAIL ENETUNREACH", "ipv6_of_link_of_router": "EADDRNOTAVAIL ENETUNREACH",
        "ipv4_mapped": UNREACHABLE, "true_address_of_allowed": UNREACHABLE, "leads_to_private6": RESET, "http_allowed": GOOD,
    }
    got = cell.try_inside(*wanted, env={"BLAST_SANDBOX_NETWORK_ALLOWED_IPS": SIX})
    assert not {n: got[n] for n, w in wanted.items() if got[n] != w and got[n] not in w.split()}
    assert {outside[n] for n in ("ipv6_unlisted", "ipv6_private", "ipv6_in_6to4", "ipv6_of_link")} == {"connected"}
    why = {(e["to"], e["why"]) for e in cell.events() if e["verdict"] == "denied" and e.get("to", "").startswith("[")}
    assert {("[2001:db8:1::7]:80", "the address is not allowed"), ("[2001:db8:1::6]:9001", "the port is not allowed"),
            ("[fd62:6c61:7374::2]:80", "the address is not allowed")} <= why
    assert not [w for _, w in why if w == "only TCP goes out"], "the link's own packets are told of"


def test_networks_of_one_family_allow_nothing_of_the_other(cell):
    got = cell.try_inside("ipv6_unlisted", "ipv6_private", "unlisted_address", "ipv4_mapped_allowed", "leads_to_private6",
                          env={"BLAST_SANDBOX_NETWORK_ALLOWED_IPS": "::/0"})
    assert got == {"ipv6_unlisted": "connected", "ipv6_private": "connected", "unlisted_address": UNREACHABLE,
                   "ipv4_mapped_allowed": UNREACHABLE, "leads_to_private6": "fd00:9::9 private6.test 0"}
    got = cell.try_inside("ipv4_mapped_allowed", "ipv6_unlisted", env={"BLAST_SANDBOX_NETWORK_ALLOWED_IPS": "::ffff:203.0.113.6"})
    assert got == {"ipv4_mapped_allowed": "203.0.113.6 any.test 0", "ipv6_unlisted": "ENETUNREACH"}


UDP = {"BLAST_SANDBOX_NETWORK_ALLOWED_UDP_PORTS": "9000,53"}


def test_udp_ports_may_be_allowed_and_are_judged_as_those_of_tcp(cell, outside):
    wanted = {
        "udp": "udp secret", "udp_over_ipv6": "udp secret", "udp_large": "60004", "udp_ipv6": "udp secret", "udp_answers": "100",
        "udp_unlisted_port": "ECONNREFUSED", "udp_quic": "ECONNREFUSED", "udp_unlisted": REFUSED_OR_LOST,
        "udp_unlisted_ipv6": "EACCES", "udp_to_private": "timeout", "udp_to_metadata": "timeout", "udp_to_router": "timeout",
        "udp_unused_synthetic": "timeout", "udp_of_another_port": "timeout", "udp_dns_elsewhere": REFUSED_OR_LOST,
        "udp_broadcast": "timeout", "dns_allowed": "198.18.", "dns_unlisted": "code 3", "dns_over_tcp": "198.18.",
        "http_allowed": GOOD,
    }
    got = cell.try_inside(*wanted, env={**UDP, "BLAST_SANDBOX_NETWORK_ALLOWED_IPS": SIX})
    assert not {n: got[n] for n, w in wanted.items() if got[n] != w and got[n] not in w.split() and
                not (w.endswith(".") and got[n].startswith(w))}
    assert {outside[n] for n in wanted if n.startswith("udp_") and n in FAILS and FAILS[n][1]} == {"udp secret", "60004",
                                                                                                 "udp elsewhere", "100"}
    events = [e for e in cell.events() if e.get("protocol") == "udp"]
    opened = [e for e in events if e["verdict"] == "allowed"]
    assert {e.get("peer") for e in opened} == {"203.0.113.6:9000", "[2001:db8:1::6]:9000"}
    assert {e.get("rule") for e in opened} == {"good.test", "six.test", None}
    why = {(e.get("name", e["to"]), e["why"]) for e in events if e["verdict"] == "denied"}
    private = "the name leads to this machine or its private networks"
    assert {("private.test", private), ("meta.test", private), ("198.18.200.1:9000", "the address was given for no name"),
            ("10.0.2.2:9000", "the address is not allowed"), ("203.0.113.7:9000", "the address is not allowed"),
            ("[2001:db8:1::7]:9000", "the address is not allowed")} <= why


def test_exchanges_of_datagrams_are_bounded(cell):
    code = ("import resource, socket, sys\n"
            "hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]; resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))\n"
            "keep = []\n"
            "for i in range(1100):\n"
            "    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.settimeout(5); s.connect(('good.test', 9000))\n"
            "    for one in (s, *keep[:1]): one.send(b'x'); one.recv(100)\n"
            "    keep.append(s)\n"
            "print(hard, flush=True); sys.stdin.readline()\n"
            "keep[1].send(b'y'); print(keep[1].recv(100).decode())\n")
    p = cell.start("python", "-c", code, env=UDP)
    try:
        hard = p.stdout.readline()
        assert hard, p.stderr.read()
        bound = min(int(hard) // 16, 1024)
        table, = json.loads(cell.blast("sandbox", "connections", "--json").stdout)["sandboxes"]
        assert table["total"] == bound and {c["protocol"] for c in table["connections"]} == {"udp"}, table["total"]
        first = min(table["connections"], key=lambda c: c["id"])
        assert table["left_out"] or first["out"] == 1100
        assert len(list(Path(f"/proc/{cells.gates(cell.path)[0]}/fd").iterdir())) < bound + 100
        assert p.communicate("\n", timeout=30)[0] == "udp y\n"  # one that was ended begins again
    finally:
        p.kill()
        p.wait()


@pytest.mark.release_only
def test_datagrams_count_to_the_bandwidth(cell):
    limited = cell.try_inside("udp_answers", env={**UDP, "BLAST_SANDBOX_NETWORK_BANDWIDTH_LIMIT": "10000"})
    free = cell.try_inside("udp_answers", env=UDP)
    # 65,536 bytes at once, each answer counts too: 33 of them, and a few in the time that the others are waited for
    assert 25 < int(limited["udp_answers"]) < 90 and free == {"udp_answers": "100"}, (limited, free)


def test_without_outbound_no_datagram_gets_out_either(cell):
    got = cell.try_inside("udp_unlisted", env={**UDP, "BLAST_SANDBOX_NETWORK_ALLOW_OUTBOUND": "false"})
    assert got == {"udp_unlisted": "ENETUNREACH"}


def test_all_networks_may_be_allowed(cell):
    got = cell.try_inside("unlisted_address", "unlisted_port", "http_allowed",
                          env={"BLAST_SANDBOX_NETWORK_ALLOWED_IPS": "0.0.0.0/0"})
    assert got == {"unlisted_address": "connected", "unlisted_port": "ECONNREFUSED", "http_allowed": GOOD}


def test_allow_outbound_false_lets_nothing_out(cell):
    got = cell.try_inside("true_address_of_allowed", "dns_of_the_world", env={"BLAST_SANDBOX_NETWORK_ALLOW_OUTBOUND": "false"})
    assert got == {"true_address_of_allowed": "ENETUNREACH", "dns_of_the_world": "ENETUNREACH"}


@pytest.mark.release_only
def test_the_limit_of_bandwidth_holds_for_all_connections_together(cell):
    code = ("import socket, threading, time\n"
            "def one():\n"
            "    s = socket.create_connection(('good.test', 80)); n = 0\n"
            "    s.sendall(b'GET /big HTTP/1.1\\r\\nHost: good.test\\r\\n\\r\\n')\n"
            "    while n < 2 << 20: n += len(s.recv(65536))\n"
            "t0 = time.monotonic(); ts = [threading.Thread(target=one) for _ in range(4)]\n"
            "[t.start() for t in ts]; [t.join() for t in ts]; print(time.monotonic() - t0)\n")
    limited = float(cell.run("python", "-c", code, env={"BLAST_SANDBOX_NETWORK_BANDWIDTH_LIMIT": "4000000"}).stdout)
    free = float(cell.run("python", "-c", code).stdout)
    # 8 MiB that are read, and what lies in the buffers of four connections, at 4 MB a second
    assert 1.9 < limited and free < limited / 2, (limited, free)


SERVER = ("import socket\ns = socket.create_server(('0.0.0.0', 8123)); print('up', flush=True)\n"
          "while True:\n    c, _ = s.accept(); d = c.recv(100); c.sendall(b'inside ' + d); c.close()\n")


def ask(cell, address, port):
    code = (f"import socket\ns = socket.create_connection(('{address}', {port}), 5); s.sendall(b'hello')\n"
            "print(s.recv(100).decode())")
    return cell.outside(PYTHON, "-c", code)


def test_inbound_ports_are_led_in_from_the_loopback_alone(cell):
    env = {"BLAST_SANDBOX_NETWORK_ALLOW_INBOUND": "true", "BLAST_SANDBOX_NETWORK_ALLOWED_INBOUND_PORTS": "8123,8124"}
    p = cell.start("python", "-c", SERVER, env=env)
    try:
        assert p.stdout.readline() == "up\n", p.stderr.read()
        assert ask(cell, "127.0.0.1", 8123).stdout == "inside hello\n"
        assert "refused" in ask(cell, "203.0.113.1", 8123).stderr.lower()
        assert ask(cell, "127.0.0.1", 8124).stdout in ("", "\n")  # nobody listens there inside
    finally:
        p.kill()
        p.wait()
    wait_for(lambda: "refused" in ask(cell, "127.0.0.1", 8123).stderr.lower())
    q = cell.start("python", "-c", SERVER)
    try:
        assert q.stdout.readline() == "up\n"
        assert "refused" in ask(cell, "127.0.0.1", 8123).stderr.lower()
    finally:
        q.kill()
        q.wait()


HOLD = ("import socket, sys\ns = socket.create_connection(('good.test', 9000)); print('open', flush=True)\n"
        "sys.stdin.readline(); s.settimeout(5)\n"
        "def t(f):\n    try: return str(f())\n    except OSError as e: return type(e).__name__\n"
        "print(t(lambda: s.recv(1)), t(lambda: socket.create_connection(('198.18.0.1', 9000), 5)),"
        " t(lambda: socket.getaddrinfo('good.test', 80)), flush=True)\n")


def test_the_table_shows_what_is_open(cell):
    p = cell.start("python", "-c", HOLD)
    try:
        assert p.stdout.readline() == "open\n"
        table = json.loads(cell.blast("sandbox", "connections", "--json").stdout)["sandboxes"]
        assert [c["name"] for t in table for c in t["connections"]] == ["good.test"]
        text = cell.blast("sandbox", "connections").stdout
        assert "203.0.113.6:9000" in text and "open" in text
    finally:
        p.kill()
        p.wait()
    wait_for(lambda: "no sandbox" in cell.blast("sandbox", "connections").stdout)


def test_nothing_gets_out_once_the_gateway_is_gone(cell):
    p = cell.start("python", "-c", HOLD)
    try:
        assert p.stdout.readline() == "open\n"
        gates = cells.gates(cell.path)
        assert gates
        os.kill(gates[0], signal.SIGKILL)
        wait_for(lambda: all(not Path(f"/proc/{g}").exists() or "Z" in Path(f"/proc/{g}/stat").read_text().split()[2]
                             for g in gates))
        out, _ = p.communicate("\n", timeout=30)
        first, connect, name = out.split()[:3]
        assert first in ("b''", "ConnectionResetError") and connect == "ConnectionRefusedError" and name == "gaierror"
    finally:
        p.kill()
        p.wait()
    assert any(e["verdict"] == "gone" for e in cell.events())


def test_killing_blast_ends_the_gateway_too(cell):
    p = cell.start("python", "-c", HOLD)
    assert p.stdout.readline() == "open\n"
    gates = cells.gates(cell.path)
    p.kill()
    p.wait()
    assert gates
    wait_for(lambda: not any(Path(f"/proc/{g}").exists() for g in gates))


def test_many_half_open_connections_stay_small(cell):
    code = ("import resource, socket, sys\nresource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)\n"
            "a = socket.gethostbyname('good.test'); keep = []\n"
            "for i in range(3000):\n"
            "    s = socket.socket(); s.connect((a, 443)); s.sendall(b'\\x16\\x03\\x01\\x02\\x00'); keep.append(s)\n"
            "print('full', flush=True); sys.stdin.readline()\n")
    p = cell.start("python", "-c", code)
    try:
        assert p.stdout.readline() == "full\n", p.stderr.read()
        gate = cells.gates(cell.path)[0]
        rss = int(Path(f"/proc/{gate}/statm").read_text().split()[1]) * 4096
        if "Sanitize" not in Path(f"/proc/{gate}/maps").read_text() and "libasan" not in Path(f"/proc/{gate}/maps").read_text():
            assert rss < 64 << 20, rss
        assert cell.blast("sandbox", "connections", "--json").returncode == 0
    finally:
        p.kill()
        p.wait()


def test_the_gateway_has_given_up_what_it_does_not_need(cell):
    p = cell.start("python", "-c", HOLD)
    try:
        assert p.stdout.readline() == "open\n"
        gates = cells.gates(cell.path)
        assert len(gates) == 5  # and the four that look names up, which are forked from it
        status = dict(line.split(":\t", 1) for line in Path(f"/proc/{gates[0]}/status").read_text().splitlines())
        assert status["Seccomp"].strip() == "2" and status["NoNewPrivs"].strip() == "1"
        for gate in gates:
            own = dict(line.split(":\t", 1) for line in Path(f"/proc/{gate}/status").read_text().splitlines())
            assert int(own["CapEff"], 16) == 0 and int(own["CapPrm"], 16) == 0
            uids = set(own["Uid"].split())
            assert uids == {str(NOBODY)} if cell.user == "nobody" else not uids & {"0", str(NOBODY)}, uids
            assert not [f for f in Path(f"/proc/{gate}/fd").iterdir() if os.readlink(f).startswith("/dev/pts")]
    finally:
        p.kill()
        p.wait()


def test_refusals_without_end_do_not_fill_the_audit_log(cell):
    before = len(cell.events())
    code = ("import socket, time\ns = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.connect(('10.0.2.2', 53))\n"
            "q = b'\\0\\1\\1\\0\\0\\1\\0\\0\\0\\0\\0\\0\\5other\\4test\\0\\0\\1\\0\\1'\n"
            "for i in range(3000): s.send(q); s.recv(512)\n"
            "time.sleep(0.2); s.send(q); s.recv(512)")
    cell.run("python", "-c", code)
    events = cell.events()[before:]
    assert 0 < len(events) < 1000 and sum(e.get("left_out", 0) for e in events) + len(events) >= 2900, len(events)


def test_without_the_program_nothing_gets_out_and_it_says_so(cell):
    alone = cell.top / "alone"
    alone.mkdir(exist_ok=True)
    shutil.copy(Path(cell.program).parent / "blast-jail", alone)
    env = {"BLAST_JAIL": str(alone / "blast-jail")}
    p = cell.run("python", "gateway_attempts.py", "inside", "true_address_of_allowed", env=env)
    assert json.loads(p.stdout) == {"true_address_of_allowed": "ENETUNREACH"}
    assert "allow_outbound is not enforced" in p.stderr and "blast-gate" in p.stderr
    strict = cell.run("true", env={**env, "BLAST_SECURITY_DEFAULT_POLICY": "strict"}, code=125)
    assert "allow_outbound is not enforced" in strict.stderr


def test_check_says_by_what_it_is_kept(cell):
    p = cell.blast("sandbox", "check", "--json", env={"BLAST_SANDBOX_NETWORK_BANDWIDTH_LIMIT": "1000000"})
    rows = {r["setting"]: r for r in json.loads(p.stdout)["enforcement"]["settings"]}
    for setting in ("network_policy", "allow_outbound", "bandwidth_limit"):
        assert rows[setting]["state"] == "hard" and "blast-gate" in rows[setting]["mechanism"], rows[setting]


@pytest.mark.parametrize("name, value, text", [
    ("ALLOWED_IPS", "fe80::1", "on one link only"), ("ALLOWED_IPS", "2001:db8::/129", "neither an address nor a network"),
    ("ALLOWED_IPS", "203.0.113.0/33", "neither an address nor a network"),
    ("ALLOWED_DOMAINS", "http://good.test", "is no host name"), ("ALLOWED_DOMAINS", "*.*.test", "is no host name"),
    ("ALLOWED_DOMAINS", "203.0.113.6", "addresses belong into allowed_ips"),
])
def test_what_cannot_be_meant_is_refused(cell, name, value, text):
    p = cell.blast("run", "--no-sync", "--", "true", env={f"BLAST_SANDBOX_NETWORK_{name}": value})
    assert p.returncode == 2 and text in p.stderr and "[sandbox.network]" in p.stderr
