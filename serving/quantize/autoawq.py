# pyright: basic, reportMissingImports=false
"""`python -m quantize.autoawq MODEL FOLDER SETTINGS`: AWQ by AutoAWQ, into its own format.

AutoAWQ is no longer maintained: 0.2.9 is the last, tested with torch 2.6 and transformers 4.51.3.
SETTINGS is a JSON object: group, samples, length.
"""

import json
import sys
import tempfile
from pathlib import Path

from awq import AutoAWQForCausalLM
from transformers import AutoTokenizer

from . import texts


def readable(source: Path, folder: Path) -> None:
    """Fill `folder` with the checkpoint in the words of transformers 4, in case that 5 wrote it.

    4 would refuse the tokenizer's class, and take the base of the rotary positions for its own default.
    """
    for file in source.iterdir():
        (folder / file.name).symlink_to(file.resolve())
    config = json.loads((source / "config.json").read_text())
    rope = config.pop("rope_parameters", None) or {}
    if "rope_theta" in rope:
        config["rope_theta"] = rope.pop("rope_theta")
    if rope.get("rope_type", "default") != "default":
        config["rope_scaling"] = rope
    if "dtype" in config:
        config["torch_dtype"] = config.pop("dtype")
    told = source / "tokenizer_config.json"
    words = json.loads(told.read_text()) if told.is_file() else {}
    if words.get("tokenizer_class") == "TokenizersBackend":
        words["tokenizer_class"] = "PreTrainedTokenizerFast"
    for name, content in (("config.json", config), ("tokenizer_config.json", words)):
        (folder / name).unlink(missing_ok=True)
        (folder / name).write_text(json.dumps(content))


def main(source: str, folder: str, settings: dict) -> None:
    """Quantize and save."""
    with tempfile.TemporaryDirectory() as words:
        readable(Path(source), Path(words))
        quantize(words, folder, settings)


def quantize(model_name: str, folder: str, settings: dict) -> None:
    """Quantize what transformers 4 can read."""
    model = AutoAWQForCausalLM.from_pretrained(model_name)
    tokenizer = AutoTokenizer.from_pretrained(model_name)
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
