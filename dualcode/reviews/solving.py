"""`dualcode solve`: a specification in, a program out."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from dualcode.bench.bench import Examination
from dualcode.call import Call, Usage
from dualcode.config import TeamConfig
from dualcode.library import solve
from dualcode.pipelines.find import find_pipeline
from dualcode.record import Record
from dualcode.reviews.desk import Work, desk
from dualcode.reviews.specification import OwnTests, OwnTestsBench, with_tests
from dualcode.serving.running import find_team
from dualcode.solution import Program
from dualcode.task import Task
from dualcode.together import ticking

PIPELINE = "review-fix-guarded"


class SolveOptions(Record):
    """What `dualcode solve` was asked for."""

    task: Task
    tests: OwnTests | None = None
    pipeline: str = PIPELINE
    team: Path | TeamConfig | None = None
    unsafe: bool = False


class Written(Record):
    """The program, and how it does on the tests that are there."""

    program: Program
    examination: Examination
    amended: bool | None
    """Whether it is not the draft; None where no draft was reviewed."""
    calls: int
    usage: Usage
    seconds: float

    @property
    def ok(self) -> bool:
        """Whether it compiles, loads and passes every test that is there."""
        return self.program.compiles and self.program.defines_entry_point and self.examination.ok

    def to_json(self) -> dict[str, Any]:
        """Return the object that `--json` prints."""
        found = self.model_dump(mode="json", exclude={"program": {"how"}})
        return {**found, "passed": len(self.examination.passed), "ok": self.ok}


async def do_solve(asked: SolveOptions, tell: Callable[[str], None]) -> Written:
    """Let a pipeline write a program, with what happens told as it happens, and keep a record of the work.

    Raises the errors of the pipeline, and what `desk` raises.
    """
    found = find_pipeline(asked.pipeline)
    config = find_team(asked.team)
    config.require(found.roles, by=f"pipeline {found.name}")
    async with (
        ticking(tell) as tell,
        desk(config, found.roles, unsafe=asked.unsafe, tell=tell) as place,
    ):
        tell(f"{found.name} writes {asked.task.entry_point}; programs run in: {place.tier.name}")
        bench = OwnTestsBench(place.team.bench, asked.task, asked.tests, lambda seen: tell(_tested(seen)))
        team = place.team.at_work(found.roles, bench)
        task = with_tests(asked.task, asked.tests) if asked.tests else asked.task
        with place.on_record("solve", found.name, Work()) as work:

            def on_call(call: Call) -> None:
                work.calls.append(call)
                tell(_happened(call))

            solved = await solve(found, task, team, on_call=on_call, unsafe=asked.unsafe)
            examination = await bench.examine(task, solved.program)
            drafts = [each.about[0] for each in solved.calls if each.step == "review" and each.about]
            work.amended = drafts[0] != solved.program.checksum if drafts else None
            work.outcome = "done"
    return Written(
        program=solved.program,
        examination=examination,
        amended=work.amended,
        calls=len(work.calls),
        usage=sum((each.usage for each in work.calls), Usage()),
        seconds=work.seconds,
    )


def _tested(seen: Examination) -> str:
    told = f"visible tests: {len(seen.passed)} of {seen.tests} pass" if seen.tests else "no test is visible"
    return told if seen.ok else f"{told}\n{_indented(seen.failure or '')}"


def _happened(call: Call) -> str:
    """Return a line on a call that ended, and what a review found."""
    took = "from the ledger" if call.from_ledger else f"{sum(each.seconds for each in call.attempts):.1f} s"
    told = f"{call.step}: {call.role}, {took}, {call.usage.completion_tokens} tokens"
    if call.error is not None:
        return f"{told}: {call.error}"
    if call.step == "review":
        told += f": {call.verdict or 'it could not be read, so nobody judged the draft'}"
    lines = [f"{each['where']}: {each['actual']} Expected: {each['expected']}" for each in call.findings]
    return "\n".join([told, *(_indented(line) for line in lines)])


def _indented(text: str) -> str:
    return "\n".join(f"  {line}" for line in text.splitlines())
