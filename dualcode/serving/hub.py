"""Weights on the Hugging Face hub: what its cache on this machine holds, and which commit a name means."""

import contextlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dualcode.errors import ServingError
from dualcode.record import Record

PATIENCE = 10.0
"""Seconds that the hub may take to answer a question."""


class Weights(Record):
    """The exact weights that a server is to serve."""

    commit: str
    missing_bytes: int | None
    """Of what the cache lacks; 0: nothing. None where the hub did not say how large it is."""


def cache(environment: Mapping[str, str]) -> Path:
    """Return the hub's cache folder as a process with this environment uses it."""
    user = environment.get("XDG_CACHE_HOME") or f"{environment.get('HOME', '~')}/.cache"
    home = environment.get("HF_HOME") or f"{user}/huggingface"
    named = environment.get("HF_HUB_CACHE") or environment.get("HUGGINGFACE_HUB_CACHE")
    return Path(named or f"{home}/hub").expanduser()


def repository(name: str, environment: Mapping[str, str]) -> Path:
    """Return the folder in the cache that a model's files lie in, once they do."""
    return cache(environment) / f"models--{name.replace('/', '--')}"


def snapshot(name: str, revision: str, environment: Mapping[str, str]) -> Path | None:
    """Return the folder of a revision's files if the cache has all of them; its name is the commit."""
    folder = repository(name, environment)
    commit = revision
    with contextlib.suppress(OSError):
        commit = (folder / "refs" / revision).read_text().strip()
    found = folder / "snapshots" / commit
    return found if _whole(found) else None


def held_bytes(name: str, environment: Mapping[str, str]) -> int:
    """Return how much of a model's files has arrived, those half done included."""
    total = 0
    for file in (repository(name, environment) / "blobs").glob("*"):
        with contextlib.suppress(OSError):
            total += file.stat().st_size
    return total


def weights(name: str, revision: str, environment: Mapping[str, str]) -> Weights:
    """Return the commit that a revision means, which is the cached one where there is one.

    ServingError if the hub has no such model or revision, does not let us read it, or cannot be reached.
    """
    if found := snapshot(name, revision, environment):
        return Weights(commit=found.name, missing_bytes=0)
    for variable in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"):
        if environment.get(variable, "").lower() in ("1", "on", "yes", "true"):
            raise ServingError(
                f"{name} at {revision} is not in {cache(environment)}, and ${variable} forbids to fetch it",
                hint=f"unset {variable}, or download it elsewhere and set HF_HUB_CACHE",
            )
    told = _ask(name, revision, environment)
    sizes = [each.get("size") for each in told.get("siblings", [])]
    known = sum(size for size in sizes if size) if sizes and None not in sizes else None
    missing = None if known is None else max(0, known - held_bytes(name, environment))
    return Weights(commit=str(told["sha"]), missing_bytes=missing)


def _whole(folder: Path) -> bool:
    index = folder / "model.safetensors.index.json"
    if not (folder / "config.json").is_file():
        return False
    if not index.is_file():
        return any(folder.glob("*.safetensors"))
    with contextlib.suppress(OSError, ValueError, AttributeError):
        needed: dict[str, str] = json.loads(index.read_text()).get("weight_map", {})
        return all((folder / file).is_file() for file in set(needed.values()))
    return False


def _ask(name: str, revision: str, environment: Mapping[str, str]) -> dict[str, Any]:
    """Return what the hub says of a model at a revision."""
    import httpx  # a fifth of a second, which `dualcode --help` does not need

    hub = environment.get("HF_ENDPOINT", "").rstrip("/") or "https://huggingface.co"
    token = environment.get("HF_TOKEN", "").strip()
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    try:
        reply = httpx.get(
            f"{hub}/api/models/{name}/revision/{revision}",
            params={"blobs": "true"},
            headers=headers,
            timeout=PATIENCE,
            follow_redirects=True,
        )
    except (httpx.HTTPError, httpx.InvalidURL, ImportError, ValueError) as error:
        raise ServingError(
            f"{hub} cannot be reached for {name}, which is not in {cache(environment)}"
            f" ({type(error).__name__}: {error})",
            hint="mend the connection (HTTPS_PROXY, HF_ENDPOINT), or fetch it elsewhere and set HF_HUB_CACHE",
        ) from error
    code = reply.headers.get("X-Error-Code", "")
    if reply.status_code == 404 and code != "RepoNotFound":
        raise ServingError(
            f"{name} has no revision {revision!r} on {hub}", hint="correct `revision` in the YAML"
        )
    if reply.status_code in (401, 403, 404):
        words = "is gated" if code == "GatedRepo" else "does not exist, or is not ours to read"
        raise ServingError(
            f"{name} {words} on {hub} (HTTP {reply.status_code})",
            hint="correct `model` in the YAML, or accept the model's terms and set HF_TOKEN",
        )
    try:
        found: dict[str, Any] = reply.raise_for_status().json()
        return {**found, "sha": found["sha"]}
    except (httpx.HTTPError, ValueError, KeyError, TypeError) as error:
        raise ServingError(
            f"{hub} answered HTTP {reply.status_code} for {name}", hint="try again later"
        ) from error
