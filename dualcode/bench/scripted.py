"""A bench that answers from a script: for logic and faults, never for results."""

from collections.abc import Mapping, Sequence

from dualcode.bench.bench import Examination, Observation
from dualcode.solution import Program
from dualcode.task import Task


class ScriptedBench:
    """A bench that runs nothing: it answers by the program's text. For logic and faults only."""

    def __init__(
        self,
        failures: Mapping[str, str] | None = None,
        *,
        tests: int = 1,
        outcomes: Mapping[tuple[str, str], str] | None = None,
    ) -> None:
        self.examined: list[str] = []
        self._failures = dict(failures or {})
        self._tests = tests
        self._outcomes = dict(outcomes or {})

    async def examine(self, _task: Task, program: Program) -> Examination:
        """Fail a program in which a key of `failures` stands, with its text; pass any other."""
        self.examined.append(program.text)
        failure = next((said for mark, said in self._failures.items() if mark in program.text), None)
        passed = tuple(range(self._tests)) if failure is None else ()
        return Examination(tests=self._tests, passed=passed, failure=failure)

    async def observe(self, _task: Task, program: Program, calls: Sequence[str]) -> tuple[Observation, ...]:
        """Answer by (mark in the program, call); `returned None` where the script says nothing."""
        script = self._outcomes.items()
        said = {asked: outcome for (mark, asked), outcome in reversed(script) if mark in program.text}
        return tuple(Observation(call=each, outcome=said.get(each, "returned None")) for each in calls)
