"""The rules one by one: what they must see, and what they must not take for it."""

import pytest

from dualcode.analysis.failures.case import Case
from dualcode.analysis.failures.regression import classify, diff
from dualcode.analysis.failures.source import MOST_READ, Source
from dualcode.analysis.failures.taxonomy import FailureClass
from dualcode.verdict import Cause, Outcome, Verdict

PROMPT = 'def solve(n):\n    """Return three times n."""\n'
BASELINE = "def solve(n):\n    return 3 * n\n"


def case(
    program: str,
    reason: str = "wrong output",
    cause: Cause = "wrong_output",
    *,
    on: str | None = "3",
    baseline: str = BASELINE,
    prompt: str = PROMPT,
) -> Case:
    """Return a case of `solve` with a verdict as the grader would word it."""
    outcome = Outcome(status="failed", reason=reason, cause=cause, failing_input=on, at=0)
    return Case(
        task_id="HumanEval/0", entry_point="solve", prompt=Source(prompt), baseline=Source(baseline),
        program=Source(program), how="block", outcome=outcome,
        verdict=Verdict.of("HumanEval/0", base=outcome, plus=None),
    )  # fmt: skip


def kinds(case: Case) -> list[FailureClass]:
    return [sign.kind for sign in classify(case).signs]


def name_error(name: str) -> str:
    return f"raised NameError: name '{name}' is not defined"


# Missing imports


@pytest.mark.parametrize(
    "body",
    [
        "return [math for math in range(n)]",
        "return (lambda Counter: Counter(n))(str)",
        "math = n\n    return math.real",
        "import math\n    return math.pi",
        "return len(list(map(str, range(n))))",
        "try:\n        return n\n    except ValueError as re:\n        return re.args",
    ],
)
def test_what_is_bound_in_any_scope_is_no_missing_import(body: str) -> None:
    assert kinds(case(f"def solve(n):\n    {body}\n")) == ["wrong result"]


def test_an_import_inside_another_function_binds_nothing_here() -> None:
    program = "def other():\n    import math\n\n\ndef solve(n):\n    return math.floor(n)\n"
    assert kinds(case(program, name_error("math"), "raised")) == ["missing import"]


def test_a_variable_named_like_a_module_is_no_missing_import() -> None:
    program = "def solve(n):\n    return string.upper()\n"
    assert kinds(case(program, name_error("string"), "raised")) == ["wrong result"]


def test_a_missing_import_that_did_not_fail_is_not_primary() -> None:
    program = "def solve(n):\n    if n > 10:\n        return math.floor(n)\n    return 2 * n\n"
    assert kinds(case(program)) == ["wrong result", "missing import"]


def test_a_name_that_the_baseline_imports_is_an_import_whatever_it_is() -> None:
    baseline = "from tools import triple\n\n\ndef solve(n):\n    return triple(n)\n"
    found = classify(
        case("def solve(n):\n    return triple(n)\n", name_error("triple"), "raised", baseline=baseline)
    )
    assert found.primary == "missing import"
    assert "line 2 `return triple(n)`" in found.signs[0].evidence
    assert "from tools import triple" in found.signs[0].evidence


# Signatures


def test_a_parameter_renamed_throughout_is_a_sign_and_not_the_reason() -> None:
    assert kinds(case("def solve(m):\n    return 2 * m\n")) == ["wrong result", "signature or name changed"]


def test_where_no_signature_is_shown_names_are_anybodys_choice() -> None:
    prose = '"""Return three times a number."""'
    assert kinds(case("def solve(m):\n    return 2 * m\n", prompt=prose)) == ["wrong result"]


def test_a_coroutine_in_place_of_a_function_is_another_signature() -> None:
    assert kinds(case("async def solve(n):\n    return 3 * n\n")) == ["signature or name changed"]


def test_a_function_of_the_prompt_renamed_where_it_is_called() -> None:
    prompt = f"def scaled(n, by):\n    return n * by\n\n\n{PROMPT}"
    program = "def scale(n, by):\n    return n * by\n\n\ndef solve(n):\n    return scaled(n, 3)\n"
    assert kinds(case(program, name_error("scaled"), "raised", prompt=prompt)) == [
        "signature or name changed"
    ]


def test_a_helper_is_not_taken_for_the_renamed_entry_point() -> None:
    program = "def solver(n):\n    return n\n\n\ndef thrice(n):\n    return 3 * solver(n)\n"
    found = classify(case(program, "does not define solve", "not_loaded", on=None))
    assert found.primary == "signature or name changed"
    assert "thrice" in found.signs[0].evidence


def test_a_default_that_the_tests_rely_on_explains() -> None:
    prompt = 'def solve(n, by=3):\n    """Return n times by."""\n'
    program = "def solve(n, by=2):\n    return n * by\n"
    baseline = "def solve(n, by=3):\n    return n * by\n"
    assert kinds(case(program, prompt=prompt, baseline=baseline)) == ["signature or name changed"]
    given = case(program, prompt=prompt, baseline=baseline, on="3, 4")
    assert kinds(given) == ["wrong result", "signature or name changed"]


# Over-engineering


def test_a_library_error_is_no_guard() -> None:
    program = 'def solve(n):\n    if n < 0:\n        raise ValueError("negative")\n    return int("x")\n'
    reason = "raised ValueError: invalid literal for int() with base 10: 'x'"
    assert kinds(case(program, reason, "raised")) == ["wrong result"]


def test_a_guard_that_the_specification_asks_for_is_none() -> None:
    program = 'def solve(n):\n    if n < 5:\n        raise ValueError("too small")\n    return 3 * n\n'
    prompt = 'def solve(n):\n    """Return three times n; raise ValueError below 2."""\n'
    reason = "raised ValueError: too small"
    assert kinds(case(program, reason, "raised", prompt=prompt)) == ["wrong result"]
    assert kinds(case(program, reason, "raised")) == ["over-engineering"]


def test_a_guard_of_the_baseline_is_none() -> None:
    program = "def solve(n):\n    if n < 5:\n        raise ValueError\n    return 3 * n\n"
    baseline = "def solve(m):\n    if m < 5:\n        return 3 * m\n    return m + m + m\n"
    assert kinds(case(program, "raised ValueError", "raised", baseline=baseline)) == ["wrong result"]


@pytest.mark.parametrize(
    ("guard", "on", "expected"),
    [
        ("if not n:\n        return None", "0", "over-engineering"),
        ("if not n:\n        return None", "3", "wrong result"),
        ("if not isinstance(n, int):\n        return None", "1.5", "over-engineering"),
        ("if isinstance(n, int):\n        return None", "3", "wrong result"),
        ("if n % 3 == 0:\n        return None", "3", "wrong result"),
        ("if n < 0:\n        n = -n", "-2", "over-engineering"),
        ("if n < 0:\n        n = -n", "2", "wrong result"),
    ],
)
def test_a_special_case_counts_only_where_the_input_meets_an_edge(
    guard: str, on: str, expected: FailureClass
) -> None:
    assert kinds(case(f"def solve(n):\n    {guard}\n    return 2 * n\n", on=on))[0] == expected


@pytest.mark.parametrize(
    ("guard", "on"),
    [
        ("if n is None or n == 0:\n        return 0", "0"),
        ("if isinstance(n, str) and n == '':\n        return 0\n    if not n:\n        return 1", "0"),
        ("import math\n    scale = math.pi\n    if n <= 0:\n        return scale", "-1"),
        ("if n > 100:\n        return 2\n    elif n == 0:\n        return 5", "0"),
        ("if n >= 0:\n        if not n:\n            return 7", "0"),
        ("if not all(isinstance(x, int | bool) for x in n):\n        return None", "['a']"),
    ],
)
def test_an_input_is_followed_through_the_branches_before_its_own(guard: str, on: str) -> None:
    assert kinds(case(f"def solve(n):\n    {guard}\n    return 2 * n\n", on=on))[0] == "over-engineering"


def test_a_special_case_by_a_default_is_one() -> None:
    program = "def solve(n, by=0):\n    if by == 0:\n        return n\n    return n * by\n"
    assert "over-engineering" in kinds(case(program))


def test_a_special_case_that_the_baseline_answers_alone_too_is_none() -> None:
    guard = "def solve(n):\n    if {}:\n        return {}\n    return 2 * n\n"
    found = case(guard.format("n == 0", 1), on="0", baseline=guard.format("not n", 0))
    assert kinds(found) == ["wrong result"]


def test_what_a_line_makes_of_an_argument_is_followed_in_both_programs() -> None:
    program = "def solve(n):\n    if not n:\n        return False\n    return n * 2\n"
    baseline = "def solve(n):\n    n = n.strip()\n    if len(n) < 1:\n        return None\n    return n * 3\n"
    assert kinds(case(program, on="''", baseline=baseline)) == ["wrong result"]
    assert kinds(case(program, on="''")) == ["over-engineering"]


def test_a_recursions_special_cases_are_its_algorithm() -> None:
    program = "def solve(n):\n    if n == 0:\n        return 1\n    return 3 + solve(n - 1)\n"
    assert kinds(case(program, on="0")) == ["wrong result"]


def test_more_arguments_than_parameters_lead_nowhere() -> None:
    program = "def solve(n):\n    if not n:\n        return 1\n    return 2 * n\n"
    assert "over-engineering" not in kinds(case(program, on="0, 1"))


def test_what_cannot_be_followed_is_not_guessed() -> None:
    program = "def solve(n):\n    n = unknown(n)\n    if not n:\n        return None\n    return 2 * n\n"
    assert kinds(case(program, on="0")) == ["wrong result"]


def test_what_a_call_was_given_may_have_changed() -> None:
    program = "def solve(n):\n    m = fill(n)\n    if not n:\n        return None\n    return m\n"
    assert kinds(case(program, on="[]")) == ["wrong result"]


# Whatever a model may write


HOSTILE = {
    "nested": "def solve(n):\n    return " + "(" * 10_000 + "n" + ")" * 10_000,
    "minus": "def solve(n):\n    return " + "-" * 50_000 + "n",
    "chain": "def solve(n):\n    return n" + ".real" * 15_000,
    "sum": "def solve(n):\n    return " + "+".join(["n"] * 20_000),
    "elif": "def solve(n):\n    if n == 0:\n        return 0\n"
    + "".join(f"    elif n == {i}:\n        return {i}\n" for i in range(3_000)),
    "long": "x = 1\n" * 1_700_000,
    "zero bytes": "def solve(n):\n    return '\0'",
    "surrogates": "def solve(n):\n    return '\udc80'",
    "growing": "def solve(n):\n"
    + "    n = n + n\n" * 200
    + "    if not n:\n        return 1\n    return n\n",
    "wide loop": "def solve(n):\n    for i in range(10**9):\n        if n:\n            n = 1\n",
}


@pytest.mark.parametrize("program", HOSTILE.values(), ids=HOSTILE.keys())
@pytest.mark.parametrize(
    ("reason", "cause"),
    [("wrong output", "wrong_output"), ("raised ValueError: x", "raised"), (name_error("y"), "raised")],
)
def test_no_program_breaks_the_rules(program: str, reason: str, cause: Cause) -> None:
    for on in ("3", "[[]]", "'a', " * 100, "(" * 400, "1…"):
        assert classify(case(program, reason, cause, on=on)).signs
    assert classify(case("def solve(n):\n    return 2\n", reason, cause, baseline=program)).signs
    assert classify(case("def solve(n):\n    return 2\n", reason, cause, prompt=program)).signs


def test_a_program_too_long_to_read_says_so() -> None:
    found = classify(case("x = 1\n" * MOST_READ))
    assert found.primary == "wrong result"
    assert "too long to be read" in found.signs[0].evidence


def test_no_program_is_run(capfd: pytest.CaptureFixture[str]) -> None:
    program = "print('ran')\n\n\ndef solve(n):\n    if not print('ran'):\n        return None\n    return n\n"
    classify(case(program, on="0"))
    assert capfd.readouterr().out == ""


def test_evidence_stands_on_one_line_without_control_characters() -> None:
    found = classify(case("def solve(n):\n    return '\x1b[2J\x07' * n\n", on="'\x1b]0;x\x07\\n'"))
    assert all(sign.evidence.isprintable() for sign in found.signs)


def test_texts_too_long_for_a_diff_are_told_of() -> None:
    assert "too long" in diff("a", "b" * (MOST_READ + 1), ("baseline", "run"))
