"""From a table of numbers to the bits that the network reads."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from srbench_ext.corpus import Example
from srbench_ext.errors import InputError
from srbench_ext.models.batches import ExampleEncoder
from srbench_ext.models.tokens import Vocabulary

__all__ = ["BITS", "BitEncoder", "Support", "authors_bits", "decimal_exponents", "half_bits", "table_bits"]

FloatArray = NDArray[np.float64]
BITS = 16
"""Sign, 5 of the exponent, 10 of the mantissa."""
Support = tuple[float, float]
"""Least and largest value that the largest entry of a column may have without rescaling."""

_LARGEST_HALF = 65504.0


def half_bits(values: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return the bits of numbers in IEEE half precision, most significant first.

    Numbers too large become the largest; the small ones lose digits and then become zero.

    Parameters
    ----------
    values : ndarray of any shape S

    Returns
    -------
    ndarray of shape (*S, 16), float32
        Zeros and ones.
    """
    halves = np.asarray(np.clip(values, -_LARGEST_HALF, _LARGEST_HALF), dtype=">f2")
    octets = halves.reshape(*halves.shape, 1).view(np.uint8)
    return np.unpackbits(octets, axis=-1).astype(np.float32)


def authors_bits(values: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return the bits as the released code of NeSymReS computes them, for weights trained on them.

    They differ from :func:`half_bits` where numbers are out of range: the exponent wraps around at 32,
    there are no subnormal numbers, zero has the exponent 0, the mantissa is cut and not rounded, and
    numbers in (-0.001, 0) count as positive (-0.001 itself gets a sign of one half).

    Parameters
    ----------
    values : ndarray of any shape S

    Returns
    -------
    ndarray of shape (*S, 16), float32
    """
    size = np.abs(values)
    nonzero = size > 0
    mantissa, exponent = np.frexp(size)  # size = mantissa * 2**exponent, mantissa on [0.5, 1)
    field = np.where(nonzero, exponent - 1 + 15, 0).astype(np.int64)
    fraction = np.where(nonzero, np.floor((2.0 * mantissa - 1.0) * 1024.0), 0.0).astype(np.int64)
    sign = (1.0 - np.sign(values + 0.001)) / 2.0
    exponent_bits = (field[..., None] >> np.arange(4, -1, -1)) & 1
    mantissa_bits = (fraction[..., None] >> np.arange(9, -1, -1)) & 1
    return np.concatenate([sign[..., None], exponent_bits, mantissa_bits], axis=-1).astype(np.float32)


def decimal_exponents(values: FloatArray, support: Support) -> NDArray[np.int64]:
    """Return for each column the power of ten to divide it by.

    It is 0 where the largest entry lies within the support (or is zero); otherwise the largest entry
    lies within 1 and 10 after division, so that no digit of the column changes.

    Parameters
    ----------
    values : ndarray of shape (n, d)
    support : tuple of float

    Returns
    -------
    ndarray of shape (d,), int64
    """
    low, high = support
    largest = np.abs(values).max(axis=0)
    found = np.zeros(values.shape[1], np.int64)
    outside = (largest > 0) & ((largest < low) | (largest > high))
    found[outside] = np.floor(np.log10(largest[outside])).astype(np.int64)
    return found


def table_bits(
    X: FloatArray, y: FloatArray, n_variables: int, *, wrapped: bool, blank: bool = False
) -> NDArray[np.float32]:
    """Return the features of the points of one table.

    Parameters
    ----------
    X : ndarray of shape (n, d)
        Absent columns up to ``n_variables`` are zero.
    y : ndarray of shape (n,)
    n_variables : int
    wrapped : bool
        Use :func:`authors_bits`.
    blank : bool, default False
        Absent columns are 0 and not the bits of zero.

    Returns
    -------
    ndarray of shape (n, (n_variables + 1) * 16), float32
        Bits as -1 and 1.

    Raises
    ------
    InputError
        If X has more columns than the network.
    """
    n, d = X.shape
    if d > n_variables:
        raise InputError(f"The network reads at most {n_variables} columns. Got {d}; drop some.")
    table = np.zeros((n, n_variables + 1))
    table[:, :d] = X
    table[:, -1] = y
    bits = authors_bits(table) if wrapped else half_bits(table)
    signs = 2.0 * bits - 1.0
    if blank:
        signs[:, d:-1] = 0.0
    flat: NDArray[np.float32] = signs.reshape(n, -1)
    return flat


class BitEncoder(ExampleEncoder):
    """Examples of the corpus as bits.

    Columns and targets outside of the support are divided by powers of ten, as at inference.

    Parameters
    ----------
    vocabulary : Vocabulary
    n_variables : int
    x_support, y_support : Support
    wrapped, blank : bool
        See :func:`table_bits`.
    """

    def __init__(
        self,
        vocabulary: Vocabulary,
        n_variables: int,
        x_support: Support,
        y_support: Support,
        *,
        wrapped: bool = False,
        blank: bool = False,
    ) -> None:
        super().__init__(vocabulary)
        self.n_variables, self.wrapped, self.blank = n_variables, wrapped, blank
        self.x_support, self.y_support = x_support, y_support

    def features(self, examples: Sequence[Example]) -> NDArray[np.float32]:
        """Return the bits (B, N, F) of the points."""
        return np.stack([self.table(example.X, example.y) for example in examples])

    def table(self, X: FloatArray, y: FloatArray) -> NDArray[np.float32]:
        """Return the bits (n, F) of a table, rescaled to the support."""
        X = X / 10.0 ** decimal_exponents(X, self.x_support)
        y = y / 10.0 ** decimal_exponents(y[:, None], self.y_support)
        return table_bits(X, y, self.n_variables, wrapped=self.wrapped, blank=self.blank)
