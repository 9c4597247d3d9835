"""What the environment holds for a connection: keys, proxies, certificates."""

import hashlib
import importlib.util
import socket
from pathlib import Path

import pytest

from dualcode.config import Endpoint, TeamConfig
from dualcode.errors import TeamError, UnreachableError
from dualcode.models.chat import PROTOCOL
from dualcode.models.endpoints import Served, api_key, check_endpoints, is_loopback
from dualcode.models.ledger.fingerprint import Fingerprint, canonical
from dualcode.models.openai import OpenAIChat
from tests.fake_server import serve

FAR = "http://far.invalid/v1"
SECRET = "s3cret"


def endpoint(url: str = FAR) -> Endpoint:
    return Endpoint(model="m", base_url=url, api_key_env="MY_KEY")


@pytest.mark.parametrize("held", [SECRET, f" {SECRET}\n", f"{SECRET}\r\n"])
def test_a_key_is_stripped_at_its_ends(held: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_KEY", held)
    assert api_key("e", endpoint()) == SECRET


@pytest.mark.parametrize("held", [None, "", "\n"])
def test_no_key_is_none(held: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MY_KEY", raising=False)
    if held is not None:
        monkeypatch.setenv("MY_KEY", held)
    assert api_key("e", endpoint()) is None


@pytest.mark.parametrize(
    ("held", "wrong"),
    [(f"{SECRET}\n{SECRET}", "a line break"), (f"{SECRET}\x07", "control"), (f"{SECRET}ü", "outside ASCII")],
)
async def test_a_key_that_no_header_can_carry_is_refused_and_not_shown(
    held: str, wrong: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_KEY", held)
    team = TeamConfig(endpoints={"e": endpoint()}, roles={"coder": "e"})
    with pytest.raises(TeamError, match=r"endpoints\.e: the API key in \$MY_KEY has .*" + wrong) as raised:
        await check_endpoints(team, ["coder"])
    assert SECRET not in str(raised.value)
    assert raised.value.hint == "export MY_KEY=KEY"


ENVIRONMENTS = {
    "a certificate that is gone": {"SSL_CERT_FILE": "/no/such/file.pem"},
    "a proxy without a scheme": {"http_proxy": "://"},
    "a proxy with a port that is none": {"HTTP_PROXY": "http://proxy:eighty"},
    "a proxy of an unknown kind": {"ALL_PROXY": "carrier://pigeon"},
}
if importlib.util.find_spec("socksio") is None:
    ENVIRONMENTS["a proxy whose package is not here"] = {"ALL_PROXY": "socks5://127.0.0.1:1"}


@pytest.mark.parametrize("name", ENVIRONMENTS)
async def test_a_setting_that_prevents_every_connection_is_named(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable, value in ENVIRONMENTS[name].items():
        monkeypatch.setenv(variable, value)
    team = TeamConfig(endpoints={"e": endpoint()}, roles={"coder": "e"})
    (variable,) = ENVIRONMENTS[name]
    with pytest.raises(TeamError, match=rf"endpoints\.e: .*{variable}") as raised:
        await check_endpoints(team, ["coder"])
    assert f"unset {variable}" in str(raised.value.hint)
    with pytest.raises(TeamError, match=variable):
        OpenAIChat("e", endpoint())


async def test_a_server_of_this_machine_is_reached_whatever_the_environment_says(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for variables in ENVIRONMENTS.values():
        for variable, value in variables.items():
            monkeypatch.setenv(variable, value)
    with serve() as server:
        team = TeamConfig(endpoints={"e": endpoint(server.base_url)}, roles={"coder": "e"})
        assert set(await check_endpoints(team, ["coder"])) == {"e"}


async def test_a_proxy_that_does_not_answer_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # bound, but nobody listens
        monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{nobody.getsockname()[1]}")
        team = TeamConfig(endpoints={"e": endpoint()}, roles={"coder": "e"})
        with pytest.raises(UnreachableError, match="asked through HTTP_PROXY, "):
            await check_endpoints(team, ["coder"])


@pytest.mark.parametrize(
    ("url", "here"),
    [
        ("http://127.0.0.1:8001/v1", True),
        ("http://127.8.9.1/v1", True),
        ("http://localhost:8001/v1", True),
        ("http://[::1]:8001/v1", True),
        ("http://10.0.0.1/v1", False),
        ("https://localhost.example.org/v1", False),
        ("", False),
    ],
)
def test_only_this_machines_addresses_are_loopback(url: str, here: bool) -> None:
    assert is_loopback(url) == here


def test_a_certificate_that_is_none_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "cert.pem").write_text("no certificate")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "cert.pem"))
    with pytest.raises(TeamError, match="SSL_CERT_FILE"):
        OpenAIChat("e", endpoint())


CARDS = [
    {"id": "m", "meta": {"n_params": 1, "size": 2}},
    {"id": "m", "meta": {"n_params": 3, "size": 2}},
    {"id": "m", "revision": "abc"},
    {"id": "m", "digest": "sha256:1"},
]


async def test_another_model_under_the_same_name_is_another() -> None:
    found: list[Served] = []
    for card in CARDS:
        with serve() as server:
            server.models = [card]
            team = TeamConfig(endpoints={"e": endpoint(server.base_url)}, roles={"coder": "e"})
            found += (await check_endpoints(team, ["coder"])).values()
            again = (await check_endpoints(team, ["coder"]))["e"]
        assert again == found[-1]
    assert len({served.card for served in found}) == len(CARDS)
    assert len({Fingerprint(**served.model_dump()).digest for served in found}) == len(CARDS)


async def test_the_time_of_the_question_is_no_part_of_the_answer() -> None:
    with serve() as server:
        team = TeamConfig(endpoints={"e": endpoint(server.base_url)}, roles={"coder": "e"})
        answers: list[Served] = []
        for created in (1, 2):
            server.models = [{"id": "m", "created": created}]
            answers += (await check_endpoints(team, ["coder"])).values()
    assert answers[0] == answers[1]
    assert answers[0].card is None


def test_what_a_ledger_kept_before_servers_were_asked_for_more_is_still_found() -> None:
    before = {"model": "m", "root": None, "max_model_len": None, "version": None, "system": None}
    before |= {"template": None, "weights": None, "thinking": "none", "protocol": PROTOCOL}
    assert Fingerprint(model="m").digest == hashlib.sha256(canonical(before)).hexdigest()
