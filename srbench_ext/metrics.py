"""How near predictions are to the truth."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from srbench_ext.errors import InputError

__all__ = ["RIGHT_SHARE", "accuracy", "mse", "near_share", "nmse", "r2"]

FloatArray = npt.NDArray[np.float64]

RIGHT_SHARE = 0.95
"""Share of the points that have to be near for a formula to count as right."""


def _pair(y: npt.ArrayLike, yhat: npt.ArrayLike) -> tuple[FloatArray, FloatArray]:
    truth = np.asarray(y, dtype=np.float64)
    prediction = np.asarray(yhat, dtype=np.float64)
    if truth.ndim != 1 or truth.size == 0 or truth.shape != prediction.shape:
        raise InputError(
            "y and yhat must be one-dimensional, of one length, and not empty. "
            f"Got shapes {truth.shape} and {prediction.shape}."
        )
    for name, values in (("y", truth), ("yhat", prediction)):
        bad = int(np.sum(~np.isfinite(values)))
        if bad:
            raise InputError(
                f"{name} has {bad} of {values.size} values that are not finite. Treat them first."
            )
    return truth, prediction


def mse(y: npt.ArrayLike, yhat: npt.ArrayLike) -> float:
    """Return the mean squared error; infinity where it overflows.

    Parameters
    ----------
    y, yhat : (n,) array_like
        Truth and prediction, finite.

    Raises
    ------
    InputError
        If the shapes differ, there are no rows, or a value is not finite (so too in the other functions).
    """
    truth, prediction = _pair(y, yhat)
    with np.errstate(over="ignore"):
        return float(np.mean((truth - prediction) ** 2))


def nmse(y: npt.ArrayLike, yhat: npt.ArrayLike) -> float:
    """Return the mean squared error over the variance of y: SSE / SST, which is 1 - R².

    Raises
    ------
    InputError
        Also if y is constant, since then it is not defined.
    """
    truth, prediction = _pair(y, yhat)
    unit = float(np.abs(truth).max()) or 1.0
    truth, prediction = truth / unit, prediction / unit
    spread = float(np.sum((truth - truth.mean()) ** 2))
    if np.all(truth == truth[0]) or spread == 0.0:
        raise InputError(f"y is {truth[0] * unit} in every row, so that R² is not defined. Use mse instead.")
    with np.errstate(over="ignore"):
        return float(np.sum((truth - prediction) ** 2)) / spread


def r2(y: npt.ArrayLike, yhat: npt.ArrayLike) -> float:
    """Return R² = 1 - SSE / SST; minus infinity where the error overflows.

    Raises
    ------
    InputError
        Also if y is constant, since then it is not defined.
    """
    return 1.0 - nmse(y, yhat)


def accuracy(y: npt.ArrayLike, yhat: npt.ArrayLike, tolerance: float) -> bool:
    """Whether at least 95% of the rows have ``|yhat - y| <= tolerance * |y|``.

    This is the accuracy to tolerance of Kamienny et al., "End-to-end symbolic regression with transformers"
    (2022), section 4: the worst 5% of the points are left out.
    """
    truth, prediction = _pair(y, yhat)
    with np.errstate(over="ignore"):
        near = np.abs(prediction - truth) <= tolerance * np.abs(truth)
    return bool(np.mean(near) >= RIGHT_SHARE)


def near_share(
    y: npt.ArrayLike, yhat: npt.ArrayLike, *, absolute: float = 0.001, relative: float = 0.05
) -> float:
    """Return the share of points with ``|yhat - y| <= absolute + relative * |y|``.

    The defaults are those of Biggio et al., "Neural symbolic regression that scales" (arXiv 2106.06427): a
    formula is right where the share is :data:`RIGHT_SHARE` or more. As there, NaN is near to NaN; an infinity
    is near to itself alone.

    Parameters
    ----------
    y, yhat : (n,) array_like
        Truth and prediction; they need not be finite.
    absolute, relative : float

    Raises
    ------
    InputError
        If the shapes differ or there are no points.
    """
    truth, prediction = np.asarray(y, dtype=np.float64), np.asarray(yhat, dtype=np.float64)
    if truth.ndim != 1 or truth.size == 0 or truth.shape != prediction.shape:
        raise InputError(
            "y and yhat must be one-dimensional, of one length, and not empty. "
            f"Got shapes {truth.shape} and {prediction.shape}."
        )
    with np.errstate(over="ignore"):
        near = np.isclose(prediction, truth, rtol=relative, atol=absolute, equal_nan=True)
    return float(np.mean(near))
