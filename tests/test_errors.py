"""The tree of errors: what it says of itself, what reaches a person, what those who raise one tell."""

import ast
import pickle
import re
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dualcode import errors
from dualcode.call import Attempt
from dualcode.cli.main import EXIT_CODES
from dualcode.errors import ConfigError, DualcodeError, EndpointError, UnknownNameError
from tests.pages import ROOT

PACKAGE = ROOT / "dualcode"


def kinds(root: type[DualcodeError] = DualcodeError) -> list[type[DualcodeError]]:
    """Return an error's class and all below it that the tree of errors has, in order."""
    below = [each for each in root.__subclasses__() if each.__module__ == errors.__name__]
    return [root, *(kind for each in below for kind in kinds(each))]


def drawn() -> dict[str, tuple[str | None, str]]:
    """Return the tree in the module's docstring: name -> what it stands below, and the rest of its line."""
    found, above = dict[str, tuple[str | None, str]](), list[str]()
    for line in (errors.__doc__ or "").splitlines():
        if match := re.match(r"([│├└─ ]*)(\w+Error)\s+(.*)", line):
            depth = len(match[1]) // 4
            del above[depth:]
            found[match[2]] = (above[-1] if above else None, match[3])
            above.append(match[2])
    return found


def raised() -> Iterator[tuple[str, str, ast.Call]]:
    """Yield each place of the package that raises an error of the tree: where, the class, the call."""
    names = {kind.__name__ for kind in kinds()}
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
                called = node.exc.func
                name = called.id if isinstance(called, ast.Name) else getattr(called, "attr", "")
                if name in names:
                    yield f"{path.relative_to(ROOT)}:{node.lineno}", name, node.exc


def test_the_tree_in_the_docstring_is_that_of_the_classes() -> None:
    above = {kind.__name__: None if kind is DualcodeError else kind.__mro__[1].__name__ for kind in kinds()}
    assert {name: parent for name, (parent, _) in drawn().items()} == above


def test_the_exit_codes_are_those_that_the_tree_and_the_help_tell() -> None:
    told = {int(code) for code in re.findall(r"^  (\d+) ", EXIT_CODES, re.MULTILINE)}
    for kind in kinds():
        assert kind.exit_code in told, kind
        if code := re.search(r"exit (\d)", drawn()[kind.__name__][1]):
            assert kind.exit_code == int(code[1]), kind


@pytest.mark.parametrize("kind", kinds()[1:], ids=lambda kind: kind.__name__)
def test_no_kind_of_error_is_there_for_nobody(kind: type[DualcodeError]) -> None:
    used = re.compile(rf"\b{kind.__name__}\b")
    sources = (path for path in PACKAGE.rglob("*.py") if path.name != "errors.py")
    assert any(used.search(path.read_text("utf-8")) for path in sources)


def test_whoever_raises_a_fault_of_the_users_tells_the_value_or_what_to_do() -> None:
    """A message that is the same whatever was given helps only where it says what to do instead."""
    users = {kind.__name__ for kind in kinds(ConfigError)} | {"SuiteError", "ServingError", "RunError"}
    silent = [
        (place, ast.unparse(call))
        for place, name, call in raised()
        if name in users
        and all(isinstance(each, ast.Constant) for each in call.args)
        and not any(each.arg in ("hint", None) for each in call.keywords)
    ]
    # What a row of another format lacks: `import` puts the row's name before it, and goes on with the next.
    assert [call for place, call in silent if not place.startswith("dualcode/issues/importing.py")] == []


def test_hints_are_no_second_message() -> None:
    """A hint is a command, a setting or a short phrase: printed behind "try:", it begins no sentence."""
    for place, _, call in raised():
        for each in call.keywords:
            text = each.value.value if each.arg == "hint" and isinstance(each.value, ast.Constant) else None
            if isinstance(text, str):
                assert text == text.strip() != "", place
                assert not text.endswith("."), (place, text)


@given(st.text(), st.none() | st.text(min_size=1))
def test_what_is_shown_moves_no_cursor(message: str, hint: str | None) -> None:
    shown = str(DualcodeError(message, hint=hint))
    assert all(char.isprintable() or char in "\n\t" for char in shown)
    assert ("\n  try: " in shown) >= (hint is not None)


@given(st.text(alphabet="abcd-", min_size=1), st.sets(st.text(alphabet="abcd-", min_size=1), max_size=30))
def test_an_unknown_name_is_told_with_the_nearest_or_with_all(name: str, known: set[str]) -> None:
    error = UnknownNameError("pipeline", name, known)
    told = re.fullmatch(r"no pipeline is named .*; (nearest|known): (.*)", error.message, re.DOTALL)
    assert told
    lead, shown = told.groups()
    names = re.sub(r", … \(\d+ in all\)$", "", shown).split(", ")
    assert error.name == name
    if name in known:
        assert name in names
    if known:
        assert set(names) <= known
        assert len(names) == (min(len(known), 12) if lead == "known" else len(names)) <= 12
        assert ("…" in shown) == (lead == "known" and len(known) > 12)
    else:
        assert (lead, shown) == ("known", "none")


@pytest.mark.parametrize("kind", kinds(), ids=lambda kind: kind.__name__)
def test_an_error_crosses_a_process_whole(kind: type[DualcodeError]) -> None:
    """As one of a cluster's node does; whatever its class is made of."""
    made = kind("server", "x", ["y"], hint="h") if kind is UnknownNameError else kind("what", hint="h")
    if isinstance(made, EndpointError):
        made.attempts = (Attempt(kind="chat", started=1.0, seconds=1.0, outcome="lost"),)
    back = pickle.loads(pickle.dumps(made))
    assert (type(back), str(back), back.args, vars(back)) == (kind, str(made), made.args, vars(made))


def test_the_package_raises_nothing_that_is_no_error_of_the_tree_at_its_commands() -> None:
    """The command line catches the tree; what else a command raises by itself would be a traceback."""
    own = re.compile(
        r"^\s*raise (ValueError|TypeError|RuntimeError|Exception|KeyError|OSError)\(", re.MULTILINE
    )
    assert [path.name for path in (PACKAGE / "cli").glob("*.py") if own.search(path.read_text("utf-8"))] == []
