"""Profiles: what is read from a folder, and what is refused."""

from pathlib import Path

import pytest

from dualcode.errors import ProfileError, TeamError, UnknownNameError
from dualcode.serving.profiles import SmallModel, known, load


def write(folder: Path, team: str, yaml: str = "model: org/m\nport: 9\n") -> str:
    (folder / "team.toml").write_text(team)
    (folder / "coder.yaml").write_text(yaml)
    return f"{folder}/"


CODER = '[servers.coder]\nconfig = "coder.yaml"\n'


@pytest.mark.parametrize("name", ["a10g", "cpu", "one-80gb", "two-24gb", "two-hosts"])
def test_the_shipped_profiles_have_a_coder_and_a_reviewer(name: str) -> None:
    assert name in known()
    assert [server.name for server in load(name).servers] == ["coder", "reviewer"]
    assert [server.port for server in load(name).servers] == [8001, 8002]


def test_the_a10g_profile_puts_each_model_on_its_gpu() -> None:
    coder, reviewer = load("a10g").servers
    assert coder.model == "Qwen/Qwen2.5-Coder-14B-Instruct-AWQ"
    assert coder.spec.env["CUDA_VISIBLE_DEVICES"] == "0"
    assert reviewer.model == "Qwen/Qwen3-32B-AWQ"
    assert reviewer.spec.env["CUDA_VISIBLE_DEVICES"] == "1"
    assert reviewer.shutdown_timeout == 60


def test_the_cpu_coder_is_awq_unless_bf16_is_asked_for() -> None:
    profile = load("cpu")
    assert [server.spec.make for server in profile.servers] == [SmallModel.AWQ, SmallModel.BF16]
    assert [server.spec.make for server in profile.in_bf16().servers] == [SmallModel.BF16, SmallModel.BF16]


def test_bf16_is_refused_where_nothing_is_built(tmp_path: Path) -> None:
    with pytest.raises(ProfileError, match="builds no AWQ model"):
        load(write(tmp_path, CODER)).in_bf16()


def test_an_unknown_profile_names_the_known_ones() -> None:
    with pytest.raises(UnknownNameError, match="a10g"):
        load("a10")


def test_tables_of_others_are_ignored(tmp_path: Path) -> None:
    assert load(write(tmp_path, CODER + "[roles]\ncoder = 'x'\n")).servers[0].model == "org/m"


@pytest.mark.parametrize(
    ("team", "yaml", "told"),
    [
        ("[roles]\n", "model: m\n", "nothing to start"),
        ("[servers", "model: m\n", "cannot be read"),
        (CODER + "colour = 1\n", "model: m\n", "colour"),
        (CODER + "make = 'gpt'\n", "model: m\n", "make"),
        (CODER + "ready_seconds = 0\n", "model: m\n", "ready_seconds"),
        (CODER.replace("coder.yaml", "other.yaml"), "model: m\n", "other.yaml cannot be read"),
        (CODER, "port: 1\n", "names no model"),
        (CODER, "model: m\nport: eighty\n", "'eighty'"),
        (CODER, "- a list\n", "must hold"),
        (CODER, "a: [\n", "cannot be read"),
    ],
)
def test_a_wrong_profile_tells_file_and_key(tmp_path: Path, team: str, yaml: str, told: str) -> None:
    with pytest.raises(ProfileError, match=told):
        load(write(tmp_path, team, yaml))


def test_a_path_without_a_team_file_is_no_profile(tmp_path: Path) -> None:
    with pytest.raises(ProfileError, match="is no serving profile"):
        load(str(tmp_path))


def on_cards(folder: Path, coder: str, reviewer: str, share: float = 0.4) -> str:
    """A profile of two servers, with these lines in their tables."""
    for name in ("coder", "reviewer"):
        (folder / f"{name}.yaml").write_text(f"model: org/m\nport: 9\ngpu-memory-utilization: {share}\n")
    head = '[servers.{0}]\nconfig = "{0}.yaml"\n{1}\n[servers.{0}.env]\nCUDA_VISIBLE_DEVICES = "0"\n'
    (folder / "team.toml").write_text(head.format("coder", coder) + head.format("reviewer", reviewer))
    return f"{folder}/"


def test_two_servers_on_one_card_start_one_after_the_other_or_not_at_all(tmp_path: Path) -> None:
    with pytest.raises(
        ProfileError, match="coder and reviewer share GPU 0 and would start side by"
    ) as caught:
        load(on_cards(tmp_path, "", ""))
    assert caught.value.hint == 'after = "coder" in [servers.reviewer], as serving/one-80gb has it'
    assert load(on_cards(tmp_path, "", 'after = "coder"'))
    assert load(on_cards(tmp_path, 'after = "reviewer"', ""))
    assert load(on_cards(tmp_path, 'host = "1"', 'host = "2"'))


def test_servers_that_ask_for_more_than_their_card_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ProfileError, match="coder and reviewer ask for 1.20 of GPU 0's memory together"):
        load(on_cards(tmp_path, "", 'after = "coder"', share=0.6))


@pytest.mark.parametrize(
    ("coder", "reviewer", "told"),
    [
        (
            'after = "critic"',
            "",
            r"\[servers.coder\]: after names server 'critic'; there are: coder, reviewer",
        ),
        ('after = "reviewer"', 'after = "coder"', "coder after reviewer after coder: none can begin"),
        ('after = "coder"', "", "coder after coder: none can begin"),
    ],
)
def test_an_order_that_cannot_begin_is_refused(tmp_path: Path, coder: str, reviewer: str, told: str) -> None:
    with pytest.raises(ProfileError, match=told):
        load(on_cards(tmp_path, coder, reviewer))


def test_an_unknown_table_is_refused_with_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(ProfileError, match="unknown key endpoint; expected one of: endpoints, roles"):
        load(write(tmp_path, CODER + "[endpoint.coder]\nmodel = 'm'\n"))


def test_what_eval_would_refuse_of_a_team_is_refused_before_its_servers_start(tmp_path: Path) -> None:
    team = CODER + '[endpoints.coder]\nserver = "coder"\nmodel = "m"\ncolour = 1\n[roles]\ncoder = "coder"\n'
    with pytest.raises(TeamError, match="endpoints.coder.colour: unknown key"):
        load(write(tmp_path, team))
