"""Runs under work: how far each is, from its records as they are written. Nothing is locked or changed."""

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

from pydantic import ValidationError

from dualcode.metrics import Counts, count
from dualcode.record import Record
from dualcode.runs.manifest import Manifest
from dualcode.serving.logs import Tail
from dualcode.verdict import Verdict

_LOCKS = Path("/proc/locks")
_FILES = ("calls", "samples", "verdicts", "servers")


class RunNow(Record):
    """A run at one moment."""

    run: str
    pipeline: str
    suite: str
    tasks: int
    base: Counts
    plus: Counts | None
    """None where the suite has no plus tests."""
    in_flight: dict[str, int]
    """The last step that ended -> tasks that wait for what comes after it. First steps that have not ended
    are not on record yet."""
    grading: int
    """Programs that are there and have no verdict yet."""
    calls: dict[str, int]
    """By step."""
    failed_calls: int
    reviews: dict[str, int]
    """`approve`, `revise`, `unread`."""
    prompt_tokens: int
    completion_tokens: int
    """Reasoning included."""
    requests: dict[str, int]
    """By endpoint (several on one server with commas): the run's own requests that were not answered at the
    last reading of that server; empty where the run has taken none."""

    @property
    def done(self) -> int:
        """Tasks with a verdict, errored ones too."""
        return self.base.graded + self.base.errored

    @property
    def hardest(self) -> Counts:
        """Of the last part: base and plus where there is plus."""
        return self.plus or self.base


class RunReader:
    """Follows one run's records."""

    def __init__(self, folder: Path, manifest: Manifest) -> None:
        self.folder = folder
        self._manifest = manifest
        self._begin()

    def _begin(self) -> None:
        self._tails = {name: Tail(self.folder / f"{name}.jsonl") for name in _FILES}
        self._steps = dict[str, str]()
        self._samples = set[str]()
        self._verdicts = dict[str, Verdict]()
        self._calls, self._reviews = Counter[str](), Counter[str]()
        self._requests = dict[str, int]()
        self._failed = self._prompt = self._completion = 0

    def read(self) -> RunNow:
        """Take in what is new and return how the run is; a damaged line is passed over."""
        news = {name: tail.read() for name, tail in self._tails.items()}
        if any(anew for anew, _ in news.values()):  # a resume set the calls of unfinished tasks aside
            self._begin()
            news = {name: tail.read() for name, tail in self._tails.items()}
        for call in _objects(news["calls"][1]):
            self._take(call)
        self._samples |= {str(each.get("task_id")) for each in _objects(news["samples"][1])}
        for each in _objects(news["servers"][1]):
            if isinstance(names := each.get("endpoints"), list):
                told = ", ".join(map(str, cast("list[object]", names)))
                self._requests[told] = _number(each.get("in_flight"))
        for each in _objects(news["verdicts"][1]):
            try:
                verdict = Verdict.model_validate(each)
            except ValidationError:
                continue
            self._verdicts[verdict.task_id] = verdict
        return self._now()

    def _take(self, call: dict[str, Any]) -> None:
        step, reply = str(call.get("step")), _table(call.get("reply"))
        self._calls[step] += 1
        self._steps[str(call.get("task_id"))] = step
        if not reply:
            self._failed += 1
            return
        usage = _table(reply.get("usage"))
        self._prompt += _number(usage.get("prompt_tokens"))
        self._completion += _number(usage.get("completion_tokens"))
        if step == "review":
            said = _table(_table(call.get("value")).get("data"))
            self._reviews[str(said.get("verdict") or "unread")] += 1

    def _now(self) -> RunNow:
        made = self._manifest.configuration
        waiting = self._steps.keys() - self._samples - self._verdicts.keys()
        base, plus = count(self._verdicts.values(), has_plus=self._manifest.has_plus)
        return RunNow(
            run=self.folder.name,
            pipeline=made.pipeline,
            suite=self._manifest.title,
            tasks=len(made.tasks),
            base=base,
            plus=plus,
            in_flight=dict(Counter(self._steps[task] for task in waiting).most_common()),
            grading=len(self._samples - self._verdicts.keys()),
            calls=dict(self._calls),
            failed_calls=self._failed,
            reviews=dict(self._reviews),
            prompt_tokens=self._prompt,
            completion_tokens=self._completion,
            requests=dict(self._requests),
        )


def _table(found: object) -> dict[str, Any]:
    return cast("dict[str, Any]", found) if isinstance(found, dict) else {}


def _number(found: object) -> int:
    return found if isinstance(found, int) else 0


def _objects(text: bytes) -> Iterator[dict[str, Any]]:
    for line in text.splitlines():
        try:
            found = json.loads(line)
        except ValueError:
            continue
        if isinstance(found, dict):
            yield _table(cast("object", found))


class Work:
    """Follows all runs below a folder that a process works on."""

    def __init__(self, run_dir: Path) -> None:
        self._run_dir = run_dir
        self._readers = dict[Path, RunReader]()

    def read(self) -> list[RunNow]:
        """Return the runs under work, by name. One that ended is in it once more, if it was seen at work."""
        held = _held_inodes()
        found: list[RunNow] = []
        for path in sorted(self._run_dir.glob("*/manifest.json")):
            folder = path.parent
            working = _works(folder, held)
            if working and folder not in self._readers:
                try:
                    manifest = Manifest.model_validate_json(path.read_bytes())
                except (OSError, ValidationError):
                    continue  # being written, or of another version
                self._readers[folder] = RunReader(folder, manifest)
            if folder in self._readers:
                found.append(self._readers[folder].read())
                if not working:
                    del self._readers[folder]
        return found


def _works(folder: Path, held: frozenset[int] | None) -> bool:
    """Whether a process holds the run's lock. Trying the lock would keep a run that begins now from it."""
    try:
        inode = (folder / ".lock").stat().st_ino
    except OSError:
        return False
    return inode in held if held is not None else not (folder / "seal.json").exists()


def _held_inodes() -> frozenset[int] | None:
    """Return the files that are locked, by their inodes; None where the system does not tell."""
    try:
        lines = _LOCKS.read_text().splitlines()
    except OSError:
        return None
    # 1: FLOCK  ADVISORY  WRITE 1234 fd:01:56789 0 EOF
    parts = (line.split() for line in lines)
    return frozenset(
        int(each[5].rpartition(":")[2]) for each in parts if len(each) > 5 and each[1] == "FLOCK"
    )
