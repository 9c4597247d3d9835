"""The page's template: Jinja, where every value is escaped and made visible, and its few filters."""

import json
from functools import cache
from typing import Any, cast
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from dualcode.report.text import printable
from dualcode.runs.summary import unread_warning
from dualcode.tables import cells


@cache
def environment() -> Environment:
    """Return the environment whose `report.html.j2` is the page."""
    made = Environment(
        loader=PackageLoader("dualcode.report", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_visible,
    )
    made.filters["percent"] = percent
    cast("dict[str, Any]", made.globals)["unread_warning"] = unread_warning
    made.filters["points"] = cells.points
    made.filters["money"] = cells.money
    made.filters["p_value"] = cells.p_value
    return made


def _visible(value: Any) -> Any:
    return printable(value) if type(value) is str else value  # Markup is a str that was seen to


def percent(share: float, digits: int = 1) -> str:
    """Return a share as per cent, such as `81.7%`."""
    return f"{share:.{digits}%}"


def task_link(task: str, pipeline: str) -> str:
    """Return the link to a task's transcript within the page."""
    names = [quote(printable(text), safe="/") for text in (task, pipeline)]
    return f"#task={names[0]}&pipeline={names[1]}"


def as_json(value: Any) -> Markup:
    """Return JSON that can stand in a script element: ASCII, and without a `<` that could end it."""
    return Markup(json.dumps(cleaned(value), separators=(",", ":")).replace("<", "\\u003c"))


def cleaned(value: Any) -> Any:
    """Return a value of JSON with all of its texts made visible."""
    match value:
        case str():
            return printable(value)
        case dict():
            return {cleaned(key): cleaned(each) for key, each in value.items()}  # pyright: ignore[reportUnknownVariableType]
        case list():
            return [cleaned(each) for each in value]  # pyright: ignore[reportUnknownVariableType]
        case _:
            return value
