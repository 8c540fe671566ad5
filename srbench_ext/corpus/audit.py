"""Contamination audit: which synthetic formulas are a benchmark truth in other words.

The key of a formula forgets its scale and offset, factors, signs, the values of constant terms and
the names of the variables, and orders what commutes. Two formulas with different keys are different
laws; two with the same key may still differ (in a sign, or where variables play the same part), so
the audit rejects a little more than it has to.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from srbench_ext.corpus.normal import (
    Node,
    flatten,
    is_number,
    normalise,
    skeleton_of,
    strip_affine,
    unflatten,
)
from srbench_ext.expression import compile_prefix
from srbench_ext.expression.operators import CONSTANT, is_variable

__all__ = ["LONGEST_COUNTED", "Audit", "audit_key", "skeleton_length"]

LONGEST_COUNTED = 8
"""Truths whose skeleton has up to this many tokens are only counted: no corpus can do without."""

_COMMUTE = frozenset({"add", "mul", "max", "min"})
_UNCOUNTED = frozenset({"add", "sub", "mul", "div", "neg", "inv", "pow"})  # written in several ways
_TERM = "c"  # stands for a constant term of a sum, whatever its value


def audit_key(prefix: Sequence[str | float]) -> str:
    """Return the key of a formula, free of constants, signs and variable names.

    Parameters
    ----------
    prefix : sequence of str or float
        Prefix tokens; constants are floats or the placeholder ``C``.
    """
    return _key_of(_core(prefix))


def _core(prefix: Sequence[str | float]) -> Node:
    """Return the normal form without scale and offset, with roots where powers are halves."""
    return strip_affine(normalise(_roots(unflatten(list(prefix)))))


def _key_of(core: Node) -> str:
    node = _drop_numbers(core)
    return "constant" if node is None else _key_without_names(node)


def _alike(node: Node) -> dict[str, str]:
    """Return one colour for all variables."""
    return {variable: "x" for variable in flatten(node) if isinstance(variable, str) and variable[0] == "x"}


def _key_without_names(node: Node) -> str:
    """Return the key of a tree without numbers: variables are told apart by the places they stand in."""
    colours = _alike(node)
    for _ in range(3):
        seen: dict[str, list[str]] = {variable: [] for variable in colours}
        _collect(node, "", colours, seen)
        colours = {v: _digest("|".join(sorted(contexts))) for v, contexts in seen.items()}
    ranks = {colour: f"x{rank}" for rank, colour in enumerate(sorted(set(colours.values())))}
    return _write(node, {variable: ranks[colour] for variable, colour in colours.items()})


def skeleton_length(prefix: Sequence[str | float]) -> int:
    """Return the number of tokens of a formula's normal form without scale and offset."""
    return len(flatten(strip_affine(normalise(unflatten(list(prefix))))))


def _digest(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def _roots(node: Node) -> Node:
    """Write powers of whole and half exponents as powers of the base or its root, as the grammars do."""
    if not isinstance(node, tuple):
        return node
    children = [_roots(child) for child in node[1:]]
    twice = 2.0 * _exponent(children[1]) if node[0] == "pow" else np.nan
    if twice % 2 == 0:
        return ("pow", children[0], str(int(twice) // 2))
    if twice % 1 == 0:
        return ("pow", ("sqrt", children[0]), str(int(twice)))
    return (node[0], *children)


def _exponent(node: Node) -> float:
    """Return the value of a formula of fixed numbers; NaN for any other."""
    sequence = flatten(node)
    if any(isinstance(token, str) and (token == CONSTANT or is_variable(token)) for token in sequence):
        return np.nan
    constants = [token for token in sequence if isinstance(token, float)]
    return float(compile_prefix(skeleton_of(sequence)).evaluate(np.zeros((1, 1)), constants)[0])


def _drop_numbers(node: Node) -> Node | None:
    """Return the tree without numbers and signs; products and sums become n-ary."""
    if not isinstance(node, tuple):
        return None if is_number(node) else node
    head = node[0]
    if head == "neg":
        return _drop_numbers(node[1])
    if head == "div":
        above, below = _drop_numbers(node[1]), _drop_numbers(node[2])
        if below is None:
            return above
        return ("inv", below) if above is None else ("mul", above, ("inv", below))
    if head == "sub":
        head = "add"
    children: list[Node] = [_drop_numbers(child) for child in node[1:]]
    if head == "add":
        children = [child or _TERM for child in children]
        if all(child == _TERM for child in children):
            return None
    else:
        children = [child for child in children if child is not None]
    if not children:
        return None
    if head in _COMMUTE:
        flat: list[Node] = []
        for child in children:
            flat.extend(child[1:] if isinstance(child, tuple) and child[0] == head else [child])
        flat = [child for i, child in enumerate(flat) if child != _TERM or _TERM not in flat[:i]]
        return (head, *flat) if len(flat) > 1 else flat[0]
    return (head, *children) if len(children) == len(node) - 1 else (f"{head}1", *children)


def _write(node: Node, colours: dict[str, str]) -> str:
    if not isinstance(node, tuple):
        return colours.get(str(node), _TERM)
    parts = [_write(child, colours) for child in node[1:]]
    if node[0] in _COMMUTE:
        parts.sort()
    return f"{node[0]}({','.join(parts)})"


def _collect(node: Node, path: str, colours: dict[str, str], seen: dict[str, list[str]]) -> None:
    """Record for every variable the places it stands in."""
    if not isinstance(node, tuple):
        if node in seen:
            seen[str(node)].append(_digest(path))
        return
    texts = [_write(child, colours) for child in node[1:]]
    for i, child in enumerate(node[1:]):
        others = texts[:i] + texts[i + 1 :]
        place = "" if node[0] in _COMMUTE else str(i)
        if node[0] in _COMMUTE:
            others.sort()
        _collect(child, f"{path}/{node[0]}{place}({','.join(others)})", colours, seen)


def _census(node: Node, found: list[str]) -> bool:
    """Collect the variables and functions that the key keeps one by one; return whether there are variables.

    A function of numbers alone is dropped by the key, so it is not counted.
    """
    if type(node) is not tuple:
        if type(node) is str and node[0] == "x":
            found.append("x")
            return True
        return False
    varies = _census(node[1], found)
    if len(node) > 2 and _census(node[2], found):
        varies = True
    if varies and node[0] not in _UNCOUNTED:
        found.append(node[0])
    return varies


def _census_of(core: Node) -> tuple[str, ...]:
    found: list[str] = []
    _census(core, found)
    found.sort()
    return tuple(found)


def _shape_of(node: Node | None) -> str:
    """Return what a tree without numbers is when its variables are not told apart."""
    return "" if node is None else _write(node, _alike(node))


class Audit:
    """Keeps benchmark truths out of a corpus and counts the short ones that stay.

    Parameters
    ----------
    truths : iterable of (str, sequence of str or float)
        Name and prefix tokens of every benchmark formula.

    Attributes
    ----------
    forbidden, counted : dict of str to tuple of str
        The problems of each key, long truths and short ones. A key of both is forbidden.
    hits : Counter
        Draws that were admitted and are a short truth, by problem; one draw counts for every problem
        of its key.
    refused : Counter
        Draws that were not admitted, by problem in the same way.
    """

    def __init__(self, truths: Iterable[tuple[str, Sequence[str | float]]]) -> None:
        self.forbidden: dict[str, tuple[str, ...]] = {}
        self.counted: dict[str, tuple[str, ...]] = {}
        self.hits: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()
        self._censuses: set[tuple[str, ...]] = set()
        self._shapes: set[str] = set()
        for name, prefix in truths:
            core = _core(prefix)
            known = self.counted if skeleton_length(prefix) <= LONGEST_COUNTED else self.forbidden
            key = _key_of(core)
            known[key] = (*known.get(key, ()), name)
            self._censuses.add(_census_of(core))
            self._shapes.add(_shape_of(_drop_numbers(core)))

    def forget_counts(self) -> None:
        """Set the counts to zero."""
        self.hits.clear()
        self.refused.clear()

    def admits(self, prefix: Sequence[str | float]) -> bool:
        """Return whether a formula may be trained on; counts it if it is a truth."""
        return self.admits_core(_core(prefix))

    def admits_core(self, core: Node) -> bool:
        """Do the same for a tree in normal form without scale and offset, and without ``pow``.

        Most formulas have other functions or another number of variables than every truth, or other
        operations on them, which is seen sooner than the key is worked out.
        """
        if _census_of(core) not in self._censuses:
            return True
        node = _drop_numbers(core)
        if _shape_of(node) not in self._shapes:
            return True
        key = "constant" if node is None else _key_without_names(node)
        if key in self.forbidden:
            self.refused.update(self.forbidden[key])
            return False
        self.hits.update(self.counted.get(key, ()))
        return True

    def seen_problems(self, met: Mapping[str, int]) -> frozenset[str]:
        """Return the problems that a training with these counts has seen.

        Parameters
        ----------
        met : mapping of str to int
            Counts by problem, as ``hits``. A count for one problem of a key is one for all of them, and
            one for a forbidden key is none, because what was met there was not trained on: cards of
            earlier versions have such counts. Names that are no problem of the audit stand for
            themselves.
        """
        keys = {
            name: key for key, names in [*self.counted.items(), *self.forbidden.items()] for name in names
        }
        seen: set[str] = set()
        for name in [name for name, count in met.items() if count > 0]:
            key = keys.get(name)
            if key is None:
                seen.add(name)
            elif key not in self.forbidden:
                seen.update(self.counted[key])
        return frozenset(seen)
