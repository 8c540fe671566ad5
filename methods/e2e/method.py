"""E2E: bags of rows, formulas with their constants, refinement of the best.

After Kamienny et al., *End-to-end symbolic regression with transformers* (arXiv 2204.10532). The paper's
order of operations is ``selection="ranking"``; by default the proposals go through an archive instead.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from srbench_ext.errors import InputError, WeightsError
from srbench_ext.method import Candidate, Limits, Method, SearchRun
from srbench_ext.models.checkpoint import FOUNDATION_WEIGHTS, load_foundation, read_card
from srbench_ext.models.foundation import Foundation
from srbench_ext.models.official.e2e import OfficialE2E
from srbench_ext.models.official.importing import is_official_e2e, load_e2e
from srbench_ext.models.official.places import weights_path
from srbench_ext.models.pooled import PooledMemory
from srbench_ext.models.precision import one_thread
from srbench_ext.models.tokens import MAX_VARIABLES
from srbench_ext.search import TOKEN_WEIGHT, Judge

from .official import OfficialProposals
from .ranking import Ranking, Refining
from .rounds import Mode, Proposals, Source
from .screening import Schedule, Screening
from .whitening import Whitening

__all__ = ["E2E"]

FloatArray = NDArray[np.float64]
Network = Foundation | OfficialE2E

_MODES: dict[str, tuple[Mode, ...]] = {
    "numeric": ("numeric",),
    "skeleton": ("skeleton",),
    "both": ("skeleton", "numeric"),
}


class E2E(Method):
    """Transformer that writes the whole formula, refined by least squares.

    Parameters
    ----------
    max_seconds, random_state
        As for every method.
    mode : {"both", "numeric", "skeleton"}
        Whether the network writes the constants, placeholders for them, or both in turn. The authors'
        network always writes them.
    selection : {"archive", "ranking"}
        What becomes of the formulas. ``archive``: each is looked at with scale and offset in closed form, the
        front of size and validation error is refined and snapped. ``ranking``, as in the paper: the
        best by fit of each round are refined.
    decoding : {"sampling", "beam"}
    n_bags, bag_size : int
        Bags of rows in a round, and rows in a bag.
    n_candidates : int
        Samples for each bag, or the beam size.
    temperature : float
        Of sampling; with the archive two rounds of four are at 1.5 times of it.
    permutations : int
        With the archive: other assignments of columns looked at for each formula.
    constants : bool
        With the archive: look at each formula with constants in more places too.
    sums : bool
        With the archive: terms that the network wrote are added up, and where that explains more than any
        formula every second round shows the network what the sum leaves of the target.
    infills : int
        With the archive: formulas of it that get new subtrees from the network after each round, 12 each.
    n_refined : int
        With ranking: distinct skeletons refined in a round.
    refinement : {"model", "random", "none"}
        With ranking: where refinement starts, at the predicted constants, at random ones, or not at all.
    closed_form : bool
        With ranking: give each formula an outer scale and offset.
    whiten : bool
        With ranking: the network sees whitened inputs, and formulas are written back in the given units.
        The authors' network always does with the archive.
    n_starts : int
        Starts of a refinement; those after the first are random.
    fit_rows : int
        Rows used during the search; the best are fitted on all rows.
    max_rounds : int
        Rounds of candidates; the time is up earlier, as a rule.
    weights : str or None
        Another weights file than the one that ships; ``release``: those that ship beside it and have seen
        more examples; ``official``: the authors', as ``srbench-ext weights import`` wrote them to the user's
        data folder.
    """

    name = "e2e"
    version = "4"
    max_features = MAX_VARIABLES
    choice_rule = "archive-score"
    limits: ClassVar[Limits] = {
        "n_bags": (1, None),
        "bag_size": (1, None),
        "n_candidates": (1, None),
        "temperature": (0.01, 100.0),
        "permutations": (0, None),
        "infills": (0, None),
        "n_refined": (1, None),
        "n_starts": (1, None),
        "fit_rows": (1, None),
        "max_rounds": (1, None),
    }

    def __init__(
        self,
        *,
        max_seconds: float = 60.0,
        random_state: int = 0,
        mode: Literal["both", "numeric", "skeleton"] = "both",
        selection: Literal["archive", "ranking"] = "archive",
        decoding: Literal["sampling", "beam"] = "sampling",
        n_bags: int = 8,
        bag_size: int = 64,
        n_candidates: int = 16,
        temperature: float = 1.0,
        permutations: int = 0,
        constants: bool = True,
        sums: bool = True,
        infills: int = 24,
        n_refined: int = 60,
        refinement: Literal["model", "random", "none"] = "model",
        closed_form: bool = True,
        whiten: bool = False,
        n_starts: int = 2,
        fit_rows: int = 500,
        max_rounds: int = 1000,
        weights: str | None = None,
    ) -> None:
        super().__init__(max_seconds=max_seconds, random_state=random_state)
        self.mode = mode
        self.selection = selection
        self.decoding = decoding
        self.n_bags = n_bags
        self.bag_size = bag_size
        self.n_candidates = n_candidates
        self.temperature = temperature
        self.permutations = permutations
        self.constants = constants
        self.sums = sums
        self.infills = infills
        self.n_refined = n_refined
        self.refinement = refinement
        self.closed_form = closed_form
        self.whiten = whiten
        self.n_starts = n_starts
        self.fit_rows = fit_rows
        self.max_rounds = max_rounds
        self.weights = weights

    @property
    def weights_sha256(self) -> str | None:
        """The sha256 of the foundation weights."""
        return str(read_card(self._weights_path)["sha256"])

    @property
    def _weights_path(self) -> Path:
        return weights_path(self.weights, self.name, FOUNDATION_WEIGHTS)

    def open_space(self, n_variables: int, rng: np.random.Generator) -> PooledMemory:
        """Return the mean of the memory that the decoder reads, which does not decode itself.

        Raises
        ------
        WeightsError
            If the weights are missing or altered, or are the authors', whose memory has another shape.
        """
        model, _ = self._load()
        if not isinstance(model, Foundation):
            raise WeightsError(
                f"The latent space of {self.name!r} is that of the foundation model. Got the authors' "
                "weights; leave `weights` out."
            )
        return PooledMemory(model)

    def search(self, X: FloatArray, y: FloatArray, run: SearchRun) -> Iterator[Candidate]:
        """Yield candidates as they come, and the best of them fitted on all rows."""
        with one_thread():
            with run.phase("load"):
                model, card = self._load()
            if "examples" in card:  # the authors' file does not say it
                run.note("weights_examples", card["examples"])
            if self.selection == "ranking":
                yield from self._ranking(model, X, y, run).search()
                return
            screening = self._screening(model, X, y, run)
            self._judge = screening.judge
            yield from screening.search()

    def _load(self) -> tuple[Network, dict[str, Any]]:
        path = self._weights_path
        if not is_official_e2e(read_card(path)):
            return load_foundation(path)
        if self.mode == "skeleton":
            raise InputError(
                "The authors' network of E2E writes constants, never placeholders. "
                "Got mode 'skeleton'; leave it out or give 'numeric'."
            )
        return load_e2e(path)

    def choose(self, front: Sequence[Candidate], X: FloatArray, y: FloatArray, run: SearchRun) -> Candidate:
        """Choose by the order of :class:`srbench_ext.search.Judge`, linear formulas being the fallbacks.

        In the order of operations of the paper nothing is cross-validated: it would fit constants again.
        """
        judge: Judge | None = self.__dict__.pop("_judge", None)
        if judge is not None:
            return front[judge.first(front)[0]]
        plain = Judge(X, y, run.deadline, least_weight=TOKEN_WEIGHT)
        return min(front, key=lambda candidate: plain.rank(candidate, crossed=False))

    def _proposals(
        self, model: Network, X: FloatArray, y: FloatArray, run: SearchRun, *, whiten: bool
    ) -> Source:
        """Return where formulas come from; ``whiten``: whether the authors' network whitens X itself."""
        drawn: dict[str, Any] = {
            "decoding": self.decoding,
            "n_bags": self.n_bags,
            "bag_size": self.bag_size,
            "n_candidates": self.n_candidates,
        }
        if isinstance(model, OfficialE2E):
            return OfficialProposals(model, X, y, run, whiten=whiten, **drawn)
        return Proposals(model, X, y, run, **drawn)

    def _screening(self, model: Network, X: FloatArray, y: FloatArray, run: SearchRun) -> Screening:
        temperatures = (self.temperature,) * 2 + (1.5 * self.temperature,) * 2
        schedule = Schedule(
            _MODES[self.mode],
            temperatures,
            self.permutations,
            self.constants,
            self.sums,
            self.infills,
        )
        return Screening(
            self._proposals(model, X, y, run, whiten=True),
            schedule,
            max_rounds=self.max_rounds,
            fit_rows=self.fit_rows,
            n_starts=self.n_starts,
        )

    def _ranking(self, model: Network, X: FloatArray, y: FloatArray, run: SearchRun) -> Ranking:
        whitening = Whitening.of(X) if self.whiten else None
        seen = X if whitening is None else np.ascontiguousarray(whitening.apply(X))
        return Ranking(
            self._proposals(model, seen, y, run, whiten=False),
            "skeleton" if self.mode == "skeleton" else "numeric",
            self.temperature,
            Refining(self.refinement, self.n_refined, self.n_starts, self.closed_form),
            whitening=whitening,
            max_rounds=self.max_rounds,
            fit_rows=self.fit_rows,
        )
