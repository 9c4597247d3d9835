"""In what runs differ beyond their pipelines: what a reader must know before comparing their numbers."""

import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Literal, cast

from dualcode.analysis.runs import Run
from dualcode.models.endpoints import Served
from dualcode.record import Record
from dualcode.runs.manifest import Configuration

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
    found = _differing("suite", "not comparable: different suites", runs, lambda run: run.dataset)
    for kind, look in (("data", _data), ("selection", _selections), ("pipeline", _pipelines)):
        found += [each for own in suites for each in look(own) if each.kind == kind]
    found += _settings(runs)
    found += [
        *_prompts(runs),
        *_differing("code", "dualcode's code", runs, lambda run: _configuration(run).code[:12]),
    ]
    found += _packages(runs)
    drafts = [each for own in suites for each in _drafts(own)]
    return tuple(_changed(runs) + found + drafts + _errored(runs))


def _changed(runs: Sequence[Run]) -> list[Difference]:
    """Return runs whose records are no longer what they were when the run was sealed."""
    from dualcode.runs.seal import broken  # it brings the sandbox, which comparing does without

    return [
        Difference(
            kind="seal",
            text=f"{run.id}: {', '.join(files)} changed since the run was sealed (dualcode audit)",
        )
        for run in runs
        if (files := broken(run.folder))
    ]


def _configuration(run: Run) -> Configuration:
    return run.records.manifest.configuration


def _differing(
    kind: Kind, subject: str, runs: Sequence[Run], value: Callable[[Run], str | None]
) -> list[Difference]:
    """Return one sentence if the runs that have a value differ in it."""
    groups: dict[str, list[str]] = {}
    for run in runs:
        if (own := value(run)) is not None:
            groups.setdefault(own, []).append(run.id)
    if len(groups) < 2:
        return []
    return [Difference(kind=kind, text=f"{subject}: {_spoken(groups)}")]


def _spoken(groups: Mapping[str, Sequence[str]]) -> str:
    """Name each value with its runs; most runs of many are `the other N runs`."""
    most = max(groups.values(), key=len)
    rest = f"the other {len(most)} runs"
    named = (
        (value, rest if ids is most and len(ids) > NAMED else ", ".join(ids)) for value, ids in groups.items()
    )
    return "; ".join(f"{value} ({ids})" for value, ids in named)


def _data(runs: Sequence[Run]) -> list[Difference]:
    def value(run: Run) -> str:
        source = run.records.manifest.source
        return f"{source.name} {source.version}, sha256 {_configuration(run).data[:12]}"

    return _differing("data", f"not comparable: different data of {runs[0].dataset}", runs, value)


def _selections(runs: Sequence[Run]) -> list[Difference]:
    selections = list(dict.fromkeys(run.tasks for run in runs))
    if len({frozenset(tasks) for tasks in selections}) < 2:
        return []
    names = {
        tasks: f"{_amount(runs[0].size, tasks)}{f' from {tasks[0]} on' if tasks else ''}"
        for tasks in selections
    }
    if len(set(names.values())) < len(names):  # as many, from the same one on: only all ids tell them apart
        names = {tasks: f"{_amount(runs[0].size, tasks)}: {', '.join(tasks)}" for tasks in selections}
    shared = len(set[str].intersection(*(set(tasks) for tasks in selections)))
    (found,) = _differing(
        "selection",
        f"not comparable: different selections of {runs[0].dataset}",
        runs,
        lambda run: names[run.tasks],
    )
    return [found.model_copy(update={"text": f"{found.text}; {shared} tasks are in all of them"})]


def _amount(size: int | None, tasks: Sequence[str]) -> str:
    if size is None:
        return f"{len(tasks)} tasks"
    return f"all {size} tasks" if len(tasks) == size else f"{len(tasks)} of {size} tasks"


def _pipelines(runs: Sequence[Run]) -> list[Difference]:
    names = dict.fromkeys(run.pipeline for run in runs)
    return [
        each
        for name in names
        for each in _differing(
            "pipeline",
            f"the source of pipeline {name}",
            [run for run in runs if run.pipeline == name],
            lambda run: _configuration(run).pipeline_source[:12],
        )
    ]


def _settings(runs: Sequence[Run]) -> list[Difference]:
    known: dict[Kind, Callable[[Run], Mapping[str, str]]] = {"team": _team, "sampling": _sampling}
    found: list[Difference] = []
    for kind, read in known.items():
        values = {run.id: read(run) for run in runs}
        for name in dict.fromkeys(itertools.chain.from_iterable(values.values())):
            found += _differing(kind, name, runs, lambda run, v=values, n=name: v[run.id].get(n))
    return found


def _team(run: Run) -> dict[str, str]:
    """Return what each role's server said of itself and how the team uses it."""
    team, served = _configuration(run).team, _configuration(run).served
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
    return {
        f"{role}'s sampling" + (f" ({', '.join(path)})" if path != ("name",) else ""): str(value)
        for role, profile in _configuration(run).sampling.items()
        for path, value in _leaves(profile.model_dump())
    }


def _leaves(table: Mapping[str, Any], path: tuple[str, ...] = ()) -> Iterable[tuple[tuple[str, ...], Any]]:
    for key, value in table.items():
        if isinstance(value, dict):
            yield from _leaves(cast(dict[str, Any], value), (*path, key))
        else:
            yield (*path, key), value


def _prompts(runs: Sequence[Run]) -> list[Difference]:
    """Compare each prompt among the runs whose pipelines render it."""
    found: list[Difference] = []
    for name in sorted({name for run in runs for name in _configuration(run).prompts}):
        rendering = [run for run in runs if name in _configuration(run).prompts]
        found += _differing(
            "prompts", f"the prompt {name}", rendering, lambda run, n=name: _configuration(run).prompts[n][:8]
        )
    return found


def _packages(runs: Sequence[Run]) -> list[Difference]:
    names = sorted({name for run in runs for name in _configuration(run).packages} - {"python"})
    found = [
        each
        for name in names
        for each in _differing(
            "packages", name, runs, lambda run, n=name: _configuration(run).packages.get(n, "not noted")
        )
    ]
    return found + _differing("packages", "Python", runs, lambda run: run.records.manifest.python)


def _drafts(runs: Sequence[Run]) -> list[Difference]:
    """Find first requests that got another reply than the same request got in an earlier run of `runs`."""
    seen: dict[tuple[str, str, str], tuple[str | None, str]] = {}
    found: list[Difference] = []
    for run in runs:
        same: dict[str, list[str]] = {}
        changed: dict[str, list[str]] = {}
        for task, calls in run.calls.items():
            if not calls or calls[0].reply is None:
                continue
            content = calls[0].reply.content
            key = (task, calls[0].model, calls[0].request.model_dump_json())
            earlier, other = seen.setdefault(key, (content, run.id))
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
    return [
        Difference(
            kind="errored",
            text=f"{run.id}: {len(run.errored)} of {len(run.tasks)} tasks have no verdict"
            f" ({_named(run.errored)}){_widened(run)}",
        )
        for run in runs
        if run.errored
    ]


def _widened(run: Run) -> str:
    if len(run.errored) == len(run.tasks):
        return ": there is no pass@1"
    score = run.score(run.hardest)
    own, wide = (
        f"{low:.1%} – {high:.1%}" for low, high in ((score.rate.low, score.rate.high), score.widened)
    )
    return f": they are left out, and widen the interval of pass@1 on {score.part} from {own} to {wide}"


def _named(tasks: Sequence[str]) -> str:
    more = f" and {len(tasks) - NAMED} more" if len(tasks) > NAMED else ""
    return ", ".join(tasks[:NAMED]) + more
