"""A chat model and a bench that answer from a script: for logic and faults, never for results."""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence

from dualcode.bench.bench import Examination, Observation
from dualcode.call import Attempt, Reply, Request, Usage
from dualcode.errors import EndpointError
from dualcode.models.openai import Meter
from dualcode.solution import Program
from dualcode.task import Task

Answer = str | None | Reply | EndpointError
"""Text (None: an answer without content), a whole reply, or a fault to raise."""


class ScriptedChat:
    """Answers requests in order from a list, or each by a function; remembers what it was asked."""

    def __init__(
        self, answers: Iterable[Answer] | Callable[[Request], Answer], *, name: str = "scripted"
    ) -> None:
        self.name = name
        self.model = "scripted"
        self.meter = Meter()
        self.requests: list[Request] = []
        self._answer = answers if callable(answers) else _in_order(answers)

    async def complete(self, request: Request) -> Reply:
        """Answer from the script; see ChatModel. An exhausted script raises EndpointError."""
        self.requests.append(request)
        answer = self._answer(request)
        if isinstance(answer, EndpointError):
            raise answer
        return answer if isinstance(answer, Reply) else reply(answer)

    async def close(self) -> None:
        """Do nothing; there is no connection."""


def reply(content: str | None, *, finish_reason: str = "stop", reasoning: str | None = None) -> Reply:
    """Return a plain reply; its usage counts words, since a script has no tokenizer."""
    now = time.time()
    usage = Usage(completion_tokens=len((content or "").split()))
    attempt = Attempt(
        kind="chat", started=now, seconds=0.0, outcome="ok", finish_reason=finish_reason, usage=usage
    )
    return Reply(
        content=content,
        reasoning=reasoning,
        finish_reason=finish_reason,
        usage=usage,
        started=now,
        seconds=0.0,
        first_token_seconds=0.0,
        attempts=(attempt,),
    )


def _in_order(answers: Iterable[Answer]) -> Callable[[Request], Answer]:
    script = iter(answers)

    def next_answer(_: Request) -> Answer:
        try:
            return next(script)
        except StopIteration:
            raise EndpointError("the script has no more answers") from None

    return next_answer


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
        return tuple(Observation(call=call, outcome=self._outcome(program.text, call)) for call in calls)

    def _outcome(self, text: str, call: str) -> str:
        known = (said for (mark, asked), said in self._outcomes.items() if asked == call and mark in text)
        return next(known, "returned None")
