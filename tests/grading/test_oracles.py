"""The comparison passes what EvalPlus's own passes, and nothing that a candidate makes up."""

import ast
import asyncio
import collections
import enum
import importlib
import inspect
import json
import marshal
import math
import pickle
import re
import sys
import types
from collections.abc import AsyncIterator, Callable, Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Any, NamedTuple, cast

import numpy as np
import pytest
import pytest_asyncio
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from dualcode.errors import GraderError
from dualcode.grading import oracle_jail, oracles
from dualcode.grading.oracles import Compared, Comparison
from dualcode.grading.problem import Problem
from dualcode.sandbox.codec import encode
from dualcode.sandbox.job import Arguments, Expressions, Job, Limits, Ran, digest, frame
from dualcode.sandbox.pool import open_sandbox
from dualcode.sandbox.sandbox import Sandbox
from dualcode.suites.registry import load_suite
from dualcode.suites.suite import Form

evalplus: Any = importlib.import_module("evalplus.eval")
theirs: Any = importlib.import_module("evalplus.eval._special_oracle")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def sandbox() -> AsyncIterator[Sandbox]:
    async with open_sandbox(2) as opened:
        yield opened


module_loop = pytest.mark.asyncio(loop_scope="module")


def stream(*outputs: Any, drain: bool = False) -> bytes:
    """Return the stream of a program that returned these."""
    frames = [frame("B", b"")]
    for output in outputs:
        kind, payload = encode(output, drain)
        frames.append(frame(kind.decode(), payload))
    return b"".join([*frames, frame("E", b"")])


def _calls(inputs: Sequence[Sequence[Any]] | None, expected: Sequence[Any]) -> Any:
    return inputs if inputs is not None else [[] for _ in expected]


def compare(
    outputs: Sequence[Any],
    expected: Sequence[Any],
    *,
    task: tuple[Form, str] = ("humaneval", "f"),
    atol: float = 0,
    inputs: Sequence[Sequence[Any]] | None = None,
) -> Compared:
    """Compare outputs in this process."""
    comparison = oracles.comparison(*task)
    calls = _calls(inputs, expected)
    finding = oracle_jail.compare(
        comparison.oracle,
        atol,
        len(expected),
        marshal.dumps(calls),
        stream(*outputs, drain=comparison.drain),
        stream(*expected, drain=comparison.drain),
    )
    return Compared.model_validate(dict(zip(Compared.model_fields, finding, strict=True)))


class Box:
    """Stands for EvalPlus's shared memory."""

    value = 0


def _leave_unguarded(**_: Any) -> None: ...


def ask_evalplus(
    outputs: Sequence[Any],
    expected: Sequence[Any],
    *,
    task: tuple[Form, str] = ("humaneval", "f"),
    atol: float = 0,
    inputs: Sequence[Sequence[Any]] | None = None,
) -> int | None:
    """Return the index of the first test that fails in EvalPlus's own loop; None: it passes.

    The loop runs here, with outputs handed to it as objects; only its guard, which would end this process's
    use of files, is left out.
    """
    form, entry_point = task
    only_not_none = entry_point in theirs.MBPP_OUTPUT_NOT_NONE_TASKS and form == "mbpp"
    wanted = [value is not None for value in expected] if only_not_none else expected
    returned = iter(outputs)
    module = types.ModuleType("returned_outputs")

    def give(*_: Any) -> Any:
        return next(returned)

    vars(module)[entry_point] = give
    sys.modules[module.__name__] = module
    stat, progress, details = Box(), Box(), [False] * len(expected)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(evalplus, "reliability_guard", _leave_unguarded)
        evalplus.unsafe_execute(
            form,
            entry_point,
            f"from {module.__name__} import {entry_point}",
            _calls(inputs, expected),
            pickle.loads(pickle.dumps(wanted)),  # expected values come from another process
            [9.0] * len(expected),
            atol,
            True,
            stat,
            details,
            progress,
        )
    if entry_point == "find_zero":  # it records no test (0.3.1), but stops at one that fails
        return None if stat.value == 0 else progress.value - 1
    return None if stat.value == 0 and all(details) else details.index(False)


floats = st.floats(allow_nan=True) | st.sampled_from([0.1 + 0.2, 0.3, 1.0, -0.0, 1e-7, 1e300])
numbers = st.booleans() | st.integers(-3, 300) | floats
atoms = st.none() | numbers | st.text("ab1", max_size=3) | st.binary(max_size=2)
hashables = st.recursive(atoms, lambda inner: st.tuples(inner, inner), max_leaves=3)
values = st.recursive(
    atoms,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.tuples(inner, inner)
        | st.dictionaries(hashables, inner, max_size=3)
        | st.sets(hashables, max_size=3)
        | st.lists(floats, min_size=1, max_size=4)
    ),
    max_leaves=8,
)


class Pair(NamedTuple):
    one: Any
    other: Any


class Number(enum.IntEnum):
    ONE = 1


def _array(value: Any) -> Any:
    return np.array(value)


def _subclass(value: Any) -> type[Any]:
    return type("Sub", (value.__class__,), {})


VARIANTS: list[Callable[[Any], Any]] = [
    lambda value: value,
    lambda value: pickle.loads(pickle.dumps(value)),
    lambda value: value + 1e-9,
    lambda value: value * (1 + 1e-8),
    lambda value: [each + 1e-8 for each in value],
    lambda value: [each + 1e-5 for each in value],
    lambda value: tuple(each + 1e-8 for each in value),
    float,
    int,
    str,
    bool,
    list,
    tuple,
    set,
    frozenset,
    dict,
    iter,
    sorted,
    lambda value: value[::-1],
    lambda value: list(value)[:-1],
    lambda value: [*value, 0],
    lambda value: dict(reversed(value.items())),
    lambda value: value.keys(),
    lambda value: list(value.items()),
    collections.Counter,
    collections.OrderedDict,
    collections.deque,
    lambda value: collections.defaultdict(int, value),
    Fraction,
    Decimal,
    bytearray,
    np.float64,
    np.float32,
    np.int64,
    np.bool_,
    np.str_,
    _array,
    lambda value: np.array(value, dtype="f8"),
    lambda value: [np.float64(each) for each in value],
    lambda value: [np.int64(each) for each in value],
    lambda value: Pair(*value),
    lambda value: _subclass(value)(value),
    lambda value: [value],
    lambda value: (each for each in value),
    lambda value: Number(value),
    lambda _: None,
    lambda _: object(),
    lambda _: np.array([]),
    lambda _: 0,
    lambda _: range(3),
    lambda _: math.nan,
]
"""What candidates return instead of a value: mostly the same in another type, order or precision."""


Test = tuple[Callable[[], Any], Any]
"""What makes an output, anew for each reader, and what was expected."""


@st.composite
def calls(draw: st.DrawFn) -> Test:
    expected = draw(values)
    if draw(st.integers(0, 9)) == 0:
        other = draw(values)
        return lambda: other, expected
    variant = draw(st.sampled_from(VARIANTS))
    try:
        variant(expected)
    except Exception:
        return lambda: expected, expected
    return lambda: variant(expected), expected


TASKS: list[tuple[Form, str]] = [
    ("humaneval", "f"),
    ("mbpp", "f"),
    ("humaneval", "sum_div"),
    ("mbpp", "are_equivalent"),
    ("mbpp", "sum_div"),
    ("mbpp", "similar_elements"),
    ("mbpp", "check_str"),
]


def broadcasts_to_nothing(output: Any, expected: Any) -> bool:
    """Whether numpy compares no elements of two values of other shapes: EvalPlus passes them."""
    try:
        return np.shape(output) != np.shape(expected) and 0 in np.broadcast_shapes(
            np.shape(output), np.shape(expected)
        )
    except ValueError:
        return False


def check_parity(
    tests: Sequence[Test], task: tuple[Form, str], atol: float, inputs: Sequence[Sequence[Any]] | None = None
) -> None:
    expected = [wanted for _, wanted in tests]
    assume(not any(broadcasts_to_nothing(make(), wanted) for make, wanted in tests))
    ours = compare([make() for make, _ in tests], expected, task=task, atol=atol, inputs=inputs)
    theirs = ask_evalplus([make() for make, _ in tests], expected, task=task, atol=atol, inputs=inputs)
    assert (ours.at, ours.passed) == (theirs, theirs is None), ours


@given(
    st.lists(calls(), min_size=1, max_size=3),
    st.sampled_from(TASKS),
    st.sampled_from([0, 1e-6, 0.5]),
)
@settings(max_examples=400, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@pytest.mark.filterwarnings("ignore")
def test_verdicts_are_those_of_evalplus(tests: list[Test], task: tuple[Form, str], atol: float) -> None:
    check_parity(tests, task, atol)


near = st.sampled_from([-1e-5, -1e-7, 0, 1e-9, 1e-7, 0.4, 1, None])


@given(
    st.integers(1, 99) | st.floats(0.1, 99), st.integers(1, 99), near, near, st.sampled_from([0, 1e-6, 0.5])
)
@pytest.mark.filterwarnings("ignore")
def test_surfaces_are_compared_as_by_evalplus(
    edge: Any, height: Any, error: Any, miss: Any, atol: float
) -> None:
    surface = theirs._surface_Area(edge, height)
    output = None if error is None else surface + error
    expected = None if miss is None else surface + miss
    check_parity([(lambda: output, expected)], ("mbpp", "surface_Area"), atol, [[edge, height]])


@given(st.integers(), st.integers(), st.integers(-1, 1), st.integers(-1, 1))
def test_digit_distances_are_compared_as_by_evalplus(one: int, other: int, error: int, miss: int) -> None:
    distance = theirs._digit_distance_nums(abs(one), abs(other))
    test: Test = lambda: distance + error, distance + miss
    check_parity([test], ("mbpp", "digit_distance_nums"), 0, [[abs(one), abs(other)]])
    check_parity([test], ("mbpp", "digit_distance_nums"), 0, [[one, other]])


@given(st.lists(st.integers(-9, 9), min_size=2, max_size=6), st.floats(-9, 9) | st.none() | st.text(), near)
def test_zeros_are_compared_as_by_evalplus(coefficients: list[int], zero: Any, atol: float | None) -> None:
    # One test a run: EvalPlus's oracle counts no test that passes, so its index of a later failure is off.
    test: Test = lambda: zero, 0.0
    check_parity([test], ("humaneval", "find_zero"), atol or 0, [[coefficients]])


@given(st.integers(0), st.integers(0))
def test_digit_distance_is_that_of_evalplus(one: int, other: int) -> None:
    assert oracle_jail.digit_distance(one, other) == theirs._digit_distance_nums(one, other)


@given(st.floats(0, 1e6) | st.integers(0, 10**6), st.floats(0, 1e6) | st.integers(0, 10**6))
def test_surface_area_is_that_of_evalplus(edge: float, height: float) -> None:
    assert oracle_jail.surface_area(edge, height) == theirs._surface_Area(edge, height)


@given(st.lists(st.integers(-99, 99) | st.floats(-99, 99)), st.floats(-99, 99))
def test_polynomial_is_that_of_evalplus(coefficients: list[float], x: float) -> None:
    assert oracle_jail.polynomial(coefficients, x) == theirs._poly(coefficients, x)


def test_special_tasks_are_those_of_evalplus() -> None:
    source = inspect.getsource(evalplus.unsafe_execute)
    named = set(re.findall(r'"(\w+)"\s*==\s*entry_point', source))
    assert named == {"are_equivalent", "sum_div", "surface_Area", "digit_distance_nums", "find_zero"}
    special = {name: oracles.comparison("mbpp", name).oracle for name in named - {"find_zero"}}
    assert special == {
        "are_equivalent": "any",
        "sum_div": "sum_div",
        "surface_Area": "surface_area",
        "digit_distance_nums": "digit_distance",
    }
    assert oracles.comparison("humaneval", "find_zero").oracle == "find_zero"
    for oracle, tasks in {
        "set": theirs.MBPP_OUTPUT_SET_EQ_TASKS,
        "not_none": theirs.MBPP_OUTPUT_NOT_NONE_TASKS,
    }.items():
        assert {oracles.comparison("mbpp", name).oracle for name in tasks} == {oracle}
        assert {oracles.comparison("humaneval", name).oracle for name in tasks} == {"equal"}
    known = named | {*theirs.MBPP_OUTPUT_SET_EQ_TASKS, *theirs.MBPP_OUTPUT_NOT_NONE_TASKS}
    forms: list[Form] = ["humaneval", "mbpp"]
    assert {*oracles.SPECIAL} == {
        (form, name) for form in forms for name in known if oracles.comparison(form, name).oracle != "equal"
    }


def test_only_iterated_outputs_are_drained() -> None:
    assert oracles.comparison("mbpp", "Diff").drain
    assert oracles.comparison("check", "f").drain
    assert not oracles.comparison("humaneval", "Diff").drain


class Anything:
    def __eq__(self, _: object) -> bool:
        return True

    __hash__ = None  # pyright: ignore[reportAssignmentType]


class Near(float):
    def __rsub__(self, _: Any) -> float:
        return 0.0

    __sub__ = __rsub__


class Two(list[Any]):
    def __iter__(self) -> Any:
        return iter([1, 2])


class Same(list[Any]):
    def __eq__(self, other: object) -> bool:
        return list(self) == other

    __hash__ = None  # pyright: ignore[reportAssignmentType]


class Tally(collections.Counter[Any]):
    """A counter with a name."""


LIBRARY: list[Any] = [
    collections.UserList([1, 2]),
    [collections.UserList([1.0]), [2.0]],
    collections.UserDict({1: 2}),
    collections.UserDict({1: 2}).keys(),
    collections.UserString("ab"),
    collections.ChainMap({1: 2}, {}),
    types.MappingProxyType({1: 2}),
    Tally({1: 2}),
    collections.OrderedDict({1: 2}),
    collections.deque([1, 2]),
    memoryview(b"ab"),
    range(1, 3),
    np.array([[2]]).view(np.matrix),
    np.ma.MaskedArray([2]),
    np.timedelta64(2),
    Decimal(2),
]
EXPECTED: list[Any] = [[1, 2], [1.0, 2.0], [[1.0], [2.0]], {1: 2}, {1}, {1: 2.0}, "ab", b"ab", 2, 2.0, (1, 2)]


@pytest.mark.parametrize("output", LIBRARY, ids=lambda output: type(output).__name__)
def test_classes_of_the_library_compare_as_in_evalplus(output: Any) -> None:
    for expected in EXPECTED:
        task: tuple[Form, str] = ("mbpp", "f")
        there = ask_evalplus([output], [expected], task=task, inputs=[[1]]) is None
        here = compare([output], [expected], task=task, inputs=[[1]]).passed
        assert here == there, expected


DIFFERENCES: dict[str, tuple[Any, Any, tuple[Form, str], bool]] = {
    "an object that equals everything": (Anything(), 5, ("mbpp", "f"), True),
    "within a list": ([Anything()], [5], ("mbpp", "f"), True),
    "a list of the program's own, with an equality": (Same([1]), [1], ("mbpp", "f"), True),
    "a float that subtracts in its own way": (Near(7), 5, ("mbpp", "surface_Area"), True),
    "a list that iterates in its own way": (Two([9]), [1, 2], ("mbpp", "Diff"), True),
    "an exponent of a million": (Decimal("1e1000000"), Decimal("1e1000000"), ("mbpp", "f"), True),
    "no elements for one": ([[]], [1.5], ("mbpp", "f"), True),
    "no elements in a column": ([[], []], [[0.5], [1.5]], ("mbpp", "f"), True),
    "no elements wanted": ([1.5], [[]], ("mbpp", "f"), True),
    "250 levels": (eval("[" * 80 + "]" * 80), eval("[" * 80 + "]" * 80), ("mbpp", "f"), False),
}
"""Where EvalPlus's verdict is another, and why ours is right or cannot be had: output, expected value, task,
whether only EvalPlus passes it. Objects that decide themselves what they equal are no evidence; values that
could be made to hang the comparison are refused; where no elements are compared, nothing was shown."""


@pytest.mark.parametrize(("output", "expected", "task", "differs"), DIFFERENCES.values(), ids=DIFFERENCES)
def test_known_differences_from_evalplus(
    output: Any, expected: Any, task: tuple[Form, str], differs: bool
) -> None:
    inputs = [[2, 1]]
    assert ask_evalplus([output], [expected], task=task, inputs=inputs, atol=1e-6) is None
    assert compare([output], [expected], task=task, inputs=inputs, atol=1e-6).passed is not differs


@pytest.mark.parametrize("value", [[], [[]], [[], []]], ids=str)
def test_no_elements_pass_where_as_many_are_wanted(value: Any) -> None:
    assert compare([0.5, value], [0.5, value]).passed
    assert compare([0.5, [*value, []]], [0.5, value]).at == 1


def test_a_masked_element_is_no_value() -> None:
    found = compare([np.ma.array([5, 6], mask=[False, True])], [[5, 6]])
    assert found.reason == "its output cannot be compared: a masked element, which is no value"


def test_oracles_see_the_inputs_as_they_were() -> None:
    digits = [[12, 10]]
    assert compare([2], [None], task=("mbpp", "digit_distance_nums"), inputs=digits).passed


def test_tolerance_begins_with_the_first_expected_float_and_stays() -> None:
    assert compare([[1 + 1e-7, 2]], [[1, 2]]).at == 0
    assert compare([0.5, [1 + 1e-7, 2.0]], [0.5, [1.0, 2.0]]).passed
    nested = [[1.0, 2.0], [3.0, 4.0]]
    off = [[1.0 + 1e-7, 2.0], [3.0, 4.0]]
    assert compare([off, 0.5], [nested, 0.5]).at == 0
    assert compare([0.5, off], [0.5, nested]).passed
    assert compare([[0.5, 1.5], off], [[0.5, 1.5], nested]).passed


def test_nan_equals_nothing() -> None:
    assert compare([math.nan], [math.nan]).at == 0
    assert compare([[1.0, math.nan]], [[1.0, math.nan]]).at == 0
    assert compare([math.inf], [math.inf]).passed


@pytest.mark.parametrize(
    "value",
    [math.nan, -math.nan, [1, (2, math.nan)], complex(0, math.nan), complex(math.nan, 0), {1: {2: math.nan}},
     np.float64("nan"), np.array([1, math.nan], dtype="f4"), np.float16("nan"), Decimal("NaN"),
     {1: 2}.values(), object(), ["x" * 200_000, math.nan]],
    ids=lambda value: type(value).__name__,
)  # fmt: skip
def test_values_that_do_not_equal_themselves_are_noticed(value: Any) -> None:
    assert oracles.has_nan(stream(1, value))


@pytest.mark.parametrize(
    "value", [1.5, -1, [2**31 - 1] * 9, "gÿÿÿÿÿÿÿÿ", ["naan", None], {1: 2.5}, "x" * 200_000]
)
def test_other_values_are_not_taken_for_nan(value: Any) -> None:
    assert not oracles.has_nan(stream(value))


def test_a_run_that_ended_fails_at_the_call_without_an_output() -> None:
    told = json.dumps(["ValueError", "no such thing", "…"]).encode()
    for end, reason in [
        (frame("R", told), "raised ValueError: no such thing"),
        (frame("R", b"{"), "raised an exception"),
        (frame("L", b""), "time-out"),
        (b"", "no output"),
    ]:
        finding = oracle_jail.compare("equal", 0, 2, None, stream(1) + end, stream(1, 2))
        assert finding == (False, 1, reason, "2", None, False)
    first = oracle_jail.compare("equal", 0, 2, None, stream(3) + frame("L", b""), stream(1, 2))
    assert first[:3] == (False, 0, "wrong output")


def test_a_reference_that_ended_passes_nothing() -> None:
    raised = frame("R", b"[]")
    assert oracle_jail.compare("equal", 0, 1, None, raised, raised)[0] is False
    assert oracle_jail.compare("equal", 0, 1, None, stream(1), b"")[:3] == (
        False,
        0,
        "there is no expected output",
    )
    assert oracle_jail.compare("any", 0, 1, None, stream(1), b"")[0] is False


def digests(*outputs: Any) -> bytes:
    """Return a stream in which every value is a digest."""
    encoded = [encode(output) for output in outputs]
    return b"".join(frame("D", digest(kind.decode(), payload)) for kind, payload in encoded)


def test_equal_digests_pass_and_others_ask_for_the_values() -> None:
    def look(candidate: bytes, expected: bytes, oracle: str = "equal") -> tuple[bool, bool]:
        finding = oracle_jail.compare(oracle, 0, 1, marshal.dumps([[[1, 2]]]), candidate, expected)
        return finding[0], finding[5]

    assert look(digests([1]), digests([1])) == (True, False)
    assert look(digests([1]), digests([2])) == (False, True)
    assert look(digests([1]), stream([1])) == (False, True)
    assert look(digests([1]), stream(None), "not_none") == (False, True)
    assert look(digests([1]), stream(5), "not_none") == (True, False)
    assert look(digests([1]), digests([1]), "find_zero") == (False, True)


def test_a_digest_that_may_hide_the_first_float_asks_for_the_values() -> None:
    nested, off = [[1.0, 2.0]], [[1.0 + 1e-7, 2.0]]
    streams = digests([0.5]) + stream(off), digests([0.5]) + stream(nested)
    assert oracle_jail.compare("equal", 0, 2, None, *streams)[5]
    assert oracle_jail.compare("equal", 1e-6, 2, None, *streams)[0]


def test_undecodable_outputs_fail_with_the_reason() -> None:
    forged = frame("V", b"[\xff\xff\xff\x7f")
    passed, at, reason, expected, got, whole = oracle_jail.compare("equal", 0, 1, None, forged, stream([1]))
    assert (passed, at, expected, got, whole) == (False, 0, "[1]", None, False)
    assert reason is not None
    assert reason.startswith("its output cannot be compared: a count of 2147483647")


def test_objects_and_values_are_shown() -> None:
    assert compare([(n for n in "ab")], [["a"]]).reason == "returned a generator object"
    assert compare([iter([1])], [[1]]).reason == "returned a list_iterator object"
    wrong = compare([list(range(2000))], [2**99999])
    assert wrong.expected == "<int that cannot be shown>"
    assert wrong.got is not None
    assert len(wrong.got) == 2000
    assert compare(["x" * (2 << 20)], [1]).got == "<str of 2097157 bytes>"


def comparing(candidate: bytes, expected: bytes, oracle: str = "equal") -> Job:
    """Return the job that compares one call's outputs."""
    comparison = Comparison(oracle=oracle)  # pyright: ignore[reportArgumentType]
    inputs = Arguments.of("f", [[]])
    return oracles.compare_job(
        comparison=comparison, atol=0, inputs=inputs, candidate=candidate, expected=expected
    )


@module_loop
async def test_an_oracle_in_a_jail_compares_values(sandbox: Sandbox) -> None:
    async def verdict(output: Any, expected: Any) -> Compared:
        return oracles.compared(await sandbox.run(comparing(stream(output), stream(expected))))

    assert await verdict(Fraction(1, 2), 0.5) == Compared(passed=True)
    assert await verdict(np.array([1.0]), [1.0]) == Compared(passed=True)
    assert (await verdict(1.0 + 1e-7, 1.0)).passed
    wrong = await verdict({"a": 1}, {"a": 2})
    assert wrong == Compared(passed=False, at=0, reason="wrong output", expected="{'a': 2}", got="{'a': 1}")


COLLIDING = {n * (2**61 - 1) for n in range(10)}
HOSTILE = {
    "a count beyond all memory": frame("V", b"[\xff\xff\xff\x7f" * 5),
    "code": frame("V", marshal.dumps(compile("1", "", "eval"), 2)),
    "depth": frame("V", b"(\1\0\0\0" * 100_000 + b"N"),
    "a range without end, drained": frame("G", marshal.dumps(("range", 0, 10**12, 1), 2)),
    "an array beyond all memory": frame("G", marshal.dumps(("array", "<f8", [1 << 40, 1 << 20], b""), 2)),
    "a set whose members collide": frame("V", marshal.dumps([n * (2**61 - 1) for n in range(80_000)], 2)),
}


@pytest.mark.parametrize("forged", HOSTILE.values(), ids=HOSTILE)
@module_loop
async def test_hostile_outputs_fail_and_the_oracle_at_most_dies(
    sandbox: Sandbox, forged: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(oracles, "LEAST_CPU", 0.5)
    ran = await sandbox.run(comparing(forged, stream([0]), "set"))
    assert not oracles.compared(ran).passed
    assert oracles.compared(await sandbox.run(comparing(stream([0]), stream([0])))).passed


@pytest.mark.parametrize(
    "ran",
    [
        Ran("died", b"", detail="signal SIGKILL"),
        Ran("timed_out", frame("B", b"") + frame("L", b"")),
        Ran("flooded", stream((True, None, None, None, None, False))),
        Ran("finished", stream()),
        Ran("finished", stream(True)),
        Ran("finished", stream((True, None, None))),
        Ran("finished", stream(("yes", 1, None, None, None, "no"))),
        Ran("finished", frame("V", b"[\xff\xff\xff\x7f")),
        Ran("finished", frame("G", stream(True))),
        Ran("finished", frame("R", b"not json")),
    ],
    ids=lambda ran: f"{ran.ending}-{ran.stream[5:30]!r}",
)
def test_an_oracle_that_did_not_come_through_passes_nothing(ran: Ran) -> None:
    found = oracles.compared(ran)
    assert (found.passed, found.at) == (False, 0)
    assert found.reason is not None
    assert found.reason.startswith("its outputs could not be compared: ")


SWAPS: dict[Any, type[ast.AST]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Add,
    ast.FloorDiv: ast.Div,
    ast.Mod: ast.Mult,
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.In: ast.NotIn,
    ast.And: ast.Or,
    ast.Or: ast.And,
}


class Flip(ast.NodeTransformer):
    """Makes one small mistake in a program."""

    def __init__(self, which: int) -> None:
        self.left = which

    def visit(self, node: ast.AST) -> ast.AST:
        other = SWAPS.get(type(node))
        if other is not None:
            self.left -= 1
            return other() if self.left == -1 else node
        if isinstance(node, ast.Constant) and type(node.value) is int:
            self.left -= 1
            return ast.Constant(node.value + 1) if self.left == -1 else node
        return self.generic_visit(node)


def mutant(program: str, function: str, which: int) -> str | None:
    """Return a program with one small mistake in a function; None if there are not that many to be made."""
    flip, tree = Flip(which), ast.parse(program)
    for number, statement in enumerate(tree.body):
        if isinstance(statement, ast.FunctionDef) and statement.name == function:
            tree.body[number] = cast("ast.stmt", flip.visit(statement))
    return None if flip.left >= 0 else ast.unparse(tree)


def checked(name: str, entry_point: str, reference: str, check: str) -> Problem:
    return Problem(name, "check", entry_point, reference, atol=0.0, check=check, rows={})


def checked_tasks() -> list[Problem]:
    return [Problem.of(name, tests) for name, tests in load_suite("humaneval-base").hidden.items()]


BRIEF = Limits(call_cpu=0.4, total_cpu=0.6)


async def humaneval_passes(sandbox: Sandbox, task: Problem, program: str) -> bool:
    """Return HumanEval's own verdict: the program, the test and the call in one text."""
    text = f"{program}\n{task.check}\ncheck({task.entry_point})"
    ran = await sandbox.run(Job(text, Expressions(()), BRIEF))
    return ran.ending == "finished"


async def passes(sandbox: Sandbox, task: Problem, inputs: Arguments, program: str) -> Compared:
    """Return the verdict of a program whose process never sees the test."""
    ran = await sandbox.run(Job(program, inputs, BRIEF, drain=True))
    job = oracles.check_job(task, inputs, ran.stream)
    return oracles.compared(await sandbox.run(job))


async def check_task(sandbox: Sandbox, number: int, task: Problem) -> bool | None:
    """Judge a task's reference and one mutant of it; return whether the mutant passed."""
    inputs = oracles.recorded(await sandbox.run(oracles.record_job(task)))
    assert (inputs.entry_point, inputs.count > 0) == (task.entry_point, True)
    assert await passes(sandbox, task, inputs, task.reference) == Compared(passed=True), task.task_id
    program = mutant(task.reference, task.entry_point, number % 4)
    if program is None:
        return None
    ours = await passes(sandbox, task, inputs, program)
    assert ours.passed == await humaneval_passes(sandbox, task, program), (task.task_id, program, ours)
    return ours.passed


@module_loop
async def test_humaneval_checks_tell_programs_that_never_see_them(sandbox: Sandbox) -> None:
    tasks = checked_tasks()
    verdicts = await asyncio.gather(*(check_task(sandbox, n, task) for n, task in enumerate(tasks)))
    assert len(verdicts) == 164
    assert verdicts.count(False) > 80
    assert verdicts.count(True) > 5


@module_loop
async def test_a_failed_check_says_where(sandbox: Sandbox) -> None:
    check = "def check(f):\n    assert f(1) == 2\n    assert f(3) == 6\n"
    task = checked("t", "double", "def double(n):\n    return 2 * n", check)
    inputs = oracles.recorded(await sandbox.run(oracles.record_job(task)))

    async def verdict(program: str) -> Compared:
        return await passes(sandbox, task, inputs, program)

    line = "assert f(3) == 6"
    wrong = await verdict("def double(n): return n * n + 1")
    assert wrong == Compared(passed=False, at=1, reason="wrong output", expected=line, got="10")
    raised = await verdict("def double(n): return 2 // (3 - n)  or 2 if n > 1 else 2")
    assert raised == Compared(
        passed=False,
        at=1,
        reason="raised ZeroDivisionError: integer division or modulo by zero",
        expected=line,
    )
    assert (await verdict("import os\ndef double(n): os._exit(0)")).reason == "no output"


@module_loop
async def test_a_check_that_its_reference_fails_is_refused(sandbox: Sandbox) -> None:
    check = "def check(f):\n    assert f(1) == 2, 'no'"
    with pytest.raises(GraderError, match="AssertionError: no"):
        oracles.recorded(
            await sandbox.run(oracles.record_job(checked("t", "f", "def f(n): return n", check)))
        )


@module_loop
async def test_outputs_are_not_replayed_for_other_calls(sandbox: Sandbox) -> None:
    reference = "def f(n): return n"
    adaptive = "def check(f):\n    assert f(f(1)) < 5"
    task = checked("t", "f", reference, adaptive)
    inputs = oracles.recorded(await sandbox.run(oracles.record_job(task)))
    assert (await passes(sandbox, task, inputs, reference)).passed
    other = await passes(sandbox, task, inputs, "def f(n): return 2")
    assert other.reason == "the tests make another call than with the reference"
