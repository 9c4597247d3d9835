"""`dualcode quantize`: a model's weights in 4 bits, kept only if they pass their checks."""

from contextlib import closing
from pathlib import Path
from typing import Any

import click

from dualcode.cli.options import COUNT, PATH, json_option


@click.command()
@click.argument("model")
@click.option("-o", "--output", required=True, type=PATH, help="A new folder for the checkpoint.")
@click.option(
    "--with", "backend", type=click.Choice(["llm-compressor", "autoawq", "builtin"]),
    default="llm-compressor", show_default=True,
    help="What quantizes. builtin is for the demo's model alone (MODEL smollm2).",
)  # fmt: skip
@click.option(
    "--group", type=click.IntRange(min=8), help="Weights that share a scale. Default: 128, 64 or 32."
)
@click.option("--samples", type=COUNT, default=128, show_default=True, help="Texts to calibrate on.")
@click.option(
    "--length", type=click.IntRange(min=16), default=512, show_default=True, help="Tokens of each text."
)
@click.option("--grid", type=COUNT, default=20, show_default=True, help="Scales tried a layer.")
@click.option(
    "--revision", default="main", show_default=True, help="Branch, tag or commit of a model of the hub."
)
@json_option
def quantize(model: str, output: Path, backend: Any, as_json: bool, **settings: Any) -> None:
    """Quantize MODEL, a folder or a name of the hub's cache, to 4-bit AWQ weights.

    The result is read back, loaded in vLLM, asked a question and compared with its source; one that fails is
    deleted. Each backend has an environment of its own, which is made at its first use.

    \b
    Example:
      dualcode quantize smollm2 --with builtin -o models/smollm2-awq
    """
    from dualcode.serving.progress import Display
    from dualcode.serving.quantize import Settings
    from dualcode.serving.quantize import quantize as made

    with closing(Display()) as display:
        found = made(model, output, backend, Settings(**settings), say=display.say, now=display.now)
    if as_json:
        click.echo(found.model_dump_json())
        return
    click.echo(
        f"{output}: format {found.format}, {found.layers} layers in 4 bits\n"
        f"layers   off by {found.layer_error_mean:.1%} in the mean, {found.layer_error_max:.1%} at most"
        f" ({found.worst_layer})\n"
        f"code     perplexity {found.perplexity:.2f}, its source's {found.source_perplexity:.2f}\n"
        f"answer   {found.answer.strip()!r}"
    )
