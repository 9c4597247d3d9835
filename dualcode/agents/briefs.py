"""What agents are told of their surroundings; of their work, workflows tell."""

from dualcode import prompts
from dualcode.agents.agent import AgentLimits, Workplace
from dualcode.agents.work import MARKER


def surroundings(place: Workplace, limits: AgentLimits, *, visible_test: str = "") -> str:
    """Return the system message: how to reply, where commands run, how to finish."""
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
