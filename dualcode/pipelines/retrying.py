"""The eval-retry loop (paper §2.3): compile, run the visible tests, feed the error back."""

from dualcode.solution import Program
from dualcode.steps import mend
from dualcode.task import Task
from dualcode.team import Seat, Team

MOST_RETRIES = 3


async def retry(writer: Seat, team: Team, task: Task, program: Program) -> Program:
    """Return the program, corrected up to MOST_RETRIES times while it fails a test that the prompt shows.

    A prompt without tests still shows whether the program loads. The last correction stands even if it
    fails: the paper does not go back.
    """
    for _ in range(MOST_RETRIES):
        examination = await team.bench.examine(task, program)
        if examination.failure is None:
            break
        program = await mend(writer, task, program, examination.failure)
    return program
