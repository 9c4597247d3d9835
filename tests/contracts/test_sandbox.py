"""What every sandbox promises, on each tier of this machine: attacks come to nothing, honest programs work.

Each attack is judged from outside: nothing is read, changed, reached or left behind, the sandbox does honest
work afterwards, and a wrong program's verdict is `failed`. `python -m tests.contracts.attacks` prints the
outcomes as a table.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from dualcode.errors import SandboxError
from dualcode.sandbox import ending, worker
from dualcode.sandbox.job import HEAD, Arguments, Job, Limits
from dualcode.sandbox.wire import Answer
from tests.contracts.attacks import ATTACKS, TIERS, escaping, exhausting, forging
from tests.contracts.attacks.attack import Attack
from tests.contracts.attacks.bare import bare
from tests.contracts.attacks.field import Field, forged
from tests.contracts.attacks.honest import HONEST
from tests.contracts.attacks.outside import Outside, descendants
from tests.sandbox.walk import READS_CALLS_EARLY


@pytest.fixture(scope="module", params=TIERS)
def field(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Field]:
    before = len(descendants(1 << 10))  # the servers of other tests, say
    try:
        under_attack = Field(request.param, tmp_path_factory.mktemp(request.param))
    except SandboxError as error:
        pytest.skip(f"this machine refuses the tier {request.param}: {error}")
    with under_attack as field:
        yield field
    assert len(descendants(before)) <= before


# Attacks


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name)
def test_an_attack_comes_to_nothing(field: Field, attack: Attack) -> None:
    assert field.attack(attack).harm == ()


@pytest.mark.parametrize("attack", [each for each in ATTACKS if each.bare], ids=lambda attack: attack.name)
def test_the_attack_succeeds_without_a_jail(attack: Attack, tmp_path: Path) -> None:
    with Outside(tmp_path) as outside:
        assert bare(attack, outside, tmp_path)


@pytest.mark.parametrize("name", escaping.FORBIDDEN_CALLS)
def test_the_kernel_never_sees_a_call_that_no_program_needs(field: Field, name: str) -> None:
    attack = escaping.forbidden_call(name)
    if attack is None:
        pytest.skip(f"this machine has no {name}")
    assert field.attack(attack).harm == ()


@pytest.mark.parametrize("name", exhausting.RETURNED)
def test_whatever_is_returned_is_only_data(field: Field, name: str) -> None:
    attack = exhausting.returning(name)
    ran = field.run(attack.job({}))
    assert len(ran.stream) <= attack.limits.output
    assert {frame.kind for frame in ran.frames()} <= set("BVGDORLFE")
    assert field.trespasses() == []


# Forgeries


@pytest.mark.parametrize(
    ("name", "row"),
    [pytest.param(*case, id=f"{case[0]}, {case[1]['entry_point']}") for case in forging.cases()],
)
def test_a_wrong_program_cannot_pass(field: Field, name: str, row: dict[str, str]) -> None:
    program = forging.program(name, row["entry_point"])
    assert forged(field.grade(row["task_id"], program)) == []
    verdict = field.grade(row["task_id"], forging.RIGHT)
    assert {side.status for side in verdict.parts.values()} == {"passed"}


def test_inputs_that_are_found_early_are_worth_a_pass(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "_BOOT", READS_CALLS_EARLY + worker._BOOT)  # pyright: ignore[reportPrivateUsage]
    assert passes("more time than a call has: on inputs that it finds while it is loaded", tmp_path)


def test_a_beginning_byte_by_byte_is_worth_a_pass_where_time_begins_with_a_whole_frame(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    come = ending._come  # pyright: ignore[reportPrivateUsage]

    def come_whole(answer: Answer, end: int) -> float:
        return come(answer, max(end, HEAD.size))

    monkeypatch.setattr(ending, "_come", come_whole)
    assert passes("more time than a call has: a beginning byte by byte", tmp_path)


def passes(name: str, folder: Path) -> bool:
    """Whether a forgery passes the tests of `triple`."""
    try:
        with Field("landlock", folder) as field:
            verdict = field.grade("HumanEval/0", forging.program(name, "triple"))
    except SandboxError as error:
        pytest.skip(f"this machine refuses the tier landlock: {error}")
    return {side.status for side in verdict.parts.values()} == {"passed"}


def test_nothing_is_left_after_the_forgeries(field: Field) -> None:
    assert field.trespasses() == []


# Honest programs


@pytest.mark.parametrize("name", HONEST)
def test_an_honest_program_works(field: Field, name: str) -> None:
    program, expression, wanted = HONEST[name]
    assert field.value(program, expression) == wanted


def test_later_calls_see_what_earlier_ones_left(field: Field) -> None:
    job = Job("seen = []\ndef f(x): seen.append(x); return len(seen)", Arguments.of("f", [[1], [1], [1]]))
    assert len(field.run(job).returned()) == 3
    assert len({frame.payload for frame in field.run(job).returned()}) == 3


def test_the_same_job_gives_the_same_stream(field: Field) -> None:
    program = "import random, os\ndef f(): return [list({'a', 'b', 'c', 'd'}), random.random(), hash('x')]"
    streams = {field.run(Job(program, Arguments.of("f", [[], []]))).stream for _ in range(5)}
    assert len(streams) == 1


def test_a_call_over_its_limit_is_told_and_ends_the_run(field: Field) -> None:
    job = Job("def f(x):\n    while x: pass", Arguments.of("f", [[0], [1], [0]]), limits=Limits(call_cpu=0.2))
    ran = field.run(job)
    assert ran.ending == "timed_out"
    assert len([frame for frame in ran.returned() if frame.kind == "V"]) == 1
