"""EQUATE: candidates with labels, a shared embedding, gradient search in it, decoding.

The four steps are those of Ying et al. (arXiv 2508.19487); where the paper gives no number, the values
here are decisions, named in this folder's README.
"""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from srbench_ext.errors import WeightsError
from srbench_ext.expression import Expression
from srbench_ext.method import Candidate, Limits, Method, SearchRun
from srbench_ext.models.checkpoint import FOUNDATION_WEIGHTS, load_foundation, read_card
from srbench_ext.models.foundation import Foundation
from srbench_ext.models.official.places import weights_path
from srbench_ext.models.precision import one_thread
from srbench_ext.models.tokens import MAX_VARIABLES
from srbench_ext.search import (
    EXACT,
    Entry,
    Island,
    Judge,
    Rank,
    Reduction,
    closed_forms,
    linear_fallbacks,
    reduce_table,
    related,
    split_for_search,
)

from .adaptation import Labelled
from .embedding import FusedEmbedding
from .labels import fitness_label, simplicity_label
from .model import EquateModel
from .network import Network
from .pretrained import WEIGHTS, load_modules, modules_card
from .safeguards import label_state

__all__ = ["Equate"]

FloatArray = NDArray[np.float64]
FOUNDATION = "foundation"
LATENT = "embedding"
MAX_TOKENS = 36
INFILL = "infill"
CLEARLY = 0.005  # in the archive's order: half a token, or 1% of the error
REPAIR = "repair"
FRESH = "fresh"


class Equate(Method):
    """Adapt a foundation model to one table and search the embedding it shares with equations.

    Parameters
    ----------
    max_seconds, random_state
        As for every method.
    decoding : {"sampling", "beam"}
        How searched embeddings are decoded.
    n_bags, bag_size, n_candidates : int
        Bags of rows, rows in a bag, first samples of the foundation model for each bag.
    rounds : int
        Rounds of adaptation, search and decoding; the time is up earlier, as a rule.
    eval_steps, joint_steps : int
        Training steps in a round without and with the decoder.
    batch_size : int
        Candidates in a training step.
    seeds : int
        Best candidates whose embeddings the ascent starts from; as many midpoints are added.
    samples : int
        Samples decoded from each searched embedding.
    temperature : float
        Of sampling.
    directions, radius, caution, alignment : int, float, float, float
        Bounds of the ascent and weight of the alignment term; 0 turns each off.
    direction : {"gradient", "random"}
        Random directions are the control.
    breeding_steps, n_random, infills : int
        In a round, batches of local edits of the archive's formulas and formulas that get subtrees written
        by the network; and random trees that the breeding begins with. All 0 leaves the paper's method.
    ascent_steps, simplicity_weight : int, float
        Steps up the evaluator's objective, 0 decodes the embeddings as they are; weight of simplicity in it.
    improve : float
        Share of the candidates for which the decoder learns to write a better one near it.
    fusion : bool
        False keeps the gate closed: the embedding is that of the data alone.
    repairs : int
        In a round, formulas of the archive that the pretrained path repairs; 0 for none.
    fresh : int
        In a round, samples of the foundation model from each of new bags of rows.
    safeguards : bool
        Whether :mod:`.safeguards` change these settings when something goes wrong.
    pretrained : bool or str
        Begin with pretrained modules: those that ship, or those of a file. Where none that ship belong to the
        foundation model in use, the modules are random and the record says why.
    network_share : float
        Most of the time that goes to adaptation, search of the embedding and decoding; 1 for no bound.
    probes : bool
        Probe the table for columns that enter only together, and work on the reduced table; the whole one
        is bred beside it.
    relations : bool
        Try formulas linear in two or three small features of the columns, or linear after the target is
        rewritten, in closed form before anything is bred.
    stepwise : bool
        Add up small features, one more at a time, where no formula is exact yet.
    patience : float
        Share of ``max_seconds`` after which a search ends that found nothing better; 1 for never.
    weights : str or None
        Other foundation weights than those that ship; ``release``: those that ship beside them and have
        seen more examples.
    """

    name = "equate"
    version = "3"
    max_features = MAX_VARIABLES
    choice_rule = "archive-score"
    limits: ClassVar[Limits] = {
        "n_bags": (1, None),
        "bag_size": (1, None),
        "n_candidates": (1, None),
        "rounds": (0, None),
        "eval_steps": (0, None),
        "joint_steps": (0, None),
        "batch_size": (1, None),
        "seeds": (0, None),
        "samples": (1, None),
        "temperature": (0.0, 100.0),
        "directions": (0, None),
        "radius": (0.0, None),
        "caution": (0.0, None),
        "alignment": (0.0, None),
        "breeding_steps": (0, None),
        "n_random": (0, None),
        "infills": (0, None),
        "ascent_steps": (0, None),
        "simplicity_weight": (0.0, None),
        "improve": (0.0, 1.0),
        "repairs": (0, None),
        "fresh": (0, None),
        "network_share": (0.0, 1.0),
        "patience": (0.0, 1.0),
    }

    def __init__(
        self,
        *,
        max_seconds: float = 60.0,
        random_state: int = 0,
        decoding: Literal["sampling", "beam"] = "sampling",
        n_bags: int = 8,
        bag_size: int = 64,
        n_candidates: int = 40,
        rounds: int = 1000,
        eval_steps: int = 6,
        joint_steps: int = 2,
        batch_size: int = 32,
        seeds: int = 12,
        samples: int = 3,
        temperature: float = 1.0,
        directions: int = 12,
        radius: float = 0.5,
        caution: float = 1.0,
        alignment: float = 0.1,
        direction: Literal["gradient", "random"] = "gradient",
        breeding_steps: int = 100,
        n_random: int = 1000,
        infills: int = 8,
        ascent_steps: int = 24,
        simplicity_weight: float = 0.1,
        improve: float = 0.3,
        fusion: bool = True,
        repairs: int = 12,
        fresh: int = 0,
        safeguards: bool = True,
        pretrained: bool | str = True,
        network_share: float = 0.3,
        probes: bool = True,
        relations: bool = True,
        stepwise: bool = True,
        patience: float = 0.3,
        weights: str | None = None,
    ) -> None:
        super().__init__(max_seconds=max_seconds, random_state=random_state)
        self.decoding = decoding
        self.n_bags = n_bags
        self.bag_size = bag_size
        self.n_candidates = n_candidates
        self.rounds = rounds
        self.eval_steps = eval_steps
        self.joint_steps = joint_steps
        self.batch_size = batch_size
        self.seeds = seeds
        self.samples = samples
        self.temperature = temperature
        self.directions = directions
        self.radius = radius
        self.caution = caution
        self.alignment = alignment
        self.direction = direction
        self.breeding_steps = breeding_steps
        self.n_random = n_random
        self.infills = infills
        self.ascent_steps = ascent_steps
        self.simplicity_weight = simplicity_weight
        self.improve = improve
        self.fusion = fusion
        self.repairs = repairs
        self.fresh = fresh
        self.safeguards = safeguards
        self.pretrained = pretrained
        self.network_share = network_share
        self.probes = probes
        self.relations = relations
        self.stepwise = stepwise
        self.patience = patience
        self.weights = weights

    @property
    def weights_sha256(self) -> str | None:
        """The sha256 of the pretrained modules in use, which stands for their foundation's; else of that."""
        card = read_card(self._weights_path)
        modules = self._modules(str(card["sha256"]))
        return str((card if isinstance(modules, str) else modules[1])["sha256"])

    def _modules(self, foundation_sha256: str) -> tuple[Path, dict[str, Any]] | str:
        """Return the file of pretrained modules to begin with and its card, or why there is none."""
        if not self.pretrained:
            return "not asked for"
        if isinstance(self.pretrained, str):
            return Path(self.pretrained), modules_card(Path(self.pretrained), foundation_sha256)
        if not WEIGHTS.is_file():
            return "no modules ship"
        try:
            return WEIGHTS, modules_card(WEIGHTS, foundation_sha256)
        except WeightsError as error:
            return str(error)

    @property
    def _weights_path(self) -> Path:
        return weights_path(self.weights, self.name, FOUNDATION_WEIGHTS)

    def open_space(self, n_variables: int, rng: np.random.Generator) -> FusedEmbedding:
        """Return the fused embedding of the pretrained modules, which does not decode.

        Raises
        ------
        WeightsError
            If there are no pretrained modules for the foundation model; random ones embed nothing.
        """
        foundation, card = load_foundation(self._weights_path)
        pretrained = self._modules(card["sha256"])
        if isinstance(pretrained, str):
            raise WeightsError(
                f"The fused embedding of {self.name!r} needs pretrained modules: {pretrained}. "
                "Train them (srbench-ext train equate) and name them with pretrained=FILE."
            )
        return FusedEmbedding(load_modules(pretrained[0], foundation, card["sha256"]))

    def search(self, X: FloatArray, y: FloatArray, run: SearchRun) -> Iterator[Candidate]:
        """Yield every new best of the archive, and at the end its front fitted on all rows."""
        with one_thread():
            yield from self._search(X, y, run)

    def _search(self, X: FloatArray, y: FloatArray, run: SearchRun) -> Iterator[Candidate]:
        with run.phase("load"):
            foundation, card = load_foundation(self._weights_path)
            pretrained = self._modules(card["sha256"])
            modules = None
            if isinstance(pretrained, str):
                run.note("not_pretrained", pretrained)
            else:
                path, own = pretrained
                modules = load_modules(path, foundation, card["sha256"])
                card = own
                run.note("pretrained", card["sha256"])
        run.note("weights_examples", card["examples"])
        varying = [i for i in range(X.shape[1]) if X[:, i].std() > 0]
        if not varying:
            return
        fallbacks = {law: error for law, error, name in linear_fallbacks(X, y)}
        for law in fallbacks:
            yield Candidate(law, source="linear")
        reduction = reduce_table(X, y, run.rng) if self.probes else Reduction.whole(X.shape[1])
        run.note("reduction", list(reduction.steps))
        if not reduction.columns:
            for law, step in closed_forms(reduction, X, y, run.deadline):
                yield Candidate(law, source=step)
            if np.mean((law.evaluate(X) - y) ** 2) <= EXACT * np.var(y):
                return
            reduction = Reduction.whole(X.shape[1])
        session = _Session(self, foundation, modules, X, y, reduction, run)
        for law, error in fallbacks.items():
            session.judge.fall_back_on(law, error)
        self._session = session
        if self.relations:
            yield from session.relate()
        if self.stepwise and not session.exact:
            yield from session.accumulate()
        yield from session.propose()
        for _ in range(self.rounds):
            if session.finished:
                break
            yield from session.round()
        with run.phase("refine"):
            yield from session.refine()
        session.conclude()

    def choose(self, front: Sequence[Candidate], X: FloatArray, y: FloatArray, run: SearchRun) -> Candidate:
        """Choose by the order of :class:`srbench_ext.search.Judge`, linear formulas being the fallbacks."""
        session: _Session | None = self.__dict__.pop("_session", None)
        if session is None:
            return super().choose(front, X, y, run)
        best, score = session.pick(front)
        run.note("chosen_score", score)
        return best


class _Session:
    """One fit: the archive, the adapted model and the rounds on them."""

    def __init__(
        self,
        method: Equate,
        foundation: Foundation,
        modules: EquateModel | None,
        X: FloatArray,
        y: FloatArray,
        reduction: Reduction,
        run: SearchRun,
    ) -> None:
        self.method, self.run, self.X, self.y = method, run, X, y
        self.choice = random.Random(int(run.rng.integers(2**62)))
        self.rows = split_for_search(
            len(y), run.rng, validation_share=0.2, max_fit_rows=300, screen_rows=100, max_validation_rows=2000
        )

        def island(table: Reduction, n_random: int = 0) -> Island:
            return Island(
                X,
                y,
                table,
                self.rows,
                run.rng,
                self.choice,
                n_random=n_random,
                max_tokens=MAX_TOKENS,
                max_constants=6,
            )

        # edits of what the network wrote start from well fitted formulas and are easily caught there; those
        # of random trees are not
        self.bred, self.written = island(reduction, method.n_random), island(reduction, 0)
        self.islands = [self.bred, self.written]
        self.build: Callable[[Reduction], Island] = island
        if reduction.steps:
            self.islands.append(island(Reduction.whole(X.shape[1]), method.n_random))
        self.judged = self.written.archive
        self.network_seconds = 0.0
        self.reserve = min(1.0, 0.05 * method.max_seconds)
        self.network = Network(
            method,
            foundation,
            modules,
            self.bred.Z,
            self.bred.t,
            run,
            self.choice,
            lambda: self.finished,
            self.deadline,
        )
        self.rounds_done = 0
        self.judge = Judge(X, y, run.deadline)
        self._reported: Expression | None = None
        self._offered_own = False
        self._best_score, self._better_at = math.inf, run.elapsed

    @property
    def deadline(self) -> float:
        """When the last submission has to be over."""
        return self.run.deadline - self.reserve

    @property
    def finished(self) -> bool:
        """Whether an exact formula was made as short as it gets, nothing gets better, or the time is up."""
        stalled = self.run.elapsed - self._better_at > self.method.patience * self.method.max_seconds
        over = stalled or self.run.remaining <= self.reserve
        return over or any(island.finished for island in self.islands)

    @property
    def exact(self) -> bool:
        """Whether an exact formula was found."""
        return any(island.archive.exact for island in self.islands)

    def _watch(self, entry: Entry) -> None:
        """Remember when the best score last became clearly better."""
        if entry.score < self._best_score - CLEARLY:
            self._best_score, self._better_at = entry.score, self.run.elapsed

    def relate(self) -> Iterator[Candidate]:
        """Try small sums of features on the reduced tables, and on the whole one where nothing is exact."""
        until = min(time.monotonic() + 0.3 * self.method.max_seconds, self.deadline)
        for island, expression, entry in related([self.bred, *self.islands[2:]], self.build, until):
            self._watch(entry)
            yield self._candidate(expression, entry, entry.origin)
            if island.archive.exact and island not in self.islands:
                self.islands.append(island)

    def accumulate(self) -> Iterator[Candidate]:
        """Add up features of the whole table, one more at a time."""
        whole = self.islands[2] if len(self.islands) > 2 else self.bred
        for expression, entry in whole.accumulate(self.deadline):
            self._watch(entry)
            yield self._candidate(expression, entry, entry.origin)

    # ------------------------------------------------------------ step 1
    def propose(self) -> Iterator[Candidate]:
        """Let the foundation model write candidates from every bag, and label them."""
        self._submit(self.network.candidates(), FOUNDATION)
        own = self._own_candidate()
        if own is not None and np.isfinite(own.loss or 0.0):
            yield own
            self._offered_own = True
        yield from self._news()

    # ------------------------------------------------------------ steps 2 to 4
    def round(self) -> Iterator[Candidate]:
        """Edit the archives' formulas; then adapt, search the embedding, decode and relabel."""
        self.rounds_done += 1
        for step in range(self.method.breeding_steps):
            if self.finished:
                break
            island = self._island(step)
            for expression, entry in island.step(self.deadline):
                self._watch(entry)
                yield self._candidate(expression, entry, entry.origin)
        if self.exact or self.finished:  # nothing is left to find but a shorter form
            return
        started = time.monotonic()
        if self.network_seconds <= self.method.network_share * self.run.elapsed:
            yield from self._network_round()
        self.network_seconds += time.monotonic() - started

    def _network_round(self) -> Iterator[Candidate]:
        method, guards = self.method, self.network.guards
        labelled = self._labelled()
        state = label_state([c.fitness for c in labelled]) if method.safeguards else "varied"
        if state != "varied":
            self.run.count(f"rounds_of_{state}_labels")
        if state == "perfect":  # the breeding shortens; there is nothing to learn
            return
        if method.repairs and not self.exact:
            self._repair()
            yield from self._news()
        if method.seeds and len(labelled) >= 2 and state == "varied" and not guards.sampling_only:
            self._search_embedding(labelled)
            yield from self._news()
        samples = method.fresh or int(guards.sampling_only or state == "bad") * method.samples
        if samples and not self.exact and not self.finished:
            self._submit(self.network.fresh(samples), FRESH)
            yield from self._news()
        if method.infills and not self.exact and not self.finished:
            parents = [parent.prefix for parent in self.judged.parents(self.choice, method.infills)]
            self._submit(self.network.infilled(parents), INFILL)
            yield from self._news()

    def _search_embedding(self, labelled: list[Labelled]) -> None:
        """Adapt to the labelled candidates, search the embedding, decode, and tell the safeguards."""
        network, method = self.network, self.method
        network.adapt(
            labelled, lambda: self.rounds_done > 1 or self.run.remaining >= 0.35 * method.max_seconds
        )
        if self.finished:
            return
        found = network.decoded(network.searched(labelled))
        new = [d.tokens for d in found if self.judged.find(d.tokens) is None]
        self.run.count("decoded", len(found))
        self.run.count("decoded_new", len(new))
        entries = self._submit(new, LATENT)
        network.guards.decoded(len(found), len(new))
        network.guards.realised(network.predicted, [fitness_label(e.nmse_validation) for e in entries])
        network.guards.complexities([entry.complexity for entry in entries])

    def _repair(self) -> None:
        """Let the pretrained path repair the archives' fronts and formulas drawn from their grids."""
        wanted, archives = self.method.repairs, (self.bred.archive, self.judged)
        front = sorted({e.prefix: e for a in archives for e in a.front()}.values(), key=lambda e: e.score)
        wrong = [entry.prefix for entry in front[: max(1, wanted // 2)]]
        for archive in archives:
            wrong += [member.prefix for member in archive.parents(self.choice, wanted // 2)]
        found = self.network.repaired(list(dict.fromkeys(p for p in wrong if len(p) <= MAX_TOKENS))[:wanted])
        new = [tokens for tokens in found if all(archive.find(tokens) is None for archive in archives)]
        entries = self._submit(new, REPAIR)
        self.run.count("repairs_new", len(new))
        bred = self.bred.archive.front()
        ahead = [
            entry
            for entry in self.judged.on_front(entries)
            if not any(
                other.complexity <= entry.complexity and other.nmse_validation <= entry.nmse_validation
                for other in bred
            )
        ]
        self.run.count("repairs_on_front", len(ahead))

    def _labelled(self) -> list[Labelled]:
        """Return the archive's entries with labels, good ones all, of the others a sample."""
        limit = 400
        entries = sorted(self.bred.archive, key=lambda e: e.score)[: limit // 4]
        judged = list(self.judged)
        entries += self.choice.sample(judged, min(limit, len(judged)))
        unique = {e.prefix: e for e in entries}.values()
        known = self.network.known
        return [
            Labelled(e.prefix, fitness_label(e.nmse_validation), simplicity_label(e.complexity))
            for e in unique
            if all(token in known for token in e.prefix) and len(e.prefix) <= 40
        ]

    # ------------------------------------------------------------ end
    def refine(self) -> Iterator[Candidate]:
        """Fit the fronts on all rows and snap their constants, those of an island that is finished first."""
        for island in sorted(self.islands, key=lambda island: not island.finished):
            for expression, entry, step in island.refined(self.run.deadline - 0.05 - 0.3 * self.reserve):
                yield self._candidate(expression, entry, f"{entry.origin}, {step}", island)

    def pick(self, front: Sequence[Candidate]) -> tuple[Candidate, float]:
        """Return the best of a front and its score, which is never behind the foundation model's own best.

        That one may be missing from the front only where another formula is no longer and fits all rows no
        worse; such a formula is then not ranked behind it, whatever its error on rows kept back.
        """
        own = self._own_candidate()
        limit: Rank = (True, math.inf, 0) if own is None else self.judge.rank(own)
        self.run.note("foundation_chosen_score", limit[1])

        def rank(candidate: Candidate, crossed: bool) -> Rank:
            score = self.judge.rank(candidate, crossed=crossed)
            return min(score, limit) if own is not None and _covers(candidate, own) else score

        best, found = self.judge.first(front, rank)
        if self._offered_own:
            assert found <= limit, f"the pick {front[best].model} is behind the foundation model's {own}"
        return front[best], found[1]

    def _own_candidate(self) -> Candidate | None:
        """Return the best of the foundation model's candidates as the base class would judge it."""
        own = self.judged.best([FOUNDATION])
        if own is None:
            return None
        candidate = self._candidate(self.written.formula(own), own, FOUNDATION)
        assert isinstance(candidate.model, Expression)
        loss = float(np.mean((candidate.model.evaluate(self.X) - self.y) ** 2))
        return replace(candidate, loss=loss, complexity=candidate.model.complexity)

    def conclude(self) -> None:
        """Note the best scores of all origins and of the foundation model's own candidates."""
        best, own = self._best()[1], self.judged.best([FOUNDATION])
        if best is not None:
            self.run.note("best_origin", best.origin)
            self.run.note("best_score", best.score)
        if own is not None:
            self.run.note("foundation_best_score", own.score)
        self.run.count("rounds", self.rounds_done)
        self.run.count("evaluated", sum(island.archive.n_evaluated for island in self.islands))
        for rule, count in sorted(self.network.guards.tripped.items()):
            self.run.count(f"guard_{rule}", count)
        self.run.note("network_seconds", round(self.network_seconds, 2))

    # ------------------------------------------------------------ shared
    def _submit(self, formulas: Iterable[tuple[str, ...]], origin: str) -> list[Entry]:
        fresh = self.judged.submit(formulas, origin, deadline=self.deadline)
        self.run.count(f"entries_{origin}", len(fresh))
        for entry in fresh:
            self._watch(entry)
        return fresh

    def _island(self, step: int) -> Island:
        """Return the island of a step: an exact one, else each in turn, random trees twice as often."""
        for island in self.islands:
            if island.archive.exact:
                return island
        return self.islands[(0, 1, 0, -1)[step % 4]]

    def _best(self) -> tuple[Island, Entry | None]:
        """Return the best entry of the reduced table's archives, and its island."""
        found = [
            (island, entry) for island in self.islands[:2] if (entry := island.archive.best()) is not None
        ]
        return min(found, key=lambda pair: pair[1].score, default=(self.bred, None))

    def _candidate(
        self, expression: Expression, entry: Entry, source: str, island: Island | None = None
    ) -> Candidate:
        """Return a candidate, its error on the validation rows remembered from before it was fitted there."""
        known = expression if island is None else island.formula(entry)
        validated = self.judge.validated
        if known not in validated:
            rows = self.rows.validation
            with np.errstate(over="ignore", invalid="ignore"):
                error = float(np.mean((known.evaluate(self.X[rows]) - self.y[rows]) ** 2))
            validated[known] = error / float(np.var(self.y)) if np.isfinite(error) else np.inf
        validated[expression] = validated[known]
        return Candidate(expression, source=source)

    def _news(self) -> Iterator[Candidate]:
        """Yield the best formula when it is a new one."""
        island, best = self._best()
        if best is None:
            return
        expression = island.formula(best)
        if expression != self._reported:
            self._reported = expression
            yield self._candidate(expression, best, best.origin)


def _covers(one: Candidate, other: Candidate) -> bool:
    """Whether a formula is no longer than another and fits all rows no worse, but for rounding."""
    assert one.loss is not None
    assert other.loss is not None
    return (one.complexity or 0) <= (other.complexity or 0) and one.loss <= other.loss * (1 + 1e-9)
