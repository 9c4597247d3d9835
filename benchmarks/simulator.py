"""Which pipeline deserves to be run, given how good writer, reviewer, fixer and visible tests are.

    python benchmarks/simulator.py                         table of every pipeline, then one line of JSON
    python benchmarks/simulator.py --json                  the line alone
    python benchmarks/simulator.py --plot figures/simulator.svg
    python benchmarks/simulator.py --set coder.right=0.6 --set reviewer.false_alarm=0.4 --set drafts=5
    python benchmarks/simulator.py --lean 0.4 --set lean.reviewer.hit=0.5   two fifths have lean prompts

The table holds for the rates that `--set` gives and for round defaults otherwise, in closed form and by Monte
Carlo. The JSON adds what the paper's tables leave open (`paper`, its numbers and not ours): the feasible
gains and losses, the p-values that they allow, and what follows for pipelines that it did not run.
docs/simulator.md has the model and the formulas. Exit code 2 for a rate that does not exist or is none.
"""

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from simulation import feasible, paper
from simulation.formulas import FORMULAS, predict
from simulation.rates import Rates, Suite, changed
from simulation.sampling import simulate


def main() -> int:
    options = _options()
    try:
        if options.plot:
            return _plot(options.plot)
        suite = _suite(options.set, options.lean)
    except (ValueError, OSError) as error:
        print(f"{error}\n  try: python benchmarks/simulator.py --help", file=sys.stderr)
        return 2
    rows = {name: _row(name, suite, options.tasks, options.seed) for name in FORMULAS}
    if not options.json:
        _print_table(rows)
    published = {suite: _published(suite, options.draws, options.seed) for suite in feasible.FITTED}
    print(json.dumps({"benchmark": "simulator", "pipelines": rows, "paper": published | _samples()}))
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--json", action="store_true", help="print the line of JSON alone")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw the figure (.svg, .png) and stop")
    parser.add_argument("--set", action="append", default=[], metavar="RATE=VALUE", help="a rate; may repeat")
    parser.add_argument("--lean", type=float, default=0.0, help="share of tasks that the gate skips")
    parser.add_argument("--tasks", type=_count, default=100_000, help="Monte Carlo tasks a pipeline")
    parser.add_argument("--draws", type=_count, default=100_000, help="draws of the feasible set")
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


def _count(text: str) -> int:
    if int(text) < 1000:
        raise argparse.ArgumentTypeError(f"{text} is too few: take 1000 or more")
    return int(text)


def _plot(target: Path) -> int:
    from simulation.figure import draw  # matplotlib, which the numbers do without

    draw(target)
    print(target)
    return 0


def _suite(settings: list[str], lean: float) -> Suite:
    """Return rich tasks and a share of lean ones, whose rates `lean.` sets apart."""
    values = dict(map(_setting, settings))
    rich = changed(Rates(), {name: n for name, n in values.items() if not name.startswith(_LEAN)})
    apart = {name.removeprefix(_LEAN): n for name, n in values.items() if name.startswith(_LEAN)}
    return Suite(((1 - lean, rich), (lean, changed(rich, apart | {"rich": False}))))


_LEAN = "lean."


def _setting(text: str) -> tuple[str, float]:
    name, _, value = text.partition("=")
    try:
        return name, float(value)
    except ValueError:
        raise ValueError(f"{text!r} is no RATE=VALUE") from None


def _row(pipeline: str, suite: Suite, tasks: int, seed: int) -> dict[str, float]:
    exact, played = predict(pipeline, suite), simulate(pipeline, suite, tasks=tasks, seed=seed)
    numbers = {"pass@1": exact.pass_at_1, "calls": exact.calls, "monte_carlo": played.pass_at_1}
    numbers |= {"standard_error": played.pass_error, "monte_carlo_calls": played.calls}
    return {name: round(float(value), 5) for name, value in numbers.items()}


def _print_table(rows: dict[str, dict[str, float]]) -> None:
    print(f"{'pipeline':20}{'pass@1 %':>10}{'calls':>8}{'Monte Carlo %':>16}{'± s.e.':>8}{'calls':>8}")
    for name, row in rows.items():
        print(
            f"{name:20}{100 * row['pass@1']:10.2f}{row['calls']:8.3f}{100 * row['monte_carlo']:16.2f}"
            f"{100 * row['standard_error']:8.2f}{row['monte_carlo_calls']:8.3f}"
        )


def _published(suite: str, draws: int, seed: int) -> dict[str, Any]:
    review = paper.change(suite, "raw-coder", "review-fix")
    (least, fewest), (most, largest) = review.pairs[0], review.pairs[-1]
    predicted = feasible.predictions(feasible.draw(suite, draws, seed))
    return {
        "passed": {name: paper.passed(suite, name) for name in paper.PUBLISHED[suite]},
        "tasks": review.total,
        "gains": [least, most],
        "losses": [fewest, largest],
        "hit_and_repair_at_least": round(float(review.rates[0, 0]), 4),
        "false_alarm_x_damage_at_most": round(float(review.rates[-1, 1]), 4),
        "rescue_that_equals_review": round(review.net / (review.total - review.before), 4),
        "arbitration_that_breaks_even": [round(share, 4) for share in paper.needed_arbitration(suite)],
        "review_gain_let_through_and_skipped_by_gate": paper.skipped_by_gate(suite),
        "comparisons": {f"{b} over {a}": _comparison(suite, a, b) for a, b in _COMPARED[suite]},
        "follows": {name: _rounded(ranges) for name, ranges in predicted.items()},
    }


_COMPARED = {
    "HumanEval+": (
        ("raw-coder", "plan-code"),
        ("raw-coder", "review-fix"),
        ("plan-code", "review-fix"),
        ("raw-planner", "review-fix"),
        ("raw-planner", "review-fix-retry"),
        ("raw-coder", "adversarial"),
        ("raw-planner", "adversarial"),
        ("review-fix", "review-fix-retry"),
        ("review-fix", "enriched"),
        ("gated", "review-fix"),
    ),
    "MBPP+": (("raw-coder", "review-fix"), ("gated", "review-fix")),
}


def _comparison(suite: str, before: str, after: str) -> dict[str, Any]:
    change = paper.change(suite, before, after)
    p_values = [round(bound, 6) for bound in (min(change.p_values), max(change.p_values))]
    return {
        "net": change.net,
        "p": p_values,
        "feasible": len(change.pairs),
        "below_0.05": change.significant,
    }


def _rounded(ranges: dict[str, feasible.Range]) -> dict[str, list[float]]:
    # Adding 0.0 turns a -0.0 that rounding left into 0.0.
    return {name: [round(bound, 4) + 0.0 for bound in (span.low, span.high)] for name, span in ranges.items()}


def _samples() -> dict[str, Any]:
    spans = {
        "correlation_of_redrafts": paper.redraw_correlation(),
        "rescued_by_retry_HumanEval": paper.rescued("HumanEval"),
        "rescued_by_retry_HumanEval+": paper.rescued("HumanEval+"),
    }
    return {
        name: {bound: round(value, 4) for bound, value in asdict(span).items()}
        for name, span in spans.items()
    }


if __name__ == "__main__":
    sys.exit(main())
