"""Formulas as text: infix, prefix and LaTeX.

Infix text is valid Python (except for column names in backticks) and reads back to the very same tokens with
:func:`srbench_ext.expression.parse_infix`. Where two trees would print alike, the rarer one carries brackets:
``x**2`` is ``pow2``, ``x**(2)`` is ``pow`` with an integer; ``1/x`` is ``inv``, ``(1)/x`` is ``div``.
"""

from __future__ import annotations

import re
from collections import Counter

from srbench_ext.expression.core import Expression
from srbench_ext.expression.operators import (
    CONSTANT,
    OPERATORS,
    PI,
    is_variable,
    variable_index,
)

__all__ = ["display_names", "format_infix", "format_latex", "format_prefix"]

_SUM, _PRODUCT, _SIGN, _POWER, _ATOM = 1, 2, 3, 4, 5

Piece = tuple[str, int]  # text and how tightly its outermost operator binds


def format_infix(e: Expression, digits: int | None = None) -> str:
    """Return the formula in infix notation and in the caller's column names.

    Parameters
    ----------
    e : Expression
        The formula.
    digits : int or None
        Significant digits of the constants; None (or 17) writes as many as are needed to read the same
        number back.

    Returns
    -------
    str
    """
    names = display_names(e)
    stack: list[Piece] = []
    constants = list(e.constants)
    for token in reversed(e.prefix):
        operator = OPERATORS.get(token)
        if operator is None:
            stack.append(_leaf(token, constants, names, digits))
        elif operator.arity == 2:
            stack.append(_binary(token, stack.pop(), stack.pop()))
        else:
            stack.append(_unary(token, stack.pop()))
    return stack[0][0]


def format_prefix(e: Expression, digits: int | None = None) -> str:
    """Return the tokens in prefix order with the constants' values in place, separated by spaces."""
    values = iter(e.constants)
    return " ".join(_number(next(values), digits) if t == CONSTANT else t for t in e.prefix)


def display_names(e: Expression) -> list[str]:
    """Return how each column is written in infix text.

    Names that are not identifiers stand in backticks, and so does ``pi``; columns that share a name get
    their index appended: ``a@1``.
    """
    if e.names is None:
        return [f"x{i}" for i in range((e.variables or (-1,))[-1] + 1)]
    counts = Counter(e.names)
    shown = []
    for index, name in enumerate(e.names):
        text = name if counts[name] == 1 else f"{name}@{index}"
        plain = re.fullmatch(r"[^\W\d]\w*", text) is not None and text != PI
        shown.append(text if plain else "`" + text.replace("`", "``") + "`")
    return shown


def _number(value: float, digits: int | None) -> str:
    text = repr(value) if digits is None or digits >= 17 else f"{value:.{digits}g}"
    return text if any(c in text for c in ".en") else text + ".0"


def _leaf(token: str, constants: list[float], names: list[str], digits: int | None) -> Piece:
    if is_variable(token):
        return names[variable_index(token)], _ATOM
    text = _number(constants.pop(), digits) if token == CONSTANT else token
    return text, (_SIGN if text.startswith("-") else _ATOM)


def _wrap(piece: Piece, level: int, *, right: bool = False) -> str:
    text, binds = piece
    return f"({text})" if binds < level or (right and text.startswith("-")) else text


def _binary(token: str, left: Piece, right: Piece) -> Piece:
    if token == "add" or token == "sub":
        sign = " + " if token == "add" else " - "
        return _wrap(left, _SUM) + sign + _wrap(right, _PRODUCT, right=True), _SUM
    if token == "mul":
        return _wrap(left, _PRODUCT) + "*" + _wrap(right, _SIGN, right=True), _PRODUCT
    if token == "div":
        above = "(1)" if left[0] == "1" else _wrap(left, _PRODUCT)
        return above + "/" + _wrap(right, _SIGN, right=True), _PRODUCT
    if token == "pow":
        exponent = f"({right[0]})" if right[0] in ("2", "3") else _wrap(right, _ATOM)
        return _wrap(left, _ATOM) + "**" + exponent, _POWER
    return f"{token}({left[0]}, {right[0]})", _ATOM


def _unary(token: str, operand: Piece) -> Piece:
    if token == "neg":
        number = operand[0][0].isdigit() and operand[1] == _ATOM
        return "-" + (f"({operand[0]})" if number else _wrap(operand, _POWER)), _SIGN
    if token == "inv":
        return "1/" + _wrap(operand, _SIGN, right=True), _PRODUCT
    if token in ("pow2", "pow3"):
        return _wrap(operand, _ATOM) + "**" + token[-1], _POWER
    return f"{token}({operand[0]})", _ATOM


_GREEK = frozenset(
    (
        *("alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "iota", "kappa", "mu", "nu"),
        *("xi", "rho", "sigma", "tau", "phi", "chi", "psi", "omega", "Gamma", "Delta", "Theta", "Lambda"),
        *("Xi", "Pi", "Sigma", "Phi", "Psi", "Omega"),
    )
)
_LATEX_CALL = {"asin": r"\arcsin", "acos": r"\arccos", "atan": r"\arctan"}


def format_latex(e: Expression, digits: int | None = 4) -> str:
    """Return the formula as LaTeX mathematics, constants rounded to ``digits`` significant digits."""
    names = [_latex_name(name) for name in (e.names or [f"x{i}" for i in range(_n_columns(e))])]
    stack: list[Piece] = []
    constants = list(e.constants)
    for token in reversed(e.prefix):
        operator = OPERATORS.get(token)
        if operator is None:
            stack.append(_latex_leaf(token, constants, names, digits))
        elif operator.arity == 2:
            stack.append(_latex_binary(token, stack.pop(), stack.pop()))
        else:
            stack.append(_latex_unary(token, stack.pop()))
    return stack[0][0]


def _n_columns(e: Expression) -> int:
    return e.variables[-1] + 1 if e.variables else 0


def _latex_name(name: str) -> str:
    match = re.fullmatch(r"([A-Za-z]+)_?(\w*)", name)
    if match is None or (len(match[1]) > 1 and match[1] not in _GREEK):
        return r"\mathrm{" + re.sub(r"([\\{}_&%$#^~ ])", r"\\\1", name.replace("\\", "/")) + "}"
    head = "\\" + match[1] if match[1] in _GREEK else match[1]
    tail = match[2].replace("_", r"\_")
    return head + (f"_{{{tail}}}" if tail else "")


def _latex_leaf(token: str, constants: list[float], names: list[str], digits: int | None) -> Piece:
    if is_variable(token):
        return names[variable_index(token)], _ATOM
    if token == PI:
        return r"\pi", _ATOM
    text = _number(constants.pop(), digits) if token == CONSTANT else token
    mantissa, _, exponent = text.partition("e")
    if exponent:
        return rf"{mantissa} \cdot 10^{{{int(exponent)}}}", _PRODUCT
    return text, (_SIGN if text.startswith("-") else _ATOM)


def _brackets(piece: Piece, level: int, *, right: bool = False) -> str:
    text, binds = piece
    return rf"\left({text}\right)" if binds < level or (right and text.startswith("-")) else text


def _latex_binary(token: str, left: Piece, right: Piece) -> Piece:
    if token == "add" or token == "sub":
        sign = " + " if token == "add" else " - "
        return _brackets(left, _SUM) + sign + _brackets(right, _PRODUCT, right=True), _SUM
    if token == "mul":
        dot = r" \cdot " if right[0][0].isdigit() else " "
        return _brackets(left, _PRODUCT) + dot + _brackets(right, _PRODUCT, right=True), _PRODUCT
    if token == "div":
        return rf"\frac{{{left[0]}}}{{{right[0]}}}", _ATOM - 1
    if token == "pow":
        return f"{_brackets(left, _ATOM)}^{{{right[0]}}}", _POWER
    return rf"\{token}\left({left[0]}, {right[0]}\right)", _ATOM


def _latex_unary(token: str, operand: Piece) -> Piece:
    if token == "neg":
        return "-" + _brackets(operand, _PRODUCT, right=True), _SIGN
    if token == "inv":
        return rf"\frac{{1}}{{{operand[0]}}}", _ATOM - 1
    if token in ("pow2", "pow3"):
        return f"{_brackets(operand, _ATOM)}^{{{token[-1]}}}", _POWER
    if token == "sqrt":
        return rf"\sqrt{{{operand[0]}}}", _ATOM
    if token == "exp":
        return f"e^{{{operand[0]}}}", _POWER
    if token == "abs":
        return rf"\left|{operand[0]}\right|", _ATOM
    return rf"{_LATEX_CALL.get(token, chr(92) + token)}\left({operand[0]}\right)", _ATOM
