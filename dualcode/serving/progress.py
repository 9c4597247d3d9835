"""What a server that starts is doing, read from its log and from the cache that it downloads into."""

import contextlib
import os
import re
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TextIO

from dualcode.serving import hub
from dualcode.serving.facts import GIB

Say = Callable[[str], None]

_STAGES: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern), told)
    for pattern, told in (
        (r"Resolved architecture|non-default args|Using max model len", "reading its configuration"),
        (r"Starting to load model", "loading weights"),
        (r"Loading \S+ checkpoint shards:.*?\|\s*(\d+)/(\d+)", "loading weights, file {0} of {1}"),
        (r"Loading weights took|Model loading took", "weights are loaded"),
        (r"torch\.compile takes|Compiling a graph|Dynamo bytecode|compile range", "compiling"),
        (r"(?i)flashinfer.*(?:jit|build|compil)|ninja: ", "compiling kernels"),
        (r"Available KV cache memory|KV cache size", "dividing the memory"),
        (r"Capturing CUDA graphs.*?(\d+)%", "recording CUDA graphs, {0} %"),
        (r"Graph capturing finished|warming up|warm ?up", "warming up"),
        (r"Started server process|Starting vLLM server|Application startup complete", "about to answer"),
    )
)
"""What a line of vLLM's log says that it is doing; the last one that matches counts."""


class Watch:
    """Follows one server from its start until it answers."""

    def __init__(self, name: str, log: Path, weights: str | None = None, missing: int | None = 0) -> None:
        """`weights` is the hub's name of what may have to be downloaded, `missing` how many bytes of it."""
        self.name = name
        self._log, self._weights, self._missing = log, weights, missing
        self._position = 0
        self._stage = "starting"
        self._began = time.monotonic()
        self._held = self._now_held() if missing != 0 else 0

    def line(self) -> str:
        """Return what it is doing, with the seconds since its start."""
        return f"{self.name}: {self.stage()} ({time.monotonic() - self._began:.0f} s)"

    def stage(self) -> str:
        """Return what it is doing."""
        self._read()
        return self._download() or self._stage

    def _now_held(self) -> int:
        return hub.held_bytes(self._weights, os.environ) if self._weights else 0

    def _download(self) -> str | None:
        """Return how far a download is; None if there is none, or the weights are being read already."""
        if (
            self._missing == 0
            or not self._weights
            or self._stage.startswith(("loading weights, ", "weights"))
        ):
            return None
        got = max(0, self._now_held() - self._held)
        if self._missing is None:
            return f"downloading, {got / GIB:.1f} GiB so far"
        if got >= self._missing:
            return None
        return f"downloading {got / GIB:.1f} of {self._missing / GIB:.1f} GiB"

    def _read(self) -> None:
        with contextlib.suppress(OSError), self._log.open("rb") as source:
            source.seek(self._position)
            fresh = source.read()
            self._position += len(fresh)
            for line in re.split(
                r"[\r\n]+", fresh.decode(errors="replace")
            ):  # bars return without a new line
                for pattern, told in _STAGES:
                    if found := pattern.search(line):
                        self._stage = told.format(*found.groups())


class Display:
    """Lines that stay, and one of the moment: kept up to date on a terminal, repeated in a pipe."""

    def __init__(self, stream: TextIO | None = None, *, every: float = 2.5) -> None:
        """In a pipe the line of the moment comes `every` seconds."""
        self._stream = stream or sys.stderr
        self._live = self._stream.isatty()
        self._every = 0.3 if self._live else every
        self._last = time.monotonic()
        self._shown = False

    def say(self, line: str) -> None:
        """Write a line that stays."""
        self._clear()
        self._stream.write(f"{line}\n")
        self._stream.flush()
        self._last = time.monotonic()

    def now(self, line: str) -> None:
        """Tell what is going on, if it is time to."""
        if time.monotonic() - self._last < self._every:
            return
        self._last = time.monotonic()
        if self._live:
            width = shutil.get_terminal_size().columns - 1
            self._stream.write(f"\r\x1b[2K{line[:width]}")
            self._shown = True
        else:
            self._stream.write(f"{line}\n")
        self._stream.flush()

    def close(self) -> None:
        """Leave the terminal without the line of the moment."""
        self._clear()
        self._stream.flush()

    def _clear(self) -> None:
        if self._shown:
            self._stream.write("\r\x1b[2K")
            self._shown = False
