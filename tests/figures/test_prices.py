"""The efficiency figure and the servers: prices counted from the records, and points where they belong."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dualcode.analysis.analyse import Analysis, analyse
from dualcode.figures import costs
from dualcode.figures.sheet import Sheet
from dualcode.figures.style import BLUE, DOUBLE
from tests.figures import artists
from tests.figures.synthetic import PAPERS, analysis
from tests.made import held

CLOSE = pytest.approx


@pytest.fixture(scope="module")
def priced(paper: Analysis) -> tuple[costs.Efficiency, Sheet]:
    return artists.drawn("efficiency", paper)


def flat(data: costs.Efficiency) -> list[costs.Panel]:
    return [panel for row in data.panels for panel in row]


def test_each_suite_has_calls_tokens_and_money_in_this_order(
    priced: tuple[costs.Efficiency, Sheet],
) -> None:
    units = [[panel.unit for panel in row] for row in priced[0].panels]
    assert units == [["calls a task", "completion tokens a task", "$ a task"]] * 2


def test_without_a_price_calls_and_tokens_are_left(tmp_path: Path) -> None:
    data, sheet = artists.drawn("efficiency", analysis(tmp_path, ["raw-coder", "review-fix"], count=5))
    assert [panel.unit for panel in flat(data)] == ["calls a task", "completion tokens a task"] * 2
    assert sheet.width == DOUBLE and len(artists.panels(sheet)) == 4


def test_calls_and_tokens_a_task_are_counted_from_the_records_thoughts_included(paper: Analysis) -> None:
    data = costs.efficiency(paper, artists.PUBLISHED)
    for dataset, row in zip(paper.datasets, data.panels, strict=True):
        for at, counted in enumerate((_calls, _tokens)):
            for point in row[at].points:
                run = paper.run(dataset, point.pipeline)
                assert run is not None
                assert point.x == CLOSE(counted(run.records.calls) / len(run.tasks)), point.pipeline


def _calls(calls: Sequence[Any]) -> float:
    return len(calls)


def _tokens(calls: Sequence[Any]) -> float:
    return sum(attempt.usage.completion_tokens for call in calls for attempt in call.attempts)


def test_replayed_calls_count_as_they_were_made(tmp_path: Path) -> None:
    plain = analysis(tmp_path / "a", ["raw-coder"], ["humaneval"], count=5)
    replayed = analysis(tmp_path / "b", ["raw-coder"], ["humaneval"], count=5, replayed=True)
    values = [
        [point.x for panel in flat(costs.efficiency(each, artists.PUBLISHED)) for point in panel.points]
        for each in (plain, replayed)
    ]
    assert values[0] == values[1]


def test_each_point_stands_at_its_price_and_pass_at_1_with_one_whisker(
    priced: tuple[costs.Efficiency, Sheet],
) -> None:
    data, sheet = priced
    for panel, axes in zip(flat(data), artists.panels(sheet), strict=True):
        on, off = artists.marks(axes, "o"), artists.marks(axes, "s")
        wanted = [(point.x, 100 * point.score.rate.value) for point in panel.points]
        assert artists.near(sorted(on + off), sorted(wanted))
        fronts = [(point.x, 100 * point.score.rate.value) for point in panel.points if point.front]
        assert artists.near(sorted(on), sorted(fronts))
        whiskers = {(x, low, high) for (x, low), (_, high) in artists.segments(axes)}
        rates = [point.score.rate for point in panel.points]
        expected = [(p.x, 100 * r.low, 100 * r.high) for p, r in zip(panel.points, rates, strict=True)]
        assert artists.near(sorted(whiskers), sorted(set(expected)))


def test_the_front_line_only_rises_and_passes_through_its_points(
    priced: tuple[costs.Efficiency, Sheet],
) -> None:
    data, sheet = priced
    for panel, axes in zip(flat(data), artists.panels(sheet), strict=True):
        (line,) = [each for each in axes.lines if each.get_drawstyle() == "steps-post"]
        xs, ys = list(line.get_xdata()), list(line.get_ydata())
        assert line.get_color() == BLUE
        assert xs == sorted(xs) and ys == sorted(ys)
        fronts = {(point.x, 100 * point.score.rate.value) for point in panel.points if point.front}
        assert fronts <= set(zip(xs, ys, strict=True))
        assert xs[-1] == axes.get_xlim()[1], "what is reached is reached for more, too"


def test_every_pipeline_is_named_once_beside_each_panel_in_the_order_of_its_value(
    priced: tuple[costs.Efficiency, Sheet],
) -> None:
    data, sheet = priced
    for panel, axes in zip(flat(data), artists.panels(sheet), strict=True):
        named = sorted(axes.texts, key=lambda each: each.xyann[1])
        values = [float(each.get_text().rsplit(" ", 1)[1]) for each in named]
        assert values == sorted(values)
        assert {each.get_text().rsplit(" ", 1)[0] for each in named} == set(PAPERS)
        assert len(named) == len(panel.points)
        low, high = axes.get_ylim()
        assert all(low <= each.xyann[1] <= high for each in named)


def test_names_stand_at_the_height_of_their_values_where_there_is_room(
    paper: Analysis, tmp_path: Path
) -> None:
    found = analysis(tmp_path, ["raw-coder", "plan-code"], ["humaneval"], count=40)
    _, sheet = artists.drawn("efficiency", found)
    for axes in artists.panels(sheet):
        low, high = axes.get_ylim()
        for each in axes.texts:
            assert abs(each.xyann[1] - each.xy[1]) < 0.05 * (high - low)


def test_more_rows_of_panels_are_lower_so_that_they_fit_a_page(
    priced: tuple[costs.Efficiency, Sheet],
) -> None:
    data, sheet = priced
    assert len(flat(data)) == 6 and sheet.height < 11.0
    heights = {round(axes.get_position().height * sheet.height, 3) for axes in artists.panels(sheet)}
    assert len(heights) == 1 and max(heights) <= costs.LOW + 1e-6


def test_prices_in_two_currencies_are_not_added(paper: Analysis) -> None:
    taken = dict(paper.costs)
    first = paper.runs[0]
    one, *others = taken[first.id].alone
    taken[first.id] = taken[first.id].model_copy(
        update={"alone": (one.model_copy(update={"currency": "€"}), *others)}
    )
    data = costs.efficiency(replace(paper, costs=taken), artists.PUBLISHED)
    names = [point.pipeline for point in data.panels[0][2].points]
    assert first.pipeline not in names and len(names) == len(PAPERS) - 1
    assert any(first.id in remark and "several currencies" in remark for remark in data.remarks)


def test_the_caption_names_every_price_and_value(priced: tuple[costs.Efficiency, Sheet]) -> None:
    data = priced[0]
    for panel in flat(data):
        assert panel.words() in data.caption
        assert panel.words().count("(front)") == sum(point.front for point in panel.points)
    assert "completion tokens a task" in data.caption


def test_the_front_is_never_empty_and_never_beaten(priced: tuple[costs.Efficiency, Sheet]) -> None:
    for panel in flat(priced[0]):
        fronts = [point for point in panel.points if point.front]
        assert fronts
        for point in panel.points:
            beaten = any(
                each.x <= point.x and each.score.rate.value >= point.score.rate.value
                and (each.x < point.x or each.score.rate.value > point.score.rate.value)
                for each in panel.points
            )  # fmt: skip
            assert beaten != point.front


# The servers


@pytest.fixture(scope="module")
def servers(paper: Analysis) -> tuple[costs.Utilisation, Sheet]:
    return artists.drawn("servers", paper)


def test_each_run_has_a_panel_with_a_lane_for_each_server(
    paper: Analysis, servers: tuple[costs.Utilisation, Sheet]
) -> None:
    data, sheet = servers
    assert len(artists.panels(sheet)) == len(data.timelines) == len(paper.runs)
    for each, axes in zip(data.timelines, artists.panels(sheet), strict=True):
        up, down = artists.stairs(axes)
        assert up[0] == CLOSE(list(each.lanes[0].levels))
        assert down[0] == CLOSE([-level for level in each.lanes[1].levels])
        assert len(up[0]) == costs.BINS


def test_a_pipeline_is_named_once_wherever_it_ran(servers: tuple[costs.Utilisation, Sheet]) -> None:
    first = servers[0].timelines[0]
    late = (replace(first, pipeline="late", dataset=name) for name in ("b", "c"))
    data = replace(
        servers[0],
        timelines=(replace(first, dataset="a"), *late),
        titles=(("a", "A"), ("b", "B"), ("c", "C")),
    )
    shown = [each.get_text() for each in costs.draw_utilisation(data).figure.texts]
    assert shown.count("late") == shown.count(first.pipeline) == 1


def test_one_scale_for_all_runs_holds_the_highest_level(
    servers: tuple[costs.Utilisation, Sheet],
) -> None:
    data, sheet = servers
    peak = max(level for each in data.timelines for lane in each.lanes for level in lane.levels)
    assert {axes.get_ylim() for axes in artists.panels(sheet)} == {(-peak, peak)}


def test_the_area_under_a_lane_is_the_seconds_that_its_requests_took(paper: Analysis) -> None:
    for run in paper.runs[:3]:
        found = costs.timeline(run)
        for lane in found.lanes:
            took = sum(
                attempt.seconds
                for call in run.records.calls
                if call.endpoint == lane.endpoint
                for attempt in call.attempts
            )
            assert sum(lane.levels) * found.seconds / costs.BINS == CLOSE(took, rel=1e-6)
            assert 0.0 <= lane.busy <= 1.0


def test_the_text_above_a_panel_is_its_run_s_time_load_and_requests(
    servers: tuple[costs.Utilisation, Sheet],
) -> None:
    data, sheet = servers
    text = artists.words(sheet)
    for each in data.timelines:
        assert each.words()[:20] in text
        assert f"{each.requests} request" in each.words()


def test_the_servers_own_metrics_are_a_line_where_they_were_read(
    servers: tuple[costs.Utilisation, Sheet], paper: Analysis
) -> None:
    data, _ = servers
    first, *others = data.timelines
    lane = replace(first.lanes[0], running=(None, 2.0, 3.0, *[None] * (costs.BINS - 3)))
    read = replace(data, timelines=(replace(first, lanes=(lane, *first.lanes[1:])), *others))
    sheet = costs.draw_utilisation(read)
    (line, *_) = [each for each in artists.panels(sheet)[0].lines if len(each.get_xdata()) == 2]
    assert list(line.get_xdata()) == [1.5, 2.5] and list(line.get_ydata()) == [2.0, 3.0]
    assert "running, by the server's own metrics" in artists.legend(sheet)
    assert "running, by the server's own metrics" not in artists.legend(costs.draw_utilisation(data))


@pytest.mark.parametrize("bins", [1, 7, 160])
def test_in_flight_keeps_the_whole_time_of_what_lies_within(bins: int) -> None:
    spans = [(0.5, 2.25), (1.0, 3.0), (9.0, 10.0)]
    levels = costs.in_flight(spans, 10.0, bins)
    assert len(levels) == bins
    assert sum(levels) * 10.0 / bins == CLOSE(sum(end - start for start, end in spans))


def test_a_run_without_an_end_is_as_long_as_its_last_request(paper: Analysis) -> None:
    run = paper.runs[0]
    manifest = run.records.manifest
    killed = manifest.model_copy(
        update={"sessions": tuple(each.model_copy(update={"ended": None}) for each in manifest.sessions)}
    )
    lost = replace_records(run, killed)
    last = max(a.started + a.seconds for call in run.records.calls for a in call.attempts)
    assert costs.timeline(lost).seconds == CLOSE(last - manifest.sessions[0].started)


def replace_records(run: Any, manifest: Any) -> Any:
    """Return the run with another manifest."""
    return replace(run, records=held(run).model_copy(update={"manifest": manifest}))


def test_a_run_of_no_known_costs_is_left_out_and_its_lack_is_the_reason(paper: Analysis) -> None:
    from dualcode.figures.content import NothingToDrawError

    with pytest.raises(NothingToDrawError, match="of no run it is known what it took"):
        costs.efficiency(replace(paper, costs={}), artists.PUBLISHED)
    some = replace(paper, costs={paper.runs[0].id: paper.costs[paper.runs[0].id]})
    data = costs.efficiency(some, artists.PUBLISHED)
    assert data.runs == (paper.runs[0].id,)


def test_an_analysis_of_one_run_has_a_front_of_one(tmp_path: Path) -> None:
    found = analysis(tmp_path, ["raw-coder"], ["humaneval"], count=4)
    data, sheet = artists.drawn("efficiency", analyse(found.runs))
    assert all(point.front for panel in flat(data) for point in panel.points)
    assert artists.legend(sheet) == ["Pareto front, ours (4 tasks)"]
