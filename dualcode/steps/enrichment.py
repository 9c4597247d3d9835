"""What the reviewer reads out of a lean specification: examples, edge cases (paper §4.2, §6) and probes."""

import ast
from collections.abc import Mapping

from dualcode import prompts
from dualcode.extraction.bounds import read_tree
from dualcode.record import Record
from dualcode.steps import schema
from dualcode.steps.conversation import system, user
from dualcode.task import Task
from dualcode.team import Seat

MOST_EXAMPLES = 4
MOST_EDGE_CASES = 4
MOST_PROBES = 6
CHARACTERS = 160
TOKENS = 1024


class Example(Record):
    """A call and what the specification makes of it, as the reviewer thinks."""

    call: str
    result: str


class Enrichment(Record):
    """What a model added to a specification. The prompt wins wherever the two disagree."""

    types: str
    """Of the parameters and of the result."""
    examples: tuple[Example, ...]
    edge_cases: tuple[str, ...]
    contradicted: tuple[Example, ...] = ()
    """Examples that the prompt's own examples refute; they are shown to nobody."""


def enrichment_schema() -> schema.Schema:
    """Return the JSON schema of an enrichment."""
    line = schema.text(CHARACTERS)
    return schema.record(
        {
            "types": line,
            "examples": schema.array(schema.record({"call": line, "result": line}), MOST_EXAMPLES),
            "edge_cases": schema.array(line, MOST_EDGE_CASES),
        }
    )


async def enrich(seat: Seat, task: Task, known: Mapping[str, str]) -> Enrichment | None:
    """Ask for examples, types and edge cases that the specification implies, with thinking.

    `known` maps the calls that the prompt itself shows to their results, both as source; an example that
    says otherwise is set aside. None if no reply was on the schema.
    """
    return await seat.ask(
        "enrich",
        [system("reviewer"), user("enrich", task=task, examples=MOST_EXAMPLES, edge_cases=MOST_EDGE_CASES)],
        read=lambda text: read_enrichment(text, known),
        schema=enrichment_schema(),
        repair=prompts.render("repair_enrichment"),
        thinking=True,
        answer_tokens=TOKENS,
    )


def read_enrichment(text: str | None, known: Mapping[str, str]) -> Enrichment | None:
    """Return the enrichment in a reply, refuted examples apart; None off the schema."""
    said = schema.read_object(text, lambda found: Enrichment.model_validate(found | {"contradicted": ()}))
    if said is None:
        return None
    facts = {normalized(call): normalized(result) for call, result in known.items()}
    refuted = [
        example
        for example in said.examples
        if facts.get(normalized(example.call), normalized(example.result)) != normalized(example.result)
    ]
    kept = [example for example in said.examples if example not in refuted]
    return said.model_copy(update={"examples": tuple(kept), "contradicted": tuple(refuted)})


def normalized(source: str) -> str:
    """Return an expression in Python's own spelling; a text that is none, without its outer blanks."""
    tree = read_tree(source.strip(), "eval")
    try:
        return ast.unparse(tree) if tree else source.strip()
    except RecursionError:
        return source.strip()


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
