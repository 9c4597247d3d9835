"""What leaves the jail comes back as the same value, and what a candidate forges is refused."""

import array
import collections
import datetime
import enum
import marshal
import math
import os
import pickle
import random
import struct
import subprocess
import sys
import warnings
from collections import abc
from collections.abc import Iterator
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from dualcode.sandbox import encoder
from dualcode.sandbox.codec import CodecError, Drained, Opaque, decode, encode

atoms = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.complex_numbers()
    | st.text(st.characters())
    | st.binary()
    | st.just(...)
)
keys = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.binary(),
    lambda inner: st.tuples(inner, inner) | st.frozensets(inner, max_size=3),
    max_leaves=4,
)
NUMBERS: Any = array.array
with warnings.catch_warnings(action="ignore", category=DeprecationWarning):  # from Python 3.13 on
    CHARACTERS = NUMBERS("u", "a")
plain = st.recursive(
    atoms,
    lambda inner: (
        st.lists(inner, max_size=5)
        | st.tuples(inner, inner)
        | st.dictionaries(keys, inner, max_size=4)
        | st.sets(keys, max_size=4)
        | st.frozensets(keys, max_size=4)
    ),
    max_leaves=20,
)
"""Values of exact built-ins."""

numbers = st.integers() | st.floats(allow_nan=False) | st.fractions() | st.decimals(allow_nan=False, places=3)
scalars = hnp.from_dtype(np.dtype("f8")) | hnp.from_dtype(np.dtype("i4")) | hnp.from_dtype(np.dtype("c8"))
arrays = hnp.arrays(
    st.sampled_from(["?", "u1", "<i8", ">i4", "f2", "f4", "f8", "c16", "U3", "S2"]),
    hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=3),
)
offsets = st.timedeltas(datetime.timedelta(hours=-23), datetime.timedelta(hours=23)).map(datetime.timezone)


def _defaultdict(pairs: dict[Any, Any]) -> Any:
    found: dict[Any, Any] = collections.defaultdict(int, pairs)
    return found


known: st.SearchStrategy[Any] = st.one_of(
    scalars,
    arrays,
    st.text().map(np.str_),
    st.binary().map(np.bytes_),
    st.dictionaries(keys, st.integers()).map(collections.Counter),
    st.dictionaries(keys, atoms).map(_defaultdict),
    st.dictionaries(keys, atoms).map(collections.OrderedDict),
    st.lists(atoms, max_size=4).map(collections.deque),
    st.lists(atoms, max_size=4).map(lambda items: collections.deque(items, 9)),
    st.fractions(),
    st.decimals(),
    st.builds(range, st.integers(), st.integers(), st.integers(1)),
    st.dictionaries(keys, atoms).map(lambda pairs: pairs.keys()),
    st.dictionaries(keys, atoms).map(lambda pairs: pairs.values()),
    st.dictionaries(keys, atoms).map(lambda pairs: pairs.items()),
    st.binary().map(bytearray),
    st.dates(),
    st.times(timezones=st.none() | offsets),
    st.datetimes(timezones=st.none() | offsets),
    st.timedeltas(),
    st.lists(atoms, max_size=4).map(collections.UserList),
    st.dictionaries(keys, atoms).map(lambda pairs: collections.UserDict(pairs)),
    st.text().map(collections.UserString),
    st.dictionaries(keys, atoms).map(MappingProxyType),
    st.lists(st.floats(), max_size=4).map(lambda numbers: NUMBERS("d", numbers)),
    st.binary().map(memoryview),
    st.integers(0, 1 << 40).map(lambda number: np.timedelta64(number, "s")),
    arrays.filter(lambda values: values.dtype.kind == "f").map(np.ma.MaskedArray),
)
"""Values of the other types that the codec knows."""

rich_keys = st.integers() | st.fractions() | scalars.filter(lambda scalar: scalar == scalar)
rich = st.recursive(
    atoms | known,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.tuples(inner, inner)
        | st.dictionaries(rich_keys, inner, max_size=3)
        | st.sets(keys | numbers, max_size=3)
    ),
    max_leaves=10,
)


def through(value: Any) -> Any:
    """Return what a value becomes on its way through the wall."""
    kind, payload = encode(value)
    return decode(kind.decode(), payload)


def kind_of(value: Any) -> bytes:
    return encode(value)[0]


def tagged(tree: Any) -> bytes:
    """Return the payload of a tagged tree that a candidate might forge."""
    return marshal.dumps(tree, 2)


@given(plain)
def test_plain_values_come_back_as_marshal_has_them(value: Any) -> None:
    kind, payload = encode(value)
    back = decode("V", payload)
    assert kind == b"V"
    assert repr(back) == repr(marshal.loads(payload))
    assert type(back) is type(value)
    assert encode(back) == (kind, payload)


@given(rich)
def test_known_values_come_back_with_type_and_content(value: Any) -> None:
    kind, payload = encode(value)
    back = decode(kind.decode(), payload)
    assert type(back) is type(value)
    assert encode(back) == (kind, payload)


@given(numbers | st.sets(keys) | st.dictionaries(keys, numbers) | st.lists(numbers | st.text()))
def test_what_comes_back_is_equal(value: Any) -> None:
    assert through(value) == value


@given(arrays)
def test_arrays_come_back_whole(value: Any) -> None:
    back = through(value)
    np.testing.assert_array_equal(back, value)
    assert (back.shape, back.dtype) == (value.shape, value.dtype.newbyteorder("<"))


@given(st.binary(max_size=60), st.sampled_from("VGO"))
def test_random_bytes_raise_nothing_but_codec_errors(payload: bytes, kind: str) -> None:
    decodes_or_refuses(kind, payload)


@given(rich, st.data())
@settings(max_examples=200)
def test_damaged_payloads_raise_nothing_but_codec_errors(value: Any, data: st.DataObject) -> None:
    kind, payload = encode(value)
    damaged = bytearray(payload)
    for _ in range(data.draw(st.integers(1, 3))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    decodes_or_refuses(kind.decode(), bytes(damaged))


field_values: list[Any] = [0, 1, -1, 9, 1 << 70, 0.5, True, None, "", "a", "F", "<f8", "|b1", "<U1", "|O8"]
field_values += ["d", "<m8[s]", ("list", []), ("array", "|b1", [1], b"\0"), ("array", "<f8", [1], bytes(8))]
field_values += [b"", bytes(8), b"\xff" * 4, [], [1], [1, 1], [2**40], ["a", [0]], (), ("list", [1])]
tags = st.sampled_from(
    [
        "list",
        "tuple",
        "set",
        "frozenset",
        "dict",
        "bytearray",
        "range",
        "keys",
        "values",
        "items",
        "Counter",
        "defaultdict",
        "OrderedDict",
        "deque",
        "Fraction",
        "Decimal",
        "date",
        "time",
        "datetime",
        "timedelta",
        "array",
        "objects",
        "scalar",
        "str_",
        "bytes_",
        "mappingproxy",
        "UserList",
        "UserDict",
        "UserString",
        "numbers",
        "memoryview",
        "masked",
        "subclass",
        "drained",
        "no-tag",
    ]
)


@given(tags, st.lists(st.sampled_from(field_values), max_size=4))
@settings(max_examples=500)
def test_forged_trees_raise_nothing_but_codec_errors(tag: str, rest: list[Any]) -> None:
    decodes_or_refuses("G", tagged((tag, *rest)))
    decodes_or_refuses("G", tagged(("tuple", [(tag, *rest)])))


def decodes_or_refuses(kind: str, payload: bytes) -> None:
    try:
        decode(kind, payload)
    except CodecError:
        return


MALFORMED: dict[str, tuple[str, bytes]] = {
    "nothing": ("V", b""),
    "no kind of value": ("R", b"N"),
    "bytes after the value": ("V", b"NN"),
    "cut int": ("V", b"i\1\0"),
    "cut string": ("V", b"u\5\0\0\0abc"),
    "negative length": ("V", b"s\xff\xff\xff\xff"),
    "absurd count": ("V", b"[\xff\xff\xff\x7f"),
    "negative count": ("V", b"(\xff\xff\xff\xff"),
    "reference": ("V", b"[\1\0\0\0r\0\0\0\0"),
    "flagged type": ("V", bytes([ord("[") | 0x80]) + b"\0\0\0\0"),
    "code object": ("V", marshal.dumps(compile("1", "", "eval"), 2)),
    "stop iteration": ("V", b"S"),
    "text float": ("V", b"f\0011"),
    "no UTF-8": ("V", b"u\1\0\0\0\xff"),
    "long zero": ("V", b"l\0\0\0\0"),
    "long with a leading zero": ("V", b"l\2\0\0\0\1\0\0\0"),
    "digit of 16 bits": ("V", b"l\1\0\0\0\xff\xff"),
    "dict without an end": ("V", b"{NN"),
    "dict with an odd end": ("V", b"{N0"),
    "equal keys": ("V", b"{NTNT0"),
    "equal members": ("V", b"<\2\0\0\0TT"),
    "list as a key": ("V", b"{[\0\0\0\0N0"),
    "too deep": ("V", b"[\1\0\0\0" * 1000 + b"N"),
    "bare list in a tree": ("G", tagged([1])),
    "bare tuple in a tree": ("G", tagged(())),
    "node without a tag": ("G", tagged(("list", [[1]]))),
    "dict in a tree": ("G", b"{NN0"),
    "end of no dict": ("V", b"[\1\0\0\x000"),
    "end of nothing": ("V", b"0"),
    "unknown tag": ("G", tagged(("os.system", "true"))),
    "tag that is no string": ("G", tagged(([], 1))),
    "wrong fields": ("G", tagged(("list",))),
    "nodes that are no list": ("G", tagged(("list", "abc"))),
    "odd pairs": ("G", tagged(("dict", [1]))),
    "range by 0": ("G", tagged(("range", 0, 1, 0))),
    "range of floats": ("G", tagged(("range", 0.5, 1, 1))),
    "fraction over 0": ("G", tagged(("Fraction", 1, 0))),
    "fraction of strings": ("G", tagged(("Fraction", "1e999999999", 1))),
    "absurd exponent": ("G", tagged(("Decimal", 0, b"\1", 999_999))),
    "digit of 10": ("G", tagged(("Decimal", 0, b"\12", 0))),
    "overfull deque": ("G", tagged(("deque", 1, [1, 2]))),
    "month 13": ("G", tagged(("date", 2020, 13, 1))),
    "object array": (
        "G",
        tagged(
            (
                "array",
                "|O8",
                [
                    1,
                ],
                bytes(8),
            )
        ),
    ),
    "structured array": (
        "G",
        tagged(
            (
                "array",
                "<f8,<f8",
                [
                    1,
                ],
                bytes(16),
            )
        ),
    ),
    "array of too few bytes": (
        "G",
        tagged(
            (
                "array",
                "<f8",
                [
                    2,
                ],
                bytes(8),
            )
        ),
    ),
    "array of negative lengths": ("G", tagged(("array", "<f8", [-1, -1], bytes(8)))),
    "array of absurd shape": ("G", tagged(("array", "<f8", [0, 1 << 62, 1 << 62], b""))),
    "objects of another count": ("G", tagged(("objects", [3], [1]))),
    "objects in a shape to be guessed": ("G", tagged(("objects", [-1], [1]))),
    "array of 100 dimensions": ("G", tagged(("array", "<f8", [1] * 100, bytes(8)))),
    "bool of 2": ("G", tagged(("array", "|b1", [1], b"\2"))),
    "no character": ("G", tagged(("array", "<U1", [1], b"\xff\xff\xff\xff"))),
    "subclass of a date": ("G", tagged(("subclass", "x", ("date", 2020, 1, 1)))),
    "subclass of a mappingproxy": ("G", tagged(("subclass", "x", ("mappingproxy", ("dict", []))))),
    "mappingproxy of a list": ("G", tagged(("mappingproxy", ("list", [])))),
    "UserList of a text": ("G", tagged(("UserList", "abc"))),
    "UserString of a number": ("G", tagged(("UserString", 1))),
    "array of characters": ("G", tagged(("numbers", "u", bytes(4)))),
    "array of half a number": ("G", tagged(("numbers", "d", bytes(4)))),
    "memoryview of half a number": ("G", tagged(("memoryview", "d", bytes(4)))),
    "unit of time that is none": ("G", tagged(("scalar", "<m8[sss]", bytes(8)))),
    "mask of another shape": (
        "G",
        tagged(("masked", ("array", "<f8", [1], bytes(8)), ("array", "|b1", [2], bytes(2)))),
    ),
    "masked value": (
        "G",
        tagged(("masked", ("array", "<f8", [1], bytes(8)), ("array", "|b1", [1], b"\x01"))),
    ),
    "drained within a list": ("G", tagged(("list", [("drained", "map", [])]))),
}


@pytest.mark.parametrize(("kind", "payload"), MALFORMED.values(), ids=MALFORMED)
def test_malformed_payloads_are_refused(kind: str, payload: bytes) -> None:
    with pytest.raises(CodecError):
        decode(kind, payload)


def test_arrays_of_objects_come_back() -> None:
    value = np.array([[None, Fraction(1, 2)], ["a", 1 << 70]], dtype=object)
    back = through(value)
    assert back.shape == (2, 2)
    assert (back == value).all()
    assert through(np.array([[1], None], dtype=object))[0] == [1]


def test_bytes_are_the_same_in_every_process() -> None:
    code = (
        "from dualcode.sandbox.codec import encode\n"
        "values = [{'b', 'a', ('c', 1)}, frozenset('xyz'), [{1.5, 'q', b'q'}], "
        "''.join(['Y', 'es']), 'Yes', {__import__('fractions').Fraction(1, 3), 'a', 'b'}]\n"
        "print([encode(value) for value in values])"
    )
    root = Path(__file__).parents[2]
    outputs = {
        subprocess.run(
            [sys.executable, "-c", code],
            env=os.environ | {"PYTHONHASHSEED": seed, "PYTHONPATH": str(root)},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "2", "3")
    }
    assert len(outputs) == 1


def test_interned_and_computed_strings_give_the_same_bytes() -> None:
    assert encode(sys.intern("Yes")) == encode("".join(["Y", "es"]))
    shared = "shared"
    assert encode([shared, shared]) == encode(["sha" + "red"[:], "".join("shared")])


def test_lone_surrogates_come_back() -> None:
    assert through("\ud800x") == "\ud800x"
    assert through([np.str_("\ud800")]) == ["\ud800"]


def test_ints_of_any_size_come_back() -> None:
    for number in (2**31 - 1, 2**31, -(2**31) - 1, 3**100_000, -(2**15)):
        assert through(number) == number


def test_values_that_hold_themselves_are_opaque() -> None:
    loop: list[Any] = []
    loop.append(loop)
    assert kind_of(loop) == b"O"
    mixed: dict[Any, Any] = {1: np.int64(1)}
    mixed[2] = (mixed,)
    assert kind_of(mixed) == b"O"


@pytest.mark.parametrize("leaf", [0, np.int64(0)], ids=["plain", "tagged"])
def test_values_of_exponential_size_are_opaque(leaf: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoder, "CONTAINED", 1 << 12)
    value: list[Any] = [leaf]
    for _ in range(100):
        value = [value, value]
    assert kind_of(value) == b"O"


def test_depth_is_bounded_on_both_sides() -> None:
    def nested(levels: int, leaf: Any) -> Any:
        for _ in range(levels):
            leaf = [leaf]
        return leaf

    assert through(nested(200, 1)) == nested(200, 1)
    assert through(nested(199, Fraction(1, 2))) == nested(199, Fraction(1, 2))
    assert kind_of(nested(201, 1)) == b"O"
    assert kind_of(nested(10_000, 1)) == b"O"
    with pytest.raises(CodecError, match="too deep"):
        decode("V", encode(nested(20, 1))[1], depth=10)


class Point(NamedTuple):
    x: float
    y: float


class Color(enum.IntEnum):
    RED = 1


class Word(enum.StrEnum):
    YES = "yes"


class Names(list[str]):
    """A list with a method more."""


class Settings(collections.defaultdict[str, int]):
    """A dict of a dict."""


class Tally(collections.Counter[str]):
    def __missing__(self, key: str) -> int:
        return 5


class Rows(collections.UserList[int]):
    def __len__(self) -> int:
        return 7


class Lookup(collections.UserDict[str, int]):
    def __getitem__(self, key: str) -> int:
        return 2 * self.data[key]


class Frozen(abc.Mapping[str, int]):
    def __init__(self, **pairs: int) -> None:
        self.pairs = pairs

    def __getitem__(self, key: str) -> int:
        return self.pairs[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self.pairs)

    def __len__(self) -> int:
        return len(self.pairs)


class Members(abc.Set[int]):
    def __init__(self, *members: int) -> None:
        self.members = members

    def __contains__(self, member: object) -> bool:
        return member in self.members

    def __iter__(self) -> Iterator[int]:
        return iter(self.members)

    def __len__(self) -> int:
        return len(self.members)


class Grid(np.ndarray[Any, Any]):
    """An array with a name."""


class Exact(Fraction):
    """A fraction with a name."""


COMPARE_AS: list[tuple[Any, Any]] = [
    (Point(1.0, 2.0), (1.0, 2.0)),
    (Color.RED, 1),
    (Word.YES, "yes"),
    (Names("ab"), ["a", "b"]),
    (Settings(int, a=1), {"a": 1}),
    ([Point(1, 2)], [(1, 2)]),
    (Tally("aab"), {"a": 2, "b": 1}),
    (Rows([1, 2]), [1, 2]),
    (Lookup(a=1), {"a": 2}),
    (Frozen(a=1), {"a": 1}),
    (Members(1, 2), {1, 2}),
    (Exact(1, 2), 0.5),
    (np.zeros(1).view(Grid), 0),
    (type("Own", (np.float64,), {})(0.5), 0.5),
    (type("Own", (collections.deque,), {})([1], 5), collections.deque([1])),
    (type("Own", (collections.OrderedDict,), {})(a=1), {"a": 1}),
    (collections.ChainMap({"a": 1}, {"a": 2, "b": 3}), {"a": 1, "b": 3}),
    (collections.UserList([1]), [1]),
    (collections.UserDict(a=1), {"a": 1}),
    (collections.UserDict(a=1).keys(), {"a"}),
    (collections.UserDict(a=1).items(), {("a", 1)}),
    (collections.OrderedDict(a=1).items(), {("a", 1)}),
    (collections.UserString("a"), "a"),
    ({collections.UserString("a"): 1}, {"a": 1}),
    ([MappingProxyType({"a": 1})], [{"a": 1}]),
    (MappingProxyType(collections.UserDict(a=1)), {"a": 1}),
    (memoryview(b"ab"), b"ab"),
]


@pytest.mark.parametrize(("value", "base"), COMPARE_AS)
def test_subclasses_compare_as_their_base_and_are_of_another_type(value: Any, base: Any) -> None:
    back = through(value)
    assert back == base
    assert (type(back) is type(base)) == (type(value) is type(base))


@pytest.mark.parametrize(
    "value",
    [
        memoryview(bytes(4)).cast("B", [2, 2]),
        CHARACTERS,
        np.array([object()]),
        np.zeros(1, dtype="f8,f8"),
        np.ma.masked,
        type("Own", (np.ma.MaskedArray,), {})([1]),
        type("Own", (datetime.date,), {})(2020, 1, 1),
        MappingProxyType(dict.__dict__),
        object(),
        int,
        len,
        NotImplemented,
        StopIteration,
        (character for character in "ab"),
        iter([1]),
        compile("1", "", "eval"),
        datetime.datetime(2020, 1, 1, tzinfo=type("Zone", (datetime.tzinfo,), {})()),
    ],
    ids=lambda value: type(value).__name__,
)
def test_other_objects_are_opaque_and_never_plain_bytes(value: Any) -> None:
    assert kind_of(value) == b"O"
    assert kind_of([value]) == b"O"
    assert kind_of({1: [2, (value,)]}) == b"O"


def _equal(_self: Any, _other: Any) -> bool:
    return True


@pytest.mark.parametrize(
    "base",
    [
        *[int, float, str, tuple, list, dict, set, np.float64, Fraction, Members, collections.Counter],
        *[collections.ChainMap, collections.UserList, collections.UserString],
    ],
)
@pytest.mark.parametrize("method", ["__eq__", "__ne__", "__hash__"])
def test_objects_with_an_equality_of_their_own_are_opaque(base: type, method: str) -> None:
    forged = type("Forged", (base,), {method: _equal})
    assert encode(forged("1") if base is collections.UserString else forged()) == (b"O", b"Forged")


def test_overridden_methods_are_not_asked() -> None:
    def lie(*_: Any) -> Any:
        raise AssertionError("asked")

    lies = dict.fromkeys(["__iter__", "__len__", "__getitem__", "items", "keys", "values"], lie)
    lies |= dict.fromkeys(["__int__", "__index__", "__float__", "__str__", "__repr__", "__bool__"], lie)
    lies |= dict.fromkeys(["__bytes__", "__complex__", "__reduce__", "__class__", "__getattribute__"], lie)
    for base, value in [(list, [1]), (dict, {1: 2}), (int, 5), (float, 0.5), (str, "a"), (tuple, (1,)),
                        (bytes, b"a"), (complex, 1j), (set, {1}), (frozenset, frozenset([1]))]:  # fmt: skip
        assert through(type("Liar", (base,), lies)(value)) == value


class Hostile(type):
    def __hash__(cls) -> int:
        raise RuntimeError

    def __eq__(cls, other: object) -> bool:
        raise RuntimeError

    @property
    def __name__(cls) -> str:  # pyright: ignore[reportIncompatibleVariableOverride]
        raise RuntimeError


def test_hostile_metaclasses_make_opaque_values() -> None:
    hostile = Hostile("Hostile", (), {})()
    assert encode(hostile) == (b"O", b"Hostile")
    assert kind_of([1, hostile]) == b"O"


def test_a_type_that_passes_for_another_does_no_more_than_lie() -> None:
    class Passing(type):
        def __hash__(cls) -> int:
            return hash(int)

        def __eq__(cls, other: object) -> bool:
            return True

    assert kind_of(Passing("P", (), {})()) in (b"O", b"V")


def test_opaque_values_equal_nothing() -> None:
    kind, payload = encode(object())
    one, other = decode(kind.decode(), payload), decode(kind.decode(), payload)
    assert isinstance(one, Opaque)
    assert one.type_name == "object"
    assert one != other
    assert one not in (None, object, "object")


class Countdown:
    def __iter__(self) -> Any:
        return iter([3, 2, 1])


@pytest.mark.parametrize(
    ("make", "items"),
    [
        (lambda: (n for n in (1, 2)), [1, 2]),
        (lambda: map(str, (1, 2)), ["1", "2"]),
        (lambda: zip("ab", (1, Fraction(2)), strict=True), [("a", 1), ("b", 2)]),
        (Countdown, [3, 2, 1]),
    ],
)
def test_draining_sends_the_items_of_what_is_no_data(make: Any, items: list[Any]) -> None:
    kind, payload = encode(make(), drain=True)
    back = decode(kind.decode(), payload)
    assert isinstance(back, Drained)
    assert list(back) == items
    assert back != items
    assert kind_of(make()) == b"O"


def test_draining_leaves_data_as_it_is() -> None:
    for value in ([1], "ab", {1: 2}, range(3), {1}, collections.Counter("ab")):
        assert encode(value, drain=True) == encode(value)


def test_draining_raises_what_the_iteration_raises() -> None:
    def broken() -> Any:
        yield 1
        raise KeyError("lost")

    with pytest.raises(KeyError, match="lost"):
        encode(broken(), drain=True)


def test_draining_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoder, "CONTAINED", 1000)
    forever = iter(int, 1)
    assert encode(forever, drain=True) == (b"O", b"callable_iterator")
    assert kind_of([object()]) == encode([object()], drain=True)[0] == b"O"


def test_giant_ranges_stay_lazy() -> None:
    assert through(range(10**30)) == range(10**30)


def test_decimals_of_every_form_come_back() -> None:
    for text in ("NaN", "-Infinity", "sNaN12", "-0.00", "1E+9999"):
        assert str(through(Decimal(text))) == str(Decimal(text))


def test_order_is_part_of_a_dict_and_of_nothing_else() -> None:
    assert encode({1: 2, 3: 4}) != encode({3: 4, 1: 2})
    numbers = [Fraction(n, 7) for n in range(50)]
    shuffled = random.Random(0).sample(numbers, 50)
    assert encode(set(numbers)) == encode(set(shuffled))


def test_numpy_is_not_loaded_for_plain_values() -> None:
    code = (
        "import sys\nfrom dualcode.sandbox.codec import decode, encode\n"
        "decode('V', encode([1])[1]); encode(object()); assert 'numpy' not in sys.modules"
    )
    root = Path(__file__).parents[2]
    subprocess.run([sys.executable, "-c", code], env=os.environ | {"PYTHONPATH": str(root)}, check=True)


def test_a_float_keeps_its_bits() -> None:
    for bits in (0, 1 << 63, 0x7FF8000000000001, 0xFFF0000000000000):
        (number,) = struct.unpack("<d", struct.pack("<Q", bits))
        assert struct.pack("<d", through(number)) == struct.pack("<Q", bits)
    assert math.isnan(through(pickle.loads(pickle.dumps(math.nan))))


def test_a_program_that_patches_what_the_encoder_uses_sends_its_values_all_the_same() -> None:
    code = """
import builtins, collections, itertools, marshal, types
from dualcode.sandbox import codec
value = [collections.UserList([1]), collections.Counter("ab"), {2: (3,)}, types.MappingProxyType({4: 5})]
plain = [[1], {"a": 1, "b": 1}, {2: (3,)}, {4: 5}]
encode, decode = codec.encode, codec.decode
kept = vars(builtins).copy()
names = "len iter map sorted type list dict tuple set getattr isinstance issubclass any all sum zip str vars"
for name in names.split():
    setattr(builtins, name, None)
itertools.islice = itertools.chain = marshal.dumps = types.MappingProxyType = None
kind, payload = encode(value)
builtins.__dict__.update(kept)
assert encode(plain)[0] == b"V"
assert decode(kind.decode(), payload) == plain
"""
    root = Path(__file__).parents[2]
    subprocess.run([sys.executable, "-c", code], env=os.environ | {"PYTHONPATH": str(root)}, check=True)


def test_a_mapping_without_end_is_opaque(monkeypatch: pytest.MonkeyPatch) -> None:
    class Endless(Frozen):
        def __iter__(self) -> Iterator[str]:
            return iter(lambda: "a", "b")

    monkeypatch.setattr(encoder, "CONTAINED", 1000)
    assert kind_of(Endless(a=1)) == b"O"
    assert kind_of([Endless(a=1)]) == b"O"


def test_a_mapping_that_raises_is_opaque() -> None:
    class Broken(Frozen):
        def __getitem__(self, key: str) -> int:
            raise KeyError(key)

    assert encode(Broken(a=1)) == (b"O", b"Broken")


def test_a_wrapper_that_holds_itself_is_opaque() -> None:
    loop = collections.UserList[Any]()
    loop.append(loop)
    assert kind_of(loop) == b"O"
