"""A sandbox that runs nothing and answers by a function: for the logic of its callers, never for results."""

import json
import marshal
from collections.abc import Callable, Sequence
from typing import Any

from dualcode.errors import SandboxError
from dualcode.sandbox.job import Ending, Job, Ran, frame
from dualcode.sandbox.sandbox import Tier

Answer = Callable[[Job], Ran | SandboxError]


class ScriptedSandbox:
    """Answers each job by a function of it, or raises the error that this returns; remembers the jobs."""

    def __init__(self, answer: Answer) -> None:
        self.jobs: list[Job] = []
        self.closed = False
        self._answer = answer

    @property
    def tier(self) -> Tier:
        """Say that nothing is run."""
        return Tier(name="scripted", holds=(), lacks=("NOTHING IS RUN: answers are made up",))

    async def run(self, job: Job) -> Ran:
        """Answer from the script; see Sandbox."""
        self.jobs.append(job)
        answer = self._answer(job)
        if isinstance(answer, SandboxError):
            raise answer
        return answer

    async def close(self) -> None:
        """Note that it was closed."""
        self.closed = True


def returned(values: Sequence[Any]) -> Ran:
    """Return what a program leaves whose calls returned these values, of exact built-in types."""
    frames = [frame("B", b""), *(frame("V", marshal.dumps(value, 2)) for value in values), frame("E", b"")]
    return Ran("finished", b"".join(frames))


def raised(name: str, message: str = "", *, after: Sequence[Any] = ()) -> Ran:
    """Return what a program leaves whose call raised after others had returned values."""
    told = json.dumps([name, message, ""]).encode()
    begun = returned(after).stream[: -len(frame("E", b""))]
    return Ran("finished", begun + frame("R", told) + frame("E", b""))


def ended(ending: Ending, detail: str = "") -> Ran:
    """Return what a program leaves that did not get to its calls."""
    return Ran(ending, b"", detail)
