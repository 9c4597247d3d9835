"""The published numbers fit together, and where they do not, a contradiction says so."""

import re
import tomllib
from typing import get_args

import pytest
from pydantic import ValidationError

from dualcode.analysis.failures import FailureClass
from dualcode.errors import UnknownNameError
from dualcode.pipelines import builtins
from dualcode.published.published import PUBLISHED, Published, PublishedScore, count_of, load_published
from dualcode.suites.registry import find_entry

PAPER = load_published()
PLACE = re.compile(
    r"abstract|section \d(\.\d)?|Table [1-4]|Figure [1-5]|"
    r"EvalPlus leaderboard; HumanEval\+ and the note: Table 4"
)
BY_COUNTS = {("HumanEval+", "adversarial"), ("MBPP+", "review-fix"), ("MBPP+", "enriched")}
"""The deltas that the counts behind the percentages would print otherwise; `rounding` names them."""


def score(suite: str, pipeline: str) -> PublishedScore:
    found = PAPER.score(suite, pipeline)
    assert found is not None
    return found


def passed(suite: str, pipeline: str) -> int:
    found = PAPER.passed(suite, pipeline)
    assert found is not None
    return found


def contradiction(name: str) -> str:
    (found,) = [each for each in PAPER.contradictions if each.name == name]
    return f"{found.says} {found.but} {found.reading}"


def named(score: PublishedScore) -> str:
    return f"{score.pipeline} on {score.suite}"


@pytest.mark.parametrize("each", PAPER.scores, ids=named)
def test_every_percentage_is_one_whole_number_of_tasks(each: PublishedScore) -> None:
    total = PAPER.suites[each.suite]
    assert f"{100 * count_of(each.percent, total) / total:.1f}" == f"{each.percent:.1f}"


def test_leaderboard_percentages_are_whole_numbers_of_tasks_too() -> None:
    for entry in PAPER.leaderboard:
        assert entry.scores.keys() == PAPER.suites.keys()
        for suite, percent in entry.scores.items():
            total = PAPER.suites[suite]
            assert f"{100 * count_of(percent, total) / total:.1f}" == f"{percent:.1f}"


@pytest.mark.parametrize("each", [each for each in PAPER.scores if each.delta is not None], ids=named)
def test_deltas_are_differences_of_what_is_printed(each: PublishedScore) -> None:
    assert each.delta == pytest.approx(each.percent - score(each.suite, "raw-coder").percent)


def test_deltas_that_counts_would_print_otherwise_are_the_ones_listed() -> None:
    otherwise: set[tuple[str, str]] = set()
    for each in PAPER.scores:
        if each.delta is not None:
            net = passed(each.suite, each.pipeline) - passed(each.suite, "raw-coder")
            if f"{100 * net / PAPER.suites[each.suite]:.1f}" != f"{each.delta:.1f}":
                otherwise.add((each.suite, each.pipeline))
    assert otherwise == BY_COUNTS
    assert "14/164 = +8.5 and 9/378 = +2.4" in contradiction("rounding")


def test_no_number_stands_twice() -> None:
    keys = [(each.suite, each.pipeline) for each in PAPER.scores]
    assert len(set(keys)) == len(keys)
    for names in (
        [each.name for each in PAPER.numbers],
        [each.model for each in PAPER.leaderboard],
        [each.name for each in PAPER.contradictions],
        [each.number for each in PAPER.figures],
    ):
        assert len(set(names)) == len(names)


def test_every_number_has_a_place_in_the_paper() -> None:
    records = (*PAPER.scores, *PAPER.models, *PAPER.leaderboard, *PAPER.regressions, *PAPER.numbers)
    places = [each.place for each in records]
    places += [place for each in (*PAPER.scores, *PAPER.numbers) for place in each.also]
    places += [place for each in PAPER.contradictions for place in each.places]
    assert all(PLACE.match(place) for place in places), places
    assert all(each.places for each in PAPER.contradictions)


def test_tables_are_whole() -> None:
    configurations = (
        "raw-coder",
        "raw-planner",
        "plan-code",
        "review-fix",
        "review-fix-retry",
        "adversarial",
    )
    assert {(each.suite, each.pipeline) for each in PAPER.scores if each.place == "Table 2"} == {
        (suite, name) for suite in ("HumanEval", "HumanEval+") for name in configurations
    }
    in_3 = {(each.suite, each.pipeline) for each in PAPER.scores if "Table 3" in (each.place, *each.also)}
    assert in_3 == {
        (suite, name) for suite in ("HumanEval+", "MBPP+") for name in ("raw-coder", "review-fix", "enriched")
    }
    assert [each.role for each in PAPER.models] == ["coder", "reviewer"]
    assert len(PAPER.leaderboard) == 4


def test_names_are_those_of_our_pipelines_suites_and_classes() -> None:
    assert {each.pipeline for each in PAPER.scores} == PAPER.names.keys() <= builtins().keys()
    assert {each.kind for each in PAPER.regressions} <= set(get_args(FailureClass))
    assert PAPER.suites["HumanEval+"] == find_entry("humaneval+").size
    assert PAPER.suites["MBPP+"] == find_entry("mbpp+").size
    assert PAPER.number("problems").value == PAPER.suites["HumanEval+"] + PAPER.suites["MBPP+"]


def test_figures_draw_what_is_published() -> None:
    assert [each.number for each in PAPER.figures] == [1, 2, 3, 4, 5]
    for figure in PAPER.figures:
        for suite in figure.suites:
            assert all(PAPER.score(suite, name) for name in figure.pipelines), figure.number


def test_headline_gain_is_that_of_another_row() -> None:
    gain = PAPER.number("headline-gain").value
    assert gain != score("HumanEval+", "review-fix-retry").delta
    assert gain == score("HumanEval+", "enriched").delta
    assert "+12.2" in contradiction("headline gain")


def test_regressions_less_improvements_fit_base_humaneval_alone() -> None:
    net = PAPER.number("plan-improvements").value - PAPER.number("plan-regressions").value
    assert passed("HumanEval", "plan-code") - passed("HumanEval", "raw-coder") == net
    assert passed("HumanEval+", "plan-code") - passed("HumanEval+", "raw-coder") != net
    assert "133 to 132" in contradiction("regressions")
    assert "128 to 124" in contradiction("regressions")


def test_bars_of_figure_5_add_up_to_its_title() -> None:
    assert sum(each.count for each in PAPER.regressions) == PAPER.number("plan-regressions").value


def test_figure_1_beats_gpt_4o_by_one_task_and_o1_preview_not_at_all() -> None:
    leaders = {each.model: each.scores["HumanEval+"] for each in PAPER.leaderboard}
    plain, retried = (
        score("HumanEval+", "review-fix").percent,
        score("HumanEval+", "review-fix-retry").percent,
    )
    assert passed("HumanEval+", "review-fix") - count_of(leaders["GPT-4o"], 164) == 1
    assert leaders["GPT-4o"] < plain < leaders["O1 Preview"] < retried
    assert "by one task of 164" in contradiction("figure 1")
    assert "below O1 Preview" in contradiction("fair comparison")


def test_seven_calls_are_more_than_the_pipeline_and_its_retries_make() -> None:
    most = PAPER.number("calls").high
    core = PAPER.number("core-calls").high
    assert most is not None
    assert core is not None
    assert core + PAPER.number("retries").value == most - 1 == 6
    assert builtins()["review-fix-retry"].calls == (2, 6)


def test_gap_is_the_ratio_of_the_printed_deltas() -> None:
    rich, lean = score("HumanEval+", "review-fix").delta, score("MBPP+", "review-fix").delta
    assert rich is not None
    assert lean is not None
    assert round(rich / lean) == PAPER.number("gap").value


def test_enrichment_gains_what_the_text_says() -> None:
    gain = score("HumanEval+", "enriched").percent - score("HumanEval+", "review-fix").percent
    assert gain == pytest.approx(PAPER.number("enriched-over-review").value)


def test_gate_lost_six_tasks_on_the_suite_called_rich() -> None:
    lost = {suite: passed(suite, "review-fix") - passed(suite, "gated") for suite in ("HumanEval+", "MBPP+")}
    assert lost == {"HumanEval+": 6, "MBPP+": 3}
    assert "six net, and three on MBPP+" in contradiction("rich suite")


@pytest.mark.parametrize(
    ("role", "layers", "width", "inner", "queries", "vocabulary", "bits_alone", "all_weights"),
    [
        ("coder", 48, 5120, 13824, 5120, 152064, 7, "9.3"),
        ("reviewer", 64, 5120, 25600, 8192, 151936, 16, "18.0"),
    ],
)
def test_printed_memory_leaves_no_room_beyond_the_weights(
    role: str,
    layers: int,
    width: int,
    inner: int,
    queries: int,
    vocabulary: int,
    bits_alone: int,
    all_weights: str,
) -> None:
    """The shapes are those of the models' own config.json (untied embeddings, 1024 wide keys and values)."""
    (printed,) = [each for each in PAPER.models if each.role == role]
    vram = float(printed.vram.strip("~GB"))
    assert float(printed.parameters.strip("B")) * 4 / 8 == bits_alone
    assert 0 < vram - bits_alone <= 2
    linear = layers * (2 * width * queries + 2 * width * 1024 + 3 * width * inner)
    packed = linear * (4 + (16 + 4) / 128) / 8 + 2 * vocabulary * width * 2
    assert f"{packed / 2**30:.1f}" == all_weights
    assert vram * 1e9 < packed
    assert f"{all_weights} GiB" in contradiction("memory")


def test_an_unknown_number_is_refused_with_the_known_ones() -> None:
    with pytest.raises(UnknownNameError, match="nearest: plan-regressions"):
        PAPER.number("plan-regression")


def test_key_that_nobody_reads_is_refused() -> None:
    data = tomllib.loads(PUBLISHED.read_text())
    data["scores"][0]["percnet"] = 1.0
    with pytest.raises(ValidationError, match="percnet"):
        Published.model_validate(data)


def test_file_is_read_once() -> None:
    assert load_published() is load_published()
