"""What fits on a GPU, by arithmetic: weights, cache, what else takes memory, and the speed that follows.

No GPU is needed and none was used: the numbers are published (`serving/facts.toml`) or follow from them, and
what had to be assumed is a constant below with its reason. A log's "Available KV cache memory" and "GPU KV
cache size" are what a plan is held against.
"""

from collections.abc import Sequence

from dualcode.record import Record
from dualcode.serving.facts import GIB, Facts, GpuFacts, ModelFacts
from dualcode.serving.profiles import Profile, Server

FLASHINFER_GIB = 394 / 1024
"""vLLM's VLLM_FLASHINFER_WORKSPACE_BUFFER_SIZE, held wherever FlashInfer computes the attention."""
OTHER_GIB = 0.5
"""CUDA graphs, which vLLM counts into its share since 0.32, and the libraries' own buffers. Assumed: of two
RTX 4090, 0.34 GiB in all with activations are on record without the graphs."""
OUTSIDE_GIB = 0.45
"""What must stay free beside vLLM's share, for the CUDA context that is made before vLLM looks. Assumed."""
DISPLAY_GIB = 1.0
"""What a desktop takes of a consumer card. Assumed; a browser on it can take more."""
EFFICIENCY = 0.55
"""Of the memory's bandwidth that decoding reaches. On two RTX 4090 a step of Qwen3-32B-AWQ is on record with
13.4 ms alone and 15.7 ms for eight requests, where reading the weights would take 8.8: 0.66 and 0.56."""
TYPICAL = 3000
"""Tokens of a request with its answer, for the speed of many at once: half of them are there on average."""
DEFAULTS = {"gpu-memory-utilization": 0.92, "max-num-seqs": 256, "max-num-batched-tokens": 2048}
"""vLLM 0.32's own, for a GPU with less than 70 GiB."""


class ServerPlan(Record):
    """One server on one kind of GPU; memory in GiB, of each GPU that it takes."""

    server: str
    model: str
    gpu: str
    device: str
    """CUDA_VISIBLE_DEVICES as the profile has it."""
    memory: float
    """Of the card, as CUDA reports it."""
    share: float
    """What vLLM takes: gpu-memory-utilization of the card."""
    weights: float
    activations: float
    workspace: float
    """FlashInfer's, where it is used."""
    other: float
    cache: float
    """What is left for the KV cache."""
    cache_tokens: int
    max_model_len: int
    max_num_seqs: int
    outside: float
    """What stays free on the card beside vLLM, of the servers that share it together."""
    tokens_per_second: float
    """Of one request alone, computed from the memory's bandwidth."""
    tokens_per_second_full: float
    """Of max_num_seqs requests together, where as many fit, by the same rule: what a step reads."""
    hour: float | None
    """Dollars."""
    problems: tuple[str, ...]

    @property
    def fits(self) -> bool:
        """Whether it would start."""
        return not self.problems

    @property
    def at_full_length(self) -> float:
        """How many requests of max-model-len the cache holds at once."""
        return self.cache_tokens / self.max_model_len


def plan(profile: Profile, gpu: GpuFacts, facts: Facts, *, display: float = 0.0) -> tuple[ServerPlan, ...]:
    """Return the plan of each server whose model's shape is known; `display` GiB are taken by others."""
    return tuple(
        _server_plan(server, model, gpu, _sharing(server, profile.servers), display)
        for server in profile.servers
        if (model := facts.models.get(server.weights or ""))
    )


def unknown_models(profile: Profile, facts: Facts) -> list[str]:
    """Return the models of a profile whose shape is not among the facts."""
    return [each.weights or each.model for each in profile.servers if each.weights not in facts.models]


def uses_flashinfer(server: Server, capability: float) -> bool:
    """Whether the attention is FlashInfer's, which compiles its kernels with nvcc at their first use.

    FlashAttention takes a cache in fp8 on Hopper (9.0) alone.
    """
    return str(server.flags.get("kv-cache-dtype", "auto")).startswith("fp8") and capability != 9.0


def _sharing(server: Server, servers: Sequence[Server]) -> list[float]:
    """Return the shares of the card that other servers take."""
    here = (server.spec.host, server.gpus)
    return [
        float((DEFAULTS | dict(each.flags))["gpu-memory-utilization"])
        for each in servers
        if server.gpus and each.name != server.name and (each.spec.host, each.gpus) == here
    ]


def _server_plan(
    server: Server, model: ModelFacts, gpu: GpuFacts, others: Sequence[float], display: float
) -> ServerPlan:
    flags = DEFAULTS | dict(server.flags)
    shards = int(flags.get("tensor-parallel-size", 1))
    sequences, batched = int(flags["max-num-seqs"]), int(flags["max-num-batched-tokens"])
    length = int(flags.get("max-model-len", 32768))
    width = 1 if str(flags.get("kv-cache-dtype", "auto")).startswith("fp8") else 2

    share = gpu.memory_gib * float(flags["gpu-memory-utilization"])
    weights = model.weights_gib / shards
    # A step's widest moment: both halves of a gated layer, its product and the hidden state, 16 bits each,
    # and the logits of one token a request in 32 bits, with the sampler's copy.
    numbers = 3 * model.intermediate / shards + 4 * model.hidden
    activations = (batched * numbers * 2 + sequences * model.vocabulary * 4 * 2) / GIB
    workspace = FLASHINFER_GIB if uses_flashinfer(server, float(gpu.capability)) else 0.0
    cache = share - weights - activations - workspace - OTHER_GIB
    token = model.cache_bytes(width) / shards
    tokens = max(0, int(cache * GIB / token) // 16 * 16)
    outside = gpu.memory_gib * (1 - sum(others)) - share - display
    needed = OUTSIDE_GIB * (1 + len(others))  # a CUDA context each

    problems: list[str] = []
    if cache <= 0:
        problems.append(f"weights and what they need leave no cache ({cache:.2f} GiB)")
    elif tokens < length:
        problems.append(f"the cache holds {tokens} tokens, max-model-len wants {length}")
    if outside < needed:
        problems.append(f"{outside:.2f} GiB would be free beside vLLM, {needed:.2f} must be")
    together = max(1, min(sequences, tokens // TYPICAL))
    return ServerPlan(
        server=server.name,
        model=server.weights or server.model,
        gpu=gpu.name,
        device=",".join(server.gpus),
        memory=gpu.memory_gib,
        share=share,
        weights=weights,
        activations=activations,
        workspace=workspace,
        other=OTHER_GIB,
        cache=cache,
        cache_tokens=tokens,
        max_model_len=length,
        max_num_seqs=sequences,
        outside=outside,
        tokens_per_second=_rate(model, gpu, shards, 1, token),
        tokens_per_second_full=_rate(model, gpu, shards, together, token),
        hour=gpu.hour,
        problems=tuple(problems),
    )


def _rate(model: ModelFacts, gpu: GpuFacts, shards: int, requests: int, token_bytes: float) -> float:
    """Return tokens a second: a step reads the weights once, and each request's cache."""
    read = model.read_gib * GIB / shards + requests * token_bytes * TYPICAL / 2
    return requests * gpu.bandwidth_gb_s * 1e9 * EFFICIENCY / read
