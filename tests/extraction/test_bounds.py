"""The host compiles what people write, and no text of which a compiler makes far more than it is long."""

import ast
import json

import pytest

from dualcode.bench.visible.evaluation import parse_expression, parse_statements
from dualcode.extraction import source
from dualcode.extraction.bounds import LONGEST, SHORT, grows
from dualcode.extraction.source import Fault, compiles, parse
from dualcode.runs.provenance import literals
from dualcode.steps.conversation import imports_of
from dualcode.steps.enrichment import normalized, read_probes
from dualcode.suites.source import Flaw
from dualcode.suites.source import parse as read_suite_source
from tests.contracts.attacks.growing import GROWING


@pytest.mark.parametrize("name", GROWING)
def test_what_grows_when_it_is_compiled_is_not_compiled(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("it was compiled")  # and not filled this machine

    monkeypatch.setattr(source, "compile", refuse, raising=False)
    assert not compiles(GROWING[name]())


@pytest.mark.parametrize("name", [each for each in GROWING if each.startswith(("dots", "expr", "a text"))])
def test_what_grows_when_it_is_parsed_is_not_parsed(name: str) -> None:
    assert parse(GROWING[name]()) == Fault(0, "too large to read")


@pytest.mark.parametrize("name", [each for each in GROWING if each.startswith(("dots", "expr", "a text"))])
def test_no_reader_of_a_prompt_or_a_reply_parses_what_grows(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("it was parsed")

    text = GROWING[name]()
    monkeypatch.setattr(ast, "parse", refuse)
    said = {"probes": [{"call": text, "asserted": "1"}]}
    assert read_probes(json.dumps(said), "f") is None
    assert normalized(text) == text.strip()
    assert (parse_statements(text), parse_expression(text), literals(text)) == (None, None, [])
    assert imports_of(text) is not None
    assert isinstance(read_suite_source(text), Flaw)


HONEST = {
    "a table": f"TABLE = [{', '.join(map(str, range(6000)))}]\n",
    "constants": "".join(f"LIMIT_{n} = {n} * 10**9 + 7\n" for n in range(800)),
    "a dictionary of texts": "NAMES = {" + ", ".join(f"{n}: 'name {n}'" for n in range(2000)) + "}\n",
    "many branches": "if x == 0: y = 0\n" + "".join(f"elif x == {n}: y = {n}\n" for n in range(1, 80)),
    "many functions": "".join(f"def solve_{n}(xs):\n    return [x + {n} for x in xs]\n" for n in range(400)),
    "a chain of calls": "frame = (frame\n"
    + "".join(f"    .replace({n}, {n + 1})\n" for n in range(60))
    + ")\n",
    "keywords": f"settings = dict({', '.join(f'option_{n}={n}' for n in range(500))})\n" * 4,
    "names in patterns": "match x:\n"
    + "".join(f"    case [{', '.join(f'a{n}' for n in range(40))}, {k}]:\n        pass\n" for k in range(30)),
    "finally in four levels": "def f():\n"
    + "".join(f"{'  ' * n}try:\n{'  ' * n}  return {n}\n{'  ' * n}finally:\n" for n in range(1, 5))
    + "          pass\n",
    "a long finally": "def f():\n  try:\n"
    + "    if x: return 1\n" * 20
    + "  finally:\n"
    + "    x = x + 1\n" * 50,
    "many formats": "".join(f"print(f'{{a}} is {{b:>{n}}}')\n" for n in range(500)),
    "many braces": f"BRACES = '{'{' * 40_000}'\nprint(f'{{BRACES}}')\n",
    "many sentences": '"""' + "It is written. And read. Really.\n" * 3000 + '"""\n',
    "a private class": "class "
    + "Tree" * 8
    + ":\n"
    + "".join(f"    def __m{n}(self): pass\n" for n in range(300)),
}


@pytest.mark.parametrize("name", HONEST)
def test_what_people_write_compiles_however_long(name: str) -> None:
    text = HONEST[name]
    padded = text + "# so it is looked at\n" * (SHORT // 20)
    assert len(padded) < LONGEST
    assert compiles(text)
    assert compiles(padded)
    assert not grows(ast.parse(text))


def test_a_bound_counts_the_ways_into_a_finally_and_not_its_depth_alone() -> None:
    def program(returns: int, lines: int) -> ast.Module:
        body = "  if x: return\n" * returns
        return ast.parse(f"def f():\n try:\n{body}  x = 1\n finally:\n" + "  x = 1\n" * lines)

    assert [grows(program(*each)) for each in ((100, 100), (1000, 1), (1, 1000), (1000, 1000))] == [
        False, False, False, True,
    ]  # fmt: skip
