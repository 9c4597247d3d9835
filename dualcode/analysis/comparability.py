"""In what runs differ beyond their pipelines: what a reader must know before comparing their numbers."""

import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, cast

from dualcode.analysis.runs import Run
from dualcode.models.endpoints import Served
from dualcode.record import Record

Kind = Literal[
    "suite",
    "data",
    "selection",
    "pipeline",
    "team",
    "sampling",
    "prompts",
    "code",
    "packages",
    "drafts",
    "errored",
    "seal",
]
NOT_COMPARABLE: frozenset[Kind] = frozenset({"suite", "data", "selection"})
"""What makes two pass@1 rates of different things: at most the tasks that the runs share can be compared."""
NAMED = 4
"""How many tasks a sentence names."""

_NO_INFLUENCE = {"model", "concurrency", "price"}
"""Of an endpoint: its alias is said with what is served, and the others change no reply."""


class Difference(Record):
    """One way in which runs differ."""

    kind: Kind
    text: str
    """A sentence for people that names the values and the runs' ids."""

    @property
    def breaks(self) -> bool:
        """Whether the runs' rates are not of the same tasks and tests."""
        return self.kind in NOT_COMPARABLE


def differences(runs: Sequence[Run]) -> tuple[str, ...]:
    """Return sentences on what makes runs not comparable, the worst first; none for runs that are alike."""
    return tuple(each.text for each in find_differences(runs))


def find_differences(runs: Sequence[Run]) -> tuple[Difference, ...]:
    """Return everything in which runs differ beyond their pipelines, the worst first.

    Data, selections and first drafts are compared within a suite; models, sampling and limits by role, among
    the runs that use the role.
    """
    suites = [[run for run in runs if run.dataset == name] for name in dict.fromkeys(r.dataset for r in runs)]
    found = [
        Difference(kind="seal", text=f"{run.id}: {run.change} (dualcode audit)")
        for run in runs
        if run.changed
    ]
    found += _differing("suite", "not comparable: different suites", runs, lambda run: run.dataset)
    for own in suites:
        found += _differing(
            "data", f"not comparable: different data of {own[0].dataset}", own, lambda run: run.data
        )
    for own in suites:
        found += _selections(own)
    for own in suites:
        found += _by_name("pipeline", own, _source)
    found += _by_name("team", runs, _team)
    found += _by_name("sampling", runs, _sampling)
    found += _by_name(
        "prompts", runs, lambda run: {f"the prompt {name}": sha[:8] for name, sha in run.made.prompts.items()}
    )
    found += _differing("code", "dualcode's code", runs, lambda run: run.made.code[:12])
    for package in sorted({name for run in runs for name in run.made.packages} - {"python"}):
        found += _differing(
            "packages", package, runs, lambda run, name=package: run.made.packages.get(name, "not noted")
        )
    found += _differing("packages", "Python", runs, lambda run: run.records.manifest.python)
    for own in suites:
        found += _drafts(own)
    return (*found, *_errored(runs))


def _differing(
    kind: Kind, subject: str, runs: Sequence[Run], value: Callable[[Run], str | None]
) -> list[Difference]:
    """Return one sentence if the runs that have a value differ in it; most runs of many are `the other N`."""
    groups: dict[str, list[str]] = {}
    for run in runs:
        if (own := value(run)) is not None:
            groups.setdefault(own, []).append(run.id)
    if len(groups) < 2:
        return []
    most = max(groups.values(), key=len)
    rest = f"the other {len(most)} runs"
    spoken = (
        f"{own} ({rest if ids is most and len(ids) > NAMED else ', '.join(ids)})"
        for own, ids in groups.items()
    )
    return [Difference(kind=kind, text=f"{subject}: {'; '.join(spoken)}")]


def _by_name(kind: Kind, runs: Sequence[Run], read: Callable[[Run], Mapping[str, str]]) -> list[Difference]:
    """Return a sentence for each named value in which the runs that have it differ."""
    values = {run.id: read(run) for run in runs}
    names = dict.fromkeys(itertools.chain.from_iterable(values.values()))
    found = (_differing(kind, name, runs, lambda run, n=name: values[run.id].get(n)) for name in names)
    return list(itertools.chain.from_iterable(found))


def _selections(runs: Sequence[Run]) -> list[Difference]:
    selections = list(dict.fromkeys(run.tasks for run in runs))
    if len({frozenset(tasks) for tasks in selections}) < 2:
        return []
    size = runs[0].size

    def amount(tasks: Sequence[str]) -> str:
        if size is None:
            return f"{len(tasks)} tasks"
        return f"all {size} tasks" if len(tasks) == size else f"{len(tasks)} of {size} tasks"

    names = {tasks: amount(tasks) + (f" from {tasks[0]} on" if tasks else "") for tasks in selections}
    if len(set(names.values())) < len(names):  # as many, from the same one on: only all ids tell them apart
        names = {tasks: f"{amount(tasks)}: {', '.join(tasks)}" for tasks in selections}
    shared = len(set[str].intersection(*(set(tasks) for tasks in selections)))
    subject = f"not comparable: different selections of {runs[0].dataset}"
    (found,) = _differing("selection", subject, runs, lambda run: names[run.tasks])
    return [found.model_copy(update={"text": f"{found.text}; {shared} tasks are in all of them"})]


def _source(run: Run) -> dict[str, str]:
    return {f"the source of pipeline {run.pipeline}": run.made.pipeline_source[:12]}


def _team(run: Run) -> dict[str, str]:
    """Return what each role's server said of itself and how the team uses it."""
    team, served = run.made.team, run.made.served
    found = {f"gate's {name}": str(value) for name, value in team.get("gate", {}).items()}
    for role, endpoint in team["roles"].items():
        settings = team["endpoints"][endpoint]
        own = served.get(endpoint, Served(model=settings["model"]))
        model = own.model if own.root in (None, own.model) else f"{own.model} from {own.root}"
        found[f"{role}'s model"] = model
        found[f"{role}'s context in tokens"] = str(own.max_model_len or "unknown")
        found[f"{role}'s vLLM"] = own.version or "unknown"
        found |= {f"{role}'s {key}": str(settings[key]) for key in settings if key not in _NO_INFLUENCE}
    return found


def _sampling(run: Run) -> dict[str, str]:
    """Return each role's profile, by the path of each value in it."""
    found: dict[str, str] = {}

    def add(subject: str, table: Mapping[str, Any], path: tuple[str, ...]) -> None:
        for key, value in table.items():
            if isinstance(value, dict):
                add(subject, cast(dict[str, Any], value), (*path, key))
            else:
                where = (*path, key)
                found[subject + (f" ({', '.join(where)})" if where != ("name",) else "")] = str(value)

    for role, profile in run.made.sampling.items():
        add(f"{role}'s sampling", profile.model_dump(), ())
    return found


def _drafts(runs: Sequence[Run]) -> list[Difference]:
    """Find first requests that got another reply than the same request got in an earlier run of `runs`."""
    if len(runs) < 2:
        return []
    seen: dict[tuple[str, bytes], tuple[bytes, str]] = {}
    found: list[Difference] = []
    for run in runs:
        same: dict[str, list[str]] = {}
        changed: dict[str, list[str]] = {}
        for task, asked, content in run.openings:
            earlier, other = seen.setdefault((task, asked), (content, run.id))
            (same if content == earlier else changed).setdefault(other, []).append(task)
        for other, tasks in changed.items():
            asked = len(tasks) + len(same.get(other, ()))
            text = (
                f"{run.id} and {other} began with the same request on {asked} tasks and got different replies"
                f" on {len(tasks)} ({_named(tasks)}): their difference there is not the pipelines' alone"
            )
            found.append(Difference(kind="drafts", text=text))
    return found


def _errored(runs: Sequence[Run]) -> list[Difference]:
    found: list[Difference] = []
    for run in (run for run in runs if run.errored):
        effect = "there is no pass@1"
        if len(run.errored) < len(run.tasks):
            score = run.score(run.hardest)
            bounds = (score.rate.low, score.rate.high), score.widened
            own, wide = (f"{low:.1%} – {high:.1%}" for low, high in bounds)
            effect = (
                f"they are left out, and widen the interval of pass@1 on {score.part} from {own} to {wide}"
            )
        missing = f"{len(run.errored)} of {len(run.tasks)} tasks have no verdict ({_named(run.errored)})"
        found.append(Difference(kind="errored", text=f"{run.id}: {missing}: {effect}"))
    return found


def _named(tasks: Sequence[str]) -> str:
    more = f" and {len(tasks) - NAMED} more" if len(tasks) > NAMED else ""
    return ", ".join(tasks[:NAMED]) + more
