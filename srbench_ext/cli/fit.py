"""``srbench-ext fit``: a formula for the rows of a CSV file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from srbench_ext.cli.printing import print_json, print_table

if TYPE_CHECKING:
    import pandas as pd

    from srbench_ext.method import Candidate

__all__ = ["fit"]


def fit(
    table: Annotated[
        Path, typer.Argument(help="A CSV file with a header line.", exists=True, dir_okay=False)
    ],
    target: Annotated[str, typer.Option(help="The column to predict.")],
    method: Annotated[str, typer.Option(help="A method of `srbench-ext list`.")] = "equate",
    max_seconds: Annotated[float, typer.Option(help="How long to search.")] = 30.0,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Find a formula for one column of a CSV file in the others.

    Prints the best formula of every complexity, the chosen one and its R², which is over the rows given: the
    very rows that the formula was fitted to.
    """
    from srbench_ext.registry import create

    X, y = _read(table, target)
    fitted = create(method, max_seconds=max_seconds).fit(X, y)
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
    }
    if as_json:
        print_json(summary)
    else:
        _print(summary)


def _read(path: Path, target: str) -> tuple[pd.DataFrame, pd.Series]:
    """Read the inputs and the target; every column has to be a number."""
    import pandas as pd

    from srbench_ext.errors import InputError, UnknownNameError

    try:
        frame = pd.read_csv(path)
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise InputError(
            f"{path} cannot be read as CSV: {error}. Give a UTF-8 file with a header line."
        ) from error
    if target not in frame.columns:
        raise UnknownNameError("column", target, map(str, frame.columns))
    texts = [str(name) for name in frame.columns if not pd.api.types.is_numeric_dtype(frame[name])]
    if texts:
        raise InputError(
            f"{path}: the columns {texts} are not numbers. Remove them or encode them as numbers."
        )
    if frame.shape[1] < 2:
        raise InputError(f"{path} has no column but the target {target!r}. At least one input is needed.")
    numbers = frame.astype("float64")
    return numbers.drop(columns=target), numbers[target]


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
