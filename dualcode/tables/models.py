"""Table 1: what answered in each role and what it ran on, as servers, checkpoints and GPUs told it."""

from dataclasses import dataclass
from typing import Any

from dualcode.analysis.analyse import Analysis
from dualcode.analysis.runs import Run
from dualcode.config import Role
from dualcode.published.published import Published, PublishedModel
from dualcode.serving.hardware import Checkpoint, ServedHardware
from dualcode.tables.cells import NOTHING, known, size
from dualcode.tables.grid import Field, Grid, cited, left, right
from dualcode.tables.selection import model_of, roles_of, source
from dualcode.tables.table import Table

GIB = 2**30


@dataclass(frozen=True)
class Seated:
    """A model in a role, with what was read of it; None where nothing was."""

    role: Role
    model: str | None
    version: str | None
    hardware: ServedHardware | None
    published: PublishedModel | None
    runs: tuple[str, ...]

    @property
    def _checkpoint(self) -> Checkpoint | None:
        return self.hardware.checkpoint if self.hardware else None

    def parameters(self) -> str:
        """Return the number of weights: `134 M`, `14.8 B`."""
        weights = self._checkpoint.parameters if self._checkpoint else None
        return known(weights, lambda n: size(n, 1e9, "B") if n >= 1e9 else size(n, 1e6, "M"))

    def quantization(self) -> str:
        """Return the method and its bits, or the type of what is not quantized."""
        read = self._checkpoint
        if read is None or read.quantization is None:
            return (read and read.dtype) or NOTHING
        return f"{read.quantization.upper()}{f' {read.bits}-bit' if read.bits else ''}"

    def device(self) -> str:
        """Return the GPUs, or the CPU with its cores."""
        read = self.hardware
        if read is None or read.gpus is None:
            return NOTHING
        if read.gpus:
            return ", ".join(gpu.name for gpu in read.gpus)
        return f"{read.cpu or 'CPU'}{f', {read.cores} cores' if read.cores else ''}"

    def memory(self) -> str:
        """Return the memory that the server held: of its GPUs, or the main memory of a server on CPU."""
        read = self.hardware
        if read is None or read.gpus is None:
            return NOTHING
        used = [gpu.used_bytes for gpu in read.gpus] if read.gpus else [read.resident_bytes or None]
        return size(sum(each or 0 for each in used), GIB, "GiB") if None not in used else NOTHING

    def weights(self) -> str:
        """Return the size of the checkpoint's weights."""
        return known(self._checkpoint, lambda read: size(read.weights_bytes, GIB, "GiB"))

    def printed(self, key: str) -> str:
        """Return a cell of the paper's Table 1."""
        return getattr(self.published, key) if self.published else NOTHING

    def values(self) -> dict[str, Any]:
        """Return ours and the published, apart, for JSON; local folders are left out."""
        read = self.hardware.model_dump(mode="json", exclude={"root"}) if self.hardware else None
        ours = {"model": self.model, "vllm": self.version, "hardware": read, "runs": list(self.runs)}
        return {
            "role": self.role,
            "ours": ours if self.model else None,
            "published": self.published and self.published.model_dump(mode="json"),
        }


FIELDS: tuple[Field[Seated], ...] = (
    left("Role", lambda row: row.role),
    left("Model", lambda row: row.model or NOTHING),
    right("Params", Seated.parameters),
    left("Quant.", Seated.quantization),
    left("GPU or CPU", Seated.device),
    right("Memory", Seated.memory),
    right("Weights", Seated.weights),
    left("vLLM", lambda row: row.version or NOTHING),
    cited("Model (paper)", lambda row: row.printed("model"), align="left"),
    cited("Params (paper)", lambda row: row.printed("parameters")),
    cited("Quant. (paper)", lambda row: row.printed("quantization"), align="left"),
    cited("GPU (paper)", lambda row: row.printed("gpu"), align="left"),
    cited("VRAM (paper)", lambda row: row.printed("vram")),
)


def models_table(analysis: Analysis, published: Published) -> Table | str:
    """Return Table 1: a row for each role and model that ran, or why there is none."""
    rows = [row for role in roles_of(analysis.runs) for row in _rows(analysis, published, role)]
    if not any(row.model for row in rows):
        return "no run names a model"
    unread = any(row.model and row.weights() == NOTHING for row in rows)
    return Grid(rows, FIELDS).table(
        "table-1",
        "Table 1: models and what they ran on",
        values=Seated.values,
        notes=[
            analysis.note,
            "What of ours is – was not recorded: an older run, or a server that dualcode did not start."
            if unread
            else "",
            "Memory: of the GPU as the driver tells it, weights, KV cache and activations together; of a "
            "server on CPU its main memory. The paper's column is about the size of its weights.",
            source(published, *(each.place for each in published.models)),
        ],
        runs=[run.id for run in analysis.runs],
    )


def _rows(analysis: Analysis, published: Published, role: Role) -> list[Seated]:
    printed = next((each for each in published.models if each.role == role), None)
    found: dict[tuple[str, str | None], list[Run]] = {}
    for run in analysis.runs:
        if (model := model_of(run, role)) is not None:
            served = run.records.manifest.configuration.served.get(_endpoint(run, role))
            found.setdefault((model, served.version if served else None), []).append(run)
    rows = [
        Seated(role, model, version, _hardware(runs, role), printed, tuple(run.id for run in runs))
        for (model, version), runs in found.items()
    ]
    return rows or [Seated(role, None, None, None, printed, ())]


def _endpoint(run: Run, role: Role) -> str:
    return run.records.manifest.configuration.team["roles"][role]


def _hardware(runs: list[Run], role: Role) -> ServedHardware | None:
    """Return the latest reading of the runs' sessions; None if there is none."""
    latest: ServedHardware | None = None
    for run in runs:
        for session in run.records.manifest.sessions:
            latest = session.hardware.get(_endpoint(run, role)) or latest
    return latest
