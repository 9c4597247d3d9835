"""The base of every value that flows through dualcode or is written to a run."""

from pydantic import BaseModel, ConfigDict


class Record(BaseModel):
    """An immutable value that refuses unknown keys and serialises to one JSON object."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    def to_line(self) -> str:
        """Return the record as one line of JSON, without the newline."""
        return self.model_dump_json(by_alias=True)
