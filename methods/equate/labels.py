"""What a formula is worth: the two labels that the evaluator learns."""

from __future__ import annotations

import numpy as np

__all__ = ["fitness_label", "simplicity_label"]


def fitness_label(nmse: float) -> float:
    """Return the quality of a fit in [0, 1]: 1/6 for the mean, 1/2 at R² = 0.99, 1 from NMSE 1e-5 down."""
    if not np.isfinite(nmse):
        return 0.0
    return float((1.0 + np.clip(-np.log10(nmse + 1e-9), -1.0, 5.0)) / 6.0)


def simplicity_label(complexity: int) -> float:
    """Return exp(-C / 40): 40 tokens are the longest useful output of a small decoder."""
    return float(np.exp(-complexity / 40.0))
