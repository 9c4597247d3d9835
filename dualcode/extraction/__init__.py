"""Reply -> program: what a model wrote, as a Python module that stands alone.

The way of a reply:

    reply ── thinking ──> fences ──> candidates (salvage where one does not parse) ──> assembly ──> Program

No candidate code is ever executed; everything is decided on the syntax tree. Nothing is invented either:
what is added to a reply comes from the prompt (its imports, helpers and signature), from another block of
the same reply, or is an import of a `typing` name that an annotation uses.
"""

from dualcode.extraction.extraction import extract
from dualcode.extraction.thinking import strip_thinking

__all__ = ["extract", "strip_thinking"]
