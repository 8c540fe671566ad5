"""The in-domain table: E2E's ablation on synthetic problems that training never draws."""

from srbench_ext.in_domain.rows import ROWS, Outcome, Settings, solve
from srbench_ext.in_domain.study import Study, run_study
from srbench_ext.in_domain.summary import markdown, read_studies, summarise, write_study

__all__ = [
    "ROWS",
    "Outcome",
    "Settings",
    "Study",
    "markdown",
    "read_studies",
    "run_study",
    "solve",
    "summarise",
    "write_study",
]
