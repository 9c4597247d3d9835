"""The AWQ format and its rounding, on random matrices."""

import numpy as np
import pytest

from serving.small_model import awq


def weights(outputs: int = 64, inputs: int = 128, seed: int = 0) -> awq.Floats:
    return np.random.default_rng(seed).normal(0, 0.02, (outputs, inputs)).astype(np.float32)


def moment(inputs: int = 128, seed: int = 1) -> awq.Moment:
    """The mean outer product of inputs that depend on each other, as a model's do."""
    source = np.random.default_rng(seed)
    mixed = source.normal(size=(4096, inputs // 4)) @ source.normal(size=(inputs // 4, inputs))
    return (mixed.T @ mixed / 4096 + np.eye(inputs) * 0.05).astype(np.float64)


def output_error(layer: awq.Layer, original: awq.Floats, second: awq.Moment) -> float:
    off = (layer.weights() - original).astype(np.float64)
    return float(np.sqrt(np.sum((off @ second) * off) / np.sum((original @ second) * original)))


def test_what_is_packed_is_what_is_read_back() -> None:
    layer = awq.quantize(weights(), moment(), group=32)
    qweight, qzeros, scales = awq.tensors(layer)
    assert qweight.shape == (128, 8)
    assert qzeros.shape == (4, 8)
    assert scales.shape == (4, 64)
    assert np.array_equal(awq.read(qweight, qzeros, scales), layer.weights())


def test_the_packing_order_is_awqs() -> None:
    """Column k of a word lies where AutoAWQ's GEMM kernels look for it: 0, 4, 1, 5, 2, 6, 3, 7."""
    packed = awq.pack(np.arange(8, dtype=np.uint8)[None])
    assert f"{int(packed.view(np.uint32)[0, 0]):08x}" == "75316420"


def test_scales_are_values_of_bfloat16() -> None:
    scales = awq.quantize(weights(), moment(), group=32).scales
    assert np.array_equal(scales, awq.to_bf16(scales))
    assert awq.to_bf16(np.array([1.00390625], np.float32))[0] == 1.0


def test_weights_already_on_a_grid_are_kept() -> None:
    codes = np.tile(np.arange(16, dtype=np.float32), (8, 2))
    original = ((codes - 7) * 0.25).astype(np.float32)
    layer = awq.quantize(original, np.eye(32), group=32)
    assert np.abs(layer.weights() - original).max() < 1e-6


def test_the_error_is_spread_where_the_inputs_forgive_it() -> None:
    original, second = weights(), moment()
    fitted = awq.quantize(original, second, group=32)
    plain = awq.quantize(original, np.eye(128), group=32)
    assert output_error(fitted, original, second) < 0.7 * output_error(plain, original, second)


def test_matrices_that_share_inputs_are_rounded_as_if_alone() -> None:
    first, second = weights(), weights(outputs=32, seed=5)
    together = awq.quantize_together([first, second], moment(), group=32)
    for layer, original in zip(together, (first, second), strict=True):
        alone = awq.quantize(original, moment(), group=32)
        assert np.mean(layer.codes != alone.codes) < 0.01  # sums in another order may round otherwise
        assert layer.codes.shape == alone.codes.shape


def test_an_input_that_is_never_active_does_no_harm() -> None:
    second = moment()
    second[5, :] = second[:, 5] = 0
    assert np.isfinite(awq.quantize(weights(), second, group=32).weights()).all()


def test_a_wrongly_packed_word_is_noticed() -> None:
    layer = awq.quantize(weights(), moment(), group=32)
    qweight, qzeros, scales = awq.tensors(layer)
    swapped = np.roll(qweight.view(np.uint32), 1, axis=1).view(np.int32)
    assert np.abs(awq.read(swapped, qzeros, scales) - layer.weights()).max() > 0.01


def test_a_matrix_that_does_not_divide_is_refused() -> None:
    with pytest.raises(ValueError, match="does not divide"):
        awq.quantize(weights(inputs=120), moment(120), group=32)
