"""A tiny package with a fault in it, as a repository and as a task; nothing of it comes from a network."""

import importlib.util
import shutil
import subprocess
from pathlib import Path

from dualcode.issues.bases import open_base
from dualcode.issues.grading import Bench
from dualcode.issues.jail.jail import CommandJail
from dualcode.issues.packages import Environment, interpreter, write_tools
from dualcode.issues.task import IssueTask, read_task

FILES = {
    "shop/__init__.py": "from shop.price import total\n",
    "shop/price.py": "def total(prices):\n    return sum(prices[1:])\n",
    "tests/test_price.py": (
        "from shop import total\n\n\ndef test_nothing():\n    assert total([]) == 0\n\n\n"
        "def test_first_is_free(half):\n    assert total([half - half]) == 0\n"
    ),
    "tests/conftest.py": "import pytest\n\n\n@pytest.fixture\ndef half():\n    return 0.5\n",
    "setup.cfg": "[tool:pytest]\nxfail_strict = true\n",
    ".gitignore": "build/\n*.log\n",
    "with blank's.txt": "a name that needs care\n",
}
HIDDEN = "from shop import total\n\n\ndef test_all_count():\n    assert total([1, 2, 3]) == 6\n"
RIGHT = {"shop/price.py": "def total(prices):\n    return sum(prices)\n"}
WRONG = {"shop/price.py": "def total(prices):\n    return sum(prices) + 1\n"}
TASK = """\
schema_version = "1.4"
[task]
name = "dualcode/shop-1"
[metadata]
difficulty = "easy"
[agent]
timeout_sec = 60.0
[metadata.dualcode]
fail_to_pass = ["tests/test_issue.py::test_all_count"]
pass_to_pass = ["tests/test_price.py::test_nothing", "tests/test_price.py::test_first_is_free"]
paths_in_scope = ["shop/*"]
limits = {{ test_seconds = 60 }}
[metadata.dualcode.source]
path = "{path}"
revision = "{revision}"
"""


def git(folder: Path, *arguments: str) -> str:
    """Run git as a user does."""
    identity = (
        "-c",
        "safe.directory=*",
        "-c",
        "user.name=u",
        "-c",
        "user.email=u@localhost",
        "-c",
        "init.defaultBranch=main",
    )
    command = ["git", "-C", str(folder), *identity, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def write(folder: Path, files: dict[str, str]) -> None:
    """Write some files."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def make_repository(folder: Path) -> str:
    """Make the user's repository, the fix in its history and its tree, and return the faulty commit."""
    folder.mkdir(parents=True)
    git(folder, "init", "-q")
    write(folder, FILES)
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "fault")
    faulty = git(folder, "rev-parse", "HEAD").strip()
    write(folder, RIGHT)
    git(folder, "commit", "-qam", "the fix")
    return faulty


def make_task(folder: Path, repository: Path, revision: str, *changes: tuple[str, str]) -> IssueTask:
    """Write the task's folder and read it; `changes` are texts of task.toml, and what replaces them."""
    text = TASK.format(path=repository, revision=revision)
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    write(
        folder, {"task.toml": text, "instruction.md": "# The first price is not counted\n\nIt should be.\n"}
    )
    write(folder, {"tests/tests/test_issue.py": HIDDEN})
    return read_task(folder)


def make_environment(folder: Path) -> Environment:
    """Copy the pytest that runs this, so that no registry is asked."""
    packages = folder / "packages"
    packages.mkdir(parents=True)
    folder.chmod(0o755)  # the jail's user reads it
    for name in ("pytest", "_pytest", "pluggy", "iniconfig", "packaging", "pygments", "py"):
        spec = importlib.util.find_spec(name)
        assert spec is not None
        assert spec.origin is not None
        source = Path(spec.origin)
        if source.name == "__init__.py":
            shutil.copytree(source.parent, packages / name)  # with what is compiled already
        else:
            shutil.copy2(source, packages)
    python = interpreter(">=3.8")
    write_tools(folder / "bin", python)
    return Environment(python, packages)


def make_bench(task: IssueTask, environment: Environment, jail: CommandJail) -> Bench:
    """Return all that fixes are graded with."""
    return Bench(task, open_base(task), environment, jail)
