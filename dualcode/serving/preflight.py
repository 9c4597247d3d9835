"""What can be known to fail before anything is downloaded or started, all of it at once and with remedies."""

import os
import re
import shutil
from collections.abc import Sequence
from pathlib import Path

from dualcode.errors import ServingError
from dualcode.serving import hub
from dualcode.serving.facts import GIB, Facts, GpuFacts, load_facts
from dualcode.serving.gpus import Card, Cards
from dualcode.serving.hardware import read_checkpoint
from dualcode.serving.hub import Weights
from dualcode.serving.interpreter import Interpreter
from dualcode.serving.plan import OUTSIDE_GIB, plan, uses_flashinfer
from dualcode.serving.profiles import Profile, Server

DRIVERS = {12: 525, 13: 580}
"""The oldest driver series of each major CUDA (CUDA Toolkit release notes, "minor version compatibility")."""
LEAST_CAPABILITY = 7.5
"""Of AWQ's kernels in vLLM (Marlin, and what stands in for it), and of torch's wheels for CUDA 13."""
SPARE_BYTES = 2 * GIB
"""Left free on a disk beside what is downloaded: compiled kernels, logs."""
NO_FOUR_BIT = "vLLM has no kernel for 4-bit weights on this CPU (on x86 it needs AVX512)"
Problem = tuple[str, str]
"""What is wrong, and the remedy."""


def check(
    profile: Profile, servers: Sequence[Server], vllm: Interpreter, *, on_gpu: bool, beside: bool = False
) -> dict[str, Weights]:
    """Return the weights of each server that has them from the hub; ServingError tells all that is wrong.

    `beside` says that other servers of the profile run already, so that their memory is no stranger's.
    """
    problems: list[Problem] = []
    if on_gpu:
        problems += _gpu_problems(profile, servers, vllm, load_facts(), beside)
    found: dict[str, Weights] = {}
    asked: dict[tuple[str, str], Weights] = {}
    for server in servers:
        name = server.weights
        if name is None or not server.spec.replicas:
            continue
        if Path(name).expanduser().exists() or (server.config.parent / name).exists():
            continue  # a folder of the user's
        if looks_like_a_path(name):
            problems.append((f"the {server.name}'s model {name} is not there", f"correct {server.config}"))
            continue
        environment = {**os.environ, **server.spec.env}
        try:
            key = (name, server.revision)
            asked[key] = found[server.name] = asked.get(key) or hub.weights(*key, environment)
        except ServingError as error:
            problems.append((f"the {server.name}: {error.message}", error.hint or ""))
    if not vllm.four_bit:
        remedy = "name weights in bf16 or fp16 as the model"
        problems += [
            (f"the {each.name}: {NO_FOUR_BIT}", f"{remedy} in {each.config}")
            for each in servers
            if _in_four_bit(each)
        ]
    problems += _disk_problems(list(asked.values()))
    if problems:
        lines = "\n".join(f"  - {what}\n    {remedy}" for what, remedy in problems)
        raise ServingError(
            f"profile {profile.name!r} cannot start here, and nothing was downloaded:\n{lines}",
            hint=problems[0][1],
        )
    return found


def _in_four_bit(server: Server) -> bool:
    """Whether a server's weights are of 4 bits: by their own word where they are here, else by their name."""
    if server.weights is None:
        return False
    if found := read_checkpoint(server.weights, {**os.environ, **server.spec.env}, server.revision):
        return found.bits == 4
    return bool(re.search("awq|gptq", f"{server.weights} {server.flags.get('quantization', '')}", re.I))


def looks_like_a_path(name: str) -> bool:
    """Whether a model's name is no name of the hub's, which are NAME or OWNER/NAME."""
    return re.fullmatch(r"[\w.-]+(/[\w.-]+)?", name) is None or name.startswith(".")


def _disk_problems(wanted: Sequence[Weights]) -> list[Problem]:
    needed = sum(each.missing_bytes or 0 for each in wanted)
    if not needed:
        return []
    folder = hub.cache(os.environ)
    there = next(each for each in (folder, *folder.parents) if each.exists())
    free = shutil.disk_usage(there).free
    if free >= needed + SPARE_BYTES:
        return []
    return [(
        f"{needed / GIB:.1f} GiB are to be downloaded to {folder}, where {free / GIB:.1f} GiB are free"
        f" ({SPARE_BYTES / GIB:.0f} must stay so)",
        "make room, or set HF_HUB_CACHE to a folder on a larger disk",
    )]  # fmt: skip


def _gpu_problems(
    profile: Profile, servers: Sequence[Server], vllm: Interpreter, facts: Facts, beside: bool
) -> list[Problem]:
    problems: list[Problem] = []
    cards = Cards().read()
    if vllm.cuda and cards and cards[0].driver:
        problems += _driver_problems(cards[0].driver, vllm.cuda)
    if not (os.environ.get("CC") or shutil.which("gcc") or shutil.which("clang")):
        problems.append((
            "there is no C compiler: Triton compiles a small program with one at vLLM's first start",
            "apt-get install gcc python3-dev, or name one in $CC",
        ))  # fmt: skip
    elif not vllm.headers:
        problems.append((
            f"{vllm.python} has no Python.h, which Triton needs at vLLM's first start",
            "apt-get install python3-dev",
        ))  # fmt: skip
    pinned: dict[str, list[Server]] = {}
    for server in servers:
        for device in server.gpus:
            pinned.setdefault(device, []).append(server)
    for card in cards:
        if own := pinned.get(str(card.index)) or pinned.get(card.uuid):
            problems += _card_problems(card, own, profile, facts, beside)
            problems += [each for server in own for each in _flag_problems(card, server)]
    return list(dict.fromkeys(problems))


def _driver_problems(driver: str, cuda: str) -> list[Problem]:
    needed, series = DRIVERS.get(int(cuda.split(".")[0])), driver.split(".")[0]
    if needed is None or not series.isdigit() or int(series) >= needed:
        return []
    return [(
        f"the NVIDIA driver {driver} is older than vLLM's CUDA {cuda} needs ({needed} or newer)",
        f"install a driver of the {needed} series or newer",
    )]  # fmt: skip


def _flag_problems(card: Card, server: Server) -> list[Problem]:
    """Return which flags of a server this kind of GPU does not take."""
    if card.capability is None:
        return []
    capability, what = float(card.capability), f"GPU {card.index} ({card.name}, {card.capability})"
    problems: list[Problem] = []
    if capability < LEAST_CAPABILITY:
        problems.append((f"{what} is older than vLLM's kernels ({LEAST_CAPABILITY})", "take a newer GPU"))
    if capability < 8.0 and server.flags.get("dtype") in ("bfloat16", "bf16"):
        problems.append((f"{what} has no bfloat16, which {server.config.name} asks for", "dtype: half"))
    if str(server.flags.get("kv-cache-dtype", "auto")).startswith("fp8"):
        remedy = f"take kv-cache-dtype out of {server.config} (and shorten max-model-len)"
        if capability < 8.0:
            problems.append((f"{what} has no kernels for a cache in fp8", remedy))
        elif uses_flashinfer(server, capability) and not (
            shutil.which("nvcc") or Path(os.environ.get("CUDA_HOME", "/usr/local/cuda"), "bin/nvcc").is_file()
        ):
            problems.append((
                f"{what} takes a cache in fp8 by FlashInfer alone, which compiles with nvcc; there is none",
                f"{remedy}, or install a CUDA toolkit and set CUDA_HOME",
            ))  # fmt: skip
    return problems


def _card_problems(
    card: Card, servers: Sequence[Server], profile: Profile, facts: Facts, beside: bool
) -> list[Problem]:
    """Return what does not fit into a card's memory: by its kind's facts, else by what the driver says."""
    if card.total_bytes is None:
        return []
    kind = next((each for each in facts.gpus.values() if each.name == card.name), None)
    kind = kind or GpuFacts(
        name=card.name,
        memory_gib=card.total_bytes / GIB * 0.98,  # CUDA sees a little less than the driver
        bandwidth_gb_s=1,
        capability=card.capability or "0",
        source="NVML",
    )
    problems: list[Problem] = []
    names = {server.name for server in servers}
    plans = [each for each in plan(profile, kind, facts) if each.server in names]
    for each in plans:
        told = "; ".join(each.problems)
        if told:
            short = next((name for name, gpu in facts.gpus.items() if gpu.name == kind.name), "NAME")
            problems.append((
                f"the {each.server} does not fit on GPU {card.index} ({card.name}): {told}",
                f"dualcode serve plan --gpu {short} shows which profile does",
            ))  # fmt: skip
    spare = None if beside else min((each.outside for each in plans), default=None)
    if spare is not None and card.used_bytes is not None and card.used_bytes / GIB > spare - OUTSIDE_GIB:
        who = ", ".join(f"{each.name} (pid {each.pid})" for each in card.holders)
        who = who or ("a display" if card.display else "another process")
        problems.append((
            f"{card.used_bytes / GIB:.1f} GiB of GPU {card.index} are taken by {who};"
            f" the profile leaves {max(0.0, spare - OUTSIDE_GIB):.1f}",
            "end what holds it, or lower gpu-memory-utilization (--profile two-24gb leaves more room)",
        ))  # fmt: skip
    return problems
