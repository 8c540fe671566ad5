"""One thread for the small matrix products of a search: on a busy machine more wait for each other."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from threadpoolctl import ThreadpoolController

__all__ = ["one_blas_thread"]


@cache
def _controller() -> ThreadpoolController:
    return ThreadpoolController()  # looking through the loaded libraries takes 20 ms


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Let numpy's matrix products use one thread inside the block; restored at its end."""
    with _controller().limit(limits=1, user_api="blas"):
        yield
