"""The Pareto plot of one fit: error against complexity of every formula of its front."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from matplotlib import rc_context
from matplotlib.figure import Figure

from srbench_ext.errors import InputError

__all__ = ["FORMATS", "draw_front", "save_front"]

FORMATS = (".png", ".svg", ".pdf")

_LEAST = 1e-16
_LONGEST = 40  # characters of a formula beside its point


def draw_front(
    points: Sequence[tuple[int, float, str]], chosen: int | None = None, title: str = ""
) -> Figure:
    """Draw 1 - R² (logarithmic, at least 1e-16) against complexity, each point with its formula.

    Parameters
    ----------
    points : sequence of (complexity, R², formula)
        The front, simplest first.
    chosen : int, optional
        Index of the chosen one, which is filled.
    title : str
        What stands above.
    """
    figure = Figure(figsize=(8, 4.8), layout="constrained")
    axes = figure.subplots()
    xs = [complexity for complexity, _, _ in points]
    ys = [max(1.0 - r2, _LEAST) for _, r2, _ in points]
    axes.step(xs, ys, where="post", color="0.6", linewidth=1)
    axes.scatter(xs, ys, facecolors="none", edgecolors="#0072B2", s=50, zorder=3)
    if chosen is not None:
        axes.scatter([xs[chosen]], [ys[chosen]], color="#D55E00", s=60, zorder=4, label="chosen")
        axes.legend(loc="upper right")
    for x, y, (_, _, formula) in zip(xs, ys, points, strict=True):
        short = formula if len(formula) <= _LONGEST else formula[: _LONGEST - 1] + "…"
        # a dollar sign would start matplotlib's own mathematics
        axes.annotate(short.replace("$", r"\$"), (x, y), (5, 5), textcoords="offset points", fontsize=7)
    if points:
        axes.set_yscale("log")
    else:
        axes.text(0.5, 0.5, "no formula on the front", ha="center", transform=axes.transAxes)
    axes.set_xlabel("complexity (tokens)")
    axes.set_ylabel("1 - R² on the rows of the fit")
    axes.grid(alpha=0.25)
    axes.margins(x=0.15, y=0.1)
    axes.set_title(title.replace("$", r"\$"))
    return figure


def save_front(figure: Figure, path: Path) -> None:
    """Write the figure in the format that the file's name ends in.

    Raises
    ------
    InputError
        For another one than :data:`FORMATS`.
    """
    if path.suffix.lower() not in FORMATS:
        raise InputError(f"A plot's name must end in {', '.join(FORMATS)}. Got {path}.")
    with rc_context({"svg.hashsalt": path.stem, "svg.fonttype": "none"}):
        figure.savefig(path, dpi=150)
