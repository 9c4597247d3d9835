"""Serving profiles: a folder with vLLM's own YAML per server, and a team.toml that names the servers."""

import tomllib
from collections.abc import Callable, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Literal, cast

import yaml
from pydantic import Field, ValidationError

from dualcode import resources
from dualcode.errors import ProfileError, UnknownNameError
from dualcode.record import Record

TEAM_FILE = "team.toml"


class SmallModel(StrEnum):
    """A small model that can be built here; the value is its name in team.toml."""

    AWQ = "smollm2-awq"
    BF16 = "smollm2-bf16"


class ServerSpec(Record):
    """One `[servers.NAME]` table of a profile's team.toml."""

    config: str
    """vLLM's YAML for this server, relative to the profile's folder."""
    make: SmallModel | None = None
    """A small model that is built first, and served in place of the YAML's own `model`."""
    cores: Literal["all", "share"] = "all"
    """`share` pins the server to its part of the CPU cores, divided among all servers that share."""
    ready_seconds: float = Field(default=600, gt=0)
    """How long the server may take until it answers, downloads of its weights included."""
    env: Mapping[str, str] = {}
    """Environment variables of this server alone, such as CUDA_VISIBLE_DEVICES."""


class Server(Record):
    """A server of a profile, with what its YAML says about how to reach it."""

    name: str
    spec: ServerSpec
    config: Path
    port: int
    model: str
    """The name under which requests ask for the model."""
    shutdown_timeout: float
    """Seconds that vLLM itself waits for requests in flight before it ends."""


class Profile(Record):
    """A folder that says what runs on a machine."""

    name: str
    folder: Path
    servers: tuple[Server, ...]

    @property
    def team_file(self) -> Path:
        """The TOML that binds the roles to these servers."""
        return self.folder / TEAM_FILE

    def in_bf16(self) -> "Profile":
        """Return this profile with bf16 small models in place of AWQ ones; ProfileError if it has none."""
        if all(server.spec.make != SmallModel.AWQ for server in self.servers):
            raise ProfileError(
                f"profile {self.name!r} builds no AWQ model, so there is nothing to serve in bf16 instead"
            )
        bf16 = {"make": SmallModel.BF16}
        servers = [
            server.model_copy(update={"spec": server.spec.model_copy(update=bf16)})
            if server.spec.make == SmallModel.AWQ
            else server
            for server in self.servers
        ]
        return self.model_copy(update={"servers": tuple(servers)})


def known() -> list[str]:
    """Return the names of the profiles that can be found, sorted."""
    return sorted(
        {file.parent.name for room in resources.rooms("serving") for file in room.glob(f"*/{TEAM_FILE}")}
    )


def load(name: str) -> Profile:
    """Return the profile called `name`, or the one in the folder that `name` is a path to.

    A profile that does not exist is an UnknownNameError, one that is wrong a ProfileError.
    """
    by_name = resources.find("serving", f"{name}/{TEAM_FILE}") if "/" not in name else None
    file = by_name or Path(name).expanduser() / TEAM_FILE
    if not file.is_file():
        if "/" in name or Path(name).is_dir():
            raise ProfileError(f"{file} does not exist, so {name} is no serving profile")
        raise UnknownNameError("serving profile", name, known(), hint="dualcode serve start --profile FOLDER")
    folder = file.parent.resolve()
    table = _read(folder / TEAM_FILE, tomllib.loads)
    servers: object = cast(dict[str, object], table).get("servers")
    if not isinstance(servers, dict) or not servers:
        raise ProfileError(f"{folder / TEAM_FILE} has no [servers.NAME] table, so there is nothing to start")
    each = cast(dict[str, object], servers)
    return Profile(
        name=folder.name,
        folder=folder,
        servers=tuple(_server(folder, key, value) for key, value in each.items()),
    )


def _read(file: Path, parse: Callable[[str], object]) -> object:
    try:
        return parse(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, yaml.YAMLError) as error:
        raise ProfileError(f"{file} cannot be read: {error}") from error


def _server(folder: Path, name: str, table: object) -> Server:
    try:
        spec = ServerSpec.model_validate(table)
    except ValidationError as error:
        raise ProfileError(f"{folder / TEAM_FILE}, [servers.{name}]: {explain(error)}") from error
    config = folder / spec.config
    flags = _read(config, yaml.safe_load)
    if not isinstance(flags, dict):
        raise ProfileError(f"{config} must hold vLLM's flags as `name: value` lines")
    settings = cast(dict[str, object], flags)
    model = settings.get("served-model-name") or settings.get("model") or spec.make
    if isinstance(model, list):
        model = str(model[0])  # pyright: ignore[reportUnknownArgumentType] - vLLM takes a list of names too
    if not isinstance(model, str):
        raise ProfileError(f"{config} names no model: it needs `model`, or its [servers.{name}] needs `make`")
    port, patience = settings.get("port", 8000), settings.get("shutdown-timeout", 0)
    if not isinstance(port, int) or not isinstance(patience, int | float):
        raise ProfileError(
            f"{config}: `port` and `shutdown-timeout` are numbers, not {port!r} and {patience!r}"
        )
    return Server(name=name, spec=spec, config=config, port=port, model=model, shutdown_timeout=patience)


def explain(error: ValidationError) -> str:
    """Return a validation error as `key: what is wrong (got VALUE)`, one after the other."""
    return "; ".join(
        f"{'.'.join(map(str, issue['loc']))}: {issue['msg']} (got {issue['input']!r})"
        for issue in error.errors()
    )
