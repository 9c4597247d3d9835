"""Values as bytes, written beside the candidate: one half of the codec.

This runs where a candidate may have patched everything. It reads values through the methods of their built-in
base, so an object can lie about itself and about nothing else; whatever goes wrong makes an `O`. What has
methods of its own for equality is an `O`, too: it could say that it equals anything.

The file stands alone: it imports nothing of dualcode, and numpy only where it is loaded already.
"""

import collections
import itertools
import marshal
import struct
import sys
from collections.abc import Callable, Iterable, Iterator
from types import NoneType
from typing import Any

DEPTH = 200
"""Levels of containers in a value; one nested deeper is an `O`."""

ITEMS = 1 << 28
"""Members of containers in a value; one with more is an `O`. A task of MBPP+ returns 128 million."""

CONTAINED = 1 << 22
"""Containers in a value, or nodes of a tagged tree; a value with more is an `O`."""

PIECE = 1 << 12
"""Members of a list that are written at once."""

_COUNT = struct.Struct("<I")
_HEAD = struct.Struct("<cI")  # as `job.HEAD`

Reader = Callable[[Any], Any]

ATOMS: frozenset[type[Any]] = frozenset({NoneType, bool, int, float, complex, str, bytes, type(...)})
CONTAINERS: frozenset[type[Any]] = frozenset({list, tuple, dict, set, frozenset})
PLAIN = ATOMS | CONTAINERS


def _read_complex(value: Any) -> complex:
    part = complex.__dict__
    return complex(part["real"].__get__(value), part["imag"].__get__(value))


_list_items: Reader = vars(list)["__iter__"]
_tuple_items: Reader = vars(tuple)["__iter__"]
_dict_items: Reader = vars(dict)["items"]
_dict_values: Reader = vars(dict)["values"]
_set_items: Reader = vars(set)["__iter__"]
_frozenset_items: Reader = vars(frozenset)["__iter__"]

AS_BASE: dict[type, Reader] = {
    int: int.__int__,
    float: float.__float__,
    complex: _read_complex,
    str: str.__str__,
    bytes: lambda value: bytes.__getitem__(value, slice(None)),
    list: lambda value: list(_list_items(value)),
    tuple: lambda value: tuple(_tuple_items(value)),
    dict: lambda value: dict(_dict_items(value)),
    set: lambda value: set(_set_items(value)),
    frozenset: lambda value: frozenset(_frozenset_items(value)),
}
"""How the value of a subclass is read as one of its base, past what the subclass overrides."""

_dump = marshal.dumps
_type: Callable[[Any], type[Any]] = type


class _CannotSendError(Exception):
    def __init__(self, culprit: type[Any]) -> None:
        self.culprit = culprit


def encode(value: Any, drain: bool = False) -> tuple[bytes, bytes]:
    """Return a value's kind and payload.

    With `drain`, an iterable that is no data (a generator, a map) is sent as the list of its items; what
    its iteration raises is raised here. Nothing else is, but for exceptions that are no `Exception`.
    """
    try:
        if type(value) in ATOMS or _is_plain(value):
            return b"V", _dump(value, 2)
        return b"G", _dump(_Tagger().node(value), 2)
    except _CannotSendError as error:
        if not drain or error.culprit is not type(value):
            return b"O", _name(error.culprit)
    except Exception:  # a lying metaclass, no memory
        return b"O", _name(_type(value))
    return _encode_items(value)


def encode_within(value: Any, drain: bool, most: int | None) -> tuple[bytes, bytes]:
    """Return what `encode` does, or `D` and the digest of it where the payload is longer than `most` bytes.

    The digest of a long list is taken piece by piece: a task of MBPP+ returns 1.2 GB.
    """
    if most is not None and _type(value) in (list, tuple) and len(value) > PIECE:
        long = _digest_pieces(value, most)
        if long is not None:
            return long
    kind, payload = encode(value, drain)
    if most is None or len(payload) <= most or kind == b"O":
        return kind, payload
    return b"D", _sha256(payload).digest() + _HEAD.pack(kind, len(payload))


def _sha256(start: bytes) -> Any:
    import hashlib  # maps a large library, which few programs need

    return hashlib.sha256(start)


def _digest_pieces(value: list[Any] | tuple[Any, ...], most: int) -> tuple[bytes, bytes] | None:
    """Return the `D` of a long list or tuple of plain data; None if it is not plain, or not long."""
    code = b"[" if type(value) is list else b"("
    length = len(value)
    sum_, size = _sha256(code + _COUNT.pack(length)), len(code) + _COUNT.size
    members = iter(value)
    for _ in range(0, length, PIECE):
        piece = list(itertools.islice(members, PIECE))
        try:
            if not _is_plain(piece):
                return None
            written = _dump(piece, 2)
        except Exception:
            return None
        sum_.update(memoryview(written)[len(code) + _COUNT.size :])
        size += len(written) - len(code) - _COUNT.size
    return (b"D", sum_.digest() + _HEAD.pack(b"V", size)) if size > most else None


def _encode_items(value: Any) -> tuple[bytes, bytes]:
    try:
        items = iter(value)
    except TypeError:
        return b"O", _name(_type(value))
    drawn: list[Any] = list(itertools.islice(items, CONTAINED + 1))
    try:
        return b"G", _dump(("drained", _name(_type(value)).decode(), _Tagger().nodes(drawn)), 2)
    except Exception:
        return b"O", _name(_type(value))


def _name(kind: type[Any]) -> bytes:
    """Return a type's name, whatever its metaclass says; at most 200 characters."""
    name = type.__dict__["__name__"].__get__(kind)
    return str.encode(str.__getitem__(name, slice(200)), "utf-8", "replace")


def _is_plain(value: Any) -> bool:
    """Whether a container is of exact built-ins throughout; a few passes in C for each level."""
    level, kinds = [value], {_type(value)}
    for _ in range(DEPTH):
        if not kinds <= PLAIN:
            return False
        if not kinds <= CONTAINERS:
            level = list(itertools.compress(level, map(CONTAINERS.__contains__, map(_type, level))))
        if sum(map(len, level)) > ITEMS:
            break
        with_dicts = dict in kinds
        kinds = set(map(_type, _members(level, with_dicts)))
        if kinds <= ATOMS:
            return True
        level = list(itertools.islice(_members(level, with_dicts), CONTAINED + 1))
        if len(level) > CONTAINED:
            break
    raise _CannotSendError(_type(value))


def _members(level: list[Any], with_dicts: bool) -> Iterator[Any]:
    members = itertools.chain.from_iterable(level)
    if not with_dicts:
        return members
    dicts = [each for each in level if _type(each) is dict]
    return itertools.chain(members, itertools.chain.from_iterable(map(_dict_values, dicts)))


class _Tagger:
    """Writes one tagged tree; bounded, for containers may hold each other or one many times."""

    def __init__(self) -> None:
        self._depth = DEPTH
        self._left = CONTAINED

    def node(self, value: Any) -> Any:
        kind = _type(value)
        self._left -= 1
        if self._left < 0:
            raise _CannotSendError(kind)
        if kind in ATOMS:
            return value
        if self._depth == 0:
            raise _CannotSendError(kind)
        write = _WRITERS.get(kind) or _find_writer(kind)
        self._depth -= 1
        node = write(value, self)
        self._depth += 1
        return node

    def nodes(self, values: Iterable[Any]) -> list[Any]:
        return list(map(self.node, values))

    def pairs(self, items: Iterable[tuple[Any, Any]]) -> list[Any]:
        return self.nodes(itertools.chain.from_iterable(items))

    def members(self, values: Iterable[Any]) -> list[Any]:
        """Return the nodes of a set, in an order of their own."""
        return sorted(self.nodes(values), key=lambda node: _dump(node, 2))


Writer = Callable[[Any, _Tagger], Any]


def _write_deque(value: Any, tagger: _Tagger) -> Any:
    return ("deque", value.maxlen, tagger.nodes(value))


_EMPTY: dict[Any, Any] = {}
_WRITERS: dict[type[Any], Writer] = {
    list: lambda value, tagger: ("list", tagger.nodes(value)),
    tuple: lambda value, tagger: ("tuple", tagger.nodes(value)),
    set: lambda value, tagger: ("set", tagger.members(value)),
    frozenset: lambda value, tagger: ("frozenset", tagger.members(value)),
    dict: lambda value, tagger: ("dict", tagger.pairs(value.items())),
    bytearray: lambda value, _: ("bytearray", bytes(value)),
    range: lambda value, _: ("range", value.start, value.stop, value.step),
    type(_EMPTY.keys()): lambda value, tagger: ("keys", tagger.nodes(value)),
    type(_EMPTY.values()): lambda value, tagger: ("values", tagger.nodes(value)),
    type(_EMPTY.items()): lambda value, tagger: ("items", tagger.pairs(value)),
    collections.Counter: lambda value, tagger: ("Counter", tagger.pairs(_dict_items(value))),
    collections.defaultdict: lambda value, tagger: ("defaultdict", tagger.pairs(value.items())),
    collections.OrderedDict: lambda value, tagger: ("OrderedDict", tagger.pairs(value.items())),
    collections.deque: _write_deque,
}


def _find_writer(kind: type[Any]) -> Writer:
    """Return what writes values of a type that is not in the table."""
    for (module, name), write in _LATE_WRITERS.items():
        if module in sys.modules and kind is getattr(sys.modules[module], name, None):
            return write
    if write := _numpy_writer(kind):
        return write
    if base := _plain_base(kind):
        return lambda value, tagger: (
            "subclass",
            _name(kind).decode(),
            tagger.node(AS_BASE[base](value)),
        )
    raise _CannotSendError(kind)


def _write_fraction(value: Any, tagger: _Tagger) -> Any:
    return ("Fraction", tagger.node(value._numerator), tagger.node(value._denominator))


def _write_decimal(value: Any, _: _Tagger) -> Any:
    sign, digits, exponent = value.as_tuple()
    return ("Decimal", sign, bytes(digits), exponent)


def _write_date(value: Any, _: _Tagger) -> Any:
    return ("date", value.year, value.month, value.day)


def _write_time(value: Any, _: _Tagger) -> Any:
    return ("time", *_clock(value), value.fold, _offset(value))


def _write_datetime(value: Any, _: _Tagger) -> Any:
    return ("datetime", value.year, value.month, value.day, *_clock(value), value.fold, _offset(value))


def _write_timedelta(value: Any, _: _Tagger) -> Any:
    return ("timedelta", value.days, value.seconds, value.microseconds)


def _clock(value: Any) -> tuple[int, int, int, int]:
    return value.hour, value.minute, value.second, value.microsecond


def _offset(value: Any) -> Any:
    """Return a fixed offset from UTC as microseconds; None for a naive time."""
    zone = value.tzinfo
    if zone is None:
        return None
    if type(zone) is not sys.modules["datetime"].timezone:
        raise _CannotSendError(_type(zone))
    offset = zone.utcoffset(None)
    return (offset.days * 86400 + offset.seconds) * 1_000_000 + offset.microseconds


_LATE_WRITERS: dict[tuple[str, str], Writer] = {
    ("fractions", "Fraction"): _write_fraction,
    ("decimal", "Decimal"): _write_decimal,
    ("datetime", "datetime"): _write_datetime,
    ("datetime", "date"): _write_date,
    ("datetime", "time"): _write_time,
    ("datetime", "timedelta"): _write_timedelta,
}
"""Types of modules that a program may not have imported."""


def _numpy_writer(kind: type[Any]) -> Writer | None:
    numpy = sys.modules.get("numpy")
    if numpy is None:
        return None
    if kind is numpy.ndarray:
        return _write_array
    if kind is numpy.str_:
        return lambda value, _: ("str_", str.__str__(value))
    if kind is numpy.bytes_:
        return lambda value, _: ("bytes_", bytes.__getitem__(value, slice(None)))
    if issubclass(kind, numpy.generic) and kind in numpy.sctypeDict.values():
        return _write_scalar
    return None


def _write_array(value: Any, tagger: _Tagger) -> Any:
    if value.dtype.kind == "O":
        return ("objects", list(value.shape), tagger.nodes(value.flat))
    _check_dtype(value)
    if value.nbytes > 8 * ITEMS:
        raise _CannotSendError(_type(value))
    little = value.astype(value.dtype.newbyteorder("<"))
    return ("array", little.dtype.str, list(value.shape), little.tobytes())


def _write_scalar(value: Any, _: _Tagger) -> Any:
    _check_dtype(value)
    return ("scalar", value.dtype.str, value.tobytes())


def _check_dtype(value: Any) -> None:
    if value.dtype.kind not in "biufcUS":
        raise _CannotSendError(_type(value))


def _plain_base(kind: type[Any]) -> type[Any] | None:
    """Return the built-in type that a subclass's values compare as; None if it compares in its own way."""
    line: tuple[type, ...] = type.__dict__["__mro__"].__get__(kind)
    base = next((each for each in line if each in AS_BASE), None)
    if base is None:
        return None
    own = line[: line.index(base)]
    names = {"__eq__", "__ne__", "__hash__"}
    if any(names & type.__dict__["__dict__"].__get__(each).keys() for each in own):
        return None
    return base
