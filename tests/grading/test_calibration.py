"""The calibration: what is kept, for whom it is good, and what becomes of damage."""

import asyncio
import logging
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dualcode.errors import SuiteError
from dualcode.grading import calibration_cache
from dualcode.grading import reference as references
from dualcode.grading.calibration import QUIET_RUNS, Calibration
from dualcode.grading.calibration_cache import CalibrationCache, content_key, machine_key
from dualcode.grading.reference import SLOW_CALL, Calibrated, Reference, Times
from dualcode.grading.rules import FACTOR, LEAST_CPU, LEAST_OUTPUT, LEAST_WAITING, MEMORY, limits_of
from dualcode.grading.turns import Turns
from dualcode.sandbox import open_sandbox
from dualcode.sandbox.job import DIGEST_ABOVE, MIB, Arguments, Job, Ran, frames
from dualcode.sandbox.sandbox import Sandbox, Tier
from dualcode.suites.registry import load_suite
from dualcode.suites.suite import Suite
from tests.suites.data import problem, write_rows

TASK = "HumanEval/0"


class Counting:
    """A sandbox that counts jobs, and starts only when it is used."""

    def __init__(self, opened: Sandbox) -> None:
        self.opened = opened
        self.jobs: list[Job] = []

    @property
    def tier(self) -> Tier:
        return self.opened.tier

    async def run(self, job: Job) -> Ran:
        self.jobs.append(job)
        return await self.opened.run(job)

    async def close(self) -> None:
        await self.opened.close()


def suite_of(folder: Path, **changes: Any) -> Suite:
    folder.mkdir(exist_ok=True)
    return load_suite("humaneval", data=write_rows(folder / "d.jsonl", problem(**changes)))


async def calibrate(suite: Suite, cache: CalibrationCache) -> tuple[Calibrated, int]:
    """Return a task's calibration, and how many jobs it took."""
    async with open_sandbox(1) as sandbox:
        counting = Counting(sandbox)
        return await Calibration(suite, counting, Turns(1), cache).of(TASK), len(counting.jobs)


def cache_in(folder: Path, key: str = "key", machine: str = "machine") -> CalibrationCache:
    return CalibrationCache("tests", key, machine, root=folder)


def files(folder: Path, pattern: str) -> list[Path]:
    return sorted(folder.rglob(pattern))


# What is computed


async def test_a_reference_s_outputs_are_kept_and_read_again(tmp_path: Path) -> None:
    suite = suite_of(tmp_path / "suite")
    first, jobs = await calibrate(suite, cache_in(tmp_path))
    again, none = await calibrate(suite, cache_in(tmp_path))
    assert (jobs, none) == (2, 0)
    assert first == again
    kinds = [frame.kind for frame in frames(first.reference.tests["plus"].expected)]
    assert kinds == ["B", "V", "V", "V", "E"]
    assert first.reference.tests["base"].inputs == Arguments.of("triple", [[1], [2]])


async def test_a_task_is_computed_once_however_many_ask(tmp_path: Path) -> None:
    suite = suite_of(tmp_path / "suite")
    async with open_sandbox(2) as sandbox:
        counting = Counting(sandbox)
        calibration = Calibration(suite, counting, Turns(2), cache_in(tmp_path))
        known = await asyncio.gather(*(calibration.of(TASK) for _ in range(5)))
    assert len(counting.jobs) == 2
    assert all(each == known[0] for each in known)


async def test_one_who_gives_up_does_not_spoil_it_for_the_others(tmp_path: Path) -> None:
    suite = suite_of(tmp_path / "suite")
    async with open_sandbox(1) as sandbox:
        calibration = Calibration(suite, sandbox, Turns(1), cache_in(tmp_path))
        asking = [asyncio.create_task(calibration.of(TASK)) for _ in range(2)]
        await asyncio.sleep(0)
        asking[0].cancel()
        assert (await asking[1]).reference.task_id == TASK


async def test_a_long_output_is_kept_by_its_digest(tmp_path: Path) -> None:
    suite = suite_of(tmp_path / "suite", canonical_solution=f"    return 'x' * {DIGEST_ABOVE}\n")
    known, _ = await calibrate(suite, cache_in(tmp_path))
    tests = known.reference.tests["base"]
    assert [frame.kind for frame in frames(tests.expected)] == ["B", "D", "D", "E"]
    assert len(tests.expected) < 1000
    assert all(length > DIGEST_ABOVE for length in tests.long.values())
    assert list(tests.long) == [0, 1]
    async with open_sandbox(1) as sandbox:
        program = suite.hidden[TASK].reference()
        assert (await sandbox.run(Job(program, tests.inputs))).stream == tests.expected


@pytest.mark.parametrize("value", ["float('nan')", "[1, {'a': (float('nan'),)}]"])
async def test_a_nan_is_noted(tmp_path: Path, value: str) -> None:
    suite = suite_of(tmp_path / "suite", canonical_solution=f"    return {value}\n")
    known, _ = await calibrate(suite, cache_in(tmp_path))
    assert known.reference.tests["base"].has_nan


async def test_slow_calls_are_timed_alone_and_the_others_once(tmp_path: Path) -> None:
    solution = "    import time\n    start = time.process_time()\n"
    solution += "    while n == 10 and time.process_time() - start < 0.2: pass\n    return n\n"
    known, jobs = await calibrate(
        suite_of(tmp_path / "suite", canonical_solution=solution), cache_in(tmp_path)
    )
    assert jobs == 2 + QUIET_RUNS
    assert list(known.times["plus"].slow) == [2]
    assert known.times["plus"].slow[2] > SLOW_CALL
    assert known.times["base"].slow == {}


@pytest.mark.parametrize(
    "solution",
    ["    return 1 // n\n", "    raise SystemExit\n", "    import os; os._exit(0)\n", "    return (\n"],
)
async def test_a_reference_that_does_not_go_through_is_bad_data(tmp_path: Path, solution: str) -> None:
    suite = suite_of(tmp_path / "suite", canonical_solution=solution)
    with pytest.raises(SuiteError, match="HumanEval/0: the reference does not go through its own tests"):
        await calibrate(suite, cache_in(tmp_path))
    assert files(tmp_path, "*.reference") == []


async def test_mbpp_inputs_that_are_not_the_task_s_are_bad_data(tmp_path: Path) -> None:
    row = problem() | {"task_id": "Mbpp/252", "base_input": [["no number"]]}
    suite = load_suite("mbpp", data=write_rows(tmp_path / "d.jsonl", row))
    async with open_sandbox(1) as sandbox:
        with pytest.raises(SuiteError, match="Mbpp/252: its base inputs are not what it takes"):
            await Calibration(suite, sandbox, Turns(1), cache_in(tmp_path)).of("Mbpp/252")


# For whom it is good


async def test_data_of_another_version_is_computed_anew_and_never_mixed(tmp_path: Path) -> None:
    old, new = (suite_of(tmp_path / name, canonical_solution=f"    return '{name}'\n") for name in ("a", "b"))
    known: list[Calibrated] = []
    for suite in (old, new):
        key = content_key(suite.data.sha256)
        calibrated, jobs = await calibrate(suite, cache_in(tmp_path, key))
        known.append(calibrated)
        assert jobs == 2
    assert known[0].reference != known[1].reference
    # Not even if the one's file is put in the other's place.
    first, second = files(tmp_path, "*.reference")
    second.write_bytes(first.read_bytes())
    first.write_bytes(second.read_bytes())
    for suite, before in zip((old, new), known, strict=True):
        calibrated, _ = await calibrate(suite, cache_in(tmp_path, content_key(suite.data.sha256)))
        assert calibrated.reference == before.reference


async def test_another_machine_keeps_the_outputs_and_measures_its_own_times(tmp_path: Path) -> None:
    suite = suite_of(tmp_path / "suite")
    first, _ = await calibrate(suite, cache_in(tmp_path))
    second, jobs = await calibrate(suite, cache_in(tmp_path, machine="other"))
    assert second.reference == first.reference
    assert jobs == 2
    assert len(files(tmp_path, "times-*")) == 2


def test_the_key_depends_on_data_code_and_versions(monkeypatch: pytest.MonkeyPatch) -> None:
    key = content_key("a")
    assert key == content_key("a")
    assert key != content_key("b")

    def another(*_: str) -> str:
        return "another"

    for place, name in ((calibration_cache, "_code"), (calibration_cache.importlib.metadata, "version")):
        with monkeypatch.context() as patched:
            patched.setattr(place, name, another)
            assert content_key("a") != key


def test_the_machine_s_id_is_not_shown() -> None:
    identity = Path("/etc/machine-id")
    shown = machine_key()
    assert shown == machine_key()
    if identity.exists() and (text := identity.read_text().strip()):
        assert text not in shown


# Damage


Damage = Callable[[bytes], bytes]

DAMAGES: dict[str, Damage] = {
    "cut": lambda content: content[:-5],
    "empty": lambda content: content[:0],
    "zeros": lambda content: b"\0" * len(content),
    "flipped": lambda content: content[:-3] + bytes([content[-3] ^ 1]) + content[-2:],
    "edited": lambda content: content.replace(b'"count": 2', b'"count": 3'),
    "a pickle": lambda content: b"\x80\x04cos\nsystem\n(S'touch pwned'\ntR." + content[:0],
}
DAMAGES_TO_TIMES: dict[str, Damage] = {
    "cut": lambda text: text[:-8],
    "edited": lambda text: text.replace(b"base", b"bass"),
    "garbage": lambda text: b"\xff\n" + text[:5],
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
async def test_a_damaged_file_is_computed_anew_with_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, damage: Damage
) -> None:
    suite = suite_of(tmp_path / "suite")
    first, _ = await calibrate(suite, cache_in(tmp_path))
    (path,) = files(tmp_path, "*.reference")
    path.write_bytes(damage(path.read_bytes()))
    with caplog.at_level(logging.WARNING):
        again, jobs = await calibrate(suite, cache_in(tmp_path))
    assert jobs == 2
    assert again.reference == first.reference
    assert f"{path} is damaged and made anew" in caplog.text
    caplog.clear()
    assert (await calibrate(suite, cache_in(tmp_path)))[1] == 0
    assert caplog.text == ""


@pytest.mark.parametrize("damage", DAMAGES_TO_TIMES.values(), ids=DAMAGES_TO_TIMES)
async def test_damaged_times_are_measured_anew_with_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, damage: Damage
) -> None:
    suite = suite_of(tmp_path / "suite")
    await calibrate(suite, cache_in(tmp_path))
    (path,) = files(tmp_path, "times-*")
    path.write_bytes(damage(path.read_bytes()))
    with caplog.at_level(logging.WARNING):
        again, jobs = await calibrate(suite, cache_in(tmp_path))
    assert jobs > 0
    assert again.times.keys() == {"base", "plus"}
    assert "damaged lines are measured anew" in caplog.text
    assert (await calibrate(suite, cache_in(tmp_path)))[1] == 0


async def test_a_folder_that_cannot_be_written_is_said_once_and_costs_only_time(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    suite = suite_of(tmp_path / "suite")
    (tmp_path / "root").write_text("a file where the folder should be")
    with caplog.at_level(logging.WARNING):
        known, _ = await calibrate(suite, cache_in(tmp_path / "root"))
    assert known.reference.task_id == TASK
    assert caplog.text.count("cannot be written") == 1


def kept(task: int) -> Reference:
    inputs = Arguments.of("f", [[task]])
    tests = references.Tests(inputs, expected=b"%d" % task * 100, has_nan=False, long={0: 5}, peak=7)
    return Reference(f"HumanEval/{task}", "humaneval", "f", 0.5, {"base": tests, "plus": tests})


def test_processes_that_write_at_once_leave_whole_files(tmp_path: Path) -> None:
    children: list[int] = []
    for number in range(4):
        if (pid := os.fork()) == 0:
            cache = cache_in(tmp_path)
            for task in range(40):
                cache.keep_reference(kept(task))
                cache.keep_times(f"HumanEval/{task}", "base", Times(number + 1.0, {3: 0.5}, 0.25))
            os._exit(0)
        children.append(pid)
    assert [os.waitpid(pid, 0)[1] for pid in children] == [0] * 4
    cache = cache_in(tmp_path)
    assert all(cache.reference(f"HumanEval/{task}") == kept(task) for task in range(40))
    times = cache.times()
    assert len(times) == 40
    assert all((each["base"].slow, each["base"].other) == ({3: 0.5}, 0.25) for each in times.values())
    assert [path.name for path in cache.folder.iterdir() if path.name.startswith(".")] == []


# Limits


def some(count: int = 3, size: int = 10, **long: int) -> references.Tests:
    by_call = {int(call[1:]): length for call, length in long.items()}
    return references.Tests(Arguments("f", b"", count), b"x" * size, has_nan=False, long=by_call, peak=0)


def test_a_call_may_take_a_second_or_four_times_the_reference_s_time() -> None:
    known = limits_of("humaneval", some(), Times(1.0, {0: 0.2, 1: 0.5}))
    assert known.call_cpu == LEAST_CPU
    assert known.slow_calls == {1: FACTOR * 0.5}
    assert known.total_cpu == 1 + 2 + 1 + 2
    assert known.memory == MEMORY


def test_all_calls_together_may_take_a_minute_and_the_wall_clock_is_no_limit_of_theirs() -> None:
    known = limits_of("mbpp", some(200), Times(50.0, {0: 15.0}))
    assert known.total_cpu == 62
    assert known.wall > 3 * known.total_cpu


def test_loading_and_sending_are_no_call_s_time() -> None:
    known = limits_of("mbpp", some(3, c1=3 << 20, c2=1 << 20), Times(0.1, {}, other=2.0))
    assert known.slow_calls == {1: 1 + 4 * 1.5, 2: 1 + 4 * 0.5}
    assert known.total_cpu == 1 + 7 + 3 + 2 + 8


def test_humaneval_s_own_tests_have_three_seconds_together() -> None:
    known = limits_of("check", some(50), Times(0.01, {}))
    assert (known.call_cpu, known.total_cpu) == (3, 5)
    assert limits_of("check", some(50), Times(2.0, {})).total_cpu == 10


def test_what_may_be_returned_grows_with_what_the_reference_returned() -> None:
    times, large = Times(0, {}), some(3, LEAST_OUTPUT, c0=9 * LEAST_OUTPUT)
    assert limits_of("mbpp", some(), times).output == LEAST_OUTPUT + MIB
    assert limits_of("mbpp", large, times).output == 9 * LEAST_OUTPUT
    assert limits_of("mbpp", large, times, whole=True).output == 27 * LEAST_OUTPUT
    assert limits_of("mbpp", some(), times, capture=True).output == LEAST_OUTPUT + MIB


def test_a_program_may_wait_as_long_as_evalplus_gives_it_by_the_clock() -> None:
    times = Times(0, {})
    assert limits_of("mbpp", some(3), times).waiting == LEAST_WAITING
    assert limits_of("mbpp", some(30), times).waiting == 32
    assert limits_of("mbpp", some(866), times).waiting == 62


# Who may write


async def test_a_folder_that_others_may_write_is_not_used_and_said_once_with_what_mends_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    suite = suite_of(tmp_path / "suite")
    await calibrate(suite, cache_in(tmp_path / "cache"))
    (path,) = files(tmp_path, "*.reference")
    path.write_bytes(b"forged")
    (tmp_path / "cache").chmod(0o777)
    with caplog.at_level(logging.WARNING):
        known, jobs = await calibrate(suite, cache_in(tmp_path / "cache"))
    assert (known.reference.task_id, jobs) == (TASK, 2)
    assert path.read_bytes() == b"forged"
    assert caplog.text.count("is not used") == 1
    mend = caplog.text.strip().rpartition("until: ")[2]
    assert mend == f"rm -r {tmp_path / 'cache'}"
    await asyncio.to_thread(subprocess.run, mend, shell=True, check=True)
    await calibrate(suite, cache_in(tmp_path / "cache"))
    assert (await calibrate(suite, cache_in(tmp_path / "cache")))[1] == 0


@pytest.mark.parametrize("pattern", ["*.reference", "times-*"])
async def test_a_file_that_others_may_write_is_made_anew_with_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, pattern: str
) -> None:
    suite = suite_of(tmp_path / "suite")
    await calibrate(suite, cache_in(tmp_path / "cache"))
    (path,) = files(tmp_path, pattern)
    path.chmod(0o666)
    with caplog.at_level(logging.WARNING):
        _, jobs = await calibrate(suite, cache_in(tmp_path / "cache"))
    assert jobs > 0
    assert f"{path} may be written by everyone, so it is made anew" in caplog.text
    assert path.stat().st_mode & 0o077 == 0
    assert (await calibrate(suite, cache_in(tmp_path / "cache")))[1] == 0


def test_a_folder_above_that_others_may_write_is_mended_before_the_cache_is_made_anew(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (above := tmp_path / "above").mkdir()
    above.chmod(0o777)
    with caplog.at_level(logging.WARNING):
        cache_in(above / "cache")
    assert caplog.text.strip().endswith(f"until: chmod go-w {above} && rm -r {above / 'cache'}")


async def test_folders_and_files_are_made_for_their_user_alone(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        await calibrate(suite_of(tmp_path / "suite"), cache_in(tmp_path / "cache"))
    finally:
        os.umask(before)
    made = [tmp_path / "cache", *(tmp_path / "cache").rglob("*")]
    assert len(made) == 4
    assert all(path.stat().st_mode & 0o077 == 0 for path in made)


def test_other_data_under_the_same_name_has_another_key(tmp_path: Path) -> None:
    one, other = (
        suite_of(tmp_path / name, canonical_solution=f"    return {factor} * n\n")
        for name, factor in (("one", 3), ("other", 4))
    )
    assert CalibrationCache.of(one).folder != CalibrationCache.of(other).folder
    assert content_key(one.data.sha256) != content_key(other.data.sha256)
