"""Whether a command was to change a file of the tree, as far as its words tell.

A guess, and only used for a count and for a line that the model is shown: a shell's language cannot be read
without running it. What a command did change is seen in the tree, never guessed.
"""

import re
import shlex

from dualcode.agents.commands import without_documents

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
_SEPARATORS = frozenset(
    {";", "|", "||", "&", "&&", "(", ")", "{", "}", "do", "then", "else", "!", ";;", "|&"}
)
_BEFORE = frozenset({"sudo", "env", "time", "command", "xargs", "exec", "nohup", "timeout"})


def aims_at_tree(command: str, elsewhere: tuple[str, ...]) -> bool:
    """Tell whether a command would change a file outside the folders `elsewhere`, such as /tmp."""
    line, documents = without_documents(command)
    try:
        words = _words(line)
    except ValueError:  # a quote that never ends: the shell will say so
        return bool(re.search(r"\bsed\s+-i|>\s*[\w./]", line))
    away = (*elsewhere, "/dev/", "$TMPDIR", "~", "$HOME")
    if any(_target(words, at, away) for at, word in enumerate(words) if word in (">", ">>", ">|", "&>")):
        return True
    return any(_changes(each, documents, away) for each in _commands(words))


def _words(line: str) -> list[str]:
    lexer = shlex.shlex(line.replace("\\\n", " ").replace("\n", " ; "), posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    lexer.commenters = ""
    return list(lexer)


def _target(words: list[str], at: int, away: tuple[str, ...]) -> bool:
    """Tell whether what is written by a redirection is a file of the tree."""
    target = words[at + 1] if at + 1 < len(words) else ""
    return bool(target) and not target.startswith((*away, "&"))


def _commands(words: list[str]) -> list[list[str]]:
    """Return the simple commands of a line, without what stands before a command's own name."""
    found: list[list[str]] = [[]]
    for word in words:
        if word in _SEPARATORS:
            found.append([])
        else:
            found[-1].append(word)
    return [_own(each) for each in found if each]


def _own(words: list[str]) -> list[str]:
    at = 0
    while at < len(words) and (words[at] in _BEFORE or re.match(r"\w+=|-|[\d.]+s?$", words[at])):
        at += 1
    return words[at:]


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
        return bool(_WRITES.search(program)) and not _only_away(program, away)
    return False


def _only_away(program: str, away: tuple[str, ...]) -> bool:
    """Tell whether each path that a program names is one of those elsewhere."""
    paths = re.findall(r"['\"]([^'\"\s]*/[^'\"\s]*)['\"]", program)
    return bool(paths) and all(each.startswith(away) for each in paths)
