"""Programs that are known to fail for one cause: the rules name it, and quote the line that says so."""

from dataclasses import replace

import pytest

from dualcode.analysis.failures.regression import RULES, classify
from dualcode.analysis.failures.taxonomy import FailureClass
from dualcode.verdict import Cause, Verdict
from tests.analysis.failures.test_rules import BASELINE, PROMPT, case, kinds, name_error

HELPED = f'def twice(n):\n    """Return n twice."""\n    return 2 * n\n\n\n{PROMPT}'
LOADED = "the program cannot be loaded: ValueError: no"

CAUSES: dict[str, tuple[str, str, Cause, FailureClass, str]] = {
    "an endless loop": (
        "def solve(n):\n    for i in range(n):\n        pass\n    while n:\n        n += 1\n",
        "time-out after 1 s", "time_out", "time-out", "line 4 `while n:`",
    ),
    "nested loops": (
        "def solve(n):\n    for i in range(n):\n        for j in range(n):\n            pass\n    return n\n",
        "time-out after 1 s", "total_time_out", "time-out", "line 3 `for j in range(n):`",
    ),
    "a process that died": (
        "def solve(n):\n    return [0] * 10**12\n", "the process died", "died", "time-out", "on 3",
    ),
    "nothing but a docstring": (
        'def solve(n):\n    """Return three times n."""\n',
        "wrong output", "wrong_output", "syntax or extraction", "line 1 `def solve(n):` has no body",
    ),
    "no program": ("  \n", "wrong output", "wrong_output", "syntax or extraction", "the program is empty"),
    "text that is no program": (
        "def solve(n):\n    return 3 *\n",
        "does not compile: invalid syntax", "not_loaded", "syntax or extraction", "line 2 `return 3 *`",
    ),
    "a top level that raises": (
        "def solve(n):\n    return 3 * n\n\n\nint('no')\n", LOADED, "not_loaded", "syntax or extraction",
        "line 5 `int('no')`",
    ),
    "no function of the name": (
        "answer = 3\n", "does not define solve", "not_loaded", "syntax or extraction",
        "the program does not define solve",
    ),
    "a helper of the prompt that was left out": (
        "def solve(n):\n    return n + twice(n)\n", name_error("twice"), "raised", "syntax or extraction",
        "line 2 `return n + twice(n)` calls twice of the prompt",
    ),
    "a library that is not there": (
        "import math\nimport sympy.ntheory\n\n\ndef solve(n):\n    return n\n",
        "ModuleNotFoundError: No module named 'sympy'", "not_loaded", "missing import",
        "line 2 `import sympy.ntheory`",
    ),
    "a library by its usual name": (
        "def solve(n):\n    return np.array([n]).sum() * 3\n", name_error("np"), "raised", "missing import",
        "the usual name of numpy",
    ),
    "a member of a module": (
        "def solve(n):\n    return sum(accumulate([n, n]))\n", name_error("accumulate"), "raised",
        "missing import", "itertools.accumulate",
    ),
    "another number of arguments": (
        "def solve(n, by):\n    return n * by\n",
        "raised TypeError: solve() missing 1 required positional argument: 'by'", "raised",
        "signature or name changed", "it takes (n, by), not (n)",
    ),
    "two spellings of a parameter": (
        "def solve(delimiter):\n    return 3 * delimeter\n", name_error("delimeter"), "raised",
        "signature or name changed", "the parameter is delimiter",
    ),
    "a guard of its own": (
        "def solve(n):\n    assert n > 10, 'too small'\n    return 3 * n\n",
        "raised AssertionError: too small", "raised", "over-engineering", "line 2 `assert n > 10",
    ),
}  # fmt: skip


@pytest.mark.parametrize(
    ("program", "reason", "cause", "kind", "evidence"), CAUSES.values(), ids=CAUSES.keys()
)
def test_a_known_cause_is_named_with_its_line(
    program: str, reason: str, cause: Cause, kind: FailureClass, evidence: str
) -> None:
    found = classify(case(program, reason, cause, prompt=HELPED))
    assert found.primary == kind, found
    assert evidence in found.signs[0].evidence


def test_a_rule_that_explains_comes_before_every_mere_flaw() -> None:
    for program, reason, cause, *_ in CAUSES.values():
        one = case(program, reason, cause, prompt=HELPED)
        explaining = [each.kind for rule in RULES for each in rule(one) if each.explains]
        shown = kinds(one)
        assert shown[: len(set(explaining))] == list(dict.fromkeys(explaining)), shown
        assert len(set(shown)) == len(shown)


def test_a_program_like_the_baseline_shows_no_class_but_the_result() -> None:
    assert kinds(case(BASELINE)) == ["wrong result"]
    assert [each for rule in RULES for each in rule(case(BASELINE))] == []


LOST = Verdict.of_error("HumanEval/0", "the server was lost", plus=False)


@pytest.mark.parametrize("verdict", [None, LOST])
def test_without_a_grade_no_program_is_blamed(verdict: Verdict | None) -> None:
    for program, *_ in CAUSES.values():
        own = case(program)
        assert kinds(replace(own, verdict=verdict, outcome=None)) == ["infrastructure"]
