"""What commands print of runs: their numbers, in words that can be checked, and no control code."""

import io
from pathlib import Path

import pytest
from rich.console import Console

from dualcode.call import Usage
from dualcode.cli import printing, terminal
from dualcode.errors import UnknownNameError
from dualcode.runs.audit import Audit, Leak
from dualcode.runs.evaluate import Result
from dualcode.runs.store import RunRecords, read_run
from dualcode.runs.summary import ReviewCounts, Summary, summarize
from tests.cli.typed import Run
from tests.made import SOURCES, Story, write_run

PRICE = {"input_per_million": 1e6, "output_per_million": 0.0, "currency": "$"}
CLEAN = Audit(calls=1, strings=1200, programs=3, tasks=1, short=0, shown=0, leaks=())


@pytest.fixture
def records(tmp_path: Path) -> RunRecords:
    stories = {
        "HumanEval/0": Story(plus=True, draft=SOURCES["wrong"], review="revise"),
        "HumanEval/1": Story(plus=False, base=True, review="approve", reason="wrong output"),
        "HumanEval/2": Story(plus=None),
    }
    return read_run(write_run(tmp_path, "review-fix", stories, price=PRICE, tasks=[*stories, "HumanEval/3"]))


def printed(capsys: pytest.CaptureFixture[str], summary: Summary) -> str:
    printing.result(summary, Path("runs/x"))
    return " ".join(capsys.readouterr().out.split())


def test_a_result_has_rates_with_counts_reviews_servers_and_where_it_lies(
    records: RunRecords, capsys: pytest.CaptureFixture[str]
) -> None:
    text = printed(capsys, summarize(records))
    assert "review-fix on HumanEval+" in text
    assert "base 100.0 % [34.2, 100.0] 2 0 1" in text
    assert "base + plus 50.0 % [9.5, 90.5] 1 1 1" in text
    assert "2 reviews · 1 approved · 1 found bugs · 1 fixes" in text
    assert "coder synthetic-coder-14b 4 " in text and "reviewer synthetic-reviewer-32b 2 " in text
    assert "2 of 4 tasks have no verdict; the same command does them again" in text
    assert "run runs/x see " in text and text.endswith("dualcode show runs/x")


def test_odd_things_are_counted_only_where_they_happened(
    records: RunRecords, capsys: pytest.CaptureFixture[str]
) -> None:
    summary = summarize(records)
    plain = printed(capsys, summary)
    assert not any(word in plain for word in ("failed ·", "without content", "requests sent again", "ledger"))
    odd = summary.model_copy(update={"failed_calls": 3, "null_contents": 2, "cut": 4, "retries": 5})
    text = printed(capsys, odd)
    for words in ("3 failed", "2 without content", "4 ended by their token limit", "5 requests sent again"):
        assert words in text


def test_replayed_calls_are_said_beside_what_was_really_spent(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = read_run(write_run(tmp_path, "raw-coder", {"a": Story(plus=True)}, replayed=True, price=PRICE))
    text = printed(capsys, summarize(made))
    assert (
        "1 calls from the ledger, counted above as if made here; really spent: 0 tokens in, 0 out, $0" in text
    )


def test_reviews_off_the_schema_and_unread_ones_are_told(
    records: RunRecords, capsys: pytest.CaptureFixture[str]
) -> None:
    reviews = ReviewCounts(approved=3, revised=1, unread=2, off_schema=4, repaired=2, fixes=1)
    text = printed(capsys, summarize(records).model_copy(update={"reviews": reviews}))
    assert (
        "6 reviews · 3 approved · 1 found bugs · 2 unread · 1 fixes · 4 off the schema (2 repaired)" in text
    )
    assert "warning: 2 of 6 reviews (33%) are unread" in text


def test_thoughts_have_a_column_only_where_a_server_thought(
    records: RunRecords, capsys: pytest.CaptureFixture[str]
) -> None:
    summary = summarize(records)
    assert "thought" not in printed(capsys, summary)
    first, *others = summary.servers
    usage = Usage(prompt_tokens=7, completion_tokens=50, reasoning_tokens=1234)
    thinking = summary.model_copy(update={"servers": (first.model_copy(update={"usage": usage}), *others)})
    text = printed(capsys, thinking)
    assert "thought" in text and "50 1,234" in text


def test_cautions_of_a_weak_sandbox_come_first(
    records: RunRecords, capsys: pytest.CaptureFixture[str]
) -> None:
    text = printed(capsys, summarize(records).model_copy(update={"cautions": ("no network namespace",)}))
    assert text.startswith("no network namespace")


def test_the_comparison_has_a_line_a_run_with_shares_counted_by_hand(tmp_path: Path) -> None:
    right, wrong = Story(plus=True), Story(plus=False)
    made = [
        summarize(read_run(write_run(tmp_path, name, dict(zip("abcd", stories, strict=True)))))
        for name, stories in (("raw-coder", [right, wrong, wrong, wrong]), ("enriched", [right] * 4))
    ]
    table = printing.comparison(made)
    names = [column.name for column in table.columns]
    rows = [dict(zip(names, row, strict=True)) for row in table.rows]
    assert [row["pipeline"] for row in rows] == ["raw-coder", "enriched"]
    assert [row["base + plus"] for row in rows] == ["25.0 %", "100.0 %"]
    assert {row["calls a task"] for row in rows} == {"1.00"}
    assert {row["from the ledger"] for row in rows} == {"0.0 %"}
    tokens = sum(each.usage.prompt_tokens + each.usage.completion_tokens for each in made[0].servers)
    assert rows[0]["tokens"] == f"{tokens:,}"


def test_of_several_runs_notices_are_said_once_and_findings_by_their_pipeline(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    leak = Leak(task_id="a", call=1, step="write", what="test", string="f(1) == 2", excerpt="x f(1)==2 y")
    done = [
        Result(
            folder=tmp_path / name, resumed=0, sandbox=None,
            summary=summarize(read_run(write_run(tmp_path, name, {"a": Story(plus=True)}))).model_copy(
                update={"cautions": ("weak here",)}
            ),
            audit=CLEAN if name == "raw-coder" else CLEAN.model_copy(update={"leaks": (leak,)}),
        )
        for name in ("raw-coder", "plan-code")
    ]  # fmt: skip
    printing.results(done)
    text = " ".join(capsys.readouterr().out.split())
    assert text.count("weak here") == 1
    assert "plan-code: HIDDEN TESTS LEFT THE GRADER: 1 findings" in text
    assert "what the models of 1 of 2 runs were sent" in text
    assert text.index("raw-coder 100.0 %") < text.index("weak here") < text.index("--details")


def test_an_audit_says_what_it_rests_on_and_its_first_finding_or_all() -> None:
    assert printing.audited(CLEAN) == (
        "no hidden test was found in what the models were sent"
        " (1,200 hidden strings looked for in 1 requests and 3 programs)"
    )
    leaks = tuple(
        Leak(
            task_id=task,
            call=call,
            step=step,
            what="test",
            string="f(1) == 2",
            excerpt="e",
            place="schema",
        )
        for task, call, step in (("a", 2, "review"), ("b", 0, "visible"), ("c", 0, "solution"))
    )
    found = CLEAN.model_copy(update={"leaks": leaks, "flaws": ("a call twice", "a sample less")})
    short, long = printing.audited(found), printing.audited(found, every=True)
    assert "a, call 2 (review), schema: test f(1) == 2 in …e…" in short
    assert "b, what the bench ran: " not in short and "b, what the bench ran: " in long
    assert "c, the solution, in lines that no model wrote: " in long
    assert "THE RECORDS DO NOT ANSWER FOR EACH OTHER: 2 findings" in short
    assert "a sample less" not in short and "a sample less" in long


def test_what_an_audit_cannot_tell_is_said_only_where_there_is_some() -> None:
    found = CLEAN.model_copy(
        update={"unasked": tuple("abcdefg"), "unexplained": 2, "unexplained_words": 1500, "unknown_tests": 3,
                "by_chance": 4, "short": 5, "unseen": ("encoded",)}
    )  # fmt: skip
    short, long = printing.audited(found), printing.audited(found, every=True)
    assert "no model wrote 7 of the solutions: a, b, c, d, e, …" in short
    assert "2 requests hold 1,500 words of no known source" in short
    assert "3 calls that the bench ran came from neither" in short and "4 short strings" in short
    assert "too short to tell" not in short and "5 hidden strings are too short to tell" in long
    assert "not seen by this: encoded" in long
    assert "no known source" not in printing.audited(CLEAN, every=True)


def test_the_list_of_tasks_has_what_each_came_to(records: RunRecords) -> None:
    table = printing.task_list(records)
    assert [row[0] for row in table.rows] == [f"HumanEval/{n}" for n in range(4)]
    assert [row[1:3] for row in table.rows] == [
        ("passed", "passed"), ("passed", "failed"), ("errored", "errored"), ("–", "–"),
    ]  # fmt: skip
    assert table.rows[0][3] == "write → review (revise) → fix"
    assert [row[-1] for row in table.rows] == ["", "wrong output", "the server was lost", "not done"]


def test_a_long_reason_is_cut_and_says_so(tmp_path: Path) -> None:
    made = write_run(tmp_path, "raw-coder", {"a": Story(plus=False, reason="r" * 60)})
    assert printing.task_list(read_run(made)).rows[0][-1] == "r" * 39 + "…"


def shown(records: RunRecords, task: str, *, prompts: bool = False) -> str:
    out = Console(file=io.StringIO(), width=200, record=True)
    printing.print_transcript(out, records, task, Path("runs/x"), prompts=prompts)
    return out.export_text()


def test_a_transcript_has_calls_in_order_the_program_and_the_verdict(records: RunRecords) -> None:
    text = shown(records, "HumanEval/0")
    assert text.index("1 coder write") < text.index("2 reviewer review") < text.index("3 coder fix")
    assert "return 3 * n" in text[text.index("program (block)") :]
    assert "base: passed" in text and "plus: passed" in text
    assert "You are an expert" not in text and "You are an expert" in shown(
        records, "HumanEval/0", prompts=True
    )
    assert "base: passed" in shown(records, "HumanEval/1")
    assert "plus: failed, wrong output, on 3" in shown(records, "HumanEval/1")


def test_a_transcript_of_no_task_of_the_run_is_refused(records: RunRecords) -> None:
    with pytest.raises(UnknownNameError, match="HumanEval/9") as refused:
        printing.transcript(records, "HumanEval/9", Path("there/run"))
    assert refused.value.hint == "dualcode show there/run", "where it lies, not what it is called"


def test_nothing_of_a_model_s_text_reaches_the_terminal_as_a_control_code(run: Run, tmp_path: Path) -> None:
    evil = "\x1b[2J\x1b]0;title\x07\x9b31m\rgone"
    story = Story(
        plus=False,
        program=f"x = 1  # {evil}\n",
        review="approve",
        reasoning=evil,
        reason=evil,
        failing_input=evil,
    )
    made = write_run(
        tmp_path / "runs",
        "review-fix",
        {"a": story},
        words=evil,
        prompts={"a": f"def solve(n): # {evil}\n    pass\n"},
    )
    for arguments in (["a"], ["a", "--prompts"]):
        code, out, _ = run("show", made, *arguments)
        assert code == 0
        assert not set(out) & {"\x1b", "\x07", "\x9b", "\r"}
        assert r"\x1b[2J" in out


def test_a_console_folds_nothing_in_a_pipe(capsys: pytest.CaptureFixture[str]) -> None:
    assert terminal.console().width == terminal.PLAIN_WIDTH
    terminal.show("word " * 22)
    assert capsys.readouterr().out.count("\n") == 1
