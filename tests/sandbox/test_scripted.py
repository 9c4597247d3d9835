import pytest

from dualcode.errors import SandboxError
from dualcode.sandbox.job import Arguments, Job, Ran
from dualcode.sandbox.scripted import ScriptedSandbox, ended, raised, returned

JOB = Job("def f(x): return x", Arguments.of("f", [[1], [2]]))


async def test_jobs_are_answered_by_the_script_and_remembered() -> None:
    sandbox = ScriptedSandbox(lambda job: returned(list(range(job.calls.count))))
    ran = await sandbox.run(JOB)
    assert [frame.kind for frame in ran.frames()] == ["B", "V", "V", "E"]
    assert sandbox.jobs == [JOB]


async def test_an_error_of_the_script_is_raised() -> None:
    sandbox = ScriptedSandbox(lambda _: SandboxError("broken"))
    with pytest.raises(SandboxError, match="broken"):
        await sandbox.run(JOB)


def test_a_scripted_exception_is_told() -> None:
    ran: Ran = raised("ValueError", "no", after=[1])
    told = ran.told()
    assert told is not None
    assert (told.type, told.message) == ("ValueError", "no")
    assert [frame.kind for frame in ran.frames()] == ["B", "V", "R", "E"]


async def test_the_script_says_that_nothing_is_run() -> None:
    sandbox = ScriptedSandbox(lambda _: ended("timed_out", "5 s of CPU time in all"))
    await sandbox.close()
    assert sandbox.closed
    assert (sandbox.tier.name, sandbox.tier.holds) == ("scripted", ())
    assert (await sandbox.run(JOB)).ending == "timed_out"
