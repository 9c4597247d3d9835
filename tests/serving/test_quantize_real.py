"""Quantizing for real: the demo's model, by the recipe that needs no environment of its own."""

from pathlib import Path

import pytest

from dualcode.serving.hardware import read_checkpoint
from dualcode.serving.quantize import MOST_PERPLEXITY, Settings, quantize
from tests.servers import require_vllm

pytestmark = pytest.mark.servers


def test_the_demos_model_is_quantized_and_kept_with_what_was_found(tmp_path: Path) -> None:
    require_vllm()
    found = quantize("smollm2", tmp_path / "out", "builtin", Settings(), say=print, now=print)
    assert (found.format, found.layers) == ("awq", 210)
    assert 0 < found.layer_error_mean < found.layer_error_max < 0.15
    assert found.perplexity < MOST_PERPLEXITY * found.source_perplexity
    checkpoint = read_checkpoint(str(tmp_path / "out"), {})
    assert checkpoint is not None
    assert (checkpoint.quantization, checkpoint.bits) == ("awq", 4)
    assert [each.name for each in tmp_path.iterdir()] == ["out"]
