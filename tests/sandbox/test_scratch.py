"""The scratch folder: bounded whatever hides in it, cleared whatever was left in it, as any user."""

import asyncio
import contextlib
import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

from dualcode.sandbox import fence, worker
from dualcode.sandbox.job import Expressions, Job, Limits
from dualcode.sandbox.pool import Pool, open_sandbox
from dualcode.sandbox.tiers import TIERS, probe
from tests.sandbox.ordinary import run_ordinary, start_ordinary

MIB = 1 << 20
SHARED = Path("/dev/shm")
BURST = 320 * MIB
"""What may be written before the next count, on a fast machine; 64 MiB are allowed."""

HOLD = """
import mmap, os, posix, threading, time
def reserve():
    import ctypes
    fallocate = ctypes.CDLL(None).fallocate
    fallocate.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_long, ctypes.c_long)
    if fallocate(os.open("reserved", os.O_CREAT | os.O_RDWR), 1, 0, 700 << 20):
        raise OSError("fallocate")
    time.sleep(0.5)
def fill(make, keep):
    for number in range(48):
        descriptor = make(str(number))
        for _ in range(15):
            os.write(descriptor, bytes(1 << 20))
        keep(descriptor)
    time.sleep(0.5)
def unlinked(name):
    descriptor = os.open(name, os.O_CREAT | os.O_RDWR)
    posix.unlink(name)
    return descriptor
def nameless(name): return os.open(".", os.O_TMPFILE | os.O_RDWR)
def named(name): return os.open(name, os.O_CREAT | os.O_RDWR)
kept = []
def mapped(descriptor):
    kept.append(mmap.mmap(descriptor, 4096))
    os.close(descriptor)
def led_by_none(make, keep):
    threading.Thread(target=fill, args=(make, keep)).start()
    __import__("ctypes").CDLL(None).syscall(60, 0)  # only this thread ends
"""
WAYS = (
    "fill(named, os.close)",
    "fill(unlinked, int)",
    "fill(nameless, int)",
    "fill(unlinked, mapped)",
    "fill(nameless, mapped)",
    "led_by_none(unlinked, mapped)",
    "reserve()",
)


@pytest.fixture
def memory_folder(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of which every byte is counted as shared memory, and in which scratch folders are made."""
    if not SHARED.is_dir() or shutil.disk_usage(SHARED).free < 2 << 30:
        pytest.skip("no room in /dev/shm to show what is held")
    with tempfile.TemporaryDirectory(dir=SHARED) as folder:
        monkeypatch.setattr(tempfile, "tempdir", folder)
        yield Path(folder)


class Peak:
    """The most shared memory that the machine held while this was open, beyond what it held before."""

    def __enter__(self) -> "Peak":
        self.before = self.most = _shared_memory()
        self._over = threading.Event()
        self._watching = threading.Thread(target=self._watch)
        self._watching.start()
        return self

    def _watch(self) -> None:
        while not self._over.wait(0.003):
            self.most = max(self.most, _shared_memory())

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._watching.join()

    @property
    def bytes(self) -> int:
        return self.most - self.before


def _shared_memory() -> int:
    lines = Path("/proc/meminfo").read_text().splitlines()
    return next(int(line.split()[1]) << 10 for line in lines if line.startswith("Shmem:"))


@pytest.fixture(params=TIERS)
def tier(request: pytest.FixtureRequest) -> str:
    if failure := asyncio.run(probe(request.param)):
        pytest.skip(f"this machine refuses the tier {request.param}: {failure}")
    return request.param


def entries(folder: Path) -> list[Path]:
    return list(folder.iterdir())


async def finish(sandbox: Pool, program: str, *calls: str) -> list[bytes]:
    ran = await sandbox.run(Job(program, Expressions(calls)))
    assert (ran.ending, ran.told()) == ("finished", None), ran
    return [frame.payload for frame in ran.returned()]


# Bounded


@pytest.mark.parametrize("way", WAYS)
async def test_what_a_run_holds_on_disk_is_bounded_wherever_it_hides(
    tier: str, way: str, memory_folder: Path
) -> None:
    async with open_sandbox(1, tier=tier) as sandbox:
        with Peak() as peak:
            await sandbox.run(Job(HOLD, Expressions((way,)), limits=Limits(wall=10.0)))
        assert peak.bytes < BURST
        await finish(sandbox, "import os", "os.stat('.').st_size")
    assert entries(memory_folder) == []


@pytest.mark.parametrize("way", WAYS)
def test_a_plain_process_holds_more(way: str, memory_folder: Path) -> None:
    with Peak() as peak:
        subprocess.run([sys.executable, "-c", f"{HOLD}\n{way}"], cwd=memory_folder, timeout=60, check=True)
    assert peak.bytes > 2 * BURST


async def test_an_honest_program_is_not_disturbed_by_being_counted(sandbox: Pool) -> None:
    program = """
import os, tempfile, threading, time
def f():
    kept = [tempfile.TemporaryFile() for _ in range(8)]
    for file in kept: file.write(bytes(1 << 20))
    began, naps = time.monotonic(), 0
    while time.monotonic() - began < 0.8:
        time.sleep(0.01)
        naps += 1
    return sum(file.tell() for file in kept) >> 20
"""
    assert (await finish(sandbox, program, "f()"))[0] == b"i\x08\0\0\0"


# Cleared

LEAVE = """
import os
def leave():
    os.mkdir("a"); os.mkdir("a/b"); os.mkdir("a/b/shut", 0); os.mkdir("a/b/c"); os.mkdir("a/b/c/shut", 0)
    os.symlink("/", "a/b/root"); os.symlink("..", "a/up")
    os.mkdir(b"\\xff\\n\\x01"); os.mkdir("-rf"); os.mkdir("n" * 255); os.mkdir("n" * 255 + "/" + "m" * 255)
    os.umask(0o777); os.mkdir("masked"); os.close(os.open("masked-file", os.O_CREAT))
    os.umask(0)
    here = "."
    for level in range(60):
        here += "/" + "d" * 60
        os.mkdir(here)
"""
"""What only the owner of a folder can undo, with links that lead out of it."""
BLIND = """
import os
def leave():
    os.mkdir("blind", 0o300); os.mkdir("blind/inner"); os.mkdir("blind/inner/shut", 0)
    os.close(os.open("blind/file", os.O_CREAT, 0))
"""
"""What nobody can count."""

LISTING = "import os\ndef seen(): return len(os.listdir('.'))"

AS_ORDINARY = f"""
import asyncio, os, tempfile
from dualcode.sandbox import open_sandbox
from dualcode.sandbox.job import Expressions, Job
async def main():
    async with open_sandbox(1, tier={{tier!r}}) as sandbox:
        for program in ({LEAVE!r}, {BLIND!r}, {LEAVE!r}):
            ran = await sandbox.run(Job(program, Expressions(("leave()",))))
            assert ran.told() is None, ran.told()
            ran = await sandbox.run(Job({LISTING!r}, Expressions(("seen()",))))
            assert ran.returned()[0].payload == b"i" + bytes(4), ran
            servers = sandbox.servers
            assert len(servers) == 1
        assert sandbox.servers == servers
    print(os.getuid(), os.listdir(tempfile.gettempdir()))
asyncio.run(main())
"""


@pytest.mark.parametrize("tier", TIERS)
def test_an_ordinary_user_clears_folders_of_any_mode(tier: str, open_path: Path) -> None:
    uid, _, left = run_ordinary(AS_ORDINARY.format(tier=tier), open_path / "tmp").partition(" ")
    assert int(uid) != 0
    assert left == "[]\n"


@pytest.fixture
def open_path() -> Iterator[Path]:
    """A folder that every user may pass through."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


def test_the_program_leaves_what_its_owner_cannot_delete(open_path: Path) -> None:
    script = (
        f"{LEAVE}\nos.chdir(os.environ['TMPDIR'])\nleave()\n"
        "import shutil\ntry: shutil.rmtree('a')\nexcept PermissionError: print('kept')"
    )
    assert run_ordinary(script, open_path / "tmp") == "kept\n"
    fence.clear(str(open_path / "tmp"))
    assert entries(open_path / "tmp") == []


HOST = f"""
import asyncio, sys
from dualcode.sandbox import open_sandbox
from dualcode.sandbox.job import Expressions, Job
PROGRAM = {LEAVE!r} + "    while True: pass"
async def main():
    async with open_sandbox(1, tier={{tier!r}}) as sandbox:
        running = asyncio.create_task(sandbox.run(Job(PROGRAM, Expressions(("leave()",)))))
        await asyncio.sleep({{seconds}})
        print("runs", flush=True)
        await running
asyncio.run(main())
"""


@pytest.mark.parametrize("seconds", [0.0, 0.1, 2.0], ids=["at once", "soon", "later"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_nothing_is_left_when_the_host_is_ended(number: int, seconds: float, open_path: Path) -> None:
    folder = open_path / "tmp"
    with start_ordinary(HOST.format(tier="landlock", seconds=seconds), folder) as host:
        assert host.stdout is not None
        if host.stdout.readline() != "runs\n":
            pytest.skip("no user can be given up here")
        assert entries(folder)
        host.send_signal(number)
        host.communicate(timeout=30)
    until = time.monotonic() + 60
    while entries(folder) and time.monotonic() < until:
        time.sleep(0.02)
    assert entries(folder) == []


@contextlib.contextmanager
def mounted(folder: Path) -> Generator[None]:
    folder.mkdir()
    if os.geteuid() or subprocess.run(["mount", "-t", "tmpfs", "none", folder], check=False).returncode:
        pytest.skip("nothing can be mounted here")
    try:
        yield
    finally:
        mounts = [line.split()[1] for line in Path("/proc/mounts").read_text().splitlines()]
        subprocess.run(["umount", *(mount for mount in mounts if mount.endswith(folder.name))], check=True)


async def test_a_folder_that_cannot_be_cleared_is_replaced_and_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Something is mounted there, say: the next job has another folder, the server lives on."""
    if await probe("landlock"):
        pytest.skip("this machine refuses the tier landlock")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    async with open_sandbox(1, tier="landlock") as sandbox:
        await finish(sandbox, LISTING, "seen()")
        (folder,) = sandbox.folders
        (scratch,) = entries(folder)
        with mounted(scratch / f"stuck-{os.getpid()}"):
            servers = sandbox.servers
            await finish(sandbox, LISTING, "seen()")  # which may see what is stuck
            assert await finish(sandbox, LISTING, "seen()") == [b"i" + bytes(4)]
            assert sandbox.servers == servers
            assert len(entries(folder)) == 2
            await sandbox.close()
            assert f"the folder {folder} cannot be removed" in caplog.text


def test_clearing_follows_no_link(tmp_path: Path) -> None:
    outside, folder = tmp_path / "outside", tmp_path / "folder"
    outside.mkdir(mode=0o700)
    (outside / "kept").write_text("x")
    (folder / "deep" / "er").mkdir(parents=True)
    for at in (folder, folder / "deep", folder / "deep" / "er"):
        (at / "link").symlink_to(outside)
        (at / "file").symlink_to(outside / "kept")
        (at / "nowhere").symlink_to("nowhere")
    outside.chmod(0o500)
    fence.clear(str(folder))
    assert list(folder.iterdir()) == []
    assert (outside / "kept").read_text() == "x"
    assert stat.S_IMODE(outside.stat().st_mode) == 0o500


def test_several_that_clear_one_folder_all_succeed(tmp_path: Path) -> None:
    """A server's helper may be at it while the host is, or the host's end comes while one is at it."""
    for number in range(40):
        here = tmp_path / str(number)
        for level in range(20):
            here = here / f"level-{level}"
        here.mkdir(parents=True)
        for file in range(20):
            (here / str(file)).touch()
    script = f"from dualcode.sandbox import fence\nfence.clear({str(tmp_path)!r})"
    clearing = [subprocess.Popen([sys.executable, "-c", script]) for _ in range(4)]
    assert [each.wait() for each in clearing] == [0, 0, 0, 0]
    assert entries(tmp_path) == []


def test_a_very_deep_tree_is_cleared(tmp_path: Path) -> None:
    descriptor = os.open(tmp_path, os.O_RDONLY)
    for _ in range(120):  # no path can name the lowest
        os.mkdir("d" * 100, dir_fd=descriptor)
        inner = os.open("d" * 100, os.O_RDONLY, dir_fd=descriptor)
        os.close(descriptor)
        descriptor = inner
    os.close(descriptor)
    fence.clear(str(tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_folders_of_killed_hosts_are_swept_and_others_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    forgotten, young, claimed, foreign = (
        tmp_path / f"{prefix}{name}"
        for prefix, name in (
            (worker.PREFIX, "old"),
            (worker.PREFIX, "young"),
            (worker.PREFIX, "held"),
            ("x", ""),
        )
    )
    for folder in (forgotten, young, claimed, foreign):
        (folder / "inner").mkdir(parents=True)
        if folder != young:
            os.utime(folder, (0, 0))
    (tmp_path / f"{worker.PREFIX}link").symlink_to(foreign)
    claim = worker._claim(claimed)  # pyright: ignore[reportPrivateUsage]
    worker.sweep()
    os.close(claim)
    assert [each.exists() for each in (forgotten, young, claimed, foreign / "inner")] == [
        False,
        True,
        True,
        True,
    ]
