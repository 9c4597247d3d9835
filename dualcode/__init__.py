"""dualcode: two local models write better code together; one writes, the other reviews.

These are the public names, for programs and notebooks; docs/library.md shows them at work. Each is imported
when it is first asked for, so that `import dualcode` costs nothing.
"""

__version__ = "0.1.0"

__all__ = [
    "Analysis",
    "Call",
    "DualcodeError",
    "Observer",
    "OwnTask",
    "Pipeline",
    "Program",
    "Result",
    "Run",
    "Score",
    "Solved",
    "Suite",
    "Task",
    "Team",
    "TeamConfig",
    "Verdict",
    "analyse",
    "build_suite",
    "draw",
    "evaluate",
    "load_suite",
    "load_team",
    "pipeline",
    "read_run",
    "score",
    "scripted_team",
    "solve",
]

HOMES = {
    "Analysis": "analysis.analyse",
    "Call": "call",
    "DualcodeError": "errors",
    "Observer": "runs.runner",
    "OwnTask": "library",
    "Pipeline": "pipelines",
    "Program": "solution",
    "Result": "runs.evaluate",
    "Run": "analysis.runs",
    "Score": "grading.score",
    "Solved": "library",
    "Suite": "suites.suite",
    "Task": "task",
    "Team": "team",
    "TeamConfig": "config",
    "Verdict": "verdict",
    "analyse": "library",
    "build_suite": "library",
    "draw": "library",
    "evaluate": "library",
    "load_suite": "library",
    "load_team": "library",
    "pipeline": "pipelines",
    "read_run": "library",
    "score": "library",
    "scripted_team": "library",
    "solve": "library",
}
"""The module of each public name."""

TYPE_CHECKING = False  # type checkers know it by its name; `typing` itself takes longer than all of this

if TYPE_CHECKING:
    from dualcode.analysis.analyse import Analysis
    from dualcode.analysis.runs import Run
    from dualcode.call import Call
    from dualcode.config import TeamConfig
    from dualcode.errors import DualcodeError
    from dualcode.grading.score import Score
    from dualcode.library import (
        OwnTask,
        Solved,
        analyse,
        build_suite,
        draw,
        evaluate,
        load_suite,
        load_team,
        read_run,
        score,
        scripted_team,
        solve,
    )
    from dualcode.pipelines import Pipeline, pipeline
    from dualcode.runs.evaluate import Result
    from dualcode.runs.runner import Observer
    from dualcode.solution import Program
    from dualcode.suites.suite import Suite
    from dualcode.task import Task
    from dualcode.team import Team
    from dualcode.verdict import Verdict
else:  # a type checker that saw this function would let any name pass

    def __getattr__(name: str) -> object:
        """Import a public name."""
        if name not in HOMES:
            raise AttributeError(f"module 'dualcode' has no attribute {name!r}")
        from importlib import import_module

        found = globals()[name] = getattr(import_module(f"dualcode.{HOMES[name]}"), name)
        return found

    def __dir__() -> list[str]:
        """Return all names, the public ones that were not imported yet too."""
        return sorted({*globals(), *__all__})
