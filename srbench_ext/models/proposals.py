"""Formulas proposed for one table: bags of its rows, encoded once, decoded as often as wanted."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from srbench_ext.errors import ExpressionError
from srbench_ext.expression import Expression
from srbench_ext.expression.core import subtree_end
from srbench_ext.expression.operators import CONSTANT
from srbench_ext.models.decoding import Decoded, Grammar, beam_search, sample
from srbench_ext.models.encoders import table_features
from srbench_ext.models.foundation import Foundation

__all__ = ["Proposer", "expression_of", "holes"]

FloatArray = NDArray[np.float64]

_DRAWN = 4  # holes in a parent, of which those of some lengths are taken


def expression_of(model: Foundation, decoded: Decoded) -> Expression | None:
    """Return a decoded formula with its numbers as constants; None for one that is not finite."""
    prefix: list[str] = []
    constants: list[float] = []
    for token in model.vocabulary.read_numeric(decoded.tokens):
        prefix.append(token if isinstance(token, str) else CONSTANT)
        if isinstance(token, float):
            constants.append(token)
    if len(constants) != prefix.count(CONSTANT):  # placeholders of skeleton mode start at one
        constants = [1.0] * prefix.count(CONSTANT)
    try:
        return Expression(tuple(prefix), tuple(constants))
    except ExpressionError:
        return None


def holes(choice: random.Random, parents: Sequence[tuple[str, ...]], count: int) -> list[tuple[str, ...]]:
    """Return formulas with the hole in place of a random subtree, of few lengths: fast to decode.

    Parameters
    ----------
    choice : random.Random
    parents : sequence of tuple of str
        Skeletons, in prefix order.
    count : int
        How many; fewer where the parents have no more.
    """
    drawn = list(dict.fromkeys(_with_hole(choice, parent) for parent in parents for _ in range(_DRAWN)))
    choice.shuffle(drawn)
    found: list[tuple[str, ...]] = []
    for around in drawn:
        if len(found) >= count:
            break
        if around not in found:
            found += [each for each in drawn if len(each) == len(around)]
    return found[:count]


def _with_hole(choice: random.Random, prefix: tuple[str, ...]) -> tuple[str, ...]:
    start = choice.randrange(len(prefix))
    return (*prefix[:start], "<hole>", *prefix[subtree_end(prefix, start) :])


class Proposer:
    """Proposes formulas for a table from a foundation model.

    Parameters
    ----------
    model : Foundation
        In evaluation mode.
    X, y : ndarray of shape (n, d) and (n,)
        At most ten columns.
    rng : numpy.random.Generator
        Draws the bags and the samples.
    n_bags, bag_size : int
        Subsets of rows, drawn without replacement within a bag; a bag has at most n rows.
    max_tokens, max_constants : int
        Limits of a proposed formula.

    Attributes
    ----------
    memory : Tensor of shape (n_bags, M, D)
        The encoded bags.
    bags : ndarray of shape (n_bags, bag_size)
        Their rows.
    """

    def __init__(
        self,
        model: Foundation,
        X: FloatArray,
        y: FloatArray,
        rng: np.random.Generator,
        *,
        n_bags: int = 8,
        bag_size: int = 64,
        max_tokens: int = 36,
        max_constants: int = 6,
    ) -> None:
        self.model, self.rng = model, rng
        self.n_variables = X.shape[1]
        self.max_tokens, self.max_constants = max_tokens, max_constants
        size = min(bag_size, len(y))
        self.bags = np.stack([rng.permutation(len(y))[:size] for _ in range(n_bags)])
        self.memory = self.encode(X, y, self.bags)

    @torch.no_grad()
    def encode(self, X: FloatArray, y: FloatArray, bags: NDArray[np.int64]) -> Tensor:
        """Return the memory (R, M, D) of bags (R, size) of rows."""
        features = table_features((X[rows], y[rows]) for rows in bags)
        device = next(self.model.parameters()).device
        return self.model.encode(torch.from_numpy(features).to(device))

    def _grammar(self, mode: str) -> Grammar:
        return Grammar(self.model.vocabulary, mode, self.n_variables, self.max_tokens, self.max_constants)

    def sample(
        self,
        mode: str,
        n_samples: int,
        *,
        temperature: float = 1.0,
        top_p: float = 1.0,
        memory: Tensor | None = None,
        deadline: float | None = None,
    ) -> list[Decoded]:
        """Draw formulas; ``n_samples`` for each bag or for each row of another memory.

        Parameters
        ----------
        mode : {"<skeleton>", "<numeric>"}
        n_samples : int
        temperature, top_p : float
            See :func:`srbench_ext.models.decoding.sample`.
        memory : Tensor of shape (R, M, D), optional
            In place of the encoded bags.
        deadline : float, optional
            A ``time.monotonic()`` after which unfinished samples are dropped.
        """
        memory = self.memory if memory is None else memory
        prompt = [self.model.vocabulary.ids[mode]]
        return sample(
            self.model,
            memory,
            self._grammar(mode),
            [prompt] * len(memory),
            n_samples,
            self.rng,
            temperature=temperature,
            top_p=top_p,
            deadline=deadline,
        )

    def beam(
        self, mode: str, beam_size: int, memory: Tensor | None = None, *, deadline: float | None = None
    ) -> list[Decoded]:
        """Return the best formulas of a beam search from one memory (1, M, D); the first bag's by default."""
        memory = self.memory[:1] if memory is None else memory
        prompt = [self.model.vocabulary.ids[mode]]
        return beam_search(self.model, memory, self._grammar(mode), prompt, beam_size, deadline=deadline)

    def infill(
        self,
        arounds: Sequence[Sequence[str]],
        n_samples: int,
        *,
        temperature: float = 1.0,
        deadline: float | None = None,
    ) -> Iterator[tuple[str, ...]]:
        """Yield whole formulas: each of ``arounds`` with its ``<hole>`` filled by sampled subtrees.

        Those of one length are decoded together; :func:`holes` draws them so.

        Parameters
        ----------
        arounds : sequence of sequence of str
            Prefix tokens of skeletons with one ``<hole>`` each.
        n_samples : int
            Samples for each, from the first bag; a subtree that is drawn again is not yielded again.
        temperature : float
            See :func:`srbench_ext.models.decoding.sample`.
        deadline : float, optional
            A ``time.monotonic()`` after which unfinished samples are dropped.
        """
        by_length: dict[int, list[Sequence[str]]] = {}
        for around in arounds:
            by_length.setdefault(len(around), []).append(around)
        for length, alike in by_length.items():
            room = max(1, self.max_tokens - length + 1)
            grammar = Grammar(self.model.vocabulary, "<infill>", self.n_variables, room, self.max_constants)
            prompts = [self.model.vocabulary.encode(["<infill>", *each, "<sep>"]) for each in alike]
            memory = self.memory[:1].expand(len(alike), -1, -1)
            for decoded in sample(
                self.model,
                memory,
                grammar,
                prompts,
                n_samples,
                self.rng,
                temperature=temperature,
                deadline=deadline,
            ):
                around = alike[decoded.row]
                hole = list(around).index("<hole>")
                yield (*around[:hole], *decoded.tokens, *around[hole + 1 :])
