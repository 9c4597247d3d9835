"""Structured answers: small schemas, bounded so that a reply always fits its tokens, and their reading."""

import json
from typing import Any, cast

Schema = dict[str, Any]


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


def read_object(text: str | None) -> dict[str, Any] | None:
    """Return the JSON object in a reply, a fence around it forgiven; None if there is none.

    Half a surrogate pair, which JSON can escape and no record can hold, becomes a replacement character.
    """
    if text is None:
        return None
    try:
        found: Any = json.loads(text[text.find("{") : text.rfind("}") + 1])
        whole = json.dumps(found, ensure_ascii=False).encode("utf-16", "surrogatepass")
        found = json.loads(whole.decode("utf-16", "replace"))
    except (ValueError, RecursionError):
        return None
    return cast("dict[str, Any]", found) if isinstance(found, dict) else None
