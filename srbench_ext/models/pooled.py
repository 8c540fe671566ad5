"""A place for tables in the memory of a foundation model: its mean, which does not decode."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from srbench_ext.models.encoders import table_features
from srbench_ext.models.foundation import Foundation

__all__ = ["PooledMemory"]

FloatArray = NDArray[np.float64]


class PooledMemory:
    """The mean over the memory's places, as a :class:`srbench_ext.latent.TableEncoder`.

    What is pooled is one vector a table, whatever the length of the memory; the decoder needs all of it.

    Parameters
    ----------
    net : Foundation
        In evaluation mode.
    """

    def __init__(self, net: Foundation) -> None:
        self.net = net

    @property
    def dimension(self) -> int:
        """Dimensions L of a pooled memory."""
        return self.net.config.width

    @torch.no_grad()
    def encode(self, tables: Sequence[tuple[FloatArray, FloatArray]]) -> tuple[FloatArray, FloatArray]:
        """Return means and log variances (R, L) of R tables with equally many rows and any columns.

        The encoder gives a point and nothing around it: log variances are minus infinity.
        """
        features = table_features(tables)
        memory = self._memory(torch.from_numpy(features), [X.shape[1] for X, _ in tables])
        mean = memory.mean(dim=1).double().numpy()
        return mean, np.full_like(mean, -np.inf)

    def _memory(self, features: Tensor, n_variables: Sequence[int]) -> Tensor:
        """Return the memory (R, M, L) of points (R, N, F) of tables with so many columns."""
        return self.net.encode(features)
