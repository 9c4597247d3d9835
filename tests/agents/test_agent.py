"""An agent from its brief to its end: real commands in a real jail on a real tree."""

from dualcode.agents.agent import Workplace
from tests.agents.acting import MEND, SUBMIT, act, says
from tests.issues import shop


async def test_an_agent_reads_mends_tests_and_submits(place: Workplace) -> None:
    test = "python -c 'from shop import total; print(total([1, 2, 3]))'"
    acted = await act(place, [says(test), says(MEND), says(test), says(SUBMIT)])
    assert (acted.run.ending, acted.run.answer, acted.run.steps) == ("submitted", "done", 4)
    assert [step.number for step in acted.steps] == [1, 2, 3, 4]
    assert "5" in acted.observations[0]
    assert "6" in acted.observations[2]
    assert (place.room.worktree.path / "shop/price.py").read_text() == shop.RIGHT["shop/price.py"]
    assert [message.role for message in acted.said] == [
        "system",
        "user",
        *["assistant", "user"] * 3,
        "assistant",
    ]
    assert acted.said[1].content == "Mend {{ it }}."
