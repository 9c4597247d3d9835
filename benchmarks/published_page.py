"""The page of the docs on what is published: written from the data, so that no number stands twice.

`python -m benchmarks.published_page > docs/published.md`
"""

from collections.abc import Iterator, Sequence
from typing import TypeVar

from dualcode.published.published import LeaderboardEntry, Published, load_published
from dualcode.tables.cells import NOTHING, known, printed, signed
from dualcode.tables.forms import to_markdown
from dualcode.tables.grid import Field, Grid, cited, left
from dualcode.tables.table import Table

R = TypeVar("R")

HEAD = """# What is published

The numbers that dualcode sets its own beside. **None of them was measured by dualcode.** They stand once, in
`dualcode/published/published.toml`; tables, figures and the simulator read them there (`load_published()`).
This page is written from it: `python -m benchmarks.published_page > docs/published.md`.

Tests hold them together: every percentage is one whole number of tasks, every delta the difference of printed
percentages, Figure 5's bars add up to its title; what does not fit is a contradiction below.

- Source: {source}, <{url}>
- Read: {read}
- The leaderboard's values are EvalPlus's, as given by the project's owner.
"""


def page(published: Published) -> str:
    """Return the page as Markdown."""
    head = HEAD.format(source=published.source, url=published.url, read=published.read)
    tables = [to_markdown(each).replace("### ", "## ", 1).rstrip() for each in _tables(published)]
    contradictions = [
        f"**{each.name}** ({', '.join(each.places)}). {each.says} *But:* {each.but} *Read as:* {each.reading}"
        for each in published.contradictions
    ]
    return "\n\n".join([head.rstrip(), *tables, "## Contradictions", *contradictions]) + "\n"


def _tables(published: Published) -> Iterator[Table]:
    suites: list[Field[LeaderboardEntry]] = [
        cited(suite, lambda each, name=suite: printed(each.scores[name])) for suite in published.suites
    ]
    yield _table(
        "pass@1",
        published.scores,
        left("Suite", lambda each: each.suite),
        left("Pipeline", lambda each: each.pipeline),
        left("In the paper", lambda each: published.names.get(each.pipeline, NOTHING)),
        cited("pass@1", lambda each: printed(each.percent)),
        cited("Tasks", lambda each: f"{published.passed(each.suite, each.pipeline)}"),
        cited("of", lambda each: str(published.suites[each.suite])),
        cited("Δ (pp)", lambda each: known(each.delta, signed)),
        left("Place", lambda each: each.place),
        left("Also in", lambda each: ", ".join(each.also) or NOTHING),
    )
    yield _plain("Models", published.models, "role model *parameters quantization gpu *vram place")
    yield _table(
        "Leaderboard",
        published.leaderboard,
        left("Model", lambda each: each.model),
        *suites,
        left("Note", lambda each: each.note),
        left("Place", lambda each: each.place),
    )
    yield _plain("Regressions of plan-code", published.regressions, "kind *count words place")
    yield _table(
        "Other numbers",
        published.numbers,
        left("Name", lambda each: each.name),
        cited("Value", lambda each: f"{each.value:g}" + ("" if each.high is None else f" to {each.high:g}")),
        left("Unit", lambda each: each.unit),
        left("Meaning", lambda each: each.meaning),
        left("Place", lambda each: ", ".join([each.place, *each.also])),
    )
    yield _plain("Figures", published.figures, "*number caption shows")


HEADS = {
    "gpu": "GPU", "vram": "VRAM", "kind": "Class", "count": "Tasks", "words": "In the paper",
    "number": "Figure",
}  # fmt: skip
"""Where a head is not the attribute's own name."""


def _plain(title: str, rows: Sequence[object], names: str) -> Table:
    """Return a table of attributes as they stand, those behind a star as cited numbers."""
    fields: list[Field[object]] = []
    for starred in names.split():
        name = starred.removeprefix("*")
        head = HEADS.get(name, name.capitalize())
        column = left if name == starred else cited
        fields.append(column(head, lambda each, at=name: str(getattr(each, at))))
    return _table(title, rows, *fields)


def _table(title: str, rows: Sequence[R], *fields: Field[R]) -> Table:
    return Grid(rows, fields).table(title, title, values=lambda _: {})


if __name__ == "__main__":
    print(page(load_published()), end="")
