"""Which tasks of a suite runs cover, in the words of titles and notes."""

import re
from collections.abc import Sequence
from pathlib import PurePath

from dualcode.analysis.analyse import Analysis
from dualcode.analysis.runs import Run
from dualcode.config import Role
from dualcode.published.published import SUITES as PUBLISHED_SUITES
from dualcode.published.published import Published
from dualcode.verdict import Part

_OWN = re.compile(r"[0-9a-f]{8}(?:-\d+)?$")


def own_name(run_id: str) -> str:
    """Return what tells a run from others of its pipeline: of its id the fingerprint, and which one it is."""
    found = _OWN.search(run_id)
    return found[0] if found else run_id


def is_whole(run: Run) -> bool:
    """Return whether a run covers all tasks of its suite, as far as is known."""
    return len(run.tasks) == run.size


def part_title(run: Run, part: Part) -> str:
    """Return the name of a suite's base tests, or of its base and plus tests together."""
    names = PUBLISHED_SUITES.get(run.dataset)
    if names is not None:
        return (names[1] or names[0]) if part == "plus" else names[0]
    return run.suite if part == "plus" or run.parts == ("base",) else f"{run.suite}, base tests"


def suite_title(runs: Sequence[Run]) -> str:
    """Return what runs of one dataset cover, such as `HumanEval+ (40 of 164 tasks)`."""
    size, name = runs[0].size, part_title(runs[0], "plus")
    sizes = sorted({len(run.tasks) for run in runs})
    if size is None or sizes == [size]:
        return name
    return f"{name} ({' or '.join(map(str, sizes))} of {size} tasks)"


def runs_on(analysis: Analysis, dataset: str) -> list[Run]:
    """Return the runs on a dataset, in the study's order."""
    return [run for run in analysis.runs if run.dataset == dataset]


def model_of(run: Run, role: Role) -> str | None:
    """Return the model in a role, by its checkpoint's name where the server told that; None without one."""
    configuration = run.records.manifest.configuration
    endpoint = configuration.team["roles"].get(role)
    if endpoint is None:
        return None
    served = configuration.served.get(endpoint)
    return (
        checkpoint_name(served.root if served else None) or configuration.team["endpoints"][endpoint]["model"]
    )


def checkpoint_name(root: str | None) -> str | None:
    """Return a checkpoint's name: a local folder's own, or the hub's `owner/name` as it is."""
    return PurePath(root).name if root and root.startswith(("/", "~", ".")) else root


def roles_of(runs: Sequence[Run]) -> list[Role]:
    """Return the roles that runs bind: `coder` and `reviewer` first, the others in the runs' order."""
    bound = [role for run in runs for role in run.records.manifest.configuration.team["roles"]]
    return list(dict.fromkeys(["coder", "reviewer", *bound]))


def models(runs: Sequence[Run]) -> str:
    """Return the models of runs in words: `coder A, reviewer B`."""
    found = {
        role: dict.fromkeys(filter(None, (model_of(run, role) for run in runs))) for role in roles_of(runs)
    }
    return ", ".join(f"{role} {' or '.join(names)}" for role, names in found.items() if names)


def comparability(runs: Sequence[Run], published: Published) -> list[str]:
    """Return notes on what keeps published numbers apart from those of runs."""
    notes: list[str] = []
    for dataset in dict.fromkeys(run.dataset for run in runs):
        own = [run for run in runs if run.dataset == dataset]
        if own[0].size and not all(is_whole(run) for run in own):
            notes.append(
                f"Ours is over {suite_title(own)}. A published number over all {own[0].size} tasks is not "
                "comparable with it."
            )
    printed = ", ".join(f"{each.role} {each.model} ({each.quantization})" for each in published.models)
    return [*notes, f"Ours is of {models(runs)}; the paper's is of {printed}."]


def source(published: Published, *places: str) -> str:
    """Return the note that says whose the marked columns are."""
    where = ", ".join(dict.fromkeys(places))
    return f"(paper): {published.source}{f', {where}' if where else ''}; not measured here."
