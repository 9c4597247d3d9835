"""The folder of one workflow's run on one issue: what is appended to it, and how it is read again.

manifest.json       what the run was made with
nodes.jsonl         NodeResult, as nodes end; of a node that comes twice the later line holds
steps.jsonl         Step, as agents take them
calls.jsonl         Call, as models answer
changes/            what the tree held beyond its base, by checksum
conversations/      what agents said, by node
ledger/             every reply, so that going on asks nothing twice
change.diff, verdict.json, tests.txt     the end: the fix, and its grading
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from pydantic import ValidationError

from dualcode.agents.records import Step
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
class WorkStore:
    """A run's folder, open for one process."""

    folder: Path
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

    def begin(self, workflow: Workflow) -> list[NodeResult]:
        """Make it ready to be worked in; return what is done, in the order of the record.

        What a kill tore, and the calls of nodes that are not done, are dropped: they come again, from the
        ledger.
        """
        with writing(self.folder):
            for name in (NODES, STEPS, CALLS):
                drop_torn_line(self.folder / name)
            done = kept(workflow, self.nodes())
            calls = read_lines(self.folder / CALLS, Call, [])
            own = [call for call in calls if call.step in done]
            if len(own) != len(calls):
                replace(self.folder / CALLS, "".join(f"{call.to_line()}\n" for call in own))
        return [result for name, result in self.nodes().items() if name in done]

    def nodes(self) -> Mapping[str, NodeResult]:
        """Return what came of the nodes, in the order in which they last ended."""
        found: dict[str, NodeResult] = {}
        for each in read_lines(self.folder / NODES, NodeResult, []):
            found.pop(each.node, None)
            found[each.node] = each
        return found

    def steps(self) -> list[Step]:
        """Return the agents' steps. One that was taken anew replaces those of its node from its number on."""
        found: list[Step] = []
        for each in read_lines(self.folder / STEPS, Step, []):
            found = [old for old in found if old.node != each.node or old.number < each.number]
            found.append(each)
        return found

    def calls(self) -> list[Call]:
        """Return the calls."""
        return read_lines(self.folder / CALLS, Call, [])

    def add(self, name: str, record: Record) -> None:
        """Append a record to one of the files. Raises RunError if it cannot be written."""
        with writing(self.folder / name):
            append_whole(self.folder / name, f"{record.to_line()}\n")

    def end(self, diff: str, verdict: IssueVerdict | None) -> None:
        """Write the fix, and what its grading came to."""
        with writing(self.folder):
            replace(self.folder / DIFF, [diff.encode("utf-8", "surrogateescape")])
            if verdict is not None:
                replace(self.folder / VERDICT, verdict.model_dump_json(indent=2))
                replace(self.folder / TESTS, [verdict.output.encode("utf-8", "surrogateescape")])
