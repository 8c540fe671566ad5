"""Why a run cannot be done here: a package or a table that is not there."""

from __future__ import annotations

from pathlib import Path

from srbench_ext.data import Problem, load_suite, source_kind
from srbench_ext.errors import UnknownNameError
from srbench_ext.record import RunSpec
from srbench_ext.registry import describe, missing_error

__all__ = ["Support", "problem_of"]


class Support:
    """What this machine lacks, looked up once for each method and problem.

    Parameters
    ----------
    cache : Path or None
        The PMLB cache.
    """

    def __init__(self, cache: Path | None) -> None:
        self._cache = cache
        self._by_method: dict[str, str | None] = {}
        self._by_problem: dict[tuple[str, str, str], str | None] = {}

    def reason(self, spec: RunSpec) -> str | None:
        """Return why a run cannot be done here, and what to do about it; None when nothing is known."""
        if spec.method not in self._by_method:
            self._by_method[spec.method] = _lacking_package(spec.method)
        key = (spec.suite, spec.problem, spec.source_kind)
        if key not in self._by_problem:
            self._by_problem[key] = self._lacking_table(spec)
        return self._by_method[spec.method] or self._by_problem[key]

    def can_run(self, spec: RunSpec) -> bool:
        """Whether nothing is known to be lacking."""
        return self.reason(spec) is None

    def _lacking_table(self, spec: RunSpec) -> str | None:
        if spec.source_kind != "cache" or source_kind(problem_of(spec), self._cache) == "cache":
            return None
        place = self._cache or "there is none"
        return (
            f"The table of {spec.suite}/{spec.problem} is not in the PMLB cache ({place}). "
            f"Run: srbench-ext data fetch {spec.suite}"
        )


def problem_of(spec: RunSpec) -> Problem:
    """Return the problem of a run.

    Raises
    ------
    UnknownNameError
        With the nearest names of its suite.
    """
    problems = {problem.name: problem for problem in load_suite(spec.suite).problems}
    if spec.problem not in problems:
        raise UnknownNameError(f"problem of suite {spec.suite!r}", spec.problem, problems)
    return problems[spec.problem]


def _lacking_package(method: str) -> str | None:
    lacking = missing_error(describe(method), f"The method {method!r}")
    return None if lacking is None else str(lacking)
