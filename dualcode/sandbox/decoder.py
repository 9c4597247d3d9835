"""Values from the bytes that `encode` made of them, or that a candidate made up: one half of the codec.

A parser of its own, for `marshal.loads` can be made to crash: bounded by the payload's size, it raises
CodecError for all that `encode` does not write. Run it where a process may be lost all the same: sets can be
made to collide.
"""

import collections
import re
import struct
import sys
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any

from dualcode.sandbox.encoder import AS_BASE, DEPTH, NATIVE


class CodecError(ValueError):
    """Bytes that `encode` does not write."""


class Opaque:
    """What an `O` decodes to: an object of a named type, equal to nothing."""

    def __init__(self, type_name: str) -> None:
        self.type_name = type_name

    def __repr__(self) -> str:
        return f"<{self.type_name} object>"


class Drained(Opaque):
    """What an iterable that was no data decodes to: equal to nothing, and iterable."""

    def __init__(self, type_name: str, items: list[Any]) -> None:
        super().__init__(type_name)
        self.items = items

    def __iter__(self) -> Iterator[Any]:
        return iter(self.items)

    def __repr__(self) -> str:
        return f"<{self.type_name} object: {self.items!r}>"


class _Nodes(list[Any]):
    """A list within a tagged tree: the members of a value, not a value."""


def decode(kind: str, payload: bytes, *, depth: int = 4 * DEPTH) -> Any:
    """Return the value of a frame of kind `V`, `G` or `O`; an `Opaque` for the last.

    `depth` bounds the levels of the payload; a tagged tree has up to three for each of its value. Time and
    memory are bounded by the payload's size, but that sets and dicts may collide. Raises CodecError for all
    that `encode` does not write, but that it does not mind the order of a set.
    """
    try:
        if kind in _MAKERS:
            return _Parser(payload, depth, _MAKERS[kind]).parse()
        if kind == "O":
            return Opaque(payload.decode()[:200])
    except CodecError:
        raise
    except (ValueError, TypeError, LookupError, ArithmeticError, struct.error) as error:
        raise CodecError(f"malformed: {error}") from None
    raise CodecError(f"no kind of value: {kind!r}")


Maker = Callable[[list[Any]], Any]


class _Parser:
    """Reads marshal's version 2, as far as it stands for exact built-ins; without recursion."""

    def __init__(self, data: bytes, depth: int, makers: Mapping[int, Maker]) -> None:
        self.data = data
        self.at = 0
        self.depth = depth
        self.makers = makers
        self.open: list[tuple[Maker, list[Any], int]] = []
        """The containers around the next value: what makes one, its members so far, and their final count."""

    def parse(self) -> Any:
        while True:
            value = self._next()
            if value is _OPENED:
                continue
            while self.open:
                make, members, count = self.open[-1]
                members.append(value)
                if len(members) != count:
                    break
                self.open.pop()
                value = make(members)
            else:
                return self._whole(value)

    def _next(self) -> Any:
        """Read an atom, an empty container or a dict's end; or open a container."""
        code = self.data[self.at]
        self.at += 1
        if code in _SINGLETONS:
            return _SINGLETONS[code]
        if code in _READ_ATOM:
            return _READ_ATOM[code](self)
        return self._end_dict() if code == _NULL else self._begin(code)

    def _begin(self, code: int) -> Any:
        make = self.makers[code]
        count = -1 if code == _DICT else self.int32()
        if not 0 <= count <= len(self.data) - self.at and code != _DICT:
            raise CodecError(f"a count of {count} with {len(self.data) - self.at} bytes left")
        if len(self.open) == self.depth:
            raise CodecError("nested too deep")
        if count == 0:
            return make([])
        self.open.append((make, [], count))
        return _OPENED

    def _end_dict(self) -> Any:
        make, members, count = self.open.pop()
        if count != -1:
            raise CodecError("an end where no dict is")
        return make(members)

    def _whole(self, value: Any) -> Any:
        if self.at != len(self.data):
            raise CodecError(f"{len(self.data) - self.at} bytes after the value")
        if type(value) is _Nodes:
            raise CodecError("a tree without a tag")
        return value

    def take(self, count: int) -> bytes:
        if not 0 <= count <= len(self.data) - self.at:
            raise CodecError(f"a length of {count} with {len(self.data) - self.at} bytes left")
        self.at += count
        return self.data[self.at - count : self.at]

    def int32(self) -> int:
        self.at += 4
        return _INT32.unpack_from(self.data, self.at - 4)[0]

    def long(self) -> int:
        """Read a sign and count, then as many digits of 15 bits."""
        count = self.int32()
        digits = struct.unpack(f"<{abs(count)}H", self.take(2 * abs(count)))
        if not digits or not digits[-1] or max(digits) >> 15:
            raise CodecError("an int that is not normal")
        size = int("".join([format(digit, "015b") for digit in reversed(digits)]), 2)
        return size if count > 0 else -size

    def float(self) -> float:
        self.at += 8
        return _FLOAT64.unpack_from(self.data, self.at - 8)[0]


_OPENED = object()
_INT32 = struct.Struct("<i")
_FLOAT64 = struct.Struct("<d")
_NULL, _DICT = ord("0"), ord("{")
_SINGLETONS: dict[int, Any] = {ord("N"): None, ord("T"): True, ord("F"): False, ord("."): ...}
_READ_ATOM: dict[int, Callable[[_Parser], Any]] = {
    ord("i"): _Parser.int32,
    ord("l"): _Parser.long,
    ord("g"): _Parser.float,
    ord("y"): lambda parser: complex(parser.float(), parser.float()),
    ord("u"): lambda parser: parser.take(parser.int32()).decode("utf-8", "surrogatepass"),
    ord("s"): lambda parser: parser.take(parser.int32()),
}
"""What follows each of marshal's type codes."""


def _pair(members: list[Any]) -> dict[Any, Any]:
    return _distinct(dict(zip(members[::2], members[1::2], strict=True)), len(members) // 2)


def _distinct(found: Any, count: int) -> Any:
    if len(found) != count:
        raise CodecError("equal members in a set or dict")
    return found


def _untag(members: list[Any]) -> Any:
    """Return the value that a tagged tuple stands for."""
    tag, *fields = members
    return _READERS[tag](*fields)


def _values(nodes: Any) -> list[Any]:
    if type(nodes) is not _Nodes:
        raise CodecError(f"a {type(nodes).__name__} where nodes are expected")
    if not {_Nodes, Drained}.isdisjoint(map(type, nodes)):
        raise CodecError("a node without a tag, or a drained iterable, within a value")
    return list(nodes)


_MAKERS: dict[str, dict[int, Maker]] = {
    "V": {
        ord("["): lambda members: members,
        ord("("): tuple,
        ord("{"): _pair,
        ord("<"): lambda members: _distinct(set(members), len(members)),
        ord(">"): lambda members: _distinct(frozenset(members), len(members)),
    },
    "G": {ord("["): _Nodes, ord("("): _untag},
}
"""What makes a container of its members, by kind of payload and type code."""


def _read_set(nodes: Any) -> set[Any]:
    members = _values(nodes)
    return _distinct(set(members), len(members))


def _read_frozenset(nodes: Any) -> frozenset[Any]:
    return frozenset(_read_set(nodes))


def _read_dict(nodes: Any) -> dict[Any, Any]:
    return _pair(_values(nodes))


def _read_tuple(nodes: Any) -> tuple[Any, ...]:
    return tuple(_values(nodes))


def _read_keys(nodes: Any) -> Any:
    members = _values(nodes)
    return _distinct(dict.fromkeys(members), len(members)).keys()


def _read_values(nodes: Any) -> Any:
    return dict(enumerate(_values(nodes))).values()


def _read_items(nodes: Any) -> Any:
    return _read_dict(nodes).items()


def _read_counter(nodes: Any) -> Any:
    return collections.Counter(_read_dict(nodes))


def _read_defaultdict(nodes: Any) -> Any:
    return collections.defaultdict(None, _read_dict(nodes))


def _read_ordered(nodes: Any) -> Any:
    return collections.OrderedDict(_read_dict(nodes))


def _read_user_list(members: Any) -> Any:
    if type(members) not in (list, tuple):
        raise CodecError(f"a UserList of a {type(members).__name__}")
    made = collections.UserList[Any]()
    made.data = members
    return made


def _read_user_dict(nodes: Any) -> Any:
    made = collections.UserDict[Any, Any]()
    made.data = _read_dict(nodes)
    return made


def _read_user_string(content: Any) -> Any:
    _exact(str, content)
    return collections.UserString(content)


def _exact(kind: type, *values: Any) -> None:
    if any(type(value) is not kind for value in values):
        raise CodecError(f"no {kind.__name__}: {values!r:.80}")


def _read_bytearray(content: Any) -> bytearray:
    _exact(bytes, content)
    return bytearray(content)


def _read_range(*bounds: Any) -> range:
    _exact(int, *bounds)
    return range(*bounds)


def _read_deque(maxlen: Any, nodes: Any) -> Any:
    members = _values(nodes)
    if maxlen is not None:
        _exact(int, maxlen)
        if maxlen < len(members):
            raise CodecError(f"a deque of {len(members)} with at most {maxlen}")
    return collections.deque(members, maxlen)


def _read_fraction(numerator: Any, denominator: Any) -> Any:
    from fractions import Fraction

    _exact(int, numerator, denominator)
    return Fraction(numerator, denominator)


EXPONENT = 10_000
"""The most that a Decimal's exponent may be: some arithmetic writes the zeros out."""


def _read_decimal(sign: Any, digits: Any, exponent: Any) -> Any:
    from decimal import Decimal

    _exact(int, sign)
    _exact(bytes, digits)
    if exponent not in ("F", "n", "N"):
        _exact(int, exponent)
        if abs(exponent) > EXPONENT:
            raise CodecError(f"a Decimal with an exponent of {exponent}")
    number: Any = (sign, tuple(digits), exponent)
    return Decimal(number)


def _read_date(*fields: Any) -> Any:
    from datetime import date

    _exact(int, *fields)
    return date(*fields)


def _read_time(*fields: Any) -> Any:
    from datetime import time

    *clock, fold, offset = fields
    _exact(int, *clock, fold)
    return time(*clock, tzinfo=_zone(offset), fold=fold)


def _read_datetime(*fields: Any) -> Any:
    from datetime import datetime

    *clock, fold, offset = fields
    _exact(int, *clock, fold)
    return datetime(*clock, tzinfo=_zone(offset), fold=fold)


def _zone(offset: Any) -> Any:
    from datetime import timedelta, timezone

    if offset is None:
        return None
    _exact(int, offset)
    return timezone(timedelta(microseconds=offset))


def _read_timedelta(days: Any, seconds: Any, microseconds: Any) -> Any:
    from datetime import timedelta

    _exact(int, days, seconds, microseconds)
    return timedelta(days, seconds, microseconds)


def _read_numbers(typecode: Any, content: Any) -> Any:
    import array

    make: Any = array.array
    return make(_native(typecode), _content(content))


def _read_memory(typecode: Any, content: Any) -> Any:
    view: Any = memoryview(_content(content))
    return view.cast(_native(typecode))


def _native(typecode: Any) -> Any:
    _exact(str, typecode)
    if typecode not in NATIVE:
        raise CodecError(f"no format of numbers: {typecode!r:.80}")
    return typecode


def _content(content: Any) -> bytes:
    _exact(bytes, content)
    return content


def _read_masked(data: Any, mask: Any) -> Any:
    import numpy

    _exact(numpy.ndarray, data, mask)
    if (mask.dtype.str, mask.shape) != ("|b1", data.shape):
        raise CodecError(f"a mask of {mask.dtype} {mask.shape}")
    return numpy.ma.MaskedArray(data, mask)


def _read_array(dtype: Any, shape: Any, content: Any) -> Any:
    import numpy

    kind = _dtype(dtype)
    lengths = _values(shape)
    _exact(int, *lengths)
    _exact(bytes, content)
    size = kind.itemsize
    for length in lengths:
        size *= length
    if size != len(content) or any(length < 0 for length in lengths):
        raise CodecError(f"{len(content)} bytes for an array of {lengths!r:.80}")
    return _checked(numpy.ndarray(lengths, kind, content).copy())


def _read_objects(shape: Any, nodes: Any) -> Any:
    import numpy

    lengths, members = _values(shape), _values(nodes)
    _exact(int, *lengths)
    if -1 in lengths:
        raise CodecError(f"an array of {lengths!r:.80}")
    array = numpy.empty(len(members), "O")
    for at, member in enumerate(members):
        array[at] = member
    return array.reshape(lengths)


def _read_scalar(dtype: Any, content: Any) -> Any:
    import numpy

    kind = _dtype(dtype)
    _exact(bytes, content)
    if kind.kind in "US" or kind.itemsize != len(content):
        raise CodecError(f"{len(content)} bytes for a {dtype}")
    return _checked(numpy.frombuffer(content, kind))[0]


_DTYPE = re.compile(r"[<|]([biufcUS][0-9]+|[mM]8(\[[0-9]{0,9}[A-Za-z]{1,2}\])?)", re.ASCII)


def _dtype(text: Any) -> Any:
    import numpy

    _exact(str, text)
    if not _DTYPE.fullmatch(text):
        raise CodecError(f"no type of array: {text!r:.80}")
    return numpy.dtype(text)


def _checked(array: Any) -> Any:
    """Refuse bytes that no bool and no character has."""
    if array.dtype.kind == "b" and array.view("u1").max(initial=0) > 1:
        raise CodecError("a bool that is neither")
    if array.dtype.kind == "U" and array.nbytes and array.reshape(-1).view("<u4").max() > sys.maxunicode:
        raise CodecError("a character that is none")
    return array


def _read_str_(content: Any) -> Any:
    import numpy

    _exact(str, content)
    return numpy.str_(content)


def _read_bytes_(content: Any) -> Any:
    import numpy

    _exact(bytes, content)
    return numpy.bytes_(content)


_SUBCLASSED: frozenset[type[Any]] = frozenset(
    {
        *AS_BASE,
        bytearray,
        collections.Counter,
        collections.OrderedDict,
        collections.UserDict,
        collections.UserList,
        collections.UserString,
    }
)
"""Types whose values are made of one that is equal to them."""


def _read_subclass(name: Any, node: Any) -> Any:
    """Return a value of a subclass of its own, so that its type equals no other's."""
    _exact(str, name)
    base: type[Any] = node.__class__
    if base in _SUBCLASSED or base in map(_late_type, ("decimal", "fractions"), ("Decimal", "Fraction")):
        return _subclass(name, base)(node)
    if base is collections.deque:
        return _subclass(name, base)(node, node.maxlen)
    if base is collections.defaultdict:
        return _subclass(name, base)(None, node)
    if base is _late_type("numpy", "ndarray"):
        return node.view(_subclass(name, base))
    if base.__module__ == "numpy":  # a number, or a text
        return _subclass(name, base)(node)
    raise CodecError(f"a subclass of {base.__name__}")


def _subclass(name: str, base: type[Any]) -> Any:
    return type(name if name.isidentifier() else "subclass", (base,), {})


def _late_type(module: str, name: str) -> Any:
    return getattr(sys.modules.get(module), name, None)


def _read_drained(name: Any, nodes: Any) -> Drained:
    _exact(str, name)
    return Drained(name, _values(nodes))


_READERS: dict[Any, Callable[..., Any]] = {
    "list": _values,
    "tuple": _read_tuple,
    "set": _read_set,
    "frozenset": _read_frozenset,
    "dict": _read_dict,
    "bytearray": _read_bytearray,
    "range": _read_range,
    "keys": _read_keys,
    "values": _read_values,
    "items": _read_items,
    "Counter": _read_counter,
    "defaultdict": _read_defaultdict,
    "OrderedDict": _read_ordered,
    "deque": _read_deque,
    "Fraction": _read_fraction,
    "Decimal": _read_decimal,
    "date": _read_date,
    "time": _read_time,
    "datetime": _read_datetime,
    "timedelta": _read_timedelta,
    "mappingproxy": MappingProxyType,
    "UserList": _read_user_list,
    "UserDict": _read_user_dict,
    "UserString": _read_user_string,
    "numbers": _read_numbers,
    "memoryview": _read_memory,
    "masked": _read_masked,
    "array": _read_array,
    "objects": _read_objects,
    "scalar": _read_scalar,
    "str_": _read_str_,
    "bytes_": _read_bytes_,
    "subclass": _read_subclass,
    "drained": _read_drained,
}
