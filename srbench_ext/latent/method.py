"""Methods that search a latent space: one set of parameters and one course for all of them."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import fields
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from srbench_ext.expression import Expression
from srbench_ext.latent.scoring import Duplicates, Fitness
from srbench_ext.latent.search import LatentSearch, OptimiserName, Scale, Settings
from srbench_ext.latent.space import LatentSpace
from srbench_ext.method import Candidate, Limits, Method, SearchRun
from srbench_ext.models.checkpoint import load_weights, read_card
from srbench_ext.models.latent import LatentNet, NetworkSpace
from srbench_ext.models.official.e2e_decoding import MAX_WORDS
from srbench_ext.models.official.latent_importing import is_official_latent, load_latent
from srbench_ext.models.official.latent_space import OfficialSpace
from srbench_ext.models.official.places import weights_path
from srbench_ext.models.precision import one_thread
from srbench_ext.models.tokens import MAX_VARIABLES
from srbench_ext.search import TOKEN_WEIGHT, Archive, Entry, Judge, linear_fallbacks, refined_front

__all__ = ["LatentMethod"]

FloatArray = NDArray[np.float64]

WORDS_A_NUMBER = 3
"""Of the authors' decoder."""
FOR_CHOICE = 0.3
"""Share of the time kept for the end that is the choice's, which may cross-validate."""


class LatentMethod(Method):
    """Encodes a table, then searches around it for the latent point that decodes to its formula.

    A subclass names its weights in :attr:`shipped` and makes their network in :meth:`build`.

    Parameters
    ----------
    max_seconds, random_state
        As for every method.
    optimiser : {"separable-cma", "cma", "grey-wolf", "official-es", "random", "none"}
        CMA-ES with a diagonal or a full covariance, SNIP's grey wolves, GenSR's evolution strategy as
        released, random perturbations, or the means of ``n_bags`` bags, again and again. Any of them
        searches any latent space.
    population, parents : int
        Points of a generation, and (``official-es``) those that make the next mean.
    step_size : float
        First step size of CMA-ES, in units of ``scale`` (``official-es``: of the scaled prior variance;
        ``random``: of all perturbations).
    scale : {"prior", "unit"}
        Size of perturbations: the deviation of the prior and between bags, or one.
    kept_dimensions : int or None
        ``official-es``: dimensions that the search moves in, those of largest variance; None for all.
    cooling : int
        ``grey-wolf``: generations over which the steps shrink to nothing (SNIP: 80); then the search starts
        again.
    bag_size, n_bags, n_noisy, n_perturbed : int
        The first population; see :func:`srbench_ext.latent.space.localise`.
    n_fresh : int
        Prior means of new bags decoded beside each generation; where one is better than all before it since
        the start, the search goes on from there (``separable-cma``, ``cma`` and ``random``).
    n_samples, temperature : int, float
        Sequences decoded from a point; at temperature 0 the most likely tokens, once.
    fitness, duplicates, tokens_per_unit, constants
        See :class:`srbench_ext.latent.scoring.Scorer`.
    complexity_weight : float
        What a token costs beside the decimal logarithm of the error, of ``log``.
    sums : bool
        Every few generations terms of what was decoded are added up by forward selection; where such a sum
        is better than any formula decoded, the encoder is shown what it leaves.
    selection : {"archive", "one-se"}
        Choose by the order of :class:`srbench_ext.search.Judge`, with linear formulas to fall back on, or by
        :func:`srbench_ext.method.one_se` among what was decoded.
    patience : int
        Generations without a better formula after which the search starts again from fresh bags; 0
        never does.
    max_generations, max_decodes : int or None
        Limits of the search besides the time.
    stop_r2, stop_generation : float or None, int
        The search ends where the best formula's R² on the rows of the fit exceeds ``stop_r2``; before
        generation ``stop_generation`` it must exceed 0.99.
    max_fit_rows : int
        Rows that constants are fitted on in the search.
    weights : str or None
        Another weights file than the one that ships, or ``official``: the authors', as
        ``srbench-ext weights import`` wrote them to the user's data folder.
    unscale : bool
        On the authors' weights, whose formulas are of whitened columns: write them back to the columns.
        False evaluates them on the columns as they are, as the released code does.

    Attributes
    ----------
    shipped : Path
        The weights that ship, or that belong there once they are trained.
    """

    shipped: ClassVar[Path]
    max_features = MAX_VARIABLES
    limits: ClassVar[Limits] = {
        "population": (4, None),
        "parents": (1, None),
        "step_size": (0.0, None),
        "kept_dimensions": (1, None),
        "cooling": (1, None),
        "bag_size": (1, None),
        "n_bags": (1, None),
        "n_noisy": (0, None),
        "n_perturbed": (0, None),
        "n_fresh": (0, None),
        "n_samples": (1, None),
        "temperature": (0.0, 100.0),
        "tokens_per_unit": (1.0, None),
        "complexity_weight": (0.0, None),
        "patience": (0, None),
        "max_generations": (0, None),
        "max_decodes": (1, None),
        "stop_r2": (0.0, 1.0),
        "stop_generation": (0, None),
        "max_fit_rows": (1, None),
    }

    def __init__(
        self,
        *,
        max_seconds: float = 60.0,
        random_state: int = 0,
        optimiser: OptimiserName = "separable-cma",
        population: int = 48,
        parents: int = 16,
        step_size: float = 1.0,
        scale: Scale = "prior",
        kept_dimensions: int | None = None,
        cooling: int = 30,
        bag_size: int = 64,
        n_bags: int = 16,
        n_noisy: int = 16,
        n_perturbed: int = 32,
        n_fresh: int = 16,
        n_samples: int = 4,
        temperature: float = 1.0,
        fitness: Fitness = "log",
        duplicates: Duplicates = "cached",
        tokens_per_unit: float = 400.0,
        complexity_weight: float = 0.01,
        constants: bool = True,
        sums: bool = True,
        selection: Literal["archive", "one-se"] = "archive",
        patience: int = 8,
        max_generations: int | None = None,
        max_decodes: int | None = None,
        stop_r2: float | None = None,
        stop_generation: int = 0,
        max_fit_rows: int = 300,
        weights: str | None = None,
        unscale: bool = True,
    ) -> None:
        super().__init__(max_seconds=max_seconds, random_state=random_state)
        self.optimiser = optimiser
        self.population = population
        self.parents = parents
        self.step_size = step_size
        self.scale = scale
        self.kept_dimensions = kept_dimensions
        self.cooling = cooling
        self.bag_size = bag_size
        self.n_bags = n_bags
        self.n_noisy = n_noisy
        self.n_perturbed = n_perturbed
        self.n_fresh = n_fresh
        self.n_samples = n_samples
        self.temperature = temperature
        self.fitness = fitness
        self.duplicates = duplicates
        self.tokens_per_unit = tokens_per_unit
        self.complexity_weight = complexity_weight
        self.constants = constants
        self.sums = sums
        self.selection = selection
        self.patience = patience
        self.max_generations = max_generations
        self.max_decodes = max_decodes
        self.stop_r2 = stop_r2
        self.stop_generation = stop_generation
        self.max_fit_rows = max_fit_rows
        self.weights = weights
        self.unscale = unscale

    @property
    def choice_rule(self) -> str:  # type: ignore[override]  # it depends on the parameters
        """Name of the rule of :meth:`choose`."""
        return "archive-score" if self.selection == "archive" else "one-se"

    @staticmethod
    @abstractmethod
    def build(values: dict[str, Any]) -> LatentNet:
        """Make the network of a card; a function of a module, see :func:`load_weights`."""

    @property
    def weights_sha256(self) -> str | None:
        """The sha256 of the weights."""
        return str(read_card(self._weights_path)["sha256"])

    @property
    def _weights_path(self) -> Path:
        return weights_path(self.weights, self.name, self.shipped)

    def open_space(self, n_variables: int, rng: np.random.Generator) -> LatentSpace:
        """Return the method's latent space for tables of ``n_variables`` columns.

        Raises
        ------
        WeightsError
            If the weights are missing, altered, or of another network.
        """
        return self._load(n_variables, rng)[0]

    def _load(
        self, n_variables: int, rng: np.random.Generator, columns: FloatArray | None = None
    ) -> tuple[LatentSpace, dict[str, Any]]:
        """Return the space of the weights, for a table with these columns if they are given, and the card."""
        path = self._weights_path
        if is_official_latent(read_card(path)):
            official, card = load_latent(path)
            return OfficialSpace(official, n_variables, rng, columns=columns, unscale=self.unscale), card
        net, card = load_weights(path, self.build)
        return NetworkSpace(net, n_variables, rng), card

    def search(self, X: FloatArray, y: FloatArray, run: SearchRun) -> Iterator[Candidate]:
        """Yield every better formula, and at the end the front fitted on all rows and snapped."""
        settings = Settings(**{field.name: getattr(self, field.name) for field in fields(Settings)})
        with one_thread():
            with run.phase("load"):
                space, card = self._load(X.shape[1], run.rng, X)
            if "examples" in card:  # the authors' files do not say it
                run.note("weights_examples", card["examples"])
            new_archive = partial(
                Archive,
                X,
                y,
                run.rng,
                max_fit_rows=self.max_fit_rows,
                complexity_weight=self.complexity_weight,
            )
            if is_official_latent(card):
                archive = new_archive(max_tokens=MAX_WORDS, max_constants=MAX_WORDS // WORDS_A_NUMBER)
            else:
                archive = new_archive()
            reserve = min(0.05 * self.max_seconds, 3.0) + 0.1
            judge = self._judge = Judge(X, y, run.deadline, least_weight=TOKEN_WEIGHT)
            if self.selection == "archive":
                yield from self._fallbacks(X, y, judge)
            latent = LatentSearch(settings, space, archive, (X, y), run, run.deadline - reserve)
            for entry in latent.generations():
                yield self._candidate(entry.expression, entry, entry.origin)
            latent.conclude()
            with run.phase("refine"):
                for entry in archive.front():
                    yield self._candidate(entry.expression, entry, entry.origin)
                for expression, entry, step in refined_front(
                    archive, X, y, run.rng, deadline=run.deadline - 0.05 - FOR_CHOICE * reserve
                ):
                    yield self._candidate(expression, entry, f"{entry.origin}, {step}")

    def choose(self, front: Sequence[Candidate], X: FloatArray, y: FloatArray, run: SearchRun) -> Candidate:
        """Choose by the order of :class:`srbench_ext.search.Judge`, or by the shared rule."""
        judge: Judge | None = self.__dict__.pop("_judge", None)  # none where nothing was searched
        if judge is None or self.selection == "one-se":
            return super().choose(front, X, y, run)
        return front[judge.first(front)[0]]

    def _candidate(self, expression: Expression, entry: Entry, source: str) -> Candidate:
        self._judge.validated[expression] = entry.nmse_validation
        return Candidate(expression, source=source)

    @staticmethod
    def _fallbacks(X: FloatArray, y: FloatArray, judge: Judge) -> Iterator[Candidate]:
        """Yield linear formulas."""
        for law, error, name in linear_fallbacks(X, y):
            judge.fall_back_on(law, error)
            yield Candidate(law, source=name)
