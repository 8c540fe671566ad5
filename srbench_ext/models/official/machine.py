"""A reader of pickles that runs nothing: a stack machine over the opcodes that torch.save writes.

Python's own unpickler calls whatever the file names. This one knows 34 opcodes of protocol 2, keeps
every name as a :class:`Name` and every call as a :class:`Record`, and really builds only numbers,
text, tuples, lists, mappings, sets and references to tensors. Names outside of a list are refused, so
that a file which tries something is told from one which does not; they would do nothing either way.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

from srbench_ext.models.official.errors import ForbiddenNameError, PickleError
from srbench_ext.models.official.names import NameList
from srbench_ext.models.official.records import Name, Record, StorageRef, TensorRef

__all__ = ["MAX_PICKLE_BYTES", "PickleMachine"]

MAX_PICKLE_BYTES = 16 * 2**20
"""Longest pickle that is read; one byte can cost 64 bytes of memory, so that this bounds it to 1 GiB."""

_MAX_DIMENSIONS = 8
_PYTHON_2 = {"__builtin__": "builtins", "copy_reg": "copyreg"}  # protocol 2 writes the old names


class PickleMachine:
    """Reads one pickle after the other from a buffer.

    Parameters
    ----------
    data : memoryview
        The bytes.
    allowed : NameList
        Names that may occur.
    persistent : callable
        Turns the tuple of a persistent id into what stands for it; raises if it is none.
    """

    def __init__(
        self, data: memoryview, allowed: NameList, persistent: Callable[[tuple[object, ...]], object]
    ) -> None:
        self._data, self._allowed, self._persistent = data, allowed, persistent
        self._position = self._end = 0
        self._stack: list[Any] = []
        self._marks: list[list[Any]] = []
        self._memo: dict[int, Any] = {}

    def run(self, start: int = 0) -> tuple[object, int]:
        """Return the object of the pickle that begins at ``start``, and the position after it.

        Raises
        ------
        PickleError
            If the bytes are not such a pickle.
        ForbiddenNameError
            If it names what is not allowed.
        """
        self._position, self._end = start, min(len(self._data), start + MAX_PICKLE_BYTES)
        self._stack, self._marks, self._memo = [], [], {}
        if self._byte() != 0x80 or self._byte() != 2:
            raise self._error("The beginning", "other bytes", "a pickle of protocol 2, torch.save's default")
        while True:
            opcode = self._byte()
            if opcode == 0x2E:  # STOP
                if len(self._stack) != 1 or self._marks:
                    raise self._error("The end", f"{len(self._stack)} objects", "one object")
                return self._stack.pop(), self._position
            handler = _OPCODES.get(opcode)
            if handler is None:
                raise self._error("An opcode", f"byte {opcode:#04x}", "the opcodes torch.save writes")
            handler(self)

    def _error(self, what: str, got: object, allowed: str) -> PickleError:
        return PickleError(f"{what} at byte {self._position} of the pickle", got=got, allowed=allowed)

    def _take(self, n: int) -> bytes:
        end = self._position + n
        if end > self._end:
            raise self._too_short(n)
        taken = self._data[self._position : end].tobytes()
        self._position = end
        return taken

    def _byte(self) -> int:
        if self._position >= self._end:
            raise self._too_short(1)
        byte = self._data[self._position]
        self._position += 1
        return byte

    def _too_short(self, n: int) -> PickleError:
        if self._end < len(self._data):
            return self._error("The length", f"over {MAX_PICKLE_BYTES} bytes", f"{MAX_PICKLE_BYTES} bytes")
        return self._error("The data", f"{self._end - self._position} bytes more", f"{n} bytes")

    def _number(self, code: str) -> Any:
        return struct.unpack(code, self._take(struct.calcsize(code)))[0]

    def _line(self) -> str:
        taken = bytearray()
        while (byte := self._byte()) != 0x0A:
            taken.append(byte)
            if len(taken) > 200:
                raise self._error("A name", "over 200 bytes", "shorter names")
        return self._text(bytes(taken))

    def _text(self, taken: bytes) -> str:
        try:
            return taken.decode("utf8", "surrogatepass")
        except UnicodeDecodeError:
            raise self._error("A text", taken[:40], "UTF-8") from None

    def _push(self, value: Any) -> None:
        self._stack.append(value)

    def _pop(self) -> Any:
        if not self._stack:
            raise self._error("The stack", "nothing", "an object to take")
        return self._stack.pop()

    def _top(self) -> Any:
        if not self._stack:
            raise self._error("The stack", "nothing", "an object to change")
        return self._stack[-1]

    def _since_mark(self) -> list[Any]:
        if not self._marks:
            raise self._error("The stack", "no mark", "a mark")
        taken, self._stack = self._stack, self._marks.pop()
        return taken

    def _mark(self) -> None:
        self._marks.append(self._stack)
        self._stack = []

    def _discard(self) -> None:
        if self._stack:
            self._stack.pop()
        else:
            self._since_mark()

    def _tuple(self, n: int) -> None:
        taken = [self._pop() for _ in range(n)]
        self._push(tuple(reversed(taken)))

    def _get(self, index: int) -> None:
        if index not in self._memo:
            raise self._error("A reference", index, "an object that was remembered before")
        self._push(self._memo[index])

    def _put(self, index: int) -> None:
        self._memo[index] = self._top()

    def _name(self) -> None:
        module, name = self._line(), self._line()
        named = Name(_PYTHON_2.get(module, module), name)
        if named not in self._allowed or not name.isidentifier():
            raise ForbiddenNameError(
                f"A name at byte {self._position} of the pickle",
                got=str(named),
                allowed="what a network and its settings need",
                fix="Nothing was executed. Do not load this file with torch.load; get it from its authors.",
            )
        self._push(named)

    def _key(self, key: Any) -> Any:
        """Return a key that can be hashed without walking through a structure of the file's making."""
        flat = key if isinstance(key, tuple) else (key,)
        if not all(part is None or isinstance(part, (str, int, float, Name, Record)) for part in flat):
            raise self._error("A key", key, "text, a number, a name or a flat tuple of them")
        return key

    def _append(self, values: list[Any]) -> None:
        target = self._top()
        if isinstance(target, Record):
            target = target.appended
        if not isinstance(target, list):
            raise self._error("What is appended to", target, "a list")
        target.extend(values)

    def _set_items(self, values: list[Any]) -> None:
        target = self._top()
        if len(values) % 2:
            raise self._error("Items", f"{len(values)} objects", "pairs")
        pairs = list(zip(values[::2], values[1::2], strict=True))
        if isinstance(target, Record):
            target.items.extend(pairs)
        elif isinstance(target, dict):
            target.update((self._key(key), value) for key, value in pairs)
        else:
            raise self._error("What is given items", target, "a mapping")

    def _build(self) -> None:
        state, target = self._pop(), self._top()
        if isinstance(target, Record):
            if target.state is not None:
                raise self._error("A state", "a second one", "one for an object")
            target.state = state
        elif not isinstance(target, dict):  # the attributes of an OrderedDict, its version, are not needed
            raise self._error("What is given a state", target, "an object or an OrderedDict")

    def _reduce(self) -> None:
        arguments, called = self._pop(), self._pop()
        called = _constructed(called) or called
        if not isinstance(called, Name) or not isinstance(arguments, tuple):
            raise self._error("A call", called, "the call of a name with a tuple")
        builder = _BUILDERS.get(str(called))
        self._push(Record(called, arguments) if builder is None else builder(self, arguments))

    def _new_object(self) -> None:
        arguments, named = self._pop(), self._pop()
        if not isinstance(named, Name) or not isinstance(arguments, tuple):
            raise self._error("A new object", named, "one of a named class")
        self._push(Record(named, arguments))

    def _persistent_id(self) -> None:
        identity = self._pop()
        if not isinstance(identity, tuple):
            raise self._error("A persistent id", identity, "a tuple")
        self._push(self._persistent(identity))

    def _ordered(self, arguments: tuple[Any, ...]) -> dict[Any, Any]:
        pairs = arguments[0] if arguments else []
        if len(arguments) > 1 or not isinstance(pairs, list) or not all(_is_pair(pair) for pair in pairs):
            raise self._error("An OrderedDict", arguments, "a list of pairs")
        return {self._key(pair[0]): pair[1] for pair in pairs}

    def _default(self, arguments: tuple[Any, ...]) -> dict[Any, Any]:
        if len(arguments) > 1:
            raise self._error("A defaultdict", arguments, "nothing but its factory")
        return {}

    def _set(self, arguments: tuple[Any, ...]) -> set[Any]:
        if len(arguments) != 1 or not isinstance(arguments[0], list):
            raise self._error("A set", arguments, "a list of its elements")
        return {self._key(element) for element in arguments[0]}

    def _tensor(self, arguments: tuple[Any, ...]) -> TensorRef:
        storage, offset, shape, stride = arguments[:4] if len(arguments) >= 4 else (None, 0, (), ())
        if not isinstance(storage, StorageRef):
            raise self._error("A tensor's storage", storage, "a storage of this file")
        for sizes in ((offset,), shape, stride):
            if not isinstance(sizes, tuple) or not all(type(n) is int and n >= 0 for n in sizes):
                raise self._error("A tensor's offset, shape or strides", sizes, "integers from 0 on")
        if len(shape) != len(stride) or len(shape) > _MAX_DIMENSIONS:
            raise self._error(
                "A tensor's dimensions", len(shape), f"up to {_MAX_DIMENSIONS}, each with a stride"
            )
        return TensorRef(storage, offset, shape, stride)

    def _parameter(self, arguments: tuple[Any, ...]) -> TensorRef:
        if not arguments or not isinstance(arguments[0], TensorRef):
            raise self._error("A parameter", arguments, "a tensor")
        return arguments[0]


def _constructed(called: object) -> Name | None:
    """Return the class if what is called is ``partial(cls.__new__)``: protocol 2 writes keywords so."""
    if isinstance(called, Record) and str(called.made_by) == "functools.partial":
        inner = called.arguments[0] if len(called.arguments) == 1 else None
        if (
            isinstance(inner, Record)
            and str(inner.made_by) == "builtins.getattr"
            and len(inner.arguments) == 2
        ):
            named, attribute = inner.arguments
            if isinstance(named, Name) and isinstance(attribute, str) and attribute == "__new__":
                return named
    return None


def _is_pair(value: object) -> bool:
    return isinstance(value, (list, tuple)) and len(value) == 2


_BUILDERS: dict[str, Callable[[PickleMachine, tuple[Any, ...]], object]] = {
    "collections.OrderedDict": PickleMachine._ordered,
    "collections.defaultdict": PickleMachine._default,
    "builtins.set": PickleMachine._set,
    "torch._utils._rebuild_tensor_v2": PickleMachine._tensor,
    "torch._utils._rebuild_parameter": PickleMachine._parameter,
}
"""The only calls that build something; every other one becomes a record."""

_OPCODES: dict[int, Callable[[PickleMachine], None]] = {
    0x28: PickleMachine._mark,  # MARK
    0x29: lambda m: m._push(()),  # EMPTY_TUPLE
    0x30: PickleMachine._discard,  # POP
    0x31: lambda m: m._since_mark().clear(),  # POP_MARK
    0x47: lambda m: m._push(m._number(">d")),  # BINFLOAT
    0x4A: lambda m: m._push(m._number("<i")),  # BININT
    0x4B: lambda m: m._push(m._byte()),  # BININT1
    0x4D: lambda m: m._push(m._number("<H")),  # BININT2
    0x4E: lambda m: m._push(None),  # NONE
    0x51: PickleMachine._persistent_id,  # BINPERSID
    0x52: PickleMachine._reduce,  # REDUCE
    0x58: lambda m: m._push(m._text(m._take(m._number("<I")))),  # BINUNICODE
    0x5D: lambda m: m._push([]),  # EMPTY_LIST
    0x61: lambda m: m._append([m._pop()]),  # APPEND
    0x62: PickleMachine._build,  # BUILD
    0x63: PickleMachine._name,  # GLOBAL
    0x65: lambda m: m._append(m._since_mark()),  # APPENDS
    0x68: lambda m: m._get(m._byte()),  # BINGET
    0x6A: lambda m: m._get(m._number("<I")),  # LONG_BINGET
    0x71: lambda m: m._put(m._byte()),  # BINPUT
    0x72: lambda m: m._put(m._number("<I")),  # LONG_BINPUT
    0x73: lambda m: m._set_items([m._pop() for _ in range(2)][::-1]),  # SETITEM
    0x74: lambda m: m._push(tuple(m._since_mark())),  # TUPLE
    0x75: lambda m: m._set_items(m._since_mark()),  # SETITEMS
    0x7D: lambda m: m._push({}),  # EMPTY_DICT
    0x81: PickleMachine._new_object,  # NEWOBJ
    0x85: lambda m: m._tuple(1),  # TUPLE1
    0x86: lambda m: m._tuple(2),  # TUPLE2
    0x87: lambda m: m._tuple(3),  # TUPLE3
    0x88: lambda m: m._push(True),  # NEWTRUE
    0x89: lambda m: m._push(False),  # NEWFALSE
    0x8A: lambda m: m._push(int.from_bytes(m._take(m._byte()), "little", signed=True)),  # LONG1
}
"""What protocol 2 needs; absent are those that call code by number (EXT), old ones, and newer protocols."""
