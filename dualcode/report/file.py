"""The file: a template filled in, its styles and scripts within, and a policy that lets nothing else run.

Nothing that a model wrote is ever markup. Here it goes through Jinja's escaping or, for the scripts, through
JSON and base64; there it becomes text nodes. The policy of the page names its own styles and scripts by their
hashes and forbids every request, every other script, and every way to turn a string into markup.
"""

import base64
import contextlib
import hashlib
import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any, cast
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from dualcode.errors import RunError
from dualcode.figures.drawn import Drawn
from dualcode.report.text import cleaned, printable
from dualcode.runs.summary import unread_warning
from dualcode.tables import cells

_FOLDER = Path(__file__).parent


def fill(template: str, styles: Sequence[str], scripts: Sequence[str], **values: Any) -> str:
    """Return a page: a template of this folder with its styles, scripts, policy and values."""
    style, theme = "\n".join(map(_asset, styles)), _asset("theme.js")
    script = '"use strict";\n' + "\n".join(_asset(name) for name in scripts)
    policy = (
        f"default-src 'none'; script-src {_hash(theme)} {_hash(script)}; style-src {_hash(style)}; "
        "img-src data:; base-uri 'none'; form-action 'none'; "
        "require-trusted-types-for 'script'; trusted-types 'none'"
    )
    own = {"policy": policy, "style": style, "theme": theme, "script": script}
    marked = {name: Markup(text) for name, text in own.items()}
    return environment().get_template(template).render(**values, **marked)


@cache
def _asset(name: str) -> str:
    return (_FOLDER / name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def image(figure: Drawn) -> str:
    """Return a figure as an address that holds it. Raises RunError if its file cannot be read."""
    try:
        content = figure.svg.read_bytes()
    except OSError as error:
        raise RunError(
            f"the figure {figure.name} cannot be read: {error}", hint="python -m dualcode.figures RUN…"
        ) from error
    return f"data:image/svg+xml;base64,{base64.b64encode(content).decode()}"


def write_page(target: Path, page: str) -> None:
    """Write the file so that a kill leaves the old one or the new one. Raises RunError if it cannot."""
    fresh = target.with_name(f".{target.name}.new")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        fresh.write_bytes(page.encode("utf-8", "replace"))
        fresh.replace(target)
    except OSError as error:
        raise RunError(f"cannot write {target}: {error}", hint="-o FILE") from error
    finally:
        with contextlib.suppress(OSError):
            fresh.unlink(missing_ok=True)


@cache
def environment() -> Environment:
    """Return the environment of the pages: every value is escaped and made visible."""
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
