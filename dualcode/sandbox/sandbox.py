"""The sandbox seam: a job in, what came of it out."""

from typing import Protocol

from dualcode.record import Record
from dualcode.sandbox.job import Job, Ran


class Tier(Record):
    """An implementation, by strength, and what holds in it on this machine."""

    name: str
    """`namespaces`, `landlock` or `unsafe`."""
    holds: tuple[str, ...]
    """What is contained, a short phrase each; a manifest carries them."""
    lacks: tuple[str, ...] = ()
    """What is not."""
    reason: str = ""
    """Why no stronger one was chosen."""

    @property
    def caution(self) -> str:
        """What it does not hold, in a line for the top of a result; empty where nothing is known."""
        return f"sandbox {self.name} does not hold: {'; '.join(self.lacks)}" if self.lacks else ""


class Sandbox(Protocol):
    """Runs programs that nobody trusts. Several jobs may run at once."""

    @property
    def tier(self) -> Tier:
        """How strong it is."""
        ...

    async def run(self, job: Job) -> Ran:
        """Run a job in a fresh process that is gone, with all that it started, when this returns.

        Raises SandboxError if the sandbox itself broke; that says nothing about the program.
        """
        ...

    async def close(self) -> None:
        """End what runs and free what is held; may be called twice."""
        ...
