"""The one command of a reply: what stands in its fenced block, and what it aims at.

mini-swe-agent's own expression ends a block at the first line that begins with three ticks, and so in the
middle of a file that a command writes: a plan with code in it, a page of documentation. Here a block ends
where its command does: not within a here-document, and not at fewer ticks than it was opened with.

Whether a command was to change a file of the tree is a guess from its words, and only used for a count and
for a line that the model is shown: a shell's language cannot be read without running it. What a command did
change is seen in the tree, never guessed.
"""

import re
import shlex
from itertools import dropwhile, groupby, pairwise

from dualcode.extraction import strip_thinking
from dualcode.record import Record

_OPENING = re.compile(r"[ \t]*(?P<ticks>`{3,}|~{3,})[ \t]*(?:bash|sh|shell|mswea_bash_command)[ \t]*", re.I)
_TURN_END = r"(?:<[|/｜][\w|/｜▁]{1,40}>)?"
"""What some servers leave of the end of a turn."""
_HERE = re.compile(r"(?<!<)<<(?P<tabs>-?)[ \t]*(?P<quote>['\"]?)\\?(?P<word>[A-Za-z_][\w.-]*)(?P=quote)")


class Turn(Record):
    """What a reply was read as: the value that its call has on record."""

    said: str
    """The reply without its thought."""
    command: str | None
    """None: there is not exactly one."""
    found: int
    """Blocks with a command."""


def read_turn(content: str | None) -> Turn:
    """Read a reply."""
    said = _without_thought((content or "").replace("\0", "")).strip()  # no command can hold a NUL
    found = blocks(said)
    return Turn(said=said, command=found[0] if len(found) == 1 else None, found=len(found))


def blocks(text: str) -> list[str]:
    """Return the commands of all closed blocks, in order; empty ones are none."""
    lines = _lines(text)
    found = ("\n".join(lines[begin:end]).strip() for begin, end in _places(lines))
    return [each for each in found if each]


def _without_thought(content: str) -> str:
    """Return a reply without its thought. The marks of one within a command are the command's own."""
    lines = _lines(content)
    outside, at = list[str](), 0
    for begin, end in _places(lines):
        outside += lines[at:begin]
        at = end
    around = "\n".join([*outside, *lines[at:]])
    return content if strip_thinking(around) == around else strip_thinking(content)


def _lines(text: str) -> list[str]:
    """Split at ends of lines alone: `splitlines` takes a form feed for one."""
    return text.replace("\r\n", "\n").split("\n")


def _places(lines: list[str]) -> list[tuple[int, int]]:
    """Return the first line of each closed block's command, and the line that closes it."""
    found: list[tuple[int, int]] = []
    at = 0
    while at < len(lines):
        opening = _OPENING.fullmatch(lines[at])
        at += 1
        if opening is not None:
            end = _end(lines, at, opening["ticks"])
            if end is None:
                break
            found.append((at, end))
            at = end + 1
    return found


def _end(lines: list[str], at: int, ticks: str) -> int | None:
    """Return the line that closes a block whose first line is `at`."""
    closing = re.compile(rf"[ \t]*{re.escape(ticks[0])}{{{len(ticks)},}}{_TURN_END}[ \t]*")
    while at < len(lines):
        if closing.fullmatch(lines[at]):
            return at
        at = _behind_documents(lines, at)
    return None


def _behind_documents(lines: list[str], at: int) -> int:
    """Return the line after this one, and after the here-documents that it begins, where they do end."""
    begun = list(_HERE.finditer(lines[at]))
    at += 1
    for each in begun:
        for later in range(at, len(lines)):
            line = lines[later].lstrip("\t") if each["tabs"] else lines[later]
            if line == each["word"]:
                at = later + 1
                break
    return at


def without_documents(command: str) -> tuple[str, str]:
    """Return a command without the text of its here-documents, and those texts."""
    lines, kept, documents = _lines(command), list[str](), list[str]()
    at = 0
    while at < len(lines):
        kept.append(lines[at])
        behind = _behind_documents(lines, at)
        documents += lines[at + 1 : behind]
        at = behind
    return "\n".join(kept), "\n".join(documents)


_EDITORS = frozenset(
    {"patch", "ed", "ex", "tee", "truncate", "mv", "rm", "cp", "rmdir", "unlink", "ln", "dd"}
)
_IN_PLACE = frozenset({"sed", "perl", "ruby", "gawk"})
_INTERPRETERS = re.compile(r"(?:python[\d.]*|perl|ruby|node)$")
_WRITES = re.compile(
    r"write_text|write_bytes|\.write(?:lines)?\(|open\([^)\n]*,\s*(?:mode\s*=\s*)?['\"][rb]*[wax+]"
    r"|fileinput|os\.(?:remove|rename|replace|unlink)|shutil\.|writeFile"
)
_APPLIES = frozenset({"apply", "checkout", "restore", "am", "stash", "mv", "rm", "reset", "revert"})
_REDIRECTIONS = (">", ">>", ">|", "&>")
_SEPARATORS = frozenset(
    {";", "|", "||", "&", "&&", "(", ")", "{", "}", "do", "then", "else", "!", ";;", "|&"}
)
_BEFORE = frozenset({"sudo", "env", "time", "command", "xargs", "exec", "nohup", "timeout"})


def aims_at_tree(command: str, elsewhere: tuple[str, ...]) -> bool:
    """Tell whether a command would change a file outside the folders `elsewhere`, such as /tmp."""
    line, documents = without_documents(command)
    lexer = shlex.shlex(line.replace("\\\n", " ").replace("\n", " ; "), posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    lexer.commenters = ""
    try:
        words = list(lexer)
    except ValueError:  # a quote that never ends: the shell will say so
        return bool(re.search(r"\bsed\s+-i|>\s*[\w./]", line))
    away = (*elsewhere, "/dev/", "$TMPDIR", "~", "$HOME")
    for word, target in pairwise(words):
        if word in _REDIRECTIONS and target and not target.startswith((*away, "&")):
            return True
    return any(_changes(each, documents, away) for each in _simple_commands(words))


def _simple_commands(words: list[str]) -> list[list[str]]:
    """Return the simple commands of a line, without what stands before a command's own name."""
    parts = (part for apart, part in groupby(words, _SEPARATORS.__contains__) if not apart)
    return [
        list(dropwhile(lambda word: word in _BEFORE or re.match(r"\w+=|-|[\d.]+s?$", word), part))
        for part in parts
    ]


def _changes(words: list[str], documents: str, away: tuple[str, ...]) -> bool:
    if not words:
        return False
    name, rest = words[0].rpartition("/")[2], words[1:]
    operands = [each for each in rest if not each.startswith("-")]
    if name in _EDITORS:
        changed = operands[-1:] if name in ("cp", "ln") else operands
        return name in ("patch", "ed", "ex") or any(not each.startswith(away) for each in changed)
    if name in _IN_PLACE and any(re.match(r"-(?!-)\w*i|--in-place", each) for each in rest):
        return not operands or not operands[-1].startswith(away)
    if name == "git":
        return bool(_APPLIES.intersection(operands[:1]))
    if _INTERPRETERS.match(name):
        program = " ".join(rest) + documents * any(each.startswith("<<") for each in rest)
        named = re.findall(r"['\"]([^'\"\s]*/[^'\"\s]*)['\"]", program)
        only_away = bool(named) and all(each.startswith(away) for each in named)
        return bool(_WRITES.search(program)) and not only_away
    return False
