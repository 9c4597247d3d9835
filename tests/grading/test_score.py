"""Scores of samples files: every row is checked first, and every number says what it is over."""

import bz2
import contextlib
import gzip
import io
import json
import lzma
import os
import threading
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from dualcode.cli import scored
from dualcode.cli.scored import score_table
from dualcode.errors import InputError, SandboxError
from dualcode.grading import samples as samples_module
from dualcode.grading import scoring
from dualcode.grading.rules import Rules
from dualcode.grading.samples import Sample, read_all, read_samples
from dualcode.grading.score import Score, score
from dualcode.grading.scoring import ScoreOptions, Watcher, score_samples, warnings_of
from dualcode.metrics import Counts
from dualcode.sandbox.sandbox import Tier
from dualcode.suites import files
from dualcode.suites.registry import load_suite
from dualcode.suites.suite import Suite
from dualcode.tables.forms import to_terminal
from dualcode.verdict import Outcome, Status, Verdict
from tests.suites.data import MBPP_PLUS, needs_data, write_rows

RIGHT = "def double(number):\n    return number * 2\n"
WRONG = "def double(number):\n    return 0\n"


@pytest.fixture(scope="module")
def suite() -> Suite:
    return load_suite("mini")


class Steps(Watcher):
    """Notes what it sees."""

    def __init__(self) -> None:
        self.phases: list[tuple[str, int]] = []
        self.steps = 0

    def on_phase(self, name: str, total: int) -> None:
        self.phases.append((name, total))
        self.steps = 0

    def on_step(self) -> None:
        self.steps += 1


def score_file(
    path: Path, suite: Suite, options: ScoreOptions | None = None, watcher: Watcher | None = None
) -> Score:
    return score_samples(path, lambda: suite, watcher or Watcher(), options or ScoreOptions())[2]


def summed(verdicts: Sequence[Verdict], suite: Suite) -> Score:
    return score(verdicts, suite, 2.0, sandbox=Tier(name="namespaces", holds=()))


def sample(task_id: str = "MiniRich/0", solution: str = RIGHT) -> dict[str, Any]:
    return {"task_id": task_id, "solution": solution}


def verdict(task_id: str, status: Status) -> Verdict:
    return Verdict.of(task_id, base=Outcome(status=status), plus=Outcome(status=status))


# What a file's rows mean


def test_a_completion_follows_its_prompt(tmp_path: Path, suite: Suite) -> None:
    row = {"task_id": "MiniLean/0", "completion": "    return number * 2\n"}
    (read,) = read_samples(write_rows(tmp_path / "s.jsonl", row), suite)
    assert read.program == suite.task("MiniLean/0").prompt + "    return number * 2\n"


def test_a_solution_wins_over_a_completion_as_in_evalplus(tmp_path: Path, suite: Suite) -> None:
    row = sample() | {"completion": "    return 0\n", "_identifier": "further keys are ignored"}
    (read,) = read_samples(write_rows(tmp_path / "s.jsonl", row), suite)
    assert read.program == RIGHT


def test_gzip_and_blank_lines_are_read(tmp_path: Path, suite: Suite) -> None:
    packed = tmp_path / "s.jsonl.gz"
    packed.write_bytes(gzip.compress(f"\n{json.dumps(sample())}\n\n".encode()))
    assert len(read_samples(packed, suite)) == 1


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([sample(), "{not json"], "line 2: not JSON"),
        ([sample(), "[1]"], r"line 2: not a JSON object but list: .\[1\]"),
        ([{"solution": RIGHT}], "line 1: task_id is missing"),
        ([sample(), {"task_id": "MiniRich/1"}], "line 2 .* neither solution nor completion; it has task_id"),
        ([sample() | {"solution": [RIGHT]}], r"line 1 .* solution is no string: \['def"),
        ([sample("MiniRich/99")], "line 1: no task is named 'MiniRich/99'; nearest: MiniRich/9"),
        ([sample("HumanEval/0")], "line 1: 'HumanEval/0' is no task of mini but of HumanEval"),
        ([""], "holds no samples"),
        (
            [{"task_id": "MiniRich/1", "response": RIGHT}],
            "neither solution nor completion; it has .*response",
        ),
        ([{"MiniRich/1": RIGHT}], "line 1: one object by task, not a sample a line"),
    ],
)
def test_a_bad_row_is_named(
    tmp_path: Path, suite: Suite, rows: Sequence[dict[str, Any] | str], message: str
) -> None:
    path = write_rows(tmp_path / "s.jsonl", *rows)
    with pytest.raises(InputError, match=message.replace("line 2 ", "line 2.").replace("line 1 ", "line 1.")):
        read_samples(path, suite)


def test_a_file_of_replies_is_told_how_samples_are_made_of_it(tmp_path: Path, suite: Suite) -> None:
    path = write_rows(tmp_path / "s.jsonl", {"task_id": "MiniRich/1", "response": RIGHT})
    with pytest.raises(InputError) as raised:
        read_samples(path, suite)
    assert "dualcode extract" in str(raised.value.hint)


PRETTY = json.dumps([sample(), sample()], indent=2)
RESULTS = {"date": "2026-01-01 10:00", "hash": "5e0c", "eval": {"MiniRich/0": [sample()]}}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            json.dumps([sample()]).encode(),
            r"one JSON array of 1, not an object a line .*: jq -c '\.\[\]'",
        ),
        (f"\n {PRETTY}".encode(), "one JSON array of 2"),
        (json.dumps(sample(), indent=1).encode(), r"one JSON object over several lines.* jq -c \."),
        (json.dumps(sample(), indent=1).encode() * 2, r"JSON objects over several lines.* jq -c \."),
        (json.dumps(RESULTS).encode(), r"EvalPlus's results \(eval_results\.json\), not samples"),
        (json.dumps(RESULTS, indent=4).encode(), "EvalPlus's results"),
        (json.dumps(sample()).encode("utf-16"), "UTF-16 text, not UTF-8: iconv -f UTF-16 -t UTF-8"),
        (json.dumps(sample()).encode("utf-16-le"), "UTF-16LE text, not UTF-8: iconv -f UTF-16LE "),
        (json.dumps(sample()).encode("utf-16-be"), "UTF-16BE text, not UTF-8: iconv -f UTF-16BE "),
        (json.dumps(sample()).encode("utf-32"), "UTF-32 text"),
        (bz2.compress(json.dumps(sample()).encode()), "packed by bzip2"),
        (lzma.compress(json.dumps(sample()).encode()), "packed by xz"),
        (b"PK\x03\x04....", "a zip archive"),
    ],
)
def test_a_file_of_another_form_is_named_for_what_it_is(
    tmp_path: Path, suite: Suite, content: bytes, message: str
) -> None:
    path = tmp_path / "s.json"
    for packed in (content, gzip.compress(content)):
        path.write_bytes(packed)
        with pytest.raises(InputError, match=rf"s\.json, line 1: {message}") as caught:
            read_samples(path, suite)
        assert caught.value.hint


def test_lines_that_look_like_other_forms_are_read(tmp_path: Path, suite: Suite) -> None:
    odd = sample() | {"eval": {"hash": "x"}, "note": "[\u0000]" * 40}
    rows = [odd, sample(solution="PK\x03\x04"), sample(solution="BZh")]
    assert len(read_samples(write_rows(tmp_path / "s.jsonl", *rows), suite)) == 3
    assert len(read_samples(write_rows(tmp_path / "one.jsonl", odd), suite)) == 1


def test_a_long_phase_off_a_terminal_says_how_far_it_is(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    clock = [0.0]
    monkeypatch.setattr(scored, "time", SimpleNamespace(monotonic=lambda: clock[0]))
    monkeypatch.setattr(scored, "TICK", 60)
    with scored.Bar() as bar:
        clock[0] += 3
        bar.on_step()
        bar.on_phase("grading", 400)
        for _ in range(400):
            clock[0] += 1
            bar.on_step()
    told = capsys.readouterr()
    first, *lines = told.err.splitlines()
    assert first == "reading"
    at = [int(line.removeprefix("grading: ").removesuffix(" of 400")) for line in lines]
    assert at[:4] == [3, 6, 9, 12]
    assert max(later - former for former, later in pairwise(at)) == 15, "a log of hours is no wall"
    assert told.out == ""


def test_a_program_that_takes_its_time_is_no_silence_off_a_terminal(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    said = threading.Event()

    def note(*_: object, **__: object) -> None:
        said.set()

    monkeypatch.setattr(scored, "TICK", 0.001)
    monkeypatch.setattr(scored, "FIRST_SECONDS", 0.001)
    with scored.Bar() as bar:
        monkeypatch.setattr(bar._console, "print", note)  # pyright: ignore[reportPrivateUsage]
        bar.on_phase("grading", 40)
        assert said.wait(30)


def test_a_solution_of_ten_megabytes_is_refused(tmp_path: Path, suite: Suite) -> None:
    path = write_rows(tmp_path / "s.jsonl", sample(solution="x = 1\n" * 1_700_000))
    with pytest.raises(
        InputError, match=r"line 1 \(MiniRich/0\): the solution is 10,200,000 characters long"
    ):
        read_samples(path, suite)


def test_a_missing_file_an_empty_folder_and_a_cut_gzip_are_refused(tmp_path: Path, suite: Suite) -> None:
    cut = tmp_path / "cut.jsonl.gz"
    cut.write_bytes(gzip.compress(json.dumps(sample()).encode())[:-10])
    for path, message in (
        (tmp_path / "gone.jsonl", "does not exist"),
        (tmp_path, "holds no samples"),
        (cut, "cannot be read"),
    ):
        with pytest.raises(InputError, match=message):
            read_samples(path, suite)


def test_a_file_of_more_than_the_limit_is_refused_packed_or_not(
    tmp_path: Path, suite: Suite, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain, packed = tmp_path / "s.jsonl", tmp_path / "s.jsonl.gz"
    plain.write_bytes(b" " * (2 << 20) + json.dumps(sample()).encode())
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    assert len(read_samples(packed, suite)) == 1
    monkeypatch.setattr(files, "LARGEST", 1 << 20)
    for path in (plain, packed):
        with pytest.raises(InputError, match="cannot be read: more than 1 MiB"):
            read_samples(path, suite)


@pytest.mark.parametrize("what", ["pipe", "device", "folder"])
def test_what_never_ends_is_no_program_of_a_folder(tmp_path: Path, suite: Suite, what: str) -> None:
    file = tmp_path / "MiniRich_0" / "0.py"
    file.parent.mkdir()
    {"pipe": lambda: os.mkfifo(file), "device": lambda: file.symlink_to("/dev/zero"), "folder": file.mkdir}[
        what
    ]()
    with pytest.raises(InputError, match=r"0\.py is no regular file"):
        read_samples(tmp_path, suite)


def test_a_pipe_that_somebody_named_is_read(tmp_path: Path, suite: Suite) -> None:
    receiving, sending = os.pipe()
    os.write(sending, json.dumps(sample()).encode())
    os.close(sending)
    assert len(read_samples(Path(f"/dev/fd/{receiving}"), suite)) == 1
    os.close(receiving)


def test_an_error_shows_a_row_s_codes_for_a_terminal(tmp_path: Path, suite: Suite) -> None:
    row = {"task_id": "MiniRich/0", "solution\x1b]0;title\x07\x9b2J\u202e\r": ""}
    with pytest.raises(InputError, match="neither solution nor completion") as caught:
        read_samples(write_rows(tmp_path / "s.jsonl", row), suite)
    assert r"solution\x1b]0;title\x07\x9b2J\u202e\r" in str(caught.value)
    assert str(caught.value).replace("\n", "").isprintable()


def test_nothing_is_graded_if_the_last_row_is_bad(tmp_path: Path, suite: Suite) -> None:
    steps = Steps()
    path = write_rows(tmp_path / "s.jsonl", sample(), "{")
    with pytest.raises(InputError):
        score_file(path, suite, watcher=steps)
    assert steps.phases == []


def refused(opened: threading.Event) -> Callable[..., AbstractAsyncContextManager[Any]]:
    @contextlib.asynccontextmanager
    async def open_sandbox(*_: object, **__: object) -> AsyncGenerator[Any]:
        opened.set()
        raise SandboxError("no sandbox works on this machine")
        yield

    return open_sandbox


@pytest.mark.parametrize(("last", "error"), [("{", InputError), (sample(), SandboxError)])
def test_a_sandbox_is_opened_while_files_are_read_and_a_fault_of_theirs_is_told_first(
    last: dict[str, Any] | str,
    error: type[Exception],
    tmp_path: Path,
    suite: Suite,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    opened = threading.Event()
    monkeypatch.setattr(scoring, "open_sandbox", refused(opened))
    path = write_rows(tmp_path / "s.jsonl", sample(), last)

    def load() -> Suite:
        assert opened.wait(10)
        return suite

    with pytest.raises(error):
        score_samples(path, load, Watcher(), ScoreOptions())


def test_evalplus_s_folder_form_is_read_in_the_order_of_tasks(tmp_path: Path, suite: Suite) -> None:
    files = ["MiniRich_1/0.py", "MiniLean_0/10.py", "MiniLean_0/2.py", "MiniLean_0/0.py"]
    for name in files:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(f"# {name}\n", encoding="utf-8")
    (tmp_path / "eval_results.json").write_text("{}")
    read = read_samples(tmp_path, suite)
    assert [(each.task_id, each.program) for each in read] == [
        ("MiniLean/0", "# MiniLean_0/0.py\n"),
        ("MiniLean/0", "# MiniLean_0/2.py\n"),
        ("MiniLean/0", "# MiniLean_0/10.py\n"),
        ("MiniRich/1", "# MiniRich_1/0.py\n"),
    ]


def test_a_folder_of_an_unknown_task_is_named(tmp_path: Path, suite: Suite) -> None:
    (tmp_path / "MiniRich_99").mkdir()
    (tmp_path / "MiniRich_99" / "0.py").write_text("x = 1\n")
    with pytest.raises(InputError, match=r"MiniRich_99/0\.py: no task is named 'MiniRich/99'"):
        read_samples(tmp_path, suite)


def test_a_folder_s_file_that_is_no_text_is_refused(tmp_path: Path, suite: Suite) -> None:
    (tmp_path / "MiniRich_1").mkdir()
    (tmp_path / "MiniRich_1" / "0.py").write_bytes(b"\xff\xfe")
    with pytest.raises(InputError, match="cannot be read"):
        read_samples(tmp_path, suite)


@needs_data
def test_tasks_of_an_older_mbpp_plus_are_dropped_and_said_so(tmp_path: Path) -> None:
    mbpp = load_suite("mbpp", data=MBPP_PLUS)
    gone = next(f"Mbpp/{n}" for n in range(1, 975) if f"Mbpp/{n}" not in mbpp.hidden)
    rows = [sample(gone), sample("Mbpp/2"), sample(gone)]
    read = read_all(write_rows(tmp_path / "s.jsonl", *rows), mbpp)
    assert ([each.task_id for each in read.samples], read.dropped) == (["Mbpp/2"], (gone,))
    (warning, missing) = warnings_of(tmp_path, read.samples, read.dropped, mbpp)
    assert "1 tasks are not in" in warning
    assert f"MbppPlus.jsonl.gz has it (378 tasks) and were dropped: {gone}" in warning
    assert "377 of 378" in missing
    with pytest.raises(InputError, match="holds no samples of"):
        read_samples(write_rows(tmp_path / "gone.jsonl", sample(gone)), mbpp)
    with pytest.raises(InputError, match="no task is named 'Mbpp/2000'"):
        read_samples(write_rows(tmp_path / "odd.jsonl", sample("Mbpp/2000")), mbpp)


RAW = [f"Sure:\n```python\n{RIGHT}```", "<think>hm</think>\n" + RIGHT, "I cannot.", f"```\n{RIGHT}```\nDone."]


def test_raw_replies_are_told_apart_before_anything_is_graded(tmp_path: Path, suite: Suite) -> None:
    raw = [Sample(task.id, text) for task, text in zip(suite.tasks, RAW, strict=False)]
    path = tmp_path / "s.jsonl"
    first, *_ = warnings_of(path, raw, (), suite)
    assert f"none of the {len(RAW)} programs compiles" in first
    assert f"dualcode extract --dataset mini {path} -o SAMPLES.jsonl" in first
    mixed = [*raw, Sample(suite.tasks[-1].id, RIGHT)]
    assert not any("compiles" in warning for warning in warnings_of(path, mixed, (), suite))


def test_the_share_of_programs_that_do_not_compile_is_part_of_every_score(suite: Suite) -> None:
    tier = Tier(name="namespaces", holds=())
    done = score([verdict("MiniRich/0", "failed")], suite, 1.0, sandbox=tier, uncompiled=1)
    assert done.to_json()["uncompiled"] == 1
    assert "1 of 1 programs (100.0%) do not compile" in shown(done)
    whole = score([verdict("MiniRich/0", "passed")], suite, 1.0, sandbox=tier)
    assert "0 of 1 programs (0.0%) do not compile" in shown(whole)
    assert "dualcode extract" in shown(done) and "dualcode extract" not in shown(whole)


@pytest.mark.parametrize(("uncompiled", "named"), [(0, False), (1, False), (2, True), (20, True)])
def test_where_many_programs_do_not_compile_extract_is_named(
    suite: Suite, uncompiled: int, named: bool
) -> None:
    tier = Tier(name="namespaces", holds=())
    verdicts = [verdict("MiniRich/0", "failed")] * 20
    done = score(verdicts, suite, 1.0, sandbox=tier, uncompiled=uncompiled)
    assert ("dualcode extract" in shown(done)) == named


# What the numbers are over


def test_a_file_is_scored(tmp_path: Path, suite: Suite) -> None:
    path = write_rows(
        tmp_path / "s.jsonl", sample(), sample("MiniLean/0", WRONG), sample("MiniRich/1", "x = '\0'")
    )
    steps = Steps()
    done = score_file(path, suite, ScoreOptions(workers=2), steps)
    known = done.to_json()
    assert [side.keys() for side in known.pop("intervals").values()] == [{"pass@1"}] * 2
    assert known | {"seconds": 0, "sandbox": "", "cautions": []} == {
        "dataset": "mini",
        "data": suite.data.to_json(),
        "tasks": 3,
        "samples": 3,
        "uncompiled": 1,
        "base": {"passed": 1, "failed": 2, "errored": 0, "pass@1": 1 / 3},
        "plus": {"passed": 1, "failed": 2, "errored": 0, "pass@1": 1 / 3},
        "seconds": 0,
        "sandbox": "",
        "cautions": [],
    }
    assert (steps.phases[-1], steps.steps) == (("grading", 3), 3)
    assert [verdict.task_id for verdict in done.verdicts] == ["MiniRich/0", "MiniLean/0", "MiniRich/1"]
    assert str(done.verdicts[2].base.reason).startswith("does not compile")


def test_the_same_program_is_graded_once(tmp_path: Path, suite: Suite) -> None:
    rows = [sample(), sample(solution=WRONG), sample(), sample(solution=WRONG), sample()]
    steps = Steps()
    done = score_file(write_rows(tmp_path / "s.jsonl", *rows), suite, ScoreOptions(), steps)
    assert steps.phases[-1] == ("grading", 2)
    statuses = [verdict.base.status for verdict in done.verdicts]
    assert statuses == ["passed", "failed", "passed", "failed", "passed"]


def test_base_only_leaves_the_plus_tests_out(tmp_path: Path, suite: Suite) -> None:
    options = ScoreOptions(rules=Rules(base_only=True))
    done = score_file(write_rows(tmp_path / "s.jsonl", sample()), suite, options)
    assert done.plus is None
    assert done.verdicts[0].plus is None
    assert done.base.pass_at_1 == 1


def test_without_plus_tests_plus_is_null(tmp_path: Path) -> None:
    suite = load_suite("humaneval-base").select(tasks=["HumanEval/53"])
    row = {"task_id": "HumanEval/53", "completion": "    return x + y"}
    done = score_file(write_rows(tmp_path / "s.jsonl", row), suite)
    assert done.to_json()["plus"] is None
    assert done.base.pass_at_1 == 1


def test_with_several_samples_pass_at_1_is_the_mean_over_tasks(suite: Suite) -> None:
    verdicts = [verdict("MiniRich/0", "passed")] * 3 + [verdict("MiniRich/0", "failed")]
    verdicts += [verdict("MiniRich/1", "failed"), verdict("MiniRich/2", "errored")]
    done = summed(verdicts, suite)
    assert done.tasks == 3
    assert done.base.samples == Counts(passed=3, failed=2, errored=1)
    assert done.base.pass_at_1 == (3 / 4 + 0) / 2


def test_pass_at_k_is_given_where_every_task_has_k_samples(suite: Suite) -> None:
    many = [verdict("MiniRich/0", "passed")] * 3 + [verdict("MiniRich/0", "failed")] * 9
    more = [verdict("MiniRich/1", "failed")] * 10
    assert set(summed(many + more, suite).base.pass_at) == {1, 10}
    assert summed(many, suite).to_json()["base"]["pass@10"] == 1.0
    assert "pass@10" not in summed(many + more[:9], suite).to_json()["base"]
    assert (
        "pass@10" not in summed(many + more[:9] + [verdict("MiniRich/1", "errored")], suite).to_json()["base"]
    )


def test_errored_samples_are_in_no_rate(suite: Suite) -> None:
    done = summed([verdict("MiniRich/0", "passed"), verdict("MiniRich/1", "errored")], suite)
    assert (done.base.pass_at_1, done.base.errored) == (1.0, 1)


def test_nothing_graded_is_no_rate(suite: Suite) -> None:
    done = summed([verdict("MiniRich/0", "errored")], suite)
    assert done.to_json()["base"] == {
        "passed": 0,
        "failed": 0,
        "errored": 1,
        "pass@1": None,
    }
    assert "–" in shown(done)


def test_tasks_without_a_sample_are_said_aloud(tmp_path: Path, suite: Suite) -> None:
    said: list[str] = []

    class Told(Watcher):
        def on_warning(self, warning: str) -> None:
            said.append(warning)

    path = write_rows(tmp_path / "s.jsonl", sample())
    _, _, done = score_samples(path, lambda: suite, Told(), ScoreOptions(workers=1))
    assert done.missing[0] == "MiniLean/0"
    assert "warning: 23 of 24 tasks have no sample (MiniLean/0, MiniRich/1, " in said[0]
    assert "pass@1 is over the other 1" in said[0]


def shown(done: Score) -> str:
    out = Console(file=io.StringIO(), width=100, record=True)
    out.print(to_terminal(score_table(done), 100))
    return out.export_text()


def test_the_interval_is_wilson_s_for_one_sample_a_task(suite: Suite) -> None:
    text = shown(summed([verdict("MiniRich/0", "passed")], suite))
    assert "mini: 1 tasks in 2.0 s, sandbox namespaces" in text
    assert "[20.7, 100.0]" in text


def test_the_interval_is_over_tasks_for_several_samples(suite: Suite) -> None:
    half = [verdict("MiniRich/0", "passed"), verdict("MiniRich/0", "failed")]
    assert "1 tasks, 2 samples" in shown(summed(half, suite))
    assert "50.0 %" in shown(summed(half, suite))
    assert summed(half, suite).base.intervals() == {"pass@1": None}
    two = summed([*half, *[verdict("MiniRich/1", "failed")] * 2], suite)
    low, high = two.base.intervals()["pass@1"] or (1, 0)
    assert 0 <= low < 0.25 < high <= 0.5


def test_the_table_has_a_row_for_each_k(suite: Suite) -> None:
    ten = [verdict("MiniRich/0", "passed")] * 5 + [verdict("MiniRich/0", "failed")] * 5
    ks = [line.replace("│", " ").split() for line in shown(summed(ten, suite)).splitlines()]
    assert [row[:3] for row in ks if row[:1] == ["base"]] == [["base", "1", "50.0"], ["base", "+", "plus"]]
    assert [row[:2] for row in ks if row[:1] == ["10"]] == [["10", "100.0"]] * 2


def test_the_limit_of_a_solution_is_beyond_any_reply() -> None:
    assert samples_module.LARGEST_SOLUTION > 1_000_000


def test_a_weaker_tier_says_what_it_does_not_hold(suite: Suite) -> None:
    weaker = Tier(name="landlock", holds=(), lacks=("names of files", "numbers of processes"))
    done = score([verdict("MiniRich/0", "passed")], suite, 1.0, sandbox=weaker)
    assert done.caution == "sandbox landlock does not hold: names of files; numbers of processes"
    assert done.to_json()["cautions"] == [done.caution]
    assert summed([verdict("MiniRich/0", "passed")], suite).to_json()["cautions"] == []
