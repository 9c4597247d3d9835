"""The bench: where a pipeline runs programs on what the models may see, never on hidden tests."""

from collections.abc import Callable, Mapping, Sequence
from typing import Literal, Protocol

from dualcode.bench.visible import run_visible, visible_tests
from dualcode.bench.visible.checking import ADDRESS, read_events, render, value_of
from dualcode.bench.visible.evaluation import FAULTS, constant, parse_expression
from dualcode.bench.visible.running import LIMITS, LONGEST_VALUE, cut
from dualcode.bench.visible.tests import VisibleTests
from dualcode.record import Record
from dualcode.sandbox.job import Expressions, Job
from dualcode.sandbox.job import told as read_told
from dualcode.sandbox.sandbox import Sandbox
from dualcode.solution import Program
from dualcode.task import Task

LONGEST_OUTCOME = 300
"""Characters of an observation's outcome."""
ENDLESS = "did not end in time"
UNTRIED = "was not called"
"""How the outcome of a call begins that was never made."""
UNLOADED = "could not be called"
"""How the outcome of a program begins that does not load; why stands in brackets behind it."""


class Examination(Record):
    """What a program made of the tests that its prompt shows."""

    tests: int
    """How many the prompt shows; 0: nothing can be said beyond whether the program loads."""
    passed: tuple[int, ...]
    """The tests that passed, by index."""
    failure: str | None
    """The first failure as a text for a model: the test as shown, expected, got; None if there is none."""

    @property
    def ok(self) -> bool:
        """Whether the program loads and passes every visible test."""
        return self.failure is None

    def worse_than(self, other: "Examination") -> tuple[int, ...]:
        """Return the tests that the other one passed and this one fails."""
        return tuple(test for test in other.passed if test not in self.passed)


class Observation(Record):
    """What a program did on one call."""

    call: str
    outcome: str
    """`returned [1, 2]`, `raised ValueError: …`, `did not end in time`, `was not called, for …`."""


class Shown(Record):
    """What the bench ran for a pipeline, and what it said of it: a line of a run's `shown.jsonl`.

    A program that passed is on record too: a pipeline that knows only so much has learned something of it.
    """

    task_id: str
    kind: Literal["visible", "observed"]
    """Tests that the prompt shows, or calls that a model wrote."""
    tests: tuple[str, ...]
    """The source of each; of the tests that the prompt shows, only of the one that failed."""
    texts: tuple[str, ...]
    """What a pipeline may pass on to a model: failures, outcomes."""
    program: str | None = None
    """What was run; None in runs older than this field."""
    ran: tuple[str, ...] = ()
    """All tests that were taken for the prompt's."""
    after: int | None = None
    """How many calls of the task had ended; None in runs older than this field."""


class Bench(Protocol):
    """Runs programs in the sandbox."""

    async def examine(self, task: Task, program: Program, /) -> Examination:
        """Run the program on the tests that the prompt shows. Raises SandboxError if the sandbox broke."""
        ...

    async def observe(self, task: Task, program: Program, calls: Sequence[str], /) -> tuple[Observation, ...]:
        """Run calls that a model wrote, and say what came of each. Raises SandboxError as above."""
        ...


class SandboxBench:
    """The bench over a sandbox. `record` hears of all that models may be shown."""

    def __init__(self, sandbox: Sandbox, record: Callable[[Shown], None] = lambda _: None) -> None:
        self._sandbox = sandbox
        self._record = record
        self._tests: dict[str, VisibleTests] = {}

    async def examine(self, task: Task, program: Program, /) -> Examination:
        """Run the program on the tests that the prompt shows; see Bench."""
        if task.id not in self._tests:
            self._tests[task.id] = visible_tests(task)
        tests = self._tests[task.id]
        result = await run_visible(tests, program.text, self._sandbox)
        texts = () if result.feedback is None else (result.feedback,)
        shown = Shown(
            task_id=task.id,
            kind="visible",
            tests=result.shown,
            texts=texts,
            program=program.text,
            ran=tests.shown,
        )
        self._record(shown)
        return Examination(
            tests=len(tests.tests), passed=tuple(sorted(result.passing)), failure=result.feedback
        )

    async def observe(self, task: Task, program: Program, calls: Sequence[str], /) -> tuple[Observation, ...]:
        """Run calls that a model wrote, all in one process; see Bench."""
        job = Job(
            program=program.text,
            calls=Expressions(tuple(calls)),
            limits=LIMITS,
            go_on=True,
            digest_above=LONGEST_VALUE,
            capture=True,
        )
        ran = await self._sandbox.run(job)
        outcomes: list[str] = []
        for event in read_events(ran.frames()):
            if event.kind == "R":
                raised = read_told(event.payload)
                text = ADDRESS.sub("0x…", f"raised {raised.type}: {raised.message}".rstrip(": "))
                outcomes.append(cut(text, LONGEST_OUTCOME))
            elif event.kind == "L":
                outcomes.append(ENDLESS)
            else:
                outcomes.append(f"returned {cut(render(value_of(event)), LONGEST_OUTCOME)}")
        endless = ran.ending == "timed_out"
        if len(outcomes) < len(calls) and not (outcomes and outcomes[-1] == ENDLESS):
            outcomes.append(ENDLESS if endless else "ended its process")
        before = "did not end" if endless else "ended the process"
        outcomes += [f"{UNTRIED}, for one before it {before}"] * (len(calls) - len(outcomes))
        if ran.ending == "unloaded":
            raised = ran.told()
            why = f" ({raised.type}: {raised.message})" if raised else ""
            told = cut(ADDRESS.sub("0x…", f"{UNLOADED}: the program does not load{why}"), LONGEST_OUTCOME)
            outcomes = [told] * len(calls)
        seen = [Observation(call=call, outcome=each) for call, each in zip(calls, outcomes, strict=True)]
        texts = tuple(each.outcome for each in seen)
        shown = Shown(task_id=task.id, kind="observed", tests=tuple(calls), texts=texts, program=program.text)
        self._record(shown)
        return tuple(seen)


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


def returned(source: str) -> str:
    """Return the outcome of a call that returned what a literal says; the source where it is no literal."""
    node = parse_expression(source)
    try:
        return f"returned {cut(render(constant(node)), LONGEST_OUTCOME)}"
    except FAULTS:
        return f"returned {source.strip()}"
