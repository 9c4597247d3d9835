"""What a model runs on and how large it is, from headers and the driver's own words."""

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest

from dualcode.models.endpoints import Served
from dualcode.serving import hardware
from dualcode.serving.hardware import Gpu, gpus_of, hardware_of, read_checkpoint, resident_bytes
from dualcode.serving.running import RunningPair
from tests.servers import in_four_bits
from tests.serving.nvml import card, nvml

AWQ: dict[str, Any] = {"quant_method": "awq", "bits": 4, "group_size": 64}
PACKED: dict[str, Any] = {
    "quant_method": "compressed-tensors",
    "config_groups": {"group_0": {"weights": {"num_bits": 4}}},
}


def checkpoint(folder: Path, tensors: dict[str, tuple[str, list[int]]], **config: Any) -> Path:
    """Write a checkpoint of headers alone: the weights are not there to be read."""
    folder.mkdir(parents=True, exist_ok=True)
    header: dict[str, Any] = {
        name: {"dtype": dtype, "shape": shape, "data_offsets": [0, 0]}
        for name, (dtype, shape) in tensors.items()
    }
    content = json.dumps({"__metadata__": {"format": "pt"}, **header}).encode()
    (folder / "model.safetensors").write_bytes(len(content).to_bytes(8, "little") + content)
    (folder / "config.json").write_text(json.dumps({"architectures": ["LlamaForCausalLM"], **config}))
    return folder


EMBEDDED: dict[str, tuple[str, list[int]]] = {"model.embed_tokens.weight": ("BF16", [100, 64])}


@pytest.mark.parametrize(
    ("tensors", "config", "parameters"),
    [
        ({"model.q.weight": ("BF16", [64, 128])}, {}, 64 * 128),
        (
            {
                "model.q.qweight": ("I32", [64, 16]),
                "model.q.qzeros": ("I32", [1, 16]),
                "model.q.scales": ("F16", [1, 128]),
                "model.q.bias": ("F16", [128]),
            },
            {"quantization_config": AWQ},
            64 * 128 + 128,
        ),
        (
            {
                "model.q.weight_packed": ("I32", [128, 8]),
                "model.q.weight_scale": ("BF16", [128, 1]),
                "model.q.weight_shape": ("I64", [2]),
            },
            {"quantization_config": PACKED},
            64 * 128,
        ),
        (
            {"model.q.weight": ("F8_E4M3", [64, 128]), "model.q.weight_scale_inv": ("F32", [1, 1])},
            {"quantization_config": {"quant_method": "fp8"}},
            64 * 128,
        ),
        ({"lm_head.weight": ("BF16", [100, 64])}, {"tie_word_embeddings": True}, 0),
        ({"lm_head.weight": ("BF16", [100, 64])}, {"tie_word_embeddings": False}, 6400),
    ],
    ids=["bf16", "awq", "compressed-tensors", "fp8", "tied", "untied"],
)
def test_parameters_are_those_before_packing(
    tmp_path: Path, tensors: dict[str, tuple[str, list[int]]], config: dict[str, Any], parameters: int
) -> None:
    found = read_checkpoint(str(checkpoint(tmp_path, EMBEDDED | tensors, **config)), {})
    assert found is not None
    assert found.parameters == 6400 + parameters


@pytest.mark.parametrize(
    "tensor", [("model.q.weight", ("U8", [64, 64])), ("model.q.qweight", ("I32", [64, 16]))]
)
def test_an_unknown_packing_is_not_guessed_at(tmp_path: Path, tensor: tuple[str, Any]) -> None:
    found = read_checkpoint(str(checkpoint(tmp_path, EMBEDDED | dict([tensor]))), {})
    assert found is not None
    assert found.parameters is None


@pytest.mark.parametrize(
    ("table", "told"), [(AWQ, ("awq", 4)), (PACKED, ("compressed-tensors", 4)), ({}, (None, None))]
)
def test_the_quantization_is_named_with_its_bits(
    tmp_path: Path, table: dict[str, Any], told: tuple[str, int]
) -> None:
    folder = checkpoint(tmp_path, EMBEDDED, quantization_config=table, torch_dtype="float16")
    found = read_checkpoint(str(folder), {})
    assert found is not None
    assert (found.quantization, found.bits) == told
    assert (found.architecture, found.dtype) == ("LlamaForCausalLM", "float16")


def test_a_name_of_the_hub_is_found_in_the_servers_cache(tmp_path: Path) -> None:
    repository = tmp_path / "hub" / "models--Qwen--Tiny"
    checkpoint(repository / "snapshots" / "abc", EMBEDDED)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text("abc")
    for environment in ({"HF_HOME": str(tmp_path)}, {"HF_HUB_CACHE": str(tmp_path / "hub")}):
        found = read_checkpoint("Qwen/Tiny", environment)
        assert found is not None
        assert found.parameters == 6400
    assert read_checkpoint("Qwen/Other", {"HF_HOME": str(tmp_path)}) is None


@pytest.mark.parametrize("damage", ["config.json", "model.safetensors"])
def test_a_damaged_checkpoint_says_nothing(tmp_path: Path, damage: str) -> None:
    folder = checkpoint(tmp_path, EMBEDDED)
    (folder / damage).write_bytes(b"\xff" * 20)
    assert read_checkpoint(str(folder), {}) is None


def test_a_server_that_was_not_started_here_says_only_what_it_serves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DUALCODE_STATE_DIR", str(tmp_path))
    served = Served(model="m", root=str(checkpoint(tmp_path / "same-path", EMBEDDED)))
    [found] = hardware_of({"coder": "http://far/v1"}, {"coder": served}).values()
    told = {name: value for name, value in found.model_dump().items() if value not in (None, ())}
    assert told == {"model": "m", "root": served.root}


@dataclass(frozen=True)
class Process:
    pid: int
    created: float


HELD = 20 * 2**20
"""Bytes that the server below holds in memory."""


@pytest.fixture
def server() -> Iterator[Process]:
    """A process that leads a group of its own, as a server's does; the tests' own leader may have ended."""
    code = f"held = b'x' * {HELD}; print(flush=True); input()"
    command = [sys.executable, "-S", "-c", code]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
    ) as started:
        assert started.stdout
        started.stdout.readline()
        yield Process(started.pid, psutil.Process(started.pid).create_time())
        started.kill()


def driver(monkeypatch: pytest.MonkeyPatch, *holders: tuple[int, int | None]) -> None:
    """Let the driver tell of two GPUs, the second held by these (pid, MiB), and our processes hold CUDA."""
    held = [SimpleNamespace(pid=pid, usedGpuMemory=mib and mib * 2**20) for pid, mib in holders]
    cards = (card(1), card(2, DeviceGetComputeRunningProcesses=held))
    monkeypatch.setitem(sys.modules, "pynvml", nvml(*cards, SystemGetDriverVersion="570.1"))

    def uses_cuda(pid: int) -> bool:
        return True

    monkeypatch.setattr(hardware, "_uses_cuda", uses_cuda)


def started_with(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    def environ(process: psutil.Process) -> dict[str, str]:
        return environment

    monkeypatch.setattr(psutil.Process, "environ", environ)


A10G = Gpu(uuid="GPU-2", name="NVIDIA A10G", memory_bytes=23028 * 2**20, used_bytes=None, driver="570.1")


def test_the_driver_tells_which_gpu_is_a_servers_and_what_it_holds(
    server: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    driver(monkeypatch, (server.pid, 20000), (1, 300))
    assert gpus_of(server) == (A10G.model_copy(update={"used_bytes": 20000 * 2**20}),)
    driver(monkeypatch, (server.pid, None))  # it does not say how much
    assert gpus_of(server) == (A10G,)


@pytest.mark.parametrize("devices", ["1", "GPU-2"])
def test_where_the_driver_knows_other_pids_the_pinning_counts(
    server: Process, monkeypatch: pytest.MonkeyPatch, devices: str
) -> None:
    driver(monkeypatch, (4_000_000, 20000))
    started_with({"CUDA_VISIBLE_DEVICES": devices}, monkeypatch)
    assert gpus_of(server) == (A10G,)


def test_an_unpinned_server_beside_two_gpus_is_not_guessed_at(
    server: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    driver(monkeypatch)
    started_with({}, monkeypatch)
    assert gpus_of(server) is None


def test_a_server_that_has_not_loaded_cuda_runs_on_cpu(server: Process) -> None:
    assert gpus_of(server) == ()


def test_the_memory_of_a_servers_processes_is_counted(server: Process) -> None:
    found = resident_bytes(server)
    assert found is not None
    assert HELD < found < 10 * HELD


@pytest.mark.servers
def test_the_demos_pair_is_135_million_parameters_in_four_and_sixteen_bits(
    servers: RunningPair, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DUALCODE_STATE_DIR", str(servers["coder"].log.parents[1]))
    served = {each.name: Served(model=each.model, root=each.weights) for each in servers.servers}
    found = hardware_of(servers.base_urls(), served)
    sizes = {name: each.checkpoint and each.checkpoint.parameters for name, each in found.items()}
    assert sizes == {"coder": 134_516_160, "reviewer": 134_516_160}
    coder, reviewer = found["coder"].checkpoint, found["reviewer"].checkpoint
    assert coder is not None
    assert reviewer is not None
    four = ("awq", 4) if in_four_bits() else (None, None)
    assert (coder.quantization, coder.bits, reviewer.quantization) == (*four, None)
    assert all(each.gpus == () and (each.resident_bytes or 0) > 10**9 for each in found.values())
