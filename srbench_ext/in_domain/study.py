"""All rows on the whole held-out set, in parallel."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from joblib import Parallel, delayed

from srbench_ext.corpus.held_out import HeldOutExample, held_out
from srbench_ext.expression import warm_up
from srbench_ext.in_domain.rows import Outcome, Settings, solve
from srbench_ext.models.checkpoint import load_foundation, read_card

__all__ = ["Study", "run_study"]

_CHUNK = 10  # problems sent to a worker at once


@dataclass(frozen=True, slots=True)
class Study:
    """What a study found.

    Attributes
    ----------
    settings : Settings
    weights : Path
    sha256 : str
        Of the weights.
    examples : int
        How many examples the weights were trained on.
    outcomes : list of Outcome
        By problem, then by row.
    """

    settings: Settings
    weights: Path
    sha256: str
    examples: int
    outcomes: list[Outcome]


def run_study(
    weights: Path,
    settings: Settings,
    *,
    jobs: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> Study:
    """Make every row of the table for every problem of the held-out set.

    No deadline is involved: equal weights and settings give equal outcomes, whatever the number of jobs.

    Parameters
    ----------
    weights : Path
        A foundation model's ``.safetensors`` with its card.
    settings : Settings
    jobs : int
        Worker processes, one thread each.
    progress : callable, optional
        Called with the number of problems done and to do.

    Raises
    ------
    WeightsError
        If the weights are missing, altered or of another model.
    """
    card: dict[str, Any] = read_card(weights)
    load_foundation(weights)  # a file that does not fit is an error before any work
    warm_up()
    examples = held_out(settings.problems, settings.n_points, n_test_points=settings.n_test_points)
    chunks = [range(i, min(i + _CHUNK, len(examples))) for i in range(0, len(examples), _CHUNK)]
    tasks = (delayed(_solve_chunk)(weights, [examples[i] for i in c], c.start, settings) for c in chunks)
    outcomes: list[Outcome] = []
    for chunk, found in zip(chunks, Parallel(n_jobs=jobs, return_as="generator")(tasks), strict=True):
        outcomes += found
        if progress is not None:
            progress(chunk.stop, len(examples))
    return Study(settings, weights, str(card["sha256"]), int(card["examples"]), outcomes)


def _solve_chunk(
    weights: Path, examples: Sequence[HeldOutExample], first: int, settings: Settings
) -> list[Outcome]:
    model, _ = load_foundation(weights)
    found: list[Outcome] = []
    for offset, example in enumerate(examples):
        found += solve(model, example, first + offset, settings)
    return found
