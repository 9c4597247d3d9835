"""A run as a log of Inspect (UKGovernmentBEIS/inspect_ai), which `inspect view` opens.

Only Inspect's own classes and its writer are used, so its schema is the contract. Needs the extra `inspect`.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, cast
from zipfile import ZipFile

from inspect_ai.log import (
    EvalConfig,
    EvalDataset,
    EvalLog,
    EvalMetric,
    EvalPlan,
    EvalPlanStep,
    EvalResults,
    EvalRevision,
    EvalSample,
    EvalScore,
    EvalSpec,
    EvalStats,
    HeadlineMetric,
    write_eval_log,
)
from inspect_ai.model import GenerateConfig, ModelConfig
from inspect_ai.scorer import SampleScore, accuracy, stderr
from inspect_ai.viewer import ViewerConfig

from dualcode.analysis.runs import Run
from dualcode.export.messages import asked, identity, printables, tokens, utc
from dualcode.export.sample import begun, samples, writer
from dualcode.export.target import State, place
from dualcode.verdict import Part

_METRICS = cast(
    "Mapping[str, Callable[[Sequence[SampleScore]], float]]", {"accuracy": accuracy(), "stderr": stderr()}
)
"""Inspect's own; their declared type still has older signatures beside this one."""


def write_log(run: Run, folder: Path, *, replace: bool = False) -> tuple[Path, State]:
    """Write the run's log as `FOLDER/RUN-ID.eval`, and say what became of the file.

    The same run always gives the same log: one that is there already is left alone. One that differs is
    replaced only if told to (`replace`), since Inspect can edit logs. Raises ConfigError otherwise, and if it
    cannot be written.
    """
    target = folder / f"{Path(run.id).name}.eval"  # by its name alone: an id is read from a file
    log = to_log(run)
    state = place(
        target,
        lambda fresh: write_eval_log(log, fresh, format="eval"),
        lambda one, other: _members(one) == _members(other),
        replace=replace,
    )
    return target, state


def _members(path: Path) -> dict[str, tuple[int, int]]:
    """Return what a log holds; the archive around it has the time when it was written."""
    with ZipFile(path) as archive:
        return {each.filename: (each.CRC, each.file_size) for each in archive.infolist()}


def to_log(run: Run) -> EvalLog:
    """Return the run as Inspect's log.

    Errored tasks are samples with an error; they have no score and are in no metric. Tasks without any record
    are in the dataset's ids alone, and make the log `cancelled`.
    """
    run = run.held()
    found, manifest = samples(run), run.records.manifest
    by_model, by_role = asked([*run.records.calls, *run.records.superseded])
    ended = manifest.sessions[-1].ended if manifest.sessions else None
    params = {"source_sha256": manifest.configuration.pipeline_source}
    return EvalLog(
        status="success" if len(found) == len(run.tasks) else "cancelled",
        eval=_spec(run),
        plan=EvalPlan(name=run.pipeline, steps=[EvalPlanStep(solver=run.pipeline, params=params)]),
        results=EvalResults(
            total_samples=len(run.tasks),
            completed_samples=sum(sample.error is None for sample in found),
            scores=[_score(run, part, found) for part in run.parts],
            headline=HeadlineMetric(scorer=run.hardest, score=run.hardest, metric="accuracy"),
        ),
        stats=EvalStats(
            started_at=utc(begun(run)).isoformat(),
            completed_at="" if ended is None else utc(ended).isoformat(),
            model_usage=by_model,
            role_usage=by_role,
        ),
        samples=found,
    )


def _spec(run: Run) -> EvalSpec:
    manifest = run.records.manifest
    configuration = manifest.configuration
    git = manifest.sessions[-1].git_revision if manifest.sessions else None
    roles: dict[str, ModelConfig | list[ModelConfig]] = {}
    for role, endpoint in configuration.team["roles"].items():
        profile = configuration.sampling.get(role)
        config = GenerateConfig(temperature=profile.plain.temperature if profile else None)
        # Without the address: a log is made to be passed on.
        roles[role] = ModelConfig(model=configuration.team["endpoints"][endpoint]["model"], config=config)
    return EvalSpec(
        eval_id=identity(run.id, "eval"),
        run_id=run.id,
        created=utc(manifest.created).isoformat(),
        task=run.dataset,
        task_id=identity(run.id, "task"),
        task_version=manifest.source.version,
        task_display_name=f"{run.title}, {run.pipeline}",
        tags=[run.pipeline],  # what tells a dataset's logs apart in the viewer's list
        solver=run.pipeline,
        solver_args={"roles": configuration.team["roles"]},
        dataset=EvalDataset(
            name=run.title,
            location=manifest.source.name,
            samples=len(run.tasks),
            sample_ids=list(run.tasks),
            shuffled=False,
        ),
        model=writer(run),
        model_roles=roles,
        config=EvalConfig(
            epochs=1,
            fail_on_error=False,
            max_samples=manifest.sessions[-1].concurrency if manifest.sessions else None,
        ),
        revision=EvalRevision(type="git", origin="", commit=git.rstrip("+"), dirty=git.endswith("+"))
        if git
        else None,
        packages={"dualcode": manifest.dualcode, **configuration.packages},
        metadata=printables(_metadata(run)),
        headline_metric=HeadlineMetric(score=run.hardest, metric="accuracy"),
        viewer=ViewerConfig(trust_content=False),  # code as it is: no markdown, no links, no media
    )


def _metadata(run: Run) -> dict[str, Any]:
    """Return what Inspect has no field for: what makes the run what it is, and what it takes alone."""
    manifest, calls = run.records.manifest, run.records.calls
    configuration = manifest.configuration
    models = dict.fromkeys(call.model for call in calls)
    alone = {model: tokens(call.usage for call in calls if call.model == model) for model in models}
    return {
        "run": run.id,
        "pipeline": run.pipeline,
        "fingerprint": manifest.fingerprint,
        "data": {
            "name": manifest.source.name,
            "version": manifest.source.version,
            "sha256": configuration.data,
        },
        "note": manifest.note,
        "served": {name: each.model_dump(mode="json") for name, each in configuration.served.items()},
        "sampling": {role: each.name for role, each in configuration.sampling.items()},
        "gate": configuration.team.get("gate"),
        "python": manifest.python,
        "platform": manifest.platform,
        "replayed_calls": sum(call.from_ledger for call in calls),
        "usage_as_if_alone": {model: usage.model_dump(exclude_none=True) for model, usage in alone.items()},
    }


def _score(run: Run, part: Part, found: Sequence[EvalSample]) -> EvalScore:
    """Return Inspect's own metrics over the graded tasks; none where nothing was graded."""
    graded = [
        SampleScore(score=sample.scores[part], sample_id=sample.id) for sample in found if sample.scores
    ]
    own: dict[str, Any] = {}
    metrics: dict[str, EvalMetric] = {}
    if graded:
        score = run.score(part)
        own = {
            "wilson_95": score.rate.model_dump(),
            "wilson_95_widened_by_errors": score.widened,
            "errored": list(score.errored),
        }
        metrics = {name: EvalMetric(name=name, value=each(graded)) for name, each in _METRICS.items()}
    return EvalScore(
        name=part,
        scorer=part,
        scored_samples=len(graded),
        unscored_samples=len(run.tasks) - len(graded),
        metrics=metrics,
        metadata=own,
    )
