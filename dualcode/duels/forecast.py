"""What a duel will take, before it begins: calls, tokens and money by model, each from the least to the most.

Where cells of this duel are on record, a node takes what it took there with that model. Where none are, it is
assumed: an agent that ends early against one that uses up its steps, each sending all that was said before.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from dualcode.call import Usage
from dualcode.config import Price
from dualcode.duels.assembling import shared_nodes
from dualcode.duels.conditions import keys_of
from dualcode.duels.preparing import Prepared
from dualcode.duels.records import JOIN, Cell, Condition, Judgement, Key
from dualcode.panel.exhibit import CALIBRATIONS
from dualcode.panel.renderings import RENDERINGS
from dualcode.pricing import charge
from dualcode.record import Record
from dualcode.study.forecast import NOTHING, Range
from dualcode.workflows.workflow import Node

LEAST_STEPS = 6
"""Of an agent that ends early."""
OPENING, GROWTH, REPLY = 2_500, 700, 200
"""Assumed tokens of the first request, of what each step adds to the next, and of a reply."""
JUDGED, JUDGEMENT = 6_000, 800
"""Assumed tokens that a judge reads, and writes."""


@dataclass(frozen=True)
class Taken:
    """What one node of one cell takes, at least or at most."""

    calls: int
    usage: Usage
    seconds: float | None


class ModelForecast(Record):
    """What one model will have to do."""

    model: str
    """The endpoint's name."""
    calls: Range
    prompt_tokens: Range
    completion_tokens: Range
    money: Range | None
    """None: unknown."""
    currency: str | None
    measured: int
    """Nodes of cells on record that it is worked out of; 0: it is assumed."""


class DuelForecast(Record):
    """A duel's forecast."""

    cells: int
    """That are left to do."""
    of: int
    plans: int
    """Plans that are left to make, each for all who implement by it."""
    judgements: int
    """At most: of a cell that errors, or changes nothing, no judge is asked."""
    models: tuple[ModelForecast, ...]

    @property
    def money(self) -> dict[str, Range]:
        """By currency, of the models whose cost is known."""
        total: dict[str, Range] = {}
        for each in self.models:
            if each.money is not None and each.currency is not None:
                total[each.currency] = total.get(each.currency, NOTHING) + each.money
        return total

    @property
    def unknown(self) -> tuple[str, ...]:
        """The models whose cost is not known."""
        return tuple(each.model for each in self.models if each.money is None)


def forecast(prepared: Prepared, done: Sequence[Cell], judged: Sequence[Judgement] = ()) -> DuelForecast:
    """Return what is left to do of a duel; `done` and `judged` are on record of it."""
    config = prepared.config
    finished = {cell.key for cell in done if cell.status != "errored"}
    keys = keys_of(prepared.conditions, tuple(prepared.tasks), config.trials)
    todo = [key for key in keys if key not in finished]
    conditions = {each.id: each for each in prepared.conditions}
    known = defaultdict[tuple[str, str], list[Taken]](list)
    for phase in (phase for cell in done for phase in cell.phases):
        if phase.model is not None and phase.calls and not phase.usage.untold:
            seconds = sum(run.seconds for run in phase.runs) or None
            known[phase.name, phase.model].append(Taken(phase.calls, phase.usage, seconds))
    sums = defaultdict[str, list[tuple[Taken, Taken, int]]](list)
    plans = set[Key]()
    for key in todo:
        for node, model in _asked(prepared, conditions[key[0]], key, plans):
            for one in model.split(JOIN):
                share = 1 / len(model.split(JOIN))
                sums[one].append(_ends(node.id, one, known, config.limits.steps, share))
    known_fixes = sum(task.solution.exists() for task in prepared.tasks.values())
    wanted = len(RENDERINGS) * (len(keys) + len(CALIBRATIONS) * known_fixes)
    judgements = 0
    for judge in config.judges:
        settled = sum(each.judge == judge and each.settled for each in judged)
        left = max(0, wanted - settled)
        each = _guess(1, cached=False, prompt=JUDGED, reply=JUDGEMENT)
        sums[judge] += [(each, each, 0)] * left
        judgements += left
    prices = prepared.prices
    models = tuple(_model(name, sums[name], prices.get(name)) for name in prepared.models if sums[name])
    return DuelForecast(cells=len(todo), of=len(keys), plans=len(plans), judgements=judgements, models=models)


def _asked(prepared: Prepared, condition: Condition, key: Key, plans: set[Key]) -> Iterator[tuple[Node, str]]:
    """Yield the nodes that a cell asks models for, with who is asked; a plan's once for all who share it."""
    workflow = prepared.workflows[condition.workflow]
    shared, first = set[str](), False
    if condition.plans_by is not None:
        shared = {node.id for node in shared_nodes(workflow)}
        plan = (condition.plans_by, *key[1:])
        first = bool(shared) and plan not in plans
        plans |= {plan} if first else set()
    for node in workflow.nodes:
        if node.asks and node.role is not None and (node.id not in shared or first):
            yield node, condition.roles[node.role]


def _ends(
    node: str, model: str, known: Mapping[tuple[str, str], list[Taken]], steps: int, share: float
) -> tuple[Taken, Taken, int]:
    """Return the least and the most that a node takes, and on how many cells that was seen."""
    if seen := known.get((node, model)):
        size: Callable[[Taken], int] = lambda each: each.usage.prompt_tokens  # noqa: E731
        return min(seen, key=size), max(seen, key=size), len(seen)
    least, most = (max(1, round(count * share)) for count in (min(LEAST_STEPS, steps), steps))
    return _guess(least, cached=True), _guess(most, cached=False), 0


def _guess(calls: int, *, cached: bool, prompt: int = OPENING, reply: int = REPLY) -> Taken:
    prompts = [prompt + GROWTH * number for number in range(calls)]
    before = sum(prompts[:-1]) if cached else 0
    usage = Usage(prompt_tokens=sum(prompts), cached_tokens=before, completion_tokens=reply * calls)
    return Taken(calls, usage, None)


def _model(name: str, work: Sequence[tuple[Taken, Taken, int]], price: Price | None) -> ModelForecast:
    def over(count: Callable[[Taken], float]) -> Range:
        return Range(
            least=sum(count(least) for least, _, _ in work), most=sum(count(most) for _, most, _ in work)
        )

    money, currency = _money(price, [each[:2] for each in work])
    return ModelForecast(
        model=name,
        calls=over(lambda each: each.calls),
        prompt_tokens=over(lambda each: each.usage.prompt_tokens),
        completion_tokens=over(lambda each: each.usage.completion_tokens),
        money=money,
        currency=currency,
        measured=sum(count for _, _, count in work),
    )


def _money(price: Price | None, work: Sequence[tuple[Taken, Taken]]) -> tuple[Range | None, str | None]:
    total, currency = NOTHING, None
    for ends in work:
        if price is not None and price.gpu_hour is not None and any(each.seconds is None for each in ends):
            return None, None  # nobody knows yet how fast it is
        charges = [charge(price, each.usage, each.seconds or 0.0) for each in ends]
        if charges[0] is None or charges[1] is None or charges[0].currency != charges[1].currency:
            return None, None
        currency = charges[0].currency
        total += Range(least=charges[0].amount, most=charges[1].amount)
    return total, currency
