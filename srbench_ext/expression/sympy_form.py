"""Formulas to sympy and back. sympy is imported on use, since it takes long to load."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from srbench_ext.errors import ExpressionError
from srbench_ext.expression.core import Expression
from srbench_ext.expression.operators import CONSTANT, OPERATORS, PI, is_variable, variable_index

__all__ = ["from_sympy", "symbol_names", "to_sympy"]

_MAX_INTEGER = 10**15


def symbol_names(e: Expression) -> list[str]:
    """Return the name of each column's symbol: the caller's name, ``name@index`` where names are shared."""
    if e.names is None:
        return [f"x{i}" for i in range(e.variables[-1] + 1 if e.variables else 0)]
    shared = {name for name in e.names if e.names.count(name) > 1}
    return [f"{name}@{i}" if name in shared else name for i, name in enumerate(e.names)]


def to_sympy(e: Expression, *, evaluate: bool = True, **assumptions: bool) -> Any:
    """Return the formula as a sympy expression.

    Parameters
    ----------
    e : Expression
        The formula.
    evaluate : bool
        Whether sympy may apply its automatic rules; without them ``x0 + x0`` stays as it is.
    **assumptions : bool
        Assumptions of the symbols, for instance ``real=True``.

    Returns
    -------
    sympy.Expr
        Constants are Floats of 17 digits, integers are exact, symbols have the columns' names.
    """
    import sympy

    names = symbol_names(e)
    constants = list(e.constants)
    stack: list[Any] = []
    rules = _sympy_rules()
    with sympy.evaluate(evaluate):
        for token in reversed(e.prefix):
            if token in OPERATORS:
                operands = [stack.pop() for _ in range(OPERATORS[token].arity)]
                stack.append(rules[token](*operands))
            elif is_variable(token):
                stack.append(sympy.Symbol(names[variable_index(token)], **assumptions))
            elif token == CONSTANT:
                stack.append(sympy.Float(constants.pop(), 17))
            else:
                stack.append(sympy.pi if token == PI else sympy.Integer(token))
    return stack[0]


def _sympy_rules() -> dict[str, Callable[..., Any]]:
    import sympy

    return {
        **{name: getattr(sympy, name) for name in (*_FUNCTIONS, "sqrt")},
        "add": lambda a, b: a + b,
        "sub": lambda a, b: a - b,
        "mul": lambda a, b: a * b,
        "div": lambda a, b: a / b,
        "pow": lambda a, b: a**b,
        "max": sympy.Max,
        "min": sympy.Min,
        "neg": lambda a: -a,
        "inv": lambda a: 1 / a,
        "pow2": lambda a: a**2,
        "pow3": lambda a: a**3,
        "abs": sympy.Abs,
    }


def from_sympy(expression: Any, names: Sequence[str] | None = None) -> Expression:
    """Return a sympy expression as a formula.

    Parameters
    ----------
    expression : sympy.Expr
        What to read; rationals become a division of integers, Floats become constants.
    names : sequence of str or None
        The column names in order; None means that the symbols are ``x0``, ``x1``, ...

    Returns
    -------
    Expression

    Raises
    ------
    ExpressionError
        If there is a symbol, function or number that formulas cannot have (imaginary unit, infinity, ...).
    """
    columns = None if names is None else {name: i for i, name in reversed(list(enumerate(names)))}
    tokens = _Reader(columns).read(expression)
    constants = tuple(t for t in tokens if isinstance(t, float))
    prefix = tuple(CONSTANT if isinstance(t, float) else t for t in tokens)
    return Expression(prefix, constants, None if names is None else tuple(names))


Tokens = list[str | float]

_FUNCTIONS = ("exp", "log", "sin", "cos", "tan", "asin", "acos", "atan", "sinh", "cosh", "tanh")
_INVERSE = {"cot": ("inv", "tan"), "sec": ("inv", "cos"), "csc": ("inv", "sin"), "coth": ("inv", "tanh")}


class _Reader:
    def __init__(self, columns: dict[str, int] | None) -> None:
        import sympy

        self.sympy = sympy
        self.columns = columns

    def read(self, e: Any) -> Tokens:
        if e.is_Symbol:
            return [self._column(e.name)]
        if e.is_Number or e.is_NumberSymbol:
            return self._number(e)
        if e.is_Add:
            return self._sum(e)
        if e.is_Mul:
            return self._product(e)
        if e.is_Pow:
            return self._power(*e.args)
        return self._function(e)

    def _column(self, name: str) -> str:
        if self.columns is None and name[:1] == "x" and name[1:].isdigit():
            return name
        if self.columns is not None and name in self.columns:
            return f"x{self.columns[name]}"
        raise ExpressionError(f"Unknown symbol {name!r}. Known: {list(self.columns or ['x0', 'x1', '...'])}.")

    def _number(self, e: Any) -> Tokens:
        if e is self.sympy.pi:
            return [PI]
        if e is self.sympy.E:
            return ["exp", "1"]
        if e.is_Integer and abs(int(e)) < _MAX_INTEGER:
            return [str(int(e))]
        if e.is_Rational and not e.is_Integer:
            return ["div", *self._number(self.sympy.Integer(e.p)), *self._number(self.sympy.Integer(e.q))]
        if e.is_finite and e.is_real:
            return [float(e)]
        raise ExpressionError(f"The number {e} cannot stand in a formula.")

    def _sum(self, e: Any) -> Tokens:
        terms = sorted(e.args, key=lambda term: term.could_extract_minus_sign())
        tokens = self.read(terms[0])
        for term in terms[1:]:
            if term.could_extract_minus_sign():
                tokens = ["sub", *tokens, *self.read(-term)]
            else:
                tokens = ["add", *tokens, *self.read(term)]
        return tokens

    def _product(self, e: Any) -> Tokens:
        if e.args[0] == -1:
            return ["neg", *self.read(-e)]
        above, below = self.sympy.fraction(e, exact=True)
        if below == 1:
            return self._chain(above)
        if above == 1:
            return ["inv", *self._chain(below)]
        return ["div", *self._chain(above), *self._chain(below)]

    def _chain(self, e: Any) -> Tokens:
        if not e.is_Mul:
            return self.read(e)
        tokens: Tokens = []
        for factor in e.args[:-1]:
            tokens += ["mul", *self.read(factor)]
        return tokens + self.read(e.args[-1])

    def _power(self, base: Any, exponent: Any) -> Tokens:
        if exponent.is_number and exponent.is_negative:
            return [
                "inv",
                *self.read(self.sympy.Pow(base, -exponent, evaluate=False) if exponent != -1 else base),
            ]
        for value, token in ((2, "pow2"), (3, "pow3"), (self.sympy.Rational(1, 2), "sqrt")):
            if exponent == value:
                return [token, *self.read(base)]
        return ["pow", *self.read(base), *self.read(exponent)]

    def _function(self, e: Any) -> Tokens:
        name = {"Abs": "abs", "Max": "max", "Min": "min"}.get(e.func.__name__, e.func.__name__)
        if name in ("max", "min"):
            tokens = self.read(e.args[0])
            for operand in e.args[1:]:
                tokens = [name, *tokens, *self.read(operand)]
            return tokens
        if (name in _FUNCTIONS or name == "abs") and len(e.args) == 1:
            return [name, *self.read(e.args[0])]
        if name in _INVERSE:
            return [*_INVERSE[name], *self.read(e.args[0])]
        raise ExpressionError(f"The function {name!r} has no operator. Allowed: {', '.join(OPERATORS)}.")
