"""What a program is said to do, against what it did."""

import pytest

from dualcode.bench.bench import SandboxBench
from dualcode.bench.claims import Status, is_call, judge
from dualcode.sandbox import open_sandbox
from dualcode.solution import Program
from dualcode.steps.claims import Claim, defined, read_claims, try_claims
from dualcode.steps.review import Finding
from dualcode.task import Task


@pytest.mark.parametrize(
    ("does", "ought", "outcome", "status"),
    [
        ("returns 3", "returns 6", "returned 3", "confirmed"),
        ("returns 4", "returns 6", "returned 3", "refuted"),
        ("returns 3", "returns 3", "returned 3", "refuted"),  # it does what is expected of it
        ("returns 4", "returns 3", "returned 3", "refuted"),
        ("returns 0.3333333", "returns 1", "returned 0.3333333333", "confirmed"),
        ("returns [1, 2]", "returns []", "returned (1, 2)", "refuted"),
        ("returns {'a': 1, 'b': 2}", "", "returned {'b': 2, 'a': 1}", "confirmed"),
        ("returns None", "returns 1", "returned None", "confirmed"),
        ("returns None", "returns 1", "returned 1", "refuted"),
        ("Returns `'x'`.", "returns 'y'", "returned 'x'", "confirmed"),
        ("raises ValueError", "returns 1", "raised ValueError: no", "confirmed"),
        ("raises json.decoder.JSONDecodeError: x", "", "raised JSONDecodeError: y", "confirmed"),
        ("raises TypeError", "returns 1", "raised ValueError: no", "refuted"),
        ("raises TypeError", "returns 1", "returned 1", "refuted"),
        ("returns 1", "raises TypeError", "raised TypeError: no", "refuted"),
        ("does not end", "returns 1", "did not end in time", "confirmed"),
        ("does not end", "returns 1", "was not called, for one before it did not end", "untried"),
        ("returns 1", "returns 2", "was not called, for one before it ended the process", "untried"),
        ("does not end", "returns 1", "returned 1", "refuted"),
        ("returns 1", "returns 2", "did not end in time", "refuted"),
        ("returns the wrong list", "returns []", "returned [1]", "untried"),
        ("returns 4 or more", "returns 1", "returned 5", "untried"),  # no value, though Python has one for it
        ("fails", "returns []", "returned [1]", "untried"),
        ("returns 1", "returns 2", "returned <object of type X>", "untried"),
        ("returns 1", "returns 2", "could not be called: the program does not load", "untried"),
        (
            "raises NameError",
            "",
            "could not be called: the program does not load (NameError: x)",
            "confirmed",
        ),
        ("returns 1", "", "could not be called: the program does not load (NameError: x)", "untried"),
        ("raises ModuleNotFoundError", "", "could not be called: … (ModuleNotFoundError: x)", "untried"),
    ],
)
def test_a_claim_is_confirmed_refuted_or_untried(does: str, ought: str, outcome: str, status: Status) -> None:
    assert judge(does, ought, outcome) == status


@pytest.mark.parametrize(
    ("source", "accepted"),
    [
        ("f(1, [2], key='x')", True),
        ("Stack([1]).push(2)", True),
        ("f(Stack(1))", True),
        ("f", False),
        ("f(x)", False),
        ("open('x')", False),
        ("f(open('x'))", False),
        ("f.__globals__.get('x')", False),
        ("f(1) + 1", False),
        ("[f(1)][0]", False),
        ("f(", False),
        ("f(*[1])", False),
    ],
)
def test_only_calls_of_the_program_on_literals_are_claims(source: str, accepted: bool) -> None:
    assert is_call(source, {"f", "Stack"}) is accepted


def test_of_a_reply_the_first_runnable_claim_of_each_known_finding_counts() -> None:
    said = (
        '{"claims": [{"finding": 1, "call": "g(1)", "does": "returns 1", "ought": "returns 2"},'
        ' {"finding": 1, "call": "f(1)", "does": "returns 1", "ought": "returns 2"},'
        ' {"finding": 1, "call": "f(2)", "does": "returns 1", "ought": "returns 2"},'
        ' {"finding": 3, "call": "f(3)", "does": "returns 1", "ought": "returns 2"}]}'
    )
    found = read_claims(said, {"f"}, 2)
    assert found is not None
    assert [each.call for each in found.claims] == ["f(1)"]
    assert read_claims("no object", {"f"}, 2) is None


def test_what_does_not_compile_defines_nothing() -> None:
    assert defined("def f(:") == set()
    assert defined("import os\nclass A: ...\nasync def g(): ...\nx = 1\n") == {"A", "g"}


async def test_claims_are_run_each_in_a_process_of_its_own() -> None:
    """A call that ends its process or never ends must not colour what is said of the next."""
    text = (
        "import os\nseen = []\n"
        "def f(n):\n    seen.append(n)\n    if n == 0:\n        os._exit(3)\n    return len(seen)\n"
    )
    program = Program(text=text, compiles=True, defines_entry_point=True, how="block")
    task = Task(id="T", prompt="", entry_point="f")
    findings = [Finding(where="x", actual="y", expected="z")] * 3
    claims = [
        Claim(finding=1, call="f(0)", does="returns 0", ought="returns 1"),
        Claim(finding=2, call="f(1)", does="returns 1", ought="returns 2"),
    ]
    async with open_sandbox(1) as sandbox:
        tried = await try_claims(SandboxBench(sandbox), task, program, findings, claims)
    assert [each.status for each in tried] == ["refuted", "confirmed", "untried"]
    assert tried[0].outcome == "ended its process"
