"""How much a specification says, from its text alone: a score in 0..1, and what would raise it.

The paper explains why a review gains four times as much on HumanEval+ as on MBPP+ by specification richness:
"with rich specifications (examples, types, edge cases), the reviewer has clear criteria against which to
judge the code" (§4.2). The score counts these criteria:

| component | weight | why it has this weight |
|---|---|---|
| examples | 0.30 | the only part that can be executed, so that anyone can check a program against it |
| types | 0.20 | what goes in and what comes out: a signature, and a type for each parameter and the result |
| edge cases | 0.20 | where programs differ that agree on the examples |
| constraints | 0.15 | what need not be handled, and what form the result has |
| length | 0.15 | words besides examples and code, for what no pattern recognises; full at 60 |

Examples, edge cases and constraints score 1 - 2^-n for n of a kind: each settles half of what the others
left open. The weights are a judgement, not a fit: nothing about any program or verdict went into them. Words
can be gamed, so the score ranks honest specifications and proves nothing about dishonest ones.
"""

import ast
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

from dualcode.bench.visible.evaluation import constant, is_constant, parse_expression
from dualcode.bench.visible.finding import visible_tests
from dualcode.bench.visible.tests import VisibleTest
from dualcode.bench.visible.text import Prompt, read_prompt
from dualcode.record import Record
from dualcode.task import Task

ComponentName = Literal["examples", "types", "edge cases", "constraints", "length"]

WEIGHTS: Mapping[ComponentName, float] = {
    "examples": 0.30, "types": 0.20, "edge cases": 0.20, "constraints": 0.15, "length": 0.15,
}  # fmt: skip

FULL_LENGTH = 60
"""Words: three sentences, on what goes in, what comes out and what happens at the edges."""

PROPOSED_THRESHOLD = 0.40
"""A gate that reviews from here on; docs/visible-tests.md says how it was found, and what it cannot say."""

_SIGNATURE = 0.4
"""Of the component `types`: the names of the parameters alone. The rest is for the types."""
_PROSE_TYPES = 0.5
"""What a type named in a sentence is worth of an annotated one: it is not said which parameter it is for."""


class Component(Record):
    """One part of the score."""

    name: ComponentName
    weight: float
    score: float
    """0..1."""
    found: tuple[str, ...]
    """What was counted, for people."""
    lacks: tuple[str, ...] = ()
    """What would raise the score, for people."""

    @property
    def gain(self) -> float:
        """What the whole score would gain if this part were complete."""
        return self.weight * (1 - self.score)


class Richness(Record):
    """The richness of one specification."""

    score: float
    """0..1, rounded to three places; the weighted sum of the components."""
    components: tuple[Component, ...]

    @property
    def missing(self) -> tuple[Component, ...]:
        """The components that are not complete, the one that would raise the score most first."""
        return tuple(sorted((c for c in self.components if c.gain > 0), key=lambda c: -c.gain))


def richness(task: Task) -> Richness:
    """Score a task's prompt. A pure function of prompt and entry point; any text has a score."""
    prompt, tests = read_prompt(task.prompt, task.entry_point), visible_tests(task)
    # The words of the prompt's passages besides examples and what looks like them.
    shown = [*tests.shown, *(each.shown for each in tests.left_out)]
    examples = {line.strip() for text in shown for line in text.split("\n")}
    lines = [line.strip() for readings in prompt.passages for line in readings[-1].shown]
    kept = (line for line in lines if line not in examples and not _LABEL.fullmatch(line))
    words = _WORD.findall("\n".join(kept).lower())
    prose = " ".join(words)
    another = f"another example: `>>> {task.entry_point or 'f'}(…)` and its result below"
    broken = [f"{each.shown!r:.80} is no test: {each.reason}" for each in tests.left_out]
    short = [f"{FULL_LENGTH - len(words)} more words"] if len(words) < FULL_LENGTH else []
    components = (
        _component("examples", _halving(len(tests.tests)), tests.shown, [another, *broken]),
        _types(prompt, prose),
        _cues("edge cases", _EDGES, prose, list(_edge_examples(tests.tests))),
        _cues("constraints", _CONSTRAINTS, prose),
        _component("length", min(1.0, len(words) / FULL_LENGTH), [f"{len(words)} words"], short),
    )
    return Richness(score=round(sum(c.weight * c.score for c in components), 3), components=components)


def _component(
    name: ComponentName, score: float, found: Sequence[str], lacks: Sequence[str] = ()
) -> Component:
    return Component(
        name=name, weight=WEIGHTS[name], score=round(score, 3), found=tuple(found), lacks=tuple(lacks)
    )


def _cues(
    name: ComponentName, patterns: Mapping[str, str], prose: str, examples: Sequence[str] = ()
) -> Component:
    kinds = [kind for kind, pattern in patterns.items() if re.search(rf"\b(?:{pattern})", prose)]
    lacks = [kind for kind in patterns if kind not in kinds]
    return _component(name, _halving(len(kinds) + len(examples)), [*kinds, *examples], lacks)


def _halving(count: int) -> float:
    return 1 - 0.5 ** min(count, 50)


# Text

_WORD = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*|\d+(?:\.\d+)?|[<>≤≥]=?|==")
_LABEL = re.compile(r"(?:for\s+)?examples?\s*\d*\s*:?", re.IGNORECASE)


_EDGES = {
    "empty input": r"(?<!non-)empty|no (?:elements?|items?|characters?|words?)\b|blank",
    "zero or negative numbers": r"zero\b|(?<!non-)negative|0 (?:is|are|for|if)\b",
    "no result": r"(?:returns?|be|output|as|or) (?:none|null|nan)\b|-1\b|otherwise|if no\b|no such"
    r"|(?:if|when) (?:there (?:is|are)|there's) no\b|(?:does not|doesn't|not) (?:exist|found)",
    "ties and repeats": r"ties?\b|duplicate|equidistant|more than one|in case of multiple|if several|repeat"
    r"|same (?:number|length|value|sum|strength|smallest|occurrence|key)|appears? (?:more|only)|distinct"
    r"|unique",
    "errors": r"raises?\b|throws?\b|exceptions?\b|\w*error\b|invalid|not (?:a )?valid|not correct|strange",
    "boundaries": r"inclusive|exclusive|includ(?:es|ing|ed) (?:both|the|n\b)|overlap|first and last|boundar",
    "exceptions to the rule": r"except\b|unless|ignor(?:e|es|ing)\b|only if|(?:doesn't|not) count|even if",
}
"""Kinds of edge cases, and how prose speaks of them."""

_CONSTRAINTS = {
    "what may be assumed": r"assum|guarantee|always|you may|is given to be|consists? (?:only )?of|only",
    "what numbers are allowed": r"positive|non-negative|(?:natural|whole) number|in the range|between \d"
    r"|greater than (?:or equal to )?\d|less th[ae]n (?:or equal to )?\d",
    "how much there is": r"non-empty|at (?:least|most)|exactly|of (?:length|size)|up to\b"
    r"|(?:same|equal) length",
    "order": r"(?:as|des)cending|(?:in|de)creasing|(?:in|the) order|sorted|alphabetical|from left|original",
    "form of the result": r"as an? (?:string|list|tuple|dict\w*|set|float|integer)|in the form\b|format"
    r"|rounded?\b|returned as|should be in",
    "letter case": r"case[- ](?:in)?sensitiv|regardless of (?:the )?case|(?:lower|upper)[- ]?case",
    "indexing": r"(?:0|1|zero|one)[- ](?:based|indexed)|(?:even|odd) (?:ind|pos)"
    r"|(?:starting|starts) (?:with|from|at) (?:0|1|zero|one)\b",
    "side effects and cost": r"(?:don't|not|without) (?:be )?(?:chang|modif)|in[- ]place|recursion|efficien",
}
"""Kinds of constraints, and how prose speaks of them."""


# Types

_TYPE_WORD = re.compile(
    r"\b(?:integers?|ints?|floats?|floating[- ]point|numbers?|digits?|strings?|words?|characters?|letters?"
    r"|text|lists?|arrays?|tuples?|pairs?|dictionar(?:y|ies)|dicts?|sets?|matri(?:x|ces)|grid|booleans?|bools?|true|false)\b"
)


def _types(prompt: Prompt, prose: str) -> Component:
    """Score the signature, then the share of parameters and result that have a type."""
    words = sorted(set(_TYPE_WORD.findall(prose)))
    if prompt.signature is None:
        share = _PROSE_TYPES * min(1.0, len(words) / 2)
        lacks = ["a signature with types: `def f(words: list[str]) -> int:`"]
        return _component("types", (1 - _SIGNATURE) * share, words, lacks)
    given = prompt.signature.args
    arguments = [*given.posonlyargs, *given.args, *given.kwonlyargs]
    annotations = {f"`{each.arg}`": each.annotation for each in arguments}
    annotations["the result"] = prompt.signature.returns
    told = sum(annotation is not None for annotation in annotations.values())
    # Words can make up for what is not annotated, at their own worth.
    share = (told + _PROSE_TYPES * min(len(annotations) - told, len(words))) / len(annotations)
    annotated = [ast.unparse(annotation) for annotation in annotations.values() if annotation]
    lacks = [f"a type for {name}" for name, annotation in annotations.items() if annotation is None]
    score = _SIGNATURE + (1 - _SIGNATURE) * share
    return _component("types", score, ["signature", *annotated, *words], lacks)


# Examples at the edges


def _edge_examples(tests: Sequence[VisibleTest]) -> Iterator[str]:
    """Yield the kinds of edges that examples show: an exception, an empty, zero, negative or absent value."""
    if any(test.raises for test in tests):
        yield "an example that raises"
    seen: list[Any] = []
    for node in (parse_expression(call) for test in tests for call in test.calls):
        inner = next((each for each in ast.walk(node) if isinstance(each, ast.Call)), None) if node else None
        seen += [constant(argument) for argument in (inner.args if inner else ()) if is_constant(argument)]
    numbers = [value for value in seen if isinstance(value, int | float) and not isinstance(value, bool)]
    shows = {
        "an empty value": any(
            isinstance(value, str | list | tuple | dict | set) and not value for value in seen
        ),
        "zero": 0 in numbers,
        "a negative number": any(number < 0 for number in numbers),
        "None": None in seen,
    }
    yield from (f"an example with {name}" for name, shown in shows.items() if shown)
