"""The digests of very long values, which nothing but their digests is ever compared by."""

import json
import marshal
from typing import Any

import pytest

from dualcode.grading.rules import LONGEST_COMPARED
from dualcode.sandbox import encoder
from dualcode.sandbox.job import HEAD


class Text(str):
    __slots__ = ()


ROW = ["red", "", "blau ä", "\udc80"]
LIKE_ROWS: list[Any] = [
    [ROW] * 5,
    [tuple(ROW)] * 5,
    tuple([ROW] * 5),
    (tuple(ROW),) * 5,
    [ROW] * 6,
    [ROW] * 4 + [ROW[:3]],
    [ROW] * 4 + [[*ROW, ""]],
    [ROW] * 3 + [[*ROW, "red"], ROW[1:]],
    [ROW] * 4 + [[*ROW[:3], ROW[3] + "x"]],
    [ROW] * 4 + [["", *ROW[1:]]],
    [["red "], ["", "blau ä", "\udc80"]] * 2 + [ROW],
]
"""Values that differ from each other, all of which are joined."""


def digest_of(value: Any, monkeypatch: pytest.MonkeyPatch, *, unread: int = 0) -> tuple[bytes, bytes]:
    monkeypatch.setattr(encoder, "PIECE", 2)
    monkeypatch.setattr(encoder, "UNREAD", unread)
    return encoder.encode_within(value, False, 0)


def test_very_long_values_of_texts_are_told_apart_by_their_joined_texts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = [digest_of(value, monkeypatch) for value in LIKE_ROWS]
    assert len(set(found)) == len(LIKE_ROWS)
    for value, (kind, payload) in zip(LIKE_ROWS, found, strict=True):
        assert (kind, payload[32:]) == (b"D", HEAD.pack(b"J", len(marshal.dumps(value, 2))))
        anew = json.loads(json.dumps(value))  # other objects, lists for tuples
        if anew == value:
            assert digest_of(anew, monkeypatch) == (kind, payload)


@pytest.mark.parametrize(
    "last",
    [
        [],
        (),
        ["a\x1fb"],
        ["a\x1eb"],
        [Text("red"), *ROW[1:]],
        [b"red", *ROW[1:]],
        [None],
        [1],
        [["red"]],
        tuple(ROW),
        "red",
        {"red": 1},
    ],
    ids=repr,
)
def test_a_value_that_is_not_of_texts_alone_has_the_digest_that_it_always_had(
    last: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    value = [*[ROW] * 4, last]
    assert digest_of(value, monkeypatch) == digest_of(value, monkeypatch, unread=1 << 28)
    assert digest_of([ROW] * 5, monkeypatch) != digest_of([ROW] * 5, monkeypatch, unread=1 << 28)


def test_a_value_that_may_be_compared_itself_is_never_joined(monkeypatch: pytest.MonkeyPatch) -> None:
    """The host can only check the digest of a payload that it has."""
    assert encoder.UNREAD >= LONGEST_COMPARED
    value = [["a"] * 10] * 5
    assert digest_of(value, monkeypatch, unread=5 * 50)[1][32:33] == b"V"
    assert digest_of(value, monkeypatch, unread=5 * 50 - 1)[1][32:33] == b"J"
