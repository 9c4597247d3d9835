"""A Ray cluster of several nodes on this machine, in a process of its own; a node can be killed."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

QUIET = {
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",  # all of it on 127.0.0.1
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_DISABLE_IMPORT_WARNING": "1",
}
MEMORY = 100 << 20

_HOLD = """
import sys
from ray.cluster_utils import Cluster
cpus, memory = [int(each) for each in sys.argv[1].split(",")], int(sys.argv[2])
arguments = {"object_store_memory": memory, "include_dashboard": False}
cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, **arguments}, shutdown_at_exit=True)
nodes = [cluster.add_node(num_cpus=each, object_store_memory=memory) for each in cpus]
cluster.wait_for_nodes()
print("address", cluster.address, flush=True)
for line in sys.stdin:
    cluster.remove_node(nodes[int(line)], allow_graceful=False)
    print("killed", flush=True)
cluster.shutdown()
"""


@dataclass
class RayCluster:
    """Its address, and the process that holds it."""

    address: str
    holder: "subprocess.Popen[str]"

    def kill(self, node: int) -> None:
        """End a node with all of its processes at once."""
        assert self.holder.stdin is not None and self.holder.stdout is not None
        self.holder.stdin.write(f"{node}\n")
        self.holder.stdin.flush()
        assert _line(self.holder, "killed")


@contextmanager
def ray_cluster(*cpus: int) -> Generator[RayCluster]:
    """Start a head without CPUs and a node for each number of CPUs."""
    with (
        tempfile.TemporaryDirectory(prefix="r", dir="/tmp") as folder,  # a socket's path is short
        tempfile.TemporaryFile("w+") as errors,
    ):
        environment = {**os.environ, **QUIET, "RAY_TMPDIR": folder, "PYTHONPATH": str(Path.cwd())}
        holder = subprocess.Popen(
            [sys.executable, "-c", _HOLD, ",".join(map(str, cpus)), str(MEMORY)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True,
            env=environment,
        )  # fmt: skip
        try:
            try:
                address = _line(holder, "address ").split()[1]
            except RuntimeError as error:
                errors.seek(0)
                raise RuntimeError(f"{error}: {errors.read()[-2000:]}") from None
            yield RayCluster(address, holder)
        finally:
            assert holder.stdin is not None and holder.stdout is not None
            holder.stdin.close()
            holder.stdout.close()
            try:
                holder.wait(120)
            except subprocess.TimeoutExpired:
                holder.kill()
                holder.wait()


def _line(holder: "subprocess.Popen[str]", start: str) -> str:
    assert holder.stdout is not None
    for line in holder.stdout:
        if line.startswith(start):
            return line
    raise RuntimeError("the cluster did not start")
