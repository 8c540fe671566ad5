"""Batches for the trainer: examples of the corpus as padded ids and point features."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch.utils.data import IterableDataset, get_worker_info

from srbench_ext.corpus.stream import Corpus, Example
from srbench_ext.expression.operators import arity
from srbench_ext.models.encoders import table_features
from srbench_ext.models.tokens import MODES, Vocabulary

__all__ = ["Batch", "BatchPlan", "ExampleEncoder", "Pool", "Pools", "sequence_of", "subtree_end"]

IGNORED = -100


@dataclass(frozen=True, slots=True)
class Batch:
    """Arrays of one training step.

    Attributes
    ----------
    features : ndarray of shape (B, N, F), float32
    ids : ndarray of shape (B, T), int64
    targets : ndarray of shape (B, T), int64
        The next token, or -100 where none is learned.
    modes : ndarray of shape (B,), int64
        Index in :data:`MODES`.
    extra : dict of ndarray
        What else the network learns from, by name; the first axis of each is B.
    """

    features: NDArray[np.float32]
    ids: NDArray[np.int64]
    targets: NDArray[np.int64]
    modes: NDArray[np.int64]
    extra: dict[str, NDArray[Any]] = field(default_factory=dict)

    def first(self, count: int) -> Batch:
        """Return the batch of the first ``count`` examples."""
        return Batch(
            self.features[:count],
            self.ids[:count],
            self.targets[:count],
            self.modes[:count],
            {name: values[:count] for name, values in self.extra.items()},
        )


@dataclass(frozen=True, slots=True)
class Pool:
    """Batches made together, and what the corpus counted meanwhile.

    Attributes
    ----------
    batches : list of Batch
    truth_hits : Counter
        Benchmark truths met, by problem.
    rejected : Counter
        Draws not used, by reason.
    """

    batches: list[Batch]
    truth_hits: Counter[str]
    rejected: Counter[str]


@dataclass(frozen=True, slots=True)
class BatchPlan:
    """What a batch is made of.

    Attributes
    ----------
    batch_size : int
    batches_per_pool : int
        Examples of so many batches are sorted by length, so that little is padded.
    modes : tuple of float
        Shares of :data:`MODES`.
    few_points, many_points : tuple of int
        Ranges of the number of points; few train faster, many are needed for noise.
    many_share : float
        Share of pools with many points.
    """

    batch_size: int = 128
    batches_per_pool: int = 8
    modes: tuple[float, float, float] = (0.55, 0.20, 0.25)
    few_points: tuple[int, int] = (20, 40)
    many_points: tuple[int, int] = (64, 200)
    many_share: float = 0.06


def subtree_end(prefix: Sequence[str | float], start: int) -> int:
    """Return the index after the subtree that starts at ``start``."""
    open_slots, i = 1, start
    while open_slots:
        token = prefix[i]
        open_slots += (arity(token) if isinstance(token, str) else 0) - 1
        i += 1
    return i


def _infill(choice: random.Random, skeleton: tuple[str, ...]) -> tuple[list[str], list[str]]:
    """Return the formula with a hole, and the subtree that belongs there."""
    start = choice.randrange(len(skeleton))
    if choice.random() < 0.5:  # inner nodes more often than leaves
        inner = [i for i, token in enumerate(skeleton) if arity(token)]
        start = choice.choice(inner) if inner else start
    end = subtree_end(skeleton, start)
    around = [*skeleton[:start], "<hole>", *skeleton[end:]]
    if choice.random() < 0.2:
        around = _spoil(choice, around)
    return around, list(skeleton[start:end])


def _spoil(choice: random.Random, around: list[str]) -> list[str]:
    """Replace a leaf or a small subtree away from the hole by a wrong one."""
    places = [i for i, token in enumerate(around) if token != "<hole>"]
    small = [i for i in places if (end := subtree_end(around, i)) - i <= 4 and "<hole>" not in around[i:end]]
    if not small:
        return around
    start = choice.choice(small)
    variables = sorted({token for token in around if token[0] == "x"}) or ["x0"]
    leaf = choice.choice(variables)
    wrong = choice.choice(
        ([leaf], [leaf], ["pow2", leaf], ["C"], ["sin", leaf], ["mul", "C", leaf], ["inv", leaf])
    )
    return [*around[:start], *wrong, *around[subtree_end(around, start) :]]


def sequence_of(
    example: Example, mode: int, choice: random.Random, vocabulary: Vocabulary
) -> tuple[list[int], int]:
    """Return the ids of an example in a mode, and how many of the first are not learned."""
    if MODES[mode] == "<numeric>":
        body, given = vocabulary.write_numeric(example.formula), 0
    elif MODES[mode] == "<infill>":
        around, subtree = _infill(choice, example.skeleton)
        body, given = [*around, "<sep>", *subtree], len(around) + 1
    else:
        body, given = list(example.skeleton), 0
    return vocabulary.encode([MODES[mode], *body, "<eos>"]), given


class ExampleEncoder:
    """Turns examples of the corpus into the arrays a network learns from.

    A network with other inputs or targets overrides one of the three methods. It runs in the worker
    processes that make the data, so it must be picklable.

    Parameters
    ----------
    vocabulary : Vocabulary
    """

    def __init__(self, vocabulary: Vocabulary) -> None:
        self.vocabulary = vocabulary

    def sequence(self, example: Example, mode: int, choice: random.Random) -> tuple[list[int], int]:
        """Return the ids of an example in a mode, and how many of the first are not learned."""
        return sequence_of(example, mode, choice, self.vocabulary)

    def features(self, examples: Sequence[Example]) -> NDArray[np.float32]:
        """Return the features (B, N, F) of the points of examples with equally many points."""
        return table_features((example.X, example.y) for example in examples)

    def extra(self, examples: Sequence[Example], choice: random.Random) -> dict[str, NDArray[Any]]:
        """Return further arrays, the first axis of each B; none by default."""
        return {}

    def batch(
        self,
        examples: Sequence[Example],
        sequences: Sequence[tuple[list[int], int]],
        modes: Sequence[int],
        choice: random.Random,
    ) -> Batch:
        """Pad sequences of one length class to a batch."""
        longest = max(len(ids) for ids, _ in sequences) - 1
        longest += -longest % 4
        ids = np.full((len(sequences), longest), self.vocabulary.pad, np.int64)
        targets = np.full((len(sequences), longest), IGNORED, np.int64)
        for row, (sequence, given) in enumerate(sequences):
            ids[row, : len(sequence) - 1] = sequence[:-1]
            targets[row, given : len(sequence) - 1] = sequence[1 + given :]
        extra = self.extra(examples, choice)
        return Batch(self.features(examples), ids, targets, np.array(modes, np.int64), extra)


class Pools(IterableDataset[Pool]):
    """An endless, seeded sequence of pools of batches.

    Pool ``i`` depends on the seed and ``i`` alone, so training resumes by starting at its number,
    whatever the number of worker processes.

    Parameters
    ----------
    corpus : Corpus
    plan : BatchPlan
    encoder : ExampleEncoder
    seed : int
    start : int
        Number of the first pool.
    """

    def __init__(
        self, corpus: Corpus, plan: BatchPlan, encoder: ExampleEncoder, seed: int, start: int
    ) -> None:
        self.corpus, self.plan, self.encoder = corpus, plan, encoder
        self.seed, self.start = seed, start

    def __iter__(self) -> Iterator[Pool]:
        worker = get_worker_info()
        first, step = (0, 1) if worker is None else (worker.id, worker.num_workers)
        number = self.start + first
        while True:
            yield self.pool(number)
            number += step

    def pool(self, number: int) -> Pool:
        """Return the batches of one pool, in random order of length."""
        plan = self.plan
        self.corpus.forget_counts()
        choice = random.Random(f"{self.seed}:{number}")
        low, high = plan.many_points if choice.random() < plan.many_share else plan.few_points
        examples = self.corpus.examples(
            (self.seed, number), plan.batch_size * plan.batches_per_pool, choice.randint(low, high)
        )
        modes = choice.choices(range(len(MODES)), plan.modes, k=len(examples))
        sequences = [
            self.encoder.sequence(example, mode, choice)
            for example, mode in zip(examples, modes, strict=True)
        ]
        order = sorted(range(len(examples)), key=lambda i: len(sequences[i][0]))
        size = plan.batch_size
        parts = [order[i : i + size] for i in range(0, len(order), size)]
        choice.shuffle(parts)
        batches = [
            self.encoder.batch(
                [examples[i] for i in part], [sequences[i] for i in part], [modes[i] for i in part], choice
            )
            for part in parts
        ]
        return Pool(batches, Counter(self.corpus.audit.hits), Counter(self.corpus.rejected))
