#!/usr/bin/env bash
# Sets everything up, then runs all checks and all tests. Arguments go to pytest: scripts/test.sh -k chat
# Tests on real servers start the CPU pair once; scripts/test.sh -m 'not servers' leaves them out.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
scripts/setup.sh all
scripts/setup.sh browser
scripts/check.sh
exec .venv/bin/python -m pytest "$@"
