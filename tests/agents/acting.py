"""Agents that follow a script, in a real jail and a real tree."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace

from dualcode.agents.agent import run_agent
from dualcode.agents.records import AgentLimits, AgentRun, Brief, Step, Workplace
from dualcode.agents.work import MARKER
from dualcode.call import Call, Message
from dualcode.models.chat import ChatModel
from dualcode.models.scripted import Answer, ScriptedChat
from dualcode.sampling import PAPER
from dualcode.team import Seat

SUBMIT = f"echo {MARKER}; echo done"
MEND = "sed -i 's/prices\\[1:\\]/prices/' shop/price.py"
BRIEF = Brief(node="implement", system="You work in a terminal.", instance="Mend {{ it }}.")


def says(command: str, thought: str = "I try this.") -> str:
    """Return a reply with one command."""
    return f"{thought}\n\n```bash\n{command}\n```\n"


def seat(
    chat: ChatModel, *, record: Callable[[Call], None] = lambda _: None, answer_tokens: int = 512
) -> Seat:
    return Seat(role="implementer", chat=chat, sampling=PAPER, answer_tokens=answer_tokens, record=record)


@dataclass
class Acted:
    """What came of an agent."""

    run: AgentRun
    said: tuple[Message, ...]
    steps: list[Step]
    calls: list[Call]
    chat: ScriptedChat
    told: list[str] = field(default_factory=list[str])

    @property
    def observations(self) -> list[str]:
        return [step.observation for step in self.steps]


async def act(
    place: Workplace,
    answers: Iterable[Answer] | Callable[..., Answer],
    *,
    brief: Brief = BRIEF,
    replay: Sequence[Step] = (),
    **limits: float | None,
) -> Acted:
    """Let an agent follow a script. Answers that are commands may be given as `says(...)`."""
    steps, calls, told = list[Step](), list[Call](), list[str]()
    chat = ScriptedChat(answers)
    run, said = await run_agent(
        seat(chat, record=calls.append),
        place,
        brief,
        AgentLimits.model_validate(limits),
        record=steps.append,
        replay=replay,
        tell=told.append,
    )
    return Acted(run, said, steps, calls, chat, told)


def reading(place: Workplace) -> Workplace:
    """Return the same place for one who only reads."""
    return replace(place, room=replace(place.room, writable=False))
