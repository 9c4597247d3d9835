"""What grading says of a fix."""

from dualcode.issues.worktrees import LeftOut
from dualcode.record import Record
from dualcode.verdict import Outcome, Verdict


class Dropped(Record):
    """A part of a diff that did not count."""

    path: str
    why: str

    @classmethod
    def of(cls, left_out: LeftOut) -> "Dropped":
        """Return the record of what was left out."""
        return cls(path=left_out.path, why=left_out.why)


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

    def verdict(self) -> Verdict:
        """Return the same as the house's verdict, with the parts `fail_to_pass` and `pass_to_pass`."""
        if self.solved is None:
            errored = Outcome(status="errored", reason=self.reason)
            return Verdict(task_id=self.task, parts={"fail_to_pass": errored, "pass_to_pass": errored})
        unrun = not self.solved and not self.failing and not self.broken
        parts = {
            name: Outcome(
                status="failed" if ids or unrun else "passed", reason=self.reason if ids or unrun else None
            )
            for name, ids in (("fail_to_pass", self.failing), ("pass_to_pass", self.broken))
        }
        return Verdict(task_id=self.task, parts=parts)
