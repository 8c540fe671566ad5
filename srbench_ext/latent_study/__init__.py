"""Latent spaces side by side: what they tell apart, what lies between and around tables, maps of them."""

from srbench_ext.latent_study.settings import SIZES, Settings
from srbench_ext.latent_study.spaces import Absent, Space, open_spaces
from srbench_ext.latent_study.study import Study, run_study
from srbench_ext.latent_study.tables import document, tables_of, write_study

__all__ = [
    "SIZES",
    "Absent",
    "Settings",
    "Space",
    "Study",
    "document",
    "open_spaces",
    "run_study",
    "tables_of",
    "write_study",
]
