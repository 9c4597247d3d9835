"""The program that a reply holds."""

import hashlib

from dualcode.record import Record


class Program(Record):
    """A standalone Python program, extracted from a model's reply.

    It is executed as it stands: prompt imports and helpers that the reply left out are already in it.
    """

    text: str
    """Python source; empty if the reply held none."""
    compiles: bool
    """Whether `compile(text, ...)` succeeds on a text that is not empty."""
    defines_entry_point: bool
    """Whether the module's top level binds the task's entry point."""
    how: str
    """How the text was won from the reply: a short machine-readable word such as `block`, `body`."""

    @property
    def checksum(self) -> str:
        """What records name the program by."""
        return checksum(self.text)


def checksum(program: str) -> str:
    """Return the SHA-256 of a program's text without its outer blanks."""
    return hashlib.sha256(program.strip().encode("utf-8", "surrogatepass")).hexdigest()
