"""Makes the small real model's checkpoints: SmolLM2-135M-Instruct in bf16 and in 4-bit AWQ.

This package runs inside vLLM's interpreter, which need not have dualcode's own dependencies, so nothing in
it imports the rest of dualcode. `awq` is numpy alone; `source` and `recipe` need torch and transformers.
"""
