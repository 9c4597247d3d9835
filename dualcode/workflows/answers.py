"""Answers that `output_format` asks for, held against their schema."""

from collections.abc import Mapping
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError
from referencing import Registry


def misfit(schema: Mapping[str, Any], data: Mapping[str, Any] | None) -> str:
    """Return what keeps an answer from being of its schema; empty if nothing does."""
    if data is None:
        return "there is no object in the answer"
    registry: Registry[Any] = Registry()  # an empty one: nothing is fetched
    validator: Any = Draft202012Validator(schema, registry=registry)
    errors: list[ValidationError] = list(validator.iter_errors(data))
    if not errors:
        return ""
    error = min(errors, key=lambda each: len(each.absolute_path))
    where = ".".join(str(each) for each in error.absolute_path)
    return f"{where}: {error.message}" if where else error.message
