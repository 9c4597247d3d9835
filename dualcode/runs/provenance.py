"""What a model was sent and what it said; and what of it stands in no text whose source is known."""

import ast
import functools
import itertools
import json
import marshal
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, cast

import dualcode
from dualcode import prompts
from dualcode.call import Call, Request
from dualcode.extraction.bounds import read_tree
from dualcode.record import Record
from dualcode.runs.needles import KEPT, Needle, Text, squeezed_all

ASKED_AGAIN = 1 << 14
"""Runs of words that are looked for in what every task may know: they come again with each task."""
RUN = 3
"""So many words in a row have a source if they stand so in a known text; fewer may do so by chance."""

_HOLE = re.compile(r"\{\{.*?\}\}|\{%.*?%\}|\{#.*?#\}", re.DOTALL)
_QUOTED = re.compile(r'"([^"]*)"')
_ROOMS = ("pipelines", "steps", "bench")
"""The package's code that writes texts for models."""


class Sources:
    """Texts of known source, in the words that they consist of."""

    def __init__(self, texts: Iterable[str] = (), *, beside: "Sources | None" = None) -> None:
        """`beside` are sources that are known, too, and do not change any more."""
        self._words = ""
        self._whole: set[str] = set()
        self._beside = beside
        self._added = set[str]()
        for text in texts:
            self.add(text)

    def add(self, text: str) -> None:
        """Take another text for known."""
        if self._is_old(text):
            return
        self._added.add(text)
        said = Text.of(text).words
        if said.count(" ") <= RUN:  # too short to be found as a part: known as a whole
            self._whole.add(said)
        if said not in self._words:
            self._words += f"\0{said}"

    def beside(self) -> "Sources":
        """Return sources of their own to which more is added, while these stay as they are."""
        return Sources(beside=self)

    def unread(self, texts: tuple[str, ...]) -> "Unread":
        """Return what is to be read of texts that come again with many tasks: not what is known beside."""
        return (self._beside or self)._unread(texts)

    def add_unread(self, new: "Unread") -> None:
        """Take all of it for known."""
        if not self._added.issuperset(new.texts):
            self._added.update(new.texts)
            self._whole |= new.whole
            self._words += new.words

    def unexplained(self, text: str) -> list[list[str]]:
        """Return the stretches of words that stand in no known text."""
        if self._is_old(text):
            return []
        said = Text.of(text).words
        if self._is_whole(said) or (said.count(" ") > RUN and self._stands(said)):
            return []
        own, found, at, open_ = said.split(), list[list[str]](), 0, False
        ends = [0, *itertools.accumulate(map(len, own))]
        while at < len(own):
            length = self._known(said, ends, at)
            if length:
                at, open_ = at + length, False
                continue
            if not open_:
                found.append([])
            found[-1].append(own[at])
            at, open_ = at + 1, True
        return found

    def _is_old(self, text: str) -> bool:
        """Whether it was added, or is known beside: what is sent again need not be read again."""
        return text in self._added or (self._beside is not None and self._beside._knows(text))

    def _is_known(self, text: str) -> bool:
        said = Text.of(text).words
        return said in (self._whole if said.count(" ") <= RUN else self._words)

    def _known(self, said: str, ends: Sequence[int], at: int) -> int:
        """Return how many words from `at` on stand in a known text; 0 if too few.

        `ends` are of the words, without the blank before each.
        """
        start, left = ends[at] + at, len(ends) - 1 - at

        def holds(length: int) -> bool:
            return self._stands(said[start : ends[at + length] + at + length + 1])

        if left >= RUN and holds(RUN):
            low, high = RUN, 2 * RUN
            while high <= left and holds(high):
                low, high = high, 2 * high
            high = min(high, left + 1)
            while high - low > 1:
                middle = (low + high) // 2
                low, high = (middle, high) if holds(middle) else (low, middle)
            return low
        for length in range(min(RUN - 1, left), 0, -1):
            if self._is_whole(said[start : ends[at + length] + at + length + 1]):
                return length
        return 0

    def _is_whole(self, said: str) -> bool:
        return said in self._whole or (self._beside is not None and said in self._beside._whole)

    def _stands(self, said: str) -> bool:
        return said in self._words or (self._beside is not None and self._beside._kept(said))

    @functools.cached_property
    def _kept(self) -> Callable[[str], bool]:
        return functools.lru_cache(ASKED_AGAIN)(self._stands)

    @functools.cached_property
    def _knows(self) -> Callable[[str], bool]:
        return functools.lru_cache(KEPT)(self._is_known)

    @functools.cached_property
    def _unread(self) -> "Callable[[tuple[str, ...]], Unread]":
        return functools.lru_cache(KEPT)(self._look_at)

    def _look_at(self, texts: tuple[str, ...]) -> "Unread":
        said = {text: Text.of(text).words for text in texts if not self._is_known(text)}
        whole = frozenset(each for each in said.values() if each.count(" ") <= RUN)
        several = tuple(text for text in texts if len(said.get(text, "").split()) > 1)
        return Unread(frozenset(said), several, whole, "".join(f"\0{each}" for each in said.values()))


class Unread(NamedTuple):
    """Texts of which nothing is known beside."""

    texts: frozenset[str]
    several: Sequence[str]
    """Those of several words."""
    whole: frozenset[str]
    """The words of those that are too short to be found as a part."""
    words: str


class Templates(NamedTuple):
    """What every request may hold: the prompts, and the constants of the code that fills them in."""

    text: Text
    pieces: tuple[str, ...]


@functools.cache
def templates() -> Templates:
    """Return the package's own."""
    files = [(prompts.FOLDER / f"{name}.md").read_text("utf-8") for name in prompts.names()]
    pieces = [piece for file in files for piece in _HOLE.split(file)]
    pieces += [text for file in files for hole in _HOLE.findall(file) for text in _QUOTED.findall(hole)]
    root = Path(dualcode.__file__).parent
    for room in _ROOMS:
        for path in sorted((root / room).rglob("*.py")):
            pieces += literals(path.read_text("utf-8"))
    return Templates(Text.of(*files), tuple(piece for piece in pieces if piece.strip()))


def literals(source: str) -> list[str]:
    """Return the constant texts in a program, docstrings left out; none if it cannot be parsed."""
    tree = read_tree(source)
    if tree is None:
        return []
    said = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    return [
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in said
    ]


def lines_of_no_reply(program: str, known: Text) -> Iterator[str]:
    """Yield a program's lines that stand in no known text; imports, which extraction adds, are left out."""
    lines = program.splitlines()
    for line, tight in zip(lines, squeezed_all(lines), strict=True):
        if tight and not line.strip().startswith(("import ", "from ")) and tight not in known.squeezed:
            yield line


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
