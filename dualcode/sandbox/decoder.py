"""Values from the bytes that `encode` made of them, or that a candidate made up: one half of the codec.

A parser of its own, for `marshal.loads` can be made to crash: bounded by the payload's size, it raises
CodecError for all that `encode` does not write. Run it where a process may be lost all the same: sets can be
made to collide.
"""

import struct
from collections.abc import Callable, Mapping
from typing import Any

from dualcode.sandbox.encoder import DEPTH
from dualcode.sandbox.trees import CodecError, Drained, Nodes, Opaque, distinct, pair, untag

__all__ = ["CodecError", "Drained", "Opaque", "decode"]


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
                if self.at != len(self.data):
                    raise CodecError(f"{len(self.data) - self.at} bytes after the value")
                if type(value) is Nodes:
                    raise CodecError("a tree without a tag")
                return value

    def _next(self) -> Any:
        """Read an atom, an empty container or a dict's end; or open a container."""
        code = self.data[self.at]
        self.at += 1
        if code in _SINGLETONS:
            return _SINGLETONS[code]
        if code in _READ_ATOM:
            return _READ_ATOM[code](self)
        if code == _NULL:
            make, members, count = self.open.pop()
            if count != -1:
                raise CodecError("an end where no dict is")
            return make(members)
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


_MAKERS: dict[str, dict[int, Maker]] = {
    "V": {
        ord("["): lambda members: members,
        ord("("): tuple,
        ord("{"): pair,
        ord("<"): lambda members: distinct(set(members), len(members)),
        ord(">"): lambda members: distinct(frozenset(members), len(members)),
    },
    "G": {ord("["): Nodes, ord("("): untag},
}
"""What makes a container of its members, by kind of payload and type code."""
