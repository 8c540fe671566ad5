"""EQUATE: candidates with labels, a shared embedding, gradient search in it, decoding.

The four steps are those of Ying et al. (arXiv 2508.19487); where the paper gives no number, the values
here are decisions, named in this folder's README.
"""

from __future__ import annotations

import random
import time
import zlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from srbench_ext.expression import Expression
from srbench_ext.method import Candidate, Method, SearchRun
from srbench_ext.models.batches import subtree_end
from srbench_ext.models.checkpoint import FOUNDATION_WEIGHTS, load_foundation, read_card
from srbench_ext.models.foundation import Foundation
from srbench_ext.models.precision import one_thread
from srbench_ext.models.proposals import Proposer
from srbench_ext.models.tokens import MAX_VARIABLES
from srbench_ext.search import (
    EXACT,
    Entry,
    Island,
    Reduction,
    closed_forms,
    linear_formula,
    reduce_table,
    split_for_search,
)

from .adaptation import Adapter, Labelled, fitness_label, pad_ids, simplicity_label
from .ascent import AscentConfig, ascend
from .model import EquateModel

__all__ = ["Equate"]

FloatArray = NDArray[np.float64]
FOUNDATION = "foundation"
LATENT = "embedding"
MAX_TOKENS = 36
INFILL = "infill"


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
    network_share : float
        Most of the time that goes to adaptation, search of the embedding and decoding; 1 for no bound.
    probes : bool
        Probe the table for columns that enter only together, and work on the reduced table; the whole one
        is bred beside it.
    relations : bool
        Try formulas linear in two or three small features of the columns, or linear after the target is
        rewritten, in closed form before anything is bred.
    weights : str or None
        Other foundation weights than those that ship.
    """

    name = "equate"
    version = "2"
    max_features = MAX_VARIABLES
    choice_rule = "archive-score"

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
        network_share: float = 0.3,
        probes: bool = True,
        relations: bool = True,
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
        self.network_share = network_share
        self.probes = probes
        self.relations = relations
        self.weights = weights

    @property
    def weights_sha256(self) -> str | None:
        """The sha256 of the foundation weights."""
        return str(read_card(self._weights_path)["sha256"])

    @property
    def _weights_path(self) -> Path:
        return FOUNDATION_WEIGHTS if self.weights is None else Path(self.weights)

    def search(self, X: FloatArray, y: FloatArray, run: SearchRun) -> Iterator[Candidate]:
        """Yield every new best of the archive, and at the end its front fitted on all rows."""
        with one_thread():
            yield from self._search(X, y, run)

    def _search(self, X: FloatArray, y: FloatArray, run: SearchRun) -> Iterator[Candidate]:
        with run.phase("load"):
            foundation, card = load_foundation(self._weights_path)
        run.note("weights_examples", card["examples"])
        varying = [i for i in range(X.shape[1]) if X[:, i].std() > 0]
        if not varying:
            return
        yield Candidate(linear_formula(X, y, varying), source="linear")
        reduction = reduce_table(X, y, run.rng) if self.probes else Reduction.whole(X.shape[1])
        run.note("reduction", list(reduction.steps))
        if not reduction.columns:
            for law, step in closed_forms(reduction, X, y, run.deadline):
                yield Candidate(law, source=step)
            if np.mean((law.evaluate(X) - y) ** 2) <= EXACT * np.var(y):
                return
            reduction = Reduction.whole(X.shape[1])
        session = _Session(self, foundation, X, y, reduction, run)
        self._session = session
        if self.relations:
            yield from session.relate()
        yield from session.propose()
        for _ in range(self.rounds):
            if session.finished:
                break
            yield from session.round()
        with run.phase("refine"):
            yield from session.refine()
        session.conclude()

    def choose(self, front: Sequence[Candidate], X: FloatArray, y: FloatArray, run: SearchRun) -> Candidate:
        """Choose by the archive's one order: log10 of the error plus 0.01 a token.

        The error is the larger of that on all rows and, for a formula of the archive and its refined
        forms, that of the fit which did not see the validation rows.
        """
        session = self.__dict__.pop("_session", None)
        if session is None:
            return super().choose(front, X, y, run)
        best = min(front, key=session.score)
        run.note("chosen_score", session.score(best)[0])
        return best


class _Session:
    """One fit: the archive, the adapted model and the rounds on them."""

    def __init__(
        self,
        method: Equate,
        foundation: Foundation,
        X: FloatArray,
        y: FloatArray,
        reduction: Reduction,
        run: SearchRun,
    ) -> None:
        self.method, self.run, self.X, self.y = method, run, X, y
        self.choice = random.Random(int(run.rng.integers(2**62)))
        self.rows = split_for_search(len(y), run.rng, validation_share=0.2, max_fit_rows=300, screen_rows=100)

        def island(table: Reduction, n_random: int) -> Island:
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
        if reduction.steps:
            self.islands.append(island(Reduction.whole(X.shape[1]), method.n_random))
        self.judged = self.written.archive
        self.network_seconds = 0.0
        self.reserve = min(1.0, 0.05 * method.max_seconds)
        self.proposer = Proposer(
            foundation, self.bred.Z, self.bred.t, run.rng, n_bags=method.n_bags, bag_size=method.bag_size
        )
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(int(run.rng.integers(2**62)))
            self.model = EquateModel(foundation)
        self.adapter = Adapter(self.model, self.proposer.memory, run.rng, alignment=method.alignment)
        self.generator = torch.Generator().manual_seed(int(run.rng.integers(2**62)))
        self.rounds_done = 0
        self.validated: dict[Expression, float] = {}
        self._reported: Expression | None = None

    @property
    def deadline(self) -> float:
        """When the last submission has to be over."""
        return self.run.deadline - self.reserve

    @property
    def finished(self) -> bool:
        """Whether an exact formula was found and made as short as it gets, or the time is up."""
        return any(island.finished for island in self.islands) or self.run.remaining <= self.reserve

    @property
    def exact(self) -> bool:
        """Whether an exact formula was found."""
        return any(island.archive.exact for island in self.islands)

    def relate(self) -> Iterator[Candidate]:
        """Try small sums of features on the reduced table, and on the whole one where nothing is exact."""
        for island in (self.bred, *self.islands[2:]):
            if self.exact or self.finished:
                break
            share = time.monotonic() + 0.2 * self.method.max_seconds
            for expression, entry in island.relate(min(share, self.deadline)):
                yield self._candidate(expression, entry, entry.origin)

    # ------------------------------------------------------------ step 1
    def propose(self) -> Iterator[Candidate]:
        """Let the foundation model write candidates from every bag, and label them."""
        method = self.method
        decoded = self.proposer.beam("<skeleton>", 8, deadline=self.deadline)
        decoded += self.proposer.sample(
            "<skeleton>", method.n_candidates, temperature=method.temperature, deadline=self.deadline
        )
        self._submit([d.tokens for d in decoded], FOUNDATION)
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
                yield self._candidate(expression, entry, entry.origin)
        if self.exact or self.finished:  # nothing is left to find but a shorter form
            return
        started = time.monotonic()
        if self.network_seconds <= self.method.network_share * self.run.elapsed:
            yield from self._network_round()
        self.network_seconds += time.monotonic() - started

    def _network_round(self) -> Iterator[Candidate]:
        labelled = self._labelled()
        if self.method.eval_steps and len(labelled) >= 2:
            self._adapt([c for c in labelled if not _held_out(c)])
            if not self.finished:
                self._submit(self._decode(self._search(labelled)), LATENT)
                yield from self._news()
        if self.method.infills and not self.exact and not self.finished:
            self._submit(self._infilled(), INFILL)
            yield from self._news()

    def _labelled(self) -> list[Labelled]:
        """Return the archive's entries with labels, good ones all, of the others a sample."""
        limit = 400
        entries = sorted(self.bred.archive, key=lambda e: e.score)[: limit // 4]
        judged = list(self.judged)
        entries += self.choice.sample(judged, min(limit, len(judged)))
        unique = {e.prefix: e for e in entries}.values()
        known = self.model.foundation.vocabulary.ids
        return [
            Labelled(e.prefix, fitness_label(e.nmse_validation), simplicity_label(e.complexity))
            for e in unique
            if all(token in known for token in e.prefix) and len(e.prefix) <= 40
        ]

    def _adapt(self, labelled: list[Labelled]) -> None:
        method = self.method
        for step in range(method.eval_steps + method.joint_steps):
            if self.finished or (self.rounds_done == 1 and self.run.remaining < 0.35 * method.max_seconds):
                break
            joint = step >= method.eval_steps
            size = method.batch_size // 2 if joint else method.batch_size
            batch = self.choice.sample(labelled, min(size, len(labelled)))
            self.adapter.step(batch, reconstruct=joint)
            self.run.count("joint_steps" if joint else "eval_steps")

    def _search(self, labelled: list[Labelled]) -> Tensor:
        """Return searched embeddings (S, M, D)."""
        method, model = self.method, self.model.eval()
        ranked = sorted(labelled, key=lambda c: -(c.fitness + 0.1 * c.simplicity))
        top, rest = ranked[: method.seeds], ranked[method.seeds :]
        known = top + self.choice.sample(rest, min(40, len(rest)))
        held_out = [c for c in labelled if _held_out(c)]
        tau = self.adapter.rank_correlation(self.choice.sample(held_out, min(60, len(held_out))))
        self.run.note("rank_correlation", round(tau, 3))
        blind = bool(method.radius) and (len(labelled) < 40 or tau < 0.2)
        if blind and method.direction == "gradient":
            self.run.count("blind_rounds")
        config = AscentConfig(
            caution=method.caution,
            directions=method.directions,
            radius=method.radius,
            random=blind or method.direction == "random",
        )
        with torch.no_grad():
            memory = self.proposer.memory
            rows = torch.arange(len(known)) % len(memory)
            ids = pad_ids(model.foundation.vocabulary, [c.prefix for c in known])
            embedded = model.fuse(memory[rows], ids)
            seeds = embedded[: len(top)]
            pairs = torch.randint(len(top), (2, len(top)), generator=self.generator)
            middles = (seeds[pairs[0]] + seeds[pairs[1]]) / 2
            found = ascend(model, torch.cat([seeds, middles, memory]), embedded, config, self.generator)
        model.train()
        return found

    def _decode(self, embeddings: Tensor) -> list[tuple[str, ...]]:
        """Let the adapted decoder write formulas from embeddings."""
        method = self.method
        adapted = Proposer.__new__(Proposer)
        adapted.__dict__.update(self.proposer.__dict__, model=self.model.foundation)
        with torch.no_grad():
            if method.decoding == "beam":
                found = []
                for row in embeddings[:: max(1, len(embeddings) // 16)]:
                    if self.finished:
                        break
                    found += adapted.beam("<skeleton>", 5, row[None], deadline=self.deadline)
            else:
                found = adapted.sample(
                    "<skeleton>",
                    method.samples,
                    temperature=method.temperature,
                    memory=embeddings,
                    deadline=self.deadline,
                )
        fresh = [d.tokens for d in found if self.judged.find(d.tokens) is None]
        self.run.count("decoded", len(found))
        self.run.count("decoded_new", len(fresh))
        return fresh

    # ------------------------------------------------------------ beyond the paper
    def _infilled(self) -> list[tuple[str, ...]]:
        """Let the network write new subtrees into the archive's good formulas."""
        found: list[tuple[str, ...]] = []
        known = self.model.foundation.vocabulary.ids
        for parent in self.judged.parents(self.choice, self.method.infills):
            if self.finished:
                break
            if any(token not in known for token in parent.prefix):
                continue
            around = _with_hole(self.choice, parent.prefix)
            found += self.proposer.infill(around, 12, deadline=self.deadline)
        self.run.count("infilled", len(found))
        return found

    # ------------------------------------------------------------ end
    def refine(self) -> Iterator[Candidate]:
        """Fit the fronts on all rows and snap their constants, those of an island that is finished first."""
        for island in sorted(self.islands, key=lambda island: not island.finished):
            for expression, entry, step in island.refined(self.run.deadline - 0.05):
                yield self._candidate(expression, entry, f"{entry.origin}, {step}", island)

    def score(self, candidate: Candidate) -> tuple[float, int]:
        """Return the candidate's place in the archive's order, lower first; ties go to the shorter."""
        complexity = candidate.complexity or 0
        nmse = float(candidate.loss or 0.0) / float(np.var(self.y))
        if isinstance(candidate.model, Expression):
            nmse = max(nmse, self.validated.get(candidate.model, 0.0))
        return self.judged.selection_score(nmse, complexity), complexity

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
        self.run.note("network_seconds", round(self.network_seconds, 2))

    # ------------------------------------------------------------ shared
    def _submit(self, formulas: Iterable[tuple[str, ...]], origin: str) -> None:
        fresh = self.judged.submit(formulas, origin, deadline=self.deadline)
        self.run.count(f"entries_{origin}", len(fresh))

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
        if known not in self.validated:
            rows = self.rows.validation
            with np.errstate(over="ignore", invalid="ignore"):
                error = float(np.mean((known.evaluate(self.X[rows]) - self.y[rows]) ** 2))
            self.validated[known] = error / float(np.var(self.y)) if np.isfinite(error) else np.inf
        self.validated[expression] = self.validated[known]
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


def _with_hole(choice: random.Random, prefix: tuple[str, ...]) -> tuple[str, ...]:
    """Replace a random subtree by the hole."""
    start = choice.randrange(len(prefix))
    return (*prefix[:start], "<hole>", *prefix[subtree_end(prefix, start) :])


def _held_out(candidate: Labelled) -> bool:
    """Whether a candidate is one of the fifth that judges the evaluator and never trains it."""
    return zlib.crc32(" ".join(candidate.prefix).encode()) % 5 == 0
