"""Values as bytes, written beside the candidate: one half of the codec.

This runs where a candidate may have patched everything. It reads values through the methods of their built-in
base, so an object can lie about itself and about nothing else; whatever goes wrong makes an `O`. What has
methods of its own for equality is an `O`, too: it could say that it equals anything. Mappings and sets that
compare by the abstract classes of `collections.abc` are the exception: they are their members, so they are
asked for these.

The file stands alone: it imports nothing of dualcode, and numpy only where it is loaded already. What it uses
is bound here, before a program runs: one may have a `len`, an `islice` or a `Counter` of its own.
"""

import builtins
import collections
import gc
import marshal
import operator
import struct
import sys
from collections import abc
from collections.abc import Callable, Iterable, Iterator
from itertools import chain, compress, islice
from types import MappingProxyType, NoneType
from typing import Any

__builtins__ = dict(vars(builtins))  # for the functions of this file: a candidate may change the others

DEPTH = 200
"""Levels of containers in a value; one nested deeper is an `O`."""

ITEMS = 1 << 28
"""Members of containers in a value; one with more is an `O`. A task of MBPP+ returns 128 million."""

CONTAINED = 1 << 22
"""Containers in a value, or nodes of a tagged tree; a value with more is an `O`."""

PIECE = 1 << 12
"""Members of a list that are written at once."""

TEXT_PIECE = 1 << 16
"""Characters of a text that are written at once."""

LONGEST_TEXT = (1 << 31) - 1
"""Bytes: marshal writes no longer text."""

UNREAD = 1 << 28
"""Bytes of a payload above which a digest is all that is ever compared (`rules.LONGEST_COMPARED`)."""

_TEXT_HEAD = 5
"""Bytes that marshal writes before a text's own, and before a list's or tuple's members."""
_WITHIN, _BETWEEN = "\x1f", "\x1e"

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
_ordered_items: Reader = vars(collections.OrderedDict)["items"]
_deque_items: Reader = vars(collections.deque)["__iter__"]
_deque_maxlen: Reader = vars(collections.deque)["maxlen"].__get__
_mapping_items: Reader = vars(abc.Mapping)["items"]
_attribute: Callable[[Any, str], Any] = vars(object)["__getattribute__"]
_referents = gc.get_referents
_modules = sys.modules
_count_of = operator.countOf

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
_are_atoms = ATOMS.issuperset
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
        if _is_flat(value) or _is_plain(value):
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

    The digest of a long list or text is taken piece by piece: a task of MBPP+ returns 1.2 GB.
    """
    kind_of = _type(value)  # not `in`, which would ask a metaclass
    if most is not None:
        long = None
        if (kind_of is list or kind_of is tuple) and len(value) > PIECE:
            long = _digest_texts(value) or _digest_pieces(value, most)
        elif kind_of is str and len(value) > most:
            long = _digest_text(value)
        if long is not None:
            return long
    kind, payload = encode(value, drain)
    if most is None or len(payload) <= most or kind == b"O":
        return kind, payload
    return b"D", _sha256(payload).digest() + _HEAD.pack(kind, len(payload))


def _sha256(start: bytes) -> Any:
    import hashlib  # maps a large library, which few programs need

    return hashlib.sha256(start)


def _digest_text(value: str) -> tuple[bytes, bytes] | None:
    """Return the `D` of a long text of ASCII, none of whose copies is as long; None of any other."""
    length = len(value)
    if not str.isascii(value) or length > LONGEST_TEXT:
        return None
    sum_ = _sha256(b"u" + _COUNT.pack(length))
    for at in range(0, length, TEXT_PIECE):
        sum_.update(str.encode(value[at : at + TEXT_PIECE]))
    return b"D", sum_.digest() + _HEAD.pack(b"V", _TEXT_HEAD + length)


def _digest_texts(value: list[Any] | tuple[Any, ...]) -> tuple[bytes, bytes] | None:
    """Return the `D` of a very long list or tuple of lists, or of tuples, of texts; None of any other.

    Joined, they take half the time of a payload, of which there are gigabytes. Two values are joined alike
    only if they are equal, and of the same types throughout, for no text holds what stands between them. (A
    subclass whose metaclass says that it equals `str` counts as the text that it holds.)
    """
    kind = _type(value[0])
    if (kind is not list and kind is not tuple) or _count_of(map(_type, value), kind) != len(value):
        return None
    if _TEXT_HEAD * sum(map(len, value)) <= UNREAD:
        return None
    codes = (b"[" if each is list else b"(" for each in (_type(value), kind))
    sum_, size = _sha256(b"".join(codes)), _TEXT_HEAD
    members = iter(value)
    for _ in range(0, len(value), PIECE):
        piece = list(islice(members, PIECE))
        count = sum(map(len, piece))
        if not all(piece) or _count_of(map(_type, chain.from_iterable(piece)), str) != count:
            return None
        text = _BETWEEN.join(map(_WITHIN.join, piece))
        if text.count(_WITHIN) != count - len(piece) or text.count(_BETWEEN) != len(piece) - 1:
            return None
        written = str.encode(text, "utf-8", "surrogatepass")
        sum_.update(written)
        sum_.update(_BETWEEN.encode())
        size += _TEXT_HEAD * (count + len(piece)) + len(written) - (count - 1)
    return b"D", sum_.digest() + _HEAD.pack(b"J", size)


def _digest_pieces(value: list[Any] | tuple[Any, ...], most: int) -> tuple[bytes, bytes] | None:
    """Return the `D` of a long list or tuple of plain data; None if it is not plain, or not long."""
    code = b"[" if type(value) is list else b"("
    length = len(value)
    sum_, size = _sha256(code + _COUNT.pack(length)), len(code) + _COUNT.size
    flat: bool | None = None
    for at in range(0, length, PIECE):
        piece = value[at : at + PIECE]
        try:
            if flat is None:
                flat = _is_flat(value)
            if not flat and not _is_plain(piece):
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
    drawn: list[Any] = list(islice(items, CONTAINED + 1))
    try:
        return b"G", _dump(("drained", _name(_type(value)).decode(), _Tagger().nodes(drawn)), 2)
    except Exception:
        return b"O", _name(_type(value))


def _name(kind: type[Any]) -> bytes:
    """Return a type's name, whatever its metaclass says; at most 200 characters."""
    name = type.__dict__["__name__"].__get__(kind)
    return str.encode(str.__getitem__(name, slice(200)), "utf-8", "replace")


def _is_flat(value: Any) -> bool:
    """Whether a value is an atom, or a list, tuple or dict of atoms: most are, and this is soon seen."""
    kind = _type(value)
    if kind is list or kind is tuple:
        return _are_atoms(map(_type, value))
    if kind is dict:
        return _are_atoms(map(_type, value)) and _are_atoms(map(_type, _dict_values(value)))
    return kind in ATOMS


def _is_plain(value: Any) -> bool:
    """Whether a container is of exact built-ins throughout; a few passes in C for each level."""
    level, kinds = [value], {_type(value)}
    for _ in range(DEPTH):
        if not kinds <= PLAIN:
            return False
        if not kinds <= CONTAINERS:
            level = list(compress(level, map(CONTAINERS.__contains__, map(_type, level))))
        if sum(map(len, level)) > ITEMS:
            break
        with_dicts = dict in kinds
        kinds = set(map(_type, _members(level, with_dicts)))
        if kinds <= ATOMS:
            return True
        level = list(islice(_members(level, with_dicts), CONTAINED + 1))
        if len(level) > CONTAINED:
            break
    raise _CannotSendError(_type(value))


def _members(level: list[Any], with_dicts: bool) -> Iterator[Any]:
    members = chain.from_iterable(level)
    if not with_dicts:
        return members
    dicts = [each for each in level if _type(each) is dict]
    return chain(members, chain.from_iterable(map(_dict_values, dicts)))


class _Tagger:
    """Writes one tagged tree; bounded, for containers may hold each other or one many times."""

    def __init__(self) -> None:
        self._depth = DEPTH
        self._left = CONTAINED
        self._found: dict[type[Any], Writer] = {}

    def node(self, value: Any) -> Any:
        kind = _type(value)
        self._left -= 1
        if self._left < 0:
            raise _CannotSendError(kind)
        if kind in ATOMS:
            return value
        if self._depth == 0:
            raise _CannotSendError(kind)
        write = _WRITERS.get(kind) or self._found.get(kind)
        if write is None:
            write = self._found[kind] = _find_writer(kind)
        self._depth -= 1
        node = write(value, self)
        self._depth += 1
        return node

    def nodes(self, values: Iterable[Any]) -> list[Any]:
        return list(map(self.node, values))

    def pairs(self, items: Iterable[tuple[Any, Any]]) -> list[Any]:
        return self.nodes(chain.from_iterable(items))

    def members(self, values: Iterable[Any]) -> list[Any]:
        """Return the nodes of a set, in an order of their own."""
        return sorted(self.nodes(values), key=lambda node: _dump(node, 2))


Writer = Callable[[Any, _Tagger], Any]


def _write_deque(value: Any, tagger: _Tagger) -> Any:
    return ("deque", _deque_maxlen(value), tagger.nodes(_deque_items(value)))


def _write_wrapped(tag: str, *kinds: type[Any]) -> Writer:
    """Return what writes a class that wraps a value of one of some types, its `data`."""

    def write(value: Any, tagger: _Tagger) -> Any:
        data = _attribute(value, "__dict__")["data"]
        if _type(data) not in kinds:
            raise _CannotSendError(_type(value))
        return (tag, tagger.node(data))

    return write


def _write_memory(value: Any, _: _Tagger) -> Any:
    if value.ndim != 1 or value.format not in NATIVE or value.nbytes > ITEMS:
        raise _CannotSendError(_type(value))
    return ("memoryview", value.format, value.tobytes())


NATIVE = frozenset("bBhHiIlLqQfd")
"""The formats of numbers that `array` and `memoryview` share."""

_EMPTY: dict[Any, Any] = {}
_KEYS, _VALUES, _ITEMS = type(_EMPTY.keys()), type(_EMPTY.values()), type(_EMPTY.items())
_WRITERS: dict[type[Any], Writer] = {
    list: lambda value, tagger: ("list", tagger.nodes(value)),
    tuple: lambda value, tagger: ("tuple", tagger.nodes(value)),
    set: lambda value, tagger: ("set", tagger.members(value)),
    frozenset: lambda value, tagger: ("frozenset", tagger.members(value)),
    dict: lambda value, tagger: ("dict", tagger.pairs(value.items())),
    bytearray: lambda value, _: ("bytearray", bytes(value)),
    range: lambda value, _: ("range", value.start, value.stop, value.step),
    memoryview: _write_memory,
    _KEYS: lambda value, tagger: ("keys", tagger.nodes(value)),
    _VALUES: lambda value, tagger: ("values", tagger.nodes(value)),
    _ITEMS: lambda value, tagger: ("items", tagger.pairs(value)),
    MappingProxyType: lambda value, tagger: ("mappingproxy", tagger.node(_referents(value)[0])),
    collections.Counter: lambda value, tagger: ("Counter", tagger.pairs(_dict_items(value))),
    collections.defaultdict: lambda value, tagger: ("defaultdict", tagger.pairs(_dict_items(value))),
    collections.OrderedDict: lambda value, tagger: ("OrderedDict", tagger.pairs(_ordered_items(value))),
    collections.deque: _write_deque,
    collections.UserList: _write_wrapped("UserList", list, tuple),
    collections.UserString: _write_wrapped("UserString", str),
    collections.UserDict: lambda value, tagger: ("UserDict", tagger.pairs(_mapping_items(value))),
    abc.Mapping: lambda value, tagger: ("UserDict", tagger.pairs(_mapping_items(value))),
    abc.ItemsView: lambda value, tagger: ("items", tagger.pairs(value)),
    abc.Set: lambda value, tagger: ("keys", tagger.nodes(value)),
}

_AS_THEMSELVES = frozenset({_KEYS, _VALUES, _ITEMS, abc.ItemsView, abc.Set})
"""Bases of which a value of a subclass is written as one of the base: what is equal to it does not depend on
its type."""


def _find_writer(kind: type[Any]) -> Writer:
    """Return what writes values of a type that is not in the table."""
    if write := _late_writer(kind) or _numpy_writer(kind):
        return write
    line: tuple[type, ...] = type.__dict__["__mro__"].__get__(kind)
    for at, base in enumerate(line):
        if (as_base := _base_writer(base)) is None:
            continue
        if any(_EQUALITY & type.__dict__["__dict__"].__get__(each).keys() for each in line[:at]):
            break
        return as_base if base in _AS_THEMSELVES else _write_subclass(_name(kind).decode(), as_base)
    raise _CannotSendError(kind)


def _write_subclass(name: str, as_base: Writer) -> Writer:
    return lambda value, tagger: ("subclass", name, as_base(value, tagger))


_EQUALITY = frozenset({"__eq__", "__ne__", "__hash__"})


def _base_writer(base: type[Any]) -> Writer | None:
    """Return what writes a value of a subclass as one of its base, past what the subclass overrides."""
    if read := AS_BASE.get(base):
        return lambda value, tagger: tagger.node(read(value))
    if write := _numpy_writer(base):
        numpy = _modules["numpy"]
        if base is numpy.ndarray:
            return lambda value, tagger: write(base.view(value, base), tagger)
        return lambda value, tagger: write(base(value), tagger)
    late = _late_writer(base)
    return late if late in (_write_fraction, _write_decimal) else _WRITERS.get(base)


def _late_writer(kind: type[Any]) -> Writer | None:
    for (module, name), write in _LATE_WRITERS.items():
        if module in _modules and kind is getattr(_modules[module], name, None):
            return write
    return None


def _write_fraction(value: Any, tagger: _Tagger) -> Any:
    return ("Fraction", tagger.node(value._numerator), tagger.node(value._denominator))


def _write_decimal(value: Any, _: _Tagger) -> Any:
    sign, digits, exponent = value.as_tuple()
    return ("Decimal", sign, bytes(digits), exponent)


def _write_numbers(value: Any, _: _Tagger) -> Any:
    if value.typecode not in NATIVE:
        raise _CannotSendError(_type(value))
    return ("numbers", value.typecode, value.tobytes())


def _write_masked(value: Any, tagger: _Tagger) -> Any:
    return ("masked", tagger.node(value.data), tagger.node(_modules["numpy.ma"].getmaskarray(value)))


def _write_datetime(value: Any, _: _Tagger) -> Any:
    return ("datetime", value.year, value.month, value.day, *_clock(value), value.fold, _offset(value))


def _clock(value: Any) -> tuple[int, int, int, int]:
    return value.hour, value.minute, value.second, value.microsecond


def _offset(value: Any) -> Any:
    """Return a fixed offset from UTC as microseconds; None for a naive time."""
    zone = value.tzinfo
    if zone is None:
        return None
    if type(zone) is not _modules["datetime"].timezone:
        raise _CannotSendError(_type(zone))
    offset = zone.utcoffset(None)
    return (offset.days * 86400 + offset.seconds) * 1_000_000 + offset.microseconds


_LATE_WRITERS: dict[tuple[str, str], Writer] = {
    ("fractions", "Fraction"): _write_fraction,
    ("decimal", "Decimal"): _write_decimal,
    ("datetime", "datetime"): _write_datetime,
    ("datetime", "date"): lambda value, _: ("date", value.year, value.month, value.day),
    ("datetime", "time"): lambda value, _: ("time", *_clock(value), value.fold, _offset(value)),
    ("datetime", "timedelta"): lambda value, _: ("timedelta", value.days, value.seconds, value.microseconds),
    ("array", "array"): _write_numbers,
    ("numpy.ma", "MaskedArray"): _write_masked,
}
"""Types of modules that a program may not have imported."""


def _numpy_writer(kind: type[Any]) -> Writer | None:
    numpy = _modules.get("numpy")
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
    if value.dtype.kind not in "biufcmMUS":
        raise _CannotSendError(_type(value))
