"""Reviewers on the bench: programs of known truth, rates recovered, and resumption."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from dualcode.analysis.trial import Standing, standings
from dualcode.bench.bench import ScriptedBench
from dualcode.call import Request
from dualcode.config import Price
from dualcode.errors import EndpointError, InputError, RunError, UnknownNameError
from dualcode.models.scripted import Answer, ScriptedChat
from dualcode.reviews.cases import Case, make_cases, plain
from dualcode.reviews.prompt_sets import BUILT_IN, find_form
from dualcode.reviews.trial import LOST_IN_A_ROW, Reviewer, hold
from dualcode.sampling import PAPER
from dualcode.suites.registry import load_suite
from dualcode.task import Task
from dualcode.team import Seat
from dualcode.verdict import Outcome, Verdict
from tests.cli.typed import Run
from tests.fake_server import Answer as Served
from tests.fake_server import FakeServer, serve

TASK = Task(id="T/0", prompt='def f(n):\n    """Return n."""\n', entry_point="f")


def cases(right: int, wrong: int) -> list[Case]:
    """Programs that each have a number of their own."""
    texts = [f"def f(n):\n    return n + {at}\n" for at in range(right + wrong)]
    return [
        Case(task_id="T/0", program=text, right=at < right, change="" if at < right else "constant")
        for at, text in enumerate(texts)
    ]


def number(request: Request) -> int:
    return int(request.messages[1].content.split("return n + ")[1].split()[0])


def revise(*findings: dict[str, str]) -> str:
    return json.dumps({"verdict": "revise", "findings": findings})


APPROVE = json.dumps({"verdict": "approve", "findings": []})


def made(folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    return folder


async def held(
    answer: Callable[[Request], Answer],
    programs: list[Case],
    folder: Path,
    *,
    form: str = "findings",
    bench: ScriptedBench | None = None,
    price: Price | None = None,
) -> list[Standing]:
    seat = Seat("reviewer", ScriptedChat(answer), PAPER, 2000, 64)
    reviewers = [Reviewer(seat, find_form(form), thinking=False, price=price)]
    reviews = await hold(
        programs, {"T/0": TASK}, reviewers, bench or ScriptedBench(), made(folder) / "reviews.jsonl",
        at_once=1, tell=lambda _: None,
    )  # fmt: skip
    return standings(reviews)


@pytest.mark.parametrize(("hit", "alarm"), [(80, 25), (100, 0), (0, 100), (37, 5)])
async def test_the_rates_of_a_scripted_reviewer_are_recovered(tmp_path: Path, hit: int, alarm: int) -> None:
    """Of 100 right and 200 wrong programs, the reviewer rejects exactly so many of a hundred."""

    def answer(request: Request) -> str:
        at = number(request)
        rejects = at < alarm if at < 100 else (at - 100) % 100 < hit
        return json.dumps({"verdict": "revise" if rejects else "approve"})

    [row] = await held(answer, cases(100, 200), tmp_path, form="verdict")
    assert row.confusion.recall is not None and row.confusion.specificity is not None
    assert row.confusion.recall.value == pytest.approx(hit / 100)
    assert row.confusion.recall.low <= hit / 100 <= row.confusion.recall.high
    assert row.confusion.specificity.value == pytest.approx(1 - alarm / 100)
    assert (row.confusion.recall.total, row.confusion.specificity.total) == (200, 100)


FINDING = {"where": "x", "actual": "y", "expected": "z"}


def claim(does: str) -> str:
    return json.dumps({"claims": [{"finding": 1, "call": "f(1)", "does": does, "ought": "returns 9"}]})


@pytest.mark.parametrize("form", ["findings", "values"])
async def test_what_findings_are_worth_is_recovered_in_both_forms_that_have_them(
    tmp_path: Path, form: str
) -> None:
    """Of 10 false alarms 7 misread the code, of 20 hits 3: m and n of the simulator."""

    def answer(request: Request) -> str:
        at = number(request)
        false = at < 7 or 10 <= at < 13
        does = "returns 2" if false else "returns 1"
        if form == "values":
            return revise(FINDING | {"call": "f(1)", "does": does, "ought": "returns 9"})
        return claim(does) if "claims" in request.messages[-1].content else revise(FINDING)

    bench = ScriptedBench(outcomes={("return n", "f(1)"): "returned 1"})
    [row] = await held(answer, cases(10, 20), tmp_path, form=form, bench=bench)
    assert (row.alarms_refuted, row.alarms, row.hits_refuted, row.hits) == (7, 10, 3, 20)
    assert (row.on_right.confirmed, row.on_wrong.confirmed, row.on_wrong.refuted) == (3, 17, 3)
    assert row.truthful is not None and row.truthful.value == pytest.approx(20 / 30)


async def test_the_findings_form_is_word_for_word_the_review_of_the_pipelines(tmp_path: Path) -> None:
    from dualcode.solution import Program
    from dualcode.steps.review import reviewing

    program = Program(text=cases(1, 0)[0].program, compiles=True, defines_entry_point=True, how="suite")
    assert find_form("findings").messages(TASK, program) == reviewing(TASK, program)


async def test_an_unread_review_is_in_no_rate(tmp_path: Path) -> None:
    def answer(request: Request) -> str:
        return "hm" if "return n + 0" in request.messages[1].content else APPROVE

    [row] = await held(answer, cases(2, 1), tmp_path)
    assert row.confusion.off_schema == 1
    assert row.confusion.specificity is not None and row.confusion.specificity.total == 1


async def test_what_is_on_file_is_not_asked_again_and_a_torn_line_costs_only_itself(tmp_path: Path) -> None:
    asked: list[int] = []

    def answer(request: Request) -> str:
        asked.append(number(request))
        return APPROVE

    first = await held(answer, cases(2, 3), tmp_path)
    assert len(asked) == 5
    file = tmp_path / "reviews.jsonl"
    file.write_text(file.read_text().rstrip()[:-20] + "\n")
    again = await held(answer, cases(2, 4), tmp_path)
    assert len(asked) == 7  # the torn one, and one program more
    assert first[0].confusion.true_negative == again[0].confusion.true_negative == 2


async def test_another_wording_is_another_form(tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "review.md").write_text("Is this right? {{ program.text }} for {{ task.prompt }}")
    (folder / "form.toml").write_text('answer = "verdict"\n')
    before = find_form(str(folder))
    assert (before.name, before.answer) == ("mine", "verdict")
    [row] = await held(lambda _: '{"verdict": "approve"}', cases(1, 1), tmp_path, form=str(folder))
    assert (row.form, row.reviews) == ("mine", 2)
    (folder / "review.md").write_text("Is this wrong? {{ program.text }}")
    assert find_form(str(folder)).checksum != before.checksum


@pytest.mark.parametrize(
    ("files", "error", "said"),
    [
        (None, UnknownNameError, "verdict"),
        ({}, InputError, "has no review.md"),
        ({"review.md": "x", "form.toml": "answer = 'prose'"}, InputError, "answer"),
        ({"review.md": "x", "form.toml": "answer ="}, InputError, "cannot be read"),
    ],
)
def test_a_form_that_is_none_is_refused(
    tmp_path: Path, files: dict[str, str] | None, error: type[Exception], said: str
) -> None:
    folder = tmp_path / "form"
    if files is not None:
        folder.mkdir()
        for name, text in files.items():
            (folder / name).write_text(text)
    with pytest.raises(error, match=said):
        find_form(str(folder))


async def test_a_template_that_asks_for_what_is_not_there_is_named(tmp_path: Path) -> None:
    (tmp_path / "review.md").write_text("{{ nothing }}")
    with pytest.raises(InputError, match=r"review\.md cannot be filled in"):
        await held(lambda _: APPROVE, cases(1, 0), tmp_path, form=str(tmp_path))


async def test_a_lost_server_ends_the_trial_and_what_was_done_stays(tmp_path: Path) -> None:
    done: list[int] = []

    def answer(request: Request) -> Answer:
        done.append(1)
        return EndpointError("connection lost") if len(done) > 2 else APPROVE

    with pytest.raises(RunError, match="connection lost"):
        await held(answer, cases(4, 6), tmp_path)
    assert len(done) == 2 + LOST_IN_A_ROW
    assert len((tmp_path / "reviews.jsonl").read_text().splitlines()) == 2


async def test_a_review_s_price_is_its_own_tokens_and_unknown_is_not_zero(tmp_path: Path) -> None:
    price = Price(input_per_million=0, output_per_million=1e6)
    [row] = await held(lambda _: APPROVE, cases(1, 0), tmp_path / "a", price=price)
    assert row.money == len(APPROVE.split())
    [unpriced] = await held(lambda _: APPROVE, cases(1, 0), tmp_path / "b")
    assert unpriced.money is None


class Judge:
    """Passes what contains no doubled sign."""

    def __init__(self) -> None:
        self.graded: list[str] = []

    async def grade(self, task_id: str, program: str) -> Verdict:
        self.graded.append(program)
        right = program == plain(SUITE.hidden[task_id].reference()) or len(self.graded) % 2
        passed, failed = Outcome(status="passed"), Outcome(status="failed", reason="x", cause="wrong_output")
        return Verdict.of(task_id, base=passed if right else failed, plus=passed)

    async def close(self) -> None:
        """Do nothing."""


SUITE = load_suite("mini").select(3)


async def test_only_mutants_that_the_tests_tell_apart_are_cases_and_each_is_graded_once(
    tmp_path: Path,
) -> None:
    judge, file = Judge(), tmp_path / "cases.jsonl"

    async def make() -> tuple[list[Case], list[str]]:
        return await make_cases(SUITE, judge, file, mutants=2, seed=0, tell=lambda _: None)

    made, missing = await make()
    assert [sum(case.right for case in made), missing] == [3, []]
    assert sum(not case.right for case in made) == 6
    assert all(case.change for case in made if not case.right)
    graded = len(judge.graded)
    assert (await make())[0] == made
    assert len(judge.graded) == graded
    assert len({case.key for case in made}) == 9


def test_right_and_wrong_programs_are_written_alike() -> None:
    text = plain('import math\n\ndef f(n):\n    """Doc."""  # why\n    return (n)\n\nclass A:\n    "Doc."\n')
    assert text == "import math\n\ndef f(n):\n    return n\n\nclass A:\n    pass\n"
    assert plain("def f(:") == ""


@pytest.fixture
def server(team: Callable[[FakeServer], Path]) -> Iterator[FakeServer]:
    with serve(Served()) as found:
        team(found)
        yield found


def test_the_command_prints_a_row_a_form_and_goes_on_where_it_was(run: Run, server: FakeServer) -> None:
    def respond(body: dict[str, Any]) -> Served:
        return Served(content=APPROVE if '"findings"' in str(body["messages"]) else '{"verdict": "approve"}')

    server.respond = respond
    line = ("reviewer", "bench", "--suite", "mini", "--limit", "2", "--team", "team.toml", "--quiet")
    code, out, _ = run(*line, "--json")
    found = json.loads(out)
    assert code == 0
    assert [each["form"] for each in found["rows"]] == list(BUILT_IN)
    assert (found["right"], found["wrong"]) == (2, 4)
    assert [each["specificity"]["value"] for each in found["rows"]] == [1.0, 1.0, 1.0]
    asked = len(server.bodies)
    code, out, _ = run(*line)
    assert (code, len(server.bodies)) == (0, asked)
    assert "2 right and 4 wrong programs" in out


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--suite", "no-such"], "no-such"),
        (["--suite", "mini", "--form", "nope"], "no form of a review is named 'nope'"),
        (["--suite", "mini", "--roles", "judge"], "needs the role 'judge'"),
    ],
)
def test_bad_input_of_the_bench_is_named(run: Run, server: FakeServer, more: list[str], said: str) -> None:
    code, out, err = run("reviewer", "bench", *more, "--team", "team.toml")
    assert (code, out) == (2, "")
    assert said in err


def test_the_reviewer_of_runs_is_still_judged_without_a_command_s_name(run: Run, tmp_path: Path) -> None:
    from tests.cli.typed import finished

    for folder in finished(tmp_path / "runs"):
        assert folder.is_dir()
    short = run("reviewer", "runs", "--no-grade")
    assert short[0] == 0
    assert short == run("reviewer", "judge", "runs", "--no-grade")
    assert short == run("reviewer", "--no-grade", "runs")
