"""4-bit AWQ weights in the GEMM layout: how a layer is rounded, packed, and unpacked again to check it.

A weight matrix has shape (outputs, inputs). Each group of consecutive inputs of one output shares a scale
and an integer zero point, and a weight is `scale * (code - zero)` with codes and zeros in 0..15
(AWQ, arXiv 2306.00978, gives the format). The rounding is GPTQ's (arXiv 2210.17323): each input's error is
spread over the inputs not yet rounded, in the directions that the layer's inputs make cheapest.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float32]
Codes: TypeAlias = NDArray[np.uint8]
Packed: TypeAlias = NDArray[np.int32]
Moment: TypeAlias = NDArray[np.float64]

LEVELS = 15
PER_WORD = 8
# Nibble i of a 32-bit word holds column ORDER[i] of the word's eight columns.
ORDER = (0, 2, 4, 6, 1, 3, 5, 7)
# Share of the mean added to the moment's diagonal: the text that it was measured on is short.
DAMPING = 0.05
SHRINKS = (1.0, 0.95, 0.9, 0.85, 0.8, 0.74)


@dataclass(frozen=True)
class Layer:
    """One quantized matrix: codes (outputs, inputs), scales and zeros (outputs, groups)."""

    codes: Codes
    scales: Floats
    zeros: Codes

    @property
    def group(self) -> int:
        """The number of inputs that share one scale and zero."""
        return self.codes.shape[1] // self.scales.shape[1]

    def weights(self) -> Floats:
        """Return the weights (outputs, inputs) that these codes stand for."""
        scales = np.repeat(self.scales, self.group, axis=1)
        zeros = np.repeat(self.zeros, self.group, axis=1).astype(np.float32)
        return (scales * (self.codes.astype(np.float32) - zeros)).astype(np.float32)


def to_bf16(values: Floats) -> Floats:
    """Round to the nearest value that bfloat16 holds: the server keeps scales in the model's own type."""
    bits = np.ascontiguousarray(values, dtype=np.float32).view(np.uint32)
    rounded = bits + np.uint32(0x7FFF) + ((bits >> np.uint32(16)) & np.uint32(1))
    return (rounded & np.uint32(0xFFFF0000)).view(np.float32)


def quantize(weights: Floats, second_moment: Moment, *, group: int = 32) -> Layer:
    """Round `weights` (outputs, inputs), given the mean outer product (inputs, inputs) of the inputs."""
    outputs, inputs = weights.shape
    if inputs % group or outputs % PER_WORD:
        raise ValueError(f"a layer of {outputs} x {inputs} does not divide into groups of {group} inputs")
    left = weights.astype(np.float32, copy=True)
    importance = np.diag(second_moment).astype(np.float32)
    spread = _spread(second_moment)
    codes = np.empty((outputs, inputs), np.uint8)
    scales = np.empty((outputs, inputs // group), np.float32)
    zeros = np.empty((outputs, inputs // group), np.uint8)
    for index, start in enumerate(range(0, inputs, group)):
        here = slice(start, start + group)
        scales[:, index], zeros[:, index] = grid(left[:, here], importance[here])
        errors = _round_group(left, codes, here, scales[:, index], zeros[:, index], spread)
        left[:, here.stop :] -= errors @ spread[here, here.stop :]
    return Layer(codes, scales, zeros)


def quantize_together(matrices: Sequence[Floats], second_moment: Moment, *, group: int = 32) -> list[Layer]:
    """Round matrices that read the same inputs, such as a layer's queries, keys and values, in one go.

    An output's codes do not depend on the other outputs, so the result is that of `quantize` for each.
    """
    whole = quantize(np.concatenate(matrices), second_moment, group=group)
    ends = np.cumsum([len(matrix) for matrix in matrices])[:-1]
    parts = (np.split(values, ends) for values in (whole.codes, whole.scales, whole.zeros))
    return [Layer(*part) for part in zip(*parts, strict=True)]


def grid(block: Floats, importance: Floats) -> tuple[Floats, Codes]:
    """Return the scales and zeros (outputs,) that round `block` (outputs, group) with least weighted error.

    Plain rounding stretches the grid to the extreme weights; a slightly narrower grid that clips those is
    often nearer to the rest, so a few widths are tried and the best is kept for each output.
    """
    low, high = np.minimum(block.min(axis=1), 0), np.maximum(block.max(axis=1), 0)
    best = np.full(len(block), np.inf, np.float32)
    scales, zeros = np.ones(len(block), np.float32), np.zeros(len(block), np.float32)
    for shrink in SHRINKS:
        scale = to_bf16(np.maximum((high - low) * (shrink / LEVELS), 1e-8).astype(np.float32))
        zero = np.clip(np.rint(-low * shrink / scale), 0, LEVELS).astype(np.float32)
        rounded = np.clip(np.rint(block / scale[:, None]) + zero[:, None], 0, LEVELS) - zero[:, None]
        error = np.square(rounded * scale[:, None] - block) @ importance
        better = error < best
        best[better], scales[better], zeros[better] = error[better], scale[better], zero[better]
    return scales, zeros.astype(np.uint8)


def _spread(second_moment: Moment) -> Floats:
    """Return the inverse moment's upper Cholesky factor: how an input's error reaches the later ones."""
    damped = second_moment.astype(np.float32)  # half the time of float64, and the same error in the end
    damped[np.diag_indices_from(damped)] += DAMPING * float(np.mean(np.diag(damped)))
    return np.linalg.cholesky(np.linalg.inv(damped)).T


def _round_group(
    left: Floats, codes: Codes, here: slice, scale: Floats, zero: Codes, spread: Floats
) -> Floats:
    """Round the columns `here` of `left` one by one into `codes`; return their errors (outputs, group)."""
    block, local = left[:, here].T.copy(), spread[here, here]
    errors = np.empty_like(block)
    shift = zero.astype(np.float32)
    for column in range(len(block)):
        code = np.clip(np.rint(block[column] / scale + shift), 0, LEVELS)
        codes[:, here.start + column] = code
        errors[column] = (block[column] - scale * (code - shift)) / local[column, column]
        block[column + 1 :] -= np.outer(local[column, column + 1 :], errors[column])
    return errors.T


def pack(rows: Codes) -> Packed:
    """Pack codes (rows, columns), columns a multiple of 8, into words (rows, columns / 8) in AWQ's order."""
    words = np.zeros((rows.shape[0], rows.shape[1] // PER_WORD), np.uint32)
    for nibble, column in enumerate(ORDER):
        words |= rows[:, column::PER_WORD].astype(np.uint32) << np.uint32(4 * nibble)
    return words.view(np.int32)


def tensors(layer: Layer) -> tuple[Packed, Packed, Floats]:
    """Return qweight (inputs, outputs / 8), qzeros (groups, outputs / 8) and scales (groups, outputs)."""
    return (
        pack(np.ascontiguousarray(layer.codes.T)),
        pack(np.ascontiguousarray(layer.zeros.T)),
        np.ascontiguousarray(layer.scales.T),
    )


def read(qweight: Packed, qzeros: Packed, scales: Floats) -> Floats:
    """Return the weights (outputs, inputs) that stored tensors stand for, as a server computes them.

    It shares no step with `pack`: bytes are split as the file holds them and put in order by an index
    found from the format's published inverse order, so a mistake in one does not hide in the other.
    """
    inverse = np.array([0, 4, 1, 5, 2, 6, 3, 7])

    def unpacked(words: Packed) -> Floats:
        octets = np.ascontiguousarray(words).astype("<i4").view(np.uint8)
        nibbles = np.stack([octets & 15, octets >> 4], axis=-1).reshape(*words.shape, PER_WORD)
        return nibbles[..., inverse].reshape(words.shape[0], -1).astype(np.float32)

    group = qweight.shape[0] // scales.shape[0]
    zeros, steps = np.repeat(unpacked(qzeros), group, axis=0), np.repeat(scales, group, axis=0)
    return ((unpacked(qweight) - zeros) * steps).T
