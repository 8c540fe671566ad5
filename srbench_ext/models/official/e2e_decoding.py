"""Decoding of E2E's official network: greedy, sampling, beam search.

As in the authors' code nothing constrains the words; what is no formula is dropped. A row ends where its
formula is complete, because whatever would follow is ignored.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from srbench_ext.expression import Expression
from srbench_ext.models.official.e2e import OfficialE2E, Past
from srbench_ext.models.official.e2e_words import END, FORMULA_IDS, FORMULA_WORDS, FormulaReader

__all__ = ["MAX_WORDS", "beam_formulas", "sample_formulas"]

MAX_WORDS = 200
"""Longest sequence of the authors' decoding, its end word included."""

_END = FORMULA_IDS[END]


class _Rows:
    """Sequences being extended, over one memory."""

    def __init__(self, model: OfficialE2E, ids: Tensor) -> None:
        self.model = model
        self.memory = model.memory_keys(model.encode(ids[None]))
        self.past: Past | None = None
        self.extend([0], [_END])

    def extend(self, parents: Sequence[int], words: Sequence[int]) -> None:
        """Go on with one more word from each of ``parents``, which may be repeated or left out."""
        device = self.memory[0][0].device
        if self.past is not None and list(parents) != list(range(len(self.past[0][0]))):
            index = torch.tensor(parents, device=device)
            self.past = [(k.index_select(0, index), v.index_select(0, index)) for k, v in self.past]
        ids = torch.tensor(words, device=device)[:, None]
        logits, self.past = self.model.decode(ids, self.memory, self.past)
        self.logits = logits[:, -1].float()


@torch.no_grad()
def sample_formulas(
    model: OfficialE2E,
    ids: Tensor,
    n_columns: int,
    n_samples: int,
    rng: np.random.Generator,
    *,
    temperature: float = 0.1,
    max_words: int = MAX_WORDS,
    deadline: float | None = None,
) -> list[Expression]:
    """Return the most likely words' formula and the distinct ones of samples.

    Rows with one prefix are extended as one, the number of samples that share it being split over the
    next words by a multinomial draw: the same distribution as single samples.

    Parameters
    ----------
    model : OfficialE2E
    ids : Tensor of shape (n, 33)
        The rows of one table, see :func:`~srbench_ext.models.official.e2e_words.point_ids`.
    n_columns : int
        Columns of the table; a variable beyond them becomes zero.
    n_samples : int
        Samples beside the greedy sequence.
    rng : numpy.random.Generator
    temperature : float, default 0.1
        Logits are divided by it (0.1 is the default of the authors' evaluation).
    max_words : int, default 200
    deadline : float, optional
        A ``time.monotonic()`` after which unfinished sequences are dropped.

    Returns
    -------
    list of Expression
        In order of finishing, in the columns as the network saw them. What is no formula is left out.
    """
    rows = _Rows(model, ids)
    readers, counts, greedy = [FormulaReader(n_columns)], [n_samples], 0
    found: list[Expression] = []
    for _ in range(max_words - 1):
        parents: list[int] = []
        words: list[int] = []
        new_readers: list[FormulaReader] = []
        new_counts: list[int] = []
        new_greedy = -1
        for row, children in enumerate(_children(rows.logits, counts, greedy, temperature, rng)):
            for word, count, is_greedy in children:
                reader = readers[row].copy()
                state = reader.feed(FORMULA_WORDS[word])
                if state == "complete":
                    found.append(reader.expression())
                elif state == "open":
                    new_greedy = len(words) if is_greedy else new_greedy
                    parents.append(row)
                    words.append(word)
                    new_readers.append(reader)
                    new_counts.append(count)
        if not words or (deadline is not None and time.monotonic() > deadline):
            break
        readers, counts, greedy = new_readers, new_counts, new_greedy
        rows.extend(parents, words)
    return list(dict.fromkeys(found))


def _children(
    logits: Tensor, counts: Sequence[int], greedy: int, temperature: float, rng: np.random.Generator
) -> list[list[tuple[int, int, bool]]]:
    """Return for each row the next words, how many samples take each, and whether the greedy row does."""
    values: NDArray[np.float64] = logits.cpu().numpy().astype(np.float64)
    p = np.exp((values - values.max(axis=1, keepdims=True)) / temperature)
    p /= p.sum(axis=1, keepdims=True)
    children: list[list[tuple[int, int, bool]]] = []
    for row, count in enumerate(counts):
        drawn = rng.multinomial(count, p[row])
        best = int(values[row].argmax()) if row == greedy else -1
        words = sorted({int(word) for word in np.flatnonzero(drawn)} | ({best} - {-1}))
        children.append([(word, int(drawn[word]), word == best) for word in words])
    return children


@torch.no_grad()
def beam_formulas(
    model: OfficialE2E,
    ids: Tensor,
    n_columns: int,
    beam_size: int,
    *,
    length_penalty: float = 1.0,
    max_words: int = MAX_WORDS,
    deadline: float | None = None,
) -> list[Expression]:
    """Return the formulas of a beam search, the best first.

    At every word the ``2 * beam_size`` best continuations are looked at; a sequence that ends is scored by
    its log-probability over its length to the power of ``length_penalty``; the search stops when
    ``beam_size`` have ended.

    Parameters
    ----------
    model, ids, n_columns, max_words, deadline
        See :func:`sample_formulas`.
    beam_size : int
    length_penalty : float, default 1
    """
    rows = _Rows(model, ids)
    written: list[tuple[int, ...]] = [()]
    scores = torch.zeros(1, device=rows.logits.device)
    ended: list[tuple[float, tuple[int, ...]]] = []
    for length in range(1, max_words):
        total = scores[:, None] + rows.logits.log_softmax(-1)
        top = total.flatten().topk(2 * beam_size)
        parents: list[int] = []
        words: list[int] = []
        kept: list[int] = []
        for place, (score, flat) in enumerate(zip(top.values.tolist(), top.indices.tolist(), strict=True)):
            row, word = divmod(flat, total.shape[1])
            if word == _END:
                ended.append((score / length**length_penalty, written[row]))
            elif len(words) < beam_size:
                parents.append(row)
                words.append(word)
                kept.append(place)
        if len(ended) >= beam_size or (deadline is not None and time.monotonic() > deadline):
            break
        written = [(*written[row], word) for row, word in zip(parents, words, strict=True)]
        scores = top.values[kept]
        rows.extend(parents, words)
    ended.sort(key=lambda pair: -pair[0])
    best = [(FORMULA_WORDS[word] for word in sequence) for _, sequence in ended[:beam_size]]
    read = [FormulaReader(n_columns).read(sequence) for sequence in best]
    return list(dict.fromkeys(expression for expression in read if expression is not None))
