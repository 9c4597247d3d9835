"""What `--ray` costs: CPU seconds of the driver and of the nodes, for clusters of several nodes.

    python -m benchmarks.nodes [NODES …]

Every built-in pipeline over the mini suite, on a scripted model over HTTP: 408 tasks. 0 nodes stands for the
run without --ray. Nodes have one CPU each and share this machine's cores, so wall times show the overhead and
no speed-up beyond them; CPU seconds hold on any machine. The nodes' are those of the whole cluster from the
command's beginning to its end, Ray's own processes among them.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path

import psutil

from tests.fake_server import serve
from tests.mini_model import TEAM, answer
from tests.ray_cluster import QUIET, RayCluster, ray_cluster

EVERY = 0.1
"""Seconds between two looks: what a process of a node does after its last look is not counted."""


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("nodes", type=int, nargs="*", default=[0, 1, 2, 4])
    print("nodes  driver CPU s  cluster CPU s  wall s  driver ms a task  load before")
    for count in parser.parse_args().nodes:
        with nullcontext() if not count else ray_cluster(*[1] * count) as cluster:
            load = os.getloadavg()[0]
            driver, nodes, wall, tasks = measure(cluster)
            cells = f"{driver:12.1f}", f"{nodes:13.1f}", f"{wall:6.1f}", f"{1000 * driver / tasks:16.1f}"
            print(f"{count:5}", *cells, f"{load:11.1f}", sep="  ", flush=True)


def measure(cluster: RayCluster | None) -> tuple[float, float, float, int]:
    """Return the CPU seconds of the command and of the cluster, the wall seconds, and the tasks."""
    with tempfile.TemporaryDirectory() as folder, serve() as server:
        server.respond = answer
        team = Path(folder, "team.toml")
        team.write_text(TEAM.format(url=server.base_url))
        command = [sys.executable, "-m", "dualcode", "eval", "--pipeline", "all", "--dataset", "mini"]
        command += ["--team", str(team), "--run-dir", f"{folder}/runs", "--json", "-q"]
        command += ["--ray", cluster.address] if cluster else []
        before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
        with watched(cluster) as spent:
            done = subprocess.run(command, check=True, stdout=subprocess.PIPE, env={**os.environ, **QUIET})
        wall, after = time.monotonic() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
        own = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        tasks = sum(json.loads(line)["tasks"] for line in done.stdout.splitlines())
        return own, sum(spent.values()) - 2 * spent.get(0, 0.0), wall, tasks


@contextmanager
def watched(cluster: RayCluster | None) -> Generator[dict[int, float]]:
    """Yield the CPU seconds of each of a cluster's processes by its pid; of before under 0."""
    spent, ended = dict[int, float](), threading.Event()

    def look() -> None:
        assert cluster is not None
        for each in psutil.Process(cluster.holder.pid).children(recursive=True):
            with suppress(psutil.NoSuchProcess):
                spent[each.pid] = sum(each.cpu_times()[:2])

    def watch() -> None:
        while not ended.wait(EVERY):
            look()

    thread = threading.Thread(target=watch)
    if cluster is not None:
        look()
        spent[0] = sum(spent.values())
        thread.start()
    try:
        yield spent
    finally:
        ended.set()
        if cluster is not None:
            thread.join()


if __name__ == "__main__":
    main()
