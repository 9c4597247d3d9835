"""Command lines as a user types them, and a scripted reviewer."""

from tests.cli.conftest import run, team

__all__ = ["run", "team"]
