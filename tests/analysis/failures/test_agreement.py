"""The rules against a reader's labels, on verdicts that the real grader gives."""

from collections import Counter
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from dualcode.analysis.failures.regression import classify
from dualcode.analysis.failures.taxonomy import CLASSES
from dualcode.sandbox import open_sandbox
from dualcode.sandbox.sandbox import Sandbox
from tests.analysis.failures.labelled import Labelled, graded, read

FIRST, HELD_OUT = read("first"), read("held_out")


@pytest.fixture
async def sandbox() -> AsyncGenerator[Sandbox]:
    async with open_sandbox(2) as sandbox:
        yield sandbox


@pytest.mark.parametrize("each", [*FIRST, *HELD_OUT], ids=lambda each: each.name)
async def test_the_rules_agree_with_the_reader(each: Labelled, tmp_path: Path, sandbox: Sandbox) -> None:
    found = classify(await graded(each, tmp_path, sandbox))
    assert found.primary == each.primary, found
    assert {sign.kind for sign in found.signs} == each.labels, found


def test_every_class_has_at_least_five_cases() -> None:
    counts = Counter(each.primary for each in [*FIRST, *HELD_OUT])
    assert {kind: counts[kind] for kind in CLASSES if counts[kind] < 5} == {}


def test_each_half_has_every_class() -> None:
    for half in (FIRST, HELD_OUT):
        assert {each.primary for each in half} == set(CLASSES)


def test_no_case_stands_in_both_halves() -> None:
    assert not {each.program for each in FIRST if each.program} & {each.program for each in HELD_OUT}
