"""The prompts: one Jinja template a file; a missing variable is an error."""

import functools
import hashlib
from pathlib import Path

import jinja2

FOLDER = Path(__file__).parent


@functools.cache
def _environment(folder: Path) -> jinja2.Environment:
    # Plain text for a model, not HTML: nothing is escaped.
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(folder),
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


def names() -> list[str]:
    """Return the names of all prompts."""
    return sorted(path.stem for path in FOLDER.glob("*.md"))


def hashes() -> dict[str, str]:
    """Return name -> SHA-256 of each prompt's file: part of what a run was made with."""
    return {name: hashlib.sha256((FOLDER / f"{name}.md").read_bytes()).hexdigest() for name in names()}
