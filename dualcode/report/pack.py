"""Transcripts made small: each compressed alone, and shortened only where the file would be too large."""

import base64
import json
import zlib
from collections.abc import Sequence
from typing import NamedTuple

from dualcode.report.transcript import Data, Kind

LEVELS: tuple[dict[Kind, int], ...] = (
    {},
    {"reasoning": 6000},
    {"reasoning": 2000, "message": 6000},
    {"reasoning": 500, "message": 1500, "reply": 6000},
    {"reasoning": 100, "message": 200, "reply": 2000},
)
"""Most characters of each kind of text; the first level leaves everything whole. Programs are never cut."""


class Packed(NamedTuple):
    """Transcripts as they stand in the file."""

    texts: list[str]
    """A task each: base64 of zlib's format, which a browser's DecompressionStream calls `deflate`."""
    level: int
    """The index of the first of LEVELS that fits; the last one where none does."""


def pack(transcripts: Sequence[Data], room: int) -> Packed:
    """Return the transcripts packed into `room` bytes, as whole as they fit."""
    for level, limits in enumerate(LEVELS):
        plain = (json.dumps(shortened(each, limits), separators=(",", ":")) for each in transcripts)
        texts = [base64.b64encode(zlib.compress(each.encode(), 9)).decode() for each in plain]
        if sum(map(len, texts)) <= room or level == len(LEVELS) - 1:
            return Packed(texts, level)
    raise AssertionError("the last level is always taken")


def shortened(transcript: Data, limits: dict[Kind, int]) -> Data:
    """Return a transcript whose texts are within the limits of their kinds, cut in their middle."""
    pairs = zip(transcript["texts"], transcript["kinds"], strict=True)
    texts = [_cut(text, limits[kind]) if kind in limits else text for text, kind in pairs]
    return {key: value for key, value in transcript.items() if key != "kinds"} | {"texts": texts}


def _cut(text: str, most: int) -> str:
    if len(text) <= most:
        return text
    head, tail = text[: most * 2 // 3], text[len(text) - most // 3 :]
    return f"{head}\n\n[… {len(text) - len(head) - len(tail):,} characters left out …]\n\n{tail}"
