"""The table from the outcomes, as CSV, Markdown and JSON."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from srbench_ext.errors import InputError
from srbench_ext.in_domain.rows import ROWS, TOLERANCES, Outcome, Settings
from srbench_ext.in_domain.study import Study

__all__ = ["SLICES", "markdown", "read_studies", "summarise", "write_study"]

SLICES: dict[str, Callable[[Outcome], bool]] = {
    "all": lambda outcome: True,
    "noise-free": lambda outcome: outcome.noise == 0,
    "noisy": lambda outcome: outcome.noise > 0,
    "1-2 variables": lambda outcome: outcome.n_variables <= 2,
    "3-5 variables": lambda outcome: 3 <= outcome.n_variables <= 5,
    "6-10 variables": lambda outcome: outcome.n_variables >= 6,
}
"""The parts of the held-out set that are summarised apart."""

_COLUMNS = ("n", "mean_r2", "rate_r2_gt_0.99", *(f"acc_{t:g}" for t in TOLERANCES), "mean_complexity")
_SHOWN = ("n", "R²", "R²>0.99", *(f"Acc {t:g}" for t in TOLERANCES), "complexity")


def summarise(outcomes: Iterable[Outcome]) -> list[dict[str, Any]]:
    """Return a line for every row of the table.

    ``mean_r2`` is the mean of max(0, R²) with failures as 0, the accuracies are shares of all problems with
    95% of the test points within the tolerance, and ``mean_complexity`` is over the formulas there are.
    """
    by_row: dict[str, list[Outcome]] = {row: [] for row in ROWS}
    for outcome in outcomes:
        by_row[outcome.row].append(outcome)
    return [{"row": row, **_line(found)} for row, found in by_row.items() if found]


def _line(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    scores = np.array([-np.inf if o.r2 is None else o.r2 for o in outcomes])
    sizes = [o.complexity for o in outcomes if o.complexity is not None]
    accuracies = np.mean([o.accuracy for o in outcomes], axis=0)
    return {
        "n": len(outcomes),
        "mean_r2": float(np.mean(np.maximum(scores, 0.0))),
        "rate_r2_gt_0.99": float(np.mean(scores > 0.99)),
        **{f"acc_{t:g}": float(share) for t, share in zip(TOLERANCES, accuracies, strict=True)},
        "mean_complexity": float(np.mean(sizes)) if sizes else None,
    }


def markdown(studies: Sequence[Study]) -> str:
    """Return the tables of studies and what they were made with."""
    parts = ["# In-domain: held-out synthetic problems", ""]
    for study in studies:
        parts += [f"## Weights {study.sha256[:12]}, {study.examples:,} examples", ""]
        for name, wanted in SLICES.items():
            lines = summarise(filter(wanted, study.outcomes))
            if lines:
                parts += [f"### {name}", "", *_table(lines), ""]
        ranked = sorted(summarise(study.outcomes), key=lambda line: -line["mean_r2"])
        parts += ["Order by R²: " + " > ".join(line["row"] for line in ranked) + ".", ""]
    settings = studies[0].settings
    parts += [
        "R² is the mean of max(0, R²) over all problems, on clean test points; Acc t is the share of "
        "problems with 95% of the test points within a relative error of t. The first four rows are those of "
        "Table 2 of arXiv 2204.10532: one start, no coefficient in closed form, "
        f"at most {settings.max_iterations} steps. The fifth fits the candidates of the fourth with "
        f"scale and offset in closed form and {settings.full_starts} starts.",
        "",
        "Settings: " + ", ".join(f"{name} {value}" for name, value in asdict(settings).items()) + ".",
        "",
    ]
    return "\n".join(parts)


def _table(lines: Sequence[dict[str, Any]]) -> list[str]:
    head = ["| row | " + " | ".join(_SHOWN) + " |", "|---|" + "---:|" * len(_SHOWN)]
    return head + [
        f"| {line['row']} | " + " | ".join(_cell(name, line[name]) for name in _COLUMNS) + " |"
        for line in lines
    ]


def _cell(name: str, value: float | None) -> str:
    if value is None:
        return "–"
    return str(value) if name == "n" else f"{value:.1f}" if name == "mean_complexity" else f"{value:.3f}"


def write_study(studies: Sequence[Study], out: Path) -> list[Path]:
    """Write ``outcomes.csv``, ``table.csv``, ``table.md`` and ``settings.json`` into a folder.

    Parameters
    ----------
    studies : sequence of Study
        At least one; several make a learning curve.
    out : Path
        Made where it does not exist.

    Returns
    -------
    list of Path
        The files written.
    """
    out.mkdir(parents=True, exist_ok=True)
    each = [
        {"weights": s.sha256[:12], "examples": s.examples, **o.flat()} for s in studies for o in s.outcomes
    ]
    table = [
        {"weights": s.sha256[:12], "examples": s.examples, "slice": name, **line}
        for s in studies
        for name, wanted in SLICES.items()
        for line in summarise(filter(wanted, s.outcomes))
    ]
    _write_csv(out / "outcomes.csv", each)
    _write_csv(out / "table.csv", table)
    (out / "table.md").write_text(markdown(studies), "utf8")
    facts = [
        {
            "weights": s.weights.name,
            "sha256": s.sha256,
            "examples": s.examples,
            "settings": asdict(s.settings),
        }
        for s in studies
    ]
    (out / "settings.json").write_text(json.dumps(facts, indent=2, allow_nan=False) + "\n", "utf8")
    return [out / name for name in ("outcomes.csv", "table.csv", "table.md", "settings.json")]


def read_studies(folder: Path) -> list[Study]:
    """Read what :func:`write_study` wrote into a folder; nothing where there is none.

    Raises
    ------
    InputError
        If a file is missing, or is not what was written.
    """
    files = folder / "settings.json", folder / "outcomes.csv"
    if not any(path.exists() for path in files):
        return []
    try:
        facts = json.loads(files[0].read_text("utf8"))
        with files[1].open(encoding="utf8", newline="") as stream:
            lines = list(csv.DictReader(stream))
        return [
            Study(
                Settings(**fact["settings"]),
                Path(fact["weights"]),
                fact["sha256"],
                fact["examples"],
                [_outcome(line) for line in lines if line["weights"] == fact["sha256"][:12]],
            )
            for fact in facts
        ]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"{folder} holds a part of an in-domain study that cannot be read ({error!r}). "
            "Restore settings.json and outcomes.csv, or give another folder."
        ) from error


def _outcome(line: dict[str, str]) -> Outcome:
    return Outcome(
        problem=int(line["problem"]),
        row=line["row"],
        r2=float(line["r2"]) if line["r2"] else None,
        accuracy=tuple(line[f"acc_{t:g}"] == "True" for t in TOLERANCES),
        complexity=int(line["complexity"]) if line["complexity"] else None,
        n_variables=int(line["n_variables"]),
        noise=float(line["noise"]),
        formula=line["formula"] or None,
        truth=line["truth"],
    )


def _write_csv(path: Path, lines: Sequence[dict[str, Any]]) -> None:
    with path.open("w", encoding="utf8", newline="") as stream:
        writer = csv.DictWriter(stream, list(lines[0]))
        writer.writeheader()
        writer.writerows(lines)
