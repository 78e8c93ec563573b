"""Ways out of a sandbox, tried. Run inside and outside by test_sandbox.py: prints one JSON object, attempt to outcome.

An outcome is "ok" when the attempt succeeded, the name of the errno when it was refused, "signal N" when it was killed.
argv[1] is a JSON object with the paths, ports and pids that the test prepared.
"""
import ctypes
import errno
import json
import mmap
import os
import resource
import signal
import socket
import sys

T = json.loads(sys.argv[1])
libc = ctypes.CDLL(None, use_errno=True)
X86 = os.uname().machine == "x86_64"
NR = {"add_key": 248, "keyctl": 250, "io_uring_setup": 425, "ptrace": 101, "process_vm_readv": 310, "clone3": 435,
      "open_by_handle_at": 304, "mount": 165, "umount2": 166, "pivot_root": 155, "unshare": 272, "setns": 308,
      "personality": 135, "userfaultfd": 323, "bpf": 321, "fsopen": 430, "open_tree": 428, "perf_event_open": 298,
      "name_to_handle_at": 303, "sethostname": 170, "chroot": 161, "mount_setattr": 442, "clock_settime": 227,
      "pidfd_getfd": 438, "vmsplice": 278, "kcmp": 312, "quotactl": 179, "acct": 163, "init_module": 175,
      "getpid_x32": 0x40000027, "future": 1000}
CLONE_NEWUSER, CLONE_NEWNS, CLONE_NEWNET = 0x10000000, 0x00020000, 0x40000000
tries = {}


def attempt(f):
    tries[f.__name__] = f
    return f


def call(name, *args):
    if not X86:
        raise OSError(errno.ENOTSUP, "numbers are x86_64's")
    r = libc.syscall(ctypes.c_long(NR[name]), *[ctypes.c_long(a) if isinstance(a, int) else a for a in args])
    if r < 0:
        raise OSError(ctypes.get_errno(), name)
    return r


def outcome(f):
    """In a child: an attempt may kill, or leave the process changed."""
    r, w = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            f()
            said = "ok"
        except OSError as e:
            said = errno.errorcode.get(e.errno, str(e.errno))
        except ValueError as e:
            said = f"ValueError {e}"
        os.write(w, said.encode())
        os._exit(0)
    os.close(w)
    said = os.read(r, 200).decode()
    os.close(r)
    status = os.waitpid(pid, 0)[1]
    if os.WIFSIGNALED(status):
        return f"signal {os.WTERMSIG(status)}"
    return said or ("ok" if status == 0 else "nothing")  # an exec says nothing


def read(path):
    with open(path, "rb") as f:
        f.read(1)


def write(path):
    with open(path, "wb") as f:
        f.write(b"x")


# ------------------------------------------------------------ files

@attempt
def write_project(): write(T["project"] + "/made")
@attempt
def write_readonly(): write(T["readonly"] + "/made")
@attempt
def read_readonly(): read(T["readonly"] + "/file")
@attempt
def write_environment(): write(T["project"] + "/.venv/poison.pth")
@attempt
def read_outside(): read(T["outside"] + "/secret")
@attempt
def read_home(): read(T["home"] + "/.ssh/id")
@attempt
def read_denied(): read(T["project"] + "/denied/file")
@attempt
def read_denied_file(): read(T["project"] + "/token")
@attempt
def read_denied_slashes(): read(T["project"] + "//./denied/../denied//file")
@attempt
def read_denied_link(): read(T["project"] + "/to-denied")
@attempt
def read_denied_by_root(): read("/proc/self/root" + T["project"] + "/denied/file")
@attempt
def read_denied_by_cwd(): read("/proc/self/cwd/denied/file")
@attempt
def read_hidden(): read(T["project"] + "/hidden/file")
@attempt
def list_hidden(): os.listdir(T["project"] + "/hidden")
@attempt
def uncover_by_chmod(): os.chmod(T["project"] + "/token", 0o644); read(T["project"] + "/token")
@attempt
def uncover_by_rename(): os.rename(T["project"] + "/denied", T["project"] + "/moved"); os.rename(T["project"] + "/moved", T["project"] + "/denied")
@attempt
def uncover_by_umount():
    call("umount2", ctypes.c_char_p((T["project"] + "/denied").encode()), 2)
@attempt
def remount_writable():
    call("mount", None, ctypes.c_char_p(T["readonly"].encode()), None, 4096 | 32, None)
@attempt
def climb():
    fd = os.open("/", os.O_RDONLY)
    for _ in range(30):
        fd = os.open("..", os.O_RDONLY, dir_fd=fd)
    os.close(os.open(T["outside"].lstrip("/") + "/secret", os.O_RDONLY, dir_fd=fd))
@attempt
def inherited_descriptor():
    os.fchdir(T["fd"])
    read("secret")
@attempt
def read_through_pid1(): read("/proc/1/root" + T["outside"] + "/secret")
@attempt
def open_disk():
    for name in ("vda", "sda", "nvme0n1", "kvm", "mem", "fuse", "kmsg"):
        if os.path.exists("/dev/" + name):
            read("/dev/" + name)
            return
    raise OSError(errno.ENOENT, "none")
@attempt
def make_device(): os.mknod(T["project"] + "/node", 0o600 | 0o060000, os.makedev(254, 0)); os.unlink(T["project"] + "/node")
@attempt
def write_core_pattern(): open("/proc/sys/kernel/core_pattern", "r+b").close()
@attempt
def read_kcore(): open("/proc/sysrq-trigger", "wb").close()
@attempt
def run_system(): os.execv("/bin/true", ["true"])


# ------------------------------------------------------------ processes

@attempt
def see_host_process(): os.kill(T["pid"], 0)
@attempt
def signal_host_process(): os.kill(T["pid"], signal.SIGURG)
@attempt
def read_host_environment(): read(f"/proc/{T['pid']}/environ")
@attempt
def trace_parent(): call("ptrace", 16, os.getppid(), 0, 0)
@attempt
def ptrace(): call("ptrace", 0, 0, 0, 0)
@attempt
def read_memory():
    b = ctypes.create_string_buffer(8)
    v = (ctypes.c_size_t * 2)(ctypes.addressof(b), 8)
    call("process_vm_readv", os.getpid(), v, 1, v, 1, 0)
@attempt
def raise_limit():
    resource.setrlimit(resource.RLIMIT_CORE, (4096, 4096))
@attempt
def write_uid_map(): open("/proc/self/uid_map", "w").write("0 0 1")
@attempt
def oom_shield(): open("/proc/self/oom_score_adj", "w").write("-1000")


# ------------------------------------------------------------ the kernel

@attempt
def new_user_namespace(): call("unshare", CLONE_NEWUSER)
@attempt
def new_net_namespace(): call("unshare", CLONE_NEWUSER | CLONE_NEWNET)
@attempt
def new_namespace_by_clone3(): call("clone3", None, 0)
@attempt
def enter_namespace():
    fd = os.open("/proc/self/ns/uts", os.O_RDONLY)
    call("setns", fd, 0)
@attempt
def key_ring(): call("keyctl", 0, -3, 0)
@attempt
def new_key(): call("add_key", ctypes.c_char_p(b"user"), ctypes.c_char_p(b"blast-test"), ctypes.c_char_p(b"x"), 1, -2)
@attempt
def io_uring():
    p = ctypes.create_string_buffer(120)
    call("io_uring_setup", 1, p)
@attempt
def user_faults(): call("userfaultfd", 1)
@attempt
def compare_processes(): call("kcmp", os.getpid(), os.getpid(), 1, 0, 0)
@attempt
def personality(): call("personality", 0x0040000)
@attempt
def splice_pages(): call("vmsplice", -1, None, 0, 0)
@attempt
def file_handle():
    h = ctypes.create_string_buffer(200)
    ctypes.c_uint.from_buffer(h).value = 128
    call("name_to_handle_at", -100, ctypes.c_char_p(b"/"), h, ctypes.byref(ctypes.c_int()), 0)
@attempt
def host_name(): call("sethostname", ctypes.c_char_p(b"x"), 1)
@attempt
def change_root(): call("chroot", ctypes.c_char_p(b"/"))
@attempt
def mount_tmpfs(): call("mount", ctypes.c_char_p(b"t"), ctypes.c_char_p(T["project"].encode()), ctypes.c_char_p(b"tmpfs"), 0, None)
@attempt
def new_mount_interface(): call("fsopen", ctypes.c_char_p(b"tmpfs"), 0)
@attempt
def set_clock(): call("clock_settime", 0, None)
@attempt
def bpf(): call("bpf", 0, None, 0)
@attempt
def future_call(): call("future")
@attempt
def x32_call(): call("getpid_x32")
@attempt
def i386_call():
    code = b"\xb8\x14\x00\x00\x00\xcd\x80\xc3"  # mov eax, 20 (getpid); int 0x80; ret
    m = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    m.write(code)
    f = ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(m)))
    if f() != os.getpid():
        raise OSError(errno.ENOSYS, "int 0x80")
@attempt
def type_into_terminal():
    if libc.ioctl(0, ctypes.c_ulong(0x5412), b"x") < 0:
        raise OSError(ctypes.get_errno(), "TIOCSTI")
@attempt
def type_with_high_bits():
    if libc.syscall(ctypes.c_long(16), ctypes.c_long(0), ctypes.c_ulong(0x100005412), b"x") < 0:
        raise OSError(ctypes.get_errno(), "TIOCSTI")


# ------------------------------------------------------------ sockets

@attempt
def host_tcp(): socket.create_connection(("127.0.0.1", T["port"]), 3).close()
@attempt
def host_abstract(): socket.socket(socket.AF_UNIX).connect("\0" + T["abstract"])
@attempt
def host_path_socket(): socket.socket(socket.AF_UNIX).connect(T["readonly"] + "/socket")
@attempt
def host_project_socket(): socket.socket(socket.AF_UNIX).connect(T["project"] + "/socket")
@attempt
def internet():
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.connect(("198.51.100.1", 53))
@attempt
def mptcp(): socket.socket(socket.AF_INET, socket.SOCK_STREAM, 262)
@attempt
def kernel_crypto(): socket.socket(38, socket.SOCK_SEQPACKET, 0)
@attempt
def vsock(): socket.socket(40, socket.SOCK_STREAM, 0)
@attempt
def raw_socket(): socket.socket(socket.AF_INET, socket.SOCK_RAW, 1)
@attempt
def packet_socket(): socket.socket(17, socket.SOCK_RAW, 0)
@attempt
def uevents(): socket.socket(16, socket.SOCK_DGRAM, 15)
@attempt
def own_loopback():
    s = socket.socket()
    s.bind(("127.0.0.1", 0))
    s.listen()
    socket.create_connection(s.getsockname(), 3).close()


# Outside, as root, some would do harm: those are not tried.
print(json.dumps({"tries": {n: outcome(f) for n, f in tries.items() if n not in T["skip"]}, "env": sorted(os.environ),
                  "fds": sorted(map(int, os.listdir("/proc/self/fd")))}))
