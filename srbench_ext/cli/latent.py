"""``srbench-ext latent``: the latent spaces of methods side by side."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from srbench_ext.cli.printing import print_json
from srbench_ext.errors import ConfigError

__all__ = ["latent"]


def latent(
    methods: Annotated[str, typer.Argument(metavar="METHOD[,METHOD]", help="Methods with a latent space.")],
    out: Annotated[Path, typer.Option(help="Where tables and figures go.")],
    tables: Annotated[int, typer.Option(help="Tables of a class: family and number of variables.")] = 1000,
    points: Annotated[int, typer.Option(help="Rows of a table.")] = 200,
    pairs: Annotated[int, typer.Option(help="Interpolated pairs; 0: none.")] = 500,
    bases: Annotated[int, typer.Option(help="Encodings whose neighbourhood is decoded; 0: none.")] = 200,
    landscapes: Annotated[int, typer.Option(help="Tables whose landscape is measured; 0: none.")] = 20,
    health: Annotated[int, typer.Option(help="Examples for the health of autoencoders; 0: none.")] = 1024,
    mapped: Annotated[int, typer.Option(help="Tables on the map; 0: no map.")] = 1500,
    setting: Annotated[
        list[str] | None,
        typer.Option("--set", help="A parameter of one method, as in gensr.weights=FILE."),
    ] = None,
    seed: Annotated[int, typer.Option(help="Of pairs, bases, directions, folds and maps.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Analyse latent spaces: classification, interpolation, neighbourhood, landscape, health, a map.

    Writes latent.md, a CSV of every table, settings.json and map-METHOD.svg and .png. A method without a
    space, or without weights, is left out with the reason.
    """
    from srbench_ext.latent_study import (
        SIZES,
        Settings,
        document,
        open_spaces,
        run_study,
        tables_of,
        write_study,
    )

    settings = Settings(
        tables=tables,
        n_points=points,
        pairs=pairs,
        bases=bases,
        landscapes=landscapes,
        health_examples=health,
        mapped=mapped,
        seed=seed,
    )
    names = [name.strip() for name in methods.split(",")]
    spaces, absent = open_spaces(names, SIZES, seed, _by_method(setting or []))
    for each in absent:
        print(f"{each.method} is left out: {each.reason}", file=sys.stderr)
    study = run_study(spaces, settings, absent=absent, progress=_progress)
    files = write_study(study, out)
    if as_json:
        frames = {name: frame.astype(object) for name, frame in tables_of(study).items()}
        rows = {name: frame.where(frame.notna(), None).to_dict("records") for name, frame in frames.items()}
        missing = {each.method: each.reason for each in absent}
        print_json({"tables": rows, "left_out": missing, "files": [str(path) for path in files]})
        return
    print(document(study))
    for path in files:
        print(path)


def _by_method(settings: list[str]) -> dict[str, dict[str, Any]]:
    """Read parameters with the method they are of before the first dot."""
    from srbench_ext.runner import parse_settings

    found: dict[str, dict[str, Any]] = {}
    for setting in settings:
        method, dot, rest = setting.partition(".")
        if not dot or "=" in method:
            raise ConfigError(
                f"A parameter of a study is METHOD.NAME=VALUE, as in gensr.weights=FILE. Got {setting!r}."
            )
        found.setdefault(method, {}).update(parse_settings([rest]))
    return found


def _progress(what: str) -> None:
    print(what, file=sys.stderr, flush=True)
