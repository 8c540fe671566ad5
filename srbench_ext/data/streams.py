"""Streams of randomness by name, so that adding a method or a problem changes no other draw."""

from __future__ import annotations

import hashlib
import json
import math
from typing import Literal

import numpy as np

from srbench_ext.errors import InputError

__all__ = ["StreamKind", "data_stream", "seed_of", "stream"]

StreamKind = Literal["split", "noise", "method"]


def seed_of(*names: str | int | float) -> int:
    """Hash names into a seed.

    The seed is the first eight bytes (big-endian) of the sha256 of the names written as a JSON list in
    ASCII, so that ``("a", "bc")`` and ``("ab", "c")`` differ, and so do ``1`` and ``1.0``.

    Parameters
    ----------
    *names : str, int or float
        What the stream is for, in a fixed order.

    Returns
    -------
    int
        A number from 0 to 2**64 - 1, the same on every machine.

    Raises
    ------
    InputError
        A number that is not finite.

    Examples
    --------
    >>> seed_of("split", "feynman", "feynman_I_10_7", 0)
    16788472005455489243
    """
    if any(isinstance(name, float) and not math.isfinite(name) for name in names):
        raise InputError(f"A stream of randomness is named by text and finite numbers. Got {names!r}.")
    text = json.dumps(names, ensure_ascii=True, separators=(",", ":"))
    return int.from_bytes(hashlib.sha256(text.encode("ascii")).digest()[:8], "big")


def stream(kind: StreamKind, suite: str, problem: str, level: float, trial: int) -> np.random.Generator:
    """Return the generator of one run for its split, its noise or its method.

    Parameters
    ----------
    kind : {"split", "noise", "method"}
        A split depends on suite, problem and trial only, so that all noise levels share their rows; noise and
        method depend on the level as well.
    suite : str
        The suite the problem is defined in (``Problem.suite``), not a selection that refers to it.
    problem : str
        Its name.
    level : float
        Noise level, a share of the target's root mean square.
    trial : int
        Number of the repetition, from 0.

    Returns
    -------
    numpy.random.Generator
        A fresh generator; equal arguments give equal draws.
    """
    if kind == "split":
        return np.random.default_rng(seed_of("split", suite, problem, int(trial)))
    return np.random.default_rng(seed_of(kind, suite, problem, float(level), int(trial)))


def data_stream(suite: str, problem: str) -> np.random.Generator:
    """Return the generator that draws a problem's rows when its table is regenerated."""
    return np.random.default_rng(seed_of("data", suite, problem))
