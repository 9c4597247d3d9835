"""Everything that a set of runs says, in one value: what tables, figures and the report are made from."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from dualcode.analysis.costs import Costs
from dualcode.analysis.failures import Regressions
from dualcode.analysis.reviewer import ReviewerReport
from dualcode.analysis.runs import Part, Run, Score
from dualcode.analysis.statistics import Comparison, Gap


@dataclass(frozen=True)
class Analysis:
    """Runs and what follows from them; all maps are by run id."""

    title: str
    """What this is: the study's title, or the runs' folder."""
    note: str
    """What a reader must know before the first number, such as that the model is a demo's; may be empty."""
    baseline: str
    """The pipeline that others are compared with."""
    runs: tuple[Run, ...]
    """At most one for each dataset and pipeline, in the study's order."""
    scores: Mapping[str, Mapping[Part, Score]]
    comparisons: Mapping[str, Mapping[Part, Comparison]]
    """Each run against its dataset's baseline run; none for the baseline itself."""
    gaps: tuple[Gap, ...]
    """For each pipeline that ran on a rich and a lean suite, on their hardest parts."""
    reviewers: Mapping[str, ReviewerReport]
    """Of the runs whose pipeline reviews drafts."""
    regressions: Mapping[str, Regressions]
    costs: Mapping[str, Costs]
    richness: Mapping[str, float] = field(default_factory=dict[str, float])
    """Of each task's specification, 0..1."""

    def run(self, dataset: str, pipeline: str) -> Run | None:
        """Return the run of a pipeline on a dataset, or None."""
        return next((r for r in self.runs if (r.dataset, r.pipeline) == (dataset, pipeline)), None)

    @property
    def datasets(self) -> tuple[str, ...]:
        """The datasets, in the runs' order."""
        return tuple(dict.fromkeys(run.dataset for run in self.runs))

    @property
    def pipelines(self) -> tuple[str, ...]:
        """The pipelines, in the runs' order."""
        return tuple(dict.fromkeys(run.pipeline for run in self.runs))
