"""The digests of very long values, which nothing but their digests is ever compared by."""

import json
import marshal
from fractions import Fraction
from typing import Any

import pytest

from dualcode.grading.rules import LONGEST_COMPARED
from dualcode.sandbox import encoder
from dualcode.sandbox.job import HEAD, digest


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


class LyingType(type):
    def __hash__(cls) -> int:
        raise RuntimeError

    def __eq__(cls, other: object) -> bool:
        raise RuntimeError


class Liar(metaclass=LyingType):
    pass


ODD: list[Any] = [Text("red"), Liar(), object(), Fraction(1, 2)]


@pytest.mark.parametrize(
    "value",
    [
        "a" * 10,
        "\0\n" * 10,
        "ab\udc80" * 10,
        "blau ä" * 10,
        [1, 2.5, None, True, "x", b"y", 1j, 1 << 80, -1] * 3,
        tuple(range(9)),
        [*range(9), [1]],
        [[1], *range(9)],
        [{"a": (1, 2)}, {3}] * 5,
    ],
    ids=repr,
)
def test_the_digest_of_pieces_is_that_of_the_whole(value: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for size in (1, 2, 3, 1000):
        monkeypatch.setattr(encoder, "PIECE", size)
        monkeypatch.setattr(encoder, "TEXT_PIECE", size)
        assert encoder.encode_within(value, False, 4) == (b"D", digest("V", marshal.dumps(value, 2)))


@pytest.mark.parametrize("odd", ODD, ids=lambda odd: type(odd).__name__)
@pytest.mark.parametrize("at", [0, 5, 9])
def test_a_long_list_with_an_odd_member_is_sent_as_a_short_one_is(
    odd: Any, at: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    value = [*range(at), odd, *range(9 - at)]
    kind, payload = encoder.encode(value)
    monkeypatch.setattr(encoder, "PIECE", 3)
    told = (kind, payload) if kind == b"O" else (b"D", digest(kind.decode(), payload))
    assert encoder.encode_within(value, False, 4) == told


def test_a_text_longer_than_marshal_writes_is_left_to_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoder, "LONGEST_TEXT", 9)

    def refuse(value: object, version: int) -> bytes:
        raise ValueError(value, version)

    monkeypatch.setattr(encoder, "_dump", refuse)
    assert encoder.encode_within("a" * 10, False, 4) == (b"O", b"str")
    assert encoder.encode_within("a" * 9, False, 4)[0] == b"D"
