# pyright: basic, reportMissingImports=false
# vLLM lives in an environment of its own, which the type checker of this one cannot see.
"""Runs in vLLM's interpreter: whether the server's own parser takes each YAML, one JSON line each."""

import contextlib
import io
import json
import os
import sys
from pathlib import Path

from vllm.entrypoints.launchers.cli_args import make_arg_parser, validate_parsed_serve_args
from vllm.utils.argparse_utils import FlexibleArgumentParser

for file in map(Path, sys.argv[1:]):
    os.chdir(file.parent)  # as the servers are started: files named in the YAML lie beside it
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said):
            validate_parsed_serve_args(
                make_arg_parser(FlexibleArgumentParser()).parse_args(["--config", str(file)])
            )
        told = None
    except SystemExit:
        told = said.getvalue()[-2000:]
    except Exception as error:
        told = f"{type(error).__name__}: {error}"
    print(json.dumps({"file": str(file), "refused": told}))
