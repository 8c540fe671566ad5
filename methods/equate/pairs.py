"""Pairs to learn repairing from: a table, wrong formulas for it with their labels, and the truth.

The wrong formulas of a table are its truth after one to three random edits, now and then the law of
another table, or the truth itself. All of them get the label that the search would give them: constants
and outer scale are fitted to the table, and the error is that of the fit.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from srbench_ext.corpus.stream import Example
from srbench_ext.models.batches import ExampleEncoder
from srbench_ext.models.tokens import Vocabulary
from srbench_ext.search.edits import random_edit
from srbench_ext.search.form import Tokens, normal_form, skeleton_of, with_values
from srbench_ext.search.screen import Screen
from srbench_ext.search.subtrees import SubtreeSource

from .labels import fitness_label, simplicity_label

__all__ = ["KINDS", "PairEncoder"]

KINDS = ("edited", "unrelated", "truth")
"""Where a wrong formula comes from; a pair's kind is the index."""

MAX_TOKENS = 36
_SHARES = (0.80, 0.12, 0.08)
_LARGEST_CONSTANT = 1e6
_FIT_STEPS = 8
_OUTER = 4  # tokens of the outer scale and offset that a fit adds
_AS_GOOD_AS_TRUE = 0.98  # a label from here on may be the truth in other words


class PairEncoder(ExampleEncoder):
    """Adds wrong formulas and their labels to the arrays of a batch.

    ``wrong`` (B, K, T) holds ids behind the mode token, as in
    :func:`srbench_ext.methods.equate.adaptation.pad_ids`; the first of each table is the one to repair.
    ``fitness`` and ``simplicity`` (B, K) are their labels and ``kind`` (B, K) indexes :data:`KINDS`.

    Parameters
    ----------
    vocabulary : Vocabulary
    n_wrong : int
        Wrong formulas of a table, at least one. Only the first is decoded; the others cost little and
        teach the evaluator to order the formulas of one table.
    """

    def __init__(self, vocabulary: Vocabulary, n_wrong: int = 2) -> None:
        super().__init__(vocabulary)
        self.n_wrong = n_wrong

    def extra(self, examples: Sequence[Example], choice: random.Random) -> dict[str, NDArray[Any]]:
        """Return wrong formulas of every table, their labels and kinds."""
        laws = [self._law(example) for example in examples]
        n_wrong = self.n_wrong
        fitness = np.zeros((len(examples), n_wrong), np.float32)
        simplicity = np.zeros_like(fitness)
        kinds = np.zeros((len(examples), n_wrong), np.int64)
        rows: list[list[int]] = []
        for i, example in enumerate(examples):
            found = self._wrong_formulas(example, laws[i], laws, choice)
            for k, (tokens, kind, label) in enumerate(found):
                rows.append(self.vocabulary.encode(["<skeleton>", *skeleton_of(tokens), "<eos>"]))
                fitness[i, k], kinds[i, k] = label, kind
                simplicity[i, k] = simplicity_label(len(tokens) + _OUTER)
        ids = np.full((len(rows), max(map(len, rows))), self.vocabulary.pad, np.int64)
        for row, encoded in zip(ids, rows, strict=True):
            row[: len(encoded)] = encoded
        wrong = ids.reshape(len(examples), n_wrong, -1)
        return {"wrong": wrong, "fitness": fitness, "simplicity": simplicity, "kind": kinds}

    def _law(self, example: Example) -> Tokens:
        """Return the truth as an archive writes it, or as the corpus does where it lacks tokens."""
        form = normal_form(example.formula)
        return (
            form if form is not None and self._writable(form) else with_values(example.skeleton, lambda: 1.0)
        )

    def _writable(self, form: Tokens) -> bool:
        known = self.vocabulary.ids
        return len(form) <= MAX_TOKENS and all(
            token in known if isinstance(token, str) else abs(token) < _LARGEST_CONSTANT for token in form
        )

    def _wrong_formulas(
        self, example: Example, law: Tokens, laws: Sequence[Tokens], choice: random.Random
    ) -> list[tuple[Tokens, int, float]]:
        """Return formulas with kind and fitness, the one to repair first."""
        screen = _screen(example)
        source = SubtreeSource([f"x{i}" for i in range(example.X.shape[1])])
        found = []
        for kind in choice.choices(range(len(KINDS)), _SHARES, k=self.n_wrong):
            tokens, drawn = self._draw(kind, law, laws, source, choice)
            found.append((tokens, drawn, fitness_label(screen.look(tokens)[0])))
        if choice.random() < 0.5:  # a search repairs what fits well: half of the time, the best of these
            found.sort(key=lambda it: -it[2] if it[1] == 0 and it[2] < _AS_GOOD_AS_TRUE else 1.0)
        return found

    def _draw(
        self, kind: int, law: Tokens, laws: Sequence[Tokens], source: SubtreeSource, choice: random.Random
    ) -> tuple[Tokens, int]:
        """Return a formula of a kind, or of the first where this one cannot be had."""
        known = set(source.variables)
        mate = choice.choice(laws)
        mate_fits = all(t in known for t in mate if isinstance(t, str) and t[0] == "x")
        if KINDS[kind] == "truth":
            return law, kind
        if KINDS[kind] == "unrelated" and mate_fits and mate is not law:
            return mate, kind
        edited = random_edit(choice, law, source, MAX_TOKENS, mate if mate_fits else None)
        form = normal_form(edited)
        if form is None or not self._writable(form):
            return (choice.choice(source.variables),), 0
        return form, 0


def _screen(example: Example) -> Screen:
    deviation = float(example.y.std())
    centred = (example.y - example.y.mean()) / (deviation or 1.0)
    return Screen(np.ascontiguousarray(example.X.T), centred, _FIT_STEPS)
