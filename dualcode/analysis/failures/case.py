"""What the rules know of one regression."""

import ast
import re
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from dualcode.analysis.failures.source import Source, one_line
from dualcode.analysis.failures.taxonomy import FailureClass
from dualcode.call import Call
from dualcode.extraction.source import Function
from dualcode.verdict import Cause, Outcome, Verdict

# Of the interpreter's own messages: those are text, and no program.
_NAME_ERROR = re.compile(r"NameError: name '(\w+)' is not defined")
_WRONG_CALL = re.compile(r"TypeError: (?:[\w.<>]*\.)?(\w+)\(\) (?:takes|missing|got)")
_RAISED = re.compile(r"raised ([\w.]+)(?:: (.*))?", re.DOTALL)


class Finding(NamedTuple):
    """What a rule says of a case."""

    kind: FailureClass
    evidence: str
    explains: bool
    """Whether it is why the verdict is what it is, and not only another flaw of the program."""


@dataclass(frozen=True)
class Case:
    """A task that the baseline solved and the run did not, as the rules see it."""

    task_id: str
    entry_point: str
    prompt: Source
    """The task's prompt as the models saw it."""
    baseline: Source
    """The program that passed."""
    program: Source
    """The run's own."""
    how: str
    """How the program was won from the reply; empty where there is none."""
    verdict: Verdict | None
    """None if the run ended before the task."""
    outcome: Outcome | None
    """The failing part's; None without a verdict."""
    calls: tuple[Call, ...] = ()
    """The run's transcript of the task."""

    @property
    def reason(self) -> str:
        """Why the verdict is what it is; empty where nobody said."""
        return (self.outcome.reason if self.outcome else None) or ""

    @property
    def cause(self) -> Cause | None:
        """The kind of failure."""
        return self.outcome.cause if self.outcome else None

    @cached_property
    def missing_name(self) -> str | None:
        """The name that a NameError reported, whether a call or the loading raised it."""
        found = _NAME_ERROR.search(self.reason)
        return found[1] if found else None

    @cached_property
    def wrongly_called(self) -> str | None:
        """The function that was given arguments which it does not take, as a TypeError reported."""
        found = _WRONG_CALL.search(self.reason)
        return found[1] if found else None

    @cached_property
    def raised(self) -> tuple[str, str] | None:
        """Type and message of the exception that ended a call; the message may be cut."""
        found = _RAISED.fullmatch(self.reason) if self.cause in ("raised", None) else None
        return (found[1].rpartition(".")[2], found[2] or "") if found else None

    @property
    def function(self) -> Function | None:
        """The run's function that the tests call."""
        return self.program.functions.get(self.entry_point)

    @cached_property
    def arguments(self) -> frozenset[str]:
        """The names of the entry point's parameters, where the prompt or the baseline shows them."""
        functions = (source.functions.get(self.entry_point) for source in (self.prompt, self.baseline))
        nodes = (node for each in functions if each for node in ast.walk(each.args))
        return frozenset(node.arg for node in nodes if isinstance(node, ast.arg))

    @property
    def on_input(self) -> str:
        """The failing input in words for evidence; empty where the verdict has none."""
        shown = self.outcome.failing_input if self.outcome else None
        return f" on {one_line(shown, 80)}" if shown else ""

    @property
    def last_reply(self) -> Call | None:
        """The last call of the transcript that was read as a program."""
        writers = [call for call in self.calls if call.program is not None]
        return writers[-1] if writers else None
