"""Put the page together from its template, style, scripts and data."""

from __future__ import annotations

import base64
import gzip
import html
import json
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from srbench_ext.report.page.payload import page_payload

if TYPE_CHECKING:
    from srbench_ext.report.write import Report

__all__ = ["page_document", "page_name", "write_page"]

_SCRIPTS = ("elements.js", "grid.js", "charts.js", "runs.js", "views.js")


def page_name(report: Report) -> str:
    """Return ``report.html``, or ``report-parts.html`` for a report of parts."""
    return "report-parts.html" if any(table.part for table in report.tables) else "report.html"


def write_page(report: Report, folder: Path, cache: Path | None) -> Path:
    """Write the page of a report beside its records.

    Parameters
    ----------
    report : Report
        What :func:`~srbench_ext.report.make_report` made of the folder.
    folder : pathlib.Path
        Holds the records.
    cache : pathlib.Path or None
        A PMLB cache, for predictions on tables that cannot be regenerated.

    Returns
    -------
    pathlib.Path
    """
    path = folder / page_name(report)
    name = folder.resolve().name
    path.write_text(page_document(name, page_payload(report, folder, cache)), encoding="utf-8")
    return path


def page_document(name: str, payload: Mapping[str, Any]) -> str:
    """Return the page; the same payload gives the same text.

    Parameters
    ----------
    name : str
        What the page is called.
    payload : mapping
        As :func:`~.payload.page_payload` returns it.
    """
    text = json.dumps({"name": name, **payload}, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    packed = base64.b64encode(gzip.compress(text.encode("utf-8"), 9, mtime=0)).decode("ascii")
    parts = {
        "title": html.escape(f"{name}: srbench-ext report"),
        "style": _asset("page.css"),
        "script": "\n".join(map(_asset, _SCRIPTS)),
        "data": packed,
    }
    page = _asset("page.html")
    for part, content in parts.items():
        page = page.replace(f"<!-- {part} -->", content, 1)
    return page


def _asset(name: str) -> str:
    return files("srbench_ext.report.page").joinpath("assets", name).read_text("utf-8")
