# pyright: basic, reportMissingImports=false
"""`python -m quantize.llm_compressor MODEL FOLDER SETTINGS`: AWQ by llm-compressor, into compressed-tensors.

SETTINGS is a JSON object: group, samples, length, grid, revision.
"""

import json
import sys

import torch
from llmcompressor import oneshot
from llmcompressor.modifiers.quantization import QuantizationModifier
from llmcompressor.modifiers.transform.awq import AWQModifier
from llmcompressor.pipelines.cache import IntermediatesCache
from torch.utils.data import DataLoader
from transformers import AutoModelForCausalLM, AutoTokenizer

from . import texts


def main(model_name: str, folder: str, settings: dict) -> None:
    """Quantize and save."""
    gpu = torch.cuda.is_available()
    if not gpu:
        # 0.14 pins memory whatever there is to pin it for: "Cannot access accelerator device when none is
        # available". Of a later release that has no such method nothing is lost.
        IntermediatesCache._pin_intermediate = classmethod(lambda _cls, _intermediate: None)
    dtype = "auto" if gpu else torch.float32
    model = AutoModelForCausalLM.from_pretrained(model_name, revision=settings["revision"], dtype=dtype)
    tokenizer = AutoTokenizer.from_pretrained(model_name, revision=settings["revision"])
    rows = []
    for pair in texts.calibration(settings["samples"]):
        text = tokenizer.apply_chat_template(texts.chat(pair), tokenize=False)
        rows.append(tokenizer(text, add_special_tokens=False, truncation=True, max_length=settings["length"],
                              return_tensors="pt"))  # fmt: skip
    group = {"strategy": "group", "group_size": settings["group"]}
    weights = {"num_bits": 4, "type": "int", "symmetric": False, **group}
    recipe = [
        AWQModifier(duo_scaling=True, n_grid=settings["grid"]),
        QuantizationModifier(
            config_groups={"group_0": {"targets": ["Linear"], "weights": weights}}, ignore=["lm_head"]
        ),
    ]
    loader = DataLoader(rows, batch_size=None)
    oneshot(model=model, dataset=loader, recipe=recipe, processor=tokenizer,
            num_calibration_samples=len(rows), max_seq_length=settings["length"])  # fmt: skip
    if not gpu:
        model.to(torch.bfloat16)
    model.save_pretrained(folder, save_compressed=True)
    tokenizer.save_pretrained(folder)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], json.loads(sys.argv[3]))
