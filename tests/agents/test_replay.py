"""An interrupted agent, resumed at each of its steps: the same records, and no command twice."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from dualcode.agents.agent import run_agent
from dualcode.agents.changes import NOTHING
from dualcode.agents.records import AgentLimits, Step, Workplace, standing
from dualcode.call import Request
from dualcode.issues.jail.jail import CommandJail
from dualcode.issues.jail.room import Ended, Room
from dualcode.issues.task import Limits
from dualcode.models.ledger import Fingerprint, Ledger, LedgerChat
from dualcode.models.scripted import Answer, ScriptedChat
from tests.agents.acting import BRIEF, MEND, SUBMIT, Acted, act, says, seat
from tests.issues import shop

SCRIPT = [
    says("date +%s%N; echo $$; mktemp -u", "What it prints is another each time."),
    "No command here.",
    says("cat > shop/new.py <<'EOF'\nx = 1\nEOF"),
    says("sed -i 's/never/x/' shop/price.py"),
    says(f"{MEND}; rm setup.cfg; false"),
    says("git status --short"),
    says(SUBMIT),
]


def answer(request: Request) -> Answer:
    """Answer by how long the conversation is, whoever asks."""
    return SCRIPT[sum(message.role == "assistant" for message in request.messages)]


class Counting(CommandJail):
    """A jail that remembers what it ran."""

    def __init__(self, jail: CommandJail) -> None:
        super().__init__(jail.tier)
        self.ran: list[str] = []

    async def run(self, command: str, room: Room, limits: Limits | None = None) -> Ended:
        self.ran.append(command)
        return await super().run(command, room, limits)


@pytest.fixture
def counted(place: Workplace) -> Workplace:
    return Workplace(Counting(place.jail), place.room, place.limits, place.changes)


def ran(place: Workplace) -> list[str]:
    assert isinstance(place.jail, Counting)
    return place.jail.ran


def files(place: Workplace) -> dict[str, str]:
    top = place.room.worktree.path
    return {
        path.relative_to(top).as_posix(): path.read_text()
        for path in sorted(top.rglob("*"))
        if path.is_file() and path.name != ".git"
    }


async def resumed(place: Workplace, steps: Sequence[Step]) -> Acted:
    """Resume in a tree that is as it was when the agent first began, as a fresh worktree is."""
    place.room.worktree.restore("")
    return await act(place, answer, replay=steps)


async def test_resumed_at_each_step_all_comes_out_the_same(counted: Workplace) -> None:
    whole = await act(counted, answer)
    assert (whole.run.ending, whole.run.failed_edits) == ("submitted", 1)
    after, commands = files(counted), list(ran(counted))
    assert len(commands) == 6
    untimed = {"seconds"}
    for at in (1, 2, 5, 7):
        ran(counted).clear()
        again = await resumed(counted, whole.steps[:at])
        left = whole.steps[at:]
        assert ran(counted) == [step.command for step in left if step.command], at
        told = [step.model_dump(exclude=untimed) for step in again.steps]
        assert told == [step.model_dump(exclude=untimed) for step in left]
        assert again.run.model_dump(exclude=untimed) == whole.run.model_dump(exclude=untimed)
        assert again.said == whole.said
        assert files(counted) == after
        assert len(again.calls) == len(whole.calls)
        if not left:
            assert again.run == whole.run, "to the second"


async def test_replies_come_from_the_ledger_and_nothing_is_paid_twice(
    place: Workplace, tmp_path: Path
) -> None:
    chat, ledger = ScriptedChat(answer), Ledger.open(tmp_path / "ledger")
    kept = LedgerChat(chat, ledger, Fingerprint(model="scripted"))
    steps: list[Step] = []
    try:
        first, _ = await run_agent(seat(kept), place, BRIEF, AgentLimits(), record=steps.append)
        assert len(chat.requests) == len(SCRIPT)
        place.room.worktree.restore("")
        again, _ = await run_agent(
            seat(kept), place, BRIEF, AgentLimits(), record=steps.append, replay=steps[:5]
        )
    finally:
        ledger.close()
    # The fifth observation is the last on record, and the sixth is the same again: no request is new.
    assert len(chat.requests) == len(SCRIPT)
    assert (again.usage, again.calls) == (first.usage, first.calls)
    assert [step.number for step in standing(steps)] == [1, 2, 3, 4, 5, 6, 7]


async def test_another_reply_than_that_on_record_ends_the_replay_there(counted: Workplace) -> None:
    whole = await act(counted, answer)
    ran(counted).clear()
    other = says("ls shop", "I think otherwise.")

    def changed(request: Request) -> Answer:
        at = sum(message.role == "assistant" for message in request.messages)
        return {3: other, 4: says(SUBMIT)}.get(at, SCRIPT[at])

    counted.room.worktree.restore("")
    again = await act(counted, changed, replay=whole.steps)
    assert ran(counted) == ["ls shop", SUBMIT]
    assert [step.number for step in again.steps] == [4, 5]
    assert again.steps[0].change == whole.steps[2].change, "the tree is as it was before"
    assert files(counted) == {**shop.FILES, "shop/new.py": "x = 1\n"}
    assert any("another reply than that on record" in line for line in again.told)
    assert standing([*whole.steps, *again.steps]) == (*whole.steps[:3], *again.steps)


async def test_the_first_reply_may_differ_too(counted: Workplace) -> None:
    whole = await act(counted, answer)
    counted.room.worktree.restore("")
    again = await act(counted, [says("ls"), says(SUBMIT)], replay=whole.steps)
    assert [step.number for step in again.steps] == [1, 2]
    assert again.steps[0].change == NOTHING
    assert files(counted) == shop.FILES


async def test_an_agent_that_began_in_a_changed_tree_is_resumed_in_it(counted: Workplace) -> None:
    tree = counted.room.worktree
    shop.write(tree.path, {"shop/before.py": "y = 2\n"})
    tree.give()
    begun = tree.change().diff
    whole = await act(counted, answer)
    after = files(counted)
    assert after["shop/before.py"] == "y = 2\n"
    tree.restore(begun)
    again = await act(counted, answer, replay=whole.steps[:4])
    assert files(counted) == after
    assert again.steps[-1].change == whole.steps[-1].change


async def test_a_change_that_is_not_kept_is_trouble_of_ours_and_says_what_to_do(place: Workplace) -> None:
    whole = await act(place, answer)
    kept = place.changes / f"{whole.steps[4].change}.diff"
    for spoil, told in (
        (lambda: kept.write_text("other"), "is not what it was"),
        (kept.unlink, "cannot be read"),
    ):
        spoil()
        again = await resumed(place, whole.steps[:5])
        assert (again.run.ending, again.run.steps, again.chat.requests) == ("infrastructure", 0, [])
        assert told in again.run.why


def test_a_step_on_record_replaces_those_after_it() -> None:
    def step(number: int, said: str) -> Step:
        return Step(node="n", number=number, call=number, said=said, command=None, observation="")

    first, second, third, other = step(1, "a"), step(2, "b"), step(3, "c"), step(2, "d")
    assert standing([]) == ()
    assert standing([first, second, third]) == (first, second, third)
    assert standing([first, second, third, other]) == (first, other)
    assert Step.model_validate_json(first.to_line()) == first
