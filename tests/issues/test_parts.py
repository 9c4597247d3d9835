"""The parts of the jail and of git: what is shown, what is kept of output, what is never run."""

import asyncio
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from dualcode.errors import SuiteError
from dualcode.issues.bases import Base, open_base, resolve
from dualcode.issues.git import GitError, git
from dualcode.issues.jail import bubblewrap, tiers
from dualcode.issues.jail.jail import (
    CommandJail,
    _measure,  # pyright: ignore[reportPrivateUsage]
    _memory,  # pyright: ignore[reportPrivateUsage]
    _Output,  # pyright: ignore[reportPrivateUsage]
    landlock_rules,
)
from dualcode.issues.jail.launch import descendants
from dualcode.issues.jail.room import Room
from dualcode.issues.packages import Environment, Interpreter, interpreter
from dualcode.issues.screen import MACHINERY, screen
from dualcode.issues.task import IssueTask
from dualcode.issues.worktrees import worktree
from tests.issues import shop
from tests.issues.attacks import command_lines, end_marked


async def kept(chunks: list[bytes], most: int) -> tuple[str, int]:
    """Return what is kept of some output."""
    stream = asyncio.StreamReader()
    for each in chunks:
        stream.feed_data(each)
    stream.feed_eof()
    output = _Output(most)
    await output.read(stream)
    return output.text()


@pytest.mark.parametrize(
    ("chunks", "text", "left_out"),
    [
        ([], "", 0),
        ([b"0123456789"], "0123456789", 0),
        ([b"01234", b"56789", b"abc"], "01234\n[3 bytes left out]\n89abc", 3),
        ([b"x" * 100_000, b"end"], "xxxxx\n[99,993 bytes left out]\nxxend", 99_993),
        ([b"\xff\xfe"], "��", 0),
    ],
)
async def test_beginning_and_end_of_output_are_kept(chunks: list[bytes], text: str, left_out: int) -> None:
    assert await kept(chunks, 10) == (text, left_out)


def test_the_size_of_a_tree_counts_no_link_twice_and_survives_what_vanishes(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"x" * 100_000)
    (tmp_path / "link").symlink_to("a")
    (tmp_path / "loop").symlink_to(".")
    size, count = _measure([tmp_path, tmp_path / "gone"])
    assert (100_000 <= size < 120_000, count) == (True, 3)


def test_the_memory_of_a_tree_of_processes_is_that_of_all() -> None:
    program = "import sys; x = bytearray(50 << 20); print('ready', flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        assert child.stdout is not None
        child.stdout.readline()
        assert child.pid in descendants(os.getpid())
        assert _memory(child.pid, 1 << 40) > 50 << 20
        child.kill()
    assert _memory(child.pid, 1 << 40) == 0


def test_nothing_of_the_host_is_shown_but_what_is_listed(environment: Environment) -> None:
    with tiers.room_for_tests() as room:
        parts, sources = bubblewrap.arguments("/usr/bin/bwrap", room, {"A": "b"})
    own = (
        str(room.worktree.base.folder),
        str(room.environment.packages.parent),
        str(interpreter(">=3.8").prefix),
    )
    for source in sources:
        assert (
            source.startswith(("/usr/", "/etc/", "/lib", "/bin", "/sbin", *own)) or "/issues/etc/" in source
        )
    assert not {"/", "/usr", "/usr/lib", "/etc", "/root", "/home", "/tmp", "/usr/share"} & set(sources)
    writable = [parts[at + 2] for at, part in enumerate(parts) if part == "--bind"]
    assert writable == ["/tmp", "/repo"]
    assert {"--unshare-all", "--disable-userns", "--die-with-parent", "--clearenv"} <= set(parts)


def test_a_room_to_read_in_has_no_tree_to_write_to() -> None:
    with tiers.room_for_tests() as room:
        reading = Room(room.worktree, room.environment, writable=False)
        parts, _ = bubblewrap.arguments("/usr/bin/bwrap", reading, {})
        rules = landlock_rules(reading)
    assert "--bind" not in parts
    assert str(room.worktree.path) in rules["readable"]
    assert str(room.worktree.path) not in rules["writable"]


def test_packages_of_any_interpreter_are_hidden(tmp_path: Path) -> None:
    packages = tmp_path / "lib" / "python3.12" / "site-packages"
    packages.mkdir(parents=True)
    found = bubblewrap.package_folders(Interpreter(tmp_path / "bin/python", tmp_path, (3, 12, 0)))
    assert str(packages) in found
    with tiers.room_for_tests() as room:
        hidden = landlock_rules(room)["hidden"]
    assert set(hidden) == set(bubblewrap.package_folders(room.environment.interpreter))


_HOST = """
import asyncio, sys
from dualcode.issues.jail import tiers
from dualcode.issues.jail.jail import CommandJail
async def main():
    with tiers.room_for_tests() as room:
        line = f"echo started > /dev/stderr; setsid sleep 600 & sleep 600; : {sys.argv[2]}"
        await CommandJail(tiers.describe(sys.argv[1], {})).run(line, room)
asyncio.run(main())
"""


def test_killing_the_host_ends_its_commands_at_whatever_moment(jail: CommandJail) -> None:
    mark = os.urandom(8).hex()

    def there() -> bool:
        return sum(mark in line for line in command_lines()) > 1

    with subprocess.Popen([sys.executable, "-c", _HOST, jail.tier.name, mark]) as host:
        while not there():
            assert host.poll() is None
            time.sleep(0.02)
        host.kill()
    try:
        until = time.monotonic() + 60
        while any(mark in line for line in command_lines()) and time.monotonic() < until:
            time.sleep(0.02)
        assert not any(mark in line for line in command_lines())
    finally:
        end_marked(mark)


def test_git_is_called_without_the_user_s_configuration(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    marker = tmp_path / "ran"
    shop.write(
        tmp_path, {"home/.gitconfig": f"[core]\n\tfsmonitor = touch {marker}; false\n[user]\n\tname = me\n"}
    )
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("GIT_DIR", "/nowhere")
    monkeypatch.setenv("GIT_EXTERNAL_DIFF", f"touch {marker}")
    git(None, "init", "--quiet", "--bare", str(tmp_path / "bare"))
    git(tmp_path / "bare", "status", tree=tmp_path)
    assert git(tmp_path / "bare", "config", "user.name", allowed=(0, 1)) == b""
    assert not marker.exists()


def test_a_git_that_fails_or_is_missing_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(GitError, match=r"git log failed \(128\): fatal: not a git repository"):
        git(tmp_path / "none", "log", at=tmp_path)
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(GitError, match="git is not installed"):
        git(None, "--version")


def test_a_revision_can_be_one_of_a_worktree_or_a_bare_repository(tmp_path: Path, repository: Path) -> None:
    head = shop.git(repository, "rev-parse", "HEAD").strip()
    shop.git(repository, "worktree", "add", "-q", "--detach", str(tmp_path / "side"), "HEAD~1")
    shop.git(tmp_path, "clone", "-q", "--bare", str(repository), str(tmp_path / "bare.git"))
    assert resolve(tmp_path / "side", "HEAD") == shop.git(repository, "rev-parse", "HEAD~1").strip()
    assert resolve(tmp_path / "bare.git", "HEAD") == head
    with pytest.raises(SuiteError, match="is no git repository"):
        resolve(tmp_path, "HEAD")


@pytest.fixture
def base(task: IssueTask) -> Base:
    return open_base(task)


def test_each_file_that_decides_how_tests_run_is_put_back(
    base: Base, task: IssueTask, environment: Environment
) -> None:
    names = {name for each in MACHINERY for name in (each, f"shop/{each}")}
    with worktree(base, "trial") as tree:
        shop.write(tree.path, {**dict.fromkeys(names, "x = 1\n"), **shop.RIGHT})
        diff = tree.commit().diff
    with worktree(base, "again") as tree:
        found = screen(tree, diff, task, environment)
        assert not any((tree.path / "shop" / name).exists() for name in MACHINERY)
        assert (tree.path / "setup.cfg").read_text() == shop.FILES["setup.cfg"]
        assert (tree.path / "shop/price.py").read_text() == shop.RIGHT["shop/price.py"]
    assert {each.path for each in found.dropped} == names
    assert found.counted == ("shop/price.py",)


def test_what_would_stand_in_for_another_module_is_put_back(
    base: Base, task: IssueTask, environment: Environment
) -> None:
    names = ("re.py", "json/__init__.py", "pluggy/__init__.py", "_pytest/main.py")
    with worktree(base, "trial") as tree:
        shop.write(tree.path, {each: "x = 1\n" for name in names for each in (name, f"shop/{name}")})
        shop.write(tree.path, {"x.pth": "import os\n", "shop/y.pth": "import os\n"})
        diff = tree.commit().diff
    with worktree(base, "again") as tree:
        found = screen(tree, diff, task, environment)
    assert {each.path for each in found.dropped} == {*names, "x.pth", "shop/y.pth"}


def test_a_renamed_file_counts_as_both(base: Base, task: IssueTask, environment: Environment) -> None:
    with worktree(base, "trial") as tree:
        (tree.path / "shop/price.py").rename(tree.path / "shop/prices.py")
        shop.write(tree.path, {"shop/__init__.py": "from shop.prices import total\n"})
        diff = tree.commit().diff
    with worktree(base, "again") as tree:
        found = screen(tree, diff, task, environment)
    assert found.counted == ("shop/__init__.py", "shop/price.py", "shop/prices.py")


def test_binary_files_and_modes_survive_the_way_through_a_diff(base: Base) -> None:
    content = bytes(range(256)) * 4
    with worktree(base, "trial") as tree:
        (tree.path / "shop/data.bin").write_bytes(content)
        shop.write(tree.path, {"run.sh": "#!/bin/sh\n"})
        (tree.path / "run.sh").chmod(0o755)
        change = tree.commit()
    with worktree(base, "again") as tree:
        tree.apply(change.diff)
        assert (tree.path / "shop/data.bin").read_bytes() == content
        assert (tree.path / "run.sh").stat().st_mode & 0o111
        assert tree.commit().commit == change.commit


def test_an_encoding_that_is_none_survives_too(base: Base) -> None:
    with worktree(base, "trial") as tree:
        (tree.path / "shop/latin.txt").write_bytes("größe\r\n".encode("latin-1"))
        change = tree.commit()
    with worktree(base, "again") as tree:
        tree.apply(change.diff)
        assert (tree.path / "shop/latin.txt").read_bytes() == "größe\r\n".encode("latin-1")
