#!/usr/bin/env bash
# Shows dualcode at work on this machine, without a GPU: two real vLLM servers with a small real model write,
# review and fix real tasks, which are then graded.
#
#   scripts/demo.sh [--pipeline NAME] [--dataset NAME] [--limit N] [--bf16]
#
#   --pipeline  review-fix unless told otherwise, or several with commas; see `dualcode pipelines`
#   --dataset   only this one. Otherwise the mini suite, then the first HumanEval tasks (with EvalPlus's
#               tests where its data is on this machine, else with HumanEval's own)
#   --limit     so many tasks of each dataset. Otherwise the whole mini suite and 8 HumanEval tasks
#   --bf16      serve the coder in bf16 instead of 4-bit AWQ
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

usage() { sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p}' "$0"; }
die() { printf 'demo: %s\n  try: scripts/demo.sh --help\n' "$*" >&2; exit 2; }

pipeline=review-fix dataset='' limit='' precision=()
while [ $# -gt 0 ]; do
  case "$1" in
    --pipeline|--dataset|--limit)
      [ $# -ge 2 ] || die "$1 needs a value"
      printf -v "${1#--}" '%s' "$2"
      shift 2 ;;
    --bf16) precision=(--bf16); shift ;;
    -h|--help) usage; exit 0 ;;
    *) die "unknown option '$1'" ;;
  esac
done
[[ $limit =~ ^[1-9][0-9]*$|^$ ]] || die "--limit takes a whole number from 1 on, not '$limit'"

scripts/setup.sh all

# A state folder of the demo's own: it neither meets nor stops servers that somebody else started.
export DUALCODE_STATE_DIR="$PWD/.dualcode/demo"
dualcode() { .venv/bin/dualcode "$@"; }
stop() { dualcode serve stop >/dev/null 2>&1 || true; }
trap stop EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

# Refuse wrong names before servers are started.
dualcode pipelines --check "$pipeline"
[ -z "$dataset" ] || dualcode datasets --check "$dataset"

stop
printf '\n== two vLLM servers, one writes, one reviews\n'
dualcode serve start --profile cpu --port-free "${precision[@]}"

job() {
  printf '\n== %s on %s\n' "$pipeline" "$1"
  dualcode eval --pipeline "$pipeline" --dataset "$1" ${2:+--limit "$2"} --fresh --no-ledger
}
if [ -n "$dataset" ]; then
  job "$dataset" "$limit"
else
  job mini "$limit"
  if dualcode datasets --check humaneval 2>/dev/null; then humaneval=humaneval; else humaneval=humaneval-base; fi
  job "$humaneval" "${limit:-8}"
fi
printf '\nThe model is SmolLM2-135M: it shows that everything works, not what a pair can do.\n'
printf 'Look at a task: .venv/bin/dualcode show RUN TASK, with a run and a task from above.\n'
printf 'Stopping the servers.\n'
