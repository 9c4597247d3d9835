"""What grading says of a fix."""

from dualcode.issues.worktrees import Dropped
from dualcode.record import Record


class Phases(Record):
    """Seconds of each part of a grading."""

    worktree: float = 0.0
    apply: float = 0.0
    tests: float = 0.0


class IssueVerdict(Record):
    """Whether a diff solves an issue: decided by our own run of the tests, by nothing that a model says."""

    task: str
    solved: bool | None
    """None: it could not be graded, through no fault of the fix."""
    reason: str
    """In a line: `solved`, or what first went wrong."""
    failing: tuple[str, ...] = ()
    """Ids of fail_to_pass that did not pass, a missing or skipped one included."""
    broken: tuple[str, ...] = ()
    """Ids of pass_to_pass that did not pass."""
    tampered: bool = False
    """Whether a test that must fail passed, or the report is otherwise not what pytest writes."""
    dropped: tuple[Dropped, ...] = ()
    """Changes that did not count: test machinery, graded tests, links out of the tree, modules that would
    stand in for others."""
    counted: tuple[str, ...] = ()
    """Paths whose changes were graded."""
    out_of_scope: tuple[str, ...] = ()
    """Those of them that the task does not name among `paths_in_scope`."""
    scope: int | None = None
    """Scope discipline by rule, 10 to 1: `IssueTask.scope_score`, which says when there is none."""
    output: str = ""
    """What the test run printed, shortened."""
    attempts: int = 1
    """Runs of the tests; a second one is made where the first could not be told from trouble of ours."""
    phases: Phases = Phases()
