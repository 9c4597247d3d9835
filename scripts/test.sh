#!/usr/bin/env bash
# Sets everything up, then runs all tests, files side by side, and all checks beside the first of them. Arguments
# go to pytest: scripts/test.sh -k chat. Tests on real servers start the CPU pair once.
#   scripts/test.sh --quick   for contributors: no servers, no browser, no long files; nothing but .venv is needed
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
export PYTHONUTF8=1  # the files of a checkout are UTF-8, whatever the locale; tests/surroundings.py does the rest
scripts/setup.sh client

# Starts a command beside the tests, in a group of its own. What has not ended when this ends is ended with it.
groups=()
beside() { setsid "$@" & groups+=("$!"); }
trap 'for group in "${groups[@]}"; do kill -- "-$group" 2>/dev/null || true; done' EXIT

# More processes than cores: many tests wait, for a limit, a server or a jail.
if [ "${1:-}" = --quick ]; then
  shift
  chosen=(-n $(($(nproc) * 2)) -m 'not servers and not browser and not slow')
else
  # tests/conftest.py says what stays together.
  chosen=(-n $(($(nproc) * 3 / 2)))
  # vLLM and the browser are installed while the first tests run. The lock is held until that has ended, however
  # it ends: the first test that needs them waits for it (tests/setting_up.py).
  export DUALCODE_SETTING_UP="$PWD/.venv/.setting-up"
  beside flock "$DUALCODE_SETTING_UP" -c 'scripts/setup.sh cpu && scripts/setup.sh browser'
fi
# What the checks find is said at once, in one piece. The types alone take half a minute of one core.
beside bash -c 'told=$(scripts/check.sh 2>&1) || { printf "\n%s\n" "$told" >&2; exit 1; }'
failed=0
.venv/bin/python -m pytest "${chosen[@]}" "$@" || failed=$?
for group in "${groups[@]}"; do
  wait "$group" || { echo "what went wrong beside the tests stands above" >&2; failed=1; }
done
exit "$failed"
