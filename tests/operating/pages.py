"""What servers tell at /metrics, as vLLM 0.32 writes it, and the names that it has there."""

from pathlib import Path

RECORDED = Path(__file__).with_name("vllm_0.32_metrics.txt")
"""Taken from the pair of serving/cpu."""


def metrics(
    *,
    running: float = 0,
    waiting: float = 0,
    kv: float = 0.0,
    written: float = 0,
    read: float = 0,
    queries: float = 0,
    hits: float = 0,
    preempted: float = 0,
) -> str:
    """Return a page of one engine."""
    label = '{engine="0",model_name="m"}'
    reasons = "".join(
        f'vllm:admission_rejections_total{{model_name="m",reason="{reason}"}} 0.0\n'
        for reason in ("full", "other")
    )
    return (
        "# HELP vllm:num_requests_running Number of requests in model execution batches.\n"
        "# TYPE vllm:num_requests_running gauge\n"
        f"vllm:num_requests_running{label} {running}\n"
        f"vllm:num_requests_waiting{label} {waiting}\n"
        f"vllm:kv_cache_usage_perc{label} {kv}\n"
        f"vllm:generation_tokens_total{label} {written}\n"
        f"vllm:prompt_tokens_total{label} {read}\n"
        f"vllm:prefix_cache_queries_total{label} {queries}\n"
        f"vllm:prefix_cache_hits_total{label} {hits}\n"
        f"vllm:num_preemptions_total{label} {preempted}\n{reasons}"
        f'vllm:cache_config_info{{block_size="16",engine="0",kv_cache_size_tokens="46592"}} 1.0\n'
    )
