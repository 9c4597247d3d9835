"""The way from a reply to a program: the programs that an answer may mean, best first, and the first that
stands alone.
"""

import ast
import re
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from dualcode.extraction.assembly import assemble, join_statements
from dualcode.extraction.fences import Piece, cut, without_fences
from dualcode.extraction.prompt import Prompt, read_prompt
from dualcode.extraction.salvage import indented_definition, join, salvage
from dualcode.extraction.source import Function, Statement, compiles, falls_through, is_stub, parse, split
from dualcode.extraction.thinking import clean, first_turn, holds_mark, read
from dualcode.solution import Program
from dualcode.task import Task

_MOST_ASSEMBLED = 6
_EMPTY = Program(text="", compiles=False, defines_entry_point=False, how="none")
# Enough for any answer that was meant to be read; the last ones are kept, where the final answer stands.
_MOST_PIECES = 48
_LEADING_WORDS = 30
_ASIDE = re.compile(
    r"\b(?:if you(?:'d| would)? (?:want|prefer|need|wish|like|rather|only|also|instead)|alternativ\w+"
    r"|(?:should|in case) you|a version (?:that|which)|common (?:bug|error|pitfall)s?"
    r"|another (?:way|approach|version|option|solution|implementation|possibility)"
    r"|you (?:can|could|may|might) (?:also|instead|change|modify|replace|rewrite)|optional(?:ly)?|variants?"
    r"|wrong|incorrect|buggy|mistake|naive|should not|shouldn't|do not|don't)\b",
    re.IGNORECASE,
)
_CORRECTION = re.compile(
    r"\b(?:correct(?:ed|ion|ly)?|fix(?:ed|es)?|final|better|improved|revised|updated|right|actual(?:ly)?"
    r"|here(?:'s| is) (?:the|my) (?:code|solution|answer|program|function|implementation))\b",
    re.IGNORECASE,
)
_SIGNATURE = re.compile(r"^[ \t]*(?:async[ \t]+def|def|class)\b", re.MULTILINE)


@dataclass(frozen=True)
class Candidate:
    """One reading of the answer."""

    how: str
    """`block` or `text`: a fenced block, or unfenced text, that parses as it stands; `salvage`: the parts
    that parse; `body`: joined with the prompt's signature; `method`: taken out of a class."""
    statements: tuple[Statement, ...]
    place: int
    """The index of the piece that it was read from; -1 for the whole answer."""
    fenced: bool = False
    aside: bool = False
    """Whether the words before it offer it as another version, or as one that is wrong."""


def extract(reply: str | None, task: Task) -> Program:
    """Return the program that the reply holds for the task. Pure and deterministic; raises on no text.

    `how` is the route that won: `block`, `text`, `salvage`, `body`, `method` (see `Candidate.how`);
    `fragment` where code was found that does not bind the entry point, and `none` where none was found
    (an empty program counts as one that does not compile).
    """
    if not reply:
        return _EMPTY
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what the compiler remarks on is the candidate's, not ours
        try:
            readings = read(reply)
            if readings.literal is not None:
                program = _extract(readings.literal, task)
                if program.defines_entry_point and holds_mark(program.text):
                    return program
            # Of the likeliest reading that holds a program; of the likeliest one if none does.
            programs: list[Program] = []
            for answer in readings.answers:
                programs.append(_extract(answer, task))
                if programs[-1].defines_entry_point:
                    return programs[-1]
            return programs[0]
        except RecursionError:  # an expression too deep for a walk over its tree
            return _EMPTY


def _extract(answer: str, task: Task) -> Program:
    """Return the program of an answer; what follows in the next turn of a conversation is another's."""
    prompt = read_prompt(task)
    turn = first_turn(answer)
    program = _of_turn(clean(turn), prompt)
    if program.defines_entry_point or turn == answer:
        return program
    return _of_turn(clean(answer), prompt)


def _of_turn(answer: str, prompt: Prompt) -> Program:
    pieces = cut(answer)[-_MOST_PIECES:]
    found = _definitions(answer, pieces, prompt)
    whole = [c for c in found if any(s.defines(prompt.entry_point) for s in c.statements)]
    bodiless = [c for c in found if c not in whole]
    for candidates in (whole, _bodies(answer, pieces, prompt), bodiless):
        program = _first_that_compiles(candidates, pieces, prompt)
        if program is not None:
            return program
    # Of what binds nothing, the best: a reader may still mend it, a test will fail it.
    for candidate in [*found, *_fragments(pieces)][:_MOST_ASSEMBLED]:
        text = join_statements(candidate.statements)
        if text and compiles(text):
            bound = _binds(text, prompt.entry_point)
            return Program(text=text, compiles=True, defines_entry_point=bound, how="fragment")
    blocks = [piece.text.strip("\n") + "\n" for piece in pieces if piece.fenced]
    if not blocks:
        return _EMPTY
    return Program(text=max(blocks, key=len), compiles=False, defines_entry_point=False, how="fragment")


def _first_that_compiles(
    candidates: Iterable[Candidate], pieces: list[Piece], prompt: Prompt
) -> Program | None:
    for candidate, _ in zip(candidates, range(_MOST_ASSEMBLED), strict=False):
        others = pieces if candidate.fenced else []
        before = [s for piece in others[: max(0, candidate.place)] for s in _block_statements(piece)]
        after = [s for piece in others[candidate.place + 1 :] for s in _block_statements(piece)]
        text = assemble(candidate.statements, before, after, prompt)
        if compiles(text) and _binds(text, prompt.entry_point):
            return Program(text=text, compiles=True, defines_entry_point=True, how=candidate.how)
    return None


def _block_statements(piece: Piece) -> list[Statement]:
    tree = parse(piece.text) if piece.fenced else None
    return split(piece.text, tree) if isinstance(tree, ast.Module) else []


def _binds(text: str, name: str) -> bool:
    tree = parse(text)
    return isinstance(tree, ast.Module) and any(name in s.binds for s in split(text, tree))


def _definitions(answer: str, pieces: list[Piece], prompt: Prompt) -> list[Candidate]:
    """Return the readings that bind the entry point, best first.

    A definition with a body beats a stub or an import, a whole one beats one cut short, one that takes the
    prompt's arguments beats one that does not, the answer beats an aside, a fenced block beats loose text,
    text that parses beats text that had to be salvaged, and of equals the last wins: it is the one that the
    model ended with.
    """
    name = prompt.entry_point
    mention = re.compile(rf"\b{re.escape(name)}\b")
    found: list[Candidate] = []
    for place, piece in enumerate(pieces):
        if mention.search(piece.text):
            lead = pieces[place - 1].text if place > 0 and not pieces[place - 1].fenced else ""
            words = " ".join(lead.split()[-_LEADING_WORDS:])
            aside = _ASIDE.search(words) is not None and not _CORRECTION.search(words)
            read = _bound(_readings(piece, place, name), name)
            found += (replace(_unfinished(each, name) if piece.last else each, aside=aside) for each in read)
    meant = any(statement.defines(name) for candidate in found for statement in candidate.statements)
    if not meant and mention.search(answer):
        # A fence may stand in a docstring, or in the middle of the program.
        whole = Candidate("salvage", tuple(salvage(without_fences(answer), name)), -1)
        found += _bound(iter([whole]), name)
    return sorted(found, key=lambda candidate: _rank(candidate, prompt), reverse=True)


def _bodies(answer: str, pieces: list[Piece], prompt: Prompt) -> Iterator[Candidate]:
    """Yield the readings of the answer as the body of the function whose signature the prompt shows."""
    if not prompt.header:
        return
    fenced = [piece.text for piece in pieces if piece.fenced]
    loose = [piece.text for piece in pieces if not piece.fenced]
    indented = re.search(r"^[ \t]+\S", answer, re.MULTILINE)
    # Below a signature of its own, an indented line is the body of that.
    alone = indented is not None and not _SIGNATURE.search(answer, 0, indented.start())
    from_first_indent = [answer[indented.start() :]] if indented and alone else []
    for place, body in enumerate([*fenced, *loose, *from_first_indent]):
        if "return" in body or "yield" in body:
            statements = join(prompt.header, body, prompt.entry_point, prompt.indent)
            if statements:
                yield Candidate("body", tuple(statements), place)


def _fragments(pieces: list[Piece]) -> list[Candidate]:
    """Return the fenced blocks that parse, the longest first: what is left where nothing binds the name."""
    parsed = [
        Candidate("fragment", tuple(split(piece.text, tree)), place, fenced=True)
        for place, piece in enumerate(pieces)
        if piece.fenced and isinstance(tree := parse(piece.text), ast.Module)
    ]
    return sorted(parsed, key=lambda candidate: -sum(len(s.source) for s in candidate.statements))


def _readings(piece: Piece, place: int, name: str) -> Iterator[Candidate]:
    tree = parse(piece.text)
    if isinstance(tree, ast.Module):
        how = "block" if piece.fenced else "text"
        yield Candidate(how, tuple(split(piece.text, tree)), place, piece.fenced)
    else:
        yield Candidate("salvage", tuple(salvage(piece.text, name)), place, piece.fenced)
        indented = indented_definition(piece.text, name)
        if indented is not None:
            yield Candidate("salvage", tuple(salvage(indented, name)), place, piece.fenced)


def _bound(readings: Iterator[Candidate], name: str) -> Iterator[Candidate]:
    """Keep the readings that bind the name, binding it to a class's method where that is all there is."""
    for reading in readings:
        if any(name in statement.binds for statement in reading.statements):
            yield reading
        elif method := _method_binding(reading.statements, name):
            yield replace(reading, how="method", statements=(*reading.statements, method))


def _method_binding(statements: tuple[Statement, ...], name: str) -> Statement | None:
    """Return what binds the name to a class's method; None if the class cannot be made without arguments."""
    for statement in reversed(statements):
        node = statement.node
        if not isinstance(node, ast.ClassDef):
            continue
        methods = {item.name: item for item in node.body if isinstance(item, Function)}
        method, init = methods.get(name), methods.get("__init__")
        if method is None or is_stub(method):
            continue
        decorators = {each.id for each in method.decorator_list if isinstance(each, ast.Name)}
        parameters = [*method.args.posonlyargs, *method.args.args]
        bound = bool(parameters) and parameters[0].arg == "self"
        if bound and not decorators & {"staticmethod", "classmethod"}:
            if init and len(init.args.posonlyargs + init.args.args) - len(init.args.defaults) > 1:
                return None
            source = f"{name} = {node.name}().{name}"
        else:
            source = f"{name} = {node.name}.{name}"
        return Statement(source, ast.parse(source).body[0])
    return None


def _unfinished(candidate: Candidate, name: str) -> Candidate:
    """Mark a definition at the very end of the answer that comes to no result: it was cut off there."""
    *others, last = candidate.statements
    if not (isinstance(last.node, Function) and last.defines(name) and falls_through(last.node)):
        return candidate
    return replace(candidate, statements=(*others, replace(last, cut_short=True)))


def _rank(candidate: Candidate, prompt: Prompt) -> tuple[bool, bool, bool, bool, bool, bool, int]:
    meanings = [s for s in candidate.statements if s.defines(prompt.entry_point)]
    whole = any(not s.cut_short for s in meanings)
    fits = any(not isinstance(s.node, Function) or prompt.accepts(s.node) for s in meanings)
    parses = candidate.how != "salvage"
    return bool(meanings), whole, fits, not candidate.aside, candidate.fenced, parses, candidate.place
