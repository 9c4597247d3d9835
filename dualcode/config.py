"""The team's TOML: roles to endpoints, models, sampling and prices. Unknown keys are refused."""

import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Self, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from dualcode.errors import TeamError
from dualcode.sampling import PROFILES, Sampling, SamplingProfile

Role = str
"""A name that `[roles]` binds to an endpoint: `coder`, `reviewer`, or any that a pipeline asks for."""


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Price(_Table):
    """What an endpoint costs: by the token, or by the hour that its GPU is held."""

    gpu_hour: Annotated[float, Field(ge=0)] | None = None
    """Money per hour of the server's GPUs."""
    input_per_million: Annotated[float, Field(ge=0)] | None = None
    """Money per million prompt tokens."""
    cached_input_per_million: Annotated[float, Field(ge=0)] | None = None
    """Money per million prompt tokens that the server found in its prefix cache; None: as any other."""
    output_per_million: Annotated[float, Field(ge=0)] | None = None
    """Money per million completion tokens, reasoning included."""
    currency: str = "$"

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        by_token = (self.input_per_million is not None, self.output_per_million is not None)
        if any(by_token) != all(by_token):
            raise ValueError("input_per_million and output_per_million go together")
        if all(by_token) == (self.gpu_hour is not None):
            raise ValueError("give either gpu_hour or input_per_million with output_per_million")
        if self.cached_input_per_million is not None and not all(by_token):
            raise ValueError("cached_input_per_million goes with input_per_million")
        return self


class Can(_Table):
    """`[endpoints.NAME.can]`: what the server can do, instead of what it answers when it is asked.

    What is not said here is asked before the first task.
    """

    ask: bool = True
    """False: nothing is asked, and what is not said here is taken for granted."""
    structured: Literal["json_schema", "json_object", "words"] | None = None
    """How structured answers are asked for: held to their schema, as any JSON object, or by words alone."""
    system: bool | None = None
    """Whether it takes a system message; if not, the user's turn says it."""
    usage: bool | None = None
    """Whether streams can be asked for their tokens (`stream_options`)."""
    thinking_budget: bool | None = None
    """Whether it takes `thinking_token_budget`."""
    repetition_detection: bool | None = None
    seed: bool | None = None
    top_p: bool | None = None
    top_k: bool | None = None
    min_p: bool | None = None
    repetition_penalty: bool | None = None
    presence_penalty: bool | None = None
    frequency_penalty: bool | None = None
    context: Annotated[int, Field(ge=1)] | None = None
    """The longest context in tokens."""


class Endpoint(_Table):
    """One model behind one OpenAI-compatible server."""

    model: str
    """The name that the server serves the model under."""
    base_url: str | None = None
    """Such as `http://127.0.0.1:8001/v1`. Leave it out for a server of the profile: name that instead."""
    server: str | None = None
    """The `[servers.NAME]` of the same file whose address this endpoint has once it was started."""
    api_key_env: str = "VLLM_API_KEY"
    """The environment variable that holds the API key, where the server wants one."""
    thinking: Literal["none", "switch", "off"] = "none"
    """`none`: a model that does not think. `switch`: one such as Qwen3 that takes `enable_thinking` with each
    request; the pipelines say when. `off`: one that could, and is told not to every time."""
    thinking_budget: Annotated[int, Field(ge=1)] = 4096
    """Most tokens of reasoning per request."""
    answer_tokens: Annotated[int, Field(ge=1)] = 2048
    """Most tokens of an answer, without the reasoning."""
    cut_repetition: bool = False
    """End an answer that says the same 8 to 60 tokens three times in a row (thoughts are always watched)."""
    stream_interval: Annotated[int, Field(ge=1)] | None = None
    """Tokens in a chunk of a stream, where the server is vLLM (0.32 or later) and nobody watches: each chunk
    takes CPU here and there. The first comes at once all the same."""
    concurrency: Annotated[int, Field(ge=1)] = 16
    """Most requests in flight. Left out: as many as keep the server full, by what it reports of its queue;
    16 where it reports nothing."""
    attempts: Annotated[int, Field(ge=1)] = 5
    """Most HTTP requests for one call, the first included."""
    silence_seconds: Annotated[float, Field(gt=0)] = 180.0
    """A stream that sends nothing for this long is ended and counts as a lost attempt."""
    price: Price | None = None
    can: Can = Can()

    @property
    def root(self) -> str:
        """Where the server's own pages are: the address without `/v1`."""
        return (self.base_url or "").rstrip("/").removesuffix("/v1")

    @model_validator(mode="after")
    def _one_address(self) -> Self:
        if (self.base_url is None) == (self.server is None):
            raise ValueError("give either base_url or server")
        return self


class SamplingConfig(_Table):
    """How the models sample."""

    profile: Literal["paper", "recommended"] = "paper"
    seed: int = 0
    """Sent with every request."""
    roles: dict[Role, dict[str, float]] = Field(default_factory=dict[Role, dict[str, float]])
    """Parameters that a role changes, thinking or not: `[sampling.roles.reviewer] temperature = 0.2`."""

    def for_role(self, role: Role) -> SamplingProfile:
        """Return the profile with the seed and the role's changes applied."""
        base = PROFILES[self.profile]
        changes = {"seed": self.seed, **self.roles.get(role, {})}
        return SamplingProfile(
            name=base.name,
            plain=Sampling.model_validate(base.plain.model_dump() | changes),
            thinking=Sampling.model_validate(base.thinking.model_dump() | changes),
        )

    @model_validator(mode="after")
    def _known_parameters(self) -> Self:
        for role in self.roles:
            self.for_role(role)
        return self


class Gate(_Table):
    """`[gate]`: when the pipeline `gated` reviews."""

    richness: float = Field(default=0.4, ge=0.0, le=1.0)
    """Least richness of a specification, from 0 to 1, that is worth a review (`dualcode spec FILE`). The
    default tells HumanEval+ from MBPP+ well; see docs/visible-tests.md."""


class Limits(_Table):
    """`[limits]`: what ends a task."""

    task_seconds: Annotated[float, Field(gt=0)] = 4 * 3600.0
    """Most seconds of a pipeline on one task, its waiting for the servers included; then the task is errored.
    Long enough for six calls with thoughts on a busy CPU."""


class TeamConfig(_Table):
    """A team: its servers, endpoints, roles and sampling, as its TOML has them."""

    endpoints: dict[str, Endpoint]
    roles: dict[Role, str]
    """Role to the name of an endpoint; both may name the same one."""
    sampling: SamplingConfig = SamplingConfig()
    gate: Gate = Gate()
    limits: Limits = Limits()
    note: str = ""
    """What readers of this team's results must know, such as that the model is a demonstration's; it stands
    beside every table and figure."""
    servers: dict[str, Any] = Field(default_factory=dict[str, Any])
    """How `scripts/serve.sh` starts the servers; `dualcode.serving` reads it."""

    @model_validator(mode="after")
    def _bound(self) -> Self:
        for role, name in self.roles.items():
            if name not in self.endpoints:
                raise ValueError(
                    f"roles.{role} names endpoint {name!r}; there are: {', '.join(self.endpoints)}"
                )
        for role in self.sampling.roles:
            if role not in self.roles:
                bound = ", ".join(self.roles) or "none"
                raise ValueError(f"sampling.roles.{role} changes a role that is unbound; bound: {bound}")
        for name, endpoint in self.endpoints.items():
            if endpoint.server is not None and endpoint.server not in self.servers:
                known = ", ".join(self.servers) or "none"
                raise ValueError(
                    f"endpoints.{name}.server names server {endpoint.server!r}; there are: {known}"
                )
        return self

    def endpoint_of(self, role: Role) -> Endpoint:
        """Return the endpoint of a bound role."""
        return self.endpoints[self.roles[role]]

    def require(self, roles: Sequence[Role], *, by: str) -> None:
        """Refuse a team that leaves one of `roles` unbound."""
        for role in roles:
            if role not in self.roles:
                bound = ", ".join(self.roles) or "none"
                raise TeamError(
                    f"{by} needs the role {role!r}, which the team leaves unbound; bound: {bound}",
                    hint=f'add {role} = "ENDPOINT" to [roles], with one of: {", ".join(self.endpoints)}',
                )

    def resolved(self, base_urls: dict[str, str]) -> "TeamConfig":
        """Return the team with each `server` replaced by its address.

        Raises TeamError for a server that is not among `base_urls` (it was not started).
        """
        endpoints: dict[str, Endpoint] = {}
        for name, endpoint in self.endpoints.items():
            if endpoint.server is not None and endpoint.server not in base_urls:
                raise TeamError(
                    f"endpoints.{name}.server: server {endpoint.server!r} is not running",
                    hint="scripts/serve.sh start",
                )
            url = endpoint.base_url if endpoint.server is None else base_urls[endpoint.server]
            endpoints[name] = endpoint.model_copy(update={"base_url": url, "server": None})
        return self.model_copy(update={"endpoints": endpoints, "servers": {}})


HINT = "copy serving/cpu/team.toml and edit it"


def load_team(path: Path) -> TeamConfig:
    """Read a team's TOML.

    Raises TeamError that names the file, the key, what was found and what was expected.
    """
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise TeamError(f"no team file {str(path)!r}", hint=HINT) from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise TeamError(f"{path}: cannot be read as TOML: {error}", hint=HINT) from error
    try:
        return TeamConfig.model_validate(data)
    except ValidationError as error:
        raise TeamError(f"{path}: {explain(error, TeamConfig)}", hint=HINT) from None


def explain(error: ValidationError, model: type[BaseModel]) -> str:
    """Return the validation errors in words: key, what was found, what was expected."""
    told: list[str] = []
    for detail in error.errors():
        location = [str(part) for part in detail["loc"]]
        wrong = f"found {detail['input']!r}; {detail['msg'].lower()}"
        if detail["type"] == "extra_forbidden":
            wrong = f"unknown key; expected one of: {', '.join(_keys_beside(location, model))}"
        elif detail["type"] == "missing":
            wrong = "missing; expected a value"
        elif detail["type"] == "value_error":
            wrong = detail["msg"].removeprefix("Value error, ")
        told.append(f"{'.'.join(location) or 'the file'}: {wrong}")
    return "; ".join(told)


def _keys_beside(location: Sequence[str], model: type[BaseModel]) -> list[str]:
    """Return the keys that the table around `location` knows."""
    table: type[BaseModel] | None = model
    for part in location[:-1]:
        if table is None or part not in table.model_fields:
            continue  # a name that the user chose, as in [endpoints.NAME]
        table = _table_in(table.model_fields[part].annotation)
    return list(table.model_fields) if table else []


def _table_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    inner = (_table_in(argument) for argument in get_args(annotation))
    return next((table for table in inner if table), None)
