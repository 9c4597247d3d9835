"""What ships for others' tools: the hooks of pre-commit, and the examples of CI."""

import re
import shlex
from pathlib import Path
from typing import Any, cast

import pytest
import yaml

from dualcode.cli.main import command
from dualcode.reviews.trial import read_trials
from dualcode.steps.valued import read_review
from dualcode.tables.trial import trial_table
from tests.pages import ROOT

HOOKS = cast("list[dict[str, Any]]", yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text()))
PAGE = (ROOT / "docs" / "review.md").read_text()


@pytest.mark.parametrize("hook", HOOKS, ids=lambda hook: str(hook["id"]))
def test_a_hook_is_a_command_line_that_dualcode_takes(hook: dict[str, Any]) -> None:
    assert {"id", "name", "entry", "language"} <= set(hook)
    program, name, *words = shlex.split(hook["entry"])
    assert program == "dualcode"
    files = ["a.py"] if hook.get("pass_filenames", True) else []
    command(name).make_context(name, [*words, *files])


def test_the_examples_of_ci_are_yaml_and_name_hooks_that_there_are() -> None:
    blocks = re.findall(r"^```yaml\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    assert len(blocks) == 3
    parsed = [yaml.safe_load(each) for each in blocks]
    assert parsed[0]["repos"][0]["hooks"][0]["id"] in {hook["id"] for hook in HOOKS}
    for line in re.findall(r"dualcode (review [^\n]+)", "\n".join(blocks)):
        name, *words = shlex.split(re.sub(r"\$\{\{.*?\}\}|\$\w+", "main", line).partition("  #")[0])
        command(name).make_context(name, words)


def test_trials_beside_runs_are_tables_of_the_report(tmp_path: Path) -> None:
    from dualcode.analysis.trial import FILE, PREFIX, TrialReview
    from dualcode.call import Usage

    folder = tmp_path / f"{PREFIX}mini-lean-0a1b2c3d"
    folder.mkdir()
    made = [
        TrialReview(
            task_id="T", case=f"{at}", right=at < 2, change="", form="verdict", form_checksum="x",
            thinking=False, model="e: m", verdict="approve", seconds=1.0, usage=Usage(), money=None,
            currency=None,
        )
        for at in range(5)
    ]  # fmt: skip
    (folder / FILE).write_text("".join(f"{each.to_line()}\n" for each in made))
    [(title, rows)] = read_trials([tmp_path, tmp_path])
    assert title == "Reviewers on the bench: mini-lean, 2 right and 3 wrong programs"
    [cells] = trial_table(rows, title).rows
    assert [cells[3][:4], cells[4][:6]] == ["0.0 ", "100.0 "]  # recall, specificity


def test_a_review_with_values_is_read_with_its_empty_words_taken_for_none() -> None:
    said = (
        '{"verdict": "revise", "findings": [{"line": 3, "where": "a", "actual": "b", "expected": "c",'
        ' "call": "None", "does": "-", "ought": ""}]}'
    )
    review = read_review(said)
    assert review is not None
    assert (review.findings[0].call, review.claims) == ("", ())
    assert read_review('{"verdict": "approve", "findings": [{}]}') is None
