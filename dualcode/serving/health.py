"""What a server says about itself over HTTP."""

import os
from typing import Any

from dualcode.record import Record
from dualcode.serving.environment import API_KEY
from dualcode.serving.running import RunningServer


class Listing(Record):
    """What a server lists of its model."""

    max_model_len: int | None = None
    """The longest context (prompt and answer) in tokens; None if it lists no such model, or did not say."""
    locked: bool = False
    """Whether it wants another API key than ours."""

    @property
    def ready(self) -> bool:
        """Whether the server serves its model, be it not to us."""
        return self.locked or self.max_model_len is not None


def healthy(server: RunningServer, *, timeout: float = 5) -> bool:
    """Whether the server answers /health with 200."""
    import httpx  # a fifth of a second, which `dualcode --help` does not need

    try:
        # A proxy of the user's has nothing to do with a server of this machine.
        return httpx.get(f"{server.root_url}/health", timeout=timeout, trust_env=False).status_code == 200
    except httpx.HTTPError:
        return False


def listing(server: RunningServer, *, timeout: float = 5) -> Listing:
    """Return what /v1/models says of the model, asked with the key in $VLLM_API_KEY if there is one."""
    import httpx

    key = os.environ.get(API_KEY)
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    try:
        reply = httpx.get(f"{server.base_url}/models", headers=headers, timeout=timeout, trust_env=False)
        if reply.status_code == 401:
            return Listing(locked=True)
        models: list[dict[str, Any]] = reply.raise_for_status().json()["data"]
    except (httpx.HTTPError, ValueError, KeyError):
        return Listing()
    return Listing(
        max_model_len=next((each["max_model_len"] for each in models if each["id"] == server.model), None)
    )
