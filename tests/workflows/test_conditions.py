"""Conditions against Python's own `and` and `or`; variables as they are put in."""

import shlex
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dualcode.workflows.conditions import parse_condition
from dualcode.workflows.records import NodeResult
from dualcode.workflows.variables import UnresolvedError, Values, fill, inside_quotes, references

NAMES = st.sampled_from(["a", "plan-it", "_c"])
TEXTS = st.text(st.characters(exclude_characters="'", exclude_categories=["Cs"]), max_size=5)
NUMBERS = st.integers(-3, 3).map(str) | st.sampled_from(["0.5", "-1.25"])


@dataclass(frozen=True)
class Side:
    """One comparison, as text and as what Python makes of it."""

    name: str
    operator: str
    literal: str
    quoted: bool

    def text(self) -> str:
        return f"${self.name}.output {self.operator} " + (
            f"'{self.literal}'" if self.quoted else self.literal
        )

    def holds(self, outputs: Mapping[str, str]) -> bool:
        left = outputs[self.name]
        if self.operator in ("==", "!="):
            return eval(f"left {self.operator} right", {"left": left, "right": self.literal})
        return eval(f"left {self.operator} right", {"left": float(left), "right": float(self.literal)})


def sides() -> st.SearchStrategy[Side]:
    equal = st.builds(Side, NAMES, st.sampled_from(["==", "!="]), NUMBERS | TEXTS, st.just(True))
    ordered = st.builds(Side, NAMES, st.sampled_from(["<", ">", "<=", ">="]), NUMBERS, st.booleans())
    return equal | ordered


def values(outputs: Mapping[str, str]) -> Values:
    results = {name: NodeResult(node=name, status="completed", output=each) for name, each in outputs.items()}
    return Values({}, {}, results)


@given(
    first=sides(),
    rest=st.lists(st.tuples(st.sampled_from(["&&", "||"]), sides()), max_size=5),
    outputs=st.fixed_dictionaries(dict.fromkeys(("a", "plan-it", "_c"), NUMBERS)),
    space=st.sampled_from(["", " ", "  \n "]),
)
@settings(max_examples=100, deadline=None)
def test_and_binds_before_or_as_in_python(
    first: Side, rest: list[tuple[str, Side]], outputs: dict[str, str], space: str
) -> None:
    text = first.text() + "".join(f"{space}{joint}{space}{side.text()}" for joint, side in rest)
    python = str(first.holds(outputs)) + "".join(
        f" {'and' if joint == '&&' else 'or'} {side.holds(outputs)}" for joint, side in rest
    )
    assert parse_condition(text).holds(values(outputs)) is eval(python)


@pytest.mark.parametrize(
    ("data", "text", "holds"),
    [
        ({"ok": True}, "$a.output.ok == true", True),
        ({"ok": True}, "$a.output.ok == 'true'", True),
        ({"ok": False}, "$a.output.ok != \"true\"", True),
        ({"n": 10}, "$a.output.n > 9", True),
        ({"n": 10}, "$a.output.n > '9.5' && $a.output.n <= 10.0", True),
        ({"n": 2.5}, "$a.output.n == '2.5'", True),
        ({"n": None}, "$a.output.n == 'null'", True),
        ({"n": "&& || '"}, "$a.output.n == \"&& || '\"", True),
        ({"n": "x"}, "$a.output.n == 'X'", False),
    ],
)  # fmt: skip
def test_fields_are_compared_as_they_are_shown(data: dict[str, object], text: str, holds: bool) -> None:
    results = {"a": NodeResult(node="a", status="completed", data=data)}
    assert parse_condition(text).holds(Values({}, {}, results)) is holds


@pytest.mark.parametrize(
    ("result", "text", "told"),
    [
        (NodeResult(node="a", status="completed", output="x"), "$a.output > 1", "'x' is no number"),
        (NodeResult(node="a", status="completed", output="nan"), "$a.output > 1", "'nan' is no number"),
        (NodeResult(node="a", status="completed", output="1_0"), "$a.output > 1", "'1_0' is no number"),
        (NodeResult(node="a", status="completed", output="x"), "$a.output.f == '1'", "has no field 'f'"),
        (NodeResult(node="a", status="completed", output='{"g": 1}'), "$a.output.f == 1", "no field 'f'"),
        (NodeResult(node="a", status="completed", output="[" * 99999), "$a.output.f == 1", "no field 'f'"),
        (NodeResult(node="a", status="failed", output="x"), "$a.output == 'x'", "a failed"),
        (NodeResult(node="a", status="skipped", failed_upstream="b"), "$a.output == ''", "a skipped"),
        (NodeResult(node="a", status="skipped"), "$a.output > 1", "'' is no number"),
        (None, "$a.output == 'x'", "a was not done"),
        (None, "$INPUTS.x == 'x'", "$INPUTS.x was not given"),
    ],
)  # fmt: skip
def test_what_cannot_be_said_is_no_false(result: NodeResult | None, text: str, told: str) -> None:
    found = Values({}, {}, {"a": result} if result else {})
    with pytest.raises(UnresolvedError) as unresolved:
        parse_condition(text).holds(found)
    assert told in str(unresolved.value)


def test_a_branch_that_was_not_taken_and_a_command_that_failed_have_an_output() -> None:
    found = Values({}, {}, {
        "a": NodeResult(node="a", status="skipped"),
        "b": NodeResult(node="b", status="failed", output='{"n": 1}', exit_code=1),
    })  # fmt: skip
    assert fill("[$a.output] [$b.output.n] [$a.output.field]", found) == "[] [1] []"


def test_sides_are_looked_at_as_far_as_they_decide() -> None:
    found = values({"a": "1"})
    assert parse_condition("$a.output == '1' || $b.output == '1'").holds(found)
    assert not parse_condition("$a.output == '2' && $b.output == '1'").holds(found)
    with pytest.raises(UnresolvedError):
        parse_condition("$a.output == '2' || $b.output == '1'").holds(found)


# Variables in texts.


def test_a_text_is_replaced_once_and_what_is_no_variable_stays() -> None:
    found = Values(
        {"ARGUMENTS": "$INPUTS.x $a.output"}, {"x": "$ARGUMENTS"}, values({"a": "$ARGUMENTS"}).results
    )
    text = "$ARGUMENTS|$INPUTS.x|$a.output.|$HOME $1 $$ $ARGUMENTSX $a.outputs ${a} a.output"
    assert fill(text, found) == (
        "$INPUTS.x $a.output|$ARGUMENTS|$ARGUMENTS.|$HOME $1 $$ $ARGUMENTSX $a.outputs ${a} a.output"
    )


def test_what_is_not_known_yet_can_stay() -> None:
    found = Values({}, {"x": "1"})
    assert fill("$INPUTS.x $a.output $ARGUMENTS", found, known_only=True) == "1 $a.output $ARGUMENTS"


@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=30))
@settings(max_examples=12, deadline=None)
def test_in_a_shell_line_a_value_is_one_word_whatever_it_holds(value: str) -> None:
    line = fill("printf %s $INPUTS.x", Values({}, {"x": value}), shell=True)
    assert shlex.split(line) == ["printf", "%s", value]
    shown = subprocess.run(["/bin/bash", "-c", line], capture_output=True, check=True).stdout
    assert shown == value.encode()


@pytest.mark.parametrize(
    ("text", "quoted"),
    [
        ("echo $INPUTS.x", False),
        ('echo "$INPUTS.x"', True),
        ("echo 'it is $INPUTS.x'", True),
        ("echo 'a' $INPUTS.x", False),
        ('echo "a" $INPUTS.x', False),
        ('echo "it\'s" $INPUTS.x', False),
        ("echo it\\'s $INPUTS.x", False),
        ('echo "a \\" $INPUTS.x"', True),
        ("# don't\necho $INPUTS.x", False),
        ("echo a#'b' $INPUTS.x", False),
    ],
)
def test_quotes_around_a_variable_are_seen(text: str, quoted: bool) -> None:
    (found,) = references(text)
    assert inside_quotes(text, found.start) is quoted
