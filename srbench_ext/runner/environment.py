"""Where a run took place: versions, processor, commit, threads."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import subprocess
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import Any

import srbench_ext

__all__ = ["THREAD_VARIABLES", "describe_environment"]

THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "NUMBA_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)
"""Set to 1 before a run imports anything: one thread a run."""

_PACKAGES = (
    "numpy",
    "scipy",
    "sympy",
    "numba",
    "scikit-learn",
    "pandas",
    "torch",
    "pyoperon",
    "gplearn",
    "pmlb",
)


@lru_cache(maxsize=8)
def describe_environment(packages: Iterable[str] = ()) -> dict[str, Any]:
    """Return the facts that a record keeps about the machine and the software.

    Parameters
    ----------
    packages : tuple of str
        Distributions to add to the usual ones.

    Returns
    -------
    dict
        ``srbench_ext``, ``python``, ``platform``, ``cpu``, ``n_cpus``, ``threads``, ``packages`` (installed
        ones only), ``commit`` and ``dirty`` (None outside of a git checkout).
    """
    commit, dirty = _git_state()
    return {
        "srbench_ext": srbench_ext.__version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cpu": _cpu_model(),
        "n_cpus": os.cpu_count(),
        "threads": 1,
        "packages": {name: version for name in (*_PACKAGES, *packages) if (version := _version(name))},
        "commit": commit,
        "dirty": dirty,
    }


def _version(distribution: str) -> str | None:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None


def _cpu_model() -> str | None:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return platform.processor() or None
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.processor() or None


def _git_state() -> tuple[str | None, bool | None]:
    root = Path(srbench_ext.__file__).resolve().parent.parent
    if not (root / ".git").exists():
        return None, None
    commit = _git(root, "rev-parse", "HEAD")
    changes = _git(root, "status", "--porcelain", "--untracked-files=no")
    return commit, None if changes is None else bool(changes)


def _git(root: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(root), *arguments], capture_output=True, text=True, timeout=20, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
