"""From record files to tables and figures.

::

    records ──load_records──> one row a run ──score──> one row a method
                                     └── build_tables, published figures beside ──> write_report

Nothing here runs a method; the package imports neither the runner nor torch, and matplotlib only to draw.
"""

from srbench_ext.report.failures import failure_rule
from srbench_ext.report.insert import insert_tables
from srbench_ext.report.load import load_records
from srbench_ext.report.published import load_published
from srbench_ext.report.scores import score
from srbench_ext.report.tables import ResultTable, build_tables
from srbench_ext.report.write import Report, make_report, write_report

__all__ = [
    "Report",
    "ResultTable",
    "build_tables",
    "failure_rule",
    "insert_tables",
    "load_published",
    "load_records",
    "make_report",
    "score",
    "write_report",
]
