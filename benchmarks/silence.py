"""How long a command says nothing: its output lines with the second each came at, and the longest gaps.

    python -m benchmarks.silence [--most 3] COMMAND ARGUMENT…

The command writes into a pipe, as into a log. Every line is passed on with its second before it; then follow
the gaps of more than `--most` seconds, the longest first, with the lines around each. Exit code 1 if there is
one, else the command's own.
"""

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple


class Said(NamedTuple):
    """A line, and the second that it came at."""

    at: float
    text: str


def listen(command: Sequence[str]) -> tuple[list[Said], int]:
    """Run a command and return what it said, its start and its end included, and its exit code."""
    begun = time.monotonic()
    heard = [Said(0.0, "(the start)")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as started:
        assert started.stdout is not None
        rest = b""
        while piece := os.read(started.stdout.fileno(), 1 << 16):
            *lines, rest = (rest + piece).split(b"\n")
            for line in lines:
                heard.append(Said(time.monotonic() - begun, line.decode("utf-8", "replace")))
                print(f"{heard[-1].at:8.1f}  {heard[-1].text}", flush=True)
        code = started.wait()
    return [*heard, Said(time.monotonic() - begun, "(the end)")], code


def silences(heard: Sequence[Said], most: float) -> list[tuple[float, Said, Said]]:
    """Return the gaps of more than so many seconds, with the lines around each, the longest first."""
    gaps = [(after.at - before.at, before, after) for before, after in pairwise(heard)]
    return sorted((gap for gap in gaps if gap[0] > most), key=lambda gap: -gap[0])


def main() -> int:
    """Run the command, and print its silences."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--most", type=float, default=3.0, help="seconds of silence that are none")
    parser.add_argument("command", nargs=argparse.REMAINDER)
    given = parser.parse_args()
    heard, code = listen(given.command)
    found = silences(heard, given.most)
    for seconds, before, after in found:
        print(f"silent {seconds:.1f} s  after {before.text[:70]!r}  before {after.text[:70]!r}")
    print(f"{len(found)} silences above {given.most:g} s in {heard[-1].at:.1f} s")
    return code or bool(found)


if __name__ == "__main__":
    sys.exit(main())
