"""Structured answers: small schemas, bounded so that a reply always fits its tokens, and their reading."""

import contextlib
import json
from collections.abc import Callable, Iterator
from typing import Any, TypeVar, cast

from dualcode.extraction.thinking import read

Schema = dict[str, Any]
T = TypeVar("T")
_MOST_OBJECTS = 32


def text(most: int) -> Schema:
    """Return the schema of a string of 1 to `most` characters."""
    return {"type": "string", "minLength": 1, "maxLength": most}


def array(items: Schema, most: int, least: int = 0) -> Schema:
    """Return the schema of a bounded array."""
    return {"type": "array", "items": items, "minItems": least, "maxItems": most}


def record(properties: Schema) -> Schema:
    """Return the schema of an object with exactly these keys."""
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def read_object(text: str | None, fit: Callable[[dict[str, Any]], T]) -> T | None:
    """Return what `fit` makes of the last whole JSON object in a reply that it takes; None if there is none.

    Thoughts are no part of the reply; what stands around the object, a fence or a remark, is forgiven. `fit`
    raises ValueError for an object that is not meant. Half a surrogate pair, which JSON can escape and no
    record can hold, becomes a replacement character.
    """
    readings = read(text or "")
    for answer in (*readings.answers, readings.literal or ""):
        for found in reversed(list(_objects(answer))[-_MOST_OBJECTS:]):
            with contextlib.suppress(ValueError):
                return fit(found)
    return None


def _objects(text: str) -> Iterator[dict[str, Any]]:
    """Yield the whole objects of a text that are in no other, in order."""
    decoder, position = json.JSONDecoder(), text.find("{")
    while position >= 0:
        try:
            found, end = decoder.raw_decode(text, position)
            whole = json.dumps(found, ensure_ascii=False).encode("utf-16", "surrogatepass")
            yield cast("dict[str, Any]", json.loads(whole.decode("utf-16", "replace")))
        except (ValueError, RecursionError):
            end = position + 1
        position = text.find("{", end)
