"""What a server says about itself over HTTP."""

import os
from typing import Any

from dualcode.serving.environment import API_KEY
from dualcode.serving.running import RunningServer


def healthy(server: RunningServer, *, timeout: float = 5) -> bool:
    """Whether the server answers /health with 200."""
    import httpx  # a fifth of a second, which `dualcode --help` does not need

    try:
        # A proxy of the user's has nothing to do with a server of this machine.
        return httpx.get(f"{server.root_url}/health", timeout=timeout, trust_env=False).status_code == 200
    except httpx.HTTPError:
        return False


def max_model_len(server: RunningServer, *, timeout: float = 5) -> int | None:
    """Return the longest context (prompt and answer) in tokens; None if the server lists no such model."""
    import httpx

    key = os.environ.get(API_KEY)
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    try:
        reply = httpx.get(f"{server.base_url}/models", headers=headers, timeout=timeout, trust_env=False)
        models: list[dict[str, Any]] = reply.raise_for_status().json()["data"]
    except (httpx.HTTPError, ValueError, KeyError):
        return None
    return next((each.get("max_model_len", 0) for each in models if each.get("id") == server.model), None)
