"""An agent from its brief to its end: real commands in a real jail on a real tree."""

import asyncio
import secrets
from dataclasses import replace

import pytest

from dualcode.agents.agent import answered, run_agent
from dualcode.agents.records import AgentLimits, AgentRun, Step, Workplace
from dualcode.agents.work import MARKER
from dualcode.call import Reply, Request, Usage
from dualcode.errors import ContextOverflowError, EndpointError, RunError, SandboxError, UnreachableError
from dualcode.issues.jail.jail import CommandJail
from dualcode.issues.jail.room import Ended
from dualcode.models.scripted import Answer, ScriptedChat, reply
from tests.agents.acting import BRIEF, MEND, SUBMIT, act, reading, says, seat
from tests.issues import shop
from tests.issues.attacks import command_lines

TOTAL = "python -c 'from shop import total; print(total([1, 2, 3]))'"


def priced(text: str, prompt: int, completion: int) -> Reply:
    """Return a reply whose server told its tokens."""
    made = reply(text)
    usage = Usage(prompt_tokens=prompt, completion_tokens=completion)
    attempts = tuple(each.model_copy(update={"usage": usage}) for each in made.attempts)
    return made.model_copy(update={"usage": usage, "attempts": attempts})


# What it does.


async def test_an_agent_reads_mends_tests_and_submits(place: Workplace) -> None:
    acted = await act(place, [says(TOTAL), says(MEND), says("git diff; git status --short"), says(SUBMIT)])
    assert (acted.run.ending, acted.run.answer, acted.run.steps) == ("submitted", "done", 4)
    assert acted.run.succeeded
    assert [(step.number, step.call) for step in acted.steps] == [(1, 1), (2, 2), (3, 3), (4, 4)]
    assert acted.observations[0] == "exit code 0\n<output>\n5\n</output>"
    assert "+    return sum(prices)" in acted.observations[2]
    assert " M shop/price.py" in acted.observations[2], "HEAD is where it was: the agent sees its own change"
    tree = place.room.worktree
    assert (tree.path / "shop/price.py").read_text() == shop.RIGHT["shop/price.py"]
    kept = {path.stem: path.read_text() for path in place.changes.iterdir()}
    assert kept == {acted.steps[-1].change: tree.commit().diff}


async def test_the_conversation_is_whole_and_alternates(place: Workplace) -> None:
    acted = await act(place, ["no command", says("echo hello"), says(SUBMIT)], format_errors=2)
    roles = [message.role for message in acted.said]
    assert roles == ["system", "user", "assistant", "user", "assistant", "user", "assistant"]
    assert acted.said[1].content == "Mend {{ it }}.", "a brief is no template"
    assert "hello" in acted.said[5].content
    for request in acted.chat.requests:
        asked = [message.role for message in request.messages]
        assert asked == [*roles[: len(asked)]]
        assert asked[-1] == "user"


async def test_each_request_is_a_call_on_record_with_the_command_that_was_read(place: Workplace) -> None:
    acted = await act(place, ["prose", says(SUBMIT)])
    assert [call.step for call in acted.calls] == ["implement", "implement"]
    values = [call.value.data for call in acted.calls if call.value]
    assert [value["command"] for value in values] == [None, SUBMIT]
    assert acted.run.calls == 2
    assert acted.run.usage == acted.calls[0].usage + acted.calls[1].usage


async def test_a_second_agent_continues_the_first_one_s_conversation(place: Workplace) -> None:
    first = await act(place, [says("echo seen"), says(SUBMIT)])
    brief = replace(BRIEF, node="self-review", system="Another system.", continuing=first.said)
    second = await act(place, [says(SUBMIT)], brief=brief)
    asked = second.chat.requests[0].messages
    assert [message.role for message in asked] == [*(message.role for message in first.said), "user"]
    assert asked[0].content == "Another system."
    assert asked[1:-1] == first.said[1:]
    cut = replace(brief, continuing=first.said[:4])  # it ended before a reply: no two turns of one role
    third = await act(place, [says(SUBMIT)], brief=cut)
    assert [message.role for message in third.chat.requests[0].messages] == [
        "system",
        "user",
        "assistant",
        "user",
    ]
    assert third.chat.requests[0].messages[-1].content.endswith(f"</output>\n\n{BRIEF.instance}")


async def test_who_only_reads_cannot_change_the_tree_and_submits_what_it_wrote(place: Workplace) -> None:
    plan = f"cat <<'EOF'\n{MARKER}\n# The plan\n```python\nsum(prices)\n```\nEOF"
    acted = await act(reading(place), [says(MEND), says(plan)], brief=replace(BRIEF, node="plan"))
    assert acted.run.answer == "# The plan\n```python\nsum(prices)\n```"
    assert "Read-only file system" in acted.observations[0] or "Permission denied" in acted.observations[0]
    assert [(step.change, step.failed_edit) for step in acted.steps] == [(None, False)] * 2


async def test_an_answer_that_is_refused_is_told_and_the_agent_goes_on(place: Workplace) -> None:
    acted = await act(
        place,
        [
            says(f"echo {MARKER}"),
            says(f"echo hello; echo {MARKER}"),
            says(f"echo {MARKER}; false"),
            says(SUBMIT),
        ],
        brief=replace(BRIEF, check=answered),
    )
    assert (acted.run.ending, acted.run.answer) == ("submitted", "done")
    told = [text.splitlines()[1] for text in acted.observations[:3]]
    assert told[0] == f"Not submitted: print your answer on the lines after {MARKER}, by the same command."
    assert told[1] == f"Not submitted: {MARKER} has to be the first line of the output."
    assert told[2] == "Not submitted: the command that submits has to end with exit code 0."


# Edits that fail, and commands that go wrong.


async def test_a_failed_edit_is_an_observation_and_counted(place: Workplace) -> None:
    commands = [
        "sed -i 's/no such text/x/' shop/price.py",
        "sed -i 's/x/y/' shop/no_file.py",
        "python - <<'EOF'\nfrom pathlib import Path\np = Path('shop/price.py')\n"
        "assert 'nothing' in p.read_text()\np.write_text('x')\nEOF",
        "patch -p1 <<'EOF'\n--- a/shop/price.py\n+++ b/shop/price.py\n@@ -1,2 +1,2 @@\n"
        "-def other():\n-    pass\n+def other():\n+    return 1\nEOF",
        "cat shop/price.py",
        f"{MEND} && false",
        f"cat > /tmp/note <<'EOF'\n{MEND}\nEOF",
    ]
    acted = await act(place, [*map(says, commands), says(SUBMIT)])
    assert [step.failed_edit for step in acted.steps] == [True, True, True, True, False, False, False, False]
    assert acted.run.failed_edits == 4
    told = "No file of the repository was changed by this command."
    assert [told in text for text in acted.observations[:7]] == [True] * 4 + [False] * 3


async def test_a_flood_and_a_daemon_are_observations(place: Workplace) -> None:
    mark = secrets.token_hex(8)
    flood = "head -c 3000000 /dev/zero | tr '\\0' x"
    daemon = f"setsid sh -c 'sleep 300; : {mark}' & echo left"
    acted = await act(place, [says(flood), says(daemon), says(SUBMIT)], observation_chars=500)
    assert acted.run.ending == "submitted"
    assert len(acted.observations[0]) < 700
    assert "characters left out" in acted.observations[0]
    assert (acted.steps[1].ending, acted.steps[1].exit_code) == ("finished", 0)
    assert mark not in "".join(command_lines())


async def test_a_command_that_takes_too_long_is_an_observation(place: Workplace) -> None:
    mark = secrets.token_hex(8)
    short = replace(place, limits=place.limits.model_copy(update={"command_seconds": 0.5}))
    acted = await act(short, [says(f"sleep 300; : {mark}")], steps=1)
    assert (acted.steps[0].ending, acted.steps[0].exit_code) == ("timed out", None)
    assert acted.observations[0].startswith("The command was ended after 0.5 seconds")
    assert mark not in "".join(command_lines())


@pytest.mark.parametrize("size", [40_000, 99_000, 120_000])
async def test_a_command_of_any_length_and_alphabet_is_no_fault_of_ours(place: Workplace, size: int) -> None:
    acted = await act(place, [says(f": '{'語' * (size // 3)}'"), says(SUBMIT)])
    assert acted.run.ending == "submitted"
    assert acted.steps[0].ending in ("finished", "too long")


# Endings.


async def test_steps_end_it_though_good_replies_stand_between_bad_ones(place: Workplace) -> None:
    acted = await act(place, ["prose", says("true")] * 9, steps=5)
    assert (acted.run.ending, acted.run.steps, acted.run.answer) == ("steps", 5, None)
    assert acted.run.why == "it had no more than 5 replies"
    assert [step.command for step in acted.steps] == [None, "true", None, "true", None]


async def test_three_replies_in_a_row_without_a_command_end_it(place: Workplace) -> None:
    cut = reply("```bash\nls", finish_reason="length")
    acted = await act(place, [says("true"), "prose", cut, "```bash\nls\n```\n```bash\nls\n```", says(SUBMIT)])
    assert (acted.run.ending, acted.run.steps, acted.run.succeeded) == ("format", 4, False)
    assert acted.observations[1].startswith("Your reply had no command")
    assert acted.observations[2].startswith("Your reply was cut off")
    assert acted.observations[3].startswith("Your reply had 2 commands")
    assert acted.said[-1].content == acted.observations[3]


async def test_tokens_end_it_and_the_last_reply_may_have_what_is_left(place: Workplace) -> None:
    script = [priced(says("true"), 100, 400), priced(says("true"), 100, 300), priced(says("true"), 100, 300)]
    acted = await act(place, script, tokens=1000)
    assert (acted.run.ending, acted.run.usage.completion_tokens) == ("tokens", 1000)
    assert [request.answer_tokens for request in acted.chat.requests] == [512, 512, 300]
    assert acted.run.why == "its replies had 1,000 of 1,000 tokens"


async def test_tokens_that_a_server_does_not_tell_are_guessed_for_the_limit_and_stay_unknown(
    place: Workplace,
) -> None:
    untold = Usage(untold=1)
    said = reply(says("true", "x" * 3000))
    attempts = tuple(each.model_copy(update={"usage": untold}) for each in said.attempts)
    acted = await act(
        place, [said.model_copy(update={"attempts": attempts, "usage": untold})] * 9, tokens=2000
    )
    assert (acted.run.ending, acted.run.steps, acted.run.usage.untold) == ("tokens", 2, 2)


async def test_time_ends_it_by_what_its_calls_and_commands_took(place: Workplace) -> None:
    slow = reply(says("true")).model_copy(update={"seconds": 40.0})
    acted = await act(place, [slow] * 9, seconds=100)
    assert (acted.run.ending, acted.run.steps) == ("time", 3)
    assert 120 <= acted.run.seconds < 200


async def test_a_command_gets_no_more_than_the_time_that_is_left(place: Workplace) -> None:
    slow = reply(says("sleep 300")).model_copy(update={"seconds": 99.0})
    acted = await act(place, [slow] * 9, seconds=100)
    assert (acted.run.ending, acted.steps[0].ending) == ("time", "timed out")


class Silent(ScriptedChat):
    """A model that never answers."""

    async def complete(self, request: Request) -> Reply:
        await asyncio.Event().wait()
        raise AssertionError("unreachable")


@pytest.mark.parametrize(
    ("limits", "ending"), [({"idle_seconds": 0.05}, "stalled"), ({"seconds": 0.05}, "time")]
)
async def test_a_silent_model_is_no_success(place: Workplace, limits: dict[str, float], ending: str) -> None:
    run, said = await run_agent(
        seat(Silent([])), place, BRIEF, AgentLimits.model_validate(limits), record=lambda _: None
    )
    assert (run.ending, run.succeeded, run.answer) == (ending, False, None)
    assert (run.calls, run.usage.untold) == (0, 1), "what it took, nobody told"
    assert run.seconds >= 0.05
    assert [message.role for message in said] == ["system", "user"]


@pytest.mark.parametrize(
    ("fault", "ending"),
    [
        (EndpointError("the server is gone"), "endpoint"),
        (UnreachableError("nobody there"), "endpoint"),
    ],
)
async def test_a_server_that_fails_ends_it(place: Workplace, fault: EndpointError, ending: str) -> None:
    acted = await act(place, [says("true"), *[fault] * 9])
    assert (acted.run.ending, acted.run.why, acted.run.steps) == (ending, fault.message, 1)
    assert acted.calls[-1].error == fault.message


class Broken(CommandJail):
    """A jail that cannot be entered."""

    def __init__(self, jail: CommandJail, error: Exception) -> None:
        super().__init__(jail.tier)
        self.error = error

    async def run(self, *_: object) -> Ended:  # pyright: ignore[reportIncompatibleMethodOverride]
        raise self.error


@pytest.mark.parametrize("error", [SandboxError("no way in"), OSError(28, "No space left"), RunError("odd")])
async def test_trouble_of_ours_is_told_as_such(place: Workplace, error: Exception) -> None:
    acted = await act(replace(place, jail=Broken(place.jail, error)), [says("true")])
    assert (acted.run.ending, acted.run.steps) == ("infrastructure", 0)
    assert str(error.args[-1]) in acted.run.why


async def test_a_record_that_cannot_be_written_is_trouble_of_ours(place: Workplace) -> None:
    def full(_: Step) -> None:
        raise OSError(28, "No space left on device")

    run, _ = await run_agent(seat(ScriptedChat([says("true")])), place, BRIEF, AgentLimits(), record=full)
    assert run.ending == "infrastructure"
    assert run.why == "OSError: [Errno 28] No space left on device"


# A long history.


async def test_a_server_that_refuses_whatever_is_sent_ends_it(place: Workplace) -> None:
    acted = await act(place, [says("true"), *[ContextOverflowError("too long")] * 9])
    assert (acted.run.ending, acted.run.steps) == ("tokens", 1)
    assert len(acted.calls) == 2, "there was nothing to shorten"


async def test_older_observations_are_shortened_when_the_context_is_full(place: Workplace) -> None:
    big = "python -c \"print('line ' * 600)\""
    acted = await act(place, [*[says(big)] * 5, says(SUBMIT)], context=4000)
    assert acted.run.ending == "submitted"
    assert acted.steps[0].shortened == ()
    assert acted.steps[-1].shortened[:2] == (1, 2)
    longest = max(sum(len(m.content) for m in request.messages) for request in acted.chat.requests)
    assert longest <= (4000 - 512 - 64) * 3 + 1
    assert len(acted.said[3].content) > 3000, "what is on record of it is whole"


async def test_a_server_that_refuses_a_long_history_is_sent_a_shorter_one(place: Workplace) -> None:
    sizes: list[int] = []
    left = [*[says("python -c \"print('line ' * 400)\"")] * 5, says(SUBMIT)]

    def answer(request: Request) -> Answer:
        sizes.append(sum(len(message.content) for message in request.messages))
        return ContextOverflowError("too long") if sizes[-1] > 6000 else left.pop(0)

    acted = await act(place, answer)
    assert (acted.run.ending, acted.run.steps, left) == ("submitted", 6, [])
    assert max(sizes) > 6000
    assert acted.steps[-1].shortened
    assert sum(call.error is not None for call in acted.calls) == sum(size > 6000 for size in sizes)


async def test_the_context_that_a_seat_s_server_tells_is_kept_to(place: Workplace) -> None:
    told = replace(seat(ScriptedChat([says(SUBMIT)])), context=1000)
    long = replace(BRIEF, instance="x" * 9000)
    for limits in (AgentLimits(), AgentLimits(context=100_000)):
        run, _ = await run_agent(told, place, long, limits, record=lambda _: None)
        assert (run.ending, run.calls) == ("tokens", 0)


async def test_in_a_small_context_a_reply_gets_a_quarter_and_a_guess_refuses_nothing(
    place: Workplace,
) -> None:
    """By three characters a token this brief would not fit; by the server's own count it may."""
    brief = replace(BRIEF, instance="x" * 3000)
    acted = await act(place, [priced(says("true"), 700, 9), says(SUBMIT)], brief=brief, context=1200)
    assert acted.run.ending == "submitted"
    assert [request.answer_tokens for request in acted.chat.requests] == [300, 300]


async def test_a_brief_that_does_not_fit_at_all_ends_it_before_anything_is_paid(place: Workplace) -> None:
    acted = await act(place, [says(SUBMIT)], brief=replace(BRIEF, instance="x" * 9000), context=1000)
    assert (acted.run.ending, acted.run.calls) == ("tokens", 0)
    assert "does not fit the context of scripted" in acted.run.why


def test_an_agent_s_run_is_a_record(place: Workplace) -> None:
    run = AgentRun(node="plan", role="planner", ending="stalled", why="silence")
    assert AgentRun.model_validate_json(run.to_line()) == run
