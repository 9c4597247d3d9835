"""Does `dualcode reviewer bench` recover the rates of reviewers whose rates are known? One JSON line.

    python benchmarks/reviewer_bench.py [--reviewers 40] [--tasks 164] [--seed 0]

Each scripted reviewer has a recall, a specificity, and shares of its rejections of right and of wrong
programs that running refutes, all drawn at random; of each program it draws by these rates what it says.
Covered: of the bench's 95 % intervals, those that hold the rate that the reviewer was made with.
"""

import argparse
import asyncio
import json
import random
import tempfile
from pathlib import Path
from typing import Any

from dualcode.analysis.trial import standings
from dualcode.bench.bench import ScriptedBench
from dualcode.call import Request
from dualcode.metrics import Rate
from dualcode.models.scripted import ScriptedChat
from dualcode.reviews.cases import Case
from dualcode.reviews.prompt_sets import find_form
from dualcode.reviews.trial import Reviewer, hold
from dualcode.sampling import PAPER
from dualcode.task import Task
from dualcode.team import Seat

TASK = Task(id="T/0", prompt='def f(n):\n    """Return n."""\n', entry_point="f")


def cases(tasks: int) -> list[Case]:
    """A right and two wrong programs a task, each with a number of its own."""
    return [
        Case(task_id="T/0", program=f"def f(n):\n    return n + {at}\n", right=at % 3 == 0, change="")
        for at in range(3 * tasks)
    ]


def scripted(rates: dict[str, float], chance: random.Random) -> ScriptedChat:
    """Return a reviewer that rejects, and is refuted, by these rates."""

    def answer(request: Request) -> str:
        at = int(request.messages[1].content.split("return n + ")[1].split()[0])
        right = at % 3 == 0
        if chance.random() >= (1 - rates["specificity"] if right else rates["recall"]):
            return json.dumps({"verdict": "approve", "findings": []})
        refuted = chance.random() < rates["refuted_alarms" if right else "refuted_hits"]
        finding = {"where": "x", "actual": "y", "expected": "z", "call": "f(1)", "ought": "returns 9"}
        finding["does"] = "returns 2" if refuted else "returns 1"
        return json.dumps({"verdict": "revise", "findings": [finding]})

    return ScriptedChat(answer)


async def measure(asked: argparse.Namespace) -> dict[str, Any]:
    chance = random.Random(asked.seed)
    bench = ScriptedBench(outcomes={("return n", "f(1)"): "returned 1"})
    names = ("recall", "specificity", "refuted_alarms", "refuted_hits")
    covered, errors = dict.fromkeys(names, 0), {name: list[float]() for name in names}
    with tempfile.TemporaryDirectory() as folder:
        for number in range(asked.reviewers):
            rates = {name: chance.uniform(0.05, 0.95) for name in names}
            reviewer = Reviewer(
                Seat("reviewer", scripted(rates, chance), PAPER, 4000), find_form("values"), thinking=False
            )
            file = Path(folder) / f"{number}.jsonl"
            made = await hold(
                cases(asked.tasks), {"T/0": TASK}, [reviewer], bench, file, at_once=8, tell=lambda _: None
            )
            [row] = standings(made)
            for name in names:
                rate: Rate | None = getattr(row, name)
                if rate is not None:
                    covered[name] += rate.low <= rates[name] <= rate.high
                    errors[name].append(rate.value - rates[name])
    return {
        "benchmark": "reviewer_bench",
        "reviewers": asked.reviewers,
        "programs": 3 * asked.tasks,
        "covered": covered,
        "mean_error": {name: round(sum(each) / len(each), 4) for name, each in errors.items()},
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--reviewers", type=int, default=40)
    parser.add_argument("--tasks", type=int, default=164)
    parser.add_argument("--seed", type=int, default=0)
    print(json.dumps(asyncio.run(measure(parser.parse_args()))))
