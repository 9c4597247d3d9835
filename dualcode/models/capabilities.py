"""What a server can do beside answering: what was found by asking it, or said for it in the team's file."""

from collections.abc import Sequence
from typing import Literal

from dualcode.config import Endpoint
from dualcode.models.dialect import NEUTRAL
from dualcode.record import Record
from dualcode.sampling import Sampling

Structured = Literal["json_schema", "json_object", "words"]
Thoughts = Literal["apart", "in the answer", "none"]
FALLBACKS: dict[Structured, tuple[str, ...]] = {
    "json_schema": (),
    "json_object": ("json_schema",),
    "words": ("json_schema", "response_format"),
}
"""How a structured answer is asked for -> what a request goes out without then."""


class Capabilities(Record):
    """The answers of one server; None is what was not asked, or could not be told from its replies."""

    refused: tuple[str, ...] = ()
    """What requests go out without, by the names of `Attempt.left_out`, sorted."""
    ignored: tuple[str, ...] = ()
    """Sampling values that are taken without a word, and without effect."""
    thoughts: Thoughts | None = None
    """Where a thought stands that was asked for."""
    unasked_thoughts: bool | None = None
    """Whether it thinks where it is not asked to."""
    budget_kept: bool | None = None
    """Whether `thinking_token_budget` ended a thought."""
    usage: bool | None = None
    """Whether streams tell their tokens."""
    context: int | None = None
    """The longest context in tokens."""
    given: tuple[str, ...] = ()
    """Of the answers, those that the team's file gives: names of `[endpoints.NAME.can]`."""

    @property
    def structured(self) -> Structured:
        """How a structured answer is asked for."""
        if "response_format" in self.refused:
            return "words"
        return "json_object" if "json_schema" in self.refused else "json_schema"

    def left_out(self, endpoint: Endpoint) -> tuple[str, ...]:
        """Return what of the requests that this endpoint is ever sent goes out without."""
        never = set[str]() if endpoint.stream_interval is not None else {"stream_interval"}
        if endpoint.thinking != "switch":
            never.add("thinking_token_budget")
            if not endpoint.cut_repetition:
                never.add("repetition_detection")
        return tuple(name for name in self.refused if name not in never)

    def cautions(self, endpoint: Endpoint, samplings: Sequence[Sampling]) -> list[str]:
        """Return what somebody must know before a run's numbers are believed, a sentence each."""
        found: list[str] = []
        if self.structured == "json_object":
            found.append("takes no schema: any JSON object is asked for, and a reply off it is repaired")
        elif self.structured == "words":
            found.append("holds no answer to a schema: the prompt alone asks, and a reply off it is repaired")
        for name in self.ignored:
            used = [value for each in samplings if (value := getattr(each, name)) != NEUTRAL.get(name)]
            if name == "seed" and any(each.temperature for each in samplings):
                found.append("ignores the seed: its replies cannot be had again")
            elif name != "seed" and used:
                found.append(f"ignores {name}: the {used[0]:g} of [sampling] has no effect")
        if endpoint.thinking == "switch" and self.thoughts == "none":
            found.append('shows no thought when told to think: thinking = "none", or another model')
        if self.thoughts == "in the answer":
            found.append("leaves its thoughts in the answer: start it with a reasoning parser")
        if endpoint.thinking == "switch" and self.budget_kept is False:
            found.append("thinks beyond thinking_budget: max_tokens alone ends a thought")
        if self.unasked_thoughts and endpoint.thinking == "none":
            found.append('thinks unasked, within answer_tokens: thinking = "switch" or "off"')
        elif self.unasked_thoughts:
            found.append("thinks though it is told not to, within answer_tokens: raise those")
        if self.usage is False:
            found.append("does not tell its tokens: they and a price by the token stay unknown")
        return found
