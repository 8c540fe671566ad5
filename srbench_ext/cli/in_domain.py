"""``srbench-ext in-domain``: the ablation on held-out synthetic problems."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from srbench_ext.cli.options import AsJson
from srbench_ext.cli.printing import print_json, print_table
from srbench_ext.errors import InputError

__all__ = ["in_domain"]


def in_domain(
    out: Annotated[Path, typer.Option(help="Where the tables go.")],
    problems: Annotated[int, typer.Option(help="Held-out problems, the first ones.", min=1)] = 1000,
    weights: Annotated[
        list[Path] | None,
        typer.Option(help="Foundation weights; several make a learning curve (default: shipped)."),
    ] = None,
    samples: Annotated[int, typer.Option(help="Formulas sampled a problem and mode.", min=1)] = 64,
    refined: Annotated[int, typer.Option(help="Skeletons refined a row.", min=1)] = 10,
    seed: Annotated[int, typer.Option(help="Of bags, samples and random starts.", min=0)] = 0,
    jobs: Annotated[int, typer.Option(help="Worker processes, one thread each.", min=1)] = 1,
    as_json: AsJson = False,
) -> None:
    """Make the four rows of E2E's ablation, and a fifth, on held-out synthetic problems.

    Writes table.md, table.csv, outcomes.csv and settings.json. Weights whose outcomes lie in OUT are not run
    again, and others that lie there stay: one more --weights is one more point of a learning curve.
    """
    from srbench_ext.in_domain import Settings, read_studies, run_study, summarise, write_study
    from srbench_ext.models.checkpoint import FOUNDATION_WEIGHTS, read_card

    settings = Settings(problems=problems, samples=samples, n_refined=refined, seed=seed)
    studies = read_studies(out)
    if any(study.settings != settings for study in studies):
        raise InputError(
            f"{out} holds a study with other settings. Give the same settings, or another folder."
        )
    known = {study.sha256 for study in studies}
    asked = [path for path in weights or [FOUNDATION_WEIGHTS] if read_card(path)["sha256"] not in known]
    studies += [run_study(path, settings, jobs=jobs, progress=_progress) for path in asked]
    studies.sort(key=lambda study: study.examples)
    if as_json:
        tables = [
            {"weights": s.weights.name, "examples": s.examples, "rows": list(summarise(s.outcomes))}
            for s in studies
        ]
        print_json({"studies": tables, "files": [str(path) for path in write_study(studies, out)]})
        return
    for study in studies:
        lines = summarise(study.outcomes)
        print_table(
            ("row", *(name for name in lines[0] if name != "row")),
            [[_cell(value) for value in line.values()] for line in lines],
            title=f"{study.weights.name}, {study.examples:,} examples",
            right=range(1, len(lines[0])),
        )
    for path in write_study(studies, out):
        print(path)


def _progress(done: int, total: int) -> None:
    print(f"\r{done} of {total} problems", end="\n" if done == total else "", file=sys.stderr, flush=True)


def _cell(value: object) -> str:
    return f"{value:.3f}" if isinstance(value, float) else "–" if value is None else str(value)
