"""The vocabulary of the released NeSymReS weights, in this package's tokens."""

from __future__ import annotations

from srbench_ext.models.tokens import Vocabulary

__all__ = ["AuthorsVocabulary"]

_ROWS = 60  # of the authors' token table; 34 are used
_TOKENS = (
    "<pad>", "<skeleton>", "<eos>", "C", "x0", "x1", "x2",
    "abs", "acos", "add", "asin", "atan", "cos", "cosh", "coth", "div", "exp", "log", "mul", "pow",
    "sin", "sinh", "sqrt", "tan", "tanh", "-3", "-2", "-1", "0", "1", "2", "3", "4", "5",
)  # fmt: skip


class AuthorsVocabulary(Vocabulary):
    """The 34 tokens of the released weights, by id, and names for the rows that are never used.

    Parameters
    ----------
    coth : bool, default True
        Whether ``coth`` is among them. The first released weights were trained without it: their ids from
        14 on are those of the token before.

    Notes
    -----
    ``coth`` is no operator of this package, so a grammar never allows it.
    """

    def __init__(self, *, coth: bool = True) -> None:
        self.digits = 0  # it has no tokens for numbers
        used = tuple(token for token in _TOKENS if coth or token != "coth")
        unused = (f"<unused{i}>" for i in range(len(used), _ROWS))
        self.tokens = (*used, *unused)
        self.ids = {token: i for i, token in enumerate(self.tokens)}
        self.pad, self.eos = self.ids["<pad>"], self.ids["<eos>"]
