"""The report in a real Chromium, opened from the disk. Its runs are synthetic."""

from pathlib import Path

from playwright.sync_api import Browser, Page, expect

from dualcode.analysis.analyse import analyse
from dualcode.analysis.runs import load_runs
from dualcode.published.published import load_published
from dualcode.report.page import write_report
from dualcode.tables.catalogue import tables
from tests.made import Story, write_run
from tests.report.conftest import Watched
from tests.report.made import DRAFT, HOSTILE, four_tasks, report_of


def shown_tasks(page: Page) -> list[str]:
    return page.locator(".row:not(.top):visible .id").all_text_contents()


def focused(page: Page) -> str:
    return page.evaluate("document.activeElement.getAttribute('aria-label') || document.activeElement.id")


def test_opens_from_the_disk_without_an_error_or_a_request(watched: Watched, report: Path) -> None:
    page = watched.open(report)
    expect(page.locator("h1")).to_have_text("Synthetic runs")
    page.goto(f"{report.as_uri()}#task=HumanEval/3&pipeline=review-fix")
    expect(page.locator(".finding")).to_have_count(3)
    assert watched.errors == []
    assert [url for url in watched.requests if not url.startswith(("file:", "data:", "blob:"))] == []


def test_the_policy_forbids_requests_and_markup_from_strings(watched: Watched, report: Path) -> None:
    page = watched.open(report)
    refused = page.evaluate("fetch('https://example.org').then(() => 'sent', () => 'refused')")
    assert refused == "refused"
    assert any("Content Security Policy" in error for error in watched.errors)
    wrote = page.evaluate("try { document.body.innerHTML = '<p>x'; 'written' } catch (error) { error.name }")
    assert wrote == "TypeError"


def test_published_columns_look_unlike_ours(watched: Watched, report: Path) -> None:
    page = watched.open(report)
    styles = [
        page.locator(f"#of-table-2 tbody tr >> nth=0 >> td >> nth={column}").evaluate(
            "cell => getComputedStyle(cell).fontStyle"
        )
        for column in (1, 2)
    ]
    assert styles == ["normal", "italic"]
    expect(page.locator("#of-table-2 th.published")).to_contain_text("published")


def test_at_1400_pixels_no_column_of_a_table_is_cut_off(watched: Watched, tmp_path: Path) -> None:
    for dataset in ("humaneval", "mbpp"):
        for pipeline in ("raw-coder", "plan-code", "review-fix", "review-fix-retry", "adversarial", "gated"):
            write_run(tmp_path, pipeline, {f"{dataset}/1": Story(plus=True)}, dataset=dataset)
    found = analyse(load_runs([tmp_path]))
    made = write_report(found, tables(found, load_published(), None), [], tmp_path / "report.html")
    watched.page.set_viewport_size({"width": 1400, "height": 900})
    page = watched.open(made)
    cut = "all => all.filter(one => one.scrollWidth > one.clientWidth + 1).map(one => one.ariaLabel)"
    assert page.locator(".scroll").evaluate_all(cut) == []


def test_a_figure_is_drawn_and_has_its_caption_as_text(watched: Watched, report: Path) -> None:
    image = watched.open(report).get_by_alt_text("A red square, synthetic.")
    assert image.evaluate("image => image.decode().then(() => image.naturalWidth)") == 90


def test_filters_by_text_over_ids_and_functions(watched: Watched, report: Path) -> None:
    page = watched.open(report)
    page.locator("#find").fill("eval/3")
    assert shown_tasks(page) == ["HumanEval/3"]
    expect(page.locator("#count")).to_have_text("1 of 4 tasks")
    page.locator("#find").fill("BELOW_ZERO")
    assert len(shown_tasks(page)) == 4
    page.locator("#find").fill("nothing is called so")
    assert shown_tasks(page) == []
    expect(page.locator(".none")).to_be_visible()
    page.get_by_role("button", name="Clear").click()
    expect(page.locator("#count")).to_have_text("4 of 4 tasks")


def test_filters_by_outcome_of_a_pipeline(watched: Watched, report: Path) -> None:
    page = watched.open(report)
    expected = {
        ("review-fix", "g"): ["HumanEval/3"],
        ("review-fix", "l"): ["HumanEval/1"],
        ("review-fix", "e"): ["HumanEval/2"],
        ("review-fix", "p"): ["HumanEval/0", "HumanEval/3"],
        ("raw-coder", "b"): ["HumanEval/3"],
        ("raw-coder", "e"): [],
        ("", "d"): ["HumanEval/1", "HumanEval/3"],
        ("", "r"): ["HumanEval/1"],
    }
    found: dict[tuple[str, str], list[str]] = {}
    for pipeline, outcome in expected:
        page.locator("#pipeline").select_option(pipeline)
        page.locator("#outcome").select_option(outcome)
        found[pipeline, outcome] = shown_tasks(page)
    assert found == expected


def test_filters_by_failure_class(watched: Watched, report: Path) -> None:
    page = watched.open(report)
    page.locator("#class").select_option("wrong result")
    assert shown_tasks(page) == ["HumanEval/1"]


def test_sorts_by_a_pipeline_with_losses_first(watched: Watched, report: Path) -> None:
    page = watched.open(report)
    page.get_by_role("button", name="review-fix").click()
    assert shown_tasks(page) == ["HumanEval/1", "HumanEval/2", "HumanEval/0", "HumanEval/3"]
    expect(page.get_by_role("columnheader", name="review-fix")).to_have_attribute("aria-sort", "ascending")


def test_outcomes_differ_in_shape_and_not_only_in_colour(watched: Watched, report: Path) -> None:
    page = watched.open(report)
    shape = (
        "sign => { const s = getComputedStyle(sign, '::before');"
        " return [s.borderRadius, s.clipPath, s.transform, s.borderTopWidth, s.backgroundImage, s.height]"
        ".join() }"
    )
    shapes = [sign.evaluate(shape) for sign in page.locator(".legend .c").all()]
    assert len(set(shapes)) == len(shapes) == 7


def test_a_click_opens_the_transcript_of_that_cell(watched: Watched, report: Path) -> None:
    page = watched.open(report)
    page.get_by_role("gridcell", name="HumanEval/3, review-fix").click()
    expect(page.locator("#task-title")).to_have_text("HumanEval/3")
    expect(page.get_by_role("tab", selected=True)).to_contain_text("review-fix")
    expect(page.locator(".call h3")).to_have_text(["1Draft", "2Review", "3Fix"])
    expect(page.locator(".prompt")).to_contain_text("Say whether the sum of n is below zero.")
    assert page.locator(".call").first.locator(".code").first.inner_text().strip() == DRAFT.strip()


def test_findings_stand_beside_their_lines_and_others_are_listed(watched: Watched, report: Path) -> None:
    page = watched.open(report, "#task=HumanEval/3&pipeline=review-fix")
    for line, words in ((5, "returns True for []"), (4, "adds every number")):
        row = page.locator(f'.noted .line[data-n="{line}"]')
        note = page.locator(".noted .finding", has_text=words)
        place, beside = row.bounding_box(), note.bounding_box()
        assert place and beside
        assert abs(place["y"] - beside["y"]) < 4
        assert beside["x"] >= place["x"] + place["width"] - 1
        assert "named" in (row.get_attribute("class") or "")
    expect(page.locator(".unplaced .finding")).to_have_count(1)
    expect(page.locator(".unplaced")).to_contain_text("is missing")


def test_the_fix_is_a_diff_with_the_changed_words_marked(watched: Watched, report: Path) -> None:
    page = watched.open(report, "#task=HumanEval/3&pipeline=review-fix")
    expect(page.locator(".diff .gone")).to_contain_text("return total <= 0")
    expect(page.locator(".diff .new")).to_contain_text("return total < 0")
    expect(page.locator(".diff .gone mark")).to_have_text("=")


def test_the_verdict_says_on_which_input_a_program_failed(watched: Watched, report: Path) -> None:
    page = watched.open(report, "#task=HumanEval/1&pipeline=review-fix")
    expect(page.locator(".verdicts")).to_contain_text("failed, wrong output")
    expect(page.locator(".verdicts .input code").first).to_have_text("3")
    expect(page.locator(".signs")).to_contain_text("Why it was lost")


def test_a_link_to_a_task_survives_reload_and_the_back_button(watched: Watched, report: Path) -> None:
    page = watched.open(report, "#tasks")
    page.get_by_role("gridcell", name="HumanEval/1, raw-coder").click()
    expect(page.locator("#task-title")).to_have_text("HumanEval/1")
    assert page.url.endswith("#task=HumanEval/1&pipeline=raw-coder")
    page.reload()
    expect(page.locator("#task-title")).to_have_text("HumanEval/1")
    page.go_back()
    expect(page.locator("#task")).to_be_hidden()
    expect(page.locator("#tasks")).to_be_visible()
    page.go_forward()
    expect(page.locator("#task-title")).to_have_text("HumanEval/1")


def test_a_link_to_a_task_that_is_not_there_says_so(watched: Watched, report: Path) -> None:
    page = watched.open(report, "#task=HumanEval/99")
    expect(page.locator("#task")).to_contain_text("no task HumanEval/99")
    page.keyboard.press("Escape")
    expect(page.locator("#tasks")).to_be_visible()


def test_the_keyboard_alone_finds_opens_walks_and_closes(watched: Watched, report: Path) -> None:
    page = watched.open(report)
    page.keyboard.press("/")
    expect(page.locator("#find")).to_be_focused()
    page.keyboard.type("HumanEval")
    page.keyboard.press("Enter")
    assert focused(page).startswith("HumanEval/0, raw-coder")
    page.keyboard.press("j")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("k")
    page.keyboard.press("l")
    assert focused(page).startswith("HumanEval/1, review-fix: failed, lost against raw-coder")
    page.keyboard.press("Enter")
    expect(page.locator("#task-title")).to_have_text("HumanEval/1")
    page.keyboard.press("j")
    page.keyboard.press("j")
    expect(page.locator("#task-title")).to_have_text("HumanEval/3")
    page.keyboard.press("ArrowLeft")
    expect(page.get_by_role("tab", selected=True)).to_contain_text("raw-coder")
    page.keyboard.press("Escape")
    expect(page.locator("#task")).to_be_hidden()
    assert focused(page).startswith("HumanEval/3, raw-coder")
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_be_hidden()
    assert watched.errors == []


def test_what_is_focused_is_seen(watched: Watched, report: Path) -> None:
    page = watched.open(report)
    page.keyboard.press("Tab")
    expect(page.get_by_text("Skip to the tasks")).to_be_in_viewport()
    page.keyboard.press("j")
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid"


def test_dark_follows_the_system_and_the_switch_is_remembered(browser: Browser, report: Path) -> None:
    context = browser.new_context(color_scheme="dark")
    page = Watched(context.new_page()).open(report)
    background = "getComputedStyle(document.body).backgroundColor"
    dark = page.evaluate(background)
    page.locator("#theme-button").click()
    light = page.evaluate(background)
    page.reload()
    assert sum(map(int, dark[4:-1].split(","))) < 150 < 600 < sum(map(int, light[4:-1].split(",")))
    assert page.evaluate(background) == light
    context.close()


def test_a_narrow_window_does_not_scroll_sideways(browser: Browser, report: Path) -> None:
    context = browser.new_context(viewport={"width": 360, "height": 740})
    page = Watched(context.new_page()).open(report)
    for link in ("", "#task=HumanEval/3&pipeline=review-fix"):
        page.goto(f"{report.as_uri()}{link}")
        expect(page.locator("#task .finding" if link else "h1").first).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth") == 360
    context.close()


def test_a_phone_shows_every_column_of_the_result(browser: Browser, report: Path) -> None:
    for width in (360, 420):
        context = browser.new_context(viewport={"width": width, "height": 800})
        page = Watched(context.new_page()).open(report)
        expect(page.locator(".glance .plot")).to_contain_text("over 3")
        hidden = page.locator(".glance .scroll").evaluate("""scroll => {
            const edge = scroll.getBoundingClientRect().right + 0.5;
            const texts = [...scroll.querySelectorAll("th, td, small, span")];
            return texts.filter(text => text.getBoundingClientRect().right > edge
                || text.scrollWidth > text.clientWidth + 1 && text.clientWidth).length;
        }""")
        assert hidden == 0
        context.close()


def test_hostile_texts_are_shown_and_do_nothing(watched: Watched, tmp_path: Path) -> None:
    finding = {"where": HOSTILE, "actual": HOSTILE, "expected": HOSTILE}
    program = f"def solve(n):\n    return {HOSTILE!a}  # {HOSTILE[:60]}\n"
    task = "Evil/<img src=x onerror=alert(3)>&pipeline=#"
    story = Story(
        plus=False, program=program, draft="pass\n", review="revise", findings=[finding],
        reason=HOSTILE, failing_input="</script><script>alert(4)</script>",
    )  # fmt: skip
    report = report_of(tmp_path, {"raw-coder": {task: story}}, title="<b onclick=alert(5)>&</title>\ud800")
    page = watched.open(report)
    expect(page.locator("h1")).to_have_text("<b onclick=alert(5)>&</title>\ufffd")
    page.locator(".row .c").first.click()
    expect(page.locator("#task-title")).to_have_text(task)
    expect(page.locator(".finding").first).to_contain_text('<img src=x onerror="alert(1)">')
    expect(page.locator(".verdicts")).to_contain_text("</script><script>alert(4)</script>")
    expect(page.locator(".finding").first).to_contain_text("␀␛[31m⟨U+2028⟩⟨U+202E⟩")
    assert page.locator("#task img, #task svg, #task script, h1 b").count() == 0
    page.reload()
    expect(page.locator("#task-title")).to_have_text(task)
    assert watched.errors == []


def test_the_page_without_scripts_still_shows_the_results(browser: Browser, report: Path) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(report.as_uri())
    expect(page.locator(".plot").first).to_contain_text("review-fix")
    expect(page.locator("#of-table-2")).to_be_visible()
    context.close()


def test_a_print_shows_the_whole_list(watched: Watched, report: Path) -> None:
    page = watched.open(report)
    page.emulate_media(media="print")
    expect(page.locator(".bar")).to_be_hidden()
    assert page.locator("#list").evaluate("list => list.scrollHeight - list.clientHeight") <= 1
    assert len(shown_tasks(page)) == len(four_tasks()["raw-coder"])
