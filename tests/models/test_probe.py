"""What servers can do: asked before the first task, kept, given by the team's file, and used."""

import re
import time
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import pytest

from dualcode.call import Request
from dualcode.config import Can, Endpoint, TeamConfig, load_team
from dualcode.errors import TeamError
from dualcode.models import probe
from dualcode.models.capabilities import Capabilities
from dualcode.models.endpoints import Served, check_endpoints
from dualcode.models.ledger.fingerprint import Fingerprint
from dualcode.models.probe import FRESH, SCHEMA, ask_endpoints
from dualcode.pipelines import builtins
from dualcode.runs.manifest import Manifest, configure, manifest
from dualcode.sampling import PAPER, RECOMMENDED
from dualcode.steps.enrichment import enrichment_schema, probes_schema
from dualcode.steps.review import choice_schema, review_schema
from dualcode.suites.registry import load_suite
from tests.dialect_servers import KINDS, evaluated
from tests.dialects import DIALECTS
from tests.fake_server import Answer, FakeServer, serve
from tests.pages import ROOT

PAGE = (ROOT / "docs/operating.md").read_text()
SUITE = load_suite("mini").select(2)


@pytest.fixture(autouse=True)
def _kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # pyright: ignore[reportUnusedFunction]
    monkeypatch.setenv("DUALCODE_STATE_DIR", str(tmp_path / "state"))


def team(server: FakeServer, **endpoint: Any) -> TeamConfig:
    settings = {"model": "m", "base_url": server.base_url, "attempts": 2} | endpoint
    return TeamConfig.model_validate({"endpoints": {"e": settings}, "roles": {"coder": "e", "reviewer": "e"}})


async def served_by(config: TeamConfig, **how: Any) -> Served:
    roles = list(config.roles)
    return (await ask_endpoints(config, roles, await check_endpoints(config, roles), **how))["e"]


async def able(config: TeamConfig, **how: Any) -> Capabilities:
    found = (await served_by(config, **how)).can
    assert found is not None
    return found


@pytest.mark.parametrize("name", KINDS)
async def test_a_server_of_any_kind_keeps_every_task_or_is_refused_before_the_first(
    name: str, tmp_path: Path
) -> None:
    found = await evaluated(name, tmp_path)
    assert found.row(name) in PAGE
    if found.result is None or found.records is None:
        assert found.bodies == []
        assert isinstance(found.refusal, TeamError)
        return
    summary = found.result.summary
    assert (summary.base.passed, summary.base.errored, summary.reviews.approved) == (2, 0, 2)
    outcomes = [each.outcome for call in found.records.calls for each in call.attempts]
    assert outcomes == ["ok"] * len(outcomes)  # nothing was refused once tasks were paid for
    assert (found.asked > 3, found.asked_again) == (True, 0)


def test_the_table_of_the_docs_has_no_line_that_nobody_tried() -> None:
    table = PAGE[PAGE.index("| server | outcome |") :].split("\n\n")[0].splitlines()[2:]
    assert len(table) == len(KINDS)


async def test_a_new_start_asks_nothing_and_doctor_asks_anew() -> None:
    said: list[str] = []
    with serve() as server:
        config = team(server)
        first = await able(config, say=said.append)
        asked = len(server.asked)
        assert await able(config, say=said.append) == first
        assert len(server.asked) == asked
        await able(config, anew=True, say=said.append)
        assert len(server.asked) == 2 * asked
    assert said == ["asking e (m) what it can do; the answers are kept"] * 2
    assert asked <= 8  # a handful


@pytest.mark.parametrize("change", ["time", "file", "model", "sampling"])
async def test_what_is_kept_answers_for_no_other_server_question_or_time(
    change: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serve() as server:
        config = team(server)
        await able(config)
        asked = len(server.asked)
        if change == "time":
            later = time.time() + FRESH + 1
            monkeypatch.setattr(time, "time", lambda: later)
        elif change == "file":
            [file] = probe.folder().iterdir()
            file.write_text("{")
        elif change == "model":
            server.models = [{**server.models[0], "revision": "2"}]
        else:
            config = TeamConfig.model_validate(config.model_dump() | {"sampling": {"seed": 3}})
        await able(config)
        assert len(server.asked) == 2 * asked


async def test_where_nothing_may_be_asked_all_is_taken_for_granted() -> None:
    with serve() as server:
        server.refuse = DIALECTS["next to nothing"].refuse
        for config, how in ((team(server), {"ask": False}), (team(server, can={"ask": False}), {})):
            assert (await able(config, **how)).refused == ()
        assert server.asked == []


def words_of(schema: Any) -> set[str]:
    """Return the keys that a schema is made of; the names of properties are none."""
    found, waiting = set[str](), [schema]
    for each in waiting:  # it grows
        if isinstance(each, list):
            waiting += cast("list[Any]", each)
        elif isinstance(each, dict):
            table = cast("dict[str, Any]", each)
            found |= table.keys()
            waiting += table.get("properties", {}).values()
            waiting += [value for key, value in table.items() if key != "properties"]
    return found


def test_the_question_for_schemas_has_every_word_that_the_steps_schemas_have() -> None:
    schemas = review_schema(), choice_schema(), enrichment_schema(), probes_schema()
    assert set[str]().union(*map(words_of, schemas)) <= words_of(SCHEMA)


ANSWERS: Sequence[tuple[dict[str, Any], Sequence[str]]] = [
    ({"structured": "json_object"}, ["json_schema"]),
    ({"structured": "words"}, ["json_schema", "response_format"]),
    ({"system": False}, ["system"]),
    ({"usage": False}, ["stream_options"]),
    ({"seed": False}, ["seed"]),
    ({"top_k": False, "min_p": False}, ["min_p", "top_k"]),
    ({"top_p": False, "repetition_penalty": False}, ["repetition_penalty", "top_p"]),
    ({"presence_penalty": False, "frequency_penalty": False}, ["frequency_penalty", "presence_penalty"]),
]


@pytest.mark.parametrize(("said", "left_out"), ANSWERS)
async def test_the_teams_file_answers_instead_of_the_server(
    said: Mapping[str, Any], left_out: Sequence[str]
) -> None:
    with serve() as server:
        served = await served_by(team(server, can=dict(said)))
    assert served.left_out == tuple(left_out)
    assert served.can and served.can.given == tuple(sorted(said))
    for body in server.asked:
        assert not {name for name in left_out if name in body and name != "stream_options"}


async def test_what_the_file_says_a_server_has_is_sent_whatever_it_answered() -> None:
    with serve() as server:
        server.refuse = DIALECTS["Mistral"].refuse
        without = await served_by(team(server))
        given = await served_by(team(server, can={"seed": True, "top_k": True}))
    assert set(without.left_out) - set(given.left_out) == {"seed", "top_k"}


async def test_bounds_that_an_endpoint_is_never_sent_are_not_left_out() -> None:
    with serve() as server:
        server.refuse = DIALECTS["Mistral"].refuse
        plain = await served_by(team(server))
        cut = await served_by(team(server, cut_repetition=True))
        thinking = await served_by(team(server, thinking="switch"))
    assert set(cut.left_out) - set(plain.left_out) == {"repetition_detection"}
    assert set(thinking.left_out) - set(cut.left_out) == {"thinking_token_budget"}


async def test_a_value_that_the_file_says_is_not_taken_cannot_be_sent() -> None:
    with serve() as server:
        config = team(server, can={"top_k": False})
        hot = TeamConfig.model_validate(config.model_dump() | {"sampling": {"profile": "recommended"}})
        with pytest.raises(TeamError, match=r"endpoints\.e\.can\.top_k is false, .* sends top_k 20"):
            await served_by(hot)
        assert server.asked == []


async def test_a_value_that_is_refused_names_its_line_and_role() -> None:
    with serve() as server:
        server.refuse = DIALECTS["OpenAI"].refuse
        config = team(server).model_dump() | {"roles": {"coder": "e"}, "sampling": {"profile": "recommended"}}
        with pytest.raises(TeamError, match=r"endpoints\.e: refuses what every task would send: .*400") as it:
            await served_by(TeamConfig.model_validate(config))
    assert it.value.hint == "top_k = 0 under [sampling.roles.coder]; it is 20 now"


def name_of_run(served: Served, config: TeamConfig) -> str:
    return configure(builtins()["review-fix"], SUITE, config, {"e": served}).run_id


async def test_a_run_has_another_name_only_where_something_else_is_sent() -> None:
    with serve() as server:
        config, listed = team(server), Served(model="m")
        plain = name_of_run(listed, config)
        for can in (Capabilities(), Capabilities(usage=False, ignored=("seed",), context=9, thoughts="none")):
            assert name_of_run(listed.model_copy(update={"can": can, "context": 9}), config) == plain
        assert name_of_run(listed, team(server, can={"context": 99999})) == plain
        names = {
            name_of_run(listed.model_copy(update={"left_out": out}), config)
            for out in ((), ("seed",), ("json_schema",))
        }
    assert len(names) == 3
    assert plain in names


def test_the_ledger_keeps_what_was_sent_otherwise_apart() -> None:
    listed = Served(model="m")
    other = listed.model_copy(update={"left_out": ("json_schema",)})
    digests = [Fingerprint(**each.model_dump()).digest for each in (listed, other)]
    assert digests[0] == Fingerprint(model="m").digest != digests[1]


async def test_a_manifest_holds_the_answers_and_old_ones_can_be_read() -> None:
    with serve() as server:
        config = team(server)
        served = {"e": await served_by(config)}
    made = manifest("id", configure(builtins()["review-fix"], SUITE, config, served), SUITE, config)
    again = Manifest.model_validate_json(made.model_dump_json())
    assert again.capabilities["e"] == served["e"].can
    older = {key: value for key, value in made.model_dump().items() if key != "capabilities"}
    assert Manifest.model_validate(older).capabilities == {}


CONTEXTS: Sequence[tuple[dict[str, Any], dict[str, Any], int | None]] = [
    ({"max_model_len": 9000}, {}, 9000),
    ({"loaded_context_length": 9000, "max_context_length": 99999}, {}, 9000),
    ({"context_length": 9000}, {}, 9000),
    ({"context_window": 9000}, {}, 9000),
    ({}, {"/props": {"default_generation_settings": {"n_ctx": 9000}}}, 9000),
    ({}, {"/info": {"max_total_tokens": 9000}}, 9000),
    ({}, {"/api/v0/models": {"data": [{"id": "x", "n_ctx": 1}, {"id": "m", "context_length": 9000}]}},
     9000),
    ({}, {"/api/ps": {"models": [{"name": "m", "context_length": 9000}]}}, 9000),
    ({"max_model_len": None}, {"/props": "<html>", "/info": [], "/api/ps": {"models": None}}, None),
    ({"max_model_len": "many"}, {}, None),
]  # fmt: skip


@pytest.mark.parametrize(("card", "pages", "context"), CONTEXTS)
async def test_the_context_is_read_wherever_a_server_tells_it(
    card: dict[str, Any], pages: dict[str, Any], context: int | None
) -> None:
    with serve() as server:
        server.models, server.pages = [{"id": "m", **card}], pages
        assert (await served_by(team(server))).context == context


async def test_a_context_that_is_too_small_is_the_servers_and_so_told() -> None:
    with serve() as server:
        server.models = [{"id": "m"}]
        server.pages = {"/api/ps": {"models": [{"name": "m", "context_length": 4096}]}}
        with pytest.raises(TeamError, match="server's max_model_len 4096") as raised:
            await served_by(team(server, answer_tokens=4096))
        assert "num_ctx" in str(raised.value.hint)
        assert await served_by(team(server, answer_tokens=4096, can={"context": 8192}))


async def test_drift_between_equal_requests_accuses_nobody_of_ignoring_values() -> None:
    with serve() as server:
        draws = iter(range(99))
        server.able = lambda _: Answer(content=f"{next(draws)}")
        assert (await able(team(server, can={"structured": "words"}))).ignored == ()


async def test_a_value_that_leaves_several_likeliest_tokens_is_not_called_ignored() -> None:
    def tied(body: dict[str, Any]) -> Answer:
        greedy = body["temperature"] == 0
        return Answer(content="1" if greedy else f"{body['top_k']} {body['min_p']} {body['seed']}")

    with serve() as server:
        server.able = tied
        assert (await able(team(server, can={"structured": "words"}))).ignored == ()


async def test_a_server_that_is_sure_of_its_answer_is_accused_of_nothing() -> None:
    with serve() as server:
        server.able = lambda _: Answer(content="{}")
        assert (await able(team(server, can={"structured": "words"}))).ignored == ()


@pytest.mark.parametrize(
    ("found", "thinking", "told"),
    [
        (Capabilities(), "switch", []),
        (Capabilities(thoughts="in the answer"), "switch", ["a reasoning parser"]),
        (Capabilities(unasked_thoughts=True), "none", ['thinking = "switch" or "off"']),
        (Capabilities(unasked_thoughts=True), "off", ["told not to"]),
        (Capabilities(ignored=("seed", "top_k")), "none", []),
        (Capabilities(refused=("json_schema",)), "none", ["any JSON object"]),
    ],
)
def test_only_what_changes_this_teams_numbers_is_warned_of(
    found: Capabilities, thinking: Any, told: Sequence[str]
) -> None:
    endpoint = Endpoint(model="m", base_url="http://127.0.0.1:1/v1", thinking=thinking)
    said = found.cautions(endpoint, [PAPER.plain])
    assert len(said) == len(told)
    assert all(part in line for part, line in zip(told, said, strict=True))


def test_ignored_values_are_warned_of_where_they_are_sent() -> None:
    endpoint = Endpoint(model="m", base_url="http://127.0.0.1:1/v1")
    said = Capabilities(ignored=("seed", "top_k")).cautions(endpoint, [RECOMMENDED.plain])
    assert [line.split(":")[0] for line in said] == ["ignores the seed", "ignores top_k"]


def test_the_example_of_the_docs_is_a_team_and_names_every_answer(tmp_path: Path) -> None:
    [example] = [each for each in re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL) if ".can]" in each]
    (tmp_path / "team.toml").write_text(example)
    loaded = load_team(tmp_path / "team.toml")
    given = tomllib.loads(example)["endpoints"]["coder"]["can"]
    assert given.keys() == Can.model_fields.keys()
    assert loaded.endpoints["coder"].can.structured == given["structured"]


async def test_a_request_that_asks_is_short() -> None:
    with serve() as server:
        await able(team(server, thinking="switch"))
    assert max(body["max_tokens"] for body in server.asked) <= 80
    assert isinstance(Request.model_fields["answer_tokens"].annotation, type)
