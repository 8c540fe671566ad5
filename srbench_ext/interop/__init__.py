"""To and from SRBench: its method folders as plugins, its result files as records."""

from srbench_ext.interop.export import LOST, Exported, export_results
from srbench_ext.interop.method_folder import SrbenchMethod, method_class
from srbench_ext.interop.results import FORMAT_NAMES, Imported, import_results, records_of

__all__ = [
    "FORMAT_NAMES",
    "LOST",
    "Exported",
    "Imported",
    "SrbenchMethod",
    "export_results",
    "import_results",
    "method_class",
    "records_of",
]
