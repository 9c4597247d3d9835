"""What a model runs on and how large it is: read from the started servers, their checkpoints and the GPUs."""

import contextlib
import json
import math
import os
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

from dualcode import machine
from dualcode.record import Record
from dualcode.serving import hub, processes
from dualcode.serving.gpus import Card, Cards
from dualcode.serving.running import RunningServer, running

if TYPE_CHECKING:
    from dualcode.models.endpoints import Served

_LONGEST_HEADER = 100_000_000
"""Bytes; safetensors itself reads no longer ones."""
_PLAIN = frozenset({"F64", "F32", "F16", "BF16", "F8_E4M3", "F8_E5M2", "I8"})
"""One element is one weight."""
_PACKED = frozenset({"qweight", "weight_packed"})
_NO_PARAMETERS = frozenset(
    {"scales", "qzeros", "g_idx", "inv_freq", "k_scale", "v_scale", "input_scale", "weight_scale"}
    | {"weight_scale_inv", "weight_zero_point", "weight_shape", "weight_g_idx", "input_global_scale"}
)


class Gpu(Record):
    """A GPU that a server computes on."""

    uuid: str
    name: str
    """Such as `NVIDIA A10G`."""
    memory_bytes: int | None
    """None where it has none of its own but the CPU's."""
    used_bytes: int | None
    """Held by the server's processes; None where the driver does not tell whose memory it is (containers)."""
    driver: str


class Checkpoint(Record):
    """What the files of a checkpoint say of its model; None is what they do not."""

    architecture: str | None
    """Such as `Qwen3ForCausalLM`."""
    dtype: str | None
    """In which what is not quantized is kept, such as `bfloat16`."""
    quantization: str | None
    """The method, such as `awq`; None for a checkpoint that is not quantized."""
    bits: int | None
    """Of a quantized weight."""
    parameters: int | None
    """Of the model as it was before it was packed; tied embeddings count once."""
    weights_bytes: int
    """Of its safetensors files."""
    commit: str | None = None
    """Of the hub's repository; None for a folder, whose files no repository vouches for."""


class ServedHardware(Record):
    """A model and what it runs on; None is what was not told."""

    model: str
    """The name that it is served under."""
    root: str | None
    """The checkpoint behind that name, as the server says."""
    checkpoint: Checkpoint | None = None
    """None for a server that was not started here: its files are not at hand."""
    gpus: tuple[Gpu, ...] | None = None
    """Empty for a server on CPU; None where it cannot be told."""
    cpu: str | None = None
    """The CPU's model."""
    cores: int | None = None
    """The CPU cores that the server may use."""
    resident_bytes: int | None = None
    """Main memory of all of the server's processes, what they share counted once."""
    replicas: tuple[str, ...] = ()
    """Where the servers behind a router are themselves, such as `http://127.0.0.1:41234`; the rest is of all
    of them together."""


def hardware_of(base_urls: Mapping[str, str], served: "Mapping[str, Served]") -> dict[str, ServedHardware]:
    """Return what each endpoint runs on, by its name; of one that was not started here, only its model."""
    pair = running()
    local = {server.base_url: pair.behind(server) for server in pair.servers} if pair else {}
    found: dict[str, ServedHardware] = {}
    for name in (name for name in base_urls if name in served):
        told = ServedHardware(model=served[name].model, root=served[name].root)
        found[name] = told
        if servers := local.get(base_urls[name].rstrip("/")):
            # A checkpoint may hold anything, and no fact for a table is worth a run.
            with contextlib.suppress(Exception):
                found[name] = told.model_copy(update=_facts(servers, told.root))
    return found


def _facts(servers: Sequence[RunningServer], root: str | None) -> dict[str, Any]:
    """Return what a server, or the replicas that stand for one, runs on."""
    first = servers[0]
    environment: Mapping[str, str] = os.environ
    with contextlib.suppress(psutil.Error):
        environment = psutil.Process(first.pid).environ()
    gpus = [gpus_of(server) for server in servers]
    usable, resident = os.sched_getaffinity(0), [resident_bytes(server) for server in servers]
    return {
        "checkpoint": read_checkpoint(root or first.weights, environment, first.commit or "main"),
        "gpus": None if None in gpus else tuple(dict.fromkeys(gpu for each in gpus for gpu in each or ())),
        "cpu": cpu_model(),
        "cores": min(machine.cores(), len({core for each in servers for core in each.cores or usable})),
        "resident_bytes": None if None in resident else sum(each or 0 for each in resident),
        "replicas": tuple(server.root_url for server in servers if server.kind == "replica"),
    }


def read_checkpoint(root: str, environment: Mapping[str, str], revision: str = "main") -> Checkpoint | None:
    """Read a checkpoint's facts without its weights; None if no folder with a config.json is found.

    `root` is a folder, or a name in the hub's cache as a server with this environment uses it.
    """
    local = (Path(root) / "config.json").is_file()
    folder = Path(root) if local else hub.snapshot(root, revision, environment)
    if folder is None:
        return None
    try:
        config: dict[str, Any] = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        files = sorted(folder.glob("*.safetensors"))
        tensors = {name: tensor for file in files for name, tensor in _tensors(file).items()}
        size = sum(file.stat().st_size for file in files)
    except (OSError, ValueError):
        return None
    # As AWQ, GPTQ, compressed-tensors and FP8 name the method and the bits of a weight.
    table: dict[str, Any] = config.get("quantization_config") or {}
    method = table.get("quant_method")
    bits = table.get("bits") or table.get("w_bit") or (8 if method == "fp8" else None)
    groups: dict[str, dict[str, Any]] = table.get("config_groups") or {}
    for group in groups.values():
        weights: dict[str, Any] = group.get("weights") or {}
        bits = bits or weights.get("num_bits")
    text: Mapping[str, Any] = config.get("text_config") or {}
    tied = config.get("tie_word_embeddings", text.get("tie_word_embeddings", False))
    return Checkpoint(
        architecture=next(iter(config.get("architectures") or ()), None),
        dtype=config.get("dtype") or config.get("torch_dtype"),
        quantization=method,
        bits=bits,
        parameters=_parameters(tensors, bits, tied=bool(tied)),
        weights_bytes=size,
        commit=None if local else folder.name,
    )


def _tensors(file: Path) -> dict[str, dict[str, Any]]:
    """Return the tensors that a safetensors file lists in its header: name -> dtype, shape, offsets."""
    with file.open("rb") as stream:
        size = int.from_bytes(stream.read(8), "little")
        if size > _LONGEST_HEADER:
            raise ValueError(f"{file} has a header of {size} bytes")
        header: dict[str, dict[str, Any]] = json.loads(stream.read(size))
    header.pop("__metadata__", None)
    return header


def _parameters(tensors: Mapping[str, Mapping[str, Any]], bits: int | None, *, tied: bool) -> int | None:
    """Return how many weights the tensors hold; None if some are packed in a way that is not known here.

    AWQ, GPTQ and compressed-tensors pack 32 / bits weights into an int32; scales and zero points are no
    parameters of the model.
    """
    total = 0
    for name, tensor in tensors.items():
        kind, count = name.rpartition(".")[2], math.prod(tensor["shape"])
        if kind in _NO_PARAMETERS or (tied and name.startswith("lm_head.")):
            continue
        if kind in _PACKED and tensor["dtype"] == "I32" and bits:
            total += count * 32 // bits
        elif tensor["dtype"] in _PLAIN:
            total += count
        else:
            return None
    return total or None


def cpu_model() -> str:
    """Return the CPU's name, or the architecture's where the system tells no more."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def resident_bytes(server: processes.Identity) -> int | None:
    """Return the main memory of a server's processes; None if none of them lives."""
    total = 0
    for process in processes.members(server):
        with contextlib.suppress(psutil.Error):
            try:
                total += process.memory_full_info().pss  # a fork's RSS counts its parent's pages again
            except (psutil.Error, AttributeError):
                total += process.memory_info().rss
    return total or None


def gpus_of(server: processes.Identity) -> tuple[Gpu, ...] | None:
    """Return the GPUs that a server computes on; none if it has not loaded CUDA, None if it cannot be told.

    The driver's list of processes decides. In a container it may name other pids than ours; then what the
    server was pinned to counts, or the only GPU.
    """
    members = processes.members(server)
    if not any(_uses_cuda(process.pid) for process in members):
        return ()
    pids, cards = {process.pid for process in members}, Cards().read()
    held = {card.uuid: [each.used_bytes for each in card.holders if each.pid in pids] for card in cards}
    if named := [card for card in cards if held[card.uuid]]:
        # A part that the driver does not tell counts nothing; None where it tells none.
        return tuple(_gpu(card, sum(filter(None, held[card.uuid])) or None) for card in named)
    with contextlib.suppress(psutil.Error):
        return _pinned(psutil.Process(server.pid).environ().get("CUDA_VISIBLE_DEVICES"), cards)
    return None


def _gpu(card: Card, used: int | None = None) -> Gpu:
    driver = card.driver or "unknown"
    return Gpu(uuid=card.uuid, name=card.name, memory_bytes=card.total_bytes, used_bytes=used, driver=driver)


def _uses_cuda(pid: int) -> bool:
    try:
        return b"libcuda.so" in Path(f"/proc/{pid}/maps").read_bytes()
    except OSError:
        return False


def _pinned(devices: str | None, cards: Sequence[Card]) -> tuple[Gpu, ...] | None:
    if devices is None:
        return (_gpu(cards[0]),) if len(cards) == 1 else None
    found: list[Card] = []
    for device in filter(None, (part.strip() for part in devices.split(","))):
        if device.isdigit():
            found += cards[int(device) : int(device) + 1]
        else:
            found += [card for card in cards if card.uuid.startswith(device)]
    return tuple(map(_gpu, found)) or None
