"""The command line, in a folder of its own."""

from tests.cli.conftest import run, team

__all__ = ["run", "team"]
