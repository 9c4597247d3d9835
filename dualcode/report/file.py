"""The file: a template filled in, its styles and scripts within, and a policy that lets nothing else run.

Nothing that a model wrote is ever markup. Here it goes through Jinja's escaping or, for the scripts, through
JSON and base64; there it becomes text nodes. The policy of the page names its own styles and scripts by their
hashes and forbids every request, every other script, and every way to turn a string into markup.
"""

import base64
import hashlib
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from markupsafe import Markup

from dualcode.errors import RunError
from dualcode.figures.drawn import Drawn
from dualcode.report.template import environment

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
