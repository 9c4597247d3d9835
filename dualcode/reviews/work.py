"""`dualcode review`: from what was asked for to what came of it."""

from collections.abc import Callable
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Literal

from dualcode.call import Call
from dualcode.config import Role, TeamConfig
from dualcode.errors import InputError
from dualcode.journal import Findings
from dualcode.record import Record
from dualcode.reviews import git
from dualcode.reviews.desk import Desk, Work, desk
from dualcode.reviews.forms import pieces
from dualcode.reviews.mending import Mend, mend
from dualcode.reviews.review import Heard, Reviewed, review
from dualcode.reviews.sources import (
    MOST_CHARACTERS,
    STDIN,
    Cut,
    Source,
    cut,
    decoded,
    is_diff,
    read_diff,
    read_files,
)
from dualcode.serving.running import find_team
from dualcode.team import Seat
from dualcode.together import ticking

FailOn = Literal["confirmed", "any", "never"]
MOST_SPEC = 64 << 10
"""Bytes of a specification."""


class ReviewOptions(Record):
    """What `dualcode review` was asked for."""

    files: tuple[Path, ...] = ()
    diff: str | None = None
    """A revision: what the working tree has that it has not."""
    stdin: bytes | None = None
    """Code or a diff."""
    spec: Path | None = None
    team: Path | TeamConfig | None = None
    most: int = MOST_CHARACTERS
    """Characters of one request's code."""
    test_command: str | None = None
    """With it the coder mends what is confirmed, guarded by this command."""
    test_seconds: float = 600.0
    ledger: Path | None = None
    unsafe: bool = False


def gather(asked: ReviewOptions, folder: Path) -> tuple[Cut, Path]:
    """Read what is to be reviewed, and cut it; return it with the folder that its paths are from.

    An empty diff gives no pieces. Raises InputError.
    """
    root = git.root_of(folder) or folder
    sources: list[Source] = []
    left_out: list[str] = []
    if asked.diff is not None:
        sources, left_out = read_diff(git.diff(folder, asked.diff), root)
    elif asked.stdin is not None:
        text = decoded(asked.stdin)
        if isinstance(text, tuple):
            raise InputError(f"stdin is {text[0]}", hint="code or a diff: git diff | dualcode review -")
        if not text.strip():
            raise InputError("stdin holds nothing", hint="git diff | dualcode review -; or --diff HEAD")
        if is_diff(text):
            sources, left_out = read_diff(text, root)
        else:
            sources = [Source(path=STDIN, text=text)]
    else:
        sources, left_out = read_files(
            [(folder / each).resolve() for each in asked.files], root=root.resolve()
        )
    made = cut(sources, asked.most)
    return made.model_copy(update={"left_out": (*left_out, *made.left_out)}), root


def read_spec(path: Path | None) -> str:
    """Return a specification's text; empty without one. Raises InputError for what is no text."""
    if path is None:
        return ""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}", hint="--spec FILE") from None
    text = decoded(data)
    if isinstance(text, tuple) or len(data) > MOST_SPEC:
        why = text[0] if isinstance(text, tuple) else f"larger than {MOST_SPEC >> 10} KiB"
        raise InputError(f"{path} is no specification: {why}", hint="--spec FILE, a text")
    return text


async def do_review(
    asked: ReviewOptions, *, tell: Callable[[str], None], heard: Heard = lambda _piece, _found: None
) -> tuple[Reviewed, list[Mend]]:
    """Review, mend what is confirmed where a test command guards that, and keep a record of the work.

    Raises InputError for what cannot be reviewed, and what `desk` and `mend` raise.
    """
    found, root = gather(asked, Path.cwd())
    spec = read_spec(asked.spec)
    if not found.pieces:
        return Reviewed(pieces=0, left_out=found.left_out), []
    config = find_team(asked.team)
    roles: list[Role] = ["reviewer", "coder"] if asked.test_command else ["reviewer"]
    async with (
        ticking(tell) as tell,
        desk(config, roles, ledger=asked.ledger, unsafe=asked.unsafe, tell=tell) as place,
    ):
        tell(f"reviewing {pieces(len(found.pieces))}; programs are tried in: {place.tier.name}")
        return await _work(asked, found, root, spec, place, tell, heard)


async def _work(
    asked: ReviewOptions,
    found: Cut,
    root: Path,
    spec: str,
    place: Desk,
    tell: Callable[[str], None],
    heard: Heard,
) -> tuple[Reviewed, list[Mend]]:
    numbers = count(1)

    def seat(role: Role, name: str, keep: Callable[[Call], None]) -> Seat:
        return replace(place.team[role], task_id=name, record=keep, numbers=numbers)

    mends: list[Mend] = []
    begun = Work("left", False if asked.test_command else None, Findings())
    with place.on_record("review", "review", begun) as work:
        reviewed = await review(
            found,
            spec,
            lambda name, keep: seat("reviewer", name, keep),
            place.team.bench,
            at_once=place.config.endpoint_of("reviewer").concurrency,
            heard=heard,
            record=work.calls.append,
        )
        work.findings = reviewed.counts
        confirmed = [each for each in reviewed.findings if each.status == "confirmed"]
        if asked.test_command and confirmed:
            mends = await mend(
                list({each.source.path: each.source for each in found.pieces}.values()),
                confirmed,
                lambda name: seat("coder", name, work.calls.append),
                place.team.bench,
                root=root,
                command=asked.test_command,
                seconds=asked.test_seconds,
                tell=tell,
            )
            work.amended = any(each.outcome == "written" for each in mends)
        work.outcome = "errored" if reviewed.errored else "done"
    return reviewed, mends


def failing(reviewed: Reviewed, mends: list[Mend], fail_on: FailOn) -> int:
    """Return how many findings make the command fail: those that were mended do not."""
    mended = [found for each in mends if each.outcome == "written" for found in each.findings]
    left = [each for each in reviewed.findings if each not in mended]
    wanted = {"never": (), "confirmed": ("confirmed",), "any": ("confirmed", "untried")}[fail_on]
    return sum(each.status in wanted for each in left)
