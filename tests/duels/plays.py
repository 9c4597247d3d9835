"""Scripts for the shop's issue."""

from tests.duels.scripted import REVISED, Script

MEND = "printf 'def total(prices):\\n    return sum(prices)\\n' > shop/price.py"
SPOIL = "printf 'def total(prices):\\n    return sum(prices) + 1\\n' > shop/price.py"
RIGHT = Script(edits=(MEND,), fixes=(MEND,))
WRONG = Script(edits=(SPOIL,), fixes=(MEND,), review=REVISED)
