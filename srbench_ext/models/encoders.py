"""From a table of numbers to the features of its points."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from srbench_ext.errors import InputError
from srbench_ext.models.tokens import MAX_VARIABLES

__all__ = [
    "FEATURES_PER_NUMBER",
    "POINT_FEATURES",
    "ScaledTable",
    "point_features",
    "scale_table",
    "table_features",
]

FloatArray = NDArray[np.float64]
FEATURES_PER_NUMBER = 11
POINT_FEATURES = (MAX_VARIABLES + 1) * (FEATURES_PER_NUMBER + 2)


@dataclass(frozen=True, slots=True)
class ScaledTable:
    """A table divided by the root mean square of its columns, never shifted.

    Attributes
    ----------
    values : ndarray of shape (n, 11), float32
        Ten input columns (absent ones zero) and the target.
    present : ndarray of shape (11,), float32
        1 for the columns that exist.
    log_scale : ndarray of shape (11,), float32
        Natural logarithm of each column's root mean square; 0 for absent columns.
    """

    values: NDArray[np.float32]
    present: NDArray[np.float32]
    log_scale: NDArray[np.float32]


def scale_table(X: FloatArray, y: FloatArray) -> ScaledTable:
    """Divide every column and the target by its root mean square.

    A product of variables stays a product under this scaling, so laws stay short; their scale is
    absorbed by the constant fitter.

    Parameters
    ----------
    X : ndarray of shape (n, d), d at most 10
    y : ndarray of shape (n,)

    Raises
    ------
    InputError
        If X has more columns than the vocabulary has variables.
    """
    n, d = X.shape
    if d > MAX_VARIABLES:
        raise InputError(
            f"The networks take at most {MAX_VARIABLES} columns. Got {d}; keep the most correlated ones "
            f"(a method does so with max_features = {MAX_VARIABLES})."
        )
    table = np.zeros((n, MAX_VARIABLES + 1))
    table[:, :d] = X
    table[:, -1] = y
    largest = np.abs(table).max(axis=0)
    largest[largest == 0] = 1.0
    scale = largest * np.sqrt(np.mean((table / largest) ** 2, axis=0))
    present = np.zeros(MAX_VARIABLES + 1, np.float32)
    present[:d] = 1.0
    present[-1] = 1.0
    log_scale = np.zeros(MAX_VARIABLES + 1)
    used = (scale > 0) & (present > 0)
    log_scale[used] = np.log(scale[used])
    scale[~used] = 1.0
    return ScaledTable((table / scale).astype(np.float32), present, log_scale.astype(np.float32))


def point_features(
    values: NDArray[np.float32], present: NDArray[np.float32], log_scale: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Return the features of points.

    Parameters
    ----------
    values : ndarray of shape (..., n, 11)
    present, log_scale : ndarray of shape (..., 11)

    Returns
    -------
    ndarray of shape (..., n, 143)
        For each number: sign, logarithm, mantissa, clipped value, two saturations, sines and cosines; then
        which columns exist and their log scale.
    """
    v = values
    size = np.abs(v)
    mantissa, exponent = np.frexp(size)
    parts = [
        np.sign(v),
        np.log(size + 1e-6) / 3.0,
        exponent.astype(np.float32) / 8.0,
        2.0 * mantissa - 1.0,
        np.clip(v, -4.0, 4.0),
        np.tanh(v),
        np.clip(v * v, 0.0, 8.0) / 4.0,
        np.sin(np.float32(np.pi) * v),
        np.cos(np.float32(np.pi) * v),
        np.sin(np.float32(4.0) * np.log(size + 1e-6)),
        np.cos(np.float32(4.0) * np.log(size + 1e-6)),
    ]
    features = np.stack(parts, axis=-1) * present[..., None, :, None]
    flat = features.reshape(*v.shape[:-1], -1)
    facts = np.concatenate([present, log_scale / 3.0], axis=-1)[..., None, :]
    facts = np.broadcast_to(facts, (*flat.shape[:-1], facts.shape[-1]))
    return np.concatenate([flat, facts], axis=-1).astype(np.float32)


def table_features(tables: Iterable[tuple[FloatArray, FloatArray]]) -> NDArray[np.float32]:
    """Return the features (R, n, 143) of the points of tables X (n, d) and y (n,), each scaled by itself."""
    scaled = [scale_table(X, y) for X, y in tables]
    return point_features(
        np.stack([each.values for each in scaled]),
        np.stack([each.present for each in scaled]),
        np.stack([each.log_scale for each in scaled]),
    )
