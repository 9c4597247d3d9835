"""One exchange with a model: what was asked, what came back, and what it took."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Literal, Self

from pydantic import Field, ValidationError

from dualcode.record import Record
from dualcode.sampling import Sampling
from dualcode.solution import Program


class Message(Record):
    """One chat message."""

    role: Literal["system", "user", "assistant"]
    content: str


class Repetition(Record):
    """vLLM's `repetition_detection`: a reply ends when a pattern of tokens comes several times in a row."""

    min_pattern_size: int
    """Tokens."""
    max_pattern_size: int
    """Tokens."""
    min_count: int
    """How often the pattern stands in a row."""


IN_THOUGHTS = Repetition(min_pattern_size=2, max_pattern_size=120, min_count=4)
IN_ANSWERS = Repetition(min_pattern_size=8, max_pattern_size=60, min_count=3)
"""Coarser than for thoughts: `[0, 0, 0, 0]` is good code."""


class Request(Record):
    """One request to a chat model, complete: nothing is left to the server's defaults."""

    messages: tuple[Message, ...]
    sampling: Sampling
    thinking: bool = False
    """Whether the model is to think first. Set only for models that can be switched."""
    thinking_budget: int | None = None
    """Most tokens of reasoning; None where `thinking` is off."""
    answer_tokens: int
    """Most tokens of the answer, without the reasoning."""
    repetition: Repetition | None = None
    """What the server is to take for endless repetition, and end; None: nothing."""
    json_schema: dict[str, Any] | None = None
    """The schema that the server is to enforce on the answer."""

    @property
    def max_tokens(self) -> int:
        """Most tokens of reasoning and answer together."""
        return self.answer_tokens + (self.thinking_budget or 0)


class Usage(Record):
    """Tokens of a request, as the server counted them."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    """Reasoning included."""
    reasoning_tokens: int = 0
    cached_tokens: int = 0
    """Prompt tokens that the server found in its prefix cache."""
    untold: int = 0
    """Replies whose tokens the server did not tell: with any, the other numbers are a lower bound."""
    cost: float | None = Field(default=None, exclude_if=lambda cost: cost is None)
    """US dollars that the server says it charged, as OpenRouter does; None: not told, or not of all."""

    @property
    def nothing(self) -> bool:
        """Whether no request was taken: of that there is nothing to tell."""
        return not (self.prompt_tokens or self.completion_tokens or self.untold or self.cost)

    def __add__(self, other: "Usage") -> "Usage":
        """Return the sums; the cost is known if it is of both."""
        costs = [each.cost for each in (self, other) if each.cost is not None or not each.nothing]
        return Usage(
            prompt_tokens=self.prompt_tokens + other.prompt_tokens,
            completion_tokens=self.completion_tokens + other.completion_tokens,
            reasoning_tokens=self.reasoning_tokens + other.reasoning_tokens,
            cached_tokens=self.cached_tokens + other.cached_tokens,
            untold=self.untold + other.untold,
            cost=sum(filter(None, costs), 0.0) if costs and None not in costs else None,
        )


class Attempt(Record):
    """One HTTP request of a call. A call that went well has one.

    `kind`: `chat`, the request itself; `close`, the thought closed by force after it left no room for an
    answer; `penalty`, asked once more with a presence penalty; `repair`, asked again for the schema.
    """

    kind: Literal["chat", "close", "penalty", "repair"]
    started: float
    """Seconds since the epoch."""
    seconds: float
    outcome: str
    """`ok`, or what went wrong: `503 overloaded`, `silent for 120 s`, `connection lost`."""
    finish_reason: str | None = None
    usage: Usage = Usage()
    waited: float = 0.0
    """Seconds of backoff before this attempt."""
    content: str | None = None
    """What this attempt answered, where a later one replaced it."""
    from_ledger: bool = False
    """Whether it was replayed: made, and paid for, by an earlier call."""
    left_out: tuple[str, ...] = ()
    """What the request went out without, because the server refuses it: names of fields; `system` for a
    system message that went into the user's; `json_schema` where any JSON object was asked for instead."""
    request: Request | None = None
    """What a repair asked, whole; None: the call's own request. Runs older than this field never have it."""

    def __hash__(self) -> int:
        """Go by what no two attempts share: a request holds a schema, which has no hash."""
        return hash((self.kind, self.started, self.seconds, self.outcome))


class Reply(Record):
    """What a chat model answered to one request, after its retries."""

    content: str | None
    """The answer without the reasoning; None if there was none (the thought ran out of tokens, say)."""
    reasoning: str | None = None
    finish_reason: str
    """As the server says: `stop`, `length`, `repetition`, or any other word."""
    usage: Usage
    """Of all attempts together: what was paid."""
    started: float
    """Seconds since the epoch."""
    seconds: float
    first_token_seconds: float | None = None
    """From the start of the last attempt to its first token."""
    attempts: tuple[Attempt, ...] = ()
    system_fingerprint: str | None = None

    @property
    def from_ledger(self) -> bool:
        """Whether all of it was replayed."""
        return bool(self.attempts) and all(attempt.from_ledger for attempt in self.attempts)

    def replayed(self) -> "Reply":
        """Return the reply as the ledger gives it: its times and tokens are those of the call that paid."""
        marked = (attempt.model_copy(update={"from_ledger": True}) for attempt in self.attempts)
        return self.model_copy(update={"attempts": tuple(marked)})


class Value(Record):
    """What a reply was read as."""

    kind: str
    """Its class in small letters: `program`, `review`, `plan`, `choice`, `enrichment`, `probes`."""
    data: dict[str, Any]
    """Its fields. A program's text is not among them: `checksum` names it in the run's `programs.jsonl`."""

    @classmethod
    def of(cls, value: Record) -> Self:
        """Return a value as it stands on record."""
        data = value.model_dump(mode="json")
        if isinstance(value, Program):
            data = {"checksum": value.checksum, **value.model_dump(exclude={"text"})}
        return cls(kind=type(value).__name__.lower(), data=data)


_FORMERLY_PARSED = {"review": "review", "choose": "choice", "enrich": "enrichment", "probe": "probes"}
"""Step -> kind of value, of runs whose calls held structured answers alone, as `parsed`."""


class Call(Record):
    """The record of one exchange: who was asked what for which step, the reply or the error, and its value.

    A line of a run's `calls.jsonl`.
    """

    task_id: str
    number: int
    """The place of the call within its task, from 1."""
    step: str
    """`write`, `review`, `fix`."""
    role: str
    endpoint: str
    """The name that the team's configuration gives to the endpoint."""
    model: str
    request: Request
    reply: Reply | None
    """None if no reply came; `error` then says why, as it does of a reply that a parser broke on."""
    error: str | None = None
    failed_attempts: tuple[Attempt, ...] = ()
    """The attempts of a call that failed; those of one that did not are in its reply."""
    value: Value | None = None
    """What the reply was read as; None if it could not be, even after its repair."""
    about: tuple[str, ...] = ()
    """The checksums of the programs that were reviewed, corrected or chosen between, in the order shown."""
    programs: tuple[Program, ...] = Field(default=(), exclude=True, repr=False)
    """The programs that `value` and `about` name, on their way to `programs.jsonl`; empty in a call that was
    read from a run."""
    notes: tuple[str, ...] = Field(default=())
    """What was out of the ordinary: `null-content`, `closed-by-force`, `off-schema`, `repaired`, `cut`."""

    @classmethod
    def model_validate_json(cls, json_data: str | bytes | bytearray, **how: Any) -> Self:
        """Read a line, of an older run too: tried as it is first, for a look at every line would be dear."""
        try:
            return super().model_validate_json(json_data, **how)
        except ValidationError:
            fields = cls._of_older_run(json_data)
            if fields is None:
                raise
        return cls.model_validate(fields, **how)

    @staticmethod
    def _of_older_run(line: str | bytes | bytearray) -> dict[str, Any] | None:
        """Return the fields of a call whose structured answer stands as `parsed`; None for any other line."""
        try:
            known: Any = json.loads(line)
            parsed = known.pop("parsed")
        except (ValueError, AttributeError, KeyError, TypeError):
            return None
        if parsed is not None:
            known["value"] = {"kind": _FORMERLY_PARSED.get(known.get("step"), "answer"), "data": parsed}
        return known

    @property
    def program(self) -> str | None:
        """The checksum of the program that was written; None for a call that wrote none."""
        return self.value.data["checksum"] if self.value and self.value.kind == "program" else None

    @property
    def verdict(self) -> str | None:
        """`approve` or `revise`; None for a call that is no review, or a review that could not be read."""
        return self.value.data.get("verdict") if self.value and self.value.kind == "review" else None

    @property
    def findings(self) -> Sequence[Mapping[str, str]]:
        """What a review reported: `where`, `actual`, `expected` of each finding."""
        return self.value.data.get("findings", ()) if self.value and self.value.kind == "review" else ()

    @property
    def attempts(self) -> tuple[Attempt, ...]:
        """All HTTP requests of the call."""
        return self.reply.attempts if self.reply else self.failed_attempts

    @property
    def usage(self) -> Usage:
        """The tokens of all attempts."""
        return sum((attempt.usage for attempt in self.attempts), Usage())

    @property
    def from_ledger(self) -> bool:
        """Whether nothing was asked for it."""
        return self.reply is not None and self.reply.from_ledger
