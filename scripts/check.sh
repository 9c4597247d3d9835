#!/usr/bin/env bash
# All static checks: style, format, who imports whom (.importlinter), and types, over everything. scripts/check.sh --fix mends what can be mended.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
scripts/setup.sh client
if [ "${1:-}" = --fix ]; then
  .venv/bin/ruff check --fix --quiet .
  .venv/bin/ruff format --quiet .
fi
.venv/bin/ruff check --quiet .
.venv/bin/ruff format --check --quiet .
told=$(.venv/bin/lint-imports) || { printf '%s\n' "$told"; exit 1; }
.venv/bin/pyright
