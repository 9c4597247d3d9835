# pyright: basic, reportMissingImports=false
"""`python -m quantize.autoawq MODEL FOLDER SETTINGS`: AWQ by AutoAWQ, into its own format.

AutoAWQ is no longer maintained: 0.2.9 is the last, tested with torch 2.6 and transformers 4.51.3.
SETTINGS is a JSON object: group, samples, length, revision.
"""

import json
import sys

from awq import AutoAWQForCausalLM
from transformers import AutoTokenizer

from . import texts


def main(model_name: str, folder: str, settings: dict) -> None:
    """Quantize and save."""
    model = AutoAWQForCausalLM.from_pretrained(model_name, revision=settings["revision"])
    tokenizer = AutoTokenizer.from_pretrained(model_name, revision=settings["revision"])
    # It drops texts that are longer than max_calib_seq_len without a word, so they are cut before.
    rows = []
    for pair in texts.calibration(settings["samples"]):
        text = tokenizer.apply_chat_template(texts.chat(pair), tokenize=False)
        tokens = tokenizer.encode(text, add_special_tokens=False)
        rows.append(tokenizer.decode(tokens[: settings["length"] - 8]))
    how = {"zero_point": True, "q_group_size": settings["group"], "w_bit": 4, "version": "GEMM"}
    model.quantize(
        tokenizer, quant_config=how, calib_data=rows, max_calib_samples=len(rows),
        max_calib_seq_len=settings["length"],
    )  # fmt: skip
    model.save_quantized(folder)
    tokenizer.save_pretrained(folder)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], json.loads(sys.argv[3]))
