"""The guard of the client's form: what a corrected answer must not lose, and how it is put into its draft.

The rule of review-fix-guarded, for any language and any form of edits: a correction that loses something is
refused. Pure: texts in, values out; nothing is run.
"""

import ast
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace

from dualcode.extraction.source import Fault, Function
from dualcode.gateway.edits import Block, Kind, read_edits, read_tree

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
