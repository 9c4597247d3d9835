"""Examples that are no Python: `f(3) -> 4`, `f(3) should return 4.`, `Input: n = 3`, `Output: 4`."""

import ast
import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from dualcode.bench.visible.evaluation import constant, is_constant, matches, parse_expression
from dualcode.bench.visible.text import closing, first_line, outside

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
_WORDS = {"true": "True", "false": "False", "null": "None", "none": "None"}


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
    groups: list[list[Example]] = []
    for example in _calls(lines, re.escape(entry_point)):
        between = lines[groups[-1][-1].end : example.start] if groups else [""]
        if all(line.strip().startswith("=") for line in between):
            groups[-1].append(example)
        else:
            groups.append([example])
    for group in groups:
        texts = ["\n".join(lines[each.start : each.end]).partition(each.call)[2] for each in group]
        again = re.compile(rf"\b{re.escape(entry_point)}\s*\(")
        defines = any(each.flaw and again.search(text) for each, text in zip(group, texts, strict=True))
        for example in group:
            yield replace(example, flaw="part of a definition, no example") if defines else example


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
    behind = 0
    for index in range(len(lines)):
        lead = _LEAD.match(lines[index])
        match = head.match(lines[index], lead.end() if lead else 0) if index >= behind else None
        text = _following(lines, index) if match else ""
        end = closing(text, match.end() - 1) if match else None
        if match is None or end is None:
            continue
        call = text[match.start() : end].removeprefix("assert").strip()
        rest = text[end:]
        last = index + text.count("\n", 0, end) + 1
        said = _SAYS.match(rest)
        if raised := _RAISES.match(rest.partition("\n")[0]):
            example = Example(call, index, last, raises=raised["name"].rstrip("."))
        elif said is None or "\n" in said.group():
            continue
        else:
            value = first_line(rest[said.end() :])
            expected, flaw = read_value(value, code=said["equals"] in ("==", "==="))
            example = Example(call, index, last + value.count("\n"), expected, flaw=flaw)
        yield example
        behind = example.end


def _following(lines: Sequence[str], start: int) -> str:
    return "\n".join(lines[start : start + MOST_LINES])[:MOST_CHARACTERS]


def read_value(text: str, *, code: bool = False) -> tuple[str, str]:
    """Return the expression at the beginning of a text and "", or "" and why there is none.

    What may follow the value: a full stop, a comment, a remark in parentheses. `19 - 5 = 14` is 14.
    """
    if not text.strip():
        return "", "no value"
    # The single equals signs outside brackets and strings.
    cuts = [at for at in outside(text, "=") if text[at - 1 : at + 2].count("=") == 1]
    cuts = [at for at in cuts if at and text[at - 1] not in "<>!:"]
    parts = [text[start + 1 : end] for start, end in itertools.pairwise([-1, *cuts, len(text)])]
    values: list[ast.expr] = []
    for part in parts:
        texts = (_WORDS.get(each.lower(), each) for each in _trimmed(part))
        values += [node for node in map(parse_expression, texts) if node and is_constant(node)][:1]
    if len(values) < len(parts):
        return "", "the value is no literal"
    last = values[-1]
    if len(set(map(ast.unparse, values))) > 1:
        results = [constant(value) for value in values]
        if not all(matches(result, results[-1]) for result in results):
            return "", "the sides of the equation differ"
    if isinstance(last, ast.Tuple) and not text.strip().startswith("("):
        return "", "several values without parentheses"
    if not code and isinstance(last, ast.Constant) and parts[-1].lstrip().startswith("("):
        return "", "a value in parentheses may mean a tuple of one"
    return ast.unparse(last), ""


def _trimmed(text: str) -> Iterator[str]:
    """Yield a text, and it without what people write behind a value."""
    text = text.strip()
    if not text.endswith("."):  # `1.` ends a sentence
        yield text
    comment = next(iter(outside(text, "#")), None)
    if comment is not None:
        text = text[:comment]
    if words := _TRAILING_WORDS.search(text):
        yield text.strip(" \t`.,;")
        text = text[: words.start()]
    yield text.strip(" \t\n`.,;")
    for at in outside(text, "("):
        if at and text[at - 1].isspace():
            yield text[:at].strip(" \t`.,;")


def assigned_examples(
    lines: Sequence[str], entry_point: str, parameters: Sequence[str], required: int
) -> Iterator[Example]:
    """Yield `Input: a = 1, b = 2` with `Output: 3`, and `For a = 1 the output should be 3`.

    The names must be the entry point's parameters, the values literals. Without names there must be one value
    a parameter.
    """
    signature = (entry_point, parameters, required)
    for index, line in enumerate(lines):
        if said := _FOR.match(line):
            arguments = said["arguments"]
            # The longest beginning of the text that is arguments.
            cuts = [
                len(arguments),
                *reversed([at for at, each in enumerate(arguments[:500]) if each in " ,"]),
            ]
            call = next(filter(None, (_call_of(arguments[:cut], *signature) for cut in cuts[:100])), "")
            expected, flaw = read_value(said["value"])
            if call or not flaw:
                yield Example(call, index, index + 1, expected, flaw=flaw or _no_call(call))
        elif _INPUT.match(line):
            yield from _block(lines, index, signature)


def _block(lines: Sequence[str], start: int, signature: tuple[str, Sequence[str], int]) -> Iterator[Example]:
    """Yield the example of an `Input:`, if an `Output:` follows before the next one."""
    given: list[str] = []
    for index in range(start, min(len(lines), start + MOST_LINES)):
        output = _OUTPUT.match(lines[index]) if given else None
        if output:
            value = first_line(_following([output["rest"], *lines[index + 1 :]], 0))
            call = _call_of(" ".join(given)[:MOST_CHARACTERS], *signature)
            expected, flaw = read_value(value)
            end = index + 1 + value.count("\n")
            yield Example(call, start, end, expected, flaw=flaw or _no_call(call))
            return
        again = _INPUT.match(lines[index])
        if again and given:
            return
        given.append(again["rest"] if again else lines[index].strip())


def _no_call(call: str) -> str:
    return "" if call else "the arguments do not fit the signature"


def _call_of(text: str, entry_point: str, parameters: Sequence[str], required: int) -> str:
    """Return `f(1, 2)` for `a = 1, b = 2` or `1, 2`; nothing if that is no full set of literal arguments."""
    call = parse_expression(f"_({text.strip().rstrip(',.;')})")
    if not isinstance(call, ast.Call):
        return ""
    given = {keyword.arg: keyword.value for keyword in call.keywords}
    if not all(map(is_constant, [*call.args, *given.values()])):
        return ""
    if given:
        # All that have no default, and no gap before one that is given: they are passed by position.
        fits = set(parameters[:required]) <= set(given) == set(parameters[: len(call.keywords)])
        arguments = [given[name] for name in parameters if name in given]
    else:
        fits, arguments = len(call.args) == required > 0, call.args
    fits = fits and not (given and call.args)
    return f"{entry_point}({', '.join(map(ast.unparse, arguments))})" if fits else ""
