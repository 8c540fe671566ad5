"""The network in a search: candidates, adaptation, search of the embedding, decoding, repairs."""

from __future__ import annotations

import random
import zlib
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from srbench_ext.method import SearchRun
from srbench_ext.models.decoding import Decoded
from srbench_ext.models.foundation import Foundation
from srbench_ext.models.proposals import Proposer, holes

from .adaptation import Adapter, Labelled, improved, pad_ids
from .ascent import AscentConfig, ascend
from .model import EquateModel
from .repairs import on_model, write_repairs
from .safeguards import Safeguards

if TYPE_CHECKING:
    from .method import Equate

__all__ = ["Network"]

FloatArray = NDArray[np.float64]
Prefix = tuple[str, ...]
WARM_RATE = 3e-4
"""Learning rate of pretrained modules; random ones take a thousandth."""

_LEAST_LABELS = 40
_LEAST_TAU = 0.2
_JUDGED_FOR_FORGETTING = 16


class Network:
    """A foundation model, the modules that are adapted to one table, and what is done with both.

    Parameters
    ----------
    method : Equate
        Its settings.
    foundation : Foundation
    modules : EquateModel or None
        Pretrained, frozen; None begins with random ones, and there are no repairs.
    X, y : ndarray of shape (n, d) and (n,)
        The table.
    run : SearchRun
    choice : random.Random
    stopped : callable
        Whether the search is over; asked between steps.

    Attributes
    ----------
    guards : Safeguards
    predicted : float
        Fitness that the evaluator expects of the embeddings searched last.
    """

    def __init__(
        self,
        method: Equate,
        foundation: Foundation,
        modules: EquateModel | None,
        X: FloatArray,
        y: FloatArray,
        run: SearchRun,
        choice: random.Random,
        stopped: Callable[[], bool],
        deadline: float,
    ) -> None:
        self.method, self.run, self.choice, self.stopped, self.deadline = (
            method, run, choice, stopped, deadline,
        )  # fmt: skip
        self.X, self.y = X, y
        self.proposer = Proposer(foundation, X, y, run.rng, n_bags=method.n_bags, bag_size=method.bag_size)
        self.modules = modules
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(int(run.rng.integers(2**62)))
            self.model = EquateModel(foundation) if modules is None else modules.thawed()
        if not method.fusion:
            torch.nn.init.zeros_(self.model.gate.requires_grad_(False))
        warm = {} if modules is None else {"learning_rate": WARM_RATE, "gate_speed": 1.0}
        self.adapter = Adapter(self.model, self.proposer.memory, run.rng, alignment=method.alignment, **warm)
        self.noise = self.adapter.noise
        self.generator = torch.Generator().manual_seed(int(run.rng.integers(2**62)))
        self.guards = Safeguards(active=method.safeguards)
        self.predicted = 0.0
        self._updates = [p.detach().clone() for p in self.model.updates()]
        self._own: list[Prefix] = []

    @property
    def known(self) -> dict[str, int]:
        """The words of the vocabulary."""
        return self.model.foundation.vocabulary.ids

    # ------------------------------------------------------------ the foundation model alone
    def candidates(self) -> list[Prefix]:
        """Return what the foundation model writes for all bags at first: a beam and samples."""
        method = self.method
        decoded = self.proposer.beam("<skeleton>", 8, deadline=self.deadline)
        self._own = [d.tokens for d in decoded][:_JUDGED_FOR_FORGETTING]
        decoded += self.proposer.sample(
            "<skeleton>", method.n_candidates, temperature=method.temperature, deadline=self.deadline
        )
        return [d.tokens for d in decoded]

    def fresh(self, n_samples: int) -> list[Prefix]:
        """Return samples of the foundation model from new bags of rows, ``n_samples`` from each."""
        rng, bags = self.run.rng, self.proposer.bags
        drawn = np.stack([rng.permutation(len(self.y))[: bags.shape[1]] for _ in bags])
        temperature = self.method.temperature * self.guards.temperature
        found = self.proposer.sample(
            "<skeleton>",
            n_samples,
            temperature=temperature,
            memory=self.proposer.encode(self.X, self.y, drawn),
            deadline=self.deadline,
        )
        self.run.count("fresh", len(found))
        return [d.tokens for d in found]

    def infilled(self, parents: Sequence[Prefix]) -> list[Prefix]:
        """Let the foundation model write new subtrees into formulas."""
        usable = [prefix for prefix in parents if all(token in self.known for token in prefix)]
        arounds = [] if self.stopped() else holes(self.choice, usable, len(usable))
        found = list(self.proposer.infill(arounds, 12, deadline=self.deadline))
        self.run.count("infilled", len(found))
        return found

    # ------------------------------------------------------------ adaptation
    def adapt(self, labelled: Sequence[Labelled], go_on: Callable[[], bool]) -> None:
        """Train the modules on candidates, but for those held out."""
        method, guards, adapter = self.method, self.guards, self.adapter
        adapter.noise, adapter.uniform = self.noise * guards.noise, guards.uniform
        adapter.equation_dropout = guards.dropout
        training = [c for c in labelled if not _held_out(c)]
        if not training:
            return
        joint_steps = method.joint_steps if guards.joint else 0
        if joint_steps and self._own:
            guards.forgets(self._own_likelihood())
        for step in range(method.eval_steps + joint_steps):
            if self.stopped() or not go_on():
                break
            joint = step >= method.eval_steps
            size = method.batch_size // 2 if joint else method.batch_size
            batch = self.choice.sample(training, min(size, len(training)))
            adapter.step(batch, reconstruct=joint, targets=self._targets(batch, training) if joint else None)
            self.run.count("joint_steps" if joint else "eval_steps")
        if joint_steps and self._own and guards.forgets(self._own_likelihood()):
            with torch.no_grad():
                for parameter, before in zip(self.model.updates(), self._updates, strict=True):
                    parameter.copy_(before)

    def _targets(self, batch: Sequence[Labelled], known: Sequence[Labelled]) -> list[Labelled]:
        share = self.method.improve
        return [improved(self.choice, c, known) if self.choice.random() < share else c for c in batch]

    @torch.no_grad()
    def _own_likelihood(self) -> float:
        """Return the mean negative log-likelihood of the foundation model's beam, the equation hidden."""
        ids = pad_ids(self.model.foundation.vocabulary, self._own)
        hidden = torch.ones(len(ids), dtype=torch.bool)
        embedding = self.model.fuse(self.proposer.memory[:1].expand(len(ids), -1, -1), ids, hidden)
        logits = self.model.decode(embedding, ids[:, :-1])
        pad = self.model.foundation.vocabulary.pad
        return float(
            torch.nn.functional.cross_entropy(logits.flatten(0, 1), ids[:, 1:].flatten(), ignore_index=pad)
        )

    # ------------------------------------------------------------ search of the embedding
    def searched(self, labelled: Sequence[Labelled]) -> Tensor:
        """Return embeddings (S, M, D) after the ascent from those of the best candidates."""
        method, model = self.method, self.model.eval()
        ranked = sorted(labelled, key=lambda c: -(c.fitness + method.simplicity_weight * c.simplicity))
        n_best = method.seeds // 2 if self.guards.uniform else method.seeds
        top, rest = ranked[:n_best], ranked[n_best:]
        drawn = self.choice.sample(rest, min(40 + method.seeds - n_best, len(rest)))
        top, drawn = top + drawn[: method.seeds - n_best], drawn[method.seeds - n_best :]
        config = self._config(labelled)
        with torch.no_grad():
            memory = self.proposer.memory
            known = top + drawn
            rows = torch.arange(len(known)) % len(memory)
            ids = pad_ids(model.foundation.vocabulary, [c.prefix for c in known])
            embedded = model.fuse(memory[rows], ids)
            seeds = embedded[: len(top)]
            pairs = torch.randint(len(top), (2, len(top)), generator=self.generator)
            middles = (seeds[pairs[0]] + seeds[pairs[1]]) / 2
            found = ascend(model, torch.cat([seeds, middles, memory]), embedded, config, self.generator)
            self.predicted = float(model.judge(found).fitness.mean())
        model.train()
        return found

    def _config(self, labelled: Sequence[Labelled]) -> AscentConfig:
        """Return the settings of the ascent; it is blind where the evaluator ranks no better than chance."""
        method, guards = self.method, self.guards
        held_out = [c for c in labelled if _held_out(c)]
        tau = self.adapter.rank_correlation(self.choice.sample(held_out, min(60, len(held_out))))
        self.run.note("rank_correlation", round(tau, 3))
        blind = bool(method.radius) and (len(labelled) < _LEAST_LABELS or tau < _LEAST_TAU)
        if blind and method.direction == "gradient":
            self.run.count("blind_rounds")
        return AscentConfig(
            steps=method.ascent_steps,
            snapshots=(max(1, method.ascent_steps // 4), method.ascent_steps),
            simplicity_weight=method.simplicity_weight * guards.simplicity,
            caution=method.caution * guards.caution,
            directions=method.directions,
            radius=method.radius * guards.radius,
            random=blind or method.direction == "random",
        )

    def decoded(self, embeddings: Tensor) -> list[Decoded]:
        """Let the adapted decoder write formulas from embeddings."""
        method, adapted = self.method, on_model(self.proposer, self.model)
        adapted.max_tokens = min(adapted.max_tokens, self.guards.max_tokens)
        if method.decoding == "sampling":
            return adapted.sample(
                "<skeleton>",
                method.samples,
                temperature=method.temperature * self.guards.temperature,
                memory=embeddings,
                deadline=self.deadline,
            )
        found: list[Decoded] = []
        for row in embeddings[:: max(1, len(embeddings) // 16)]:
            if self.stopped():
                break
            found += adapted.beam("<skeleton>", 5, row[None], deadline=self.deadline)
        return found

    # ------------------------------------------------------------ repairs
    def repaired(self, wrong: Sequence[Prefix]) -> list[Prefix]:
        """Return what the pretrained path, not adapted, writes in place of formulas."""
        if self.modules is None:
            return []
        usable = [prefix for prefix in wrong if all(token in self.known for token in prefix)]
        found = write_repairs(
            self.modules,
            self.proposer,
            usable,
            self.method.samples,
            temperature=self.method.temperature,
            deadline=self.deadline,
            stopped=self.stopped,
        )
        self.run.count("repairs", len(found))
        return [d.tokens for d in found]


def _held_out(candidate: Labelled) -> bool:
    """Whether a candidate is one of the fifth that judges the evaluator and never trains it."""
    return zlib.crc32(" ".join(candidate.prefix).encode()) % 5 == 0
