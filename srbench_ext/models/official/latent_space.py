"""The latent space of GenSR's and SNIP's official networks: tables to points, points to formulas.

As in the authors' code the columns are whitened for the encoder, the target is not, and nothing constrains
the words; what is no formula is dropped. There the formulas, which are of whitened columns, are then
evaluated on the columns as they are; here they are written back, unless asked not to. (Facts of the released
code.)
"""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from srbench_ext.errors import ExpressionError, InputError
from srbench_ext.expression import Expression, simplify
from srbench_ext.models.official.e2e_decoding import MAX_WORDS
from srbench_ext.models.official.e2e_proposals import unwhiten
from srbench_ext.models.official.e2e_words import END, FORMULA_IDS, FORMULA_WORDS, FormulaReader, point_ids
from srbench_ext.models.official.latent import OfficialLatent
from srbench_ext.search.form import Tokens, tokens_of

__all__ = ["OfficialSpace"]

FloatArray = NDArray[np.float64]

_END = FORMULA_IDS[END]
_TOGETHER = 16
"""Tables encoded or points decoded at once: a point's keys and values are 13 MB at the published size."""
_KEPT = 0.75
"""Points are dropped from a batch when no more than this share of them is still being written."""


class OfficialSpace:
    """The latent space for tables of one number of columns.

    Parameters
    ----------
    net : OfficialLatent
        In evaluation mode.
    n_variables : int
        A variable beyond them stands for zero, as in the authors' evaluation.
    rng : numpy.random.Generator
        Draws words where the temperature is above zero.
    columns : ndarray of shape (n, d), optional
        All rows of the table that is searched: their means and deviations whiten every bag of them, and
        formulas are of these columns. Without it each table is whitened by its own rows, and formulas are of
        whitened columns.
    unscale : bool
        False leaves formulas of whitened columns as they are, to be evaluated on ``columns``: the released
        code, whose fit of the constants has to make up for it.
    max_words : int
        Longest sequence.
    """

    def __init__(
        self,
        net: OfficialLatent,
        n_variables: int,
        rng: np.random.Generator,
        *,
        columns: FloatArray | None = None,
        unscale: bool = True,
        max_words: int = MAX_WORDS,
    ) -> None:
        self.net, self.n_variables, self.rng, self.unscale = net, n_variables, rng, unscale
        self.max_words = min(max_words, net.config.positions)
        self._scaling = None if columns is None else _scaling(columns)

    @property
    def dimension(self) -> int:
        """Dimensions L of the space."""
        return self.net.config.latent

    @torch.no_grad()
    def encode(self, tables: Sequence[tuple[FloatArray, FloatArray]]) -> tuple[FloatArray, FloatArray]:
        """Return means and log variances (R, L) of R tables with equally many rows.

        Raises
        ------
        InputError
            If a table has more than ten columns, more rows than the encoder has positions, or a number that
            has no words.
        """
        longest = self.net.config.encoder_positions
        if longest and any(len(y) > longest for _, y in tables):
            raise InputError(
                f"The official network reads tables of up to {longest} rows. "
                f"Got {max(len(y) for _, y in tables)}; lower bag_size."
            )
        means, log_variances = [], []
        for start in range(0, len(tables), _TOGETHER):
            ids = np.stack([self._ids(X, y) for X, y in tables[start : start + _TOGETHER]])
            mean, log_variance = self.net.place(torch.from_numpy(ids))
            means.append(mean.double().numpy())
            log_variances.append(log_variance.double().numpy())
        return np.vstack(means), np.vstack(log_variances)

    def _ids(self, X: FloatArray, y: FloatArray) -> NDArray[np.int64]:
        mean, deviation = _scaling(X) if self._scaling is None else self._scaling
        return point_ids((X - mean) / deviation, y)

    @torch.no_grad()
    def decode(
        self,
        z: FloatArray,
        *,
        n_samples: int = 1,
        temperature: float = 0.0,
        deadline: float | None = None,
    ) -> list[list[Tokens]]:
        """Return the formulas of each latent point (R, L), one a skeleton, the most sampled first.

        Parameters
        ----------
        z : ndarray of shape (R, L)
        n_samples : int
            Sequences for each point.
        temperature : float
            Logits are divided by it; at zero the most likely word is taken, once.
        deadline : float, optional
            A ``time.monotonic()`` after which unfinished formulas are left out.

        Returns
        -------
        list of list of Tokens
            With the values of their constants. A point has none if no sequence of its is a formula.
        """
        n_rows = n_samples if temperature > 0 else 1
        found: list[list[Tokens]] = []
        for start in range(0, len(z), _TOGETHER):
            if deadline is not None and time.monotonic() > deadline:
                break
            part = torch.from_numpy(z[start : start + _TOGETHER].astype(np.float32))
            written = self._write(part, n_rows, temperature, deadline)
            found += [self._distinct(written[i : i + n_rows]) for i in range(0, len(written), n_rows)]
        return found + [[] for _ in range(len(z) - len(found))]

    def _write(
        self, z: Tensor, n_rows: int, temperature: float, deadline: float | None
    ) -> list[Expression | None]:
        """Return what is written from each point, ``n_rows`` times; None for no whole formula in time."""
        written: list[Expression | None] = [None] * (len(z) * n_rows)
        readers = {row: FormulaReader(self.n_variables) for row in range(len(written))}  # those not done
        points = list(range(len(z)))  # those in the batch, n_rows rows each
        keys, past = self.net.memory_keys(self.net.memory_of(z)), None
        words = np.full(len(written), _END, np.int64)
        for _ in range(self.max_words - 1):
            logits, past = self.net.decode(torch.from_numpy(words)[:, None], keys, past)
            words = self._next(logits[:, -1], temperature)
            for place, word in enumerate(words):
                row = points[place // n_rows] * n_rows + place % n_rows
                if row not in readers:
                    continue
                state = readers[row].feed(FORMULA_WORDS[word])
                if state == "complete":
                    written[row] = readers[row].expression()
                if state != "open":
                    del readers[row]
            open_points = {row // n_rows for row in readers}
            if not open_points or (deadline is not None and time.monotonic() > deadline):
                break
            if len(open_points) <= _KEPT * len(points):
                kept = [place for place, point in enumerate(points) if point in open_points]
                rows = [place * n_rows + i for place in kept for i in range(n_rows)]
                points, words = [points[place] for place in kept], words[rows]
                keys, past = _selected(keys, kept), _selected(past, rows)
        return written

    def _next(self, logits: Tensor, temperature: float) -> NDArray[np.int64]:
        """Return the next word of each row (B, V)."""
        if temperature <= 0:
            return logits.argmax(dim=-1).numpy()
        p = (logits.double() / temperature).softmax(dim=-1).cumsum(dim=-1).numpy()
        drawn = self.rng.random(len(p)) * p[:, -1]
        return np.array([np.searchsorted(row, u, side="right") for row, u in zip(p, drawn, strict=True)])

    def _distinct(self, written: Sequence[Expression | None]) -> list[Tokens]:
        """Return one formula of each skeleton, that written most often first."""
        counts: dict[tuple[str, ...], int] = {}
        first: dict[tuple[str, ...], Tokens] = {}
        for expression in written:
            if expression is None:
                continue
            counts[expression.prefix] = counts.get(expression.prefix, 0) + 1
            if expression.prefix not in first:
                tokens = self._tokens(expression)
                if tokens is not None:
                    first[expression.prefix] = tokens
        return [first[prefix] for prefix in sorted(first, key=lambda prefix: -counts[prefix])]

    def _tokens(self, expression: Expression) -> Tokens | None:
        """Return a formula in the columns that it is to be of; None where its constants are too large."""
        if self._scaling is None or not self.unscale:
            return tokens_of(expression)
        try:
            return tokens_of(simplify(unwhiten(expression, *self._scaling)))
        except ExpressionError:
            return None


def _scaling(X: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the means and deviations (d,) of columns, one for the deviation of a constant one."""
    deviation = X.std(axis=0)
    return X.mean(axis=0), np.where(deviation > 0, deviation, 1.0)


def _selected(pairs: list[tuple[Tensor, Tensor]], rows: list[int]) -> list[tuple[Tensor, Tensor]]:
    index = torch.tensor(rows)
    return [(k.index_select(0, index), v.index_select(0, index)) for k, v in pairs]
