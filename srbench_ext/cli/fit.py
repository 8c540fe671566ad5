"""``srbench-ext fit``: a formula for the rows of a file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from srbench_ext.cli.completion import complete_method
from srbench_ext.cli.options import AsJson, Settings
from srbench_ext.cli.printing import print_json, print_table

if TYPE_CHECKING:
    import pandas as pd

    from srbench_ext.method import Candidate

__all__ = ["fit"]


def fit(
    table: Annotated[
        Path,
        typer.Argument(
            help="CSV or TSV with a header line, Parquet or feather.", exists=True, dir_okay=False
        ),
    ],
    target: Annotated[str, typer.Option(help="The column to predict.")],
    method: Annotated[
        str, typer.Option(help="A method of `srbench-ext list`.", autocompletion=complete_method)
    ] = "equate",
    max_seconds: Annotated[float, typer.Option(help="How long to search.")] = 30.0,
    setting: Settings = None,
    plot: Annotated[
        Path | None, typer.Option(help="Draw the front into this .png, .svg or .pdf.", dir_okay=False)
    ] = None,
    code: Annotated[
        bool, typer.Option("--code", help="Print the formula as sympy, LaTeX and Python too.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Find a formula for one column of a table in the others.

    Prints the best formula of every complexity, the chosen one and its R², which is over the rows given: the
    very rows that the formula was fitted to.
    """
    from srbench_ext.interop.tables import read_table_file
    from srbench_ext.registry import create
    from srbench_ext.runner import parse_settings

    X, y = read_table_file(table, target)
    fitted = create(method, **parse_settings(setting or []), max_seconds=max_seconds).fit(X, y)
    best, front = fitted.result_.best, fitted.result_.front
    summary = {
        "method": method,
        "target": target,
        "rows": len(y),
        **_describe(best, y),
        "columns_used": [str(X.columns[index]) for index in fitted.selected_features_],
        "columns_given": len(X.columns),
        "timings": dict(fitted.result_.timings),
        "front": [_describe(candidate, y) for candidate in front],
        "code": _code(best, target),
    }
    if plot is not None:
        _plot(summary, plot)
    if as_json:
        print_json(summary)
        return
    _print(summary)
    if code:
        _print_code(summary["code"])
    if plot is not None:
        print(f"Front drawn into {plot}")


def _code(candidate: Candidate, target: str) -> dict[str, str] | None:
    """Return the formula as code to copy; None for a model that can only predict."""
    from srbench_ext.expression import Expression
    from srbench_ext.interop.code import as_latex, as_python, as_sympy

    model = candidate.model
    if not isinstance(model, Expression):
        return None
    return {
        "sympy": as_sympy(model, target),
        "latex": as_latex(model),
        "python": as_python(model, target),
    }


def _plot(summary: dict[str, Any], path: Path) -> None:
    from srbench_ext.report.front import draw_front, save_front

    points = [p for p in summary["front"] if p["formula"] is not None and p["r2_train"] is not None]
    formulas = [point["formula"] for point in points]
    chosen = formulas.index(summary["formula"]) if summary["formula"] in formulas else None
    rows = [(point["complexity"], point["r2_train"], point["formula"]) for point in points]
    save_front(draw_front(rows, chosen, f"{summary['target']}, {summary['method']}"), path)


def _print_code(code: dict[str, str] | None) -> None:
    if code is None:
        print("The model has no formula: there is no code of it.")
        return
    for title, text in (("sympy", code["sympy"]), ("LaTeX", code["latex"]), ("Python", code["python"])):
        print(f"\n# {title}\n\n{text.rstrip()}")


def _describe(candidate: Candidate, y: pd.Series) -> dict[str, Any]:
    """Return what is printed of a model; ``formula`` is None for one that can only predict."""
    from srbench_ext.expression import Expression

    formula = str(candidate.model) if isinstance(candidate.model, Expression) else None
    mean_square = float(((y - y.mean()) ** 2).mean())
    r2 = None if candidate.loss is None or mean_square == 0.0 else 1.0 - candidate.loss / mean_square
    return {
        "formula": formula,
        "r2_train": r2,
        "complexity": candidate.complexity,
        "seconds": candidate.seconds,
    }


def _print(summary: dict[str, Any]) -> None:
    chosen = summary["formula"]
    print_table(
        ("", "complexity", "R²", f"{summary['target']} ="),
        [
            (
                "chosen" if point["formula"] == chosen else "",
                "–" if point["complexity"] is None else str(point["complexity"]),
                _r2(point["r2_train"]),
                point["formula"] or "(no formula)",
            )
            for point in summary["front"]
        ],
        right=(1, 2),
    )
    print(f"{summary['target']} = {chosen or '(no formula)'}")
    if len(summary["columns_used"]) < summary["columns_given"]:
        print(f"Only these columns were used, the most correlated ones: {', '.join(summary['columns_used'])}")
    print(f"R² = {_r2(summary['r2_train'])} on the {summary['rows']} rows it was fitted to")


def _r2(value: float | None) -> str:
    return "–" if value is None else f"{value:.6f}"
