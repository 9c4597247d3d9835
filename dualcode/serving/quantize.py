"""A model's weights in 4 bits: made by a backend's own Python, judged by vLLM's, kept if near enough.

The backends lie in `serving/quantize/`; each runs in an environment of its own, since none can share vLLM's.
"""

import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import ValidationError

from dualcode.errors import InputError, ServingError
from dualcode.record import Record
from dualcode.serving import checkpoints, environment, hub, interpreter
from dualcode.serving.checkpoints import run_watched, shipped
from dualcode.serving.interpreter import CHECKOUT, Interpreter
from dualcode.serving.preflight import looks_like_a_path
from dualcode.serving.profiles import SmallModel
from dualcode.serving.progress import Say

Backend = Literal["llm-compressor", "autoawq", "builtin"]
DEMO = "smollm2"
"""The model of the demo, which `builtin` quantizes by dualcode's own recipe."""
SCRIPTS = "quantize"
MODULES = {"llm-compressor": "quantize.llm_compressor", "autoawq": "quantize.autoawq"}
PARTS = {"llm-compressor": "quantize", "autoawq": "autoawq"}
"""The part of scripts/setup.sh that makes a backend's environment, `.venv-PART`."""
MOST_LAYER_ERROR = 0.5
"""Of one layer's weights, up to AWQ's own scales, which favour the inputs that matter: a sound checkpoint of
the demo's model has a layer at 0.31. One that is packed in a wrong order is off by its whole size, 1."""
MOST_MEAN_ERROR = 0.2
"""Of all layers in the mean; that checkpoint has 0.10."""
MOST_PERPLEXITY = 1.5
"""Times the source's, on code that was not calibrated on."""
REPORT = "quantized.json"


class Settings(Record):
    """How to quantize."""

    group: int | None = None
    """Weights that share a scale; None: the largest of 128, 64 and 32 that divides every layer."""
    samples: int = 128
    """Texts to calibrate on."""
    length: int = 512
    """Tokens of each."""
    grid: int = 20
    """Scales that AWQ tries for each layer."""
    revision: str = "main"


class Judgement(Record):
    """What was found of a checkpoint; errors are relative."""

    format: str
    """`awq` or `compressed-tensors`."""
    layers: int
    layer_error_mean: float
    layer_error_max: float
    worst_layer: str
    perplexity: float
    source_perplexity: float
    answer: str

    @property
    def faults(self) -> list[str]:
        """What speaks against keeping it."""
        found: list[str] = []
        if not self.layers:
            found.append("no layer of it is quantized")
        elif not self.layer_error_max <= MOST_LAYER_ERROR:
            found.append(f"{self.worst_layer} is off by {self.layer_error_max:.2f} (most {MOST_LAYER_ERROR})")
        elif not self.layer_error_mean <= MOST_MEAN_ERROR:
            found.append(f"its layers are off by {self.layer_error_mean:.2f} (most {MOST_MEAN_ERROR})")
        if not self.perplexity <= MOST_PERPLEXITY * self.source_perplexity:
            found.append(
                f"its perplexity is {self.perplexity:.1f}, its source's {self.source_perplexity:.1f}"
                f" (most {MOST_PERPLEXITY} times that)"
            )
        if "def add" not in self.answer:
            found.append(f"asked for a function `add`, it answered {self.answer!r}")
        return found


def quantize(
    model: str, output: Path, backend: Backend, settings: Settings, *, say: Say, now: Say
) -> Judgement:
    """Quantize `model`, a folder or the hub's name of one, into the new folder `output`.

    A checkpoint that fails its checks, or that vLLM does not load, is deleted: ServingError says what was
    found. InputError for a model or a folder that cannot be used.
    """
    if output.exists() and (not output.is_dir() or any(output.iterdir())):
        raise InputError(f"{output} is there already", hint="another -o FOLDER, or delete it")
    if (backend == "builtin") != (model == DEMO):
        raise InputError(
            f"the backend {backend} does not quantize {model!r}: builtin is for {DEMO}, and for that alone",
            hint=f"dualcode quantize {DEMO} --with builtin" if model == DEMO else "--with llm-compressor",
        )
    vllm = interpreter.find(kind="cpu" if shutil.which("nvidia-smi") is None else "gpu")
    draft = output.resolve().with_name(f".{output.name}.{os.getpid()}")
    draft.mkdir(parents=True)
    try:
        if backend == "builtin":
            found = _builtin(vllm, draft, say, now)
        else:
            source = _source(model, settings.revision)
            group = settings.group or _group(source)
            python = _python(PARTS[backend], say)
            say(f"{backend} quantizes {model} in groups of {group}; this can take long")
            told = {**settings.model_dump(), "group": group}
            command = [str(python), "-m", MODULES[backend], str(source), str(draft), json.dumps(told)]
            _run(command, f"{backend} quantizes", now)
            say("judging it: vLLM loads it, then its source")
            judge = [str(vllm.python), "-m", "quantize.judge", str(source), str(draft)]
            found = _judgement(_run(judge, "judging", now))
        if found.faults:
            raise ServingError(
                f"the checkpoint is not kept: {'; '.join(found.faults)}",
                hint="more --samples, a smaller --group, or another --with",
            )
        (draft / REPORT).write_text(
            json.dumps({"model": model, "backend": backend, **found.model_dump()}, indent=2) + "\n"
        )
        if output.is_dir():
            output.rmdir()
        draft.rename(output)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return found


def _source(model: str, revision: str) -> Path:
    """Return the folder of what is to be quantized."""
    folder = Path(model).expanduser()
    if not folder.is_dir():
        if looks_like_a_path(model):
            raise InputError(f"there is no folder {model}, and it is no name of the hub's (OWNER/NAME)")
        try:
            commit = hub.weights(model, revision, os.environ).commit
        except ServingError as error:
            raise InputError(error.message, hint=error.hint) from error
        found = hub.snapshot(model, commit, os.environ)
        if found is None:
            raise InputError(
                f"{model} at {commit} is not in {hub.cache(os.environ)} yet",
                hint=f"hf download {model} --revision {commit}",
            )
        folder = found
    if _config(folder).get("quantization_config"):
        raise InputError(f"{model} is quantized already", hint="give the model that it was made from")
    return folder.resolve()


def _config(folder: Path) -> dict[str, Any]:
    try:
        return json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{folder} holds no checkpoint: config.json: {error}") from error


def _group(folder: Path) -> int:
    """Return the largest usual group that divides the inputs of every layer."""
    config = _config(folder)
    widths = [config.get("hidden_size"), config.get("intermediate_size")]
    for group in (128, 64, 32):
        if all(isinstance(width, int) and width % group == 0 for width in widths):
            return group
    raise InputError(f"layers of {widths} inputs do not divide into groups of 32", hint="--group N")


def _python(part: str, say: Say) -> Path:
    """Return the Python of a backend's environment, which is made if it is not there."""
    variable = f"DUALCODE_{part.upper()}_PYTHON"
    if named := os.environ.get(variable):
        return Path(named)
    python, setup = CHECKOUT / f".venv-{part}/bin/python", CHECKOUT / "scripts/setup.sh"
    if python.is_file():
        return python
    if not setup.is_file():
        raise ServingError(
            f"no environment for it: ${variable} is not set", hint=f"pip install dualcode[{part}]"
        )
    say(f"making .venv-{part} (once, minutes): scripts/setup.sh {part}")
    if subprocess.run([setup, part]).returncode or not python.is_file():
        raise ServingError(f".venv-{part} could not be made", hint=f"scripts/setup.sh {part}")
    return python


def _run(command: list[str], what: str, now: Say) -> str:
    """Run one of the scripts with its folder to import from; return what it printed."""
    more = {
        "PYTHONPATH": str(shipped(SCRIPTS).parent),
        "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
        "OMP_WAIT_POLICY": "PASSIVE",
        "VLLM_CPU_KVCACHE_SPACE": "1",
        "VLLM_CPU_OMP_THREADS_BIND": "nobind",
    }
    settings: Mapping[str, str] = environment.scrubbed(more, secrets=True)
    settings = environment.with_own_programs(settings, Path(command[0]))
    failed = f"{what}: it failed (exit {{}}), and nothing is kept:"
    return run_watched(command, settings, lambda seconds: now(f"{what} ({seconds:.0f} s)"), failed)


def _judgement(printed: str) -> Judgement:
    lines = [line for line in printed.splitlines() if line.startswith('{"format"')]
    try:
        return Judgement.model_validate_json(lines[-1] if lines else "")
    except ValidationError as error:
        raise ServingError(f"the judge printed no judgement, but {printed[-300:]!r}") from error


def _builtin(vllm: Interpreter, draft: Path, say: Say, now: Say) -> Judgement:
    """Copy what dualcode's own recipe makes and checks of the demo's model: once, for servers too."""
    (made,) = checkpoints.ensure([SmallModel.AWQ], vllm, say=say, now=now).values()
    shutil.copytree(made, draft, dirs_exist_ok=True)
    told: dict[str, Any] = json.loads((made / "checkpoint.json").read_text())
    kept = ("layer_error_mean", "layer_error_max", "worst_layer", "perplexity", "source_perplexity", "answer")
    return Judgement(format="awq", layers=len(told["layer_errors"]), **{name: told[name] for name in kept})
