"""Problems, suites, tables, splits and noise.

A suite is a folder of facts under ``datasets/`` (formulas, ranges, sizes, hashes; no rows). Its tables are
read from a PMLB cache, downloaded into one on request, or regenerated from the facts.
"""

from srbench_ext.data.cache import (
    CACHE_VARIABLE,
    ProblemStatus,
    SuiteLocation,
    cache_folder,
    find_cache,
    source_kind,
    table_path,
    verify,
    where,
)
from srbench_ext.data.fetch import BASE_URL, URL_VARIABLE, fetch_problem, fetch_suite
from srbench_ext.data.noise import add_noise, split_rows
from srbench_ext.data.problem import OdeSystem, Problem, SourceKind, Table
from srbench_ext.data.regeneration import regenerate
from srbench_ext.data.streams import StreamKind, data_stream, seed_of, stream
from srbench_ext.data.suite import Suite, load_suite, read_suite, select, suite_names, suites
from srbench_ext.data.table import load_table, require_finite

__all__ = [
    "BASE_URL",
    "CACHE_VARIABLE",
    "URL_VARIABLE",
    "OdeSystem",
    "Problem",
    "ProblemStatus",
    "SourceKind",
    "StreamKind",
    "Suite",
    "SuiteLocation",
    "Table",
    "add_noise",
    "cache_folder",
    "data_stream",
    "fetch_problem",
    "fetch_suite",
    "find_cache",
    "load_suite",
    "load_table",
    "read_suite",
    "regenerate",
    "require_finite",
    "seed_of",
    "select",
    "source_kind",
    "split_rows",
    "stream",
    "suite_names",
    "suites",
    "table_path",
    "verify",
    "where",
]
