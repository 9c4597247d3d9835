"""The values that a tagged tree's nodes stand for; each is of a trusted class, whatever bytes asked for it.

A CodecError, or an error that `decode` takes for one, is raised for all that `encode` does not write.
"""

import collections
import re
import sys
from collections.abc import Callable, Iterator
from types import MappingProxyType
from typing import Any

from dualcode.sandbox.encoder import AS_BASE, NATIVE


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


class Nodes(list[Any]):
    """A list within a tagged tree: the members of a value, not a value."""


def pair(members: list[Any]) -> dict[Any, Any]:
    """Return the dict of keys and values in turn."""
    return distinct(dict(zip(members[::2], members[1::2], strict=True)), len(members) // 2)


def distinct(found: Any, count: int) -> Any:
    """Return a set or dict; a CodecError if it has fewer members than were given."""
    if len(found) != count:
        raise CodecError("equal members in a set or dict")
    return found


def untag(members: list[Any]) -> Any:
    """Return the value that a tagged tuple stands for."""
    tag, *fields = members
    return _READERS[tag](*fields)


def _values(nodes: Any) -> list[Any]:
    if type(nodes) is not Nodes:
        raise CodecError(f"a {type(nodes).__name__} where nodes are expected")
    if not {Nodes, Drained}.isdisjoint(map(type, nodes)):
        raise CodecError("a node without a tag, or a drained iterable, within a value")
    return list(nodes)


def _read_set(nodes: Any) -> set[Any]:
    members = _values(nodes)
    return distinct(set(members), len(members))


def _read_dict(nodes: Any) -> dict[Any, Any]:
    return pair(_values(nodes))


def _read_keys(nodes: Any) -> Any:
    members = _values(nodes)
    return distinct(dict.fromkeys(members), len(members)).keys()


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
    if mask.any():
        raise CodecError("a masked element, which is no value")
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


_OF_ONE_FIELD: dict[str, Callable[[Any], Any]] = {
    "tuple": lambda nodes: tuple(_values(nodes)),
    "frozenset": lambda nodes: frozenset(_read_set(nodes)),
    "bytearray": lambda content: bytearray(_content(content)),
    "values": lambda nodes: dict(enumerate(_values(nodes))).values(),
    "items": lambda nodes: _read_dict(nodes).items(),
    "Counter": lambda nodes: collections.Counter(_read_dict(nodes)),
    "defaultdict": lambda nodes: collections.defaultdict(None, _read_dict(nodes)),
    "OrderedDict": lambda nodes: collections.OrderedDict(_read_dict(nodes)),
}
_READERS: dict[Any, Callable[..., Any]] = {
    **_OF_ONE_FIELD,
    "list": _values,
    "set": _read_set,
    "dict": _read_dict,
    "range": _read_range,
    "keys": _read_keys,
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
