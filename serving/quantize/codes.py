# pyright: basic, reportMissingImports=false
"""Reads 4-bit weights back as numbers, from either format, to see how far they are from their source."""

import json
from collections.abc import Iterator
from pathlib import Path

import torch
from safetensors import safe_open

AWQ_ORDER = (0, 4, 1, 5, 2, 6, 3, 7)
"""In which the eight codes of AWQ's word lie in it, from the lowest bits."""


class Tensors:
    """The tensors of a checkpoint, read one at a time."""

    def __init__(self, folder: Path) -> None:
        self.files = {}
        for file in sorted(folder.glob("*.safetensors")):
            stored = safe_open(file, framework="pt")
            self.files |= dict.fromkeys(stored.keys(), stored)

    def __contains__(self, name: str) -> bool:
        return name in self.files

    def __getitem__(self, name: str) -> torch.Tensor:
        return self.files[name].get_tensor(name)

    def layers(self, ending: str) -> Iterator[str]:
        """Yield the names of the layers that have a tensor of this name."""
        return (name.removesuffix(f".{ending}") for name in sorted(self.files) if name.endswith(f".{ending}"))


def form(folder: Path) -> str:
    """Return the format that the checkpoint says it has: `awq`, `compressed-tensors`, or `none`."""
    config = json.loads((folder / "config.json").read_text())
    return (config.get("quantization_config") or {}).get("quant_method", "none")


def layer_errors(source: Path, made: Path) -> dict[str, float]:
    """Return, of each quantized layer, the size of its error over the size of its weights.

    AWQ moves scales from a layer's inputs into what comes before it, and from its outputs into what comes
    after: a layer is compared up to a scale of each input and of each output.
    """
    before, after = Tensors(source), Tensors(made)
    if form(made) == "awq":
        read, layers = _awq, list(after.layers("qweight"))
    else:
        read, layers = _compressed, list(after.layers("weight_packed"))
    errors = {}
    for name in layers:
        weight = before[f"{name}.weight"].float()
        errors[name] = float((_rescaled(read(after, name), weight) - weight).norm() / weight.norm())
    return errors


def _rescaled(made: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """Return `made` with the scales of its inputs and outputs that bring it nearest to `weight`."""
    for _ in range(3):
        for along in (0, 1):
            size = (made * made).sum(along, keepdim=True).clamp_min(1e-12)
            made = made * ((made * weight).sum(along, keepdim=True) / size)
    return made


def _nibbles(words: torch.Tensor) -> torch.Tensor:
    """Return (rows, columns * 8) codes of int32 words, the lowest bits first."""
    shifts = torch.arange(0, 32, 4, dtype=torch.int32)
    return ((words.unsqueeze(-1) >> shifts) & 15).reshape(words.shape[0], -1)


def _awq(tensors: Tensors, name: str) -> torch.Tensor:
    """Weights (outputs, inputs) of AWQ's GEMM layout, whose words run along the outputs."""

    def unpacked(words: torch.Tensor) -> torch.Tensor:
        codes = _nibbles(words).reshape(words.shape[0], -1, 8)
        return codes[..., list(AWQ_ORDER)].reshape(words.shape[0], -1).float()

    scales = tensors[f"{name}.scales"].float()
    codes, zeros = unpacked(tensors[f"{name}.qweight"]), unpacked(tensors[f"{name}.qzeros"])
    group = codes.shape[0] // scales.shape[0]
    return ((codes - zeros.repeat_interleave(group, 0)) * scales.repeat_interleave(group, 0)).T


def _compressed(tensors: Tensors, name: str) -> torch.Tensor:
    """Weights (outputs, inputs) of compressed-tensors' packed layout, whose words run along the inputs."""
    scales = tensors[f"{name}.weight_scale"].float()
    codes = _nibbles(tensors[f"{name}.weight_packed"]).float()
    inputs = int(tensors[f"{name}.weight_shape"][1])
    codes = codes[:, :inputs]
    group = inputs // scales.shape[1]
    if f"{name}.weight_zero_point" in tensors:
        words = tensors[f"{name}.weight_zero_point"]  # packed along the outputs
        zeros = _nibbles(words.T.contiguous())[:, : scales.shape[0]].T.float()
    else:
        zeros = torch.full_like(scales, 8.0)  # symmetric: codes are kept above zero
    return (codes - zeros.repeat_interleave(group, 1)) * scales.repeat_interleave(group, 1)
