"""Rules by which failed runs are scored: each is named, and the chosen one stands under every table.

==========  ====================  ========================  ==================  ======================
rule        rates                 mean and median R²        complexity, time    pairs and ranks (NMSE)
==========  ====================  ========================  ==================  ======================
miss        a miss                0 in the mean, -∞ in the  over ok runs        last
                                  median
drop        left out              left out                  over ok runs        left out
worst-rank  a miss                the worst of any method   the worst of any    last
                                  on the problem            method on it
==========  ====================  ========================  ==================  ======================

``miss`` is the project's rule, ``drop`` that of SRBench 2021, whose rates are over survivors, and
``worst-rank`` that of SRBench 2025, which fills missing runs with the worst value of all methods.
"""

from __future__ import annotations

from typing import Literal, cast, get_args

import numpy as np
import numpy.typing as npt
import pandas as pd

from srbench_ext.errors import ConfigError

__all__ = ["FAILURE_RULES", "FailureRule", "apply_rule", "failure_rule", "rule_in_words"]

FailureRule = Literal["miss", "drop", "worst-rank"]
FAILURE_RULES: tuple[str, ...] = get_args(FailureRule)

_UNIT = ["protocol", "protocol_hash", "suite", "noise", "part", "problem", "source_kind", "trial"]
_WORDS = {
    "miss": (
        "A failed run counts as a miss in every rate, as 0 in mean R² and as minus infinity in median R²; "
        "complexity and seconds are over ok runs."
    ),
    "drop": (
        "Failed runs are dropped: every figure is over ok runs only, so that methods are scored on different "
        "problems where they failed (rule `drop`, not comparable with tables of the rule `miss`)."
    ),
    "worst-rank": (
        "A failed run counts as a miss in every rate and ranks last on its problem; its R², complexity and "
        "seconds are the worst that any method of the table has on that problem (rule `worst-rank`)."
    ),
}

FloatArray = npt.NDArray[np.float64]


def failure_rule(name: str) -> FailureRule:
    """Return the rule of this name.

    Raises
    ------
    ConfigError
        When there is none.
    """
    if name not in FAILURE_RULES:
        raise ConfigError(
            f"The rule for failed runs must be one of {', '.join(FAILURE_RULES)}. Got {name!r}."
        )
    return cast("FailureRule", name)


def rule_in_words(rule: FailureRule) -> str:
    """Return the sentence that stands under a table of this rule."""
    return _WORDS[rule]


def apply_rule(runs: pd.DataFrame, rule: FailureRule) -> pd.DataFrame:
    """Return the runs as they are scored.

    Parameters
    ----------
    runs : pandas.DataFrame
        One row a run, as :func:`srbench_ext.report.load_records` returns it.
    rule : {"miss", "drop", "worst-rank"}
        See the table above.

    Returns
    -------
    pandas.DataFrame
        ``r2_test`` and ``r2_test_one_se`` are minus infinity where nothing is known, ``nmse_test`` infinite,
        ``complexity``, ``complexity_simplified`` and ``seconds`` NaN. ``r2_averaged`` is what mean and median
        take: ``r2_test``, but filled under ``worst-rank``, where a failed run stays a miss in the rates.
        ``ok`` is new too. Under ``drop`` failed runs are gone.
    """
    ok = (runs["status"] == "ok").to_numpy(bool)
    scored = runs.assign(ok=ok)
    for column in ("r2_test", "r2_test_one_se"):
        scored[column] = _known(runs[column], ok, -np.inf)
    scored["r2_averaged"] = scored["r2_test"]
    scored["nmse_test"] = _known(runs["nmse_test"], ok, np.inf)
    for column in ("complexity", "complexity_simplified", "seconds"):
        scored[column] = _known(runs[column], ok, np.nan)
    if rule == "drop":
        return scored[ok]
    return _fill_with_worst(scored) if rule == "worst-rank" else scored


def _known(column: pd.Series, ok: npt.NDArray[np.bool_], otherwise: float) -> FloatArray:
    values = column.to_numpy(np.float64, na_value=np.nan)
    return np.where(ok & np.isfinite(values), values, otherwise)


def _fill_with_worst(scored: pd.DataFrame) -> pd.DataFrame:
    filled = scored.copy()
    units = [scored[name] for name in _UNIT]
    r2 = scored["r2_test"].where(np.isfinite(scored["r2_test"]))
    filled["r2_averaged"] = r2.fillna(r2.groupby(units).transform("min")).fillna(-np.inf)
    for column in ("complexity", "complexity_simplified", "seconds"):
        values = scored[column]
        # a method of opaque models has no complexity, so its failures have none either
        measured = values.notna().groupby(scored["method"]).transform("any")
        worst = values.groupby(units).transform("max")
        filled[column] = values.where(scored["ok"] | ~measured, worst)
    return filled
