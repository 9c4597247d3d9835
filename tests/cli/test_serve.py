"""The commands of serving over scripted servers: what they pass on, print and end with."""

import json
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from dualcode.cli.serve import NOT_HEALTHY, serve
from dualcode.serving import checkpoints, interpreter, pair, profiles
from dualcode.serving import logs as written
from dualcode.serving.pair import ServerStatus
from dualcode.serving.profiles import SmallModel

HEALTHY = ServerStatus(
    name="coder", pid=41, port=8001, base_url="http://127.0.0.1:8001/v1", model="coder-14b", health="healthy",
    max_model_len=32768, uptime=125.9, log=Path("/logs/coder.log"),
)  # fmt: skip
DEAD = HEALTHY.model_copy(
    update={"name": "reviewer", "port": 8002, "health": "dead", "max_model_len": None, "uptime": 9.0}
)


def giving(value: Any) -> Callable[..., Any]:
    """Return a function that returns this, whatever it is asked."""

    def give(*_: object, **__: object) -> Any:
        return value

    return give


def building(kind: SmallModel) -> str:
    """Return a profile that builds a small model of this kind."""
    return next(
        name
        for name in profiles.known()
        if any(each.spec.make == kind for each in profiles.load(name).servers)
    )


def called(*arguments: str) -> Result:
    return CliRunner().invoke(serve, list(arguments))


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[tuple[Any, dict[str, Any]]]]:
    """Note every start instead of making it; leave the process's handler of SIGTERM as it was."""
    made = list[tuple[Any, dict[str, Any]]]()

    def start(profile: Any, **options: Any) -> None:
        assert callable(options.pop("say"))
        assert callable(options.pop("now"))
        made.append((profile, options))

    monkeypatch.setattr(pair, "start", start)
    before = signal.getsignal(signal.SIGTERM)
    yield made
    signal.signal(signal.SIGTERM, before)


@pytest.mark.parametrize("line", [(), ("start",), ("--profile", "a10g"), ("start", "--profile", "a10g")])
def test_a_line_without_a_subcommand_starts(started: list[Any], line: tuple[str, ...]) -> None:
    assert called(*line).exit_code == 0
    ((profile, options),) = started
    expected = {"only": (), "host": "127.0.0.1", "ports": None, "state": None}
    assert (profile.name, options) == ("a10g", expected)


def test_options_of_a_start_are_passed_on(started: list[Any], tmp_path: Path) -> None:
    name = building(SmallModel.AWQ)
    where = ["--host", "0.0.0.0", "--state", str(tmp_path)]
    done = called("--profile", name, "--port-free", "--bf16", "--only", "coder", *where)
    assert done.exit_code == 0, done.output
    ((profile, options),) = started
    assert options == {"only": ("coder",), "host": "0.0.0.0", "ports": "free", "state": tmp_path}
    assert profile == profiles.load(name).in_bf16() != profiles.load(name)


def test_a_start_that_is_ended_is_interrupted_so_that_it_ends_its_servers(
    started: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def end(*_: object, **__: object) -> None:
        signal.raise_signal(signal.SIGTERM)

    monkeypatch.setattr(pair, "start", end)
    done = called("start")
    assert (done.exit_code, done.output.strip()) == (1, "Aborted!")


@pytest.mark.parametrize(
    ("found", "code"),
    [([], NOT_HEALTHY), ([HEALTHY], 0), ([HEALTHY, DEAD], NOT_HEALTHY), ([DEAD], NOT_HEALTHY)],
)
def test_status_ends_with_0_only_where_all_are_healthy(
    monkeypatch: pytest.MonkeyPatch, found: list[ServerStatus], code: int
) -> None:
    monkeypatch.setattr(pair, "status", giving(found))
    assert called("status").exit_code == code
    done = called("status", "--json")
    assert done.exit_code == code
    assert [ServerStatus.model_validate(each) for each in json.loads(done.stdout)["servers"]] == found


def test_the_table_of_servers_has_minutes_of_uptime_and_no_length_that_nobody_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pair, "status", giving([HEALTHY, DEAD]))
    rows = {line.split()[0]: line.split() for line in called("status").output.splitlines() if line.strip()}
    assert rows["coder"] == ["coder", "41", "8001", "coder-14b", "healthy", "32768", "2:05"]
    assert rows["reviewer"] == ["reviewer", "41", "8002", "coder-14b", "dead", "0:09"]


def test_what_runs_nowhere_is_said_with_the_way_to_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pair, "status", giving([]))
    assert "nothing is running\n  try: " in called("status").output
    assert called("status").output.rstrip().endswith("serve start")
    for stopped, said in (([], "nothing is running\n"), (["a", "b"], "stopped a, b\n")):
        monkeypatch.setattr(pair, "stop", giving(stopped))
        assert called("stop").output == said


def test_lines_of_several_logs_say_whose_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = list[Any]()

    def logs(state: Path | None, server: str | None, *, lines: int) -> list[tuple[str, str]]:
        asked.append((server, lines))
        return [("coder", "one"), ("reviewer", "two")]

    monkeypatch.setattr(written, "logs", logs)
    monkeypatch.setattr(written, "follow", giving([("coder", "later")]))
    assert called("logs").output == "coder: one\nreviewer: two\n"
    assert called("logs", "coder", "-n", "3", "-f").output == "one\ntwo\nlater\n"
    assert asked == [(None, 40), ("coder", 3)]


def test_build_makes_each_small_model_once_and_prints_its_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = list[list[str]]()

    def ensure(wanted: list[str], *_: object, **__: object) -> dict[str, Path]:
        asked.append(wanted)
        return {each: Path("/models", each) for each in wanted}

    monkeypatch.setattr(checkpoints, "ensure", ensure)
    monkeypatch.setattr(interpreter, "find", giving(interpreter.Interpreter(python=Path("p"), versions={})))
    done = called("build", "--profile", building(SmallModel.AWQ))
    assert done.exit_code == 0, done.output
    (wanted,) = asked
    assert len(set(wanted)) == len(wanted) > 0
    assert done.output == "".join(f"{each} /models/{each}\n" for each in wanted)


def test_a_plan_ends_with_0_where_the_profile_fits_and_3_where_not() -> None:
    assert called("plan", "--gpu", "a10g", "--profile", "a10g").exit_code == 0
    assert called("plan", "--gpu", "l4", "--profile", "one-80gb").exit_code == 3
    done = called("plan", "--gpu", "h100", "--json")
    found = json.loads(done.stdout)
    assert (done.exit_code, set(found["profiles"])) == (0, {"a10g", "one-80gb", "two-24gb", "two-hosts"})
    assert found["source"]
    assert "a10g" in called("plan").stdout


def test_without_a_card_a_plan_lists_the_known_ones_and_as_json_an_object() -> None:
    listed = called("plan").stdout.strip().removeprefix("GPUs of serving/facts.toml: ").split(", ")
    assert listed == sorted(listed) and {"a10g", "rtx-4090"} <= set(listed)
    assert json.loads(called("plan", "--json").stdout) == {"gpus": listed}
