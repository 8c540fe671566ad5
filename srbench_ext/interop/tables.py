"""Tables of a user's own: CSV, TSV, Parquet and feather files, with a target column."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pandas as pd

from srbench_ext.errors import InputError, MissingExtraError, UnknownNameError

__all__ = ["FORMATS", "read_table_file"]

FORMATS = {
    ".csv": "CSV",
    ".tsv": "TSV",
    ".tab": "TSV",
    ".parquet": "Parquet",
    ".pq": "Parquet",
    ".feather": "feather",
    ".arrow": "feather",
}
"""The formats by the end of a file's name; any other name is read as CSV."""

_PACKED = {".gz", ".bz2", ".xz", ".zip"}


def read_table_file(path: Path, target: str) -> tuple[pd.DataFrame, pd.Series]:
    """Read the inputs and the target of a file.

    Parameters
    ----------
    path : Path
        CSV or TSV with a header line (also ``.gz`` and the like), Parquet or feather.
    target : str
        The column to predict; all others are inputs.

    Returns
    -------
    inputs : pandas.DataFrame
        Of float64.
    target : pandas.Series
        Of float64.

    Raises
    ------
    InputError
        If the file is not of its format, a column does not hold numbers, or there is no input.
    UnknownNameError
        If there is no such column.
    MissingExtraError
        If the package that reads the format is not installed.
    """
    frame = _read(path)
    frame.columns = frame.columns.map(str)
    if target not in frame.columns:
        raise UnknownNameError("column", target, frame.columns)
    texts = [name for name in frame.columns if not pd.api.types.is_numeric_dtype(frame[name])]
    if texts:
        raise InputError(
            f"{path}: the columns {texts} are not numbers. Remove them or encode them as numbers."
        )
    if frame.shape[1] < 2:
        raise InputError(f"{path} has no column but the target {target!r}. At least one input is needed.")
    numbers = frame.astype("float64")
    return numbers.drop(columns=target), numbers[target]


def _read(path: Path) -> pd.DataFrame:
    ends = [end.lower() for end in path.suffixes if end.lower() not in _PACKED]
    kind = FORMATS.get(ends[-1] if ends else "", "CSV")
    if kind in ("Parquet", "feather") and find_spec("pyarrow") is None:
        raise MissingExtraError(f"Reading {kind}", ["pyarrow"], "pip install 'srbench-ext[tables]'")
    try:
        if kind == "Parquet":
            return pd.read_parquet(path).reset_index(drop=True)
        if kind == "feather":
            return pd.read_feather(path)
        return pd.read_csv(path, sep="\t" if kind == "TSV" else ",")
    # pyarrow's ArrowInvalid is a ValueError
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError, ValueError) as error:
        raise InputError(
            f"{path} cannot be read as {kind}: {error}. Give CSV or TSV in UTF-8 with a header line, "
            "Parquet or feather, the name ending in .csv, .tsv, .parquet or .feather."
        ) from error
