"""Decoding: batched sampling and beam search over valid formulas only.

Both keep one row per *distinct* prefix. Sampling carries with each prefix the number of samples that
share it and splits that number over the next tokens by a multinomial draw: the same distribution as
independent samples, at the cost of the distinct prefixes alone.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from srbench_ext.errors import InputError
from srbench_ext.expression.operators import CONSTANT, OPERATORS, PI, is_integer, is_variable, variable_index
from srbench_ext.models.foundation import KeysValues
from srbench_ext.models.tokens import MODES, Vocabulary

__all__ = ["Decoded", "Decoder", "Grammar", "beam_search", "sample"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]


class _Sizes(Protocol):
    @property
    def max_length(self) -> int: ...


class Decoder(Protocol):
    """A network that decodes with a cache: the foundation model, or another with the same two steps.

    See :meth:`srbench_ext.models.foundation.Foundation.memory_keys` and
    :meth:`~srbench_ext.models.foundation.Foundation.decode`.
    """

    @property
    def config(self) -> _Sizes:
        """Sizes, among them ``max_length``: the longest sequence."""

    def memory_keys(self, memory: Tensor) -> list[KeysValues]:
        """Return every layer's keys and values of a memory (R, M, D)."""

    def decode(
        self,
        ids: Tensor,
        memory: list[KeysValues],
        past: list[KeysValues] | None = None,
        sharing: Tensor | None = None,
    ) -> tuple[Tensor, list[KeysValues]]:
        """Return the logits of the next tokens, and keys and values of all positions."""


@dataclass(frozen=True, slots=True)
class Decoded:
    """One distinct sequence that the decoder wrote.

    Attributes
    ----------
    tokens : tuple of str
        The formula or subtree, without mode and end tokens; numbers are written out in numeric mode.
    log_probability : float
        Sum of the log-probabilities of its tokens at temperature 1.
    count : int
        How many samples gave it (1 in a beam search).
    row : int
        Which memory it was decoded from.
    """

    tokens: tuple[str, ...]
    log_probability: float
    count: int
    row: int


class Grammar:
    """Says which tokens may follow, so that every finished sequence is one valid formula.

    Parameters
    ----------
    vocabulary : Vocabulary
    mode : str
        A member of :data:`srbench_ext.models.tokens.MODES`.
    n_variables : int
        Variables beyond this are never written.
    max_tokens : int
        Longest formula in prefix tokens, a written-out number counted as one.
    max_constants : int
        Largest number of constants.

    Attributes
    ----------
    longest : int
        Tokens of the longest sequence that these limits allow, written-out numbers in full.
    """

    def __init__(
        self, vocabulary: Vocabulary, mode: str, n_variables: int, max_tokens: int, max_constants: int = 8
    ) -> None:
        if mode not in MODES:
            raise InputError(f"The mode must be one of {MODES}. Got {mode!r} instead.")
        self.vocabulary, self.max_tokens, self.max_constants = vocabulary, max_tokens, max_constants
        size = len(vocabulary)
        numeric = mode == "<numeric>"
        self.delta = np.zeros(size, np.int64)
        in_tree = np.zeros(size, np.bool_)
        self.is_constant = np.zeros(size, np.bool_)
        for i, token in enumerate(vocabulary.tokens):
            if token in OPERATORS:
                self.delta[i] = OPERATORS[token].arity - 1
                in_tree[i] = True
            elif is_variable(token):
                self.delta[i] = -1
                in_tree[i] = variable_index(token) < n_variables
            elif is_integer(token) or token == PI:
                self.delta[i] = -1
                in_tree[i] = True
            elif token == CONSTANT or token in "+-":
                self.delta[i] = -1
                self.is_constant[i] = True
                in_tree[i] = (token in "+-") == numeric
        self.in_tree = in_tree
        self.mantissa = np.array([token[0] == "M" for token in vocabulary.tokens])
        self.exponent = np.array(
            [token[0] == "E" and token[1:].lstrip("-").isdigit() for token in vocabulary.tokens]
        )
        self.groups = vocabulary.digits // 2 if numeric else 0
        self.longest = max_tokens + min(max_tokens, max_constants) * (self.groups + 1 if numeric else 0)
        self.only_end = np.zeros(size, np.bool_)
        self.only_end[vocabulary.eos] = True

    def allowed(self, state: IntArray) -> BoolArray:
        """Return the tokens that may follow each state (B, 4), as (B, V)."""
        slots, used, number, constants = state.T
        room = self.max_tokens - used
        fits = slots[:, None] + self.delta[None, :] <= room[:, None] - 1
        mask = (
            self.in_tree[None, :]
            & fits
            & ~(self.is_constant[None, :] & (constants >= self.max_constants)[:, None])
        )
        mask = np.where((slots == 0)[:, None], self.only_end[None, :], mask)
        if self.groups:
            mask = np.where(((number > 0) & (number <= self.groups))[:, None], self.mantissa[None, :], mask)
            mask = np.where((number == self.groups + 1)[:, None], self.exponent[None, :], mask)
        return mask

    def advance(self, state: IntArray, tokens: IntArray) -> IntArray:
        """Return the states after one more token each.

        A state holds open slots, prefix tokens used, position in a written-out number, constants.
        """
        state = state.copy()
        inside = state[:, 2] > 0
        state[:, 0] += np.where(inside, 0, self.delta[tokens])
        state[:, 1] += np.where(inside, 0, 1)
        started = self.is_constant[tokens] & ~inside
        state[:, 3] += started
        if self.groups:
            after = np.where(state[:, 2] > self.groups, 0, state[:, 2] + 1)
            state[:, 2] = np.where(inside, after, started.astype(np.int64))
        return state


class _Frontier:
    """Distinct prefixes being extended, with their caches; ``rows`` says whose memory each has, in order."""

    def __init__(
        self, model: Decoder, memory: Tensor, prompts: Sequence[Sequence[int]], grammar: Grammar
    ) -> None:
        lengths = {len(prompt) for prompt in prompts}
        if len(lengths) != 1:
            raise InputError(f"Prompts decoded together must have one length; got {sorted(lengths)}.")
        longest = max(lengths) + grammar.longest - 1  # the last token is never read
        if longest > model.config.max_length:
            raise InputError(
                f"The network reads at most {model.config.max_length} tokens. A prompt of {max(lengths)} "
                f"with a formula of up to {grammar.longest} needs {longest}; lower max_tokens."
            )
        self.model = model
        self.memory = model.memory_keys(memory)
        ids = torch.tensor(np.array(prompts, np.int64), device=memory.device)
        logits, self.past = model.decode(ids, self.memory)
        self.logits = logits[:, -1]
        self.rows = np.arange(len(prompts))

    def log_probabilities(self) -> FloatArray:
        return self.logits.float().log_softmax(-1).cpu().numpy().astype(np.float64)

    def extend(self, parents: IntArray, tokens: IntArray) -> None:
        index = torch.from_numpy(parents).to(self.logits.device)
        if len(parents) != len(self.rows) or (parents != np.arange(len(parents))).any():
            self.past = [_select(kv, index) for kv in self.past]
            self.rows = self.rows[parents]
        ids = torch.from_numpy(tokens).to(self.logits.device)[:, None]
        logits, self.past = self.model.decode(ids, self.memory, self.past, self._sharing())
        self.logits = logits[:, -1]

    def _sharing(self) -> Tensor:
        """Return which places of a table (memories, most rows of one) the rows take."""
        each = np.bincount(self.rows, minlength=len(self.memory[0][0]))
        table = np.arange(each.max())[None, :] < each[:, None]
        return torch.from_numpy(table).to(self.logits.device)


def _select(kv: KeysValues, index: Tensor) -> KeysValues:
    return kv[0].index_select(0, index), kv[1].index_select(0, index)


def _nucleus(p: FloatArray, top_p: float) -> FloatArray:
    """Keep the most likely tokens that together reach ``top_p``."""
    order = np.argsort(-p, axis=1)
    ranked = np.take_along_axis(p, order, 1)
    dropped = np.cumsum(ranked, axis=1) - ranked >= top_p
    ranked[dropped] = 0.0
    kept = np.zeros_like(p)
    np.put_along_axis(kept, order, ranked, 1)
    return kept


@torch.no_grad()
def sample(
    model: Decoder,
    memory: Tensor,
    grammar: Grammar,
    prompts: Sequence[Sequence[int]],
    n_samples: int,
    rng: np.random.Generator,
    *,
    temperature: float = 1.0,
    top_p: float = 1.0,
    deadline: float | None = None,
) -> list[Decoded]:
    """Draw samples and return the distinct ones.

    Parameters
    ----------
    model : Decoder
    memory : Tensor of shape (R, M, D)
        One memory a prompt.
    grammar : Grammar
    prompts : sequence of R sequences of int
        Ids to go on from, all of one length, each ending where a formula or subtree begins.
    n_samples : int
        Samples for each prompt.
    rng : numpy.random.Generator
    temperature : float, default 1
        Logits are divided by it.
    top_p : float, default 1
        Nucleus: only the most likely tokens that together reach this probability.
    deadline : float, optional
        A ``time.monotonic()`` after which unfinished sequences are dropped.

    Returns
    -------
    list of Decoded
        In order of finishing: short ones first.
    """
    finished: list[Decoded] = []
    frontier = _Frontier(model, memory, prompts, grammar)
    counts = np.full(len(prompts), n_samples, np.int64)
    state = np.tile(np.array([1, 0, 0, 0], np.int64), (len(prompts), 1))
    written: list[tuple[int, ...]] = [()] * len(prompts)
    score = np.zeros(len(prompts))
    while len(counts) and not _over(deadline):
        log_p = np.where(grammar.allowed(state), frontier.log_probabilities(), -np.inf)
        p = np.exp((log_p - log_p.max(axis=1, keepdims=True)) / temperature)
        p /= p.sum(axis=1, keepdims=True)
        if top_p < 1.0:
            p = _nucleus(p, top_p)
            p /= p.sum(axis=1, keepdims=True)
        drawn = rng.multinomial(counts, p)
        parents, tokens = np.nonzero(drawn)
        counts = drawn[parents, tokens]
        score = score[parents] + log_p[parents, tokens]
        written = [(*written[a], int(t)) for a, t in zip(parents, tokens, strict=True)]
        state = grammar.advance(state[parents], tokens)
        done = (state[:, 0] == 0) & (state[:, 2] == 0)
        for i in np.flatnonzero(done):
            text = tuple(grammar.vocabulary.tokens[t] for t in written[i])
            finished.append(Decoded(text, float(score[i]), int(counts[i]), int(frontier.rows[parents[i]])))
        going = np.flatnonzero(~done)
        if not len(going):
            break
        counts, score, state = counts[going], score[going], state[going]
        written = [written[i] for i in going]
        frontier.extend(parents[going], tokens[going])
    return finished


@torch.no_grad()
def beam_search(
    model: Decoder,
    memory: Tensor,
    grammar: Grammar,
    prompt: Sequence[int],
    beam_size: int,
    *,
    length_penalty: float = 1.0,
    deadline: float | None = None,
) -> list[Decoded]:
    """Return the best finished sequences by length-normalised log-probability.

    Parameters
    ----------
    memory : Tensor of shape (1, M, D)
    prompt : sequence of int
    beam_size : int
        Prefixes kept at each length, and the number of results.
    length_penalty : float, default 1
        The score is the log-probability divided by the length to this power.
    deadline : float, optional
        A ``time.monotonic()`` after which unfinished sequences are dropped.
    """
    finished: list[Decoded] = []
    frontier = _Frontier(model, memory, [prompt], grammar)
    state = np.array([[1, 0, 0, 0]], np.int64)
    written: list[tuple[int, ...]] = [()]
    score = np.zeros(1)
    while len(score) and not _over(deadline):
        log_p = np.where(grammar.allowed(state), frontier.log_probabilities(), -np.inf)
        total = score[:, None] + log_p
        flat = np.argsort(-total, axis=None, kind="stable")[: 2 * beam_size]
        flat = flat[np.isfinite(total.ravel()[flat])]
        parents, tokens = np.unravel_index(flat, total.shape)
        score = total[parents, tokens]
        written = [(*written[a], int(t)) for a, t in zip(parents, tokens, strict=True)]
        state = grammar.advance(state[parents], tokens)
        done = (state[:, 0] == 0) & (state[:, 2] == 0)
        for i in np.flatnonzero(done[:beam_size]):
            text = tuple(grammar.vocabulary.tokens[t] for t in written[i])
            finished.append(Decoded(text, float(score[i]), 1, 0))
        going = np.flatnonzero(~done)[:beam_size]
        best = sorted((_normalised(d, length_penalty) for d in finished), reverse=True)[:beam_size]
        if not len(going) or (
            len(best) == beam_size and _cannot_improve(score[going], grammar, best[-1], length_penalty)
        ):
            break
        score, state = score[going], state[going]
        written = [written[i] for i in going]
        frontier.extend(parents[going], tokens[going])
    return sorted(finished, key=lambda d: _normalised(d, length_penalty), reverse=True)[:beam_size]


def _over(deadline: float | None) -> bool:
    return deadline is not None and time.monotonic() >= deadline


def _normalised(decoded: Decoded, length_penalty: float) -> float:
    return decoded.log_probability / float(len(decoded.tokens) ** length_penalty)


def _cannot_improve(score: FloatArray, grammar: Grammar, worst: float, length_penalty: float) -> bool:
    """Return whether no unfinished prefix can end above the worst result kept."""
    return bool(score.max() / float(grammar.longest**length_penalty) < worst)
