"""Values as bytes, across the jail's wall: `encode` inside, beside the candidate; `decode` on this side.

    kind  payload                                      value
    `V`   marshal, version 2                           exact built-ins (`ATOMS`, and the containers of these)
    `G`   marshal, version 2, of a tagged tree         a value with other known types in it
    `O`   UTF-8: a type's name                         anything else, or nested too deep, or too large

The same value gives the same bytes in every process of one Python; dicts keep their order.

A tagged tree's atoms stand for themselves; every other node is a tuple `(tag, …)`. Known types are numpy's
numbers, strings and arrays; Counter, defaultdict, OrderedDict, deque, UserList, UserDict and UserString;
Fraction, Decimal, range, array, memoryview, bytearray, the views of dicts, MappingProxyType, dates and times;
and subclasses of the built-ins, of numpy's and of most of these that compare as their base does. A mapping
that compares by `collections.abc.Mapping`, as ChainMap and many a program's own, comes as a subclass of
UserDict; a set that compares by `collections.abc.Set` comes as the keys of a dict.
"""

from dualcode.sandbox.decoder import CodecError, Drained, Opaque, decode
from dualcode.sandbox.encoder import encode

__all__ = ["CodecError", "Drained", "Opaque", "decode", "encode"]
