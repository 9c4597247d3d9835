"""The prompts: one Jinja template a file; a missing variable is an error."""

import functools
import hashlib
from collections.abc import Iterable
from pathlib import Path

import jinja2
import jinja2.meta

FOLDER = Path(__file__).parent


@functools.cache
def _environment(*folders: Path) -> jinja2.Environment:
    # Plain text for a model, not HTML: nothing is escaped.
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(folders),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=False,
    )


def render(name: str, **variables: object) -> str:
    """Return the prompt `name` (without `.md`) with its variables filled in, without outer blank lines.

    Raises jinja2.UndefinedError for a variable that the template uses and the caller left out.
    """
    return _environment(FOLDER).get_template(f"{name}.md").render(**variables).strip()


def render_of(folder: Path, name: str, **variables: object) -> str:
    """Return a prompt of a set: that in `folder`, or the house's where it has none. Raises as `render`."""
    return _environment(folder, FOLDER).get_template(f"{name}.md").render(**variables).strip()


def names() -> list[str]:
    """Return the names of all prompts."""
    return sorted(path.stem for path in FOLDER.glob("*.md"))


def hashes(wanted: Iterable[str]) -> dict[str, str]:
    """Return name -> SHA-256 of each wanted prompt's file, and of those that they include.

    What is no prompt's name is passed over.
    """
    found, waiting = dict[str, str](), set(names()).intersection(wanted)
    while waiting:
        name = waiting.pop()
        source = (FOLDER / f"{name}.md").read_bytes()
        found[name] = hashlib.sha256(source).hexdigest()
        included = jinja2.meta.find_referenced_templates(_environment(FOLDER).parse(source.decode()))
        waiting |= {each.removesuffix(".md") for each in included if each} - found.keys()
    return dict(sorted(found.items()))
