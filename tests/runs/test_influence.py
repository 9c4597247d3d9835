"""What makes another run: whatever can change a record, and nothing else."""

import functools
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from dualcode import prompts
from dualcode.models.endpoints import Served
from dualcode.pipelines import builtins
from dualcode.pipelines.find import load
from dualcode.runs.influence import ROOT, pipeline_hash, prompts_of, rooms_hash
from dualcode.runs.manifest import configure
from dualcode.suites.registry import load_suite
from tests.scripted_runs import TEAM, make_run

CODE = "\nMORE = 1\n"


def hashes(tmp_path: Path, changes: Mapping[str, str], pipeline: str = "raw_coder") -> list[tuple[str, str]]:
    """Hash rooms and pipeline of the package, and of a copy in which files were added to."""
    root = tmp_path / "dualcode"
    shutil.copytree(ROOT, root, ignore=shutil.ignore_patterns("__pycache__"))
    for name, more in changes.items():
        with (root / name).open("a") as file:
            file.write(more)
    source = Path("pipelines", f"{pipeline}.py")
    return [of_package(source), (rooms_hash(root), pipeline_hash(root / source, root))]


@functools.cache
def of_package(source: Path) -> tuple[str, str]:
    return rooms_hash(ROOT), pipeline_hash(ROOT / source, ROOT)


def test_what_changes_no_record_changes_no_fingerprint(tmp_path: Path) -> None:
    comment, code = "\n# a comment\n", CODE
    changes = {
        "steps/writing.py": comment,
        "steps/review.py": '\n"""A docstring."""\n',
        "sandbox/harness.py": comment,
        "pipelines/raw_coder.py": comment,
        "pipelines/adversarial.py": code,
        "pipelines/find.py": code,
        "analysis/runs.py": code,
        "cli/main.py": code,
        "runs/progress.py": code,
        "grading/explain.py": code,
    }
    before, after = hashes(tmp_path, changes)
    assert before == after


@pytest.mark.parametrize(
    "name",
    ["steps/writing.py", "sandbox/harness.py", "grading/oracles.py", "models/ledger/store.py", "call.py"],
)
def test_changed_rooms_are_another_run(tmp_path: Path, name: str) -> None:
    before, after = hashes(tmp_path, {name: CODE})
    assert before[0] != after[0]


@pytest.mark.parametrize("name", ["pipelines/gated.py", "pipelines/review_fix.py"])
def test_a_pipeline_counts_with_the_pipelines_that_it_imports(tmp_path: Path, name: str) -> None:
    (rooms, own), (same, changed) = hashes(tmp_path, {name: CODE}, "gated")
    assert (rooms == same, own == changed) == (True, False)


@pytest.mark.parametrize(("name", "other"), [("pipelines/__init__.py", True), ("pipelines/find.py", False)])
def test_a_drop_in_counts_with_the_public_names_that_it_imports(
    tmp_path: Path, name: str, other: bool
) -> None:
    (tmp_path / "mine.py").write_text("from dualcode import pipeline\n")
    hashes(tmp_path, {name: CODE})
    ours, changed = (pipeline_hash(tmp_path / "mine.py", root) for root in (ROOT, tmp_path / "dualcode"))
    assert (ours != changed) == other


@pytest.mark.parametrize("name", builtins())
async def test_every_prompt_that_a_pipeline_renders_is_among_its_own(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rendered, real = set[str](), prompts.render

    def render(prompt: str, **variables: Any) -> str:
        rendered.add(prompt)
        return real(prompt, **variables)

    monkeypatch.setattr(prompts, "render", render)
    await make_run(tmp_path, builtins()[name])
    assert rendered
    assert rendered <= prompts_of(builtins()[name]).keys()


def test_the_raw_coder_is_named_by_two_prompts_alone() -> None:
    assert list(prompts_of(builtins()["raw-coder"])) == ["coder", "write"]


def test_a_drop_in_is_named_by_the_prompts_that_it_hands_on_and_those_of_its_steps(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text(
        "from dualcode.pipelines import pipeline\n"
        "from dualcode.steps import choose as prefer\n"
        "from dualcode.steps.conversation import system\n"
        "@pipeline('mine', roles=['coder'])\n"
        "async def mine(task, team):\n"
        "    system('planner')\n"
    )
    assert {"planner", "choose", "repair_choice"} <= prompts_of(load(path)[0]).keys()


def test_the_versions_of_python_and_of_what_renders_and_sends_are_in_the_configuration() -> None:
    made_with = configure(builtins()["raw-coder"], load_suite("mini"), TEAM, {"e": Served(model="m")})
    assert {"python", "httpx", "jinja2", "openai", "pydantic"} <= made_with.packages.keys()
    other = made_with.model_copy(update={"packages": made_with.packages | {"python": "3.99"}})
    assert other.fingerprint != made_with.fingerprint
