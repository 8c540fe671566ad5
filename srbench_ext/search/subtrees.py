"""Random subtrees from the corpus grammar over the columns of a table."""

from __future__ import annotations

import random
from collections.abc import Sequence

from srbench_ext.corpus.grammar import constant, draw_science
from srbench_ext.corpus.normal import flatten
from srbench_ext.errors import InputError
from srbench_ext.search.form import Tokens

__all__ = ["SubtreeSource"]

_SUBTREE_VARIABLES = (1, 2, 3)
_SUBTREE_WEIGHTS = (0.5, 0.35, 0.15)


class SubtreeSource:
    """Draws formulas, subtrees, variables and constants.

    Parameters
    ----------
    variables : sequence of str
        The variable tokens to use (``x0``, ``x3``, ...), at least one.
    """

    def __init__(self, variables: Sequence[str]) -> None:
        if not variables:
            raise InputError(
                "A source of subtrees needs at least one variable, for instance ('x0',). Got none."
            )
        self.variables = tuple(variables)

    def formula(self, rng: random.Random) -> Tokens:
        """Draw a whole formula over some of the variables, more often over most of them."""
        count = min(len(self.variables), 10)
        return self._draw(rng, max(rng.randint(1, count), rng.randint(1, count)))

    def subtree(self, rng: random.Random) -> Tokens:
        """Draw a small subtree of one to three variables."""
        (count,) = rng.choices(_SUBTREE_VARIABLES, _SUBTREE_WEIGHTS)
        return self._draw(rng, min(count, len(self.variables)))

    def variable(self, rng: random.Random) -> str:
        """Draw a variable."""
        return rng.choice(self.variables)

    def number(self, rng: random.Random) -> str | float:
        """Draw a constant, or 1 or 2."""
        if rng.random() < 0.3:
            return rng.choice(("1", "1", "2"))
        value = constant(rng)
        return float(value) if not isinstance(value, str) else value

    def _draw(self, rng: random.Random, count: int) -> Tokens:
        chosen = rng.sample(self.variables, count)
        names: dict[str | float, str] = {f"x{index}": variable for index, variable in enumerate(chosen)}
        return tuple([names.get(token, token) for token in flatten(draw_science(rng, count))])
