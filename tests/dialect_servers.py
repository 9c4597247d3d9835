"""Whole servers of other kinds, as `dualcode eval` meets them.

`python -m tests.dialect_servers` prints what becomes of a run on each, as docs/operating.md has it.
"""

import asyncio
import io
import json
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from rich.console import Console

from dualcode.errors import DualcodeError
from dualcode.runs.evaluate import EvalOptions, Result, evaluate, saying
from dualcode.runs.store import RunRecords, read_run
from dualcode.runs.workshop import asked
from dualcode.serving.running import find_team
from dualcode.suites.registry import load_suite
from tests.dialects import DIALECTS, Dialect, anything, nothing, told
from tests.fake_server import Answer, FakeServer, able, serve

TASKS = ("MiniRich/0", "MiniRich/1")
APPROVE = json.dumps({"verdict": "approve", "findings": []})
Body = dict[str, Any]


@dataclass(frozen=True)
class Kind:
    """A kind of server, and the team's lines for it."""

    card: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """What it lists of its model."""
    pages: Mapping[str, Any] = field(default_factory=dict[str, Any])
    dialect: Dialect = field(default_factory=lambda: Dialect({}, nothing))
    refuse: Callable[[Body], Answer | None] = lambda _: None
    """What it refuses beside its dialect."""
    thought: str | None = None
    """The field of its thoughts, `content` for none of their own; None: it has none."""
    ignores: Sequence[str] = ()
    """Fields that it takes without effect; `response_format` too."""
    in_thought: bool = False
    """Whether structured answers stand in the thought's field."""
    counts: bool = True
    """Whether it tells its tokens."""
    thoughts: int = 12
    """Tokens of its thoughts."""
    team: str = ""
    """Lines of [endpoints.e]."""
    sampling: str = ""
    """Lines of [sampling]."""


def _own(**fields: Any) -> Mapping[str, Any]:
    return {"id": "m", "owned_by": "somebody", **fields}


def _one(version: str) -> Mapping[str, Any]:
    return {"/version": {"version": version}}


SWITCH = 'thinking = "switch"\nthinking_budget = 512'
_V32 = Kind(
    card=_own(root="org/m", max_model_len=16384), pages=_one("0.32.0"), thought="reasoning", team=SWITCH
)
_STRICT = Kind(card=_own(), dialect=DIALECTS["OpenAI"])
_TGI_FORMAT = {"error": "Failed to deserialize: response_format.type: unknown variant `json_schema`"}


def _budget_and_schema(body: Body) -> Answer | None:
    """Break on a thinking budget beside a schema, as with text after `</think>` in reasoning_end_str."""
    both = "thinking_token_budget" in body and "response_format" in body
    return Answer(status=500, page="Internal Server Error") if both else None


def _greedy(body: Body) -> Answer | None:
    words = "Unsupported value: 'temperature' does not support 0.0 with this model. Only the default (1) is."
    return Answer(status=400, page=told(words, param="temperature")) if body["temperature"] != 1 else None


def _no_root_union(body: Body) -> Answer | None:
    schema = body.get("response_format", {}).get("json_schema", {}).get("schema", {})
    words = "Invalid schema for response_format 'answer': schema must not have 'anyOf' at the top level"
    return Answer(status=400, page=told(words, param="response_format")) if "anyOf" in schema else None


KINDS: dict[str, Kind] = {
    "vLLM 0.32": _V32,
    "vLLM 0.32, no reasoning parser": replace(_V32, thought="content"),
    "vLLM 0.32, text after </think>": replace(_V32, refuse=_budget_and_schema),
    "vLLM 0.32, a model without thoughts": replace(_V32, thought=None),
    "vLLM 0.15": replace(_V32, pages=_one("0.15.0"), thought="reasoning_content"),
    "vLLM 0.9": replace(
        _V32, pages=_one("0.9.0"), thought="reasoning_content", thoughts=90,
        ignores=("thinking_token_budget",),
    ),
    "vLLM 0.8": replace(
        _V32, pages=_one("0.8.5"), dialect=DIALECTS["vLLM 0.8"], thought=None, team=""
    ),
    "vLLM, a template without a system role": replace(
        _V32, dialect=DIALECTS["Gemma's template"], thought=None, team=""
    ),
    "SGLang": Kind(
        card=_own(root="org/m", max_model_len=32768), dialect=DIALECTS["SGLang"],
        thought="reasoning_content", team=SWITCH,
    ),
    "llama.cpp": Kind(
        card=_own(meta={"n_params": 1}), pages={"/props": {"default_generation_settings": {"n_ctx": 8192}}},
        thought="reasoning_content", ignores=("thinking_token_budget", "repetition_detection"),
    ),
    "llama.cpp, a grammar that fails": Kind(card=_own(meta={"n_params": 1}), dialect=DIALECTS["llama.cpp"]),
    "Ollama": Kind(
        card=_own(), pages={"/api/ps": {"models": [{"name": "m", "context_length": 8192}]}},
        ignores=("top_k", "min_p"), thought="reasoning",
    ),
    "Ollama, the model card's sampling": Kind(
        card=_own(), ignores=("top_k", "min_p"), sampling='profile = "recommended"'
    ),
    "Ollama, its own 4096 tokens": Kind(
        card=_own(), pages={"/api/ps": {"models": [{"name": "m", "context_length": 4096}]}},
        team="answer_tokens = 6000",
    ),
    "TGI": Kind(
        card=_own(), pages={"/info": {"max_total_tokens": 8192}}, dialect=replace(
            DIALECTS["TGI"], schemas=dict.fromkeys(("json_schema", "json_object"), _TGI_FORMAT)
        ),
    ),
    "LM Studio": Kind(
        card=_own(), pages={"/api/v0/models": {"data": [{"id": "m", "loaded_context_length": 8192}]}},
        in_thought=True, thought="reasoning_content",
    ),
    "LM Studio, a model without schemas": Kind(card=_own(), dialect=DIALECTS["LM Studio"]),
    "a server that takes schemas and does not hold them": Kind(card=_own(), ignores=("response_format",)),
    "a server that tells no tokens": Kind(card=_own(), counts=False),
    "a server without a seed": Kind(card=_own(), ignores=("seed",), sampling='profile = "recommended"'),
    "OpenAI": replace(_STRICT, refuse=_no_root_union),
    "Groq": Kind(card=_own(context_window=32768), dialect=DIALECTS["Groq"]),
    "Mistral": Kind(card=_own(max_context_length=32768), dialect=DIALECTS["Mistral"]),
    "Gemini": Kind(card=_own(), dialect=DIALECTS["Gemini"]),
    "a strict API, thinking = \"switch\"": replace(
        _STRICT, team=SWITCH, dialect=Dialect({"chat_template_kwargs": anything}, DIALECTS["OpenAI"].says)
    ),
    "a strict API, the model card's sampling": replace(_STRICT, sampling='profile = "recommended"'),
    "a strict API that is never greedy": replace(_STRICT, refuse=_greedy),
    "a server with next to nothing": Kind(card=_own(), dialect=DIALECTS["next to nothing"], counts=False),
}  # fmt: skip
_PROGRAMS = {
    task.prompt.strip(): f"```python\n{row['prompt']}{row['canonical_solution']}\n```"
    for task in load_suite("mini").select(None, TASKS).tasks
    for row in [json.loads(load_suite("mini").hidden[task.id].row)]
}


def play(server: FakeServer, kind: Kind) -> None:
    """Make a scripted server one of a kind."""

    def refuse(path: str, body: Body) -> Answer | None:
        return (kind.refuse(body) if path.startswith("/v1/") else None) or kind.dialect.refuse(path, body)

    def answered(body: Body) -> Answer:
        said = able({name: value for name, value in body.items() if name not in kind.ignores})
        if "seed" in kind.ignores and body["temperature"]:
            said = replace(said, content=f"{said.content} {len(server.asked)}")
        return dressed(body, said)

    def dressed(body: Body, said: Answer) -> Answer:
        thinks = (
            body.get("chat_template_kwargs", {}).get("enable_thinking", False) and kind.thought is not None
        )
        thought = "It is simple." if thinks else None
        usage = {"prompt_tokens": 7, "completion_tokens": 3} if kind.counts else None
        if usage and thinks:
            usage["completion_tokens_details"] = {"reasoning_tokens": kind.thoughts}  # type: ignore[assignment]
        if thought and kind.thought == "content":
            return replace(
                said, content=f"<think>{thought}</think>\n{said.content}", reasoning=None, usage=usage
            )
        names = (kind.thought or "reasoning",)
        if kind.in_thought and body.get("response_format"):
            return replace(said, content=None, reasoning=said.content, names=names, usage=usage)
        return replace(said, reasoning=thought, names=names, usage=usage)

    def respond(body: Body) -> Answer:
        text = "".join(each["content"] for each in body["messages"])
        program = next(program for prompt, program in _PROGRAMS.items() if prompt in text)
        return dressed(body, Answer(content=APPROVE if '"verdict"' in text else program))

    server.models = [dict(kind.card)]
    server.pages = dict(kind.pages)
    server.refuse, server.able, server.respond = refuse, answered, respond
    server.has_tokenize = "/version" in kind.pages


@dataclass(frozen=True)
class Outcome:
    """What became of a run of two tasks."""

    result: Result | None
    records: RunRecords | None
    refusal: DualcodeError | None
    asked: int
    """Requests that asked the server what it can do."""
    asked_again: int
    """The same, when the run is begun again."""
    bodies: list[Body]
    """Requests of tasks."""
    said: str
    """What the command said meanwhile."""

    def row(self, name: str) -> str:
        """Return a line of the table in docs/operating.md."""
        if self.refusal is not None:
            return f"| {name} | refused | to change: `{self.refusal.hint}` |"
        assert self.records
        manifest = self.records.manifest
        able = manifest.capabilities["e"]
        out = [
            f"`{each}`"
            for each in manifest.configuration.served["e"].left_out
            if each not in ("json_schema", "response_format")
        ]
        notes = [f"without {', '.join(out)}"] if out else []
        notes += [
            line.partition("endpoint e (m) ")[2] for line in self.said.splitlines() if "warning" in line
        ]
        return f"| {name} | held, {able.structured} | {'; '.join(notes) or '–'} |"


async def evaluated(name: str, folder: Path) -> Outcome:
    """Take two tasks through `evaluate` on a server of this kind, and again without the ledger."""
    kind = KINDS[name]
    with serve() as server:
        play(server, kind)
        server.models[0]["revision"] = name  # no other server says the same of itself
        team = folder / "team.toml"
        team.write_text(
            f'[endpoints.e]\nmodel = "m"\nbase_url = "{server.base_url}"\nattempts = 2\n{kind.team}\n'
            f'[roles]\ncoder = "e"\nreviewer = "e"\n[sampling]\n{kind.sampling}\n'
        )
        console = Console(record=True, file=io.StringIO(), width=1000)
        options = EvalOptions(
            pipeline="review-fix", dataset="mini", tasks=TASKS, team=team, run_dir=folder / "runs"
        )
        try:
            [result] = await evaluate(options, console)
        except DualcodeError as refusal:
            return Outcome(None, None, refusal, len(server.asked), 0, server.bodies, console.export_text())
        first, bodies, said = len(server.asked), server.bodies, console.export_text()
        await asked(find_team(team), ["coder", "reviewer"], saying(console))
        return Outcome(result, read_run(result.folder), None, first, len(server.asked) - first, bodies, said)


async def _table() -> None:
    for name in KINDS:
        with tempfile.TemporaryDirectory() as folder:
            print((await evaluated(name, Path(folder))).row(name), flush=True)


if __name__ == "__main__":
    asyncio.run(_table())
