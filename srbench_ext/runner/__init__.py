"""Plan, execute, store: from a protocol to one record a run.

:func:`plan` lists the runs, :func:`execute` runs those that the results folder does not hold yet, each in a
process of its own, and stores a record for every one, whatever became of it.
"""

from srbench_ext.runner.execute import Summary, execute
from srbench_ext.runner.plan import parse_settings, plan
from srbench_ext.runner.protocol import Protocol, RunRules, load_protocol, protocol_names
from srbench_ext.runner.store import SetAside, Store

__all__ = [
    "Protocol",
    "RunRules",
    "SetAside",
    "Store",
    "Summary",
    "execute",
    "load_protocol",
    "parse_settings",
    "plan",
    "protocol_names",
]
