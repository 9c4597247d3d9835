"""The forms in which editors take code: what is read of each, and what a correction may not lose."""

import pytest

from dualcode.gateway.edits import faults, merged, objection, read_edits, unchecked
from tests.gateway import replies
from tests.gateway.replies import FORMS, SHOWN


def names(text: str) -> list[tuple[str, str, str]]:
    return [(block.kind, block.file, block.language) for block in read_edits(text)]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (replies.WHOLE, [("fence", "calc.py", "python")]),
        (replies.SEARCH, [("search", "calc.py", "python"), ("search", "web/app.js", "javascript")]),
        (replies.DIFF, [("diff", "calc.py", "python")]),
        (replies.NAMED, [("fence", "calc.py", "python"), ("fence", "web/app.js", "javascript")]),
        (replies.ELEMENT, [("element", "calc.py", "write_to_file")]),
        (replies.BARE, [("bare", "", "python")]),
        ("Use `a + b` there.", []),
        ("", []),
        ("sum", []),
        ("```\nno language\n```", [("fence", "", "")]),
        ("~~~ruby\nputs 1\n~~~", [("fence", "", "ruby")]),
        ("1. First:\n   ```python\n   x = 1\n   ```\n", [("fence", "", "python")]),
        ("```python:src/a.py\nx = 1\n```", [("fence", "src/a.py", "python")]),
        ("```src/a.ts\nx\n```", [("fence", "src/a.ts", "typescript")]),
        ("```python src/a.py\nx = 1\n```", [("fence", "src/a.py", "python")]),
        ("```\n# src/a.py\nx = 1\n```", [("fence", "src/a.py", "python")]),
        ("```js\n// File: src/a.js\nx\n```", [("fence", "src/a.js", "javascript")]),
        ("```html\n<!-- index.html -->\n<p>\n```", [("fence", "index.html", "html")]),
        ("### `src/a.py`:\n\n```python\nx = 1\n```", [("fence", "src/a.py", "python")]),
        ("1. **src/a.py**\n```python\nx = 1\n```", [("fence", "src/a.py", "python")]),
        ("File: src/a.py\n```python\nx = 1\n```", [("fence", "src/a.py", "python")]),
        ("src\\a.py\n```python\nx = 1\n```", [("fence", "src\\a.py", "python")]),
        ("Makefile\n```make\nall:\n```", [("fence", "Makefile", "make")]),
        ("Here is the code, version 3.14:\n```python\nx = 1\n```", [("fence", "", "python")]),
        ("This works, e.g.:\n```python\nx = 1\n```", [("fence", "", "python")]),
        ("a.md\n````markdown\n# A\n```python\nx = 1\n```\n````\n", [("fence", "a.md", "markdown")]),
        ("a.py\n```python\nx = 1\nb.py is here", [("fence", "a.py", "python")]),
    ],
)  # fmt: skip
def test_blocks_are_found_with_their_file_and_language(text: str, found: list[tuple[str, str, str]]) -> None:
    assert names(text) == found


def test_bodies_stand_where_their_places_say() -> None:
    for text in (replies.WHOLE, replies.NAMED, "~~~ruby\nputs 1\n~~~", "```python\r\nx = 1\r\n```\r\n"):
        for block in read_edits(text):
            assert text[block.start : block.end] == block.body
    [block] = read_edits("```python\nx = 1\n```")
    assert block.body == "x = 1\n"


def test_several_search_blocks_of_a_file_may_share_its_name() -> None:
    text = (
        "calc.py\n```python\n<<<<<<< SEARCH\na\n=======\nb\n>>>>>>> REPLACE\n"
        "<<<<<<< SEARCH\nc\n=======\n>>>>>>> REPLACE\n```\n"
    )
    first, second = read_edits(text)
    assert (first.search, first.body, second.search, second.body) == ("a", "b", "c", "")
    assert (first.file, second.file) == ("calc.py", "calc.py")


def test_search_blocks_without_a_fence_and_with_other_marks_are_read() -> None:
    text = "calc.py\n------- SEARCH\na\n=======\nb\n+++++++ REPLACE\n"
    assert names(text) == [("search", "calc.py", "python")]


def test_a_diff_without_a_fence_and_of_several_files_is_read() -> None:
    text = (
        "Apply this:\n--- a/x.py\n+++ b/x.py\n@@ -1 +1 @@\n-a\n+b\n"
        "--- /dev/null\n+++ b/new.go\n@@ -0,0 +1 @@\n+c\nThat is all.\n"
    )
    assert names(text) == [("diff", "x.py", "python"), ("diff", "new.go", "go")]
    assert read_edits(text)[1].body.endswith("+c\n")


def test_a_fence_in_a_file_within_a_search_block_is_no_block_of_its_own() -> None:
    text = "a.md\n```\n<<<<<<< SEARCH\n```python\nx\n```\n=======\ny\n>>>>>>> REPLACE\n```\n"
    assert names(text) == [("search", "a.md", "md")]


@pytest.mark.parametrize("form", FORMS)
def test_a_correction_that_keeps_the_form_is_taken(form: str) -> None:
    right = FORMS[form].right
    assert objection(FORMS[form].draft, right, shown=SHOWN) == ""
    assert "a + b" in merged(FORMS[form].draft, right)


@pytest.mark.parametrize(("form", "why"), [(form, why) for form, each in FORMS.items() for why in each.wrong])
def test_a_correction_that_loses_something_is_refused_with_what(form: str, why: str) -> None:
    assert why in objection(FORMS[form].draft, FORMS[form].wrong[why], shown=SHOWN)


@pytest.mark.parametrize("form", FORMS)
def test_a_draft_has_nothing_against_itself_and_merges_into_itself(form: str) -> None:
    draft = FORMS[form].draft
    assert objection(draft, draft, shown=SHOWN) == ""
    assert merged(draft, draft) == draft


def test_the_prose_of_the_draft_stays_where_the_blocks_are_the_same() -> None:
    code = "calc.py\n" + replies.WHOLE[replies.WHOLE.index("```") : replies.WHOLE.index("\nNothing")]
    code = code.replace("a - b", "a + b")
    found = merged(replies.WHOLE, f"You are right, sorry!\n\n{code}\nAnything else?")
    assert found == replies.WHOLE.replace("a - b", "a + b")


def test_a_correction_with_a_further_file_is_taken_whole() -> None:
    more = replies.NAMED + "\ntests/test_calc.py\n```python\nassert add(1, 2) == 3\n```\n"
    assert objection(replies.NAMED, more) == ""
    assert merged(replies.NAMED, more) == more


def test_a_program_without_a_fence_stays_one_if_the_correction_comes_in_a_fence() -> None:
    fixed = "```python\ndef add(a, b):\n    return a + b\n```"
    assert objection(replies.BARE, fixed) == ""
    assert merged(replies.BARE, fixed) == "def add(a, b):\n    return a + b\n"


def test_a_search_that_never_matched_is_no_reason_to_refuse() -> None:
    draft = replies.SEARCH.replace("return a - b\n====", "return b - a\n====")
    assert objection(draft, draft.replace("a + a", "a + b"), shown=SHOWN) == ""


def test_a_search_differs_in_trailing_blanks_alone_and_still_matches() -> None:
    fixed = replies.SEARCH.replace(
        "def add(a, b):\n    return a - b\n====", "def add(a, b):   \n    return a - b\n===="
    )
    assert objection(replies.SEARCH, fixed, shown=SHOWN) == ""


def test_broken_python_of_the_draft_is_a_fact_for_the_review_and_no_demand_on_the_correction() -> None:
    draft = replies.WHOLE.replace("return a - b", "return a -")
    assert faults(read_edits(draft)) == ["`calc.py` does not compile: invalid syntax, line 5"]
    assert objection(draft, draft) == ""
    assert faults(read_edits(replies.NAMED)) == []


def test_an_odd_escape_in_a_clients_code_is_no_warning_of_ours() -> None:
    assert faults(read_edits('```python\nx = "\\d"\n```')) == []


def test_what_no_compiler_looked_at_is_said() -> None:
    assert unchecked(read_edits(replies.NAMED)) == ["`web/app.js` (javascript)"]
    assert unchecked(read_edits(replies.SEARCH)) == [
        "`calc.py` (a part of a file)",
        "`web/app.js` (a part of a file)",
    ]
    assert unchecked(read_edits("```\nx\n```")) == ["a code block"]
    assert unchecked(read_edits(replies.BARE)) == []


@pytest.mark.parametrize(
    "text",
    [
        "```python\n" * 3000, "<<<<<<< SEARCH\n" * 3000, "<write_to_file>\n" * 3000,
        "--- a\n+++ b\n@@\n" * 3000,
        "(" * 20_000, "=" * 100_000, "# " + "/" * 50_000 + "\n```\n```", "\n" * 50_000, "`" * 50_000,
    ],
)  # fmt: skip
def test_hostile_texts_are_read_without_a_fault(text: str) -> None:
    assert isinstance(objection(text, text, shown=text), str)
    assert merged(text, text) == text
