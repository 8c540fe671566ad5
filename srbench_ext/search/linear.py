"""The linear formula of a table, in closed form."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from srbench_ext.expression import Expression

__all__ = ["linear_formula"]

FloatArray = npt.NDArray[np.float64]


def linear_formula(X: FloatArray, y: FloatArray, columns: list[int], *, most: int = 30) -> Expression:
    """Return the least-squares linear formula: what no search should end behind.

    Parameters
    ----------
    X, y : ndarray of shape (n, d) and (n,)
    columns : list of int
        Columns that vary.
    most : int
        Of more columns, the most correlated with y are used.
    """
    columns = [column for column in columns if X[:, column].std() > 0]
    if not columns:
        return Expression(("C",), (float(y.mean()),))
    if len(columns) > most:
        centred = X[:, columns] - X[:, columns].mean(axis=0)
        strength = np.abs(centred.T @ (y - y.mean())) / np.linalg.norm(centred, axis=0)
        columns = sorted(columns[i] for i in np.argsort(-strength)[:most])
    mean, deviation = X[:, columns].mean(axis=0), X[:, columns].std(axis=0)
    size = np.abs(y).max()
    slopes, *_ = np.linalg.lstsq((X[:, columns] - mean) / deviation, (y - y.mean()) / size, rcond=None)
    slopes = slopes * size / deviation
    tokens = ["add"] * len(columns)
    for column in columns:
        tokens += ["mul", "C", f"x{column}"]
    intercept = float(y.mean() - slopes @ mean)
    return Expression((*tokens, "C"), (*map(float, slopes), intercept))
