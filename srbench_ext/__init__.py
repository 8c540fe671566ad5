"""A comparative benchmark for latent-space symbolic regression, and the methods in it.

Importing this package does nothing: every part is imported where it is used, for instance
``from srbench_ext.registry import create``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from srbench_ext.method import Method

__all__ = ["__version__", "create"]

__version__ = "0.1.0"


def create(name: str, **parameters: object) -> Method:
    """Make the method with this name, by its registered defaults and the given parameters.

    Parameters
    ----------
    name : str
        A name of :func:`srbench_ext.registry.names`.
    **parameters : object
        Parameters of the method, for instance ``max_seconds=10.0``.

    Returns
    -------
    Method
        An unfitted scikit-learn regressor.
    """
    from srbench_ext.registry import create as create_method

    return create_method(name, **parameters)
