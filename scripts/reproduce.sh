#!/usr/bin/env bash
# Reproduces the paper's tables and figures with the pair that is served: forecast, runs, tables, figures, report.
#
#   scripts/reproduce.sh [--study paper|quick|full|FILE] [--profile a10g|cpu|PATH] [options of `dualcode reproduce`]
#
#   --study    paper unless told otherwise: Tables 2 and 3 on both suites, whole. quick: a few tasks, minutes
#              with the demo's pair. full: every pipeline
#   --profile  the servers that are started if none run: cpu for quick, else a10g. Servers that run already are
#              used and left running; servers that this starts are stopped at its end
#
#   --forecast  only says what it takes: by the servers that run, else (or with --gpu NAME) computed for the profile,
#              and then nothing is started or downloaded
#
# The same command resumes what was interrupted. `dualcode reproduce --help` tells the other options.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

usage() { sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p}' "$0"; }
die() { printf 'reproduce: %s\n  try: scripts/reproduce.sh --help\n' "$*" >&2; exit 2; }

study=paper profile='' team='' forecast='' rest=()
while [ $# -gt 0 ]; do
  case "$1" in
    --study|--profile|--team)
      [ $# -ge 2 ] || die "$1 needs a value"
      printf -v "${1#--}" '%s' "$2"
      shift 2 ;;
    --forecast) forecast=yes; rest+=("$1"); shift ;;
    -h|--help) usage; exit 0 ;;
    *) rest+=("$1"); shift ;;
  esac
done
[ -n "$profile" ] || { [ "$study" = quick ] && profile=cpu || profile=a10g; }
[ -z "$team" ] || rest+=(--team "$team")

scripts/setup.sh client
dualcode() { .venv/bin/dualcode "$@"; }

# Refuse wrong names before servers are started.
.venv/bin/python - "$study" <<'PY'
import sys
from dualcode.errors import DualcodeError
from dualcode.study.study import load_study
try:
    load_study(sys.argv[1])
except DualcodeError as error:
    print(f"error: {error}", file=sys.stderr)
    sys.exit(error.exit_code)
PY

if [ -n "$forecast" ] && [ -z "$team" ] && ! dualcode serve status >/dev/null 2>&1; then
  exec .venv/bin/dualcode reproduce --study "$study" --profile "$profile" "${rest[@]}"
fi
if [ -z "$team" ] && ! dualcode serve status >/dev/null 2>&1; then
  if [ "$profile" = cpu ]; then
    scripts/setup.sh all
    # A state folder of its own: it neither meets nor stops servers that somebody else started.
    export DUALCODE_STATE_DIR="$PWD/.dualcode/reproduce"
    dualcode serve stop >/dev/null 2>&1 || true
    ports=(--port-free)
  else
    ports=()
  fi
  trap 'dualcode serve stop >/dev/null 2>&1 || true' EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM HUP
  dualcode serve start --profile "$profile" "${ports[@]}"
fi
dualcode reproduce --study "$study" "${rest[@]}"
