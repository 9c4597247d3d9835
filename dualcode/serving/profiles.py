"""Serving profiles: a folder with vLLM's own YAML per server, and a team.toml that names the servers."""

import hashlib
import json
import tomllib
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from itertools import combinations
from pathlib import Path
from typing import Any, Literal, cast

import yaml
from pydantic import Field, ValidationError

from dualcode import resources
from dualcode.config import TeamConfig, explain, load_team
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
    host: str = ""
    """The machine that it runs on, by any name, where the profile's servers are on several."""
    after: str | None = None
    """A server of this profile that must answer before this one is started: two that share a GPU would
    disturb each other's measuring of its memory."""
    replicas: int = Field(default=1, ge=0)
    """How many servers of this kind share the work behind one router, which takes the YAML's port."""
    workers: tuple[str, ...] = ()
    """Servers of the same model that run elsewhere and share the work, such as `http://10.0.0.2:8001`."""
    env: Mapping[str, str] = {}
    """Environment variables of this server alone, such as CUDA_VISIBLE_DEVICES, whose devices replicas
    divide among them."""


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
    flags: Mapping[str, Any]
    """vLLM's flags as the YAML has them."""

    def of_small(self, model: SmallModel, **flags: str) -> "Server":
        """Return this server with another small model and other flags of vLLM's."""
        spec = self.spec.model_copy(update={"make": model})
        return self.model_copy(update={"spec": spec, "flags": {**self.flags, **flags}})

    @property
    def routed(self) -> bool:
        """Whether a router stands before it."""
        return self.spec.replicas > 1 or bool(self.spec.workers)

    @property
    def worker_roots(self) -> list[str]:
        """Where the servers elsewhere are, without `/v1`."""
        return [worker.rstrip("/").removesuffix("/v1") for worker in self.spec.workers]

    @property
    def weights(self) -> str | None:
        """The folder or hub name that the YAML names; None for a small model that is built here."""
        model = self.flags.get("model")
        return None if self.spec.make or model is None else str(model)

    @property
    def revision(self) -> str:
        """The branch, tag or commit of the weights."""
        return str(self.flags.get("revision") or "main")

    @property
    def gpus(self) -> list[str]:
        """What CUDA_VISIBLE_DEVICES names, by index or UUID; empty where the profile pins it to none."""
        named = self.spec.env.get("CUDA_VISIBLE_DEVICES", "").split(",")
        return [device for each in named if (device := each.strip())]

    @property
    def devices(self) -> list[str | None]:
        """What CUDA_VISIBLE_DEVICES says to each replica; None where the profile pins it to none."""
        gpus, size = self.gpus, len(self.gpus) // max(1, self.spec.replicas)
        parts = (gpus[index * size : (index + 1) * size] for index in range(self.spec.replicas))
        return [",".join(part) if gpus else None for part in parts]


class Profile(Record):
    """A folder that says what runs on a machine."""

    name: str
    folder: Path
    servers: tuple[Server, ...]

    @property
    def team_file(self) -> Path:
        """The TOML that binds the roles to these servers."""
        return self.folder / TEAM_FILE

    @property
    def checksum(self) -> str:
        """What its servers are started with, in twelve hex digits: an edited profile has another."""
        told = [[each.name, each.spec.model_dump(mode="json"), dict(each.flags)] for each in self.servers]
        return hashlib.sha256(json.dumps(told, default=str).encode()).hexdigest()[:12]

    @property
    def builds(self) -> bool:
        """Whether a server of it has a small model that is built here."""
        return any(server.spec.make for server in self.servers)

    def in_bf16(self) -> "Profile":
        """Return this profile with bf16 small models in place of AWQ ones; ProfileError if it has none."""
        if all(server.spec.make != SmallModel.AWQ for server in self.servers):
            raise ProfileError(
                f"profile {self.name!r} builds no AWQ model, so there is nothing to serve in bf16 instead"
            )
        return self._built(lambda server: server.of_small(SmallModel.BF16))

    def in_float32(self) -> "Profile":
        """Return this profile with its small models from their bf16 weights, computed with in float32.

        For CPUs without AVX512: they have no kernel for 4-bit weights, and emulate bf16 (a product of 256
        rows took eight times as long as in float32).
        """
        return self._built(lambda server: server.of_small(SmallModel.BF16, dtype="float32"))

    def _built(self, change: Callable[[Server], Server]) -> "Profile":
        servers = tuple(change(server) if server.spec.make else server for server in self.servers)
        return self.model_copy(update={"servers": servers})


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
    table = cast(dict[str, object], _read(folder / TEAM_FILE, tomllib.loads))
    servers = table.get("servers")
    if not isinstance(servers, dict) or not servers:
        raise ProfileError(f"{folder / TEAM_FILE} has no [servers.NAME] table, so there is nothing to start")
    # Refuse now what `eval` would refuse after the servers had started.
    if unknown := [key for key in table if key not in TeamConfig.model_fields]:
        keys = ", ".join(TeamConfig.model_fields)
        raise ProfileError(f"{folder / TEAM_FILE}: unknown key {', '.join(unknown)}; expected one of: {keys}")
    if "endpoints" in table:
        load_team(folder / TEAM_FILE)
    each = cast(dict[str, object], servers)
    profile = Profile(
        name=folder.name,
        folder=folder,
        servers=tuple(_server(folder, key, value) for key, value in each.items()),
    )
    _check_order(profile)
    _check_devices(profile)
    return profile


def _check_order(profile: Profile) -> None:
    by_name = {server.name: server for server in profile.servers}
    for server in profile.servers:
        seen = [server.name]
        while (before := by_name[seen[-1]].spec.after) is not None:
            if before not in by_name:
                raise ProfileError(
                    f"{profile.team_file}, [servers.{seen[-1]}]: after names server {before!r}; "
                    f"there are: {', '.join(by_name)}"
                )
            if before in seen:
                raise ProfileError(f"{profile.team_file}: {' after '.join([*seen, before])}: none can begin")
            seen.append(before)


def predecessors(server: Server, servers: Sequence[Server]) -> list[str]:
    """Return the servers that must answer before this one starts, those of theirs included."""
    by_name = {each.name: each for each in servers}
    found: list[str] = []
    while (before := server.spec.after) is not None:
        found.append(before)
        server = by_name[before]
    return found


def _check_devices(profile: Profile) -> None:
    where = f"{profile.team_file}, [servers."
    held: dict[tuple[str, str], list[Server]] = {}
    for server in profile.servers:
        count, replicas = len(server.gpus), server.spec.replicas
        if count and replicas and count % replicas:
            raise ProfileError(
                f"{where}{server.name}]: {replicas} replicas cannot share {count} GPUs evenly "
                f"(CUDA_VISIBLE_DEVICES = {','.join(server.gpus)!r})"
            )
        if not replicas and not server.spec.workers:
            raise ProfileError(f"{where}{server.name}]: no replicas and no workers: nothing would answer")
        for device in dict.fromkeys(server.gpus):
            held.setdefault((server.spec.host, device), []).append(server)
    for (_, device), servers in held.items():
        for first, second in combinations(servers, 2):
            ordered = {*predecessors(first, profile.servers), *predecessors(second, profile.servers)}
            if ordered.isdisjoint((first.name, second.name)):
                raise ProfileError(
                    f"{profile.team_file}: {first.name} and {second.name} share GPU {device} and would start "
                    f"side by side, which disturbs how each measures its memory",
                    hint=f'after = "{first.name}" in [servers.{second.name}], as serving/one-80gb has it',
                )
        share = sum(float(each.flags.get("gpu-memory-utilization", 0.92)) for each in servers)
        if len(servers) > 1 and share > 1:
            raise ProfileError(
                f"{profile.team_file}: {' and '.join(each.name for each in servers)} ask for {share:.2f} of "
                f"GPU {device}'s memory together (gpu-memory-utilization)"
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
        raise ProfileError(f"{folder / TEAM_FILE}, [servers.{name}]: {explain(error, ServerSpec)}") from error
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
    return Server(
        name=name, spec=spec, config=config, port=port, model=model, shutdown_timeout=patience, flags=settings
    )
