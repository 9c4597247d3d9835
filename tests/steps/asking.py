"""A seat whose model answers from a script, and what was asked of it."""

from dualcode.call import Call
from dualcode.models.scripted import Answer, ScriptedChat
from dualcode.sampling import PAPER
from dualcode.solution import Program
from dualcode.task import Task
from dualcode.team import Seat

PROMPT = '''from typing import List
import math


def area(sides: List[float]) -> float:
    """Return the area.
    >>> area([2.0, 3.0])
    6.0
    """
'''
TASK = Task(id="T/1", prompt=PROMPT, entry_point="area")
RIGHT = "```python\ndef area(sides):\n    return sides[0] * sides[1]\n```"


def program(text: str) -> Program:
    return Program(text=text, compiles=True, defines_entry_point=True, how="block")


class Desk:
    """One seat at work, with the calls that it recorded."""

    def __init__(self, *answers: Answer) -> None:
        self.calls: list[Call] = []
        chat = ScriptedChat(answers)
        self.seat = Seat("reviewer", chat, PAPER, 4000, 500, task_id=TASK.id, record=self.calls.append)

    @property
    def call(self) -> Call:
        """The only call."""
        [only] = self.calls
        return only

    @property
    def said(self) -> str:
        """The last message that was sent."""
        return self.call.request.messages[-1].content
