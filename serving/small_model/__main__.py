# pyright: basic
"""Builds forms into folders: `python -m small_model FORM=FOLDER ...`; one JSON line per form on stdout."""

import json
import logging
import os
import sys
from dataclasses import asdict
from pathlib import Path


def main(wanted: list[str]) -> int:
    """Build each `FORM=FOLDER`; return 0, or 4 with a line on stderr when a form fails its checks."""
    os.environ["HF_HUB_OFFLINE"] = "1"
    os.environ["HF_HUB_DISABLE_PROGRESS_BARS"] = "1"
    from transformers.utils import logging as transformers_logging

    from . import recipe

    transformers_logging.disable_progress_bar()
    logging.disable(logging.WARNING)
    shop = recipe.Workshop()
    for item in wanted:
        form, _, folder = item.partition("=")
        try:
            report = recipe.build(shop, form, Path(folder))
        except recipe.CheckError as error:
            print(f"{form}: {error}", file=sys.stderr)  # noqa: T201 - the parent reads these lines
            return 4
        print(json.dumps(asdict(report)), flush=True)  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
