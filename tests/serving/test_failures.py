"""The catalogue of failures, each recognized by a line that vLLM 0.32, a library or the system writes."""

from collections.abc import Mapping

import pytest

from dualcode.serving.failures import CATALOGUE, Failure, catalogue, explained, in_gauges, in_log
from tests.pages import ROOT

CORE = "(EngineCore_DP0 pid=7) ERROR 11-28 10:00:00 [core.py:708] "
LINES = {
    "GPU partly taken": (
        "ValueError: Free memory on device cuda:0 (3.1/22.06 GiB) on startup is less than desired GPU memory "
        "utilization (0.96, 21.18 GiB).",
        "only 3.1 of 22.06 GiB of cuda:0 are free",
    ),
    "weights fill the memory": (
        "ValueError: No available memory for the cache blocks. Try increasing `gpu_memory_utilization`",
        "the weights leave no memory",
    ),
    "context longer than the cache": (
        "ValueError: To serve at least one request with the model's max seq len (32768), (8.0 GiB KV cache "
        "is needed, which is larger than the available KV cache memory (4.0 GiB). Based on the available "
        "memory, the estimated maximum model length is 16384. Try increasing",
        "max-model-len 32768 does not fit",
    ),
    "context longer than the model's": (
        "ValueError: User-specified max_model_len (99999) is greater than the derived max_model_len "
        "(max_position_embeddings=32768 or model_max_length=None in model's config.json).",
        "max-model-len 99999 is beyond the model's own 32768",
    ),
    "port taken": ("OSError: [Errno 98] error while attempting to bind: address already in use", "another"),
    "number format that the GPU lacks": (
        "ValueError: Bfloat16 is only supported on GPUs with compute capability of at least 8.0.", "bfloat16",
    ),
    "GPU too old for the kernel": (
        "ValueError: The quantization method awq is not supported for the current GPU. Minimum capability: "
        "75. Current capability: 70.",
        "this GPU is older",
    ),
    "no 4-bit kernel for this CPU": (
        "(Worker pid=15688) ERROR 11-29 16:16:56 [multiproc_executor.py:1063] AttributeError: '_OpNamespace' "
        "'_C' object has no attribute 'cpu_gemm_wna16'",
        "AVX512",
    ),
    "out of GPU memory": ("torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2 GiB", "ran out"),
    "driver too old": (
        "RuntimeError: The NVIDIA driver on your system is too old (found version 12040).",
        "older than the CUDA",
    ),
    "no driver": (
        "ImportError: libcuda.so.1: cannot open shared object file: No such file or directory", "no driver",
    ),
    "GPU fault": ("RuntimeError: CUDA error: an illegal memory access was encountered", "the GPU failed"),
    "hub refuses": ("requests.exceptions.HTTPError: 401 Client Error: Unauthorized for url", "gated"),
    "model not found": (
        "OSError: org/m does not appear to have a file named config.json. Checkout", "no such model",
    ),
    "hub not reached": (
        "huggingface_hub.errors.LocalEntryNotFoundError: An error happened while trying to locate the file",
        "cannot be reached",
    ),
    "unknown architecture": (
        "The checkpoint has model type `new` but Transformers does not recognize this architecture.",
        "does not know",
    ),
    "unknown flag": ("api_server.py: error: unrecognized arguments: --fast", "no flag --fast"),
    "disk full": ("OSError: [Errno 28] No space left on device", "the disk is full"),
    "killed for memory": ("Engine core proc EngineCore_DP0 died with exit code -9", "main memory"),
    "engine start failed": (
        "RuntimeError: Engine core initialization failed. See root cause above. Failed core proc(s): {}",
        "did not start",
    ),
    "engine died": ("vllm.v1.engine.exceptions.EngineDeadError: EngineCore has an issue.", "under work"),
    "slow start": ("INFO Waiting for 1 local, 0 remote core engine proc(s) to connect.", "takes long"),
    "request too long": (
        "This model's maximum context length is 4096 tokens. However, your prompt contains 5000 input tokens",
        "4096 tokens",
    ),
    "the model's own sampling": (
        "WARNING Default vLLM sampling parameters have been overridden by the model's generation_config.json"
        ": "
        "`{'repetition_penalty': 1.05}`.",
        "generation_config.json",
    ),
    "slow allocator": ("WARNING libtcmalloc is not found in LD_PRELOAD. For best performance", "libtcmalloc"),
    "few open files": (
        "WARNING Found ulimit of 1024 and failed to automatically increase with error", "only 1024 files",
    ),
}  # fmt: skip
GAUGES: Mapping[str, Mapping[str, float]] = {
    "engine hangs": {"running": 0, "waiting": 3, "tokens_per_second": 0},
    "engine stalls": {"running": 2, "waiting": 0, "tokens_per_second": 0},
    "KV cache full": {"kv_cache": 0.995, "waiting": 2},
    "pre-emptions": {"preemptions_per_second": 0.5},
    "queue full": {"rejections_per_second": 1},
    "corrupted replies": {"corrupted": 1},
}


def known(name: str) -> Failure:
    return next(each for each in catalogue() if each.name == name)


def test_every_failure_of_the_catalogue_has_an_example() -> None:
    assert {each.name for each in catalogue()} == LINES.keys() | GAUGES.keys()


@pytest.mark.parametrize("name", LINES)
def test_a_line_of_a_log_is_recognized_as_this_failure_alone(name: str) -> None:
    line, told = LINES[name]
    [found] = in_log(["INFO loading", f"{CORE}{line}", "INFO bye"])
    assert (found.failure.name, told in found.cause) == (name, True)
    assert "{" not in found.cause + found.remedy


@pytest.mark.parametrize("name", GAUGES)
def test_gauges_are_recognized_if_they_show_it_as_long_as_it_takes(name: str) -> None:
    reading = GAUGES[name]
    assert [each.failure.name for each in in_gauges(reading, reading)] == [name]
    once = [each.failure.name for each in in_gauges(reading)]
    assert once == ([] if known(name).still else [name])
    quiet = dict.fromkeys(reading, 0.0) | {"tokens_per_second": 9.0}
    assert not list(in_gauges(quiet, quiet))
    assert not list(in_gauges({}, {}))  # what a server does not tell shows nothing


@pytest.mark.parametrize(
    "line",
    [
        "INFO 11-28 [api_server.py] Starting vLLM API server on http://127.0.0.1:8001",
        "INFO Free memory after loading: 12 GiB",
        "WARNING no error here",
        "INFO Using max model len 4096",
        '127.0.0.1 - "POST /v1/chat/completions HTTP/1.1" 200 OK',
    ],
)
def test_a_healthy_log_shows_nothing(line: str) -> None:
    assert in_log([line]) == []


def test_a_consequence_is_told_only_where_no_cause_is() -> None:
    lines = [f"{CORE}{LINES['weights fill the memory'][0]}", LINES["engine start failed"][0]]
    assert [each.failure.name for each in in_log(lines)] == ["weights fill the memory"]
    assert [each.failure.name for each in in_log(lines[1:])] == ["engine start failed"]
    slow = [LINES["slow allocator"][0], LINES["engine died"][0]]
    assert [each.failure.name for each in in_log(slow)] == ["slow allocator", "engine died"]


def test_the_length_that_fits_is_told_where_the_log_tells_it_and_is_open_elsewhere() -> None:
    [found] = in_log([LINES["context longer than the cache"][0]])
    assert found.remedy.startswith("max-model-len 16384")
    [open_] = in_log(["ValueError: the model's max seq len (32768), (8.0 GiB KV cache is needed"])
    assert open_.remedy.startswith("max-model-len ?")


def test_the_death_of_a_server_is_explained_by_its_error_and_what_it_means() -> None:
    line = LINES["port taken"][0]
    assert explained([line]).splitlines() == [
        f": {line}",
        "  that is: another process listens on the server's port",
        f"  remedy: {known('port taken').remedy}",
    ]
    assert explained(["SIGKILL"]).startswith(": the system ended the server")
    assert explained(["TypeError: something new"]) == ": TypeError: something new"
    assert explained(["INFO bye"]) == ""


def test_an_error_that_only_a_warning_speaks_of_explains_nothing() -> None:
    said = "This can cause errors like `OSError: [Errno 24] Too many open files`."
    assert explained([f"(APIServer pid=7) WARNING 11-29 03:50:13 [system_utils.py:255] {said}"]) == ""
    assert explained([f"INFO {said}", "ValueError: too long"]) == ": ValueError: too long"


def test_the_docs_tell_of_every_failure() -> None:
    page = (ROOT / "docs/operating.md").read_text()
    for each in catalogue():
        assert f"| {each.name} |" in page, each.name


def test_a_failure_has_one_kind_of_signature() -> None:
    with pytest.raises(ValueError, match="either log or metrics"):
        Failure(name="x", cause="", remedy="")
    assert CATALOGUE.is_file()
