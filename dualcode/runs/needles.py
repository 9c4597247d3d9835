"""Needles: what the audit looks for, in forms that survive another notation.

A text is compared in two forms. *Squeezed*: without blanks, in one case, with one kind of quotes and of
brackets. *Words*: its numbers and names alone, in order, numbers in one spelling, so that `[5, 6, 7, 8]`,
`5; 6; 7; 8` and a JSON or a YAML list are the same.
"""

import functools
import re
from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple

SHORTEST = 4
"""Characters, blanks left out. Shorter strings stand everywhere."""
FEWEST_WORDS = 4
FEWEST_CHARACTERS = 6
"""Words that say something: so many, or two of so many characters together, or one number of SHORTEST."""
KEPT = 512
"""Texts whose forms are kept: a conversation is sent again with each turn, a schema with each review."""
SHORTEST_LINE = 12
"""Characters of a line of the reference: `return a + b` has 9."""

What = Literal["arguments", "expected", "test", "reference"]

_CONSTANTS = {"true", "false", "none", "nan", "inf"}
_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|([\"'\\/])|[abfnrtv0])")
_WORD = re.compile(r"[^\W\d]\w*|0[xX][0-9a-fA-F]+|\d[\d_]*(?:\.\d+)?(?:[eE][+-]?\d+)?")
_SEAM = "\0"
"""Between texts that are read together: no blank, no part of a word or of an escape, and in no source."""
_WORD_OR_SEAM = re.compile(f"{_WORD.pattern}|{_SEAM}")
_BRACKETS = str.maketrans("(){}", "[][]")


class Hidden(NamedTuple):
    """One hidden test, as Python writes it."""

    arguments: str
    """`[1, 2], 3`: as between the parentheses of a call."""
    expected: str
    each: tuple[str, ...] = ()
    """The arguments one by one, where there are several."""


class Text(NamedTuple):
    """A text in the forms in which it is compared."""

    squeezed: str
    words: str
    """With a blank at each end, so that a part is found only at whole words."""
    shown: str
    """Squeezed, with its own brackets: for people."""

    @classmethod
    def of(cls, *parts: str) -> "Text":
        """Return the forms of texts that follow each other: no word, and no escape, goes across a seam."""
        if len(parts) == 1:
            return _text(parts[0])
        texts = [_text(part) for part in parts]
        if found := cls.joined(texts):
            return found
        shown = _folded("".join(map(_tight, parts)))
        return cls(shown.translate(_BRACKETS), cls._said(texts), shown)

    @classmethod
    def joined(cls, texts: Sequence["Text"]) -> "Text | None":
        """Return the forms of texts that follow each other; None where a `null` may go across a seam."""
        if any(text.shown.endswith(("n", "nu", "nul")) for text in texts[:-1]):
            return None
        tight, shown = "".join(text.squeezed for text in texts), "".join(text.shown for text in texts)
        return cls(tight, cls._said(texts), shown)

    @staticmethod
    def _said(texts: Sequence["Text"]) -> str:
        return f"{''.join(text.words[:-1] for text in texts if len(text.words) > 2) or ' '} "

    def beside(self, *others: "Text") -> "Text":
        """Return all of them, with seams that nothing matches across."""
        squeezed, words, shown = ("\0".join(forms) for forms in zip(self, *others, strict=True))
        return Text(squeezed, words, shown)


class Needle(NamedTuple):
    """A string to look for; a form that is too weak to tell anything is empty."""

    what: What
    text: str
    squeezed: str
    words: str

    @property
    def weak(self) -> bool:
        """Whether it stands everywhere."""
        return not (self.squeezed or self.words)

    def stands_in(self, text: Text) -> bool:
        """Whether a text holds it in either form."""
        return bool(self.squeezed and self.squeezed in text.squeezed) or bool(
            self.words and self.words in text.words
        )

    def excerpt(self, text: Text, around: int) -> str:
        """Return the place of the text, without its blanks, where it stands."""
        in_squeezed = bool(self.squeezed) and self.squeezed in text.squeezed
        own, form = (self.squeezed, text.shown) if in_squeezed else (self.words, text.words)
        at = (text.squeezed if in_squeezed else text.words).index(own)
        return form[max(0, at - around) : at + len(own) + around].strip()


def squeezed(text: str) -> str:
    """Return a text without blanks, in one case, with one kind of quotes and brackets."""
    return _folded(_tight(text)).translate(_BRACKETS)


@functools.lru_cache(KEPT)
def _text(text: str) -> Text:
    shown = _folded(_tight(text))
    return Text(shown.translate(_BRACKETS), words(text), shown)


def _tight(text: str) -> str:
    return "".join(_unescaped(text).split())


def _folded(tight: str) -> str:
    return tight.replace('"', "'").replace("null", "None").casefold()


def words(text: str) -> str:
    """Return a text's names and numbers, each number in one spelling, with a blank around each."""
    return f" {' '.join(map(_spelled, _WORD.findall(_unescaped(text))))} "


def squeezed_all(texts: Sequence[str]) -> list[str]:
    """Return `squeezed` of each: together, for most are short."""
    whole = _SEAM.join(texts)
    apart = whole.count(_SEAM) >= len(texts)
    return [squeezed(text) for text in texts] if apart or not texts else squeezed(whole).split(_SEAM)


def words_all(texts: Sequence[str]) -> list[str]:
    """Return `words` of each."""
    whole = _SEAM.join(texts)
    if whole.count(_SEAM) >= len(texts) or not texts:
        return [words(text) for text in texts]
    said = " ".join(map(_spelled, _WORD_OR_SEAM.findall(_unescaped(whole))))
    return [f" {each.strip()} " for each in said.split(_SEAM)]


def _unescaped(text: str) -> str:
    if "\\" not in text:
        return text
    return _ESCAPE.sub(lambda escape: chr(int(escape[1], 16)) if escape[1] else escape[2] or " ", text)


@functools.lru_cache(1 << 16)
def _spelled(word: str) -> str:
    if not word[0].isdigit():
        return "none" if word == "null" else word.casefold()
    try:
        number = int(word, 16) if word[:2] in ("0x", "0X") else float(word.replace("_", ""))
        return str(int(number)) if number == int(number) and abs(number) < 2**53 else word.replace("_", "")
    except (ValueError, OverflowError):  # more digits than Python converts, or beyond all floats
        return word


def needles_of(tests: Iterable[Hidden], reference: str, prompt: str) -> list[Needle]:
    """Return what to look for of a task, each once, the weak ones too: they are counted."""
    found: dict[tuple[What, str], None] = {}  # a dictionary keeps each once, in order
    for test in tests:
        found |= {("arguments", each): None for each in (test.arguments, *test.each)}
        found[("expected", test.expected)] = None
    known, lines = squeezed(prompt), code_lines(reference)
    forms = zip(lines, squeezed_all(lines), strict=True)
    tight = {line: form for line, form in forms if form not in known}
    texts = [text for _, text in found]
    spelled = zip(found, squeezed_all(texts), words_all(texts), strict=True)
    return [
        *(_needle(what, text, form, spaced) for (what, text), form, spaced in spelled),
        *(
            Needle("reference", line, form if len(form) >= SHORTEST_LINE else "", "")
            for line, form in tight.items()
        ),
    ]


def code_lines(program: str) -> Sequence[str]:
    """Return a program's lines without comments, blank lines and imports."""
    lines = (
        (re.sub(r"(?:^|\s)#.*$", "", line) if "#" in line else line).strip() for line in program.splitlines()
    )
    return [line for line in dict.fromkeys(lines) if line and not line.startswith(("import ", "from "))]


def _needle(what: What, text: str, tight: str, spaced: str) -> Needle:
    if len(tight) < SHORTEST and "e" not in tight:  # no more in words, either; `1e9` is
        return Needle(what, text, "", "")
    own = spaced.split()
    if not own and len(bare := tight.replace("'", "")) >= FEWEST_CHARACTERS:
        tight = bare  # brackets alone, say: found without their quotes too
    sayable = (
        len(own) >= FEWEST_WORDS
        or (len(own) > 1 and sum(map(len, own)) >= FEWEST_CHARACTERS)
        or (len(own) == 1 and own[0][0].isdigit() and len(own[0]) >= SHORTEST)
    )
    strong = len(tight) >= SHORTEST and tight not in _CONSTANTS
    return Needle(what, text, tight if strong else "", spaced if sayable else "")
