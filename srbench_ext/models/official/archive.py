"""The two containers that torch.save writes: a zip archive, and before torch 1.6 one stream.

======== ==========================================================================================
zip      ``<root>/data.pkl``, and the numbers of storage ``k`` in ``<root>/data/k``, uncompressed
legacy   pickles of a magic number, the version 1001, facts of the system, the object, the keys of
         its storages; then each storage as its length (int64) and its numbers
======== ==========================================================================================

Numbers are read when asked for, one storage at a time. All sizes are checked before against what the
file really holds, so that a file cannot ask for more memory than its own size.
"""

from __future__ import annotations

import mmap
import struct
import zipfile
from abc import ABC, abstractmethod
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from srbench_ext.models.official.errors import ArchiveError
from srbench_ext.models.official.machine import MAX_PICKLE_BYTES, PickleMachine
from srbench_ext.models.official.names import NameList
from srbench_ext.models.official.records import Name, StorageRef, TensorRef

__all__ = ["TorchArchive", "open_archive"]

_DTYPES = {
    "FloatStorage": "<f4",
    "DoubleStorage": "<f8",
    "HalfStorage": "<f2",
    "LongStorage": "<i8",
    "IntStorage": "<i4",
    "ShortStorage": "<i2",
    "CharStorage": "|i1",
    "ByteStorage": "|u1",
    "BoolStorage": "|b1",
}
_ZIP_FAULTS = (  # what zipfile raises on damaged archives; OSError: it seeks before the beginning
    zipfile.BadZipFile,
    EOFError,
    OSError,
    RuntimeError,
    ValueError,
    struct.error,
)
_MAX_ENTRIES = 20_000
_LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
_LEGACY_VERSION = 1001


class TorchArchive(ABC):
    """A file of torch.save, read without running anything of it.

    Attributes
    ----------
    format : {"zip", "legacy"}
    root : object
        What was saved: mappings, lists, numbers, text,
        :class:`~srbench_ext.models.official.records.Record` and
        :class:`~srbench_ext.models.official.records.TensorRef`.
    """

    format: str
    root: object

    def __init__(self) -> None:
        self._storages: dict[str, StorageRef] = {}
        self._last: tuple[str, NDArray[Any]] | None = None

    def tensor(self, reference: TensorRef) -> NDArray[Any]:
        """Return the numbers of a tensor as a new contiguous array in the number format of the file."""
        storage = reference.storage
        if self._last is None or self._last[0] != storage.key:
            blob = self._bytes(storage)
            self._last = (storage.key, np.frombuffer(blob, np.dtype(storage.dtype), storage.numel))
        numbers = self._last[1]
        strides = [s * numbers.itemsize for s in reference.stride]
        view = np.lib.stride_tricks.as_strided(numbers[reference.offset :], reference.shape, strides)
        return np.array(view, order="C", copy=True)

    @abstractmethod
    def _bytes(self, storage: StorageRef) -> bytes | memoryview:
        """Return the bytes of a storage."""

    @abstractmethod
    def _check_size(self, storage: StorageRef, n_bytes: int) -> None:
        """Raise ArchiveError if the file has not just so many bytes for the storage."""

    def _persistent(self, identity: tuple[object, ...]) -> object:
        """Return what a persistent id stands for: a storage, or in legacy files the class of a module."""
        kind = identity[0] if identity else None
        if self.format == "legacy" and kind == "module" and len(identity) == 4:
            if isinstance(identity[1], Name):  # file name and source text follow; they are not looked at
                return identity[1]
        elif kind == "storage" and len(identity) == (6 if self.format == "legacy" else 5):
            if self.format == "legacy" and identity[5] is not None:
                raise ArchiveError("A view of a storage", got=identity[5], allowed="whole storages")
            return self._storage(identity[1], identity[2], identity[4])
        raise ArchiveError("A persistent id", got=kind, allowed="a storage as torch.save writes it")

    def _storage(self, made_by: object, key: object, numel: object) -> StorageRef:
        dtype = _DTYPES.get(made_by.name) if isinstance(made_by, Name) and made_by.module == "torch" else None
        if dtype is None:
            got = str(made_by) if isinstance(made_by, Name) else made_by
            raise ArchiveError("A storage's type", got=got, allowed=", ".join(_DTYPES))
        if not isinstance(key, str) or not (key.isascii() and key.isdigit()) or len(key) > 20:
            raise ArchiveError("A storage's key", got=key, allowed="up to 20 digits")
        if type(numel) is not int or numel < 0:
            raise ArchiveError(f"The length of storage {key}", got=numel, allowed="an integer from 0 on")
        storage = StorageRef(key, dtype, numel)
        known = self._storages.setdefault(key, storage)
        if known != storage:
            raise ArchiveError(
                f"Storage {key}",
                got=f"{numel} numbers {dtype}",
                allowed=f"{known.numel} numbers {known.dtype}, as it was before",
            )
        self._check_size(storage, numel * np.dtype(dtype).itemsize)
        return storage


class _ZipArchive(TorchArchive):
    format = "zip"

    def __init__(self, path: Path, allowed: NameList) -> None:
        super().__init__()
        try:
            self._zip = zipfile.ZipFile(path)
        except _ZIP_FAULTS as error:
            raise ArchiveError(
                f"The zip archive {path.name}", got=str(error), allowed="a whole one"
            ) from None
        self._entries = _checked_entries(self._zip, path)
        pickles = [name for name in self._entries if name.endswith("/data.pkl") and name.count("/") == 1]
        if len(pickles) != 1:
            raise ArchiveError("Pickles in the archive", got=len(pickles), allowed="one <root>/data.pkl")
        self._root = pickles[0].removesuffix("data.pkl")
        order = self._entries.get(f"{self._root}byteorder")
        if order is not None and self._read(order, 16) != b"little":
            raise ArchiveError("The byte order", got=self._read(order, 16), allowed="little")
        data = self._read(self._entries[pickles[0]], MAX_PICKLE_BYTES)
        self.root, end = PickleMachine(memoryview(data), allowed, self._persistent).run()
        if end != len(data):
            raise ArchiveError("After the pickle", got=f"{len(data) - end} bytes", allowed="nothing")

    def _read(self, entry: zipfile.ZipInfo, limit: int | None = None) -> bytes:
        if limit is not None and entry.file_size > limit:
            raise ArchiveError(entry.filename, got=f"{entry.file_size} bytes", allowed=f"up to {limit}")
        try:
            return self._zip.read(entry)
        except _ZIP_FAULTS as error:
            raise ArchiveError(entry.filename, got=str(error), allowed="a whole entry") from None

    def _entry(self, storage: StorageRef) -> zipfile.ZipInfo:
        name = f"{self._root}data/{storage.key}"
        if name not in self._entries:
            raise ArchiveError(f"Storage {storage.key}", got="no entry", allowed=f"the entry {name}")
        return self._entries[name]

    def _check_size(self, storage: StorageRef, n_bytes: int) -> None:
        found = self._entry(storage).file_size
        if found != n_bytes:
            raise ArchiveError(f"Storage {storage.key}", got=f"{found} bytes", allowed=f"{n_bytes} bytes")

    def _bytes(self, storage: StorageRef) -> bytes:
        return self._read(self._entry(storage))


def _checked_entries(archive: zipfile.ZipFile, path: Path) -> dict[str, zipfile.ZipInfo]:
    """Return the entries by name: plain paths, not compressed, together no larger than the file."""
    listed = archive.infolist()
    if len(listed) > _MAX_ENTRIES:
        raise ArchiveError("Entries of the archive", got=len(listed), allowed=f"up to {_MAX_ENTRIES}")
    entries: dict[str, zipfile.ZipInfo] = {}
    for entry in listed:
        name = entry.filename
        parts = PurePosixPath(name).parts
        # orig_filename: zipfile cuts the name at a zero byte
        if (
            name.startswith("/")
            or ".." in parts
            or "\\" in name
            or ":" in name
            or name != entry.orig_filename
        ):
            raise ArchiveError(
                "A path in the archive", got=entry.orig_filename, allowed="paths below one folder"
            )
        if name in entries:
            raise ArchiveError("A path in the archive", got=f"{name}, twice", allowed="each once")
        if entry.compress_type != zipfile.ZIP_STORED or entry.file_size != entry.compress_size:
            raise ArchiveError(
                f"The entry {name}",
                got=f"{entry.compress_size} bytes that become {entry.file_size}",
                allowed="entries that are not compressed",
            )
        entries[name] = entry
    total = sum(entry.file_size for entry in listed)
    if total > path.stat().st_size:
        raise ArchiveError("The entries", got=f"{total} bytes in all", allowed="at most those of the file")
    return entries


class _LegacyArchive(TorchArchive):
    format = "legacy"

    def __init__(self, path: Path, allowed: NameList) -> None:
        super().__init__()
        with path.open("rb") as stream:
            self._data = memoryview(mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ))
        machine = PickleMachine(self._data, allowed, self._persistent)
        magic, position = machine.run()
        version, position = machine.run(position)
        system, position = machine.run(position)
        if magic != _LEGACY_MAGIC or version != _LEGACY_VERSION or not isinstance(system, dict):
            raise ArchiveError(path.name, got="another pickle", allowed="a file of torch.save")
        if system.get("little_endian") is not True:
            raise ArchiveError("The byte order", got="big", allowed="little")
        self.root, position = machine.run(position)
        keys, position = machine.run(position)
        self._places = self._find(keys, position)

    def _find(self, keys: object, position: int) -> dict[str, int]:
        """Return where the numbers of each storage begin."""
        if not isinstance(keys, list) or {k for k in keys if isinstance(k, str)} != set(self._storages):
            raise ArchiveError("The storages listed", got=keys, allowed="those of the tensors")
        if len(keys) != len(self._storages):
            raise ArchiveError("The storages listed", got=len(keys), allowed="each once")
        places: dict[str, int] = {}
        for key in keys:
            storage = self._storages[key]
            numel = int.from_bytes(self._data[position : position + 8], "little", signed=True)
            end = position + 8 + storage.numel * np.dtype(storage.dtype).itemsize
            if numel != storage.numel or end > len(self._data):
                raise ArchiveError(
                    f"Storage {key}",
                    got=f"{numel} numbers in {max(0, len(self._data) - position - 8)} bytes",
                    allowed=f"{storage.numel} numbers {storage.dtype}",
                )
            places[key], position = position + 8, end
        return places

    def _check_size(self, storage: StorageRef, n_bytes: int) -> None:
        if n_bytes > len(self._data):  # the exact length stands behind the pickle
            raise ArchiveError(f"Storage {storage.key}", got=f"{n_bytes} bytes", allowed="what the file has")

    def _bytes(self, storage: StorageRef) -> memoryview:
        start = self._places[storage.key]
        return self._data[start : start + storage.numel * np.dtype(storage.dtype).itemsize]


def open_archive(path: Path, allowed: NameList) -> TorchArchive:
    """Read what torch.save wrote, in either format.

    Parameters
    ----------
    path : Path
    allowed : NameList
        Names that the pickle may hold.

    Raises
    ------
    CheckpointError
        If the file is anything else; the subclass says of which kind the fault is.
    """
    if not path.is_file() or path.stat().st_size < 8:
        raise ArchiveError(
            f"The file {path}",
            got="none, or an empty one",
            allowed="a file",
            fix="Give the checkpoint's path.",
        )
    with path.open("rb") as stream:
        start = stream.read(4)
    if start == b"PK\x03\x04":
        return _ZipArchive(path, allowed)
    if start[:2] == b"\x80\x02":
        return _LegacyArchive(path, allowed)
    raise ArchiveError(f"The beginning of {path.name}", got=start, allowed="a zip archive or a pickle")
