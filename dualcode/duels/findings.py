"""All that tables, figures, exports and the report show of a duel, found once from its records."""

from collections.abc import Mapping
from dataclasses import dataclass

from dualcode.duels.contests import Contest, Effect, contests, effects
from dualcode.duels.records import Cell, DuelRecords
from dualcode.duels.scores import CellScore, Key, scores_of
from dualcode.duels.standing import Board, Standing, board


@dataclass(frozen=True)
class Findings:
    """What a duel came to."""

    records: DuelRecords
    board: Board
    contests: tuple[Contest, ...]
    effects: tuple[Effect, ...]
    scores: Mapping[Key, CellScore]

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
        records, board(records), contests(records), effects(records), scores_of(records.judgements)
    )
