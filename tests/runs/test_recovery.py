"""Damaged records: what is beyond a broken line is read, and a resumed run is whole again."""

import asyncio
import gc
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from dualcode.call import Call
from dualcode.errors import RunError
from dualcode.pipelines.find import find_pipeline
from dualcode.runs import recovery
from dualcode.runs.session import RunStore, open_run, to_resume
from dualcode.runs.store import DAMAGED, RECORD_FILES, RunRecords, read_run, read_servers
from dualcode.runs.summary import summarize
from dualcode.verdict import Verdict
from tests.scripted_runs import flaws, make_run

RETRY = find_pipeline("review-fix-retry")
Break = Callable[[list[bytes]], list[bytes]]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A whole run that nobody has sealed."""
    return asyncio.run(make_run(tmp_path_factory.mktemp("made"), RETRY))


@pytest.fixture
def run(made: Path, tmp_path: Path) -> Path:
    """A copy of it to be damaged."""
    return Path(shutil.copytree(made, tmp_path / made.name))


def edit(path: Path, change: Break) -> None:
    path.write_bytes(b"".join(change(path.read_bytes().splitlines(keepends=True))))


def cut(lines: list[bytes]) -> list[bytes]:
    """Cut the second line in its middle, as an editor or a disk may."""
    return [lines[0], lines[1][: len(lines[1]) // 2] + b"\n", *lines[2:]]


def joined(lines: list[bytes]) -> list[bytes]:
    """Let the second line go on in the third, as a short write did."""
    return [lines[0], lines[1][: len(lines[1]) // 2] + lines[2], *lines[3:]]


PER_RUN = ["tasks.jsonl", "programs.jsonl", "calls.jsonl", "samples.jsonl", "verdicts.jsonl", "shown.jsonl"]


@pytest.mark.parametrize("change", [cut, joined])
@pytest.mark.parametrize("name", PER_RUN)
async def test_a_run_with_a_broken_line_is_read_beyond_it_and_resumed_to_a_whole_one(
    run: Path, name: str, change: Break
) -> None:
    whole = read_run(run)
    edit(run / name, change)
    records = read_run(run)
    [damage] = records.damage
    assert (damage.file, damage.line) == (name, 2)
    assert set(records.verdicts) <= set(whole.verdicts)
    assert not records.whole
    assert summarize(records).cautions == (str(damage),)

    await make_run(run.parent, RETRY)
    mended = read_run(run)
    assert mended.whole
    assert flaws(mended) == []
    assert mended.tasks == whole.tasks
    assert mended.done == whole.done
    assert name.encode() in (run / DAMAGED).read_bytes()


async def test_only_the_tasks_of_the_broken_line_are_done_again(run: Path) -> None:
    whole = read_run(run)
    edit(run / "calls.jsonl", cut)
    [damage] = read_run(run).damage
    [lost] = damage.tasks
    await make_run(run.parent, RETRY)
    mended = read_run(run)
    for task in whole.tasks.keys() - {lost}:
        assert mended.samples[task] == whole.samples[task]
        assert calls_of(mended, task) == calls_of(whole, task)
    assert {call.task_id for call in mended.superseded} == {lost}  # what was left of it, and was paid for


def calls_of(records: RunRecords, task: str) -> list[Call]:
    return [call for call in records.calls if call.task_id == task]


@pytest.mark.parametrize("name", ["superseded.jsonl", "servers.jsonl"])
def test_a_broken_line_that_is_no_tasks_costs_that_line_alone(run: Path, name: str) -> None:
    whole = read_run(run)
    (run / name).write_text("nonsense\n")
    opened = RunStore.open(run, whole.manifest)
    assert [(each.file, each.line) for each in opened.damage] == [(name, 1)]
    opened.close()
    assert (run / name).read_text() == ""
    assert read_run(run) == whole
    assert read_servers(run) == ()


def test_a_run_without_damage_is_opened_without_a_change(run: Path) -> None:
    before = {path.name: path.read_bytes() for path in run.iterdir()}
    RunStore.open(run, read_run(run).manifest).close()
    assert {path.name: path.read_bytes() for path in run.iterdir()} == before


async def test_a_kill_amid_the_mending_loses_nothing(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every place between two writes of the mending; the next opening goes on from there."""
    whole = read_run(run)
    edit(run / "calls.jsonl", cut)
    damaged = run.parent / "damaged"
    shutil.copytree(run, damaged)
    for count in range(1, 20):
        shutil.rmtree(run)
        shutil.copytree(damaged, run)
        writes = iter(range(count))

        def killed(real: Callable[[Path, str], None]) -> Callable[[Path, str], None]:
            def write(path: Path, text: str) -> None:
                if next(writes, None) is None:  # noqa: B023 - called within its round
                    raise KeyboardInterrupt
                real(path, text)

            return write

        with monkeypatch.context() as patch:
            patch.setattr(recovery, "replace", killed(recovery.replace))
            patch.setattr(recovery, "append_whole", killed(recovery.append_whole))  # pyright: ignore[reportArgumentType]
            try:
                RunStore.open(run, whole.manifest).close()
                ended = True
            except KeyboardInterrupt:
                ended = False
        await make_run(run.parent, RETRY)
        mended = read_run(run)
        assert mended.whole
        assert flaws(mended) == []
        assert mended.done == whole.done
        if ended:
            return
    raise AssertionError("the mending never came to an end")


def test_a_session_that_has_ended_takes_no_record(run: Path) -> None:
    records = read_run(run)
    verdict = next(iter(records.verdicts.values()))
    before = (run / "verdicts.jsonl").read_bytes()
    opened = RunStore.open(run, records.manifest)
    opened.end_session()
    with pytest.raises(RunError, match=r"has ended: verdicts\.jsonl takes nothing more"):
        opened.add_verdict(verdict)
    opened.close()
    with pytest.raises(RunError, match=r"has ended: calls\.jsonl takes nothing more"):
        opened.add_call(records.calls[0])
    assert (run / "verdicts.jsonl").read_bytes() == before


def second(run: Path, number: int = 2) -> Path:
    """Copy a run to where `--fresh` would have begun another."""
    return Path(shutil.copytree(run, run.with_name(f"{run.name}-{number}")))


def undone(run: Path) -> Path:
    edit(run / "verdicts.jsonl", lambda lines: lines[:1])
    return run


async def test_a_fresh_run_that_was_killed_is_what_the_command_goes_on_with(run: Path) -> None:
    cut_short = undone(second(run))
    assert to_resume(run.parent, run.name) == cut_short
    assert await make_run(run.parent, RETRY) == cut_short
    assert read_run(cut_short).whole
    assert to_resume(run.parent, run.name) == cut_short  # of whole ones the newest


@pytest.mark.parametrize("begun", [(), (".lock",), (".lock", "manifest.new")])
async def test_a_fresh_run_that_was_killed_before_its_manifest_is_gone_on_with(
    run: Path, begun: tuple[str, ...]
) -> None:
    folder = run.with_name(f"{run.name}-2")
    folder.mkdir()
    for name in begun:
        (folder / name).touch()
    assert await make_run(run.parent, RETRY) == folder
    records = read_run(folder)
    assert records.whole
    assert records.manifest.id == folder.name


def test_an_older_unfinished_run_goes_on_where_the_newer_is_whole(run: Path) -> None:
    second(run)
    undone(run)
    assert to_resume(run.parent, run.name) == run


def test_a_run_that_cannot_be_read_holds_up_no_other(run: Path) -> None:
    (second(run) / "manifest.json").write_text("{")
    assert to_resume(run.parent, run.name) == run


def test_of_more_than_nine_the_newest_counts_by_its_number(run: Path) -> None:
    for number in (2, 10):
        second(run, number)
    assert to_resume(run.parent, run.name).name == f"{run.name}-10"


def test_fresh_begins_behind_all_that_are_there(run: Path) -> None:
    second(run, 7)
    (run.parent / f"{run.name}-draft").mkdir()
    manifest = read_run(run).manifest
    opened = open_run(run.parent, manifest, fresh=True)
    opened.close()
    assert opened.folder.name == f"{run.name}-8"


def test_where_no_run_is_there_the_first_has_the_plain_name(tmp_path: Path) -> None:
    assert to_resume(tmp_path / "none", "mini-x") == tmp_path / "none" / "mini-x"


def test_every_record_file_has_a_rule_for_its_damage() -> None:
    assert {*RECORD_FILES} == {*PER_RUN, "superseded.jsonl", "servers.jsonl"}


async def test_a_verdict_that_was_lost_is_graded_again_without_a_call(run: Path) -> None:
    whole = read_run(run)
    edit(run / "verdicts.jsonl", cut)
    await make_run(run.parent, RETRY)
    mended = read_run(run)
    assert mended.calls == whole.calls
    assert mended.superseded == ()
    assert [*map(Verdict.to_line, sorted_by_task(mended))] == [*map(Verdict.to_line, sorted_by_task(whole))]


def sorted_by_task(records: RunRecords) -> list[Verdict]:
    return sorted(records.verdicts.values(), key=lambda verdict: verdict.task_id)


def test_the_verdicts_of_earlier_sessions_are_not_held_together(run: Path) -> None:
    """Each is there once, the last that stands there, and gone before the next is read."""
    edit(run / "verdicts.jsonl", lambda lines: [*lines, lines[0]])
    records = read_run(run)
    expected = {id_: verdict.passed_plus for id_, verdict in records.verdicts.items()}
    manifest = records.manifest
    del records
    gc.collect()
    store = RunStore.open(run, manifest)
    before, seen = _alive(), dict[str, bool]()
    for verdict in store.kept:
        seen[verdict.task_id] = verdict.passed_plus
        assert _alive() <= before + 2
    store.close()
    assert seen == expected
    assert len(store.kept) == len(expected) > 2


def _alive() -> int:
    return sum(isinstance(each, Verdict) for each in gc.get_objects())
