"""Transcripts made small: each compressed alone, and shortened only where the file would be too large."""

import base64
import json
import zlib
from collections.abc import Iterable
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


def pack(transcripts: Iterable[Data], room: int) -> Packed:
    """Return the transcripts packed into `room` bytes, as whole as they fit. None is held as it comes."""
    kinds, whole = list[list[Kind]](), list[str]()
    for each in transcripts:
        kinds.append(each["kinds"])
        whole.append(_packed(shortened(each, LEVELS[0])))
    level, texts = 0, whole
    while sum(map(len, texts)) > room and level < len(LEVELS) - 1:
        level += 1
        texts = list[str]()
        for text, own in zip(whole, kinds, strict=True):
            again: Data = json.loads(zlib.decompress(base64.b64decode(text)))
            texts.append(_packed(shortened(again | {"kinds": own}, LEVELS[level])))
    return Packed(texts, level)


def _packed(transcript: Data) -> str:
    plain = json.dumps(transcript, separators=(",", ":"))
    return base64.b64encode(zlib.compress(plain.encode(), 9)).decode()


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
