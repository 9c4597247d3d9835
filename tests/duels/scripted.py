"""Models that follow a script and really edit files, by the commands of real agents in a real jail."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from dualcode.agents.work import MARKER
from dualcode.call import Attempt, Reply, Request, Usage
from dualcode.clock import now
from dualcode.models.chat import Meter
from dualcode.workflows.find import find_workflow
from dualcode.workflows.loading import load_workflow

_WORKFLOWS = ("plan-implement", "implement", "implement-review-fix")
PHASES = {
    node.prompt[:40]: node.id
    for name in _WORKFLOWS
    for node in load_workflow(find_workflow(name)).nodes
    if node.prompt is not None
}
"""How the shipped workflows' texts begin, and their node."""
APPROVED: Mapping[str, object] = {"verdict": "approve", "findings": []}
REVISED: Mapping[str, object] = {
    "verdict": "revise",
    "findings": [{"where": "shop/price.py", "actual": "a", "expected": "b"}],
}


def runs(command: str, thought: str = "Next.") -> str:
    """Return a reply with one command."""
    return f"{thought}\n\n```bash\n{command}\n```\n"


def submits(answer: str) -> str:
    """Return a reply that submits an answer."""
    return runs(f"cat <<'END_OF_ANSWER'\n{MARKER}\n{answer}\nEND_OF_ANSWER")


def phase_of(request: Request) -> tuple[str, int]:
    """Return which node a request is of, and how often the model has answered in it."""
    said = 0
    for message in reversed(request.messages):
        if message.role == "assistant":
            said += 1
        for mark, name in PHASES.items():
            if message.role == "user" and message.content.lstrip().startswith(mark):
                return name, said
    raise AssertionError(f"no phase in {request.messages[-1].content[:80]!r}")


@dataclass(frozen=True)
class Script:
    """What a model does in each phase: commands, then an answer."""

    edits: tuple[str, ...] = ()
    """Commands of `implement`."""
    plan: str = "Mend total()."
    fixes: tuple[str, ...] = ()
    """Commands of `fix`."""
    review: Mapping[str, object] = field(default_factory=lambda: APPROVED)

    def play(self, request: Request) -> str:
        """Return the reply to a request."""
        if "as one JSON object of this schema" in request.messages[-1].content:
            return json.dumps(self.review)
        name, said = phase_of(request)
        commands = {"explore": ("ls",), "implement": self.edits, "fix": self.fixes}.get(name, ())
        answers = {"plan": self.plan, "review": json.dumps(self.review)}
        return runs(commands[said]) if said < len(commands) else submits(answers.get(name, f"{name}: done"))


class ScriptedModel:
    """A ChatModel with a script, which writes down each request that is really made."""

    def __init__(
        self, name: str, play: Callable[[Request], str], log: Path | None = None, cost: float | None = None
    ) -> None:
        self.name = self.model = name
        self.meter = Meter()
        self.made = 0
        self.play, self._log, self._cost = play, log, cost

    async def complete(self, request: Request) -> Reply:
        """Answer from the script; see ChatModel."""
        self.made += 1
        said = self.play(request)
        if self._log is not None:
            with self._log.open("a") as file:
                file.write(json.dumps([self.name, request.model_dump(mode="json")]) + "\n")
        prompt = sum(len(message.content.split()) for message in request.messages)
        usage = Usage(prompt_tokens=prompt, completion_tokens=len(said.split()), cost=self._cost)
        began = now()
        attempt = Attempt(
            kind="chat", started=began, seconds=0.01, outcome="ok", finish_reason="stop", usage=usage
        )
        return Reply(
            content=said, finish_reason="stop", usage=usage, started=began, seconds=0.01, attempts=(attempt,)
        )

    async def close(self) -> None:
        """Do nothing; there is no connection."""
