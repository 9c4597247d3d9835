"""A forecast before any server runs: speeds computed or from a table, downloads and disk beside them."""

import os
from collections.abc import Sequence

from dualcode.config import TeamConfig, load_team
from dualcode.models.endpoints import Served
from dualcode.record import Record
from dualcode.serving import hub, profiles
from dualcode.serving.facts import Facts, load_facts
from dualcode.serving.plan import plan
from dualcode.serving.profiles import Profile
from dualcode.study.forecast import Forecast, Range
from dualcode.study.known import Known

DEFAULT_GPU = {"a10g": "a10g", "two-hosts": "a10g", "one-80gb": "a100-80gb", "two-24gb": "rtx-3090"}
"""The card that a shipped profile is made for."""
TASK_BYTES = 7_300
"""Of a run's folder for a task: measured on 10,000 tasks of review-fix with short replies (73 MB)."""
TOKEN_BYTES = 8
"""Of a completion token: about four letters, in a run's record and once more in the ledger."""
NOWHERE = "http://127.0.0.1:1/v1"


class Basis(Record):
    """What a forecast without servers rests on."""

    profile: str
    gpu: str | None
    """None for a profile that needs none."""
    rates: dict[str, float]
    """Endpoint to tokens a second, as many requests at once as the profile lets."""
    sources: tuple[str, ...]
    """Where the rates are from, and whether they are computed or measured."""
    download_gib: float
    """Of weights that the cache on this machine does not have."""


def offline(profile_name: str, gpu: str | None) -> tuple[TeamConfig, Known, dict[str, Served], Basis]:
    """Return a profile's team with speeds that were not tried. Raises any ConfigError."""
    profile, facts = profiles.load(profile_name), load_facts()
    addresses = {server.name: NOWHERE for server in profile.servers}
    config = load_team(profile.team_file).resolved(addresses)
    on_gpu = any(server.spec.env.get("CUDA_VISIBLE_DEVICES") for server in profile.servers)
    card = (gpu or DEFAULT_GPU.get(profile.name, "a10g")) if on_gpu else None
    rates, sources = _rates(profile, config, card, facts)
    known = Known()
    for name, rate in rates.items():
        known.made[name], known.spans[name] = round(rate * 1000), [(0.0, 1000.0)]
    missing = [
        shape.weights_gib
        for server in profile.servers
        if (name := server.weights)
        and (shape := facts.models.get(name))
        and hub.snapshot(name, server.revision, {**os.environ, **server.spec.env}) is None
    ]
    served = {name: Served(model=each.model, root=None) for name, each in config.endpoints.items()}
    basis = Basis(profile=profile.name, gpu=card, rates=rates, sources=sources, download_gib=sum(missing))
    return config, known, served, basis


def disk(found: Forecast) -> Range:
    """Return the bytes that a study's runs and their ledger will take."""
    tasks = sum(row.tasks for row in found.rows)
    tokens = sum((completion for _, completion in found.tokens().values()), Range(least=0, most=0))
    ends = tokens.times(TOKEN_BYTES)
    return Range(least=tasks * TASK_BYTES, most=tasks * TASK_BYTES + ends.most)


def notes(basis: Basis, found: Forecast) -> Sequence[str]:
    """Return what stands below a forecast that no server was asked for."""
    on = f" on {basis.gpu}" if basis.gpu else ""
    room = disk(found)
    most = f"{room.most / 1e6:.0f} MB" if room.most >= 1e6 else f"{room.most / 1e3:.0f} kB"
    return [
        f"NOT MEASURED: no server was asked; profile {basis.profile}{on}, "
        + ", ".join(f"{name} {rate:.0f} tokens/s" for name, rate in basis.rates.items()),
        *basis.sources,
        f"download: {basis.download_gib:.1f} GiB of weights that this machine has not; "
        f"disk: at most {most} of runs",
    ]


def _rates(
    profile: Profile, config: TeamConfig, card: str | None, facts: Facts
) -> tuple[dict[str, float], tuple[str, ...]]:
    rates: dict[str, float] = {}
    sources: list[str] = []
    plans = {each.model: each for each in plan(profile, facts.gpu(card), facts)} if card else {}
    replicas = {each.model: each.spec.replicas + len(each.spec.workers) for each in profile.servers}
    for name, endpoint in config.endpoints.items():
        if found := plans.get(endpoint.model):
            rates[name] = found.tokens_per_second_full * replicas.get(endpoint.model, 1)
            sources.append(
                f"{name}: computed from {found.weights:.1f} GiB of weights and the card's bandwidth "
                f"(dualcode serve plan --gpu {card} --profile {profile.name})"
            )
        elif rate := facts.rates.get(endpoint.model):
            rates[name] = rate.tokens_per_second
            sources.append(f"{name}: {rate.source}")
        else:
            sources.append(f"{name}: no speed is known of {endpoint.model} (serving/facts.toml)")
    return rates, tuple(sources)
