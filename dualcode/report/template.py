"""The page's template: Jinja, where every value is escaped and made visible, and its few filters."""

import json
from functools import cache
from typing import Any
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
    shared: dict[str, Any] = made.globals  # typed by what jinja2 itself puts there
    shared["unread_warning"] = unread_warning
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
    return Markup(json.dumps(_cleaned(value), separators=(",", ":")).replace("<", "\\u003c"))


def _cleaned(value: Any) -> Any:
    match value:
        case str():
            return printable(value)
        case dict():
            return {_cleaned(key): _cleaned(each) for key, each in value.items()}  # pyright: ignore[reportUnknownVariableType]
        case list():
            return [_cleaned(each) for each in value]  # pyright: ignore[reportUnknownVariableType]
        case _:
            return value
