"""Checkpoints written by hand, byte by byte, as torch.save would never write them."""

from __future__ import annotations

import io
import struct
import zipfile
from collections.abc import Mapping
from pathlib import Path

import torch

START = b"\x80\x02"  # PROTO 2
STOP = b"."


def text(value: str) -> bytes:
    data = value.encode()
    return b"X" + struct.pack("<I", len(data)) + data


def number(value: int) -> bytes:
    data = value.to_bytes((value.bit_length() + 8) // 8, "little", signed=True)
    return b"\x8a" + bytes([len(data)]) + data


def name(module: str, attribute: str) -> bytes:
    return b"c" + f"{module}\n{attribute}\n".encode()


def group(*parts: bytes) -> bytes:
    """Return a tuple of any length."""
    return b"(" + b"".join(parts) + b"t"


def call(called: bytes, *arguments: bytes) -> bytes:
    return called + group(*arguments) + b"R"


def storage(key: str = "0", numel: int = 4, kind: str = "FloatStorage", *, legacy: bool = False) -> bytes:
    """Return a persistent id of a storage."""
    view = (b"N",) if legacy else ()
    return group(text("storage"), name("torch", kind), text(key), text("cpu"), number(numel), *view) + b"Q"


def tensor(
    of: bytes, shape: tuple[int, ...] = (4,), stride: tuple[int, ...] = (1,), offset: int = 0
) -> bytes:
    sizes, strides = (group(*map(number, values)) for values in (shape, stride))
    hooks = call(name("collections", "OrderedDict"))
    return call(
        name("torch._utils", "_rebuild_tensor_v2"), of, number(offset), sizes, strides, b"\x89", hooks
    )


def zip_file(path: Path, pickled: bytes, blobs: Mapping[str, bytes] | None = None) -> Path:
    """Write a zip checkpoint of a pickle (without its first and last opcode) and blobs by key."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", START + pickled + STOP)
        for key, blob in (blobs or {}).items():
            archive.writestr(f"archive/data/{key}", blob)
    return path


def legacy_file(path: Path, pickled: bytes, keys: bytes = b"]", blobs: bytes = b"") -> Path:
    """Write a checkpoint in the format before torch 1.6: what stands before the object is torch's own."""
    buffer = io.BytesIO()
    torch.save(None, buffer, _use_new_zipfile_serialization=False)
    before, end = buffer.getvalue(), START + b"N" + STOP + START + b"]q\x00" + STOP
    assert before.endswith(end)
    path.write_bytes(before.removesuffix(end) + START + pickled + STOP + START + keys + STOP + blobs)
    return path
