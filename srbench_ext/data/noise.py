"""Target noise and the split into training and test rows, as the protocols define them."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from srbench_ext.errors import InputError

__all__ = ["add_noise", "split_rows"]

_TEST_FRACTION = 0.25
_MAX_TEST_ROWS = 25_000


def split_rows(
    n_rows: int,
    n_train: int | None,
    source: np.random.Generator | int,
    *,
    replace: bool = False,
    max_test_rows: int | None = _MAX_TEST_ROWS,
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Split a table 75/25 after a shuffle, then draw the training rows.

    Parameters
    ----------
    n_rows : int
        Rows of the table, at least 2.
    n_train : int or None
        Training rows wanted; None takes the whole three quarters, and so does a number they do not reach.
    source : numpy.random.Generator or int
        A generator (see :func:`srbench_ext.data.stream`), or the seed of a fixed list: then rows are those of
        scikit-learn's ``train_test_split(test_size=0.25, random_state=seed)`` and the draw is that of a
        ``numpy.random.RandomState(seed)``, which is SRBench's protocol of 2021.
    replace : bool
        SRBench's draw of 2021: when the table has more than `n_train` rows, `n_train` of the three quarters
        are drawn with replacement. Otherwise rows are drawn without.
    max_test_rows : int or None
        Longest test part; the rows kept are a random part of the quarter.

    Returns
    -------
    train, test : ndarray of int, shapes (n_train,) and (n_test,)
        Row numbers; no row is in both.

    Raises
    ------
    InputError
        Fewer than two rows, or a size below one.
    """
    if n_rows < 2:
        raise InputError(
            f"A table needs at least 2 rows to be split in training and test rows. Got {n_rows}."
        )
    for name, size in (("n_train", n_train), ("max_test_rows", max_test_rows)):
        if size is not None and size < 1:
            raise InputError(f"{name} must be at least 1, or None for all rows. Got {size}.")
    n_test = math.ceil(_TEST_FRACTION * n_rows)
    shuffle: np.random.Generator | np.random.RandomState
    draw: np.random.Generator | np.random.RandomState
    if isinstance(source, np.random.Generator):
        shuffle = draw = source
    else:  # the fixed seeds of published protocols mean draws of this generator and no other
        shuffle, draw = np.random.RandomState(source), np.random.RandomState(source)
    shuffled = np.asarray(shuffle.permutation(n_rows), dtype=np.intp)
    test, pool = shuffled[:n_test], shuffled[n_test:]
    if n_train is not None and replace and n_rows > n_train:
        pool = pool[draw.choice(len(pool), size=n_train)]
    elif n_train is not None and len(pool) > n_train:
        pool = pool[draw.choice(len(pool), size=n_train, replace=False)]
    return pool, test[:max_test_rows]


def add_noise(y: npt.NDArray[np.float64], level: float, rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """Add Gaussian noise to training targets: N(0, (level x RMS(y))^2).

    Parameters
    ----------
    y : ndarray of float, shape (n,)
        Training targets; not written to.
    level : float
        Noise level, a share of the root mean square of `y`; 0 draws nothing.
    rng : numpy.random.Generator
        Where the noise is drawn from.

    Returns
    -------
    ndarray of float64, shape (n,)
        A new array.

    Raises
    ------
    InputError
        A level that is negative or not finite, or targets that are not finite.
    """
    if not (math.isfinite(level) and level >= 0):
        raise InputError(f"The noise level must be a finite number of at least 0. Got {level!r}.")
    y = np.array(y, dtype=np.float64)
    if not np.isfinite(y).all():
        count = int((~np.isfinite(y)).sum())
        raise InputError(f"Noise needs finite targets. Got {count} of {y.size} that are NaN or infinite.")
    if level == 0 or y.size == 0:
        return y
    largest = float(np.abs(y).max()) or 1.0  # squares of tiny or huge targets would leave the range of floats
    rms = largest * math.sqrt(float(np.mean((y / largest) ** 2)))
    return y + level * rms * rng.standard_normal(y.shape)
