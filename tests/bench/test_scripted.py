"""The scripted bench answers as the real one does, in kind."""

from dualcode.bench.bench import Observation, ScriptedBench
from dualcode.solution import Program
from dualcode.task import Task

TASK = Task(id="T/1", prompt="", entry_point="f")


def program(text: str) -> Program:
    return Program(text=text, compiles=True, defines_entry_point=True, how="block")


async def test_a_program_passes_unless_a_mark_stands_in_it() -> None:
    bench = ScriptedBench({"bad": "the first test failed"}, tests=3)
    good = await bench.examine(TASK, program("good"))
    bad = await bench.examine(TASK, program("a bad one"))
    assert (good.ok, good.tests, good.passed) == (True, 3, (0, 1, 2))
    assert (bad.failure, bad.passed) == ("the first test failed", ())
    assert bench.examined == ["good", "a bad one"]
    assert bad.worse_than(good) == (0, 1, 2)


async def test_an_empty_mark_stands_in_every_program() -> None:
    assert not (await ScriptedBench({"": "failed"}).examine(TASK, program("anything"))).ok


async def test_calls_are_answered_by_the_first_rule_that_fits_and_else_with_none() -> None:
    rules = {("v1", "f(1)"): "returned 1", ("v", "f(1)"): "returned 2", ("v2", "f(2)"): "raised ValueError"}
    bench = ScriptedBench(outcomes=rules)
    seen = await bench.observe(TASK, program("v1"), ["f(1)", "f(2)"])
    assert seen == (
        Observation(call="f(1)", outcome="returned 1"),
        Observation(call="f(2)", outcome="returned None"),
    )
    other = await bench.observe(TASK, program("v2"), ["f(1)", "f(2)"])
    assert [each.outcome for each in other] == ["returned 2", "raised ValueError"]
