"""What a checkpoint's pickle becomes: names, records and references to numbers; nothing that can run."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from srbench_ext.models.official.errors import ArchiveError

__all__ = ["Name", "Record", "StorageRef", "TensorRef"]


@dataclass(frozen=True, slots=True)
class Name:
    """A class or function that the pickle names; it is never looked up.

    Attributes
    ----------
    module, name : str
    """

    module: str
    name: str

    def __str__(self) -> str:
        return f"{self.module}.{self.name}"


@dataclass(slots=True, eq=False)
class Record:
    """What the pickle would have built by calling a name.

    Attributes
    ----------
    made_by : Name
        The class or function that is named.
    arguments : tuple
        What it would have been called with.
    state : object
        What would have been its state: for a plain object the mapping of its attributes.
    items : list of (object, object)
        Items that would have been set.
    appended : list
        Elements that would have been appended.
    """

    made_by: Name
    arguments: tuple[object, ...] = ()
    state: object = None
    items: list[tuple[object, object]] = field(default_factory=list)
    appended: list[object] = field(default_factory=list)

    def attribute(self, name: str) -> object:
        """Return an attribute of the object's state, None if it has none of this name."""
        return self.state.get(name) if isinstance(self.state, dict) else None


@dataclass(frozen=True, slots=True)
class StorageRef:
    """A blob of numbers in the archive.

    Attributes
    ----------
    key : str
        Its digits.
    dtype : str
        A little-endian numpy type such as ``"<f4"``.
    numel : int
        How many numbers it says it has.
    """

    key: str
    dtype: str
    numel: int


@dataclass(frozen=True, slots=True)
class TensorRef:
    """A tensor in the archive: checked to lie inside of its storage, not yet read.

    Attributes
    ----------
    storage : StorageRef
    offset : int
        In numbers.
    shape, stride : tuple of int
        Strides in numbers.
    """

    storage: StorageRef
    offset: int
    shape: tuple[int, ...]
    stride: tuple[int, ...]

    def __post_init__(self) -> None:
        numel = math.prod(self.shape)
        last = self.offset + sum((n - 1) * s for n, s in zip(self.shape, self.stride, strict=True))
        if numel > self.storage.numel or (numel and last >= self.storage.numel):
            raise ArchiveError(
                f"A tensor in storage {self.storage.key}",
                got=f"{numel} numbers from {self.offset}, the last at {last}",
                allowed=f"what lies in its {self.storage.numel} numbers",
            )
