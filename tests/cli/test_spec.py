"""`dualcode spec`: how much a specification says, of files, fences and stdin; what is none is refused."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from dualcode.cli.spec import spec
from dualcode.errors import InputError
from dualcode.reviews.specification import guess_entry_point
from tests.bench.test_richness import LEAN, RICH, score


def invoke(*arguments: str, stdin: bytes | None = None) -> Result:
    return CliRunner().invoke(spec, list(arguments), input=stdin)


def test_command_tells_score_components_and_what_is_missing(tmp_path: Path) -> None:
    path = tmp_path / "stub.py"
    path.write_text('def count(text):\n    """Count vowels.\n    >>> count("a")\n    1\n    """\n')
    result = invoke(str(path))
    assert result.exit_code == 0, result.output
    assert "count" in result.output
    missing = result.output.partition("what would raise the score most:")[2].splitlines()
    gains = [float(line.split()[0]) for line in missing if line.strip()]
    assert gains == sorted(gains, reverse=True)
    assert "a type for `text`" in result.output


def test_command_prints_one_json_object_for_several_files(tmp_path: Path) -> None:
    paths = [tmp_path / "rich.py", tmp_path / "lean.txt"]
    for path, text in zip(paths, (RICH, "count the vowels of a text"), strict=True):
        path.write_text(text)
    result = invoke("--json", *map(str, paths))
    rich, lean = json.loads(result.output)["specifications"]
    assert (rich["entry_point"], lean["entry_point"]) == ("count", "")
    assert rich["score"] == score(RICH) > lean["score"]
    assert lean["missing"][0]["name"] == "examples"


def test_command_reads_stdin_and_fences_of_markdown(tmp_path: Path) -> None:
    path = tmp_path / "spec.md"
    path.write_text(f"```python\n{RICH}```\n")
    for result in (invoke(str(path), "--json"), invoke("-", "--json", stdin=RICH.encode())):
        (only,) = json.loads(result.output)["specifications"]
        assert only["score"] == score(RICH)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b" \n\t\n", "is empty"),
        (b"\x89PNG\r\n\x1a\n", "is no UTF-8 text"),
        (b"text\0text", "is binary"),
        (b"a" * (1 << 21), "is longer than 1 MiB"),
    ],
)
def test_command_refuses_what_is_no_text(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "spec.txt"
    path.write_bytes(content)
    for result in (invoke(str(path)), invoke("-", stdin=content)):
        assert isinstance(result.exception, InputError)
        assert message in str(result.exception)
        assert result.exception.hint


def test_command_names_a_missing_file_and_a_folder(tmp_path: Path) -> None:
    missing = invoke(str(tmp_path / "none.py")).exception
    assert isinstance(missing, InputError)
    assert "none.py cannot be read: No such file" in str(missing)
    folder = invoke(str(tmp_path)).exception
    assert isinstance(folder, InputError)
    assert "is a folder" in str(folder)
    assert invoke().exit_code == 2


def test_command_refuses_an_entry_point_that_the_file_lacks(tmp_path: Path) -> None:
    path = tmp_path / "stub.py"
    path.write_text(RICH)
    assert invoke(str(path), "--entry-point", "count").exit_code == 0
    error = invoke(str(path), "--entry-point", "counter").exception
    assert isinstance(error, InputError)
    assert "does not mention 'counter'" in str(error)
    assert error.hint == "--entry-point count"


@pytest.mark.parametrize(
    ("text", "name"),
    [
        (RICH, "count"),
        ("def helper(): return 1\n\ndef main_one(x):\n    '''Do.'''\n", "main_one"),
        (LEAN, "count"),
        ("Write it.\n>>> twice(2)\n4\n", "twice"),
        ("assert set(pick([1])) == {1}", "pick"),
        ("Write `area(r)` for circles.", "area"),
        ("a function named 'grow'", "grow"),
        ("nothing here", ""),
    ],
)
def test_entry_point_is_guessed(text: str, name: str) -> None:
    assert guess_entry_point(text) == name
