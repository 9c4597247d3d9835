#!/usr/bin/env bash
# Starts, stops and shows the two vLLM servers: scripts/serve.sh [start|stop|status|logs|build] [--profile a10g|cpu|PATH]
# Without a subcommand: start, profile a10g. `scripts/serve.sh --help` tells the rest.
set -euo pipefail
checkout=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
[ -x "$checkout/.venv/bin/dualcode" ] || "$checkout/scripts/setup.sh" client
exec "$checkout/.venv/bin/python" -m dualcode.serving "$@"
