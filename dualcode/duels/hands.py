"""Who does the work of a duel's nodes: models in the jail, within the duel's limits."""

from dualcode.agents.agent import AgentLimits
from dualcode.duels.config import DuelConfig
from dualcode.duels.running import MakeHands, Post
from dualcode.duels.store import STEPS
from dualcode.workflows.hands import RepositoryHands
from dualcode.workflows.records import Hands


def hands_of(config: DuelConfig) -> MakeHands:
    """Return what makes the hands of each cell and plan."""
    limits = AgentLimits(
        steps=config.limits.steps,
        tokens=config.limits.tokens,
        seconds=config.limits.seconds,
        idle_seconds=config.limits.idle_seconds,
    )

    def made(post: Post) -> Hands:
        return RepositoryHands(
            post.team,
            post.site,
            post.place.steps(),
            record=lambda step: post.place.add(STEPS, step),
            limits=limits,
            tell=post.tell,
        )

    return made
