"""Tables' numbers against arithmetic of their own, counted from the runs' verdicts and calls."""

import math
import re
from collections.abc import Iterator, Sequence
from fractions import Fraction
from statistics import NormalDist
from typing import Any

import pytest

from dualcode.analysis.analyse import Analysis
from dualcode.analysis.runs import Run
from dualcode.published.published import load_published
from dualcode.tables.catalogue import tables
from dualcode.tables.table import Table

PUBLISHED = load_published()
CLOSE = pytest.approx


def table(found: Analysis, name: str) -> Table:
    (made,) = tables(found, PUBLISHED, [name])
    return made


def passed(run: Run, part: str) -> dict[str, bool]:
    """Return which tasks a run passed, from its verdicts alone; those without one are left out."""
    found: dict[str, bool] = {}
    for task, verdict in run.records.verdicts.items():
        outcomes = [verdict.base] if part == "base" else [verdict.base, verdict.plus]
        states = [outcome.status for outcome in outcomes if outcome is not None]
        if "errored" not in states:
            found[task] = all(state == "passed" for state in states)
    return found


def wilson(successes: int, total: int) -> tuple[float, float]:
    """Return Wilson's 95 % interval, as the quadratic's roots."""
    z = NormalDist().inv_cdf(0.975)
    share = successes / total
    a, b, c = 1 + z * z / total, -(2 * share + z * z / total), share * share
    root = math.sqrt(b * b - 4 * a * c)
    return max(0.0, (-b - root) / (2 * a)), min(1.0, (-b + root) / (2 * a))


def mcnemar(gained: int, lost: int) -> Fraction:
    """Return the exact two-sided p of so many changes each way, by counting coins."""
    changes = gained + lost
    tail = sum(math.comb(changes, k) for k in range(min(gained, lost) + 1))
    return min(Fraction(1), Fraction(2 * tail, 2**changes))


def holm(values: Sequence[float]) -> list[float]:
    """Return the step-down corrected values."""
    corrected = [0.0] * len(values)
    reached = 0.0
    for place, at in enumerate(sorted(range(len(values)), key=lambda n: values[n])):
        reached = max(reached, min(1.0, (len(values) - place) * values[at]))
        corrected[at] = reached
    return corrected


def number(text: str) -> float:
    return float(text.replace("−", "-").replace(",", "").rstrip(" %").lstrip("$"))


def pairs(found: Analysis, dataset: str) -> Iterator[tuple[Run, Run]]:
    """Yield the baseline's run with each other of its dataset."""
    base = found.run(dataset, "raw-coder")
    assert base is not None
    for run in found.runs:
        if run.dataset == dataset and run is not base:
            yield base, run


@pytest.fixture(scope="module")
def main(study: Analysis) -> Table:
    return table(study, "table-2")


def test_pass_at_1_is_the_share_of_graded_tasks_that_passed(study: Analysis, main: Table) -> None:
    for run in study.runs:
        if run.dataset == "humaneval":
            row = _exact(main, run.pipeline)
            for part, column in (("base", "HumanEval"), ("plus", "HumanEval+")):
                own = passed(run, part)
                share = 100 * sum(own.values()) / len(own)
                assert row[column] == f"{share:.1f} % ({sum(own.values())}/{len(own)})"
                low, high = wilson(sum(own.values()), len(own))
                assert row[f"{column}, 95 %"] == f"[{100 * low:.1f}, {100 * high:.1f}]"


def _exact(table: Table, pipeline: str) -> dict[str, str]:
    names = [column.name for column in table.columns]
    (row,) = [cells for cells in table.rows if pipeline in cells[:3]]
    return dict(zip(names, row, strict=True))


def test_differences_are_over_the_tasks_that_both_graded(study: Analysis, main: Table) -> None:
    for base, run in pairs(study, "humaneval"):
        before, after = passed(base, "plus"), passed(run, "plus")
        both = before.keys() & after.keys()
        delta = 100 * sum(after[task] - before[task] for task in both) / len(both)
        assert number(_exact(main, run.pipeline)["Δ (pp)"]) == CLOSE(delta, abs=0.051)


def test_p_is_mcnemar_s_and_p_holm_is_corrected_over_all_that_are_shown(study: Analysis, main: Table) -> None:
    exact: list[float] = []
    shown: list[tuple[str, str] | None] = []
    for dataset in study.datasets:
        for base, run in pairs(study, dataset):
            before, after = passed(base, "plus"), passed(run, "plus")
            both = before.keys() & after.keys()
            gained = sum(after[task] and not before[task] for task in both)
            lost = sum(before[task] and not after[task] for task in both)
            exact.append(float(mcnemar(gained, lost)))
            row = _exact(main, run.pipeline) if dataset == "humaneval" else None
            shown.append((row["p"], row["p Holm"]) if row else None)
    for plain, corrected, texts in zip(exact, holm(exact), shown, strict=True):
        if texts is not None:
            for value, text in ((plain, texts[0]), (corrected, texts[1])):
                assert text == ("< 0.001" if value < 0.001 else f"{value:#.3g}")


def test_errored_tasks_widen_an_interval_from_all_failed_to_all_passed(study: Analysis, main: Table) -> None:
    run = study.run("humaneval", "plan-code")
    assert run is not None
    own, total = passed(run, "plus"), len(run.tasks)
    missing = total - len(own)
    low, high = wilson(sum(own.values()), total)[0], wilson(sum(own.values()) + missing, total)[1]
    assert missing == 2
    assert _exact(main, "plan-code")["errored"] == f"2: [{100 * low:.1f}, {100 * high:.1f}]"


def test_the_gap_of_two_suites_is_the_difference_of_their_deltas(study: Analysis) -> None:
    made = table(study, "table-3")
    for base, run in pairs(study, "humaneval"):
        other, lean = study.run("mbpp", "raw-coder"), study.run("mbpp", run.pipeline)
        assert other is not None and lean is not None
        deltas: list[float] = []
        for one, two in ((base, run), (other, lean)):
            before, after = passed(one, "plus"), passed(two, "plus")
            both = before.keys() & after.keys()
            deltas.append(100 * sum(after[task] - before[task] for task in both) / len(both))
        row = _exact(made, run.pipeline)
        assert number(row["HumanEval+, Δ (pp)"]) == CLOSE(deltas[0], abs=0.051)
        assert number(row["MBPP+, Δ (pp)"]) == CLOSE(deltas[1], abs=0.051)
        assert number(row["gap (pp)"]) == CLOSE(deltas[0] - deltas[1], abs=0.101)


def test_a_ratio_stands_only_where_the_gap_s_value_has_one(study: Analysis) -> None:
    made = table(study, "table-3")
    for values in made.values[1:]:
        text = _exact(made, values["pipeline"])["ratio"]
        gap = values["ours"]["gap"]
        assert (text == "–") == (gap["ratio"] is None)
        if gap["ratio"] is not None:
            assert gap["ratio"] == CLOSE(gap["rich"]["delta"] / gap["lean"]["delta"])


def test_calls_tokens_and_seconds_a_task_are_counted_from_the_calls(study: Analysis) -> None:
    made = table(study, "pipelines")
    rows = [dict(zip((column.name for column in made.columns), row, strict=True)) for row in made.rows]
    for run, row in zip(study.runs, rows, strict=True):
        calls, tasks = run.records.calls, len(run.tasks)
        assert row["Pipeline"] == run.pipeline
        assert row["calls/task"] == f"{len(calls) / tasks:.2f}"
        tokens = sum(
            a.usage.prompt_tokens + a.usage.completion_tokens for call in calls for a in call.attempts
        )
        assert number(row["tokens/task"]) == CLOSE(tokens / tasks, abs=0.51)
        (session,) = run.records.manifest.sessions
        assert session.ended is not None
        assert number(row["wall s/task"]) == CLOSE((session.ended - session.started) / tasks, abs=0.051)


def test_money_by_the_hour_is_price_times_wall_time_for_each_server(study: Analysis) -> None:
    made = table(study, "costs")
    names = [column.name for column in made.columns]
    for row in made.rows:
        cells = dict(zip(names, row, strict=True))
        assert number(cells["money"]) == CLOSE(number(cells["wall s"]) / 3600, rel=1e-2)  # $1 an hour


def test_costs_of_a_server_are_those_of_its_own_calls(study: Analysis) -> None:
    made = table(study, "costs")
    names = [column.name for column in made.columns]
    suites = {"humaneval": "HumanEval+", "mbpp": "MBPP+"}
    seen = 0
    for row in made.rows:
        cells = dict(zip(names, row, strict=True))
        (run,) = [
            each for each in study.runs
            if each.pipeline == cells["Pipeline"] and suites[each.dataset] == cells["Suite"]
        ]  # fmt: skip
        own = [call for call in run.records.calls if call.endpoint == cells["Server"]]
        assert number(cells["alone: tokens in"]) == sum(call.usage.prompt_tokens for call in own)
        assert number(cells["out"]) == sum(call.usage.completion_tokens for call in own)
        assert cells["spent: out"] == cells["out"], "nothing was replayed"
        seen += len(own)
    assert seen == sum(len(run.records.calls) for run in study.runs)


def test_reviews_are_counted_against_the_truth_of_their_drafts(study: Analysis) -> None:
    made = table(study, "reviewers")
    names = [column.name for column in made.columns]
    whole = [dict(zip(names, row, strict=True)) for row in made.rows if row[2].startswith("all")]
    assert whole, made.rows[0]
    for cells in whole:
        dataset = "humaneval" if cells["Suite"].startswith("HumanEval") else "mbpp"
        run, base = study.run(dataset, cells["Pipeline"]), study.run(dataset, "raw-coder")
        assert run is not None and base is not None
        truth = passed(base, "plus")  # the drafts are raw-coder's own programs
        said = {call.task_id: call.verdict for call in run.records.calls if call.step == "review"}
        found = sum(verdict == "revise" and not truth[task] for task, verdict in said.items())
        missed = sum(verdict == "approve" and not truth[task] for task, verdict in said.items())
        rejected = sum(verdict == "revise" and truth[task] for task, verdict in said.items())
        assert [number(cells[name]) for name in ("wrong, found", "wrong, approved", "right, rejected")] == [
            found, missed, rejected,
        ]  # fmt: skip
        assert cells["precision"] == f"{100 * found / (found + rejected):.1f} % ({found}/{found + rejected})"
        assert cells["recall"] == f"{100 * found / (found + missed):.1f} % ({found}/{found + missed})"
        after = passed(run, "plus")
        helped = sum(said[task] == "revise" and not truth[task] and after[task] for task in said)
        broke = sum(said[task] == "revise" and truth[task] and not after[task] for task in said)
        assert (number(cells["fixes that helped"]), number(cells["broke"])) == (helped, broke)


def test_quartiles_of_richness_add_up_to_the_whole(study: Analysis) -> None:
    made = table(study, "reviewers")
    names = [column.name for column in made.columns]
    counted = ("reviewed", "wrong, found", "wrong, approved", "right, rejected", "right, approved", "broke")
    totals: dict[tuple[str, str], dict[str, float]] = {}
    for row in made.rows:
        cells = dict(zip(names, row, strict=True))
        key = cells["Suite"], cells["Pipeline"]
        if cells["Tasks"].startswith("all"):
            totals[key] = {name: number(cells[name]) for name in counted}
        else:
            for name in counted:
                totals[key][name] -= number(cells[name])
    assert all(not any(left.values()) for left in totals.values())


def test_regressions_are_the_tasks_that_the_baseline_solved_and_a_run_did_not(study: Analysis) -> None:
    made = table(study, "regressions")
    names = [column.name for column in made.columns]
    last = dict(zip(names, made.rows[-1], strict=True))
    assert last["Class"] == "all"
    for name, text in list(last.items())[1:-1]:
        pipeline, suite = name.split(", ")
        dataset = "humaneval" if suite == "HumanEval+" else "mbpp"
        base, run = study.run(dataset, "raw-coder"), study.run(dataset, pipeline)
        assert base is not None and run is not None
        after = passed(run, "plus")
        lost = [task for task, right in passed(base, "plus").items() if right and not after.get(task)]
        assert int(text) == len(lost)
        at = names.index(name)
        assert sum(int(row[at]) for row in made.rows[:-1]) == int(text)


def test_published_columns_hold_the_published_numbers_alone(study: Analysis, main: Table) -> None:
    for score in PUBLISHED.scores:
        if score.place == "Table 2" and score.suite in ("HumanEval", "HumanEval+"):
            assert _exact(main, score.pipeline)[f"{score.suite} (paper)"] == f"{score.percent:.1f} %"
    for made in tables(study, PUBLISHED):
        for column in made.columns:
            marked = re.search(r"\((paper|published)\)", column.name) is not None
            assert marked == column.published, (made.name, column.name)


def test_the_leaderboard_is_in_the_order_of_its_published_numbers(study: Analysis) -> None:
    made = table(study, "table-4")
    at = [column.name for column in made.columns].index("HumanEval+ (published)")
    shown = [number(row[at]) for row in made.rows if row[at] != "–"]
    assert shown == sorted(shown, reverse=True) and len(shown) == 5


def test_values_are_the_numbers_behind_the_texts(study: Analysis) -> None:
    made = table(study, "table-2")
    for values in made.values:
        ours: dict[str, Any] | None = values["ours"]
        if ours is None:
            continue
        rate = ours["scores"]["plus"]["rate"]
        row = _exact(made, values["pipeline"])
        assert (
            row["HumanEval+"]
            == f"{100 * rate['passed'] / rate['total']:.1f} % ({rate['passed']}/{rate['total']})"
        )


def test_every_table_of_a_study_names_the_runs_that_its_numbers_are_of(study: Analysis) -> None:
    ids = {run.id for run in study.runs}
    for made in tables(study, PUBLISHED):
        assert set(made.runs) <= ids
        assert bool(made.runs) == any(values.get("ours") for values in made.values)
