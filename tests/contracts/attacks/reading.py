"""Attacks that read, write or connect to what is not theirs."""
# ruff: noqa: E501 - a try of an attack stays on its line

from tests.contracts.attacks.attack import Attack

READING = [
    Attack(
        "read the environment",
        """
def tries():
    import ctypes
    attempt("os.environ", lambda: os.environ.get(SECRET_VARIABLE) or False)
    attempt("getenv", lambda: libc().getenv and _getenv())
    for pid in ("self", HOST, VICTIM, os.getppid(), 1):
        attempt(f"/proc/{pid}/environ", lambda pid=pid: SECRET_VARIABLE in read_path(f"/proc/{pid}/environ"))

def _getenv():
    import ctypes
    get = libc().getenv
    get.restype = ctypes.c_char_p
    return get(SECRET_VARIABLE.encode()) or False
""",
    ),
    Attack(
        "read a file",
        """
def tries():
    import io, mmap, linecache, pathlib
    attempt("open", lambda: open(CANARY).read())
    attempt("io.open", lambda: io.open(CANARY).read())
    attempt("os.open", read_path, CANARY)
    attempt("io.FileIO", lambda: io.FileIO(CANARY).read())
    attempt("pathlib", lambda: pathlib.Path(CANARY).read_text())
    attempt("linecache", lambda: linecache.getlines(CANARY) or False)
    attempt("O_PATH", lambda: read_path(f"/proc/self/fd/{os.open(CANARY, os.O_PATH)}"))
    attempt("O_PATH of the folder", lambda: os.read(os.open("canary", os.O_RDONLY, dir_fd=os.open(VAULT, os.O_PATH)), 99))
    attempt("from /", lambda: read_path("/../../.." + CANARY))
    attempt("libc", lambda: _by_libc())

def _by_libc():
    import ctypes
    descriptor = libc().open(CANARY.encode(), 0)
    if descriptor < 0:
        raise OSError(ctypes.get_errno(), "open")
    return os.read(descriptor, 100)
""",
    ),
    Attack(
        "read the host's name",
        """
def tries():
    import socket
    attempt("uname", lambda: os.uname().nodename == HOST_NAME)
    attempt("gethostname", lambda: socket.gethostname() == HOST_NAME)
    attempt("libc", _by_libc_name)

def _by_libc_name():
    import ctypes
    name = ctypes.create_string_buffer(256)
    return libc().gethostname(name, 256) == 0 and name.value.decode() == HOST_NAME
""",
        admitted="the host's name",
    ),
    Attack(
        "read well-known files",
        """
def tries():
    for path in ("/etc/passwd", "/etc/hostname", "/etc/shadow", "/etc/gshadow", "/proc/version", "/proc/self/maps",
                 "/proc/cmdline", "/proc/self/status", "/sys/class/dmi/id/product_name", "/proc/mounts"):
        attempt(path, read_path, path)
    attempt("home", lambda: os.listdir(os.path.expanduser("~root")) or False)
    attempt("/etc", lambda: [name for name in os.listdir("/etc") if not name.startswith("ld.so")] or False)
    attempt("/proc", lambda: [name for name in os.listdir("/proc") if name.isdigit()] or False)
    attempt("/sys", lambda: os.listdir("/sys") or False)
""",
    ),
    Attack(
        "list a folder",
        """
def tries():
    attempt("listdir", os.listdir, VAULT)
    attempt("scandir", lambda: next(os.scandir(VAULT)).name)
    attempt("walk", lambda: next(os.walk(VAULT)))
    attempt("glob", lambda: __import__("glob").glob(VAULT + "/*") or False)
""",
    ),
    Attack(
        "ask for a file's size and times",
        """
def tries():
    attempt("stat", lambda: os.stat(CANARY).st_size)
    attempt("access", lambda: os.access(CANARY, os.F_OK))
    attempt("O_PATH", lambda: os.open(CANARY, os.O_PATH))
""",
        admitted="stat",
    ),
    Attack(
        "ask where a link points",
        """
def tries():
    attempt("readlink", os.readlink, VAULT + "/link")
""",
        admitted="readlink",
    ),
    Attack(
        "read or enter what is only named (O_PATH)",
        """
def tries():
    def read():
        return os.read(os.open(CANARY, os.O_PATH), 99)
    def reopen():
        return os.read(os.open(f"/proc/self/fd/{os.open(CANARY, os.O_PATH)}", os.O_RDONLY), 99)
    def enter():
        os.chdir(VAULT)
        return os.listdir(".")
    for act in (read, reopen, enter):
        attempt(act.__name__, act)
""",
    ),
    Attack(
        "reach a file through links and /proc",
        """
def tries():
    here = os.path.realpath(".")
    for name, target in (("file", CANARY), ("folder", VAULT), ("root", "/")):
        attempt(f"link to the {name}", lambda: _through(name, target))
    for path in ("/proc/self/root", "/proc/1/root", f"/proc/{HOST}/root", "/proc/self/cwd/../../../../..",
                 f"/proc/{HOST}/cwd", f"/proc/{VICTIM}/root"):
        attempt(path, read_path, path + CANARY)
    attempt("hard link", lambda: (os.link(CANARY, "linked"), read_path("linked"))[1])
    attempt("descriptors' links", lambda: [read_path(f"/proc/self/fd/{n}") for n in range(3, 20) if _is_file(n)] or False)

def _is_file(descriptor):  # the pipe of its own frames is its own
    import stat
    try:
        return stat.S_ISREG(os.stat(f"/proc/self/fd/{descriptor}").st_mode)
    except OSError:
        return False

def _through(name, target):
    os.symlink(target, "to-" + name)
    return read_path("to-" + name + {"file": "", "folder": "/canary", "root": CANARY}[name])
""",
    ),
    Attack(
        "write, truncate or delete a file",
        """
def tries():
    attempt("write", lambda: os.write(os.open(CANARY, os.O_WRONLY), b"x"))
    attempt("append", lambda: os.write(os.open(CANARY, os.O_WRONLY | os.O_APPEND), b"x"))
    attempt("truncate on open", lambda: os.open(CANARY, os.O_WRONLY | os.O_TRUNC))
    attempt("truncate on a read-only open", lambda: os.open(CANARY, os.O_RDONLY | os.O_TRUNC))
    attempt("truncate", lambda: os.truncate(CANARY, 0) or True)
    attempt("io.open", lambda: __import__("io").open(CANARY, "w").write("x"))
    attempt("chmod", lambda: os.chmod(CANARY, 0o600) or True)
    attempt("utime", lambda: os.utime(CANARY, (1, 1)) or True)
    attempt("setxattr", lambda: os.setxattr(CANARY, "user.x", b"x") or True)
    attempt("rename", lambda: os.rename(CANARY, CANARY + "2") or True)
    attempt("remove", lambda: os.remove(CANARY) or True)
    attempt("rmdir", lambda: os.rmdir(VAULT + "/empty") or True)
    attempt("rmtree", lambda: __import__("shutil").rmtree(VAULT) or True)
""",
    ),
    Attack(
        "create files outside",
        """
def tries():
    attempt("open", lambda: os.open(VAULT + "/new", os.O_CREAT | os.O_WRONLY))
    attempt("open read-only", lambda: os.open(VAULT + "/new2", os.O_CREAT | os.O_RDONLY))
    attempt("mkdir", lambda: os.mkdir(VAULT + "/folder") or True)
    attempt("symlink", lambda: os.symlink("/", VAULT + "/link") or True)
    attempt("link", lambda: os.link(CANARY, VAULT + "/hard") or True)
    attempt("mkfifo", lambda: os.mkfifo(VAULT + "/fifo") or True)
    attempt("mknod", lambda: os.mknod(VAULT + "/node") or True)
    attempt("sqlite", lambda: __import__("sqlite3").connect(VAULT + "/db").execute("create table t (x)") and True)
    attempt("dbm", lambda: __import__("dbm.dumb").dumb.open(VAULT + "/dbm", "c") and True)
    attempt("O_TMPFILE", lambda: os.open(VAULT, os.O_TMPFILE | os.O_WRONLY))
""",
    ),
    Attack(
        "write through a link in its own folder",
        """
def tries():
    attempt("link", lambda: os.symlink(VAULT, "vault") or None)
    attempt("create", lambda: os.open("vault/new", os.O_CREAT | os.O_WRONLY))
    attempt("delete", lambda: os.remove("vault/canary") or True)
    attempt("rename out", lambda: (os.close(os.open("own", os.O_CREAT)), os.rename("own", VAULT + "/own"), True)[2])
""",
    ),
    Attack(
        "write into Python's own files",
        """
def tries():
    import json, tempfile
    for module in (os, json):
        path = module.__file__
        attempt(f"open {path}", lambda: os.open(path, os.O_WRONLY | os.O_APPEND))
        attempt("sibling", lambda: os.open(os.path.dirname(path) + "/dualcode_attack.py", os.O_CREAT | os.O_EXCL | os.O_WRONLY))
""",
        bare=False,  # as root it would succeed, in the interpreter that runs the tests
    ),
    Attack(
        "connect on the loopback",
        """
def tries():
    import socket, asyncio, urllib.request
    attempt("tcp", lambda: socket.create_connection(("127.0.0.1", PORT), 0.2).close() or True)
    attempt("udp", lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x", ("127.0.0.1", UDP_PORT)))
    attempt("http", lambda: urllib.request.urlopen(f"http://127.0.0.1:{PORT}/", timeout=0.2))
    attempt("ipv6", lambda: socket.create_connection(("::ffff:127.0.0.1", PORT), 0.2).close() or True)
    attempt("tcp fast open", lambda: socket.socket().sendto(b"x", 0x20000000, ("127.0.0.1", PORT)))
    attempt("raw", lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, 1) and True)
    attempt("packet", lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW) and True)
    attempt("netlink", lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) and True)
    attempt("vsock", lambda: socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM) and True)
    attempt("alg", lambda: socket.socket(socket.AF_ALG, socket.SOCK_SEQPACKET) and True)
""",
    ),
    Attack(
        "listen on a port",
        """
def tries():
    import socket
    attempt("listen", lambda: socket.create_server(("127.0.0.1", FREE_PORT)) and True)
    attempt("listen on all", lambda: socket.create_server(("", 0)) and True)
""",
    ),
    Attack(
        "connect to Unix sockets",
        """
def tries():
    import socket
    for name in (PATH_SOCKET, ABSTRACT_SOCKET):
        attempt(repr(name), lambda: socket.socket(socket.AF_UNIX).connect(name) or True)
    attempt("bind", lambda: socket.socket(socket.AF_UNIX).bind("\\0dualcode-attack-bound") or True)
    for path in ("/var/run/docker.sock", "/dev/log", "/run/systemd/private", "/run/dbus/system_bus_socket"):
        attempt(path, lambda: socket.socket(socket.AF_UNIX).connect(path) or True)
""",
    ),
    Attack(
        "look up a name",
        """
def tries():
    import socket
    attempt("localhost", lambda: socket.getaddrinfo("localhost", 80) and True)
""",
    ),
    Attack(
        "open devices",
        """
def tries():
    for path in ("/dev/mem", "/dev/kmsg", "/dev/vda", "/dev/sda", "/dev/tty", "/dev/ptmx", "/dev/fuse", "/dev/kvm",
                 "/dev/net/tun", "/dev/shm", "/dev/console"):
        attempt(path, lambda: os.open(path, os.O_RDONLY))
    attempt("openpty", os.openpty)
    attempt("type into the terminal", lambda: _type())
    attempt("create in /dev/shm", lambda: (os.open("/dev/shm/dualcode-attack", os.O_CREAT | os.O_RDWR), os.unlink("/dev/shm/dualcode-attack"))[0])

def _type():
    import fcntl, termios
    for descriptor in range(3):
        fcntl.ioctl(descriptor, termios.TIOCSTI, b"x")
    return True
""",
    ),
]
