#!/usr/bin/env bash
# Sets everything up, then runs all checks and all tests, files side by side. Arguments go to pytest:
# scripts/test.sh -k chat. Tests on real servers start the CPU pair once.
#   scripts/test.sh --quick   for contributors: no servers, no browser, no long files; nothing but .venv is needed
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
export PYTHONUTF8=1  # the files of a checkout are UTF-8, whatever the locale; tests/surroundings.py does the rest
# Half as many processes again as cores: many tests wait, for a limit, a server or a jail. tests/conftest.py says
# what stays together.
side_by_side=(-n $(($(nproc) * 3 / 2)))
scripts/setup.sh client
if [ "${1:-}" = --quick ]; then
  shift
  scripts/check.sh
  exec .venv/bin/python -m pytest "${side_by_side[@]}" -m 'not servers and not browser and not slow' "$@"
fi
# vLLM and the browser are installed while the checks and the first tests run. The lock is held until that has
# ended, however it ends: the first test that needs them waits for it (tests/setting_up.py).
export DUALCODE_SETTING_UP="$PWD/.venv/.setting-up"
setsid flock "$DUALCODE_SETTING_UP" -c 'scripts/setup.sh cpu && scripts/setup.sh browser' &
setting_up=$!
trap 'kill -- "-$setting_up" 2>/dev/null || true' EXIT
scripts/check.sh
.venv/bin/python -m pytest "${side_by_side[@]}" "$@"
wait "$setting_up"
