"""What a model was sent, and what it said: all texts of a request, whatever its field, and of the answers."""

import functools
import json
import marshal
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple, cast

from dualcode.call import Call, Request
from dualcode.record import Record
from dualcode.runs.needles import Needle, Text


class Beside(NamedTuple):
    """What a request holds beside its messages: the same in many."""

    places: Sequence[str]
    texts: tuple[str, ...]
    ended: Sequence[str]
    """The texts again, each of a schema with an end of its own."""
    form: Text
    """Of these together."""


class Sent(NamedTuple):
    """All that is in a request, whatever its field."""

    messages: Sequence[tuple[str, str]]
    """Each with its place."""
    beside: Beside

    def parts(self) -> list[tuple[str, str]]:
        """Return each text with its place."""
        return [*self.messages, *zip(self.beside.places, self.beside.texts, strict=True)]

    def texts(self) -> list[Text]:
        """Return the whole of it, and where there are answers between, the same without them."""
        mine = [each for each in self.messages if "(assistant)" not in each[0]]
        without = [self._whole(mine)] if len(mine) < len(self.messages) else []
        return [self._whole(self.messages), *without]

    def _whole(self, messages: Sequence[tuple[str, str]]) -> Text:
        said = [text for _, text in messages]
        return Text.joined([*map(Text.of, said), self.beside.form]) or Text.of(*said, *self.beside.ended)

    def place(self, needle: Needle) -> tuple[str, Text]:
        """Return where a string that it holds stands, and the text there."""
        for place, part in self.parts():
            if needle.stands_in(text := Text.of(part)):
                return place, text
        texts = self.texts()
        return "across messages", texts[0].beside(texts[-1])


def sent(request: Request) -> Sent:
    """Return the texts of a request."""
    messages = [
        (f"message {number} ({message.role})", message.content)
        for number, message in enumerate(request.messages, start=1)
    ]
    schema = None if request.json_schema is None else marshal.dumps(request.json_schema)
    rest = tuple(value for field, value in vars(request).items() if field not in ("messages", "json_schema"))
    return Sent(messages, _beside(schema, rest))


@functools.lru_cache(64)
def _beside(schema: bytes | None, rest: tuple[Any, ...]) -> Beside:
    told = [*_told(marshal.loads(schema))] if schema is not None else []
    plain = [each.model_dump(mode="json") if isinstance(each, Record) else each for each in rest]
    others = [*_strings(plain)]
    ended = [*(f"{text};" for text in told), *others]
    places = ["schema"] * len(told) + ["other fields"] * len(others)
    return Beside(places, (*told, *others), ended, Text.of(*ended))


_BOUNDS = {"minLength", "maxLength", "minItems", "maxItems", "minimum", "maximum", "additionalProperties"}
_VALUES = {"enum", "const", "default", "examples"}
_GRAMMAR = _BOUNDS | _VALUES | {"type", "items", "properties", "required", "anyOf", "oneOf", "allOf", "title"}
_TYPES = ("string", "array", "object", "number", "integer", "boolean", "null")


def _told(schema: Any, key: str = "") -> Iterator[str]:
    """Yield what a schema says beside its grammar: names, texts, numbers, and whole values."""
    if key in _VALUES:
        yield json.dumps(schema, ensure_ascii=False)
    elif isinstance(schema, Mapping):
        for name, value in cast("Mapping[str, Any]", schema).items():
            if key == "properties" or name not in _GRAMMAR:
                yield name
            yield from _told(value, "" if key == "properties" else name)
    elif isinstance(schema, list | tuple):
        for each in cast("Sequence[Any]", schema):
            yield from _told(each, key)
    elif schema is not None and not isinstance(schema, bool) and (key != "type" or schema not in _TYPES):
        yield str(schema)


def turns(call: Call) -> Iterator[tuple[Request, list[str]]]:
    """Yield the requests of a call, each with what was answered before the next."""
    repairs = [attempt.request for attempt in call.attempts if attempt.request is not None]
    if repairs:
        yield call.request, [attempt.content for attempt in call.attempts if attempt.content]
    yield (repairs[-1] if repairs else call.request), list(said(call))


def said(call: Call) -> Iterator[str]:
    """Yield what a model said in a call: its answers and thoughts, and the strings of a structured answer."""
    if call.reply is not None:
        yield from (text for text in (call.reply.content, call.reply.reasoning) if text)
    yield from (attempt.content for attempt in call.attempts if attempt.content)
    if call.value is not None and call.value.kind != "program":
        yield from _strings(call.value.data)


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for each in cast("Mapping[str, Any]", value).values():
            yield from _strings(each)
    elif isinstance(value, list | tuple):
        for each in cast("Sequence[Any]", value):
            yield from _strings(each)
