"""What a run took: tokens, seconds of each server, money, joules; per task and per solved task."""

from dualcode.record import Record


class ServerCost(Record):
    """What one server did for a run, as if the run were alone, and what was really spent."""

    endpoint: str
    model: str
    prompt_tokens: int
    completion_tokens: int
    reasoning_tokens: int
    busy_seconds: float
    """As the client saw it: at least one request in flight."""
    metered_seconds: float | None
    """As the server's own metrics had it: at least one request running; None where they were not read."""
    wall_seconds: float
    money: float | None
    currency: str | None
    joules: float | None
    """Of the GPU while the run lasted, as NVML counts them; None without NVML."""


class Costs(Record):
    """What a run took."""

    run: str
    pipeline: str
    dataset: str
    tasks: int
    solved: int
    """Tasks passed on the hardest part."""
    calls: int
    alone: tuple[ServerCost, ...]
    """As if nothing came from the ledger."""
    spent: tuple[ServerCost, ...]
    """Without what the ledger replayed."""
