# pyright: basic, reportMissingImports=false
# torch and transformers live in vLLM's environment alone, so the client's type checker cannot see them.
"""The two forms of the checkpoint, and the checks that a form must pass before it is kept."""

import json
import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file

from . import awq, source

GROUP = 32  # Q4_1's own block: finer than AWQ's usual 128, and it divides 576
QUESTION = "Write a Python function `add(a, b)` that returns the sum of two numbers."
# A rounding that is right stays far below these (0.07 and 0.13); one that is packed wrongly far above.
MOST_LAYER_ERROR = 0.15
MOST_DIVERGENCE = 0.4

# Layers that read the same inputs share the moments recorded at the first.
INPUTS_OF = {
    "q_proj": "q_proj",
    "k_proj": "q_proj",
    "v_proj": "q_proj",
    "o_proj": "o_proj",
    "gate_proj": "gate_proj",
    "up_proj": "gate_proj",
    "down_proj": "down_proj",
}


class CheckError(Exception):
    """A checkpoint is not the model that it claims to be; it must not be kept."""


@dataclass(frozen=True)
class Report:
    """What `checkpoint.json` says: where the weights come from, and how near they are to their source."""

    form: str
    source: str
    method: str
    group: int | None
    seconds: float
    layer_error_mean: float
    """Root of the squared error of a layer's outputs over their squared size, over the calibration inputs."""
    layer_error_max: float
    worst_layer: str
    divergence: float
    """Mean Kullback-Leibler divergence from the source's predictions on held-out code, nats a token."""
    perplexity: float
    source_perplexity: float
    answer: str
    """The greedy answer to `QUESTION`, computed from the stored weights."""


class Workshop:
    """The source model and what is measured on it once for all forms."""

    def __init__(self) -> None:
        self.model, self.tokenizer = source.load(source.find_file())
        self.rows = source.passages(self.tokenizer, source.CALIBRATION, length=320)
        self.held_out = source.passages(self.tokenizer, source.HELD_OUT, length=256)
        self.moments = source.second_moments(self.model, self.rows)
        self.weights = {
            name: module.weight.data
            for name, module in self.model.named_modules()
            if name.rpartition(".")[2] in INPUTS_OF
        }
        self.expected = self.log_probabilities()
        self.sizes: dict[str, np.float32] = {}
        """The squared size of each layer's outputs, once it was asked for."""
        self.rest = {
            name: value.to(torch.bfloat16)
            for name, value in self.model.state_dict().items()
            if name != "lm_head.weight" and name.removesuffix(".weight") not in self.weights
        }

    @staticmethod
    def reads(name: str) -> str:
        """Return the layer whose moments stand for the inputs of the layer `name`."""
        parent, _, kind = name.rpartition(".")
        return f"{parent}.{INPUTS_OF[kind]}"

    @torch.no_grad()
    def log_probabilities(self) -> list[torch.Tensor]:
        """Return the next-token log probabilities (tokens, vocabulary) of each held-out passage."""
        return [self.model(row).logits[0].log_softmax(-1) for row in self.held_out]

    def perplexity(self, predicted: list[torch.Tensor]) -> float:
        """Return the perplexity of the held-out passages under these next-token log probabilities."""
        pairs = zip(predicted, self.held_out, strict=True)
        losses = [-table[:-1].gather(1, row[0, 1:, None]) for table, row in pairs]
        return float(torch.cat(losses).mean().exp())

    def divergence(self, predicted: list[torch.Tensor]) -> float:
        """Return how far these predictions are from the source's, in nats a token."""
        pairs = zip(self.expected, predicted, strict=True)
        return float(torch.cat([(a.exp() * (a - b)).sum(-1) for a, b in pairs]).mean())

    @torch.no_grad()
    def answer(self) -> str:
        """Return the model's greedy answer to `QUESTION`."""
        prompt = self.tokenizer.apply_chat_template(
            [{"role": "user", "content": QUESTION}],
            add_generation_prompt=True,
            return_tensors="pt",
            return_dict=True,
        )
        out = self.model.generate(**prompt, max_new_tokens=24, do_sample=False)
        return self.tokenizer.decode(out[0, prompt["input_ids"].shape[1] :], skip_special_tokens=True)

    def put(self, weights: dict[str, torch.Tensor]) -> None:
        """Let the model compute with these weights instead of its own."""
        for name, value in weights.items():
            self.model.get_submodule(name).weight.data = value


def build_bf16(shop: Workshop, folder: Path) -> dict[str, torch.Tensor]:
    """Write the bf16 form into `folder`; return the weights as a server will compute with them."""
    stored = {f"{name}.weight": value.to(torch.bfloat16) for name, value in shop.weights.items()}
    save_file({**shop.rest, **stored}, folder / "model.safetensors", metadata={"format": "pt"})
    _write_config(shop, folder, {})
    found = load_file(folder / "model.safetensors")
    return {name: found[f"{name}.weight"].float() for name in shop.weights}


def build_awq(shop: Workshop, folder: Path) -> dict[str, torch.Tensor]:
    """Write the AWQ form into `folder`; return the weights as a server will compute with them."""
    stored: dict[str, torch.Tensor] = {}
    for name, layer in _rounded(shop):
        qweight, qzeros, scales = awq.tensors(layer)
        stored[f"{name}.qweight"] = torch.from_numpy(qweight)
        stored[f"{name}.qzeros"] = torch.from_numpy(qzeros)
        stored[f"{name}.scales"] = torch.from_numpy(scales).to(torch.bfloat16)
    save_file({**shop.rest, **stored}, folder / "model.safetensors", metadata={"format": "pt"})
    settings = {
        "quant_method": "awq",
        "version": "gemm",
        "bits": 4,
        "group_size": GROUP,
        "zero_point": True,
        "modules_to_not_convert": ["lm_head"],
    }
    _write_config(shop, folder, {"quantization_config": settings})
    return {name: torch.from_numpy(value) for name, value in _read_awq(folder, list(shop.weights)).items()}


def _rounded(shop: Workshop) -> Iterator[tuple[str, awq.Layer]]:
    def rounded(first: str) -> list[tuple[str, awq.Layer]]:
        names = [name for name in shop.weights if shop.reads(name) == first]
        matrices = [shop.weights[name].numpy() for name in names]
        layers = awq.quantize_together(matrices, shop.moments[first], group=GROUP)
        return list(zip(names, layers, strict=True))

    # numpy lets other threads run while it computes, and whoever starts this sets OPENBLAS_NUM_THREADS=1.
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        for layers in pool.map(rounded, shop.moments):
            yield from layers


def _read_awq(folder: Path, names: list[str]) -> dict[str, awq.Floats]:
    found = load_file(folder / "model.safetensors")
    parts = ("qweight", "qzeros", "scales")

    def read(name: str) -> awq.Floats:
        qweight, qzeros, scales = (found[f"{name}.{part}"] for part in parts)
        return np.ascontiguousarray(awq.read(qweight.numpy(), qzeros.numpy(), scales.float().numpy()))

    return {name: read(name) for name in names}


def _write_config(shop: Workshop, folder: Path, more: dict) -> None:
    shop.tokenizer.save_pretrained(folder)
    shop.model.generation_config.save_pretrained(folder)
    config = shop.model.config.to_dict() | {"dtype": "bfloat16", "architectures": ["LlamaForCausalLM"]} | more
    config.pop("_name_or_path", None)
    (folder / "config.json").write_text(json.dumps(config, indent=2, default=str) + "\n")


FORMS = {"bf16": (build_bf16, "dequantized", None), "awq": (build_awq, "AWQ GEMM, GPTQ rounding", GROUP)}


def build(shop: Workshop, form: str, folder: Path) -> Report:
    """Write one form into `folder` with its `checkpoint.json`; CheckError if it is not near its source."""
    began = time.monotonic()
    make, method, group = FORMS[form]
    stored = make(shop, folder)
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        found = pool.map(lambda name: layer_error(shop, name, stored[name]), stored)
        errors = dict(zip(stored, found, strict=True))
    shop.put(stored)
    predicted = shop.log_probabilities()
    answer = shop.answer()
    shop.put(shop.weights)
    worst = max(errors, key=lambda name: errors[name])
    report = Report(
        form=form,
        source=f"{source.PACKAGE} {version(source.PACKAGE)}: {source.find_file().name}",
        method=method,
        group=group,
        seconds=round(time.monotonic() - began, 1),
        layer_error_mean=float(np.mean(list(errors.values()))),
        layer_error_max=errors[worst],
        worst_layer=worst,
        divergence=shop.divergence(predicted),
        perplexity=shop.perplexity(predicted),
        source_perplexity=shop.perplexity(shop.expected),
        answer=answer,
    )
    check(report)
    (folder / "checkpoint.json").write_text(
        json.dumps(asdict(report) | {"layer_errors": errors}, indent=2) + "\n"
    )
    return report


def layer_error(shop: Workshop, name: str, stored: torch.Tensor) -> float:
    """Return the relative error of one layer's outputs when it computes with `stored`."""
    weight, moment = shop.weights[name].numpy(), shop.moments[shop.reads(name)].astype(np.float32)
    off = stored.numpy() - weight
    if name not in shop.sizes:
        shop.sizes[name] = np.sum((weight @ moment) * weight)
    return float(np.sqrt(np.sum((off @ moment) * off) / shop.sizes[name]))


def check(report: Report) -> None:
    """Raise CheckError, with the value, for a checkpoint that must not be served."""
    if not report.layer_error_max <= MOST_LAYER_ERROR:
        raise CheckError(
            f"{report.worst_layer} is off by {report.layer_error_max:.3f} (most {MOST_LAYER_ERROR})"
        )
    if not report.divergence <= MOST_DIVERGENCE:
        raise CheckError(f"the predictions are off by {report.divergence:.3f} nats (most {MOST_DIVERGENCE})")
    if "def add" not in report.answer or "return" not in report.answer:
        raise CheckError(f"asked for a function `add`, the model answered {report.answer!r}")
