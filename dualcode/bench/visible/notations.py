"""Examples that are no Python: `f(3) -> 4`, `f(3) should return 4.`, `Input: n = 3`, `Output: 4`."""

import ast
import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from dualcode.bench.visible import scanning
from dualcode.bench.visible.evaluation import constant, is_constant, matches, parse_expression

MOST_LINES = 40
MOST_CHARACTERS = 4000
"""Lines and characters that one example may take."""

_LEAD = re.compile(
    r"\s*(?:[-*•+]\s+|\d+[.)]\s+|(?:for|e\.g\.|i\.e\.|examples?\s*\d*\s*:)\s+|`+)*", re.IGNORECASE
)
_SAYS = re.compile(
    r"""[`\s]*(?:\#\s*)?(?:
        =+> | -+> | [➞→⇒⟶⟹↦] | (?P<equals>={1,3}) | :
        | (?:(?:should|will|must|would|shall)\s+)?
          (?:(?:be\s+)?equal(?:s|\s+to)?|returns?|gives?|outputs?|yields?|evaluates?\s+to|be)\b:?
    )\s*""",
    re.VERBOSE,
)
_RAISES = re.compile(
    r"[`\s]*(?:\#\s*)?(?:=+>|-+>|[➞→⇒])?\s*(?:(?:should|will|must)\s+)?(?:(?:raises?|throws?)\s+)(?:an?\s+|the\s+)?"
    r"`?(?P<name>[A-Za-z_][\w.]*)"
)
_TRAILING_WORDS = re.compile(r",?\s+(?:since|because|as)\s")
_INPUT = re.compile(r"\s*(?:[-*]\s*)?input\s*:\s*(?P<rest>.*)$", re.IGNORECASE)
_OUTPUT = re.compile(r"\s*(?:[-*]\s*)?output\s*:\s*(?P<rest>.*)$", re.IGNORECASE)
_FOR = re.compile(
    r"\s*(?:for|if|when|given)\s+(?P<arguments>.*?)\bthe\s+(?:output|result|answer)\s+(?:should\s+be|will\s+be|is)\s+"
    r"(?P<value>.*)$",
    re.IGNORECASE,
)
_WORDS = {"true": True, "false": False, "null": None, "none": None}


@dataclass(frozen=True)
class Example:
    """An example as it was read: a call, and the value or the exception that it is said to give."""

    call: str
    start: int
    end: int
    """The lines that it takes."""
    expected: str = ""
    """A Python expression without names."""
    raises: str = ""
    flaw: str = ""
    """Why it is no test, though it looks like one."""


def call_examples(lines: Sequence[str], entry_point: str) -> Iterator[Example]:
    """Yield the lines that begin with a call of the entry point and tell its value.

    Equations in which the entry point occurs on both sides define it; the lines around them, up to the next
    sentence, are then part of that definition and no examples (HumanEval/130).
    """
    found = list(_calls(lines, re.escape(entry_point)))
    for group in _neighbours(found, lines):
        defines = any(_is_recurrence(example, lines, entry_point) for example in group)
        for example in group:
            flaw = "part of a definition, no example" if defines else example.flaw
            yield Example(example.call, example.start, example.end, example.expected, example.raises, flaw)


def other_examples(lines: Sequence[str], entry_point: str) -> Iterator[Example]:
    """Yield what would be an example if it called the entry point and not a function of another name."""
    for example in _calls(lines, r"[A-Za-z_]\w*"):
        name = example.call.partition("(")[0].strip()
        if name != entry_point and example.expected and parse_expression(example.call):
            flaw = f"calls {name}, not {entry_point}"
            yield Example(example.call, example.start, example.end, flaw=flaw)


def _calls(lines: Sequence[str], name: str) -> Iterator[Example]:
    """Yield the examples of functions whose name the pattern matches."""
    head = re.compile(rf"(?:assert\s+)?(?:{name})\s*\(")
    index = 0
    while index < len(lines):
        lead = _LEAD.match(lines[index])
        at = lead.end() if lead else 0
        match = head.match(lines[index], at)
        example = _call(lines, index, match.start(), match.end() - 1) if match else None
        if example:
            yield example
        index = example.end if example else index + 1


def _call(lines: Sequence[str], index: int, start: int, bracket: int) -> Example | None:
    text = _following(lines, index)
    end = scanning.closing(text, bracket)
    if end is None:
        return None
    call = text[start:end].removeprefix("assert").strip()
    rest = text[end:]
    last = index + text.count("\n", 0, end) + 1
    if raised := _RAISES.match(rest.partition("\n")[0]):
        return Example(call, index, last, raises=raised["name"].rstrip("."))
    said = _SAYS.match(rest)
    if said is None or "\n" in said.group():
        return None
    value = scanning.first_line(rest[said.end() :])
    expected, flaw = read_value(value, code=said["equals"] in ("==", "==="))
    return Example(call, index, last + value.count("\n"), expected, flaw=flaw)


def _following(lines: Sequence[str], start: int) -> str:
    return "\n".join(lines[start : start + MOST_LINES])[:MOST_CHARACTERS]


def read_value(text: str, *, code: bool = False) -> tuple[str, str]:
    """Return the expression at the beginning of a text and "", or "" and why there is none.

    What may follow the value: a full stop, a comment, a remark in parentheses. `19 - 5 = 14` is 14.
    """
    if not text.strip():
        return "", "no value"
    parts = _equation(text)
    values = [next((each for each in map(_value, _trimmed(part)) if each), None) for part in parts]
    last = values[-1]
    if last is None or any(value is None for value in values):
        return "", "the value is no literal"
    if len({ast.unparse(each) for each in values if each}) > 1 and not _all_equal(values):
        return "", "the sides of the equation differ"
    if isinstance(last, ast.Tuple) and not text.strip().startswith("("):
        return "", "several values without parentheses"
    if not code and isinstance(last, ast.Constant) and parts[-1].lstrip().startswith("("):
        return "", "a value in parentheses may mean a tuple of one"
    return ast.unparse(last), ""


def _equation(text: str) -> list[str]:
    """Split at the single equals signs outside brackets and strings."""
    cuts = [at for at in scanning.outside(text, "=") if text[at - 1 : at + 2].count("=") == 1]
    cuts = [at for at in cuts if at and text[at - 1] not in "<>!:"]
    bounds = [-1, *cuts, len(text)]
    return [text[start + 1 : end] for start, end in itertools.pairwise(bounds)]


def _trimmed(text: str) -> Iterator[str]:
    """Yield a text, and it without what people write behind a value."""
    text = text.strip()
    if not text.endswith("."):  # `1.` ends a sentence
        yield text
    comment = next(iter(scanning.outside(text, "#")), None)
    if comment is not None:
        text = text[:comment]
    if words := _TRAILING_WORDS.search(text):
        yield text.strip(" \t`.,;")
        text = text[: words.start()]
    yield text.strip(" \t\n`.,;")
    for at in scanning.outside(text, "("):
        if at and text[at - 1].isspace():
            yield text[:at].strip(" \t`.,;")


def _value(text: str) -> ast.expr | None:
    if text.lower() in _WORDS:
        return ast.Constant(_WORDS[text.lower()])
    node = parse_expression(text)
    return node if is_constant(node) else None


def _all_equal(values: Sequence[ast.expr | None]) -> bool:
    results = [constant(value) for value in values]
    return all(matches(result, results[-1]) for result in results)


def _neighbours(found: Sequence[Example], lines: Sequence[str]) -> Iterator[list[Example]]:
    """Group the examples that no sentence or blank line separates."""
    group: list[Example] = []
    for example in found:
        if group and any(_separates(line) for line in lines[group[-1].end : example.start]):
            yield group
            group = []
        group.append(example)
    if group:
        yield group


def _separates(line: str) -> bool:
    return not line.strip().startswith("=")


def _is_recurrence(example: Example, lines: Sequence[str], entry_point: str) -> bool:
    text = "\n".join(lines[example.start : example.end])
    at = text.find(example.call)
    behind = text[at + len(example.call) :] if at >= 0 else ""
    return bool(example.flaw) and re.search(rf"\b{re.escape(entry_point)}\s*\(", behind) is not None


def assigned_examples(
    lines: Sequence[str], entry_point: str, parameters: Sequence[str], required: int
) -> Iterator[Example]:
    """Yield `Input: a = 1, b = 2` with `Output: 3`, and `For a = 1 the output should be 3`.

    The names must be the entry point's parameters, the values literals. Without names there must be one value
    a parameter.
    """
    for index, line in enumerate(lines):
        if said := _FOR.match(line):
            call = _leading_call(said["arguments"], entry_point, parameters, required)
            expected, flaw = read_value(said["value"])
            if call or not flaw:
                yield Example(call, index, index + 1, expected, flaw=flaw or _no_call(call))
        elif _INPUT.match(line) and (example := _block(lines, index, entry_point, parameters, required)):
            yield example


def _block(
    lines: Sequence[str], start: int, entry_point: str, parameters: Sequence[str], required: int
) -> Example | None:
    for index in range(start + 1, min(len(lines), start + MOST_LINES)):
        given, output = _INPUT.match(lines[start]), _OUTPUT.match(lines[index])
        if _INPUT.match(lines[index]):
            return None
        if given and output:
            text = " ".join([given["rest"], *(line.strip() for line in lines[start + 1 : index])])
            value = scanning.first_line(_following([output["rest"], *lines[index + 1 :]], 0))
            call = _arguments_call(text[:MOST_CHARACTERS], entry_point, parameters, required)
            expected, flaw = read_value(value)
            end = index + 1 + value.count("\n")
            return Example(call, start, end, expected, flaw=flaw or _no_call(call))
    return None


def _no_call(call: str) -> str:
    return "" if call else "the arguments do not fit the signature"


def _leading_call(text: str, entry_point: str, parameters: Sequence[str], required: int) -> str:
    """Return the call that the longest possible beginning of a text gives arguments for."""
    cuts = [len(text), *reversed([at for at, each in enumerate(text[:500]) if each in " ,"])]
    for cut in cuts[:100]:
        if call := _arguments_call(text[:cut], entry_point, parameters, required):
            return call
    return ""


def _arguments_call(text: str, entry_point: str, parameters: Sequence[str], required: int) -> str:
    """Return `f(a=1, b=2)` for `a = 1, b = 2`, or nothing if that is no full set of literal arguments."""
    call = parse_expression(f"_({text.strip().rstrip(',.;')})")
    if not isinstance(call, ast.Call) or not all(is_constant(node) for node in call.args):
        return ""
    if not all(is_constant(keyword.value) for keyword in call.keywords):
        return ""
    names = [keyword.arg for keyword in call.keywords]
    if names and not call.args:
        fits = set(parameters[:required]) <= set(names) <= set(parameters)
        values = {keyword.arg: keyword.value for keyword in call.keywords}
        arguments = [values[name] for name in parameters if name in values] if fits else []
        return _written(entry_point, arguments) if fits and _is_prefix(names, parameters) else ""
    return _written(entry_point, call.args) if call.args and len(call.args) == required and not names else ""


def _is_prefix(names: Sequence[str | None], parameters: Sequence[str]) -> bool:
    return set(names) == set(parameters[: len(names)])


def _written(entry_point: str, arguments: Sequence[ast.expr]) -> str:
    return f"{entry_point}({', '.join(map(ast.unparse, arguments))})"
