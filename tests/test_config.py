"""The team's TOML: what is wrong is named with its key, what was found and what was expected."""

from pathlib import Path

import pytest

from dualcode.config import Endpoint, Price, TeamConfig, load_team
from dualcode.errors import TeamError

GOOD = """
[endpoints.c]
base_url = "http://127.0.0.1:1/v1"
model = "writer"

[endpoints.r]
base_url = "http://127.0.0.1:2/v1"
model = "thinker"
thinking = "switch"
thinking_budget = 64
price = { gpu_hour = 1.0 }

[roles]
coder = "c"
reviewer = "r"

[sampling]
profile = "recommended"
seed = 7

[sampling.roles.reviewer]
temperature = 0.2
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "team.toml"
    path.write_text(text)
    return path


def refused(folder: Path, text: str) -> str:
    with pytest.raises(TeamError) as raised:
        load_team(write(folder, text))
    return str(raised.value)


def test_roles_find_their_endpoints(tmp_path: Path) -> None:
    team = load_team(write(tmp_path, GOOD))
    assert team.endpoint_of("reviewer").model == "thinker"


@pytest.mark.parametrize("address", ["http://h:1/v1", "http://h:1/v1/", "http://h:1", "http://h:1/"])
def test_a_servers_own_pages_are_beside_its_api_however_that_is_written(address: str) -> None:
    assert Endpoint(model="m", base_url=address).root == "http://h:1"


def test_one_model_may_hold_both_roles(tmp_path: Path) -> None:
    team = load_team(write(tmp_path, GOOD.replace('reviewer = "r"', 'reviewer = "c"')))
    assert team.endpoint_of("coder") is team.endpoint_of("reviewer")


def test_a_role_changes_the_profile(tmp_path: Path) -> None:
    sampling = load_team(write(tmp_path, GOOD)).sampling
    assert sampling.for_role("reviewer").thinking.temperature == 0.2
    assert sampling.for_role("coder").plain.temperature == 0.7
    assert sampling.for_role("coder").plain.seed == 7


def test_unknown_key_is_named_with_the_known_ones(tmp_path: Path) -> None:
    message = refused(tmp_path, GOOD.replace('model = "writer"', 'model = "writer"\ntemprature = 1'))
    assert "endpoints.c.temprature" in message
    assert "thinking_budget" in message


def test_unknown_table_is_named(tmp_path: Path) -> None:
    assert "rolls: unknown key" in refused(tmp_path, GOOD + "\n[rolls]\n")


def test_unknown_role_is_refused(tmp_path: Path) -> None:
    message = refused(tmp_path, GOOD.replace('reviewer = "r"', 'critic = "r"'))
    assert "critic" in message
    assert "reviewer" in message


def test_wrong_value_is_named(tmp_path: Path) -> None:
    message = refused(tmp_path, GOOD.replace("thinking_budget = 64", "thinking_budget = -1"))
    assert "endpoints.r.thinking_budget: found -1" in message


def test_unknown_sampling_parameter_is_refused(tmp_path: Path) -> None:
    message = refused(tmp_path, GOOD.replace("temperature = 0.2", "warmth = 0.2"))
    assert "warmth" in message


def test_role_of_an_endpoint_that_is_not_there(tmp_path: Path) -> None:
    message = refused(tmp_path, GOOD.replace('coder = "c"', 'coder = "x"'))
    assert "roles.coder names endpoint 'x'; there are: c, r" in message


def test_server_that_is_not_there(tmp_path: Path) -> None:
    message = refused(tmp_path, GOOD.replace('base_url = "http://127.0.0.1:1/v1"', 'server = "gpu7"'))
    assert "endpoints.c.server names server 'gpu7'" in message


def test_endpoint_needs_one_address(tmp_path: Path) -> None:
    assert "either base_url or server" in refused(
        tmp_path, GOOD.replace('base_url = "http://127.0.0.1:1/v1"', "")
    )


@pytest.mark.parametrize(
    "price",
    [
        "{}",
        "{ input_per_million = 1 }",
        "{ gpu_hour = 1, output_per_million = 1 }",
        "{ gpu_hour = 1, cached_input_per_million = 1 }",
    ],
)
def test_half_a_price_is_refused(tmp_path: Path, price: str) -> None:
    assert "endpoints.r.price" in refused(tmp_path, GOOD.replace("{ gpu_hour = 1.0 }", price))


def test_price_by_token_is_whole() -> None:
    assert Price(input_per_million=1, output_per_million=2).gpu_hour is None


def test_unbound_role_lists_the_bound_ones(tmp_path: Path) -> None:
    team = load_team(
        write(
            tmp_path,
            GOOD.replace('reviewer = "r"\n', "").replace(
                "[sampling.roles.reviewer]", "[sampling.roles.coder]"
            ),
        )
    )
    with pytest.raises(TeamError, match="needs the role 'reviewer'.*bound: coder"):
        team.require(["coder", "reviewer"], by="pipeline review-fix")


def test_not_toml_names_the_file(tmp_path: Path) -> None:
    assert "team.toml: cannot be read as TOML" in refused(tmp_path, "= =")


def test_missing_file_says_what_to_copy(tmp_path: Path) -> None:
    with pytest.raises(TeamError, match="copy serving/cpu/team.toml"):
        load_team(tmp_path / "nothing.toml")


def test_server_resolves_to_its_address(tmp_path: Path) -> None:
    text = (
        GOOD.replace('base_url = "http://127.0.0.1:1/v1"', 'server = "coder"')
        + "\n[servers.coder]\nconfig = 'x'\n"
    )
    team = load_team(write(tmp_path, text))
    assert team.resolved({"coder": "http://h:9/v1"}).endpoints["c"].base_url == "http://h:9/v1"
    with pytest.raises(TeamError, match="server 'coder' is not running"):
        team.resolved({})


def test_a_role_of_any_name_is_bound_and_sampled(tmp_path: Path) -> None:
    more = GOOD.replace("[roles]\n", '[roles]\n"judge-2" = "r"\n')
    more = more.replace("[sampling.roles.reviewer]", '[sampling.roles."judge-2"]')
    team = load_team(write(tmp_path, more))
    assert team.endpoint_of("judge-2") == team.endpoints["r"]
    assert team.sampling.for_role("judge-2").plain.temperature == 0.2
    with pytest.raises(TeamError, match="'judge-3'.* unbound; bound: judge-2, coder, reviewer"):
        team.require(["judge-3"], by="pipeline mine")


def test_sampling_of_a_role_that_nobody_bound_is_refused(tmp_path: Path) -> None:
    message = refused(tmp_path, GOOD.replace("[sampling.roles.reviewer]", "[sampling.roles.reveiwer]"))
    assert "sampling.roles.reveiwer changes a role that is unbound; bound: coder, reviewer" in message


@pytest.mark.parametrize(
    ("line", "key"),
    [
        ("concurrency = 0", "concurrency"),
        ("attempts = 0", "attempts"),
        ("silence_seconds = 0", "silence_seconds"),
        ("answer_tokens = 0", "answer_tokens"),
        ('thinking = "sometimes"', "thinking"),
        ("price = { gpu_hour = -1 }", "price.gpu_hour"),
    ],
)
def test_a_value_that_no_run_can_have_is_named(tmp_path: Path, line: str, key: str) -> None:
    assert f"endpoints.c.{key}: found" in refused(
        tmp_path, GOOD.replace('model = "writer"', f'model = "writer"\n{line}')
    )


def test_the_gate_is_a_share(tmp_path: Path) -> None:
    assert "gate.richness: found 1.5" in refused(tmp_path, GOOD + "\n[gate]\nrichness = 1.5\n")


def test_a_team_comes_back_from_the_manifest_as_it_was(tmp_path: Path) -> None:
    team = load_team(write(tmp_path, GOOD))
    assert TeamConfig.model_validate_json(team.model_dump_json()) == team


def test_a_resolved_team_differs_in_its_addresses_alone(tmp_path: Path) -> None:
    text = (
        GOOD.replace('base_url = "http://127.0.0.1:1/v1"', 'server = "s"') + "\n[servers.s]\nconfig = 'x'\n"
    )
    team = load_team(write(tmp_path, text))
    resolved = team.resolved({"s": "http://h:9/v1", "other": "http://h:8/v1"})
    assert resolved.endpoints["r"] == team.endpoints["r"]
    assert resolved.endpoints["c"].server is None
    assert resolved.model_copy(update={"endpoints": {}}) == team.model_copy(
        update={"endpoints": {}, "servers": {}}
    )
    assert resolved.resolved({}) == resolved, "it has no server left to look for"


def test_what_is_missing_is_named_and_everything_wrong_at_once(tmp_path: Path) -> None:
    message = refused(tmp_path, "[endpoints.c]\nbase_url = 1\nconcurency = 3\n")
    assert "roles: missing" in message
    assert "endpoints.c.model: missing" in message
    assert "endpoints.c.base_url: found 1" in message
    assert "endpoints.c.concurency: unknown key; expected one of: model, base_url" in message


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ("[sampling]\nsed = 1", "sampling.sed: unknown key; expected one of: profile, seed, roles"),
        ("[limits]\nseconds = 1", "limits.seconds: unknown key; expected one of: task_seconds"),
        ("[limits]\ntask_seconds = 0", "limits.task_seconds: found 0"),
        ('[sampling]\nprofile = "mine"', "sampling.profile: found 'mine'"),
        ("[endpoints.d]\nmodel = 'm'\nbase_url = 'u'\nprice = { hour = 1 }",
         "endpoints.d.price.hour: unknown key; expected one of: gpu_hour, input_per_million"),
    ],
)  # fmt: skip
def test_a_key_is_explained_by_those_of_its_own_table(tmp_path: Path, more: str, expected: str) -> None:
    bare = GOOD.partition("[sampling]")[0]
    assert expected in refused(tmp_path, f"{bare}\n{more}\n")


@pytest.mark.parametrize("content", [b"\xff\xfe", b"[roles", b"a = 1\na = 2\n"])
def test_what_is_no_toml_is_told_with_its_file(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "team.toml"
    path.write_bytes(content)
    with pytest.raises(TeamError, match=r"team\.toml: cannot be read as TOML"):
        load_team(path)


def test_a_folder_is_no_team_file(tmp_path: Path) -> None:
    with pytest.raises(TeamError, match="cannot be read"):
        load_team(tmp_path)
