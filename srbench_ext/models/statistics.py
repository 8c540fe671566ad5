"""Statistics of a table that tell much about its law: least-squares fits in closed form.

Of ``y = c * x0**2 / x1`` a linear regression in logarithms gives the exponents at once, where attention over
the points has to learn to regress first. The network gets such statistics beside the points.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from srbench_ext.models.encoders import FEATURES_PER_NUMBER, table_features
from srbench_ext.models.tokens import MAX_VARIABLES

__all__ = ["TABLE_STATISTICS", "statistics_of_tables", "table_statistics"]

FloatArray = NDArray[np.float64]

_COLUMNS = MAX_VARIABLES + 1
_SIGN, _LOGARITHM, _CLIPPED = 0, 1, 4  # places in the features of a number
_RIDGE = 1e-3
_BOUND = 4.0
TABLE_STATISTICS = 4 * (_COLUMNS + 1) + (2 * MAX_VARIABLES + 2) + 6 * _COLUMNS
"""How many statistics there are."""


@torch.no_grad()
def table_statistics(features: Tensor) -> Tensor:
    """Return the statistics (B, S) of tables given as the features (B, N, F) of their points.

    Coefficients and explained share of five regressions of the target or its logarithm on the columns, their
    logarithms, or columns and squares; then mean, least, largest value and mean sign of every column, whether
    it is there, and its scale.
    """
    with torch.autocast(features.device.type, enabled=False):  # least squares in bfloat16 are noise
        return _statistics(features.float())


def statistics_of_tables(tables: Sequence[tuple[FloatArray, FloatArray]]) -> FloatArray:
    """Return the statistics (R, S) of R tables X (n, d) and y (n,) with equally many rows."""
    return np.asarray(table_statistics(torch.from_numpy(table_features(tables))).double().numpy())


def _statistics(features: Tensor) -> Tensor:
    numbers = features[..., : _COLUMNS * FEATURES_PER_NUMBER]
    numbers = numbers.reshape(*numbers.shape[:-1], _COLUMNS, FEATURES_PER_NUMBER)
    values, sign = numbers[..., _CLIPPED], numbers[..., _SIGN]
    logarithms = numbers[..., _LOGARITHM] * 3.0
    x, y = values[..., :-1], values[..., -1]
    log_x, log_y = logarithms[..., :-1], logarithms[..., -1]
    facts = features[:, 0, _COLUMNS * FEATURES_PER_NUMBER :]  # which columns exist, their log scale
    return torch.cat(
        [
            _regression(log_x, log_y),
            _regression(x, y),
            _regression(x, log_y),
            _regression(log_x, y),
            _regression(torch.cat([x, x * x / 2.0], dim=-1), y),
            values.mean(1),
            values.amin(1),
            values.amax(1),
            sign.mean(1),
            facts,
        ],
        dim=-1,
    )


def _regression(columns: Tensor, target: Tensor) -> Tensor:
    """Return the mean of the target, bounded coefficients and the explained share, (B, K + 2)."""
    deviation = columns.std(1, unbiased=False, keepdim=True) + 1e-3
    A = (columns - columns.mean(1, keepdim=True)) / deviation  # (B, N, K)
    mean = target.mean(1, keepdim=True)
    centred = target - mean
    gram = A.transpose(1, 2) @ A
    ridge = _RIDGE * A.shape[1] * torch.eye(gram.shape[-1], device=gram.device)
    solved = torch.linalg.solve(gram + ridge, A.transpose(1, 2) @ centred[..., None])
    residual = centred - (A @ solved).squeeze(-1)
    explained = 1.0 - residual.pow(2).mean(1) / centred.pow(2).mean(1).clamp(min=1e-6)
    coefficients = solved.squeeze(-1) / deviation.squeeze(1)
    bounded = _BOUND * torch.tanh(coefficients / _BOUND)
    return torch.cat([mean, bounded, explained.clamp(-1.0, 1.0)[:, None]], dim=-1)
