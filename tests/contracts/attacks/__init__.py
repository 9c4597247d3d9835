"""Attacks on the sandbox and on verdicts: what they try, and the world that they must leave as it was.

`python -m tests.contracts.attacks` runs every attack on every tier of this machine and prints the table.
"""

from tests.contracts.attacks import crossing, escaping, exhausting, reading

TIERS = ("namespaces", "landlock")
ATTACKS = (*reading.READING, *escaping.ESCAPING, *exhausting.EXHAUSTING, *crossing.CROSSING)
