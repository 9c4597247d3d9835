"""One agent at work: mini-swe-agent's loop, with a seat of the team behind it and the jail beneath it.

The loop runs in a thread of its own (`bridge`); what it asks a model, and what it runs, is awaited on the
event loop, so every request is a call on record and passes the ledger as any other does. Its limits, its
record and its end are ours.
"""

import asyncio
from collections.abc import Callable, Sequence

from dualcode import prompts
from dualcode.agents import mini
from dualcode.agents.bridge import Bridge, Stopped
from dualcode.agents.records import AgentLimits, AgentRun, Brief, Step, Workplace
from dualcode.agents.work import MARKER, WorkAtHand
from dualcode.call import Message
from dualcode.errors import DualcodeError, EndpointError
from dualcode.team import Seat


def surroundings(place: Workplace, limits: AgentLimits, *, visible_test: str = "") -> str:
    """Return the system message: how to reply, where commands run, how to finish; of its work others tell."""
    places = place.jail.places(place.room)
    return prompts.render(
        "agent_system",
        tree=places.tree,
        scratch=places.scratch,
        scratch_is_kept=place.room.scratch is not None,
        writable=place.room.writable,
        seconds=f"{place.limits.command_seconds:g}",
        memory_mb=place.limits.memory_mb,
        output_chars=f"{limits.observation_chars:,}",
        steps=limits.steps,
        visible_test=visible_test,
        marker=MARKER,
    )


def answered(answer: str) -> str:
    """Say what is wrong with an empty answer where others build on it."""
    return "" if answer else f"print your answer on the lines after {MARKER}, by the same command."


async def run_agent(
    seat: Seat,
    place: Workplace,
    brief: Brief,
    limits: AgentLimits,
    *,
    record: Callable[[Step], None],
    replay: Sequence[Step] = (),
    tell: Callable[[str], None] = lambda _: None,
) -> tuple[AgentRun, tuple[Message, ...]]:
    """Let one agent work until it submits or a limit ends it; return how it ended, and its conversation.

    The tree of `place` is as it was when the agent first began. `record` gets each new step once it is done,
    and `tell` a line for people, both on the event loop. `replay` has the steps that an interrupted
    run has on record: their replies are asked for again (and come from the ledger), their observations are
    those on record, no command of theirs is run again, and the tree is then made what it was after the last
    of them. They are not recorded again. Where a reply differs, the replay ends, and the agent goes on from
    there; `records.standing` says which steps count then.

    Cancelled, it stops the thread and the jail, and raises asyncio.CancelledError, whose first argument is
    the AgentRun so far: nothing of it runs any more. Raises ConfigError if mini-swe-agent is not installed;
    whatever else happens is an ending.
    """
    bridge = Bridge(f"agent-{brief.node}")
    work = WorkAtHand(seat, place, brief, limits, bridge, record, replay, tell)
    loop = mini.load().loop(work.query, work.execute, steps=limits.steps, format_errors=limits.format_errors)

    def blocking() -> mini.Said:
        work.begin()
        return loop.run(brief.instance, told=brief.system)

    try:
        exited = await bridge.run(blocking)
    except (Stopped, asyncio.CancelledError):
        # No class of its own: TaskGroup and timeout look for exactly this one.
        raise asyncio.CancelledError(work.ended("cancelled", "it was cancelled")) from None
    except EndpointError as error:
        run = work.ended("endpoint", error.message)
    except DualcodeError as error:
        run = work.ended("infrastructure", error.message)
    except Exception as error:
        run = work.ended("infrastructure", f"{type(error).__name__}: {error}")
    else:
        run = work.ended(*work.how(exited))
    tell(f"{brief.node}: {run.ending} after {run.steps} steps")
    return run, work.conversation(loop.messages)
