# pyright: basic, reportMissingImports=false
"""`python -m quantize.judge SOURCE MADE`: loads both in vLLM and tells, as one JSON line, how near they are.

Run by vLLM's own Python: what it serves is what is judged.
"""

import gc
import json
import math
import os
import sys
from pathlib import Path

from . import codes, texts

LENGTH = 512
"""Tokens of a held-out text that are judged."""


def main(source: str, made: str) -> None:
    """Judge, and print."""
    errors = codes.layer_errors(Path(source), Path(made))
    answer, perplexity = _served(made)
    _, before = _served(source)
    worst = max(errors, key=errors.get) if errors else ""
    told = {
        "format": codes.form(Path(made)),
        "layers": len(errors),
        "layer_error_mean": sum(errors.values()) / len(errors) if errors else 9.0,
        "layer_error_max": errors.get(worst, 9.0),
        "worst_layer": worst,
        "perplexity": perplexity,
        "source_perplexity": before,
        "answer": answer,
    }
    print(json.dumps(told), flush=True)  # noqa: T201 - the parent reads this line


def _served(folder: str) -> tuple[str, float]:
    """Return the greedy answer to the question and the perplexity of held-out code, as vLLM has them."""
    from vllm import LLM, SamplingParams

    model = LLM(model=folder, max_model_len=1024, enforce_eager=True, max_num_seqs=4,
                gpu_memory_utilization=0.8, disable_log_stats=True)  # fmt: skip
    tokenizer = model.get_tokenizer()
    rows = []
    for pair in texts.held_out():
        text = tokenizer.apply_chat_template(texts.chat(pair), tokenize=False)
        rows.append({"prompt_token_ids": tokenizer.encode(text, add_special_tokens=False)[:LENGTH]})
    how = SamplingParams(max_tokens=1, temperature=0, prompt_logprobs=0)
    told = model.generate(rows, how, use_tqdm=False)
    losses = [
        -next(iter(each.values())).logprob for row in told for each in row.prompt_logprobs if each is not None
    ]
    asked = [{"role": "user", "content": texts.QUESTION}]
    (reply,) = model.chat(asked, SamplingParams(max_tokens=48, temperature=0), use_tqdm=False)
    answer = reply.outputs[0].text
    model.llm_engine.engine_core.shutdown()
    del model
    gc.collect()
    return answer, math.exp(sum(losses) / len(losses))


if __name__ == "__main__":
    os.environ.setdefault("VLLM_LOGGING_LEVEL", "ERROR")
    main(sys.argv[1], sys.argv[2])
