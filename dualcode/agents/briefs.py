"""What agents are told: of their surroundings, and of their work in each phase. The texts are prompts."""

from pathlib import Path
from typing import get_args

from dualcode import prompts
from dualcode.agents.agent import AgentLimits, Brief, Workplace
from dualcode.agents.records import Phase
from dualcode.agents.work import MARKER
from dualcode.errors import UnknownNameError

PHASES: tuple[Phase, ...] = get_args(Phase)
WRITING: frozenset[Phase] = frozenset({"implement", "self-review", "fix"})
"""The phases in which the tree may be changed; the others get it read-only."""
_ANSWERING: frozenset[Phase] = frozenset({"explore", "plan", "review"})


def surroundings(
    place: Workplace, limits: AgentLimits, *, visible_test: str = "", folder: Path | None = None
) -> str:
    """Return the system message: how to reply, where commands run, how to finish.

    `folder` may hold texts that take the place of the house's, by their names.
    """
    places = place.jail.places(place.room)
    return _render(
        folder,
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


def instruction(
    phase: str,
    issue: str,
    *,
    exploration: str | None = None,
    plan: str | None = None,
    review: str | None = None,
    diff: str | None = None,
    folder: Path | None = None,
) -> str:
    """Return what an agent is told of its work in a phase, with what others found before.

    None: there is none; a fix needs a review. Raises UnknownNameError for another phase.
    """
    if phase not in PHASES:
        raise UnknownNameError("phase", phase, PHASES, hint=f"one of {', '.join(PHASES)}")
    found = {"exploration": exploration, "plan": plan, "review": review, "diff": diff}
    return _render(folder, f"agent_{phase}", issue=issue, marker=MARKER, **found)


def brief(
    phase: Phase,
    issue: str,
    place: Workplace,
    limits: AgentLimits,
    *,
    node: str | None = None,
    visible_test: str = "",
    exploration: str | None = None,
    plan: str | None = None,
    review: str | None = None,
    diff: str | None = None,
    folder: Path | None = None,
) -> Brief:
    """Return the brief for a phase: `surroundings` and `instruction`. `node`: a name beside the phase's."""
    told = instruction(
        phase, issue, exploration=exploration, plan=plan, review=review, diff=diff, folder=folder
    )
    return Brief(
        node=node or phase,
        system=surroundings(place, limits, visible_test=visible_test, folder=folder),
        instance=told,
        check=answered if phase in _ANSWERING else lambda _: "",
    )


def answered(answer: str) -> str:
    """Say what is wrong with an empty answer where others build on it."""
    return "" if answer else f"print your answer on the lines after {MARKER}, by the same command."


def _render(folder: Path | None, name: str, **variables: object) -> str:
    if folder is None:
        return prompts.render(name, **variables)
    return prompts.render_of(folder, name, **variables)
