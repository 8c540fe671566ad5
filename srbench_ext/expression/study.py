"""Whether the recovery check knows a formula however it is written, and nothing else for it.

``python -m srbench_ext.expression.study TABLE.csv ...`` reads formulas (columns ``name``, ``formula``,
``features``, ``lows``, ``highs``), rewrites each in several ways, changes each in every small way, and prints
how many the check took for the truth.
"""

from __future__ import annotations

import argparse
import csv
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from srbench_ext.expression.core import Expression
from srbench_ext.expression.equivalence import recovered
from srbench_ext.expression.evaluation import evaluate
from srbench_ext.expression.parsing import parse_infix
from srbench_ext.expression.program import FloatArray
from srbench_ext.expression.rewriting import REWRITINGS, mutants, rewritten_at_random

__all__ = ["Outcome", "Truth", "main", "read_truths", "study"]

_POINTS = 2000
_SAME = 1e-8  # relative residual below which a mutant equals the truth up to scale and offset


@dataclass(frozen=True, slots=True)
class Truth:
    """A formula with the box of its inputs."""

    name: str
    formula: Expression
    lows: tuple[float, ...]
    highs: tuple[float, ...]


@dataclass(slots=True)
class Outcome:
    """Counts by way of rewriting and kind of mutant, and the names of what was not as it should be."""

    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    listed: list[str] = field(default_factory=list)

    def table(self) -> str:
        """Return the counts as a Markdown table."""
        columns = ("recovered", "not recovered", "unknown", "same as the truth")
        lines = ["| what | " + " | ".join(columns) + " |", "|---|" + "---|" * len(columns)]
        for what in dict.fromkeys(what for what, _ in self.counts):
            cells = (str(self.counts[what, column]) for column in columns)
            lines.append(f"| {what} | " + " | ".join(cells) + " |")
        return "\n".join(lines) + "\n"


def read_truths(paths: Iterable[Path]) -> Iterator[Truth]:
    """Yield the formulas of tables of problems."""
    for path in paths:
        for row in csv.DictReader(path.read_text(encoding="utf-8").splitlines()):
            formula = parse_infix(row["formula"], row["features"].split())
            low, high = (tuple(map(float, row[key].split())) for key in ("lows", "highs"))
            yield Truth(row["name"], formula, low, high)


def study(truths: Iterable[Truth], rng: np.random.Generator, *, timeout_seconds: float = 0.5) -> Outcome:
    """Rewrite and mutate each truth and compare all of them with it.

    A formula counts as recovered when the symbolic or the numeric verdict says so, and as unknown when
    neither does but one is unknown.
    """
    outcome = Outcome()
    for truth in truths:
        X = rng.uniform(truth.lows, truth.highs, (_POINTS, len(truth.lows)))
        y = evaluate(truth.formula, X)
        rms = float(np.sqrt(np.nanmean(y**2)))
        for way in REWRITINGS:
            other = rewritten_at_random(truth.formula, way, rng)
            verdict = _verdict(other, truth, rms, rng, timeout_seconds)
            outcome.counts[way, verdict] += 1
            if verdict != "recovered":
                outcome.listed.append(f"{truth.name}, {way}, {verdict}: {other}")
        for what, mutant in mutants(truth.formula):
            if _same_up_to_scale_and_offset(evaluate(mutant, X), y):
                verdict = "same as the truth"
            else:
                verdict = _verdict(mutant, truth, rms, rng, timeout_seconds)
            outcome.counts[what, verdict] += 1
            if verdict != "not recovered":
                outcome.listed.append(f"{truth.name}, {what}, {verdict}: {mutant}")
    return outcome


def _verdict(e: Expression, truth: Truth, rms: float, rng: np.random.Generator, timeout: float) -> str:
    answer = recovered(e, truth.formula, truth.lows, truth.highs, y_rms=rms, rng=rng, timeout_seconds=timeout)
    if answer.symbolic or answer.numeric:
        return "recovered"
    return "unknown" if answer.symbolic is None or answer.numeric is None else "not recovered"


def _same_up_to_scale_and_offset(f: FloatArray, y: FloatArray) -> bool:
    rows = np.isfinite(f) & np.isfinite(y)
    if rows.sum() < 20:
        return False
    a, b = f[rows] - f[rows].mean(), y[rows] - y[rows].mean()
    if a @ a == 0.0:
        return False
    residual = b - (a @ b) / (a @ a) * a
    return bool(np.sqrt(residual @ residual) <= _SAME * np.sqrt(b @ b))


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the study, print its table and what is listed."""
    parser = argparse.ArgumentParser(prog="python -m srbench_ext.expression.study", description=__doc__)
    parser.add_argument("tables", type=Path, nargs="+", help="CSV files of problems")
    parser.add_argument("--out", type=Path, help="Markdown file to write")
    parser.add_argument("--timeout", type=float, default=0.5, help="seconds for sympy, each")
    options = parser.parse_args(arguments)
    outcome = study(read_truths(options.tables), np.random.default_rng(0), timeout_seconds=options.timeout)
    text = outcome.table() + "\n" + "".join(f"- {line}\n" for line in outcome.listed)
    print(text, end="")
    if options.out:
        options.out.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
