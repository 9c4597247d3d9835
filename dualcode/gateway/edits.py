"""The code in an answer, in whatever form the client asked for it, and what a correction must not lose of it.

Four forms are told apart: fenced blocks (with a file's name in the info string, on the line before, or in a
first comment), search/replace blocks, unified diffs, and elements such as `<write_to_file>`; and, where there
is none of these, a whole answer that is Python. What is refused is by the rule of review-fix-guarded, for any
language and form: a correction that loses something. Pure: texts in, values out; nothing is run.
"""

import ast
import re
import textwrap
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from dualcode.extraction.source import Fault, Function, parse

Kind = Literal["fence", "search", "diff", "element", "bare"]
_FENCE = re.compile(r"(?P<indent>[ \t]{0,12})(?P<fence>`{3,}|~{3,})(?P<info>[^`\n]*)$")
_SEARCH = re.compile(r"[ \t]*(?:<{5,9}|-{5,9}) SEARCH>?[ \t]*$")
_DIVIDER = re.compile(r"[ \t]*={5,9}[ \t]*$")
_REPLACE = re.compile(r"[ \t]*(?:>{5,9}|\+{5,9}) REPLACE[ \t]*$")
_ELEMENT = re.compile(r"[ \t]*<(?P<name>[a-z]+(?:_[a-z]+)+)>[ \t]*$")
_PATH_IN = re.compile(r"<(?:path|file_path|filename)>\s*([^<\n]{1,200}?)\s*</")
_FILE = re.compile(
    r"(?:[\w.@+~()\[\]-]+[/\\])*[\w.@+~()\[\]-]*\.[A-Za-z]\w{0,9}|(?:[\w.-]+/)*(?:Makefile|Dockerfile|LICENSE)"
)
_LABEL = re.compile(r"(?i)^(?:\d+[.)]\s+|[-*+]\s+)?(?:(?:in\s+)?file(?:name| ?path)?\s*[:=]\s*)?")
_COMMENT = re.compile(r"\s*(?:#|//|--|;|/\*|<!--)\s*(?P<text>[^\n]*?)\s*(?:\*/|-->)?\s*$")
_LANGUAGES = {"py": "python", "python3": "python", "pyi": "python", "js": "javascript", "ts": "typescript"}


@dataclass(frozen=True)
class Block:
    """One piece of code in an answer, and where it stands."""

    kind: Kind
    file: str
    """As the answer names it; empty where it does not."""
    language: str
    """In small letters, from the info string or the file's name; of an element, its name."""
    body: str
    """The code; of a search/replace block what replaces, of a diff its lines."""
    start: int
    end: int
    """Of the body in the text; of a search/replace block and a diff, of the whole."""
    search: str = ""
    """What a search/replace block looks for."""
    closed: bool = True

    @property
    def title(self) -> str:
        """What people call it."""
        return f"`{self.file}`" if self.file else f"a {self.language or 'code'} block"

    @property
    def is_python(self) -> bool:
        """Whether it is a whole piece of Python, which can be compiled without its surroundings."""
        return self.kind in ("fence", "bare") and self.language == "python"


def read_edits(text: str) -> tuple[Block, ...]:
    """Return the code in an answer, in order."""
    lines, offset = list[tuple[int, str]](), 0  # each with its offset, without its end
    for line in text.split("\n"):
        lines.append((offset, line.removesuffix("\r")))
        offset += len(line) + 1
    searches = list(_searches(lines, text))
    covered = [(block.start, block.end) for block in searches]
    elements = list(_elements(lines, text))
    covered += [(each.start, each.end) for each in elements]
    found = [*searches, *elements]
    for block in _fences(lines, text, covered):
        diffs = list(_diffs(block.body, block.start)) if block.language in ("diff", "patch", "") else []
        found += diffs or [block]
        covered.append((block.start, block.end))
    found += [each for each in _diffs(text, 0) if not _inside(each.start, covered)]
    if not found:
        tree, code = read_tree(text), Function | ast.ClassDef | ast.Import | ast.ImportFrom
        # Such a statement makes it code: a word alone is an expression, too.
        if isinstance(tree, ast.Module) and any(isinstance(node, code) for node in tree.body):
            found.append(Block(kind="bare", file="", language="python", body=text, start=0, end=len(text)))
    return tuple(sorted(found, key=lambda block: block.start))


def _inside(offset: int, spans: Sequence[tuple[int, int]]) -> bool:
    return any(start <= offset < end for start, end in spans)


def _searches(lines: Sequence[tuple[int, str]], text: str) -> Iterator[Block]:
    """Yield search/replace blocks. One without its end is not closed; a name may stand for several."""
    name = ""
    at = 0
    while at < len(lines):
        if not _SEARCH.match(lines[at][1]):
            at += 1
            continue
        divider = _first(lines, at + 1, _DIVIDER)
        end = None if divider is None else _first(lines, divider + 1, _REPLACE)
        name = _name_before(lines, at) or name
        stop = len(text) if end is None else lines[end][0] + len(lines[end][1])
        middle = divider if divider is not None else len(lines)
        yield Block(
            kind="search",
            file=name,
            language=_language("", name),
            search="\n".join(line for _, line in lines[at + 1 : middle]),
            body="\n".join(line for _, line in lines[middle + 1 : end]),
            start=lines[at][0],
            end=stop,
            closed=end is not None,
        )
        at = len(lines) if end is None else end + 1


def _first(lines: Sequence[tuple[int, str]], begin: int, pattern: re.Pattern[str]) -> int | None:
    for at in range(begin, len(lines)):
        if pattern.match(lines[at][1]):
            return at
        if _SEARCH.match(lines[at][1]):
            return None
    return None


def _elements(lines: Sequence[tuple[int, str]], text: str) -> Iterator[Block]:
    """Yield elements such as `<write_to_file>`, whose names have an underscore: others are of HTML."""
    at = 0
    while at < len(lines):
        opened = _ELEMENT.match(lines[at][1])
        if opened is None:
            at += 1
            continue
        closing = re.compile(rf".*</{opened['name']}>[ \t]*$")
        end = next((n for n in range(at, len(lines)) if closing.match(lines[n][1])), None)
        stop = len(text) if end is None else lines[end][0] + len(lines[end][1])
        start = lines[at][0]
        path = _PATH_IN.search(text, start, stop)
        yield Block(
            kind="element", file=path[1] if path else "", language=opened["name"], body=text[start:stop],
            start=start, end=stop, closed=end is not None,
        )  # fmt: skip
        at = len(lines) if end is None else end + 1


def _fences(
    lines: Sequence[tuple[int, str]], text: str, covered: Sequence[tuple[int, int]]
) -> Iterator[Block]:
    """Yield fenced blocks, as CommonMark closes them, but for those around what is `covered`."""
    opened: tuple[int, str, str] | None = None  # line, fence, info
    spans: list[tuple[int, str, int, bool]] = []  # line, info, end, whether it is closed
    for at, (offset, line) in enumerate(lines):
        found = _FENCE.match(line)
        if found is None or _inside(offset, covered):
            continue
        if opened is None:
            opened = (at, found["fence"], found["info"].strip())
        elif found["fence"].startswith(opened[1]) and not found["info"].strip():
            spans.append((opened[0], opened[2], offset, True))
            opened = None
    if opened is not None:
        spans.append((opened[0], opened[2], len(text), False))
    for at, info, end, closed in spans:
        start = min(lines[at][0] + len(lines[at][1]) + 1, end)
        if any(start <= begin < end for begin, _ in covered):
            continue
        language, name = _read_info(info)
        body = text[start:end]
        name = name or _name_before(lines, at) or _name_within(body)
        yield Block(
            kind="fence", file=name, language=_language(language, name), body=body, start=start, end=end,
            closed=closed,
        )  # fmt: skip


def _read_info(info: str) -> tuple[str, str]:
    """Return language and file of an info string: `python app.py`, `py:app.py`, `python title="app.py"`."""
    first, _, rest = info.partition(" ")
    titled = re.search(r"(?:title|file(?:name)?|path)=[\"']?([^\"'\s}]+)", info)
    if titled and _FILE.fullmatch(titled[1]):
        return first.partition(":")[0].strip("{}."), titled[1]
    language, colon, name = first.partition(":")
    if colon and _FILE.fullmatch(name):
        return language, name
    if _FILE.fullmatch(rest.strip()):
        return first, rest.strip()
    return ("", first) if _FILE.fullmatch(first) and "." in first else (first, "")


def _name_before(lines: Sequence[tuple[int, str]], at: int) -> str:
    """Return the file that one of the two lines before names, fences and blank lines passed over."""
    for _, line in reversed(lines[max(0, at - 3) : at]):
        fence = _FENCE.match(line)
        if fence is not None and fence["info"].strip():
            named = _read_info(fence["info"].strip())[1]
            if named:
                return named
        if fence is not None or not line.strip():
            continue
        said = line.strip().strip("#*`_ ").removesuffix(":").strip("*`_ \"'")
        said = _LABEL.sub("", said).strip("*`_ \"'")
        return said if len(said) <= 200 and _FILE.fullmatch(said) else ""
    return ""


def _name_within(body: str) -> str:
    """Return the file that a first line names in a comment."""
    comment = _COMMENT.match(body.lstrip("\n").partition("\n")[0])
    said = _LABEL.sub("", comment["text"].strip("*` ")).strip() if comment else ""
    return said if said and _FILE.fullmatch(said) else ""


def _language(given: str, file: str) -> str:
    name = given.strip("{}.").lower() or (file.rpartition(".")[2].lower() if "." in file else "")
    return _LANGUAGES.get(name, name)


_HEADER = re.compile(r"^--- (?P<old>[^\n]+)\n\+\+\+ (?P<new>[^\n]+)\n(?=@@)", re.MULTILINE)


def _diffs(text: str, offset: int) -> Iterator[Block]:
    """Yield the files of unified diffs."""
    headers = list(_HEADER.finditer(text))
    for at, header in enumerate(headers):
        most = headers[at + 1].start() if at + 1 < len(headers) else len(text)
        end = header.end()
        for line in text[header.end() : most].splitlines(keepends=True):
            if not (line[0] in " +-@\\\n\r" or line.startswith(("diff ", "index "))):
                break
            end += len(line)
        names = [header[key].partition("\t")[0].strip() for key in ("new", "old")]
        name = next((each for each in names if each != "/dev/null"), "")
        name = re.sub(r"^[ab]/", "", name)
        yield Block(
            kind="diff", file=name, language=_language("", name), body=text[header.start() : end],
            start=offset + header.start(), end=offset + end,
        )  # fmt: skip


def read_tree(body: str) -> ast.Module | Fault:
    """Return the syntax tree of a piece of Python, moved to the margin, or what is wrong with it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what the compiler remarks on is the client's, not ours
        return parse(textwrap.dedent(body))


def faults(blocks: Sequence[Block]) -> list[str]:
    """Return what is wrong with the Python among the blocks, a sentence each; a fact, not an opinion."""
    told: list[str] = []
    for block in blocks:
        found = read_tree(block.body) if block.is_python else None
        if isinstance(found, Fault):
            told.append(f"{block.title} does not compile: {found.reason}, line {found.line}")
    return told


def unchecked(blocks: Sequence[Block]) -> list[str]:
    """Return what was not compiled: code of other languages, and pieces of files."""
    told: dict[str, None] = {}
    for block in blocks:
        if not block.is_python:
            what = (
                "a part of a file"
                if block.kind in ("search", "diff")
                else block.language or "no language given"
            )
            told[f"{block.title} ({what})" if block.file else f"{block.title}"] = None
    return list(told)


FORMS: dict[Kind, str] = {
    "fence": "fenced blocks",
    "search": "search/replace blocks",
    "diff": "a unified diff",
    "element": "elements",
    "bare": "a program without a fence",
}
_ELIDED = re.compile(
    r"(?i)^\s*(?:#|//|--|/\*|<!--)\s*(?:\.\.\.|…)|(?:#|//|--|/\*|<!--).{0,40}"
    r"\b(?:rest of (?:the|your) |existing code|remains? (?:the same|unchanged)|same as before|unchanged)"
)
SHRUNK = 0.5
"""A block of which less than this share of its lines is left was not corrected but cut short."""


def objection(draft: str, fixed: str, *, shown: str = "") -> str:
    """Return why a corrected answer must not replace the draft, in words for a writer; "" if nothing does.

    `shown` is all that the writer was shown: what a search/replace block looks for has to stand there, unless
    the draft's own did not.
    """
    before, after = read_edits(draft), read_edits(fixed)
    if not fixed.strip():
        return "it is empty."
    for kind in FORMS:
        had, has = (any(block.kind == kind for block in each) for each in (before, after))
        if had and not has and not _unwrapped(before, after):
            return f"it does not keep the form: your first answer has {FORMS[kind]}, this one has none."
    if not _unwrapped(before, after):
        lost = Counter(map(_key, before)) - Counter(map(_key, after))
        for block in before:
            if lost[_key(block)]:
                return f"it leaves out {block.title}, which your first answer has. Answer with all of it."
    if any(not block.closed for block in after) and all(block.closed for block in before):
        return "its last block has no end."
    for was, now in _pairs(before, after):
        if told := _worse(was, now):
            return told
    if shown and (missing := _missing(after, shown)) and not _missing(before, shown):
        return f"what it looks for in {missing} does not stand there. Copy those lines exactly."
    return ""


def _key(block: Block) -> tuple[str, str, str]:
    return block.kind, block.file, "" if block.file else block.language


def _unwrapped(before: Sequence[Block], after: Sequence[Block]) -> bool:
    """Whether the draft is a program without a fence, and the correction the same in one."""
    return [each.kind for each in before] == ["bare"] and [each.kind for each in after] == ["fence"]


def _pairs(before: Sequence[Block], after: Sequence[Block]) -> Iterator[tuple[Block, Block]]:
    """Yield what stands for what: the blocks of one file in their order."""
    if _unwrapped(before, after):
        yield before[0], replace(after[0], language="python")
        return
    waiting = list(after)
    for was in before:
        now = next((each for each in waiting if _key(each) == _key(was)), None)
        if now is not None:
            waiting.remove(now)
            yield was, now


def _worse(was: Block, now: Block) -> str:
    """Return what the later block lacks that the earlier had."""
    kept = [line for line in now.body.splitlines() if line.strip()]
    had = [line for line in was.body.splitlines() if line.strip()]
    if any(map(_ELIDED.search, kept)) and not any(map(_ELIDED.search, had)):
        return f"it leaves code of {was.title} out behind a comment. Answer with the whole text."
    if was.is_python and now.is_python:
        old, new = read_tree(was.body), read_tree(now.body)
        if isinstance(old, ast.Module):
            if isinstance(new, Fault):
                return f"{now.title} does not compile: {new.reason}, line {new.line}."
            if gone := _defined(old) - _defined(new):
                return f"{now.title} no longer defines {', '.join(sorted(gone))}."
    if was.kind in ("fence", "bare", "element") and len(kept) < SHRUNK * len(had):
        return f"of {was.title} less than half is left."
    return ""


def _defined(tree: ast.Module) -> set[str]:
    return {node.name for node in tree.body if isinstance(node, Function | ast.ClassDef)}


def _missing(blocks: Sequence[Block], shown: str) -> str:
    """Return the file of the first search/replace block that looks for what was not shown; "" for none."""
    text = _stripped(shown)
    for block in blocks:
        if block.kind == "search" and block.search.strip() and _stripped(block.search) not in text:
            return block.file or "a file"
    return ""


def _stripped(text: str) -> str:
    return "\n".join(line.rstrip() for line in text.strip("\n").splitlines())


def merged(draft: str, fixed: str) -> str:
    """Return the draft with the correction's code in place of its own, if both have the same blocks in order.

    So the prose around the code stays. Elsewhere, such as with a further file, it is the correction whole.
    """
    before, after = read_edits(draft), read_edits(fixed)
    if _unwrapped(before, after):
        return after[0].body
    if not before or [_key(block) for block in before] != [_key(block) for block in after]:
        return fixed
    text, at = list[str](), 0
    for was, now in zip(before, after, strict=True):
        put = now.body if was.kind in ("fence", "bare") else fixed[now.start : now.end]
        text += [draft[at : was.start], put]
        at = was.end
    return "".join([*text, draft[at:]])
