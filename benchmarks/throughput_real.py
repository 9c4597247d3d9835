"""What the real pair makes of dualcode and of three other clients: tokens, wall and CPU seconds.

    scripts/serve.sh start --profile cpu
    python benchmarks/throughput_real.py [--tasks 8] [--dataset FILE]

First a pipeline that loads both servers (`adversarial`, every call asked anew), then the same generation by
the coder alone through four clients, each in a process of its own: dualcode's raw-coder, a plain script on
asyncio and openai, Inspect AI, and EvalPlus's codegen, which asks one prompt after the other. All but that
one send the messages that raw-coder sends; it sends its own for HumanEval's first tasks. Prints a JSON line
each: tokens are as the servers count, `client` and `servers` are CPU seconds. No rate is printed where the
load was above 1 before the start.
"""

import argparse
import asyncio
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from importlib import import_module
from pathlib import Path
from typing import Any

import httpx
import psutil

from dualcode.runs.store import read_run
from dualcode.serving.gauges import parse
from dualcode.serving.running import RunningPair, running

MOST = 320
"""Tokens of an answer."""
AT_ONCE = 18
"""Requests of a client that does not go by what the server reports."""


def measured(pair: RunningPair, name: str, command: list[str], environment: dict[str, str]) -> None:
    """Run a client, and print what it took."""

    def state() -> tuple[float, float, dict[str, float]]:
        own = resource.getrusage(resource.RUSAGE_CHILDREN)
        made = dict[str, float]()
        for each in pair.servers:
            told = parse(httpx.get(f"{each.root_url}/metrics", trust_env=False).text, time.monotonic())
            made[each.name] = (told and told.generation_tokens) or 0
        return own.ru_utime + own.ru_stime, servers_cpu(pair), made

    load, before, began = os.getloadavg()[0], state(), time.monotonic()
    done = subprocess.run(
        command, env={**os.environ, **environment}, capture_output=True, text=True, check=False
    )
    wall, after = time.monotonic() - began, state()
    tokens = {name: after[2][name] - made for name, made in before[2].items()}
    row = {"client": name, "exit": done.returncode, "wall": round(wall, 1), "load before": round(load, 1)}
    row |= {"tokens": tokens, "client cpu": round(after[0] - before[0], 1)}
    row |= {"servers cpu": round(after[1] - before[1], 1)}
    if load <= 1:
        row["tokens per second"] = round(sum(tokens.values()) / wall, 1)
    print(json.dumps(row), flush=True)
    if done.returncode not in (0, 4):
        print(done.stderr[-2000:], file=sys.stderr)


def servers_cpu(pair: RunningPair) -> float:
    """Return the CPU seconds of all processes of the servers."""
    total = 0.0
    for server in pair.servers:
        parent = psutil.Process(server.pid)
        for each in (parent, *parent.children(recursive=True)):
            times = each.cpu_times()
            total += times.user + times.system
    return total


async def plain(url: str, model: str, prompts: list[list[dict[str, str]]]) -> None:
    """Ask all prompts with asyncio and openai alone."""
    import openai

    client, turns = openai.AsyncOpenAI(base_url=url, api_key="none"), asyncio.Semaphore(AT_ONCE)

    async def ask(messages: list[dict[str, str]]) -> None:
        async with turns:
            await client.chat.completions.create(
                model=model,
                messages=messages,  # pyright: ignore[reportArgumentType]
                max_tokens=MOST,
                temperature=0,
            )

    await asyncio.gather(*map(ask, prompts))


def inspect(model: str, prompts: list[list[dict[str, str]]]) -> None:
    """Ask all prompts through Inspect AI."""
    import inspect_ai
    from inspect_ai.dataset import MemoryDataset, Sample
    from inspect_ai.model import ChatMessageSystem, ChatMessageUser
    from inspect_ai.solver import generate

    kinds = {"system": ChatMessageSystem, "user": ChatMessageUser}
    samples = [
        Sample(input=[kinds[each["role"]](content=each["content"]) for each in messages])
        for messages in prompts
    ]
    evaluate: Any = vars(inspect_ai)["eval"]  # its signature is not wholly typed
    [log] = evaluate(
        inspect_ai.Task(dataset=MemoryDataset(samples), solver=generate()),
        model=f"openai-api/local/{model}", max_connections=AT_ONCE, max_tokens=MOST, temperature=0,
        max_samples=len(samples), display="none", log_dir=tempfile.mkdtemp(),
    )  # fmt: skip
    assert log.status == "success", log.error


def codegen(url: str, model: str, tasks: int) -> None:
    """Write so many programs by EvalPlus's own code, with answers as long as everybody's."""
    write: Any = import_module("evalplus.codegen").codegen
    decoder: Any = import_module("evalplus.provider.openai").OpenAIChatDecoder
    # Its command knows no limit of tokens, and asks again without end for an answer that takes 100 s.
    bounded = decoder(
        model, base_url=url, temperature=0.0, max_new_tokens=MOST,
        instruction_prefix="Please provide a self-contained Python script that solves the following problem "
        "in a markdown code block:",
    )  # fmt: skip
    target = f"{tempfile.mkdtemp()}/samples.jsonl"
    write(target, bounded, "humaneval", greedy=True, id_range=(0, tasks))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--tasks", type=int, default=8)
    parser.add_argument("--dataset", default="mini")
    parser.add_argument("--client", choices=("plain", "inspect", "codegen"), help=argparse.SUPPRESS)
    parser.add_argument("--run", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    pair = running()
    if pair is None:
        sys.exit("no servers run: scripts/serve.sh start --profile cpu")
    coder = pair["coder"]
    if options.client:
        prompts = [
            [message.model_dump() for message in call.request.messages]
            for call in read_run(options.run).calls
        ]
        if options.client == "plain":
            asyncio.run(plain(coder.base_url, coder.model, prompts))
        elif options.client == "inspect":
            inspect(coder.model, prompts)
        else:
            codegen(coder.base_url, coder.model, len(prompts))
        return
    with tempfile.TemporaryDirectory() as root:
        ours = [sys.executable, "-m", "dualcode", "eval", "--dataset", options.dataset, "--no-ledger", "-q"]
        ours += ["--limit", str(options.tasks), "--json", "--run-dir", root, "--pipeline"]
        measured(pair, "dualcode, adversarial", [*ours, "adversarial"], {})
        measured(pair, "dualcode, raw-coder", [*ours, "raw-coder"], {})
        [made] = Path(root).glob("*raw-coder*")
        again = [sys.executable, __file__, "--run", str(made), "--client"]
        measured(pair, "asyncio and openai", [*again, "plain"], {})
        local = {"LOCAL_BASE_URL": coder.base_url, "LOCAL_API_KEY": "none"}
        measured(pair, "Inspect AI", [*again, "inspect"], local)
        measured(pair, "EvalPlus codegen (HumanEval)", [*again, "codegen"], {"OPENAI_API_KEY": "none"})


if __name__ == "__main__":
    main()
