"""Probes: calls of the function that the reviewer wants to see run."""

import ast

from dualcode import prompts
from dualcode.extraction.bounds import read_tree
from dualcode.record import Record
from dualcode.steps import schema
from dualcode.steps.conversation import system, user
from dualcode.steps.enrichment import normalized
from dualcode.task import Task
from dualcode.team import Seat

MOST_PROBES = 6
CHARACTERS = 160
TOKENS = 1024


class Probe(Record):
    """A call, and what a model asserts of its result. An assertion of a model is no fact."""

    call: str
    """An expression: a call of the task's function with literals."""
    asserted: str
    """The result's source, as the model believes."""


class Probes(Record):
    """The calls of one answer."""

    probes: tuple[Probe, ...]


def probes_schema() -> schema.Schema:
    """Return the JSON schema of a list of probes."""
    line = schema.text(CHARACTERS)
    probe = schema.record({"call": line, "asserted": line})
    return schema.record({"probes": schema.array(probe, MOST_PROBES, 1)})


async def probe(seat: Seat, task: Task) -> tuple[Probe, ...]:
    """Ask for calls that would tell a right program from a wrong one, with thinking; () if none came."""
    found = await seat.ask(
        "probe",
        [system("reviewer"), user("probe", task=task, most=MOST_PROBES)],
        read=lambda text: read_probes(text, task.entry_point),
        schema=probes_schema(),
        repair=prompts.render("repair_probes"),
        thinking=True,
        answer_tokens=TOKENS,
    )
    return () if found is None else found.probes


def read_probes(text: str | None, entry_point: str) -> Probes | None:
    """Return the usable probes of a reply, each call once; None off the schema or without a usable one."""
    said = schema.read_object(text, Probes.model_validate)
    if said is None:
        return None
    usable = {normalized(each.call): each for each in said.probes if _calls(each.call, entry_point)}
    return Probes(probes=tuple(usable.values())) if usable else None


def _calls(source: str, entry_point: str) -> bool:
    """Whether a source is one call of the function with nothing but literals: no program of its own."""
    tree = read_tree(source.strip(), "eval")
    call = tree.body if isinstance(tree, ast.Expression) else None
    if not (isinstance(call, ast.Call) and isinstance(call.func, ast.Name)):
        return False
    try:
        for value in (*call.args, *(keyword.value for keyword in call.keywords)):
            ast.literal_eval(value)
    except (ValueError, TypeError, RecursionError, MemoryError):
        return False
    return call.func.id == entry_point
