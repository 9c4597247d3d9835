"""Stands in for vllm-router: answers once its workers do, and passes /v1/models on to the first."""

import sys
import time
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


def main(arguments: list[str]) -> None:
    print(f"(fake router) {arguments}", flush=True)
    first, end = arguments.index("--worker-urls") + 1, arguments.index("--policy")
    workers = arguments[first:end]
    host, port = arguments[arguments.index("--host") + 1], int(arguments[arguments.index("--port") + 1])
    while not all(map(answers, workers)):
        time.sleep(0.02)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            request = urllib.request.Request(f"{workers[0]}{self.path}", headers=dict(self.headers))
            with urllib.request.urlopen(request) as reply:
                body = reply.read()
            self.send_response(200)
            self.end_headers()
            self.wfile.write(body)

        def do_POST(self) -> None:
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            del format, args

    with ThreadingHTTPServer((host, port), Handler) as server:
        server.serve_forever()


def answers(worker: str) -> bool:
    try:
        with urllib.request.urlopen(f"{worker}/health") as reply:
            return reply.status == 200
    except (urllib.error.URLError, ConnectionError):
        return False


if __name__ == "__main__":
    main(sys.argv[1:])
