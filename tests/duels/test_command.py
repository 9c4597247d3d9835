"""`dualcode duel` as a user types it, on a server that answers over HTTP and tells its charge."""

import json
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from dualcode.call import Message, Request
from dualcode.cli.main import cli, main
from dualcode.duels import duel as room
from dualcode.errors import DualcodeError
from dualcode.issues.jail.jail import CommandJail
from dualcode.issues.packages import Environment
from dualcode.issues.task import IssueTask
from dualcode.sampling import PAPER
from tests.duels.acting import ENDPOINT, write_duel
from tests.duels.plays import RIGHT
from tests.fake_server import Answer, FakeServer, serve
from tests.issues import shop

CHARGE = 0.125


def run(*arguments: object) -> Result:
    return CliRunner().invoke(cli, ["duel", *map(str, arguments)], catch_exceptions=True)


def answer(body: dict[str, Any]) -> Answer:
    messages = tuple(Message.model_validate(each) for each in body["messages"])
    said = RIGHT.play(Request(messages=messages, sampling=PAPER.plain, answer_tokens=9))
    return Answer(content=said, usage={"prompt_tokens": 9, "completion_tokens": 2, "cost": CHARGE})


@pytest.fixture(scope="module")
def server() -> Generator[FakeServer]:
    with serve() as server:
        server.respond = answer
        yield server


@pytest.fixture(scope="module")
def config(server: FakeServer, issue: IssueTask, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A duel of one model that reviews itself."""
    folder = tmp_path_factory.mktemp("command")
    path = write_duel(folder, ("m",), issue.folder, arms=["review"])
    endpoint = ENDPOINT.format(name="m", price="")
    (folder / "team.toml").write_text(
        "[roles]\n" + endpoint.replace("http://127.0.0.1:9/v1", server.base_url)
    )
    return path


@pytest.fixture(scope="module")
def fought(config: Path, jail: CommandJail, environment: Environment) -> Generator[Result]:
    """The command, with the environment of the tests instead of the registry's."""

    async def benches(tasks: dict[str, IssueTask], *_: object) -> dict[str, Any]:
        return {name: shop.make_bench(task, environment, jail) for name, task in tasks.items()}

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(room, "open_benches", benches)
        yield run(config, "--duels", config.parent / "duels")


def test_a_file_alone_is_run_and_what_it_came_to_is_printed(fought: Result) -> None:
    assert fought.exit_code == 0, fought.output
    assert fought.stdout.splitlines()[1].split() == ["review:m+m", "1/1", "1/1", "0", "$0.5"]
    assert "1 of 1  review:m+m/shop-1/1  solved" in fought.stderr
    assert "1 conditions x 1 issues x 1 trials; 1 of 1 cells, 0 plans are left" in fought.stderr
    assert "warning: m has no price" in fought.stderr


def test_what_the_server_charged_is_the_cost(fought: Result, config: Path) -> None:
    shown = run("show", config.parent / "duels" / "duel", "--cell", "review:m+m/shop-1/1", "--json")
    assert fought.exit_code == shown.exit_code == 0
    cell = json.loads(shown.stdout)
    money = {phase["name"]: (phase["money"], phase["source"]) for phase in cell["phases"] if phase["calls"]}
    assert money["implement"] == ({"$": 2 * CHARGE}, "provider")
    assert [step["node"] for step in cell["steps"]] == ["implement", "implement", "review"]
    lines = (config.parent / "duels" / "duel" / "paid.jsonl").read_text().splitlines()
    paid = [json.loads(line) for line in lines]
    assert sum(each["money"] for each in paid) == pytest.approx(sum(m[0]["$"] for m in money.values()))


def test_a_cell_is_shown_with_its_diff_steps_and_tests(fought: Result, config: Path) -> None:
    assert fought.exit_code == 0
    shown = run("show", config.parent / "duels" / "duel", "--cell", "review:m+m/shop-1/1").stdout
    diff = "--- diff\ndiff --git a/shop/price.py"
    for part in ("complete, solved", diff, "--- implement, step 1", "--- tests"):
        assert part in shown


def test_run_again_asks_no_server(fought: Result, config: Path, server: FakeServer) -> None:
    assert fought.exit_code == 0
    made = len(server.requests) + len(server.asked)
    again = run("run", config, "--duels", config.parent / "duels", "--json", "--quiet")
    assert (again.exit_code, again.stderr) == (0, "")
    (condition,) = json.loads(again.stdout)["conditions"]
    assert (condition["done"], condition["solved"], condition["cost"]) == (1, 1, {"$": 4 * CHARGE})
    assert len(server.requests) + len(server.asked) == made


def test_at_its_limit_of_money_it_stops_with_a_code_of_its_own_and_goes_on_with_a_higher_one(
    config: Path, jail: CommandJail, environment: Environment, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async def benches(tasks: dict[str, IssueTask], *_: object) -> dict[str, Any]:
        return {name: shop.make_bench(task, environment, jail) for name, task in tasks.items()}

    monkeypatch.setattr(room, "open_benches", benches)
    file = config.parent / "poor.toml"
    limits = '[limits]\nmoney = {{ "$" = {} }}\n'
    price = (
        "\n[endpoints.m.price]\ninput_per_million = 1\noutput_per_million = 1\ncached_input_per_million = 1\n"
    )
    team = config.parent / "priced.toml"
    team.write_text((config.parent / "team.toml").read_text() + price)
    file.write_text(config.read_text() + f'team = "priced.toml"\n{limits.format(CHARGE / 2)}')
    arguments = ("duel", str(file), "--duels", str(tmp_path), "--quiet")
    monkeypatch.setattr("sys.argv", ["dualcode", *arguments])
    with pytest.raises(SystemExit) as left:
        main()
    assert left.value.code == 7
    file.write_text(config.read_text() + f'team = "priced.toml"\n{limits.format(9)}')
    assert run(*arguments[1:]).exit_code == 0


def test_a_forecast_says_what_is_assumed_and_what_is_unknown(config: Path, tmp_path: Path) -> None:
    told = json.loads(run("forecast", config, "--duels", tmp_path, "--json").stdout)
    (model,) = told["models"]
    assert (told["cells"], model["money"], model["measured"]) == (1, None, 0)
    assert 0 < model["calls"]["least"] < model["calls"]["most"]
    assert "assumed" in run("forecast", config, "--duels", tmp_path).stdout


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("gone.toml",), "no duel's file 'gone.toml'"),
        (("show", "."), "is no duel"),
        (("forecast", "gone.toml"), "no duel's file"),
    ],
)
def test_what_is_not_there_is_named(arguments: tuple[str, ...], told: str) -> None:
    found = run(*arguments)
    assert isinstance(found.exception, DualcodeError)
    assert told in str(found.exception)


def test_a_cell_that_is_not_there_names_the_nearest(fought: Result, config: Path) -> None:
    found = run("show", config.parent / "duels" / "duel", "--cell", "review:m+m/shop-1/2")
    assert "nearest: review:m+m/shop-1/1" in str(found.exception)
    assert fought.exit_code == 0
