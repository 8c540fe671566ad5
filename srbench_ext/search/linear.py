"""Formulas linear in columns or in given features, in closed form."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from srbench_ext.expression import Expression

__all__ = ["linear_formula", "weighted_sum"]

FloatArray = npt.NDArray[np.float64]
Tokens = tuple[str | float, ...]


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


def weighted_sum(offset: float, terms: Iterable[tuple[float, Tokens]]) -> Tokens:
    """Return ``offset + factor * term + ...`` in prefix order; what is zero is left out, unless all is.

    Parameters
    ----------
    offset : float
    terms : iterable of (float, tuple of str or float)
        Factors, and the terms in prefix order.
    """
    parts: list[Tokens] = [(float(offset),)] if offset else []
    for factor, tokens in terms:
        if factor:
            parts.append(tokens if abs(factor - 1.0) < 1e-9 else ("mul", float(factor), *tokens))
    whole = parts[0] if parts else (0.0,)
    for part in parts[1:]:
        whole = ("add", *whole, *part)
    return whole
