"""Tables split by whether the weights of a method met a problem's truth in training.

A corpus of synthetic formulas holds short laws that are benchmark truths too. The card beside each file of
weights says which (:func:`srbench_ext.corpus.seen_problems`). A problem is *seen* when at least one of the
weights in the records met it, so that all methods, those without weights too, are scored on the same
problems; it is *unseen* when none did, and *unknown* when that cannot be said because a card, or its count,
is missing.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pandas as pd

from srbench_ext.errors import ConfigError, WeightsError
from srbench_ext.registry import describe, names

__all__ = ["SPLITS", "find_cards", "split_runs"]

SPLITS = ("seen",)


def split_runs(
    runs: pd.DataFrame, split: str, cards: Mapping[str, Mapping[str, Any]]
) -> tuple[pd.DataFrame, dict[str, str]]:
    """Set the part of every run, and say what the parts are.

    Parameters
    ----------
    runs : pandas.DataFrame
        One row a run, as :func:`srbench_ext.report.load_records` returns it.
    split : {"seen"}
        By what.
    cards : mapping
        The card of each file of weights, by the weights' sha256, as :func:`find_cards` returns them.

    Returns
    -------
    runs : pandas.DataFrame
        With ``part`` one of ``seen``, ``unseen`` and ``unknown``.
    notes : dict of str
        By part, what stands under its tables.

    Raises
    ------
    ConfigError
        For another split.
    """
    if split not in SPLITS:
        raise ConfigError(f"A report is split by one of {', '.join(SPLITS)}. Got {split!r}.")
    used = sorted(set(runs["weights_sha256"].dropna()))
    known = {sha: seen for sha in used if (seen := _seen(cards.get(sha, {}))) is not None}
    missing = [sha for sha in used if sha not in known]
    met = {problem for problems in known.values() for problem in problems}
    rest = "unknown" if missing else "unseen"
    parts = [("seen" if problem in met else rest) for problem in runs["problem"]]
    return runs.assign(part=parts), _notes(list(known), missing)


def find_cards(folder: Path) -> dict[str, dict[str, Any]]:
    """Return every card at hand, by the sha256 of the weights.

    Looked for in ``folder/cards``, in the shared weights of the package and in ``weights/`` of every method.

    Raises
    ------
    WeightsError
        When a card is not JSON.
    """
    cards = {}
    for path in _card_paths(folder):
        try:
            card = json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise WeightsError(f"The card {path} is not JSON: {error}.") from error
        if isinstance(card, dict) and isinstance(card.get("sha256"), str):
            cards[card["sha256"]] = card
    return cards


def _seen(card: Mapping[str, Any]) -> frozenset[str] | None:
    """Return the problems that weights have seen by their card; None where it does not say."""
    from srbench_ext.corpus import seen_problems  # its kernels take half a second to import

    try:
        return seen_problems(card)
    except WeightsError:
        return None


def _card_paths(folder: Path) -> Iterator[Path]:
    yield from sorted((folder / "cards").glob("*.json"))
    package = find_spec("srbench_ext")
    for location in (package.submodule_search_locations if package else None) or []:
        yield from sorted(Path(location, "models", "weights").glob("*.json"))
    for name in names():
        home = describe(name).folder
        if home is not None:
            yield from sorted((home / "weights").glob("*.json"))


def _notes(known: list[str], missing: list[str]) -> dict[str, str]:
    whose = f"the weights {', '.join(sha[:8] for sha in known)}" if known else "any weights"
    rule = "All methods are scored on the same problems."
    nobody = "" if known or missing else " No run here has weights."
    return {
        "seen": (
            f"Seen: problems whose truth, up to constants, signs and the names of variables, {whose} met in "
            f"training, by the card beside them. {rule}"
        ),
        "unseen": f"Unseen: problems whose truth was not met in training by {whose}.{nobody} {rule}",
        "unknown": (
            f"Unknown: not met in training by {whose}, but the weights "
            f"{', '.join(sha[:8] for sha in missing)} have no card here that says what they met (put it into "
            f"cards/ beside the records). {rule}"
        ),
    }
