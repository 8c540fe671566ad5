"""Formulas as SRBench's methods write them: infix text whose columns go by one of several schemes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from srbench_ext.errors import ExpressionError
from srbench_ext.expression import Expression, parse_infix

__all__ = ["readings"]

_SCHEMES = (("x", 0), ("X", 0), ("x_", 0), ("X_", 0), ("x", 1), ("X", 1), ("x_", 1), ("X_", 1))
"""Stems of column names and the number of the first column; counting from 0 goes first."""


def readings(text: str, n_columns: int, names: Sequence[str] | None = None) -> Iterator[Expression]:
    """Yield every way to read a formula, over ``x0``, ``x1``, ... and without names.

    ``X1`` is the second column for most methods and the first one for some; only the predictions tell.
    Nothing is evaluated while reading: a result file may come from anywhere.

    Parameters
    ----------
    text : str
        The formula.
    n_columns : int
        Columns of the table.
    names : sequence of str or None
        Their names, tried first.

    Raises
    ------
    ExpressionError
        If there is no way to read it; the message is that of the first try.
    """
    tries = [] if names is None else [tuple(names)]
    tries += [tuple(f"{stem}{i + first}" for i in range(n_columns)) for stem, first in _SCHEMES]
    failure: ExpressionError | None = None
    seen = set()
    for scheme in tries:
        try:
            found = parse_infix(text, names=scheme).with_names(None)
        except ExpressionError as error:
            failure = failure or error
            continue
        if (found.prefix, found.constants) not in seen:
            seen.add((found.prefix, found.constants))
            yield found
    if not seen and failure is not None:
        raise failure
