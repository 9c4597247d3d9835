"""The names under which the gateway is asked: each pipeline is a model, and so is each model alone."""

import difflib
import time
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from openai.types import Model

from dualcode.config import Role, TeamConfig
from dualcode.gateway.protocol import RefusedError
from dualcode.models.endpoints import Served
from dualcode.pipelines import Pipeline

PREFIX = "dualcode/"
ALONE: Mapping[str, Role] = {"raw-coder": "coder", "raw-planner": "reviewer"}
"""Names that stand for one model, asked as the client asks: tools and all."""
LIVE = ":stream"
"""Behind a name: the draft is handed over as it is written, and amended once it was reviewed."""
OWN_TOKENS = 768
"""About what a review adds to a conversation."""


class Flow(NamedTuple):
    """How a pipeline works on a conversation: who writes, who reviews, who plans."""

    writer: Role
    critic: Role | None
    planner: Role | None = None
    attempts: int = 1
    """How often a correction that is refused may be tried."""


FLOWS: Mapping[str, Flow] = {
    "review-fix": Flow("coder", "reviewer"),
    "review-fix-guarded": Flow("coder", "reviewer", attempts=2),
    "self-review": Flow("coder", "coder"),
    "swapped": Flow("reviewer", "coder"),
    "plan-code": Flow("coder", None, planner="reviewer"),
}
"""The pipelines that make sense of any request. The others need one function's specification."""


class Choice(NamedTuple):
    """What a model's name stands for."""

    id: str
    name: str
    """Of the pipeline."""
    pipeline: Pipeline | None = None
    """None: one model alone."""
    alone: Role | None = None
    live: bool = False

    @property
    def flow(self) -> Flow | None:
        """How it works on a conversation; None if it cannot."""
        return FLOWS.get(self.name)


class Catalogue:
    """What can be asked for."""

    def __init__(
        self, config: TeamConfig, served: Mapping[str, Served], pipelines: Sequence[Pipeline]
    ) -> None:
        """Take the pipelines whose roles are bound."""
        self._config, self._served = config, served
        self._since = int(time.time())
        self._choices: dict[str, Choice] = {}
        for each in pipelines:
            if each.name not in ALONE and all(role in config.roles for role in each.roles):
                self._add(Choice(PREFIX + each.name, each.name, each))
                if each.name in FLOWS and FLOWS[each.name].critic:
                    self._add(Choice(PREFIX + each.name + LIVE, each.name, each, live=True))
        for name, role in ALONE.items():
            if role in config.roles:
                self._add(Choice(PREFIX + name, name, alone=role))

    def _add(self, choice: Choice) -> None:
        self._choices[choice.id] = choice

    def __iter__(self):  # noqa: ANN204 - of choices
        return iter(self._choices.values())

    def choose(self, name: str) -> Choice:
        """Return what a name stands for, `dualcode/` before it or not; or refuse it with the nearest."""
        found = self._choices.get(name) or self._choices.get(PREFIX + name)
        if found is not None:
            return found
        bare = name.removeprefix(PREFIX)
        if bare.endswith(LIVE) and PREFIX + bare.removesuffix(LIVE) in self._choices:
            told = f"{bare.removesuffix(LIVE)} has no draft to hand over before its review: leave {LIVE} out"
            raise RefusedError(404, told, code="model_not_found", param="model")
        near = difflib.get_close_matches(PREFIX + bare[:100], self._choices, n=3, cutoff=0.4)
        shown = near or list(self._choices)[:6]
        told = f"no model is named {name[:100]!r}; {'nearest' if near else 'such as'}: {', '.join(shown)}"
        raise RefusedError(404, f"{told} (GET /v1/models lists all)", code="model_not_found", param="model")

    def listed(self) -> list[Model]:
        """Return all as `GET /v1/models` lists them."""
        return [self.card(each) for each in self]

    def card(self, choice: Choice) -> Model:
        """Return what is said of one."""
        roles = choice.pipeline.roles if choice.pipeline else [choice.alone or "coder"]
        names = dict.fromkeys(self._config.roles[role] for role in roles)
        contexts = [each.max_model_len for name in names if (each := self._served.get(name))]
        known = [each for each in contexts if each is not None]
        own = 0 if choice.alone else OWN_TOKENS
        return Model.model_validate(
            {
                "id": choice.id,
                "object": "model",
                "created": self._since,
                "owned_by": "dualcode",
                "max_model_len": max(1, min(known) - own) if known else None,
                "dualcode": {
                    "pipeline": choice.name,
                    "summary": choice.pipeline.summary if choice.pipeline else "One model alone.",
                    "calls": (choice.pipeline.calls if choice.pipeline else (1, 1)),
                    "roles": {role: self._config.endpoint_of(role).model for role in roles},
                    "mode": "stream" if choice.live else "hold",
                    "takes": "any request" if choice.flow or choice.alone else "one Python function",
                },
            }
        )
