"""What pass@1 costs in tokens: pipelines side by side at what their models say, thoughts included."""

from collections.abc import Mapping, Sequence

from dualcode.analysis.costs import Costs
from dualcode.analysis.runs import Run, Score
from dualcode.record import Record


class Efficiency(Record):
    """A run's pass@1 and its tokens."""

    run: str
    pipeline: str
    dataset: str
    score: Score
    """pass@1 on the hardest part, with its interval."""
    completion_tokens: float
    """A task, of all models, thoughts included, as if the ledger had replayed nothing."""
    thought_tokens: float
    """Of those, what servers told apart as thoughts."""


def efficiencies(runs: Sequence[Run], costs: Mapping[str, Costs]) -> tuple[Efficiency, ...]:
    """Return what each run comes to, a dataset after the other, by ascending tokens.

    Left out are runs of unknown tokens: without costs, without a task, or whose servers told of none.
    Raises RunError for a run without a graded task.
    """
    datasets = list(dict.fromkeys(run.dataset for run in runs))
    tasks = {run.id: costs[run.id].per_task("alone") for run in runs if run.id in costs}
    found = [
        Efficiency(
            run=run.id,
            pipeline=run.pipeline,
            dataset=run.dataset,
            score=run.score(run.hardest),
            completion_tokens=task.completion_tokens,
            thought_tokens=task.reasoning_tokens,
        )
        for run in runs
        if (task := tasks.get(run.id)) is not None and task.completion_tokens
    ]
    return tuple(sorted(found, key=lambda each: (datasets.index(each.dataset), each.completion_tokens)))
