"""Small changes of formulas: pure functions from prefix tokens to prefix tokens.

Tokens are operators, variables, integers, ``pi``, and for a constant its value or ``C``. No edit looks
at data; :func:`random_edit` draws one of them by the weights in :data:`EDITS`.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from dataclasses import dataclass

from srbench_ext.expression.operators import OPERATORS
from srbench_ext.search.form import Tokens
from srbench_ext.search.subtrees import SubtreeSource

__all__ = [
    "EDITS",
    "change_constant",
    "change_operator",
    "change_variable",
    "combine",
    "cross",
    "delete",
    "hoist",
    "insert",
    "join_whole",
    "random_edit",
    "replace",
    "scale_or_shift",
    "shortening_edit",
    "spread_variable",
    "swap_variables",
    "wrap",
]

_ARITY: dict[str | float, int] = {name: operator.arity for name, operator in OPERATORS.items()}
_BINARY = ("add", "sub", "mul", "div")
_BINARY_WEIGHTS = (0.27, 0.22, 0.33, 0.18)
_UNARY = (
    "pow2",
    "sqrt",
    "exp",
    "log",
    "sin",
    "cos",
    "inv",
    "neg",
    "tanh",
    "pow3",
    "asin",
    "acos",
    "tan",
    "abs",
    "atan",
)
_UNARY_WEIGHTS = (22, 18, 14, 6, 11, 11, 6, 4, 3, 3, 1.2, 0.8, 0.8, 0.5, 0.8)
_TRIES = 4


@dataclass(frozen=True, slots=True)
class _Draws:
    """What an edit may draw from."""

    rng: random.Random
    source: SubtreeSource
    mate: Tokens


def _end(tokens: Tokens, start: int) -> int:
    """Return the position after the subtree at ``start``."""
    missing = 1
    while missing:
        missing += _ARITY.get(tokens[start], 0) - 1
        start += 1
    return start


def _span(rng: random.Random, tokens: Tokens) -> tuple[int, int]:
    start = rng.randrange(len(tokens))
    return start, _end(tokens, start)


def _operands(tokens: Tokens, start: int) -> list[tuple[int, int]]:
    """Return the spans of the operands of the operator at ``start``."""
    spans = []
    position = start + 1
    for _ in range(_ARITY.get(tokens[start], 0)):
        end = _end(tokens, position)
        spans.append((position, end))
        position = end
    return spans


def _is_number(token: str | float) -> bool:
    return token not in _ARITY and (not isinstance(token, str) or token[0] != "x")


def _positions(tokens: Tokens, kind: Callable[[str | float], bool]) -> list[int]:
    return [position for position, token in enumerate(tokens) if kind(token)]


def _is_variable(token: str | float) -> bool:
    return isinstance(token, str) and token[0] == "x"


def _binary(rng: random.Random) -> str:
    return rng.choices(_BINARY, _BINARY_WEIGHTS)[0]


def _unary(rng: random.Random) -> str:
    return rng.choices(_UNARY, _UNARY_WEIGHTS)[0]


def _joined(rng: random.Random, first: Tokens, second: Tokens) -> Tokens:
    """Join two subtrees by a random operator in random order."""
    if rng.random() < 0.5:
        first, second = second, first
    return (_binary(rng), *first, *second)


def replace(tokens: Tokens, draws: _Draws) -> Tokens:
    """Replace a subtree by a random one."""
    start, end = _span(draws.rng, tokens)
    return tokens[:start] + draws.source.subtree(draws.rng) + tokens[end:]


def insert(tokens: Tokens, draws: _Draws) -> Tokens:
    """Join a random subtree, a variable or a number to a subtree."""
    rng = draws.rng
    start, end = _span(rng, tokens)
    kind = rng.random()
    if kind < 0.5:
        other: Tokens = (draws.source.variable(rng),)
    elif kind < 0.7:
        other = (draws.source.number(rng),)
    else:
        other = draws.source.subtree(rng)
    return tokens[:start] + _joined(rng, tokens[start:end], other) + tokens[end:]


def hoist(tokens: Tokens, draws: _Draws) -> Tokens:
    """Keep only one subtree of the whole."""
    start, end = _span(draws.rng, tokens)
    return tokens[start:end]


def delete(tokens: Tokens, draws: _Draws) -> Tokens:
    """Replace an operator by one of its operands."""
    places = _positions(tokens, _ARITY.__contains__)
    if not places:
        return tokens
    start = draws.rng.choice(places)
    spans = _operands(tokens, start)
    first, last = draws.rng.choice(spans)
    return tokens[:start] + tokens[first:last] + tokens[spans[-1][1] :]


def wrap(tokens: Tokens, draws: _Draws) -> Tokens:
    """Put a function around a subtree, a third of the time around the whole."""
    rng = draws.rng
    start = 0 if rng.random() < 0.33 else rng.randrange(len(tokens))
    return (*tokens[:start], _unary(rng), *tokens[start:])


def change_operator(tokens: Tokens, draws: _Draws) -> Tokens:
    """Replace an operator by another one of as many operands."""
    places = _positions(tokens, _ARITY.__contains__)
    if not places:
        return tokens
    rng = draws.rng
    place = rng.choice(places)
    drawn = _unary(rng) if _ARITY[tokens[place]] == 1 else _binary(rng)
    return (*tokens[:place], drawn, *tokens[place + 1 :])


def change_variable(tokens: Tokens, draws: _Draws) -> Tokens:
    """Replace one variable, or a number, by a variable."""
    places = _positions(tokens, lambda token: token not in _ARITY)
    place = draws.rng.choice(places)
    return (*tokens[:place], draws.source.variable(draws.rng), *tokens[place + 1 :])


def swap_variables(tokens: Tokens, draws: _Draws) -> Tokens:
    """Exchange two variables wherever they stand."""
    used = sorted({str(token) for token in tokens if _is_variable(token)})
    first = draws.rng.choice(used) if used else ""
    second = draws.source.variable(draws.rng)
    exchanged: dict[str | float, str | float] = {first: second, second: first}
    return tuple([exchanged.get(token, token) for token in tokens])


def spread_variable(tokens: Tokens, draws: _Draws) -> Tokens:
    """Replace a variable by its difference, sum, product or ratio with another one, there or everywhere."""
    rng = draws.rng
    places = _positions(tokens, _is_variable)
    if not places:
        return tokens
    chosen = tokens[rng.choice(places)]
    other = draws.source.variable(rng)
    join = rng.choice(("sub", "sub", "add", "mul", "div"))
    pair = (join, chosen, other) if rng.random() < 0.5 else (join, other, chosen)
    if rng.random() < 0.5:
        places = [rng.choice([place for place in places if tokens[place] == chosen])]
    spread: list[str | float] = []
    for position, token in enumerate(tokens):
        spread.extend(pair if position in places and token == chosen else (token,))
    return tuple(spread)


def change_constant(tokens: Tokens, draws: _Draws) -> Tokens:
    """Turn a number into another one: a constant into the nearest integer, or moved, or its sign changed."""
    places = _positions(tokens, _is_number)
    if not places:
        return scale_or_shift(tokens, draws)
    rng = draws.rng
    place = rng.choice(places)
    number = tokens[place]
    if isinstance(number, str):
        changed: str | float = draws.source.number(rng)
    elif rng.random() < 0.4 and 0.5 < abs(number) < 9.5:
        changed = str(round(number))
    else:
        changed = number * math.exp(rng.gauss(0.0, 1.0)) * rng.choice((1, 1, 1, -1))
    return (*tokens[:place], changed, *tokens[place + 1 :])


def scale_or_shift(tokens: Tokens, draws: _Draws) -> Tokens:
    """Give a subtree a constant factor or a constant term."""
    rng = draws.rng
    start = rng.randrange(len(tokens))
    head = rng.choice(("mul", "mul", "add"))
    value = math.exp(rng.gauss(0.0, 1.0)) * rng.choice((1, 1, -1))
    if head == "add" and rng.random() < 0.4:
        return (*tokens[:start], rng.choice(("add", "sub")), "1", *tokens[start:])
    return (*tokens[:start], head, value, *tokens[start:])


def join_whole(tokens: Tokens, draws: _Draws) -> Tokens:
    """Multiply or divide the whole by a power of a variable, or add a random term."""
    rng = draws.rng
    if rng.random() < 0.6:
        factor: Tokens = (draws.source.variable(rng),)
        if rng.random() < 0.3:
            factor = (rng.choice(("pow2", "pow2", "sqrt", "pow3")), *factor)
        return (rng.choice(("mul", "div")), *tokens, *factor)
    return _with_term(rng, tokens, draws.source.subtree(rng))


def combine(tokens: Tokens, draws: _Draws) -> Tokens:
    """Join the whole with the whole mate: a sum with a weight, a product or a ratio."""
    rng = draws.rng
    if rng.random() < 0.5:
        return _with_term(rng, tokens, draws.mate)
    return (rng.choice(("mul", "div")), *tokens, *draws.mate)


def _with_term(rng: random.Random, tokens: Tokens, term: Tokens) -> Tokens:
    """Add a term, half of the time with a weight of its own."""
    if rng.random() < 0.5:
        return (rng.choice(("add", "sub")), *tokens, *term)
    return ("add", *tokens, "mul", rng.choice((0.5, -0.5)), *term)


def cross(tokens: Tokens, draws: _Draws) -> Tokens:
    """Replace a subtree by one of the mate."""
    start, end = _span(draws.rng, tokens)
    first, last = _span(draws.rng, draws.mate)
    return tokens[:start] + draws.mate[first:last] + tokens[end:]


Edit = Callable[[Tokens, _Draws], Tokens]

EDITS: dict[Edit, float] = {
    replace: 16.0,
    insert: 16.0,
    hoist: 3.0,
    delete: 10.0,
    wrap: 8.0,
    change_operator: 10.0,
    change_variable: 8.0,
    swap_variables: 3.0,
    spread_variable: 6.0,
    change_constant: 4.0,
    scale_or_shift: 7.0,
    join_whole: 8.0,
    combine: 5.0,
    cross: 12.0,
}
"""Every edit and its weight."""

_NEED_MATE = (combine, cross)
_EDITS = tuple(EDITS)
_WEIGHTS = tuple(EDITS.values())


def random_edit(
    rng: random.Random,
    tokens: Tokens,
    source: SubtreeSource,
    max_tokens: int,
    mate: Tokens | None = None,
) -> Tokens:
    """Change a formula by one random edit, sometimes by two or three.

    Parameters
    ----------
    rng : random.Random
        Source of all draws.
    tokens : Tokens
        The formula; it is not changed.
    source : SubtreeSource
        Draws subtrees, variables and numbers.
    max_tokens : int
        A longer result is drawn again a few times.
    mate : Tokens, optional
        Another formula, for the edits that cross two.

    Returns
    -------
    Tokens
        A complete formula of at most ``max_tokens``; the formula itself if no draw changed it or fitted in.
    """
    draws = _Draws(rng, source, tokens if mate is None else mate)
    steps = 1 if rng.random() < 0.7 else rng.choice((2, 2, 3))
    current = tokens
    for _ in range(_TRIES * steps):
        (edit,) = rng.choices(_EDITS, _WEIGHTS)
        if edit in _NEED_MATE and mate is None:
            continue
        edited = edit(current, draws)
        if edited != current and len(edited) <= max_tokens:
            current = edited
            steps -= 1
            if not steps:
                break
    return current


_SHORTENING = (delete, hoist, change_constant, change_variable)
_SHORTENING_WEIGHTS = (6.0, 1.0, 3.0, 1.0)


def shortening_edit(rng: random.Random, tokens: Tokens) -> Tokens:
    """Change a formula by one or two edits that never make it longer, over its own variables.

    Parameters
    ----------
    rng : random.Random
        Source of all draws.
    tokens : Tokens
        A formula with at least one variable.
    """
    source = SubtreeSource(sorted({str(token) for token in tokens if _is_variable(token)}))
    draws = _Draws(rng, source, tokens)
    current = tokens
    for _ in range(rng.choice((1, 1, 2))):
        (edit,) = rng.choices(_SHORTENING, _SHORTENING_WEIGHTS)
        edited = edit(current, draws)
        if len(edited) <= len(tokens) and any(map(_is_variable, edited)):
            current = edited
    return current
