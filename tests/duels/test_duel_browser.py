"""A duel's report in a real Chromium, opened from the disk. It is synthetic."""

from dataclasses import replace
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from dualcode.agents.records import Step
from dualcode.duels.findings import find
from dualcode.duels.page import write_duel
from tests.duels.made import cell, condition, found, judgement, records, verdict
from tests.report.conftest import Watched, browser, watched
from tests.report.made import HOSTILE, figure

__all__ = ["browser", "watched"]
SOLO = condition("solo", "kimi", "kimi")
expect.set_options(timeout=60_000)  # a busy machine is no failure


@pytest.fixture(scope="module")
def page_of(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("duel")
    return write_duel(found(), [figure(folder)], folder / "report.html")


def place(condition: str, issue: str, trial: int) -> int:
    return [each.key for each in found().records.cells].index((condition, issue, trial))


def test_a_cell_shows_its_plan_diff_transcript_tests_and_judgements(watched: Watched, page_of: Path) -> None:
    page = watched.page
    page.goto(page_of.as_uri())
    page.get_by_role("link", name="kimi->kimi on jinja-1427, trial 1: not solved").click()
    expect(page.locator("#task-title")).to_have_text("kimi->kimi")
    expect(page.locator(".verdict")).to_contain_text("1 of 7 hidden tests fails")
    expect(page.locator(".verdict .ids").first).to_have_text("tests/test_hidden.py::test_dot")
    expect(page.locator(".prompt")).to_contain_text("Refuse a dot in a name (jinja-1427).")
    expect(page.locator(".change .file")).to_have_text("src/flask/blueprints.py")
    expect(page.locator(".diff .new")).to_have_count(3)
    expect(page.locator(".diff .gone")).to_contain_text("self.old = 1")
    expect(page.locator(".diff .gone")).to_have_attribute("data-a", "12")
    expect(page.locator(".opinion")).to_have_count(4)
    expect(page.locator(".opinion").first).to_contain_text("correctness: as it should be")
    page.locator(".node summary").nth(1).click()
    expect(page.locator(".node[open] .command")).to_have_text("sed -i s/a/b/ x")
    expect(page.locator(".node[open] .badge").first).to_have_text("changed nothing")
    assert watched.errors == []
    assert [url for url in watched.requests if not url.startswith(("file:", "data:", "blob:"))] == []


def test_a_judge_that_is_missing_is_said_to_be_missing(watched: Watched, page_of: Path) -> None:
    page = watched.page
    page.goto(f"{page_of.as_uri()}#cell={place('kimi->kimi', 'jinja-1427', 1)}")
    expect(page.locator(".opinion .warn").first).to_have_text("missing: no schema in its reply")


def test_a_long_list_of_failing_tests_is_folded_with_its_number(watched: Watched, tmp_path: Path) -> None:
    many = tuple(f"tests/test_a.py::test_{at}" for at in range(40))
    own = cell(SOLO, "a", solved=False, verdict=verdict("a", False, broken=many))
    page = watched.page
    made = write_duel(find(records([SOLO], [own], issues=("a",))), [], tmp_path / "report.html")
    page.goto(f"{made.as_uri()}#cell=0")
    page.get_by_text("Tests that passed before and do not now: 40").click()
    expect(page.locator(".verdict details[open] li")).to_have_count(40)


def test_an_errored_cell_says_why_and_is_not_graded(watched: Watched, page_of: Path) -> None:
    page = watched.page
    page.goto(f"{page_of.as_uri()}#cell={place('kimi->kimi', 'flask-4041', 2)}")
    expect(page.locator(".ruling")).to_have_text("its server went away")
    expect(page.locator(".verdict")).to_contain_text("Not graded")


def test_keys_walk_through_trials_and_conditions_and_close(watched: Watched, page_of: Path) -> None:
    page = watched.page
    page.goto(f"{page_of.as_uri()}#cell={place('opus->kimi', 'flask-4041', 1)}")
    expect(page.locator("#task-title")).to_have_text("opus->kimi")
    page.keyboard.press("j")
    expect(page.locator(".task-head p")).to_contain_text("trial 2 of 2")
    page.keyboard.press("ArrowRight")
    expect(page.locator("#task-title")).to_have_text("kimi->gpt")
    expect(page.locator('.tabs [aria-selected="true"]')).to_contain_text("kimi->gpt")
    page.keyboard.press("Escape")
    expect(page.locator("#task")).to_be_hidden()
    expect(page.locator("#cells")).to_be_visible()
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_be_visible()
    assert watched.errors == []


def test_an_unknown_cost_is_a_word_in_the_phases(watched: Watched, page_of: Path) -> None:
    page = watched.page
    page.goto(f"{page_of.as_uri()}#cell={place('drawn:kimi+opus', 'sqlparse-742', 2)}")
    expect(page.get_by_role("group", name="Phases")).to_contain_text("unknown")
    expect(page.locator(".change")).to_contain_text("conftest.py: test machinery")


@pytest.mark.parametrize(("width", "scheme"), [(1400, "light"), (400, "dark")])
def test_no_width_scrolls_sideways(browser: Browser, page_of: Path, width: int, scheme: str) -> None:
    dark = scheme == "dark"
    context = browser.new_context(
        viewport={"width": width, "height": 800}, color_scheme="dark" if dark else "light"
    )
    page = context.new_page()
    for link in ("", f"#cell={place('review:opus+gpt', 'flask-4041', 1)}"):
        page.goto(f"{page_of.as_uri()}{link}")
        expect(page.locator("#task-title" if link else "h1").first).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth") == width
    background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (sum(map(int, background[4:-1].split(","))) < 150) == dark
    context.close()


def test_without_scripts_results_and_tables_are_there(browser: Browser, page_of: Path) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(page_of.as_uri())
    expect(page.locator("#of-leaderboard")).to_contain_text("opus->kimi")
    expect(page.locator("#of-duobench")).to_be_visible()
    context.close()


def test_hostile_texts_are_shown_and_do_nothing(watched: Watched, tmp_path: Path) -> None:
    own = cell(
        SOLO, "a", plan=HOSTILE, reason=HOSTILE,
        diff=f"diff --git a/{HOSTILE} b/{HOSTILE}\n@@ -1 +1 @@\n+{HOSTILE}\n",
        verdict=verdict("a", False, reason=HOSTILE, failing=(HOSTILE,), output=HOSTILE),
    )  # fmt: skip
    step = Step(node=HOSTILE, number=1, call=1, said=HOSTILE, command=HOSTILE, observation=HOSTILE)
    scores = judgement(
        SOLO.id, "a", 1, "gpt", {"correctness": 3}, reasons={"correctness": HOSTILE}, model=HOSTILE
    )
    hostile = replace(records([SOLO], [own], [scores], issues=("a",)), steps={own.key: (step,)})
    hostile = replace(hostile, duel=hostile.duel.model_copy(update={"note": HOSTILE, "name": HOSTILE}))
    page = watched.page
    page.goto(f"{write_duel(find(hostile), [], tmp_path / 'report.html').as_uri()}#cell=0")
    expect(page.locator(".opinion")).to_contain_text('<img src=x onerror="alert(1)">')
    expect(page.locator(".diff .new")).to_contain_text("</script><img src=x")
    page.locator(".node summary").click()
    expect(page.locator(".node .command")).to_contain_text("␀␛[31m⟨U+2028⟩⟨U+202E⟩")
    assert page.locator("#task img, #task svg, #task script").count() == 0
    page.goto(page.url.split("#")[0])
    assert page.locator(".note img, h1 img, h1 svg").count() == 0
    assert watched.errors == []
