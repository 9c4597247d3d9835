#!/usr/bin/env bash
# Sets everything up, then runs all checks and all tests, files side by side. Arguments go to pytest:
# scripts/test.sh -k chat. Tests on real servers start the CPU pair once.
#   scripts/test.sh --quick   for contributors: no servers, no browser, no long files; nothing but .venv is needed
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
export PYTHONUTF8=1  # the files of a checkout are UTF-8, whatever the locale; tests/surroundings.py does the rest
side_by_side=(-n auto)  # tests/conftest.py says what stays together
if [ "${1:-}" = --quick ]; then
  shift
  scripts/setup.sh client
  scripts/check.sh
  exec .venv/bin/python -m pytest "${side_by_side[@]}" -m 'not servers and not browser and not slow' "$@"
fi
scripts/setup.sh all
scripts/setup.sh browser
scripts/check.sh
exec .venv/bin/python -m pytest "${side_by_side[@]}" "$@"
