"""The tables of a study, and its files: CSV at full precision, Markdown to read, maps as figures."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import pandas as pd

from srbench_ext.latent_study.columns import COLUMNS, NOTES, TITLES
from srbench_ext.latent_study.maps import SpaceMap, map_figure
from srbench_ext.latent_study.settings import SIZES
from srbench_ext.latent_study.study import BASELINES, Study
from srbench_ext.report.figures import save_figure
from srbench_ext.report.markup import Columns, cells, markdown
from srbench_ext.report.published import load_published

__all__ = ["PUBLISHED_SET", "document", "published_accuracies", "tables_of", "write_study"]

PUBLISHED_SET = "function-family classification"
"""How the published figures name this classification."""


def published_accuracies() -> pd.DataFrame:
    """Return the published accuracies: ``method``, ``accuracy``, ``source`` and ``status``."""
    known = load_published()
    chosen = known[(known["suite"] == PUBLISHED_SET) & (known["metric"] == "accuracy")]
    return chosen.rename(columns={"value": "accuracy"})[["method", "accuracy", "source", "status"]]


def tables_of(study: Study) -> dict[str, pd.DataFrame]:
    """Return the tables that have rows by name; the classification with baselines and published figures."""
    scores = study.classification
    kinds = ["baseline" if name in BASELINES else "measured" for name in scores["method"]]
    published = published_accuracies().assign(kind="published", target="class", classifier="not released")
    first = scores.assign(kind=kinds).astype(object)
    tables = {"classification": pd.concat([first, published.astype(object)], ignore_index=True)}
    for name in ("control", "paths", "radii", "smoothness", "landscape", "health"):
        frame: pd.DataFrame = getattr(study, name)
        if len(frame):
            tables[name] = frame
    return tables


def document(study: Study) -> str:
    """Return all tables of a study in Markdown, with what it was made of."""
    parts = ["# Latent spaces", "", *_about(study), ""]
    for name, frame in tables_of(study).items():
        notes = list(NOTES.get(name, ()))
        if name == "classification":
            sources = frame[["source", "status"]].dropna().drop_duplicates()
            notes += [f"published: {row.source} ({row.status})" for row in sources.itertuples()]
        whole, columns = _turned(frame) if name == "health" else (frame, COLUMNS[name])
        shown = {key: value for key, value in columns.items() if key in whole}
        parts.append(markdown(TITLES[name], shown, cells(whole, tuple(shown), shown), notes))
    return "\n".join(parts)


def _about(study: Study) -> list[str]:
    settings = study.settings
    lines = [
        f"- {space['method']}: {space['dimensions']} dimensions, track {space['track']}, weights "
        f"{str(space['weights'])[:12]}{'' if space['decodes'] else '; its points do not decode'}"
        for space in study.spaces
    ]
    lines += [f"- {absent.method} is not in it: {absent.reason}" for absent in study.absent]
    variables = " and ".join(map(str, SIZES))
    return [
        f"{settings.tables} tables of each family of functions with {variables} variables, "
        f"{settings.n_points} rows each, of {study.n_laws} laws; seed {settings.seed}.",
        "",
        *lines,
    ]


def _turned(frame: pd.DataFrame) -> tuple[pd.DataFrame, Columns]:
    """Return a table with a figure a row and a space a column."""
    turned = frame.set_index("method").T.rename_axis("figure").reset_index()
    columns: Columns = {"figure": ("figure", "s"), **{name: (name, ".4g") for name in frame["method"]}}
    return turned, columns


def write_study(study: Study, out: Path) -> list[Path]:
    """Write every table as CSV, all of them as Markdown, the settings, and the maps as CSV, PNG and SVG.

    Parameters
    ----------
    study : Study
    out : Path
        Made where it does not exist.

    Returns
    -------
    list of Path
        The files written.
    """
    out.mkdir(parents=True, exist_ok=True)
    files = []
    frames = tables_of(study)
    if len(study.points):
        frames["interpolations"] = study.points
    if study.maps:
        frames["map"] = pd.concat([_map_rows(each) for each in study.maps], ignore_index=True)
    for name, frame in frames.items():
        files.append(out / f"{name}.csv")
        frame.to_csv(files[-1], index=False)
    files.append(out / "latent.md")
    files[-1].write_text(document(study), "utf8")
    files.append(out / "settings.json")
    facts = {
        "settings": asdict(study.settings),
        "spaces": study.spaces,
        "absent": [asdict(each) for each in study.absent],
    }
    files[-1].write_text(json.dumps(facts, indent=2, allow_nan=False) + "\n", "utf8")
    for each in study.maps:
        files += save_figure(map_figure(each), out / f"map-{each.method.replace('@', '-')}")
    return files


def _map_rows(each: SpaceMap) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "method": each.method,
            "table": each.numbers,
            "family": each.families,
            "variables": each.variables,
            "level": each.level,
            "x": each.points[:, 0],
            "y": each.points[:, 1],
        }
    )
