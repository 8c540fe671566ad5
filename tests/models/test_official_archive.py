from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from srbench_ext.models.official import archive as archives
from srbench_ext.models.official.archive import open_archive
from srbench_ext.models.official.errors import ArchiveError, CheckpointError
from srbench_ext.models.official.names import TORCH_NAMES
from srbench_ext.models.official.records import TensorRef

from .crafted import STOP, group, legacy_file, name, number, storage, tensor, text, zip_file

FOUR = np.arange(4, dtype="<f4").tobytes()
DTYPES = (
    torch.float32,
    torch.float64,
    torch.float16,
    torch.int64,
    torch.int32,
    torch.int16,
    torch.int8,
    torch.uint8,
    torch.bool,
)
FORMATS = pytest.mark.parametrize("legacy", [False, True], ids=["zip", "legacy"])


def saved(value: object, path: Path, *, legacy: bool) -> Path:
    torch.save(value, path, _use_new_zipfile_serialization=not legacy)
    return path


@FORMATS
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_tensors_are_read_bit_by_bit(dtype: torch.dtype, legacy: bool, tmp_path: Path) -> None:
    values = (torch.randn(3, 5, generator=torch.Generator().manual_seed(0)) * 10).to(dtype)
    archive = open_archive(saved([values, 7], tmp_path / "a.pt", legacy=legacy), TORCH_NAMES)
    assert archive.format == ("legacy" if legacy else "zip")
    assert isinstance(archive.root, list)
    np.testing.assert_array_equal(archive.tensor(archive.root[0]), values.numpy(), strict=True)


@FORMATS
def test_views_of_one_storage_are_read_as_they_were(legacy: bool, tmp_path: Path) -> None:
    whole = torch.arange(24.0).view(4, 6)
    views = {"part": whole[1:3, 2:5], "turned": whole.T, "one": whole[2, 3], "none": whole[:0]}
    archive = open_archive(saved(views, tmp_path / "a.pt", legacy=legacy), TORCH_NAMES)
    assert isinstance(archive.root, dict)
    for key, view in views.items():
        np.testing.assert_array_equal(archive.tensor(archive.root[key]), view.numpy(), strict=True)
    assert len({ref.storage for ref in archive.root.values()}) == 1


@FORMATS
def test_state_dicts_become_mappings(legacy: bool, tmp_path: Path) -> None:
    module = torch.nn.Linear(2, 3)
    path = saved(
        {"model": module.state_dict(), "epoch": 4, "params": {"heads": 16, "rate": 0.5, "cpu": False}},
        tmp_path / "a.pt",
        legacy=legacy,
    )
    root = open_archive(path, TORCH_NAMES).root
    assert isinstance(root, dict)
    assert root["params"] == {"heads": 16, "rate": 0.5, "cpu": False}
    assert list(root["model"]) == ["weight", "bias"]
    assert all(isinstance(value, TensorRef) for value in root["model"].values())


@pytest.mark.parametrize(
    ("pickled", "match"),
    [
        (tensor(storage(numel=5)), "16 bytes; allowed: 20 bytes"),
        (tensor(storage(numel=10**15)), "allowed: 4000000000000000 bytes"),
        (tensor(storage(numel=-1)), "length of storage"),
        (tensor(storage(key="9")), "no entry"),
        (tensor(storage(key="../x")), "key"),
        (tensor(storage(key="0/../../0")), "key"),
        (tensor(storage(kind="BFloat16Storage")), "type"),
        (group(storage(), storage(kind="IntStorage")), "as it was before"),
        (tensor(storage(), shape=(5,)), "A tensor in storage"),
        (tensor(storage(), offset=1), "A tensor in storage"),
        (tensor(storage(), shape=(2,), stride=(4,)), "A tensor in storage"),
        (tensor(storage(), shape=(10**9, 10**9), stride=(0, 0)), "A tensor in storage"),
        (tensor(storage(), shape=(-1,)), "from 0 on"),
        (tensor(storage(), stride=(-1,)), "from 0 on"),
        (tensor(storage(), offset=-1), "from 0 on"),
        (tensor(storage(), shape=(2, 2)), "dimensions"),
        (tensor(storage(), shape=(1,) * 9, stride=(1,) * 9), "dimensions"),
    ],
)
def test_storages_and_tensors_out_of_bounds_are_refused(pickled: bytes, match: str, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=match):
        open_archive(zip_file(tmp_path / "a.pt", pickled, {"0": FOUR}), TORCH_NAMES)


def test_the_file_that_these_are_made_from_is_read(tmp_path: Path) -> None:
    archive = open_archive(zip_file(tmp_path / "a.pt", tensor(storage()), {"0": FOUR}), TORCH_NAMES)
    assert isinstance(archive.root, TensorRef)
    assert archive.tensor(archive.root).tolist() == [0.0, 1.0, 2.0, 3.0]


LENGTH = (4).to_bytes(8, "little")


@pytest.mark.parametrize(
    ("keys", "blobs", "match"),
    [
        (b"](" + text("0") + b"e", LENGTH + FOUR[:-1], "Storage 0"),
        (b"](" + text("0") + b"e", (5).to_bytes(8, "little") + FOUR, "Storage 0"),
        (b"](" + text("0") + b"e", (-1).to_bytes(8, "little", signed=True) + FOUR, "Storage 0"),
        (b"](" + text("0") + b"e", b"", "Storage 0"),
        (b"](" + text("1") + b"e", LENGTH + FOUR, "storages listed"),
        (b"](" + text("0") + text("0") + b"e", LENGTH + FOUR, "storages listed"),
        (b"](]e", LENGTH + FOUR, "storages listed"),
        (b"N", LENGTH + FOUR, "storages listed"),
    ],
)
def test_legacy_storages_that_do_not_fit_are_refused(
    keys: bytes, blobs: bytes, match: str, tmp_path: Path
) -> None:
    made = tensor(storage(legacy=True))
    good = legacy_file(tmp_path / "good.pt", made, b"](" + text("0") + b"e", LENGTH + FOUR)
    open_archive(good, TORCH_NAMES)
    with pytest.raises(ArchiveError, match=match):
        open_archive(legacy_file(tmp_path / "a.pt", made, keys, blobs), TORCH_NAMES)


def test_legacy_views_of_storages_are_refused(tmp_path: Path) -> None:
    view = group(text("1"), number(0), number(4))
    identity = group(text("storage"), name("torch", "FloatStorage"), text("0"), text("cpu"), number(4), view)
    with pytest.raises(ArchiveError, match="view of a storage"):
        open_archive(legacy_file(tmp_path / "a.pt", identity + b"Q"), TORCH_NAMES)


@pytest.mark.parametrize("entry", ["/etc/passwd", "../data/1", "archive/../../x", "archive\\..\\x", "a\0b"])
def test_paths_out_of_the_archive_are_refused(entry: str, tmp_path: Path) -> None:
    path = zip_file(tmp_path / "a.pt", b"N")
    with zipfile.ZipFile(path, "a") as archive:
        info = zipfile.ZipInfo("x" * len(entry))
        archive.writestr(info, b"1")
    path.write_bytes(path.read_bytes().replace(b"x" * len(entry), entry.encode()))
    with pytest.raises(ArchiveError, match="A path in the archive"):
        open_archive(path, TORCH_NAMES)


def test_compressed_entries_are_refused_unread(tmp_path: Path) -> None:
    path = zip_file(tmp_path / "bomb.pt", b"N")
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data/0", b"\0" * 50_000_000)
    assert path.stat().st_size < 100_000
    with pytest.raises(ArchiveError, match="not compressed"):
        open_archive(path, TORCH_NAMES)


def test_entries_that_share_their_bytes_are_refused(tmp_path: Path) -> None:
    """The quoted-overlap bomb: many directory entries that point to the same bytes."""
    path = tmp_path / "a.pt"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", b"\x80\x02N.")
        archive.writestr("archive/data/0", b"\0" * 100_000)
        (first,) = (info for info in archive.infolist() if info.filename.endswith("/0"))
        for i in range(1, 50):
            copy = zipfile.ZipInfo(f"archive/data/{i}")
            copy.CRC, copy.file_size, copy.compress_size = first.CRC, first.file_size, first.compress_size
            copy.header_offset = first.header_offset
            archive.filelist.append(copy)
            archive.NameToInfo[copy.filename] = copy
    with pytest.raises(ArchiveError, match="bytes in all"):
        open_archive(path, TORCH_NAMES)


def test_entries_of_one_name_are_refused(tmp_path: Path) -> None:
    path = zip_file(tmp_path / "a.pt", tensor(storage()), {"0": FOUR, "1": FOUR})
    path.write_bytes(path.read_bytes().replace(b"archive/data/1", b"archive/data/0"))
    with pytest.raises(ArchiveError, match="twice"):
        open_archive(path, TORCH_NAMES)


def test_too_many_entries_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "_MAX_ENTRIES", 2)
    with pytest.raises(ArchiveError, match="Entries of the archive"):
        open_archive(zip_file(tmp_path / "a.pt", b"N", {"0": b"", "1": b""}), TORCH_NAMES)


def test_a_longer_pickle_than_any_network_needs_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archives, "MAX_PICKLE_BYTES", 100)
    with pytest.raises(ArchiveError, match="up to 100"):
        open_archive(zip_file(tmp_path / "a.pt", b"N" * 200), TORCH_NAMES)


@pytest.mark.parametrize("names", [("a/model.bin",), ("a/data.pkl", "b/data.pkl"), ("data.pkl",)])
def test_an_archive_without_one_pickle_is_refused(names: tuple[str, ...], tmp_path: Path) -> None:
    path = tmp_path / "a.pt"
    with zipfile.ZipFile(path, "w") as archive:
        for each in names:
            archive.writestr(each, b"\x80\x02N.")
    with pytest.raises(ArchiveError, match="Pickles in the archive"):
        open_archive(path, TORCH_NAMES)


def test_what_follows_the_pickle_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ArchiveError, match="After the pickle"):
        open_archive(zip_file(tmp_path / "a.pt", b"N" + STOP + b"N"), TORCH_NAMES)


def test_big_endian_files_are_refused(tmp_path: Path) -> None:
    path = zip_file(tmp_path / "a.pt", b"N")
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("archive/byteorder", b"big")
    with pytest.raises(ArchiveError, match="byte order"):
        open_archive(path, TORCH_NAMES)


def test_altered_numbers_are_noticed(tmp_path: Path) -> None:
    path = zip_file(tmp_path / "a.pt", tensor(storage()), {"0": FOUR})
    path.write_bytes(path.read_bytes().replace(FOUR, bytes(reversed(FOUR))))
    archive = open_archive(path, TORCH_NAMES)
    assert isinstance(archive.root, TensorRef)
    with pytest.raises(ArchiveError, match="CRC"):
        archive.tensor(archive.root)


@pytest.mark.parametrize(
    "content", [None, b"", b"PK\x03\x04", b"PK\x03\x04" + b"x" * 100, b"not a checkpoint"]
)
def test_other_files_are_refused(content: bytes | None, tmp_path: Path) -> None:
    path = tmp_path / "a.pt"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(CheckpointError):
        open_archive(path, TORCH_NAMES)


@FORMATS
def test_damaged_files_are_read_or_refused_and_raise_nothing_else(legacy: bool, tmp_path: Path) -> None:
    buffer = io.BytesIO()
    value = {"a": torch.arange(6.0).view(2, 3), "b": [1, -5, 2.5, None, True, "text", (3, 4), {"c": 70_000}]}
    torch.save(value, buffer, _use_new_zipfile_serialization=not legacy)
    whole, rng, path, refused = buffer.getvalue(), np.random.default_rng(0), tmp_path / "a.pt", 0
    for trial in range(400):
        damaged = bytearray(whole[: rng.integers(len(whole))] if trial % 4 == 0 else whole)
        for place in rng.integers(max(1, len(damaged)), size=rng.integers(1, 4)):
            if len(damaged):
                damaged[place] = rng.integers(256)
        path.write_bytes(damaged)
        try:
            archive = open_archive(path, TORCH_NAMES)
            if isinstance(archive.root, dict) and isinstance(archive.root.get("a"), TensorRef):
                archive.tensor(archive.root["a"])
        except CheckpointError:
            refused += 1
    assert refused > 100
