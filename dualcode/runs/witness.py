"""Who hears a run from its first line on: each task is audited as it ends, where a server's wait hides that.

At the end what was found is believed only if every file of records has the checksum of the very lines that
were heard: what was edited meanwhile never is, and all is read afresh. So it is of a run that an earlier
process began: what lay on the disk between two processes, nobody heard.
"""

import contextlib
import hashlib
import logging
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from dualcode.call import Call
from dualcode.grading.calibration_cache import CalibrationCache
from dualcode.grading.reference import Reference
from dualcode.runs.audit import Audit
from dualcode.runs.manifest import Manifest
from dualcode.runs.seal import Inspection
from dualcode.runs.store import KINDS, read_manifest
from dualcode.runs.stored import StoredRun, TaskRecords
from dualcode.runs.summary import Summary
from dualcode.suites.suite import Suite
from dualcode.task import Task
from dualcode.verdict import Verdict

_NOTHING = hashlib.sha256().hexdigest()
_log = logging.getLogger(__name__)


class _LostError(Exception):
    """Something that only a reading of the whole run can tell."""


class Witness:
    """Audits a new run as its lines are written."""

    def __init__(
        self,
        folder: Path,
        manifest: Manifest,
        suite: Suite,
        references: Callable[[str], Reference | None] | None = None,
    ) -> None:
        """Listen to a run that holds nothing yet but its manifest and its `pipeline.py`.

        `references` knows those that its grader took; by default they are where a grader of this machine
        keeps them.
        """
        self._folder, self._suite, self._made_with = folder, suite, manifest.configuration.to_line()
        self._references = references or CalibrationCache.of(suite).reference
        source = (folder / "pipeline.py").read_bytes()
        self._source = hashlib.sha256(source).hexdigest()
        self._found = Inspection(manifest, suite, self._reference, source.decode("utf-8", "replace"))
        self._checksums = {name: hashlib.sha256() for name in KINDS}
        self._tasks = {task.id: task for task in suite.tasks}
        self._open = defaultdict[str, dict[str, list[bytes]]](lambda: defaultdict(list))
        self._ended = set[str]()
        self._lost = any((folder / f"{name}.jsonl").exists() for name in KINDS)

    def hear(self, file: str, line: bytes, record: Any) -> None:
        """Take note of a line; a verdict is a task's last."""
        name = file.removesuffix(".jsonl")
        if self._lost or name not in KINDS:
            return
        self._checksums[name].update(line)
        if isinstance(record, Task):
            self._lost = self._tasks.get(record.id) != record
            return
        id_ = record.task_id
        # A sum of what servers say they charged hangs on the order in which it is added up.
        charged = isinstance(record, Call) and any(each.usage.cost is not None for each in record.attempts)
        if id_ in self._ended or id_ not in self._tasks or charged:
            self._lost = True
            return
        self._open[id_][name].append(line)
        if isinstance(record, Verdict):
            self._end(id_)

    def _end(self, id_: str) -> None:
        """Audit a task, from what a reader of the files would see."""
        lines = self._open.pop(id_)
        task = self._tasks[id_]
        self._ended.add(task.id)
        try:
            read: dict[str, Any] = {
                name: [KINDS[name].model_validate_json(line) for line in own] for name, own in lines.items()
            }
            self._found.add(TaskRecords(task.id, tasks=[task], **read))
        except _LostError:
            self._lost = True
        except Exception as error:  # a run does not end for its audit, which is made again in full
            _log.debug("%s: %s", id_, error)
            self._lost = True

    def _reference(self, task_id: str) -> Reference | None:
        if task_id not in self._suite.hidden:
            return None
        if (known := self._references(task_id)) is None:  # graded elsewhere, or a bad one
            raise _LostError
        return known

    def testimony(self, files: Mapping[str, str]) -> tuple[Audit, Summary] | None:
        """Return what was found of the whole run, of which `files` are the checksums, as a seal has them.

        None if they are not of what was heard, or if it was too much for one who hears a task at a time.
        """
        heard = {f"{name}.jsonl": each.hexdigest() for name, each in self._checksums.items()}
        heard["pipeline.py"] = self._source
        if self._lost or self._open or self._ended != self._tasks.keys():
            return None
        if any((files[name] or _NOTHING) != each for name, each in heard.items()):
            return None
        manifest = read_manifest(self._folder)
        if manifest.configuration.to_line() != self._made_with:
            return None
        with contextlib.suppress(_LostError):
            return self._found.result(self._again(), manifest)
        return None

    def _again(self) -> Iterator[TaskRecords]:
        yield from StoredRun(self._folder)  # made only where something was found: it goes through all files
