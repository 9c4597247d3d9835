"""A figure's page, measured in inches from its top left: title, body, legend, small print."""

import re
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

from matplotlib.figure import Figure

from dualcode.figures.content import Content
from dualcode.figures.drawn import FORMS, Drawn, Form
from dualcode.figures.style import FONTS, SMALL, TEXT, TITLE, shorten, wrap

MARGIN = 0.07
LEGEND_ROW = 0.135
ID_LINES = 3
DPI = 200


class Sheet:
    """An empty figure with its frame; `axes` adds panels to the body."""

    def __init__(
        self,
        content: Content,
        *,
        width: float,
        body: float,
        legend: Sequence[Any] = (),
        columns: int = 2,
    ) -> None:
        """Lay out a page. `width` and `body` (the height for panels) are in inches."""
        inner = width - 2 * MARGIN
        title = wrap(content.title, inner, TITLE, bold=True)
        said = (f"models: {content.models}", *content.remarks)
        small = [
            *((line, True) for line in wrap(content.headline, inner, SMALL + 0.5, bold=True)),
            *((line, False) for each in said for line in wrap(each, inner, SMALL)),
            *((line, False) for line in id_lines(content.runs, inner)),
        ]
        line, head = SMALL * 1.28 / 72, TITLE * 1.3 / 72
        rows = -(-len(legend) // columns)
        self.width, self.top = width, MARGIN + len(title) * head + 0.04
        legend_at = self.top + body
        below = legend_at + (rows * LEGEND_ROW + 0.07 if rows else 0)
        self.height = below + len(small) * line + MARGIN
        self.figure: Any = Figure(figsize=(width, self.height))
        for number, text in enumerate(title):
            self.text(MARGIN, MARGIN + number * head, text, size=TITLE, weight="bold")
        for number, (text, strong) in enumerate(small):
            self.text(
                MARGIN, below + number * line, text,
                size=SMALL + 0.5 * strong, weight="bold" if strong else "normal", color="#444444",
            )  # fmt: skip
        if legend:
            self.figure.legend(
                handles=legend, loc="upper left", ncols=columns, borderaxespad=0, borderpad=0,
                bbox_to_anchor=(MARGIN / width, 1 - legend_at / self.height),
            )  # fmt: skip

    def axes(self, left: float, top: float, width: float, height: float) -> Any:
        """Add a panel; `top` counts from the body's upper edge. All in inches."""
        y = self.height - self.top - top - height
        box = (left / self.width, y / self.height, width / self.width, height / self.height)
        return self.figure.add_axes(box)

    def text(self, x: float, y: float, text: str, **style: Any) -> None:
        """Write a text whose upper left corner is at x, y, in inches from the page's."""
        chosen = {"va": "top", "ha": "left", "size": TEXT, **style}
        self.figure.text(x / self.width, 1 - y / self.height, text, **chosen)


def id_lines(ids: Sequence[str], width: float) -> list[str]:
    """Return the line or lines that name the runs, shortened where they take more than three.

    What all ids of a dataset begin with is written once. The files' metadata have them in full.
    """
    whole = wrap(f"runs: {_grouped(ids)}", width, SMALL)
    if len(whole) <= ID_LINES:
        return whole
    for kept in range(len(ids) - 1, 0, -1):
        rest = f" and {len(ids) - kept} more, all in the file's metadata"
        lines = wrap(f"runs: {_grouped(ids[:kept])}{rest}", width, SMALL)
        if len(lines) <= ID_LINES:
            return lines
    return [shorten(line, width, SMALL) for line in whole[:ID_LINES]]


def _grouped(ids: Sequence[str]) -> str:
    """Return ids with the part that neighbours share, up to a hyphen, written once: `a-{b, c}`."""
    groups: dict[str, list[str]] = {}
    for each in ids:
        head = re.match(r"(?:synthetic-)?[^-]+-", each)
        groups.setdefault(head[0] if head else "", []).append(each[len(head[0]) :] if head else each)
    texts = [
        f"{head}{{{', '.join(tails)}}}" if len(tails) > 1 else head + tails[0]
        for head, tails in groups.items()
    ]
    return ", ".join(texts)


def save(sheet: Sheet, content: Content, name: str, folder: Path, forms: Sequence[Form] = FORMS) -> Drawn:
    """Write the forms. The same content gives the same bytes: no date, no random id."""
    about = f"{content.caption} Runs: {', '.join(content.runs)}."
    paths = {kind: folder / f"{name}.{kind}" for kind in FORMS}
    folder.mkdir(parents=True, exist_ok=True)
    if "svg" in forms:
        paths["svg"].write_text(_svg(sheet, content.title, about), encoding="utf-8")
    if "png" in forms:
        told = {"Title": content.title, "Description": about}
        sheet.figure.savefig(paths["png"], dpi=DPI, facecolor="white", metadata=told)
    if "pdf" in forms:
        dates = {"CreationDate": None, "ModDate": None}
        sheet.figure.savefig(paths["pdf"], metadata={"Title": content.title, "Subject": about, **dates})
    return Drawn(
        name=name, title=content.title, caption=content.caption, runs=content.runs,
        svg=paths["svg"], png=paths["png"], pdf=paths["pdf"],
    )  # fmt: skip


def _svg(sheet: Sheet, title: str, about: str) -> str:
    """Return the SVG, ready to stand in a page: without document type, page-wide rules and common ids."""
    raw = BytesIO()
    sheet.figure.savefig(raw, format="svg", facecolor="white", metadata={"Date": None})
    text = raw.getvalue().decode("utf-8")
    text = text[text.index("<svg ") :]
    text = re.sub(r"\s*<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r' id="[\w.]+_\d+"', "", text)
    text = re.sub(r"\s*<defs>\s*<style.*?</style>\s*</defs>", "", text, count=1, flags=re.DOTALL)
    text = text.replace("<svg ", '<svg style="stroke-linejoin: round; stroke-linecap: butt" ', 1)
    families = ", ".join(f"'{name}'" if " " in name else name for name in FONTS)
    text = text.replace(f"'{FONTS[0]}'", families)
    text = re.sub(r"<!--.*?-->\s*", "", text, flags=re.DOTALL)
    text = re.sub(r' d="[^"]*"', lambda found: re.sub(r"\.(\d\d)\d+", r".\1", found[0]), text)
    opening, rest = text.split(">", 1)
    return f'{opening} role="img">\n<title>{escape(title)}</title>\n<desc>{escape(about)}</desc>{rest}'
