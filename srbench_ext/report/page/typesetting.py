"""Formulas as presentation MathML, which browsers set without a library.

Factors are multiplied by a visible dot, because names of columns have several letters; what is added with a
minus in front is subtracted. The text of the formula, which reads back exactly, stands beside it on the page.
"""

from __future__ import annotations

import html
import re
from dataclasses import dataclass

from srbench_ext.expression import Expression
from srbench_ext.expression.operators import CONSTANT, OPERATORS, PI, is_variable, variable_index

__all__ = ["to_mathml"]

_SUM, _PRODUCT, _POWER, _ATOM = 1, 2, 3, 4

_LETTERS = {
    **{"alpha": "α", "beta": "β", "gamma": "γ", "delta": "δ", "epsilon": "ε", "zeta": "ζ", "eta": "η"},
    **{"theta": "θ", "iota": "ι", "kappa": "κ", "lambda": "λ", "mu": "μ", "nu": "ν", "xi": "ξ", "rho": "ρ"},
    **{"sigma": "σ", "tau": "τ", "upsilon": "υ", "phi": "φ", "chi": "χ", "psi": "ψ", "omega": "ω"},
    **{"Gamma": "Γ", "Delta": "Δ", "Theta": "Θ", "Lambda": "Λ", "Xi": "Ξ", "Pi": "Π", "Sigma": "Σ"},
    **{"Phi": "Φ", "Psi": "Ψ", "Omega": "Ω"},
}
_CALLS = {"asin": "arcsin", "acos": "arccos", "atan": "arctan"}


@dataclass(frozen=True, slots=True)
class _Piece:
    """A part of a formula.

    Attributes
    ----------
    markup : str
        MathML.
    binds : int
        How tightly its outermost operator binds.
    negated : _Piece or None
        The part without the minus that stands in front of it; None where there is none.
    signed : bool
        Whether it begins with a minus.
    """

    markup: str
    binds: int
    negated: _Piece | None = None
    signed: bool = False


def to_mathml(e: Expression, digits: int = 4) -> str:
    """Return the formula as a ``math`` element.

    Parameters
    ----------
    e : Expression
        The formula, with the names of its columns where it knows them.
    digits : int
        Significant digits of the constants.

    Returns
    -------
    str
        MathML of the presentation kind; names are escaped.
    """
    stack: list[_Piece] = []
    constants = list(e.constants)
    for token in reversed(e.prefix):
        operator = OPERATORS.get(token)
        if operator is not None and operator.arity == 2:
            stack.append(_binary(token, stack.pop(), stack.pop()))
        elif operator is not None:
            stack.append(_unary(token, stack.pop()))
        elif is_variable(token):
            column = variable_index(token)
            stack.append(_Piece(_name(f"x{column}" if e.names is None else e.names[column]), _ATOM))
        elif token == PI:
            stack.append(_Piece("<mi>π</mi>", _ATOM))
        else:
            stack.append(_number(f"{constants.pop():.{digits}g}" if token == CONSTANT else token))
    return f"<math>{stack[0].markup}</math>"


def _name(name: str) -> str:
    """Set a column's name: Greek letters, and what follows a letter and is no letter as an index."""
    match = re.fullmatch(r"([A-Za-z]+)_?(\w*)", name)
    if match is None:
        return f"<mi>{html.escape(name)}</mi>"
    head = f"<mi>{_LETTERS.get(match[1], match[1])}</mi>"
    return f"<msub>{head}<mi>{match[2]}</mi></msub>" if match[2] else head


def _number(text: str) -> _Piece:
    if text.startswith("-"):
        return _minus(_number(text[1:]))
    mantissa, _, exponent = text.partition("e")
    if not exponent:
        return _Piece(f"<mn>{text}</mn>", _ATOM)
    power = f"<msup><mn>10</mn><mn>{int(exponent)}</mn></msup>"
    return _Piece(_row(f"<mn>{mantissa}</mn>", "<mo>⋅</mo>", power), _PRODUCT)


def _minus(piece: _Piece) -> _Piece:
    return _Piece(_row("<mo>−</mo>", _bracketed(piece, _PRODUCT)), _SUM, negated=piece, signed=True)


def _binary(token: str, left: _Piece, right: _Piece) -> _Piece:
    if token in ("add", "sub"):
        return _sum(left, right, plus=token == "add")
    if token == "mul":
        return _product(left, right)
    if token == "div":
        if left.negated is not None:
            return _minus(_binary(token, left.negated, right))
        return _Piece(f"<mfrac>{_one(left)}{_one(right)}</mfrac>", _PRODUCT)
    if token == "pow":
        return _Piece(f"<msup>{_one(left, _ATOM)}{_one(right)}</msup>", _POWER)
    return _Piece(_call(token, left.markup + "<mo>,</mo>" + right.markup), _ATOM)


def _sum(left: _Piece, right: _Piece, *, plus: bool) -> _Piece:
    """Write ``left ± right``; a minus in front of what is added or subtracted turns the sign."""
    if right.negated is not None:
        plus, right = not plus, right.negated
    sign = "<mo>+</mo>" if plus else "<mo>−</mo>"
    shown = right.markup if plus and not right.signed else _bracketed(right, _PRODUCT)
    return _Piece(left.markup + sign + shown, _SUM, signed=left.signed)


def _product(left: _Piece, right: _Piece) -> _Piece:
    """Write a product; a minus in front of a factor goes to the front of all."""
    if left.negated is not None:
        return _minus(_product(left.negated, right))
    if right.negated is not None:
        return _minus(_product(left, right.negated))
    return _Piece(_row(_bracketed(left, _PRODUCT), "<mo>⋅</mo>", _bracketed(right, _PRODUCT)), _PRODUCT)


def _unary(token: str, operand: _Piece) -> _Piece:
    if token == "neg":
        return operand.negated if operand.negated is not None else _minus(operand)
    if token == "inv":
        return _Piece(f"<mfrac><mn>1</mn>{_one(operand)}</mfrac>", _PRODUCT)
    if token in ("pow2", "pow3"):
        return _Piece(f"<msup>{_one(operand, _ATOM)}<mn>{token[-1]}</mn></msup>", _POWER)
    if token == "sqrt":
        return _Piece(f"<msqrt>{operand.markup}</msqrt>", _ATOM)
    if token == "exp":
        return _Piece(f"<msup><mi>e</mi>{_one(operand)}</msup>", _POWER)
    if token == "abs":
        return _Piece(_row("<mo>|</mo>", operand.markup, "<mo>|</mo>"), _ATOM)
    return _Piece(_call(_CALLS.get(token, token), operand.markup), _ATOM)


def _call(function: str, arguments: str) -> str:
    return _row(f"<mi>{function}</mi><mo>(</mo>", arguments, "<mo>)</mo>")


def _row(*markup: str) -> str:
    return f"<mrow>{''.join(markup)}</mrow>"


def _bracketed(piece: _Piece, level: int) -> str:
    return _row("<mo>(</mo>", piece.markup, "<mo>)</mo>") if piece.binds < level else piece.markup


def _one(piece: _Piece, level: int = 0) -> str:
    """Return a part as a single element, as numerators, bases and exponents have to be."""
    return _row(_bracketed(piece, level))
