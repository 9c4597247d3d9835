"""From a profile to processes: which are started, in which order, with which command and environment."""

import os
import shlex
import shutil
import time
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Literal

from dualcode import machine
from dualcode.errors import ProfileError, ServingError
from dualcode.record import Record
from dualcode.serving import environment, processes
from dualcode.serving.hub import Weights
from dualcode.serving.interpreter import CHECKOUT
from dualcode.serving.logs import log_folder
from dualcode.serving.profiles import Profile, Server, SmallModel, predecessors
from dualcode.serving.running import Kind, RunningServer

ENTRY = "vllm.entrypoints.openai.api_server"
ROUTER = "DUALCODE_VLLM_ROUTER"
"""The environment variable that names vllm-router, which stands before the replicas of a model."""
POLICY = "sticky_least_loaded"
PATIENT_SECONDS = 86_400
"""The router's own limit of a request: ours is the client's."""
Ports = Mapping[str, int] | Literal["free"] | None


class Launch(Record):
    """How one process is going to be started."""

    name: str
    """The server's, with a number behind it for a replica."""
    kind: Kind
    server: Server
    host: str
    port: int
    command: tuple[str, ...]
    settings: Mapping[str, str]
    """Environment variables beyond the inherited ones; never a secret."""
    cores: tuple[int, ...] | None
    log: Path
    weights: str
    commit: str | None
    missing_bytes: int | None
    """Of the weights, that are to be downloaded."""
    after: tuple[str, ...]
    """The processes that must answer before."""

    @property
    def rerun(self) -> str:
        """The shell line that starts this server in the foreground."""
        words = [f"{key}={shlex.quote(value)}" for key, value in self.settings.items()]
        folder = shlex.quote(str(self.server.config.parent))
        return f"cd {folder} && {' '.join([*words, shlex.join(self.command)])}"


def names_of(server: Server) -> list[str]:
    """Return the processes of a server: itself, or its replicas and then the router."""
    return [*own_of(server), server.name] if server.routed else own_of(server)


def own_of(server: Server) -> list[str]:
    """Return the processes of a server that run vLLM here: itself, or its replicas."""
    numbers = range(1, server.spec.replicas + 1)
    return [f"{server.name}-{number}" for number in numbers] if server.routed else [server.name]


def choose_ports(profile: Profile, servers: Sequence[Server], host: str, ports: Ports) -> dict[str, int]:
    """Return the port of each process; ProfileError or ServingError if one cannot be had."""
    names = [server.name for server in servers]
    named: Mapping[str, int] = {} if ports is None or ports == "free" else ports
    if unknown := set(named) - {server.name for server in profile.servers}:
        raise ProfileError(f"profile {profile.name!r} has no server {sorted(unknown)}; it has {names}")
    replicas = [name for server in servers if server.routed for name in own_of(server)]
    inner = dict(zip(replicas, processes.free_ports(len(replicas), "127.0.0.1"), strict=True))
    if ports == "free":
        return inner | dict(zip(names, processes.free_ports(len(names), host), strict=True))
    chosen = {server.name: named.get(server.name, server.port) for server in servers}
    for name, port in chosen.items():
        if list(chosen.values()).count(port) > 1:
            raise ProfileError(f"port {port} is given to more than one server of profile {profile.name!r}")
        if not processes.port_is_free(host, port):
            raise ServingError(
                f"port {port} of {host}, which the {name} wants, is in use by {processes.holder(port)}",
                hint="dualcode serve start --port-free",
            )
    return inner | chosen


def launches(
    profile: Profile,
    servers: Sequence[Server],
    python: Path,
    host: str,
    ports: Mapping[str, int],
    models: Mapping[SmallModel, Path],
    weights: Mapping[str, Weights],
    state: Path,
) -> list[Launch]:
    """Return the processes of these servers in an order in which they can be started."""
    sharing = [name for each in profile.servers if each.spec.cores == "share" for name in own_of(each)]
    usable = sorted(os.sched_getaffinity(0))[: machine.cores()]
    shares = environment.split_cores(usable, len(sharing)) if sharing else []
    cores = dict(zip(sharing, shares, strict=True))

    found: list[Launch] = []
    for server in servers:
        make = server.spec.make
        exact = weights.get(server.name)
        folder = str(models[make]) if make else server.weights or server.model
        before = [
            name
            for each in profile.servers
            if each.name in predecessors(server, profile.servers)
            for name in names_of(each)
        ]
        process = partial(Launch, server=server, weights=folder, commit=exact.commit if exact else None)
        own = own_of(server)
        for name, devices in zip(own, server.devices, strict=True):
            # Only the router speaks to replicas; a server without one is reached from where the user says.
            address = "127.0.0.1" if server.routed else host
            command = [str(python), "-m", ENTRY, "--config", str(server.config)]
            command += ["--host", address, "--port", str(ports[name])]
            if make:
                command += ["--model", folder, "--served-model-name", server.model]
                command += ["--dtype", str(server.flags.get("dtype", "auto"))]
            if exact:
                command += ["--revision", exact.commit, "--tokenizer-revision", exact.commit]
            share = cores.get(name)
            settings = {**(environment.for_cores(share) if share else {}), **server.spec.env}
            if devices is not None:
                settings["CUDA_VISIBLE_DEVICES"] = devices
            found.append(
                process(
                    name=name, kind="replica" if server.routed else "server", host=address,
                    port=ports[name], command=tuple(command), settings=settings, cores=share,
                    log=log_folder(state) / f"{name}.log",
                    missing_bytes=exact.missing_bytes if exact else 0, after=tuple(before),
                )
            )  # fmt: skip
        if server.routed:
            workers = [*(f"http://127.0.0.1:{ports[name]}" for name in own), *server.worker_roots]
            (metrics,) = processes.free_ports(1, "127.0.0.1")
            command = router_command(
                find_router(), workers, host=host, port=ports[server.name], metrics_port=metrics,
                ready_seconds=server.spec.ready_seconds,
            )  # fmt: skip
            found.append(
                process(
                    name=server.name, kind="router", host=host, port=ports[server.name],
                    command=tuple(command), settings={}, cores=None,
                    log=log_folder(state) / f"{server.name}.log", missing_bytes=0, after=tuple(own),
                )
            )  # fmt: skip
    return found


def find_router() -> Path:
    """Return the router's program; ServingError names where it was looked for."""
    if named := os.environ.get(ROUTER):
        if shutil.which(named):
            return Path(named)
        raise ServingError(f"${ROUTER} names no program: {named!r}", hint="scripts/setup.sh router")
    own = CHECKOUT / ".venv-router/bin/vllm-router"
    found = own if own.is_file() else shutil.which("vllm-router")
    if found is None:
        raise ServingError(
            f"replicas need vllm-router, which is neither {own} nor on PATH", hint="scripts/setup.sh router"
        )
    return Path(found)


def router_command(
    program: Path, workers: Sequence[str], *, host: str, port: int, metrics_port: int, ready_seconds: float
) -> list[str]:
    """Return the command line of a router before these servers (their root URLs).

    It is told to stay out of dualcode's records: it retries nothing, keeps no queue and opens no circuit, so
    that an attempt of a call is one request to one server. A session's requests go to one replica, and a
    session's first to the one with the fewest requests: a fix finds the prefix of its draft where it was
    made. (Measured with 0.1.17: of 60 drafts and their fixes 60 met again and the halves were even;
    `cache_aware` split them at random once requests overlapped, and tried a refused request three times in
    spite of `--disable-retries`.)
    """
    return [
        str(program), "--worker-urls", *workers, "--policy", POLICY, "--host", host, "--port", str(port),
        "--disable-retries", "--disable-circuit-breaker", "--queue-size", "0",
        "--max-concurrent-requests", "65536", "--request-timeout-secs", str(PATIENT_SECONDS),
        "--worker-startup-timeout-secs", str(round(ready_seconds)),
        "--health-check-interval-secs", "10", "--log-level", "warning",
        "--prometheus-host", "127.0.0.1", "--prometheus-port", str(metrics_port),
    ]  # fmt: skip


def spawn(launch: Launch) -> RunningServer:
    """Start a process; the log of the start before is kept beside its own."""
    launch.log.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    if launch.log.exists():
        launch.log.replace(launch.log.with_name(f"{launch.log.name}.1"))
    launch.log.touch(mode=0o600)
    env = environment.scrubbed(launch.settings, secrets=launch.kind != "router")
    pid, created = processes.spawn(
        launch.command,
        cwd=launch.server.config.parent,
        env=environment.with_own_programs(env, Path(launch.command[0])),
        log=launch.log,
        cores=launch.cores,
    )
    reach = "127.0.0.1" if launch.host in ("0.0.0.0", "::") else launch.host
    return RunningServer(
        name=launch.name,
        kind=launch.kind,
        of=launch.server.name,
        pid=pid,
        created=created,
        host=launch.host,
        port=launch.port,
        base_url=f"http://{f'[{reach}]' if ':' in reach else reach}:{launch.port}/v1",
        model=launch.server.model,
        weights=launch.weights,
        commit=launch.commit,
        log=launch.log,
        cores=launch.cores,
        shutdown_timeout=launch.server.shutdown_timeout,
        started=time.time(),
    )
