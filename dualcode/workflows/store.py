"""The folder of one workflow's work on one issue: what is appended to it, and how it is read again.

A `Place` has the lines and texts, of a duel's cell as of a run; the rest is a run's own.

manifest.json       what the run was made with
nodes.jsonl         NodeResult, as nodes end; of a node that comes twice the later line holds, and going on
                    takes out what is to be done again
steps.jsonl         Step, as agents take them
calls.jsonl         Call, as models answer
changes/            what the tree held beyond its base, by checksum
conversations/      what agents said, by node
ledger/             every reply, so that going on asks nothing twice
change.diff, verdict.json, tests.txt     the end: the fix, and its grading
"""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from pydantic import ValidationError

from dualcode.agents.records import Step, standing
from dualcode.call import Call
from dualcode.errors import RunError
from dualcode.issues.verdict import IssueVerdict
from dualcode.record import Record
from dualcode.runs.lines import append_whole, drop_torn_line, read_lines, replace, writing
from dualcode.workflows.records import NodeResult
from dualcode.workflows.running import kept
from dualcode.workflows.workflow import Workflow

MANIFEST, NODES, STEPS, CALLS = "manifest.json", "nodes.jsonl", "steps.jsonl", "calls.jsonl"
DIFF, VERDICT, TESTS = "change.diff", "verdict.json", "tests.txt"


class WorkManifest(Record):
    """What a run was made with; it is gone on with by the same alone."""

    workflow: str
    """The file's path, or the name that it was found by."""
    name: str
    checksum: str
    """Of the workflow as it was read, the prompts of files included."""
    task: str
    """The task's folder, or the name that it was found by."""
    inputs: dict[str, str]
    roles: dict[str, str]
    """Role -> endpoint."""
    models: dict[str, str]
    """Role -> the model as the team names it."""
    team: str | None
    """The team's file; None: the servers that were started."""
    limits: dict[str, float | int | None]
    """Of each agent."""
    tier: str
    """The jail that holds the commands."""
    created: float
    """Seconds since the epoch."""


def checksum(workflow: Workflow) -> str:
    """Return what tells one workflow from another: all that its nodes do."""
    inputs = {name: each.model_dump() for name, each in workflow.inputs.items()}
    nodes = [node.model_dump(mode="json") for node in workflow.nodes]
    return hashlib.sha256(json.dumps([inputs, nodes], sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True)
class Place:
    """The folder in which one workflow's work on one issue is on record."""

    folder: Path

    def begin(self, workflow: Workflow) -> dict[str, NodeResult]:
        """Make it ready to be worked in; return the workflow's nodes that are done, in the record's order.

        What a kill tore, nodes that are to be done again, and the calls of all that is not done are dropped:
        they come again, calls from the ledger.
        """
        with writing(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
            for name in (NODES, STEPS, CALLS):
                drop_torn_line(self.folder / name)
            found, calls = self.nodes(), self.calls()
            stands = kept(workflow, found)
            done = {name: each for name, each in found.items() if name in stands}
            if len(done) != len(found):
                self._write(NODES, done.values())
            if any(call.step not in done for call in calls):
                self._write(CALLS, [call for call in calls if call.step in done])
        return done

    def nodes(self) -> dict[str, NodeResult]:
        """Return what came of its nodes, in the order in which they last ended."""
        found: dict[str, NodeResult] = {}
        for each in read_lines(self.folder / NODES, NodeResult, []):
            found.pop(each.node, None)
            found[each.node] = each
        return found

    def steps(self) -> list[Step]:
        """Return its agents' steps that count, node by node."""
        by_node: dict[str, list[Step]] = {}
        for each in read_lines(self.folder / STEPS, Step, []):
            by_node.setdefault(each.node, []).append(each)
        return [step for steps in by_node.values() for step in standing(steps)]

    def calls(self) -> list[Call]:
        """Return its calls."""
        return read_lines(self.folder / CALLS, Call, [])

    def add(self, name: str, record: Record) -> None:
        """Append a record to one of its files. Raises RunError if it cannot be written."""
        with writing(self.folder / name):
            append_whole(self.folder / name, f"{record.to_line()}\n")

    def write(self, name: str, text: str) -> None:
        """Write one of its texts, whole or not at all; bytes that are no text stay what they are."""
        with writing(self.folder / name):
            replace(self.folder / name, [text.encode("utf-8", "surrogateescape")])

    def read(self, name: str) -> str | None:
        """Return one of its texts; None if it is not there."""
        path = self.folder / name
        return path.read_bytes().decode("utf-8", "surrogateescape") if path.exists() else None

    def _write(self, name: str, records: Iterable[Record]) -> None:
        replace(self.folder / name, "".join(f"{each.to_line()}\n" for each in records))


@dataclass(frozen=True)
class WorkStore(Place):
    """A run's folder, open for one process."""

    manifest: WorkManifest

    @classmethod
    def create(cls, folder: Path, manifest: WorkManifest) -> Self:
        """Make the folder of a new run. Raises RunError if there is one."""
        if (folder / MANIFEST).exists():
            raise RunError(
                f"{folder} holds a run already",
                hint=f"dualcode workflow run --resume {folder}, or another --into",
            )
        with writing(folder):
            folder.mkdir(parents=True, exist_ok=True)
            replace(folder / MANIFEST, manifest.model_dump_json(indent=2))
        return cls(folder, manifest)

    @classmethod
    def open(cls, folder: Path) -> Self:
        """Open the folder of a run. Raises RunError if it is none."""
        path = folder / MANIFEST
        try:
            return cls(folder, WorkManifest.model_validate_json(path.read_bytes()))
        except OSError as error:
            raise RunError(
                f"{folder} holds no run of a workflow: {path} {error.strerror}",
                hint="dualcode workflow run --help",
            ) from None
        except ValidationError as error:
            raise RunError(
                f"{path} is damaged: {error.errors()[0]['msg']}", hint="begin the run anew"
            ) from None

    def end(self, diff: str, verdict: IssueVerdict | None) -> None:
        """Write the fix, and what its grading came to."""
        self.write(DIFF, diff)
        if verdict is not None:
            self.write(VERDICT, verdict.model_dump_json(indent=2))
            self.write(TESTS, verdict.output)
