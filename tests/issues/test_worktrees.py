"""Worktrees: apart, locked, recovered; and the one commit, of which nothing is a part by surprise."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from dualcode.errors import RunError, SuiteError
from dualcode.issues.bases import Base, open_base
from dualcode.issues.git import git
from dualcode.issues.jail.jail import CommandJail
from dualcode.issues.jail.room import Room
from dualcode.issues.packages import Environment
from dualcode.issues.task import IssueTask, Source
from dualcode.issues.worktrees import recover, worktree
from tests.issues import shop


@pytest.fixture
def base(task: IssueTask) -> Base:
    return open_base(task)


def test_the_base_is_one_commit_without_the_user_s_name_or_history(base: Base) -> None:
    told = git(base.git_dir, "log", "--all", "--format=%an %ae %ad %s").decode()
    assert told.splitlines() == ["base base@localhost Sat Jan 1 00:00:00 2000 +0000 base"]
    objects = git(base.git_dir, "cat-file", "--batch-all-objects", "--batch-check=%(objecttype)").decode()
    assert objects.split().count("commit") == 1
    found = git(base.git_dir, "grep", "-F", "return sum(prices)", base.commit, allowed=(0, 1))
    assert found == b""


def test_the_user_s_own_checkout_is_not_touched_even_if_it_is_dirty(
    task: IssueTask, repository: Path
) -> None:
    (repository / "shop/price.py").write_text("what the user is at\n")
    (repository / "new.txt").write_text("and that\n")

    def state() -> list[tuple[str, int, bytes]]:
        files = (each for each in sorted(repository.rglob("*")) if each.is_file())
        return [(str(each), each.stat().st_mtime_ns, each.read_bytes()) for each in files]

    before = state()
    with worktree(open_base(task), "trial") as tree:
        shop.write(tree.path, shop.RIGHT)
        tree.commit()
        assert (tree.path / "shop/price.py").read_text() != "what the user is at\n"
    assert state() == before


def test_a_commit_has_what_was_changed_added_and_removed(base: Base) -> None:
    with worktree(base, "trial") as tree:
        shop.write(tree.path, shop.RIGHT)
        shop.write(
            tree.path, {"shop/new file's.py": "x = 1\n", "shop/__pycache__/a.pyc": "no", "build/x": "no"}
        )
        (tree.path / "setup.cfg").unlink()
        change = tree.commit()
        parents = git(tree.admin, "rev-list", "--parents", "-n1", "HEAD", more=tree.objects())
    assert change.files == ("setup.cfg", "shop/new file's.py", "shop/price.py")
    assert parents.decode().split() == [change.commit, base.commit]
    assert change.left_out == ()
    with worktree(base, "again") as tree:
        tree.apply(change.diff)
        assert tree.commit().diff == change.diff


def test_the_same_tree_has_the_same_commit_whenever_it_is_made(base: Base) -> None:
    commits: set[str] = set()
    for name in ("one", "two"):
        with worktree(base, name) as tree:
            shop.write(tree.path, shop.RIGHT)
            commits.add(tree.commit().commit)
    assert len(commits) == 1


def test_an_ignore_file_of_the_model_s_hides_nothing(base: Base) -> None:
    with worktree(base, "trial") as tree:
        shop.write(
            tree.path, {".gitignore": "*\n", "shop/hidden.py": "x = 1\n", "own.log": "the base ignores it"}
        )
        assert tree.commit().files == (".gitignore", "shop/hidden.py")


def test_a_planted_git_dir_runs_nothing_on_the_host(base: Base, tmp_path: Path) -> None:
    marker = tmp_path / "ran"
    with worktree(base, "trial") as tree:
        (tree.path / ".git").unlink()
        shop.git(tree.path, "init", "-q")
        for key in (
            "core.fsmonitor",
            "core.sshCommand",
            "filter.x.clean",
            "filter.x.smudge",
            "diff.external",
        ):
            shop.git(tree.path, "config", key, f"touch {marker}; false")
        hook = tree.path / ".git/hooks/post-index-change"
        shop.write(tree.path, {".git/hooks/post-index-change": f"#!/bin/sh\ntouch {marker}\n"})
        hook.chmod(0o755)
        shop.write(tree.path, {".gitattributes": "* filter=x diff=x\n", **shop.RIGHT})
        shop.git(tree.path, "status")
        assert marker.exists()  # the control: a plain call of git does run it
        marker.unlink()
        change = tree.commit()
        tree.apply("")
        tree.checkout(base.commit)
    assert not marker.exists()
    assert change.files == (".gitattributes", "shop/price.py")
    assert not list(base.git_dir.glob("worktrees/*"))


def test_a_nested_repository_gives_its_files_and_is_told_of(base: Base) -> None:
    with worktree(base, "trial") as tree:
        nested = tree.path / "nested"
        shop.write(nested, {"code.py": "x = 1\n"})
        shop.git(nested, "init", "-q")
        shop.git(nested, "add", "-A")
        shop.git(nested, "commit", "-qm", "inner")
        change = tree.commit()
    assert change.files == ("nested/code.py",)
    assert [(each.path, each.why[:19]) for each in change.left_out] == [("nested", "a nested repository")]
    assert "160000" not in change.diff


async def test_git_works_in_the_jail_and_sees_no_other_tree(
    base: Base, environment: Environment, jail: CommandJail
) -> None:
    with worktree(base, "other"), worktree(base, "trial") as tree:
        shop.write(tree.path, shop.RIGHT)
        room = Room(tree, environment)
        line = "git status --short && git log --format=%an && git diff --stat && git worktree list | wc -l"
        ended = await jail.run(line, room)
        assert ended.output.startswith(" M shop/price.py\nbase\n shop/price.py | 2 +-\n"), ended.output
        if jail.tier.name == "bubblewrap":
            assert "other" not in (await jail.run("git worktree list", room)).output
            replaced = await jail.run("rm .git; mv .git x; git commit -qam mine", room)
            assert replaced.exit_code != 0
        assert tree.commit().files == ("shop/price.py",)


def test_links_out_of_the_tree_and_what_is_no_file_are_left_out_and_told_of(
    base: Base, tmp_path: Path
) -> None:
    secret = tmp_path / "secret"
    secret.write_text("the host's")
    with worktree(base, "trial") as tree:
        (tree.path / "out").symlink_to(secret)
        (tree.path / "up").symlink_to("../../../secret")
        (tree.path / "shop/in").symlink_to("price.py")
        os.mkfifo(tree.path / "pipe")
        (tree.path / "huge.bin").write_bytes(b"")
        os.truncate(tree.path / "huge.bin", 6 << 20)
        change = tree.commit()
    assert change.files == ("shop/in",)
    assert sorted(each.path for each in change.left_out) == ["huge.bin", "out", "pipe", "up"]
    assert "the host's" not in change.diff


def test_a_worktree_is_removed_after_success_and_kept_after_failure(base: Base) -> None:
    with worktree(base, "good") as tree:
        pass
    assert not tree.path.exists()
    assert not list(base.git_dir.glob("worktrees/*"))
    with pytest.raises(ValueError, match="mine"), worktree(base, "bad") as tree:
        shop.write(tree.path, shop.WRONG)
        raise ValueError("mine")
    assert (tree.path / "shop/price.py").read_text() == shop.WRONG["shop/price.py"]
    assert recover(base) == []
    with worktree(base, "bad") as tree:  # its name can be used again
        assert (tree.path / "shop/price.py").read_text() == shop.FILES["shop/price.py"]


def test_a_tree_that_is_hard_to_remove_is_removed(base: Base) -> None:
    with worktree(base, "trial") as tree:
        deep = tree.path / "locked" / "inner"
        deep.mkdir(parents=True)
        (deep / "file").write_text("x")
        deep.chmod(0)
        deep.parent.chmod(0)
    assert not tree.path.exists()


def test_two_owners_are_refused(base: Base) -> None:
    with (
        worktree(base, "trial"),
        pytest.raises(RunError, match=f"trial is in use by process {os.getpid()}"),
        worktree(base, "trial"),
    ):
        pass


def test_worktrees_side_by_side_are_apart(base: Base) -> None:
    commits: dict[str, str] = {}

    def work(name: str) -> None:
        with worktree(base, name) as tree:
            shop.write(tree.path, {"shop/who.py": f"who = {name!r}\n"})
            commits[name] = tree.commit().diff

    threads = [threading.Thread(target=work, args=(f"trial-{n}",)) for n in range(6)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert all(f"+who = '{name}'" in diff for name, diff in commits.items())
    assert len(commits) == 6


_OWNER = """
import sys
from pathlib import Path
from dualcode.issues.bases import Base
from dualcode.issues.worktrees import worktree
with worktree(Base(Path(sys.argv[1]), sys.argv[2]), "killed"):
    print("ready", flush=True)
    sys.stdin.read()
"""


def test_what_a_killed_owner_left_is_locked_skipped_by_prune_and_recovered(base: Base) -> None:
    command = [sys.executable, "-c", _OWNER, str(base.folder), base.commit]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout is not None
        assert owner.stdout.readline() == "ready\n"
        assert recover(base) == []  # it has an owner
        owner.send_signal(signal.SIGKILL)
    git(base.git_dir, "worktree", "prune", "--expire=now")
    assert (base.git_dir / "worktrees/killed/locked").exists()
    assert recover(base) == ["killed"]
    assert not (base.folder / "trees/killed").exists()
    assert not list(base.git_dir.glob("worktrees/*"))


@pytest.mark.parametrize("folder_left", [True, False])
def test_a_half_made_worktree_is_cleared_when_its_name_is_used(base: Base, folder_left: bool) -> None:
    path = base.folder / "trees" / "half"
    path.mkdir(parents=True)
    admin = base.git_dir / "worktrees" / "half"  # as `worktree add` leaves it when it is killed
    shop.write(
        admin, {"locked": "initializing", "index.lock": "", "HEAD": base.commit, "commondir": "../..\n"}
    )
    shop.write(admin, {"gitdir": f"{path}/.git\n"})
    if not folder_left:
        path.rmdir()
    with worktree(base, "half") as tree:
        assert (tree.path / "shop/price.py").exists()
    assert not list(base.git_dir.glob("worktrees/*"))


def test_a_name_that_leads_elsewhere_is_refused(base: Base) -> None:
    for name in ("../x", "", "a b", ".hidden", "x" * 200):
        with pytest.raises(SuiteError, match="cannot be a worktree's name"), worktree(base, name):
            pass


def test_a_missing_revision_and_no_repository_are_refused_by_name(task: IssueTask, tmp_path: Path) -> None:
    for changes, told in (
        ({"revision": "v9.9"}, "has no revision 'v9.9'"),
        ({"path": tmp_path}, "is no git repository"),
        ({"revision": "--upload-pack=touch /tmp/x"}, "has no revision"),
    ):
        source = task.settings.source.model_copy(update=changes)
        settings = task.settings.model_copy(update={"source": source})
        with pytest.raises(SuiteError, match=told):
            open_base(task.model_copy(update={"settings": settings}))


def test_submodules_are_refused_by_name(task: IssueTask, repository: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    shop.make_repository(other)
    shop.git(repository, "-c", "protocol.file.allow=always", "submodule", "add", "-q", str(other), "vendored")
    shop.git(repository, "commit", "-qm", "with a submodule")
    source = task.settings.source.model_copy(update={"revision": "HEAD"})
    settings = task.settings.model_copy(update={"source": source})
    with pytest.raises(SuiteError, match="has submodules, which are not fetched: vendored"):
        open_base(task.model_copy(update={"settings": settings}))


def test_a_link_out_of_the_tree_that_the_base_has_is_no_change(task: IssueTask, repository: Path) -> None:
    (repository / "out").symlink_to("/etc/hostname")
    (repository / "moved").symlink_to("../elsewhere")
    shop.git(repository, "add", "-A")
    shop.git(repository, "commit", "-qm", "links")
    source = Source(path=repository, revision=shop.git(repository, "rev-parse", "HEAD").strip())
    settings = task.settings.model_copy(update={"source": source})
    with worktree(open_base(task.model_copy(update={"settings": settings})), "trial") as tree:
        untouched = tree.change()
        (tree.path / "moved").unlink()
        (tree.path / "moved").symlink_to("/etc/passwd")
        change = tree.change()
        (tree.path / "out").unlink()
        (tree.path / "moved").unlink()
        gone = tree.change()
    assert (untouched.diff, untouched.left_out) == ("", ())
    assert (change.diff, [each.path for each in change.left_out]) == ("", ["moved"])
    assert (gone.files, gone.left_out) == (("moved", "out"), ())


def test_what_does_not_count_removes_nothing_of_the_base_s(base: Base) -> None:
    """A pipe or a link out of the tree in a file's place is left out, and so is that the file is gone."""
    with worktree(base, "trial") as tree:
        for name in ("setup.cfg", "shop/price.py"):
            (tree.path / name).unlink()
        os.mkfifo(tree.path / "setup.cfg")
        (tree.path / "shop/price.py").symlink_to("/etc/passwd")
        (tree.path / ".gitignore").unlink()
        change = tree.change()
    assert change.files == (".gitignore",)
    assert {each.path for each in change.left_out} == {"setup.cfg", "shop/price.py"}


def test_a_tree_is_its_base_again_whatever_was_checked_out_in_it(base: Base) -> None:
    with worktree(base, "trial") as tree:
        shop.write(tree.path, {**shop.RIGHT, "new.txt": "new"})
        diff = tree.change().diff
    with worktree(base, "again") as tree:
        tree.apply(diff)
        tree.checkout(shop.git(tree.path, "rev-parse", f"{base.commit}:shop").strip())
        for wanted in (diff, "", diff):
            tree.restore(wanted)
            assert tree.change().diff == wanted
