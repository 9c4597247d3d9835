"""Every command line that dualcode prints, in its docs, its help and its hints, is one that it takes."""

import ast
import itertools
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from dualcode.cli.main import COMMANDS, cli, command

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("pipelines/*.md")])
SPELLINGS = {
    r"dualcode": [], r"python -m dualcode": [], r"python -m dualcode\.eval": ["eval"],
    r"python -m dualcode\.figures": ["figures"], r"python -m dualcode\.serving": ["serve"],
    r"scripts/serve\.sh": ["serve"], r"scripts/reproduce\.sh": ["reproduce"],
}  # fmt: skip
"""How a command line may begin, and the words that this stands for."""
CALL = re.compile(rf"(?<![\w$/=.-])(?:\.venv/bin/)?({'|'.join(SPELLINGS)})(?=\s+[-\w\[{{]|$)(?P<rest>[^\n]*)")

MENTION = re.compile(r"dualcode(\.\w+)?\s|scripts/\w+\.sh\s")
"""What a text holds that may tell to type a command."""


def every(called: click.Command) -> Iterator[click.Command]:
    """Yield a command and those within it."""
    yield called
    if isinstance(called, click.Group):
        for name in called.list_commands(click.Context(called)):
            if (found := called.get_command(click.Context(called), name)) is not None:
                yield from every(found)


FLAGS = {
    name
    for called in every(cli)
    for option in called.params
    if isinstance(option, click.Option) and option.is_flag
    for name in (*option.opts, *option.secondary_opts)
}
SUBCOMMANDS = {called.name for called in every(cli)} - set(COMMANDS)


def lines_of(page: Path) -> Iterator[tuple[str, str, bool]]:
    """Yield the command lines of a page: where, the line, and whether it stands alone in a block of code."""
    text = page.read_text()
    for block in re.findall(r"^```(?:\w*)\n(.*?)^```", text, re.M | re.S):
        for line in block.replace("\\\n", " ").splitlines():
            if found := CALL.match(line.strip()):
                yield page.name, words_before_a_comment(found[0]), True
    prose = re.sub(r"^```.*?^```", "", text, flags=re.M | re.S).replace("\\|", "|")
    for span in re.findall(r"`([^`\n]+)`", prose):
        if found := CALL.match(span):
            yield page.name, found[0], False


def words_before_a_comment(line: str) -> str:
    return re.split(r"\s#|\s[|&]{1,2}\s|\s>\s|;", line)[0].strip()


def hints() -> Iterator[tuple[str, str, bool]]:
    """Yield what texts in the code tell to type, each up to where prose goes on.

    Prose may go on with any word; a hint with a command.
    """
    for file in sorted((ROOT / "dualcode").rglob("*.py")):
        source = file.read_text()
        if not MENTION.search(source):  # each process that collects the tests reads all of them
            continue
        nodes = list(ast.walk(ast.parse(source)))
        within = {id(part) for node in nodes if isinstance(node, ast.JoinedStr) for part in node.values}
        told = {id(node.value) for node in nodes if isinstance(node, ast.keyword) and node.arg == "hint"}
        for node in nodes:
            text = "" if id(node) in within else said(node)
            for found in CALL.finditer(text) if MENTION.search(text) else ():
                words = list(arguments(found["rest"].split()))
                known = words and (words[0] in {*COMMANDS, *SUBCOMMANDS} or words[0].startswith("-"))
                if known or (
                    words and id(node) in told and found.start() == 0 and words[0] not in ("on", "X")
                ):
                    yield file.name, " ".join([found[1], *words]), False


def said(node: ast.AST) -> str:
    """Return the text of a literal, with X for each value that it is filled with."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    parts = node.values if isinstance(node, ast.JoinedStr) else []
    return "".join(part.value if isinstance(part, ast.Constant) else "X" for part in parts)  # type: ignore[misc]


def arguments(words: list[str]) -> Iterator[str]:
    """Yield the words that are a command's, without what ends them in prose."""
    expects_a_value = True  # the command's own name
    for word in words:
        plain = word.rstrip(",;:).`'|")
        argument = re.match(r"--?[a-z]|[A-Z…{]", plain) or "/" in plain or plain in SUBCOMMANDS
        if not (argument or expects_a_value):
            return
        yield plain
        if plain != word:
            return
        expects_a_value = plain.startswith("--") and plain not in FLAGS


def alternatives(line: str) -> Iterator[list[str]]:
    """Yield the lines that `a|b`, `[optional]` and the names of values in capitals stand for."""
    words = shlex.split(line.replace("[", "").replace("]", "").replace("…", ""))
    yield from map(list, itertools.product(*(word.split("|") if "|" in word else [word] for word in words)))


def check(line: str, *, whole: bool) -> None:
    """Parse a command line as dualcode does, without running it; what is not whole may lack its end."""
    found = CALL.match(line)
    assert found, line
    (begin,) = (words for spelling, words in SPELLINGS.items() if re.fullmatch(spelling, found[1]))
    for rest in alternatives(found["rest"]):
        words = [*begin, *("1" if word == "N" else word for word in rest)]
        if found[1] == "scripts/reproduce.sh" and "--profile" in words:
            at = words.index("--profile")
            del words[at : at + 2]
        if not words or words[0] in ("-h", "--help", "--version"):
            continue
        name = words.pop(0)
        assert name in COMMANDS, f"{line}: there is no command {name}"
        called = command(name)
        while isinstance(called, click.Group):
            if called.invoke_without_command and (not words or words[0].startswith("-")):
                break
            if name == "serve" and (not words or words[0].startswith("-")):
                words.insert(0, "start")
            if name == "reviewer" and words and words[0] not in called.commands:
                words.insert(0, "judge")
            if name == "duel" and words and words[0] not in called.commands:
                words.insert(0, "run")
            if not words:
                return
            name = words.pop(0)
            found_command = called.get_command(click.Context(called), name)
            assert found_command is not None, f"{line}: there is no {name}"
            called = found_command
        if "--help" in words:
            continue
        try:
            called.make_context(name, words)
        except click.MissingParameter as missing:
            assert not whole, f"{line}: {missing.format_message()}"
        except click.UsageError as error:
            pytest.fail(f"{line}: {error.format_message()}")


PRINTED = [each for page in PAGES for each in lines_of(page)]


@pytest.mark.parametrize(
    ("where", "line", "whole"),
    [pytest.param(*each, id=f"{each[0]}: {each[1]}") for each in dict.fromkeys(PRINTED)],
)
def test_a_command_line_of_the_docs_is_one_that_dualcode_takes(where: str, line: str, whole: bool) -> None:
    check(line, whole=whole)


@pytest.mark.parametrize(
    ("where", "line", "whole"),
    [pytest.param(*each, id=f"{each[0]}: {each[1]}") for each in dict.fromkeys(hints())],
)
def test_a_command_line_in_a_text_of_the_code_is_one_that_dualcode_takes(
    where: str, line: str, whole: bool
) -> None:
    check(line, whole=whole)


def examples() -> Iterator[str]:
    """Yield the lines of every help's example."""
    for called in every(cli):
        for line in (called.help or "").partition("Example:")[2].splitlines():
            if CALL.match(line.strip()):
                yield words_before_a_comment(line.strip())


@pytest.mark.parametrize("line", sorted(set(examples())))
def test_an_example_of_the_help_can_be_typed_as_it_stands(line: str) -> None:
    check(line, whole=True)


def test_the_lines_are_found_where_they_are_known_to_stand() -> None:
    lines = [line for _, line, _ in PRINTED]
    assert any(line.startswith("dualcode reviewer|costs RUN") for line in lines)
    assert any("--pipeline review-fix --dataset humaneval" in line for line in lines)
    assert len(set(lines)) > 60 and len(set(hints())) > 40


@pytest.mark.parametrize(
    "wrong",
    ["dualcode failures A B", "dualcode report runs --pages", "dualcode evel", "dualcode ledger prune --old",
     "scripts/serve.sh begin", "dualcode eval --limit many --pipeline x"],
)  # fmt: skip
def test_a_line_that_dualcode_does_not_take_is_found_out(wrong: str) -> None:
    with pytest.raises((AssertionError, pytest.fail.Exception)):
        check(wrong, whole=False)


def test_the_readme_s_way_puts_dualcode_on_the_path_before_it_is_typed() -> None:
    block = next(
        b
        for b in re.findall(r"^```\n(.*?)^```", (ROOT / "README.md").read_text(), re.M | re.S)
        if "dualcode" in b
    )
    activated = block.index(". .venv/bin/activate")
    assert activated < re.search(r"^dualcode ", block, re.M).start()  # type: ignore[union-attr]
