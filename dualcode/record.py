"""The base of every value that flows through dualcode or is written to a run."""

import contextlib
import gc
from collections.abc import Generator

from pydantic import BaseModel, ConfigDict


class Record(BaseModel):
    """An immutable value that refuses unknown keys and serialises to one JSON object."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    def to_line(self) -> str:
        """Return the record as one line of JSON, without the newline."""
        return self.model_dump_json(by_alias=True)


@contextlib.contextmanager
def unswept() -> Generator[None]:
    """Keep Python's collector away while many records are made or gone through.

    They hold no cycles, and each of its passes walks through all that are alive: of analysing 28 runs they
    took more than half of the time (`benchmarks/gathering.py`).
    """
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
