"""Quantizing, on scripted backends: what is kept, what is refused, and what is said."""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from dualcode.cli.quantize import quantize as command
from dualcode.errors import InputError, ServingError
from dualcode.serving import checkpoints, interpreter
from dualcode.serving import quantize as room
from dualcode.serving.profiles import SmallModel
from dualcode.serving.quantize import REPORT, Judgement, Settings, quantize

GOOD: dict[str, Any] = {
    "format": "compressed-tensors", "layers": 210, "layer_error_mean": 0.1, "layer_error_max": 0.13,
    "worst_layer": "model.layers.11.mlp.up_proj", "perplexity": 13.0, "source_perplexity": 11.2,
    "answer": "```python\ndef add_two_numbers(a, b):",
}  # fmt: skip

BACKEND = """#!/bin/sh
echo "$@" >>{log}
case "$2" in
*judge) echo "noise of a library"; cat {judgement};;
*) [ -e {broken} ] && {{ echo "no luck" >&2; exit 3; }}; echo weights >"$4/model.safetensors";;
esac
"""


def quiet(_line: str) -> None:
    """Say nothing."""


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "source"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({"hidden_size": 576, "intermediate_size": 1536}))
    return folder


@pytest.fixture(autouse=True)
def backend(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A program that passes for every Python: it notes its arguments, makes weights, and judges them good."""
    program, judgement = tmp_path / "python", tmp_path / "judgement.json"
    judgement.write_text(json.dumps(GOOD))
    told = {"log": tmp_path / "log", "judgement": judgement, "broken": tmp_path / "broken"}
    program.write_text(BACKEND.format(**told))
    program.chmod(0o755)
    monkeypatch.setenv("DUALCODE_QUANTIZE_PYTHON", str(program))
    monkeypatch.setenv("DUALCODE_AUTOAWQ_PYTHON", str(program))

    def found(*_: object, **__: object) -> interpreter.Interpreter:
        return interpreter.Interpreter(python=program, versions={})

    monkeypatch.setattr(interpreter, "find", found)
    return program


def made(source: Path, output: Path, **settings: Any) -> Judgement:
    return quantize(str(source), output, "llm-compressor", Settings(**settings), say=quiet, now=quiet)


def left(folder: Path) -> list[str]:
    """What a quantizing left beside its source, drafts included."""
    return [each.name for each in folder.iterdir() if each.name.startswith((".out", "out"))]


def test_a_checkpoint_that_passes_is_kept_with_what_was_found(source: Path, tmp_path: Path) -> None:
    found = made(source, tmp_path / "out")
    assert found == Judgement.model_validate(GOOD)
    assert left(tmp_path) == ["out"]
    report = json.loads((tmp_path / "out" / REPORT).read_text())
    assert report["backend"] == "llm-compressor"
    assert report["format"] == "compressed-tensors"
    assert (tmp_path / "out/model.safetensors").exists()


def test_the_backend_is_told_source_folder_and_settings_and_vllms_python_judges(
    source: Path, tmp_path: Path
) -> None:
    made(source, tmp_path / "out", samples=8, grid=5)
    first, second = (tmp_path / "log").read_text().splitlines()
    assert first.startswith(f"-m quantize.llm_compressor {source} {tmp_path}/.out.")
    assert '"samples": 8' in first
    assert '"group": 64' in first  # 576 is no multiple of 128
    assert second.startswith(f"-m quantize.judge {source} {tmp_path}/.out.")


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"layers": 0}, "no layer of it is quantized"),
        ({"layer_error_max": 1.4}, "model.layers.11.mlp.up_proj is off by 1.40"),
        ({"layer_error_max": float("nan")}, "is off by nan"),
        ({"layer_error_mean": 0.3}, "its layers are off by 0.30"),
        ({"perplexity": 40.0}, "its perplexity is 40.0, its source's 11.2"),
        ({"perplexity": float("nan")}, "its perplexity is nan"),
        ({"answer": "newnewnew"}, "it answered 'newnewnew'"),
    ],
)
def test_a_checkpoint_that_fails_a_check_is_deleted(
    source: Path, tmp_path: Path, wrong: dict[str, Any], told: str
) -> None:
    (tmp_path / "judgement.json").write_text(json.dumps(GOOD | wrong))
    with pytest.raises(ServingError, match="not kept") as caught:
        made(source, tmp_path / "out")
    assert told in caught.value.message
    assert left(tmp_path) == []


def test_a_backend_that_fails_leaves_nothing_but_its_last_words(source: Path, tmp_path: Path) -> None:
    (tmp_path / "broken").touch()
    with pytest.raises(ServingError, match=r"(?s)it failed \(exit 3\), and nothing is kept:.*no luck"):
        made(source, tmp_path / "out")
    assert left(tmp_path) == []


def test_a_judge_that_says_nothing_readable_is_no_pass(source: Path, tmp_path: Path) -> None:
    (tmp_path / "judgement.json").write_text("Killed")
    with pytest.raises(ServingError, match="printed no judgement"):
        made(source, tmp_path / "out")
    assert left(tmp_path) == []


def test_a_folder_that_is_there_is_not_written_over(source: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out/mine").write_text("mine")
    with pytest.raises(InputError, match="is there already"):
        made(source, tmp_path / "out")
    assert (tmp_path / "out/mine").read_text() == "mine"


def test_an_empty_folder_is_as_good_as_none(source: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    made(source, tmp_path / "out")
    assert (tmp_path / "out" / REPORT).exists()


@pytest.mark.parametrize(
    ("config", "told"),
    [
        ({"quantization_config": {"quant_method": "awq"}}, "quantized already"),
        ({"hidden_size": 100, "intermediate_size": 1536}, "do not divide into groups of 32"),
        ({}, "do not divide"),
        (None, "holds no checkpoint"),
    ],
)
def test_a_source_that_cannot_be_quantized_is_refused_before_anything_runs(
    source: Path, tmp_path: Path, config: dict[str, Any] | None, told: str
) -> None:
    (source / "config.json").unlink()
    if config is not None:
        (source / "config.json").write_text(json.dumps(config))
    with pytest.raises(InputError, match=told):
        made(source, tmp_path / "out")
    assert not (tmp_path / "log").exists()
    assert left(tmp_path) == []


def test_a_model_that_the_cache_lacks_is_named_with_the_way_to_fetch_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(InputError, match="forbids to fetch it") as caught:
        made(Path("org/model"), tmp_path / "out")
    assert "HF_HUB_OFFLINE" in str(caught.value.hint)


def test_builtin_is_for_the_demos_model_and_that_for_builtin(tmp_path: Path, source: Path) -> None:
    with pytest.raises(InputError, match="the backend llm-compressor does not quantize 'smollm2'") as caught:
        made(Path("smollm2"), tmp_path / "out")
    assert caught.value.hint == "dualcode quantize smollm2 --with builtin"
    with pytest.raises(InputError, match="builtin is for smollm2"):
        quantize(str(source), tmp_path / "out", "builtin", Settings(), say=quiet, now=quiet)


def test_without_an_environment_the_part_of_the_setup_is_named(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DUALCODE_QUANTIZE_PYTHON")
    monkeypatch.setattr(room, "CHECKOUT", tmp_path)
    with pytest.raises(ServingError, match="no environment for it") as caught:
        made(source, tmp_path / "out")
    assert caught.value.hint == "pip install dualcode[quantize]"


def test_an_environment_is_made_at_its_first_use_with_a_message(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, backend: Path
) -> None:
    monkeypatch.delenv("DUALCODE_AUTOAWQ_PYTHON")
    monkeypatch.setattr(room, "CHECKOUT", tmp_path)
    setup = tmp_path / "scripts/setup.sh"
    setup.parent.mkdir()
    setup.write_text(
        f"#!/bin/sh\nmkdir -p {tmp_path}/.venv-$1/bin && cp {backend} {tmp_path}/.venv-$1/bin/python\n"
    )
    setup.chmod(0o755)
    said: list[str] = []
    quantize(str(source), tmp_path / "out", "autoawq", Settings(), say=said.append, now=quiet)
    assert said[0] == "making .venv-autoawq (once, minutes): scripts/setup.sh autoawq"
    assert (tmp_path / "log").read_text().startswith("-m quantize.autoawq ")


def test_the_command_says_which_format_came_out_and_how_near_it_is(source: Path, tmp_path: Path) -> None:
    done = CliRunner().invoke(command, [str(source), "-o", str(tmp_path / "out")], catch_exceptions=False)
    assert "format compressed-tensors, 210 layers in 4 bits" in done.stdout
    assert "perplexity 13.00, its source's 11.20" in done.stdout
    other = ["-o", str(tmp_path / "out2"), "--json"]
    told = CliRunner().invoke(command, [str(source), *other], catch_exceptions=False).stdout
    assert json.loads(told) == GOOD


def test_builtin_is_a_copy_of_what_the_recipe_made_for_the_servers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    built = tmp_path / "built"
    built.mkdir()
    (built / "model.safetensors").write_bytes(b"weights")
    errors = {"layer_errors": {"one": 0.1, "two": 0.3}, "seconds": 50, "form": "awq"}
    (built / "checkpoint.json").write_text(json.dumps({**GOOD, **errors}))
    asked: list[tuple[SmallModel, ...]] = []

    def ensure(models: Sequence[SmallModel], *_: object, **__: object) -> dict[SmallModel, Path]:
        asked.append(tuple(models))
        return dict.fromkeys(models, built)

    monkeypatch.setattr(checkpoints, "ensure", ensure)
    found = quantize("smollm2", tmp_path / "out", "builtin", Settings(), say=quiet, now=quiet)
    assert asked == [(SmallModel.AWQ,)]
    assert found == Judgement.model_validate({**GOOD, "format": "awq", "layers": 2})
    assert (tmp_path / "out/model.safetensors").read_bytes() == b"weights"
    assert (built / "checkpoint.json").exists()
    assert left(tmp_path) == ["out"]


def test_whoever_waits_for_a_recipe_is_told_so() -> None:
    told: list[float] = []
    command = ["sh", "-c", "sleep 1.2; echo made"]
    assert checkpoints.run_watched(command, os.environ, told.append, "failed ({})") == "made\n"
    assert told and all(seconds > 0 for seconds in told)


def test_what_failed_is_told_with_its_exit_code_and_its_last_words() -> None:
    command = ["sh", "-c", "echo first >&2; seq 12 >&2; exit 3"]
    with pytest.raises(ServingError) as caught:
        checkpoints.run_watched(command, os.environ, lambda _: None, "it failed (exit {}):")
    assert caught.value.message.splitlines()[:2] == ["it failed (exit 3):", "    1"]
