"""What runs is left alone, and what died is started again beside it."""

from pathlib import Path

import pytest

from dualcode.config import TeamConfig
from dualcode.errors import ProfileError, ServingError, TeamError
from dualcode.serving import processes, running
from dualcode.serving.pair import start, status
from dualcode.serving.profiles import load
from dualcode.serving.running import find_team, recorded
from tests.serving.conftest import MakeProfile


def quiet(_line: str) -> None:
    """Say nothing."""


def end(server: running.RunningServer) -> None:
    processes.end([server], patience=0)


def test_a_start_of_what_runs_is_said_and_is_no_error(
    make_profile: MakeProfile, vllm: Path, state: Path
) -> None:
    profile = make_profile(coder={})
    first = start(profile, state=state, python=vllm, say=quiet)
    said: list[str] = []
    assert start(profile, ports="free", state=state, python=vllm, say=said.append) == first
    [line] = said
    assert f"already running: coder (pid {first['coder'].pid}" in line


def test_a_lost_server_starts_again_alone_where_it_was(
    make_profile: MakeProfile, vllm: Path, state: Path
) -> None:
    profile = make_profile(coder={}, reviewer={})
    first = start(profile, ports="free", state=state, python=vllm, say=quiet)
    end(first["coder"])
    said: list[str] = []
    again = start(profile, state=state, python=vllm, say=said.append)
    assert said[0] == "starting again: coder"
    assert again["reviewer"] == first["reviewer"]
    assert again["coder"].pid != first["coder"].pid
    assert again["coder"].base_url == first["coder"].base_url
    assert {each.health for each in status(state)} == {"healthy"}


def test_a_restart_that_fails_leaves_the_healthy_server_and_the_record_of_the_dead(
    make_profile: MakeProfile, vllm: Path, state: Path
) -> None:
    profile = make_profile(coder={}, reviewer={})
    first = start(profile, state=state, python=vllm, say=quiet)
    end(first["coder"])
    broken = vllm.with_name("broken")
    broken.write_text(f'#!/bin/sh\n[ "$1" = -c ] && exec {vllm} "$@"\necho ValueError: no luck\nexit 5\n')
    broken.chmod(0o755)
    with pytest.raises(ServingError, match="died while starting .exit code 5.: ValueError: no luck"):
        start(profile, state=state, python=broken, say=quiet)
    assert {each.name: each.health for each in status(state)} == {"coder": "dead", "reviewer": "healthy"}


def test_another_profile_is_refused_while_one_runs(
    make_profile: MakeProfile, vllm: Path, state: Path, tmp_path: Path
) -> None:
    profile = make_profile(coder={})
    start(profile, state=state, python=vllm, say=quiet)
    other = Path(profile).rename(tmp_path / "other")
    with pytest.raises(ServingError, match="profile 'profile' is already running") as caught:
        start(f"{other}/", state=state, python=vllm, say=quiet)
    assert caught.value.hint == "dualcode serve stop"


def test_an_edited_profile_is_another(make_profile: MakeProfile, vllm: Path, state: Path) -> None:
    profile = make_profile(coder={})
    start(profile, state=state, python=vllm, say=quiet)
    with (Path(profile) / "coder.yaml").open("a") as file:
        file.write("max-num-seqs: 3\n")
    with pytest.raises(ServingError, match="edited since"):
        start(profile, state=state, python=vllm, say=quiet)


def test_one_server_of_a_profile_can_be_started_and_the_other_later(
    make_profile: MakeProfile, vllm: Path, state: Path
) -> None:
    profile = make_profile(coder={}, reviewer={})
    one = start(profile, only=["reviewer"], state=state, python=vllm, say=quiet)
    assert list(one.base_urls()) == ["reviewer"]
    both = start(profile, state=state, python=vllm, say=quiet)
    assert set(both.base_urls()) == {"coder", "reviewer"}
    assert both["reviewer"] == one["reviewer"]
    with pytest.raises(ProfileError, match="no server 'critic'; it has: coder, reviewer"):
        start(profile, only=["critic"], state=state, python=vllm, say=quiet)


def test_a_profile_of_several_machines_asks_which_server_is_this_ones(state: Path, vllm: Path) -> None:
    with pytest.raises(ProfileError, match="for several machines") as caught:
        start("two-hosts", state=state, python=vllm, say=quiet)
    assert caught.value.hint == "dualcode serve start --profile two-hosts --only coder"


def test_a_server_that_waits_for_another_starts_once_that_answers(
    make_profile: MakeProfile, vllm: Path, state: Path
) -> None:
    profile = Path(make_profile(reviewer={}, coder={}))
    team = profile / "team.toml"
    team.write_text(team.read_text().replace('"reviewer.yaml"', '"reviewer.yaml"\nafter = "coder"'))
    order: list[list[str]] = []

    def note(_line: str) -> None:
        found = recorded(state)
        order.append(sorted(each.name for each in found.servers) if found else [])

    start(f"{profile}/", state=state, python=vllm, say=note)
    assert order == [["coder"], ["coder", "reviewer"]]


def test_eval_is_told_which_server_died_and_how_to_start_it(
    make_profile: MakeProfile, vllm: Path, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    profile = make_profile(coder={}, reviewer={})
    pair = start(profile, state=state, python=vllm, say=quiet)
    end(pair["reviewer"])
    monkeypatch.setenv("DUALCODE_STATE_DIR", str(state))
    with pytest.raises(TeamError, match=r"these have died: reviewer \(log: .*reviewer.log") as caught:
        find_team(None)
    assert caught.value.hint == f"dualcode serve start --profile {profile[:-1]}"
    team = TeamConfig(endpoints={}, roles={})
    assert find_team(team) == team


def test_a_hint_names_a_shipped_profile_by_its_name(tmp_path: Path) -> None:
    cpu = load("cpu")
    pair = running.RunningPair(
        profile=cpu.name, team_file=cpu.team_file, vllm_python=tmp_path, vllm="0", servers=()
    )
    assert pair.profile_argument == "cpu"
    elsewhere = pair.model_copy(update={"team_file": tmp_path / "cpu/team.toml"})
    assert elsewhere.profile_argument == str(tmp_path / "cpu")


def test_the_servers_own_programs_are_found_first(
    make_profile: MakeProfile, vllm: Path, state: Path, tmp_path: Path
) -> None:
    dump = tmp_path / "dump.json"
    start(make_profile(coder={"dump": str(dump)}), state=state, python=vllm, say=quiet)
    assert f'"PATH": "{vllm.parent}:' in dump.read_text()
