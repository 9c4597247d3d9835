"""All that tables, figures, exports and the report show of a duel, found once from its records."""

from collections.abc import Mapping
from dataclasses import dataclass

from dualcode.duels.contests import Contest, Effect, contests, effects
from dualcode.duels.records import JOIN, Cell, Condition, DuelRecords
from dualcode.duels.standing import Board, Standing, board
from dualcode.panel.measures import Makers, PanelMeasured, measure


@dataclass(frozen=True)
class Findings:
    """What a duel came to."""

    records: DuelRecords
    board: Board
    contests: tuple[Contest, ...]
    effects: tuple[Effect, ...]
    panel: PanelMeasured | None
    """What the judges' scores are worth; None where nobody was asked."""

    @property
    def standings(self) -> tuple[Standing, ...]:
        """The conditions, the best first."""
        return self.board.standings

    @property
    def dimensions(self) -> tuple[str, ...]:
        """What judges scored, in the order of the first judgement that has it."""
        given = (each.scores or {} for each in self.records.judgements)
        return tuple(dict.fromkeys(name for scores in given for name in scores))

    def cells(self, condition: str) -> list[Cell]:
        """Return a condition's cells."""
        return [each for each in self.records.cells if each.condition == condition]


def find(records: DuelRecords) -> Findings:
    """Return what the records come to."""
    return Findings(
        records,
        board(records),
        contests(records),
        effects(records),
        measured(records) if any(not each.by_rule for each in records.judgements) else None,
    )


def measured(records: DuelRecords) -> PanelMeasured:
    """Return what the judges' scores are worth, by whose work a fix is and by what the tests say of it."""
    return measure(
        [each for each in records.judgements if not each.by_rule],
        makers={each.id: makers(each, records.duel.models) for each in records.duel.conditions},
        truth={each.key: each.solved for each in records.cells},
        seed=records.duel.seed,
    )


def makers(condition: Condition, models: Mapping[str, str]) -> Makers:
    """Return whose work a condition is; a model that is drawn has a part in it."""
    return Makers(
        planner=_served(condition.planner, models), implementer=_served(condition.implementer, models)
    )


def _served(names: str | None, models: Mapping[str, str]) -> frozenset[str]:
    return frozenset(models.get(name, name) for name in (names or "").split(JOIN) if name)
