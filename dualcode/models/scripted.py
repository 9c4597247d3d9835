"""A chat model that answers from a script: for logic and faults, never for results."""

import time
from collections.abc import Callable, Iterable

from dualcode.call import Attempt, Reply, Request, Usage
from dualcode.errors import EndpointError
from dualcode.models.chat import Meter

Answer = str | None | Reply | EndpointError
"""Text (None: an answer without content), a whole reply, or a fault to raise."""


class ScriptedChat:
    """Answers requests in order from a list, or each by a function; remembers what it was asked."""

    def __init__(
        self,
        answers: Iterable[Answer] | Callable[[Request], Answer],
        *,
        name: str = "scripted",
        remember: bool = True,
    ) -> None:
        self.name = name
        self.model = "scripted"
        self.meter = Meter()
        self.requests: list[Request] = []
        self._remember = remember
        self._answers = answers if callable(answers) else iter(answers)

    async def complete(self, request: Request) -> Reply:
        """Answer from the script; see ChatModel. An exhausted script raises EndpointError."""
        if self._remember:
            self.requests.append(request)
        if callable(self._answers):
            answer = self._answers(request)
        else:
            answer = next(self._answers, EndpointError("the script has no more answers"))
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
