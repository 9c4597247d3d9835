"""The templates: every variable is there, code stays code, and what they include counts with them."""

import hashlib

import jinja2
import pytest

from dualcode import prompts
from dualcode.solution import Program
from tests.steps.asking import PROMPT, TASK

PROGRAM = Program(text="x = a < b and '&'", compiles=True, defines_entry_point=False, how="block")
REVIEW = {"task": TASK, "program": PROGRAM, "most_findings": 3, "enrichment": None, "evidence": ()}
PLAIN = [
    "answer_reviewer", "coder", "planner", "reviewer", "code_reviewer",
    "judge", "repair", "repair_choice", "repair_claims", "repair_enrichment", "repair_probes",
]  # fmt: skip


@pytest.mark.parametrize("name", sorted({*prompts.names()} - {*PLAIN}))
def test_a_missing_variable_is_an_error(name: str) -> None:
    with pytest.raises(jinja2.UndefinedError):
        prompts.render(name)


@pytest.mark.parametrize("missing", REVIEW)
def test_each_variable_of_a_review_is_needed(missing: str) -> None:
    given = {name: value for name, value in REVIEW.items() if name != missing}
    with pytest.raises(jinja2.UndefinedError, match=missing):
        prompts.render("review", **given)


@pytest.mark.parametrize("name", PLAIN)
def test_a_prompt_without_variables_has_a_text_without_outer_blanks(name: str) -> None:
    text = prompts.render(name)
    assert text == text.strip() != ""
    assert "{{" not in text


def test_code_is_not_escaped() -> None:
    assert "x = a < b and '&'" in prompts.render("review", **REVIEW)


def test_a_specification_stands_in_its_prompt_to_the_letter() -> None:
    assert PROMPT.strip() in prompts.render("review", **REVIEW)
    assert PROMPT.strip() in prompts.render("plan", task=TASK)


def test_a_template_in_a_specification_is_text() -> None:
    odd = TASK.model_copy(update={"prompt": "Return {{ 7 * 7 }} {% raise %} {# no #}"})
    assert odd.prompt in prompts.render("plan", task=odd)


def test_a_prompt_is_hashed_with_those_that_it_includes() -> None:
    found = prompts.hashes(["implement", "no prompt"])
    assert list(found) == ["implement", "write"]
    for name, digest in found.items():
        assert digest == hashlib.sha256((prompts.FOLDER / f"{name}.md").read_bytes()).hexdigest()


def test_an_unknown_prompt_is_an_error() -> None:
    with pytest.raises(jinja2.TemplateNotFound):
        prompts.render("no prompt")


def test_no_draft_and_no_plan_carries_the_inventory_and_every_correction_does() -> None:
    carrying = {name for name in prompts.names() if "imports" in prompts.hashes([name])}
    assert carrying == {"imports", "fix", "mend", "synthesize"}
