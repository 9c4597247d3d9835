"""What a server process gets from the environment of the one that starts it, and which cores it gets."""

import os
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path

API_KEY = "VLLM_API_KEY"

# A server runs with these and nothing else: secrets of the caller's shell have no business in it.
_NAMES = frozenset({
    "PATH", "HOME", "USER", "LOGNAME", "LANG", "LANGUAGE", "TZ", "TMPDIR", "LD_LIBRARY_PATH", "LD_PRELOAD",
    "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "CC", "CXX", "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE",
    "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "all_proxy",
    "no_proxy", "HUGGINGFACE_HUB_CACHE", "TRANSFORMERS_OFFLINE", "HIP_VISIBLE_DEVICES",
    "ROCR_VISIBLE_DEVICES",
})  # fmt: skip
_PREFIXES = (
    "LC_", "VLLM_", "CUDA_", "NVIDIA_", "NCCL_", "HF_", "TORCH_", "TORCHINDUCTOR_", "PYTORCH_", "TRITON_",
    "FLASHINFER_",
)  # fmt: skip


def scrubbed(extra: Mapping[str, str] | None = None, *, secrets: bool = False) -> dict[str, str]:
    """Return the environment for a child: what serving needs of ours, then `extra` over it.

    The API key goes only where `secrets` asks for it: to the server itself.
    """
    kept = {key: value for key, value in os.environ.items() if key in _NAMES or key.startswith(_PREFIXES)}
    if API_KEY in kept:
        kept[API_KEY] = kept[API_KEY].strip()  # as clients send it
    if not secrets:
        kept.pop(API_KEY, None)
        kept.pop("HF_TOKEN", None)
    quiet = {"VLLM_NO_USAGE_STATS": "1", "DO_NOT_TRACK": "1", "PYTHONUNBUFFERED": "1"}
    return {**quiet, **kept, **(extra or {})}


def with_own_programs(settings: Mapping[str, str], python: Path) -> dict[str, str]:
    """Return an environment in which the programs beside `python`, such as ninja, are found first."""
    own, rest = str(python.parent), settings.get("PATH", os.defpath)
    return {**settings, "PATH": f"{own}{os.pathsep}{rest}"}


def split_cores(cores: Sequence[int], parts: int) -> list[tuple[int, ...]]:
    """Divide `cores` into `parts` shares of neighbours; with too few cores, one serves several."""
    if len(cores) < parts:
        return [(cores[index % len(cores)],) for index in range(parts)]
    size, rest = divmod(len(cores), parts)
    starts = [index * size + min(index, rest) for index in range(parts + 1)]
    return [tuple(cores[low:high]) for low, high in pairwise(starts)]


def for_cores(cores: Sequence[int]) -> dict[str, str]:
    """Return the variables that keep vLLM's compute threads on these cores, one thread each."""
    return {"VLLM_CPU_OMP_THREADS_BIND": ",".join(map(str, cores)), "OMP_NUM_THREADS": str(len(cores))}
