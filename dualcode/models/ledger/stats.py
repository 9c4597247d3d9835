"""What a ledger holds and saved, which entries a prune means, and what it deleted."""

from pathlib import Path
from typing import Any

from dualcode.call import Usage
from dualcode.models.ledger.fingerprint import Fingerprint
from dualcode.record import Record


class ModelStats(Record):
    """What the ledger holds and saved of one fingerprint."""

    fingerprint: Fingerprint
    digest: str
    entries: int
    usage: Usage
    """Prompt and completion tokens of the entries."""
    hits: int
    hit_tokens: int
    """Completion tokens that hits saved."""
    misses: int
    """Replies that were paid for and kept."""
    paid_tokens: int
    """Completion tokens of the misses."""


class LedgerStats(Record):
    """What a ledger holds and saved."""

    path: Path
    entries: int
    bytes: int
    """On disk."""
    models: tuple[ModelStats, ...]
    oldest: float | None
    """Seconds since the epoch."""
    newest: float | None

    @property
    def hits(self) -> int:
        """Calls that were answered without asking."""
        return sum(model.hits for model in self.models)

    @property
    def misses(self) -> int:
        """Calls that were paid for and kept."""
        return sum(model.misses for model in self.models)

    @property
    def saved_share(self) -> float | None:
        """The share of all completion tokens that was not paid again; None before the first."""
        saved = sum(model.hit_tokens for model in self.models)
        paid = sum(model.paid_tokens for model in self.models)
        return saved / (saved + paid) if saved + paid else None

    def to_json(self) -> dict[str, Any]:
        """Return the object that `--json` prints."""
        extra = {"hits": self.hits, "misses": self.misses, "saved_share": self.saved_share}
        return self.model_dump(mode="json") | extra


class Entries(Record):
    """Which entries a prune means; all conditions hold together. Without any: every entry."""

    unused_for: float | None = None
    """Seconds in which they were neither stored nor used."""
    model: str | None = None
    """The served name, or at least 8 digits of the fingerprint's digest."""
    damaged: bool = False
    """Those that cannot be read."""


class Pruned(Record):
    """What a prune deleted, or would delete."""

    entries: int
    tokens: int
    """Completion tokens."""
    bytes: int
    """Given back to the file system; in a dry run, what the entries take."""
