"""Fixtures for all tests."""

from tests.servers import servers

__all__ = ["servers"]
