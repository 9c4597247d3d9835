"""The way from a reply to a program."""

import ast
import warnings
from collections.abc import Iterable

from dualcode.extraction.assembly import assemble, join_statements
from dualcode.extraction.candidates import Candidate, bodies, definitions, fragments, pieces_of
from dualcode.extraction.fences import Piece
from dualcode.extraction.prompt import Prompt, read_prompt
from dualcode.extraction.source import Statement, compiles, parse, split
from dualcode.extraction.thinking import clean, first_turn, holds_mark, read
from dualcode.solution import Program
from dualcode.task import Task

_MOST_ASSEMBLED = 6
_EMPTY = Program(text="", compiles=False, defines_entry_point=False, how="none")


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
    pieces = pieces_of(answer)
    found = definitions(answer, pieces, prompt)
    whole = [c for c in found if any(s.defines(prompt.entry_point) for s in c.statements)]
    bodiless = [c for c in found if c not in whole]
    for candidates in (whole, bodies(answer, pieces, prompt), bodiless):
        program = _first_that_compiles(candidates, pieces, prompt)
        if program is not None:
            return program
    # Of what binds nothing, the best: a reader may still mend it, a test will fail it.
    for candidate in [*found, *fragments(pieces)][:_MOST_ASSEMBLED]:
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
