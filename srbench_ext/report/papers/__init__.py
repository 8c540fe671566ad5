"""The tables and figures of a paper, from all folders of records together.

::

    results/*/records ──make_report──> tables of every folder ──layouts.toml──> results/tables
    results/*/outcomes.csv ─────────────────────────────────────────┘

What the records do not hold is left out, and the notes say so.
"""

from srbench_ext.report.papers.layouts import Layout, load_layouts
from srbench_ext.report.papers.table import PaperTable
from srbench_ext.report.papers.write import write_papers

__all__ = ["Layout", "PaperTable", "load_layouts", "write_papers"]
