"""Where a text comes from: what of a request stands in no text whose source is known."""

import ast
import functools
import itertools
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import dualcode
from dualcode import prompts
from dualcode.extraction.bounds import read_tree
from dualcode.runs.needles import KEPT, Text, squeezed_all

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
