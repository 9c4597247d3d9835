"""Mutants: one place changed, by seed, and always Python."""

import ast
import random

from dualcode.reviews.cases import OPERATORS, operated

PROGRAM = """
def f(items, n=3):
    total = 0
    for at in range(len(items)):
        if items[at] > n and not at % 2 == 0:
            total += items[at] * 2
        elif items[at] is None:
            continue
    return sorted(items[1:n]) or 'none'
"""


def test_the_same_seed_makes_the_same_mutants_and_another_one_others() -> None:
    first, again, other = (operated(PROGRAM, 6, random.Random(seed)) for seed in (1, 1, 2))
    assert first == again
    assert first != other


def test_a_mutant_is_python_and_another_program_and_none_comes_twice() -> None:
    made = operated(PROGRAM, 60, random.Random(0))
    plain = ast.dump(ast.parse(PROGRAM))
    assert len({each.program for each in made}) == len(made) > 40
    assert all(ast.dump(ast.parse(each.program)) != plain for each in made)


def test_every_operator_has_its_place_in_a_program_that_has_all_kinds() -> None:
    made = {each.family for each in operated(PROGRAM, 500, random.Random(0))}
    assert made == {f"operator/{name}" for name in OPERATORS}


def test_a_program_without_a_place_to_change_has_no_mutant() -> None:
    assert operated("import os\n", 5, random.Random(0)) == []
