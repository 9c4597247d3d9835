"""Texts of which a compiler makes far more than they are long: attacks on what compiles replies."""

from collections.abc import Callable


def _many(count: int, part: str) -> list[str]:
    """Return a part for each number, in its place at each `#`."""
    return [part.replace("#", str(number)) for number in range(count)]


def _nested(depth: int, inside: str = "pass", before: str = "if x:\n") -> str:
    """Return `finally` within `finally`, each behind a `try` of one statement."""
    indents = [" " * level for level in range(1, depth + 1)]
    levels = [f"{indent}try:\n{indent} {inside}\n{indent}finally:\n" for indent in indents]
    return f"{before}{''.join(levels)} {indents[-1]}pass\n"


def _case(pattern: str) -> str:
    return f"match x:\n case {pattern}: pass\n"


GROWING: dict[str, Callable[[], str]] = {
    "finally within finally": lambda: _nested(24),
    "returns within finally within finally": lambda: _nested(12, "return", "def f():\n"),
    "breaks within finally within finally": lambda: _nested(12, "break", "while x:\n"),
    "a long finally behind many returns": lambda: (
        "def f():\n try:\n" + "  if x: return\n" * 3000 + " finally:\n" + "  x = 1\n" * 5000
    ),
    "keywords of a call": lambda: f"f({','.join(_many(10_000, 'a#=1'))})\n",
    "keywords of a class": lambda: f"class A({','.join(_many(10_000, 'a#=1'))}): pass\n",
    "names in a sequence": lambda: _case(f"[{','.join(_many(16_000, 'a#'))}]"),
    "names in a mapping": lambda: _case(f"{{{','.join(_many(8000, '#: a#'))}}}"),
    "names in a class": lambda: _case(f"A({','.join(_many(16_000, 'a#'))})"),
    "attributes in a class": lambda: _case(f"A({','.join(_many(10_000, 'a#=1'))})"),
    "names in alternatives": lambda: _case(" | ".join([f"[{','.join(_many(1500, 'a#'))}]"] * 10)),
    "dots of an import": lambda: "import a" + ".a" * 50_000 + "\n",
    "dots of an import on many lines": lambda: "import a" + "\\\n . a" * 20_000 + "\n",
    "private names of a class": lambda: f"class {'A' * 50_000}:\n x = [{','.join(_many(6000, '__b#'))}]\n",
    "methods of a class": lambda: f"class {'A' * 50_000}:\n" + "".join(_many(3000, " def f#(): pass\n")),
    "functions of one name": lambda: "def f(): pass\n" * 8000,
    "comprehensions of one text": lambda: "[a for a in b]\n" * 6000,
    "numbers of one hash": lambda: f"x = y in {{{','.join(str(n * (2**61 - 1)) for n in range(1, 4000))}}}\n",
    "expressions of an f-string": lambda: f"x = f'{'{a}' * 30_000}'\n",
    "expressions of a long f-string": lambda: f'x = rF"""{"{a:{b}} it is" * 20_000}"""\n',
    "a text too long": lambda: "x = 1\n" * 100_000,
}
"""Each makes a text of at most 600,000 characters. No jail stands between them and the host."""
