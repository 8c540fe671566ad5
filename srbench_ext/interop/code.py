"""A formula as code to copy: sympy, LaTeX and a Python function."""

from __future__ import annotations

import keyword

from srbench_ext.expression import Expression, format_latex
from srbench_ext.expression.operators import CONSTANT, OPERATORS, PI, arity

__all__ = ["as_latex", "as_python", "as_sympy"]

_TAKEN = {"np", "sympy", "formula", "predict"}

_Part = tuple[str, int]
_SUM, _PRODUCT, _NEGATED, _POWER, _ATOM = range(1, 6)  # how tightly a text holds together
_INFIX = {"add": (" + ", _SUM), "sub": (" - ", _SUM), "mul": ("*", _PRODUCT), "div": ("/", _PRODUCT)}
_POWERS = {"pow": "", "pow2": "2", "pow3": "3"}
_FUNCTIONS = {  # operator -> numpy's and sympy's name, where they are not its own
    "max": ("maximum", "Max"),
    "min": ("minimum", "Min"),
    "abs": ("abs", "Abs"),
    "asin": ("arcsin", "asin"),
    "acos": ("arccos", "acos"),
    "atan": ("arctan", "atan"),
}


def as_sympy(expression: Expression, target: str = "formula") -> str:
    """Return lines of Python that make the formula a sympy expression named ``formula``.

    Columns keep their names as symbols; variables that hold them are called ``x0``, ``x1``, ... where a name
    is no identifier.

    Parameters
    ----------
    expression : Expression
        The formula.
    target : str
        Said in a comment.
    """
    columns, variables = _columns(expression)
    lines = ["import sympy", "", *([f"# {target}"] if target != "formula" else [])]
    lines += [f"{v} = sympy.Symbol({c!r})" for c, v in zip(columns, variables, strict=True)]
    return "\n".join([*lines, f"formula = {_written(expression, variables, 'sympy')}"]) + "\n"


def as_latex(expression: Expression) -> str:
    """Return the formula as LaTeX for math mode, constants with four digits."""
    return format_latex(expression)


def as_python(expression: Expression, target: str = "the target") -> str:
    """Return a Python function of numpy arrays that evaluates the formula; it needs numpy alone.

    Parameters
    ----------
    expression : Expression
        The formula.
    target : str
        Said in the docstring.
    """
    columns, variables = _columns(expression)
    renamed = [f"{v} is {c!r}" for c, v in zip(columns, variables, strict=True) if c != v]
    note = f"; {', '.join(renamed)}" if renamed else ""
    body = _written(expression, variables, "np")
    shape = f" + np.zeros(np.shape({variables[0]}))" if variables and not expression.variables else ""
    return (
        "import numpy as np\n\n\n"
        f"def predict({', '.join(variables)}):\n"
        f'    """Return {_quoted(target)}{_quoted(note)}."""\n'
        f"    return {body}{shape}\n"
    )


def _columns(expression: Expression) -> tuple[list[str], list[str]]:
    """Return the columns of the formula (all of them for a constant) and a variable's name for each."""
    names = expression.names
    used = list(expression.variables or range(len(names or ())))
    columns = [names[i] if names is not None else f"x{i}" for i in used]
    fine = [c.isidentifier() and not keyword.iskeyword(c) and c not in _TAKEN for c in columns]
    if all(fine) and len(set(columns)) == len(columns):
        return columns, columns
    return columns, [f"x{i}" for i in used]


def _written(expression: Expression, variables: list[str], module: str) -> str:
    """Write the formula with the functions of numpy or sympy, just as it stands, with every digit."""
    used = expression.variables or range(len(variables))
    names = {f"x{index}": name for index, name in zip(used, variables, strict=True)}
    constants = list(expression.constants)
    stack: list[_Part] = []
    for token in reversed(expression.prefix):
        if token in OPERATORS:
            operands = [stack.pop() for _ in range(arity(token))]
            stack.append(_applied(token, operands, module))
        elif token == CONSTANT:
            value = constants.pop()
            stack.append((repr(value), _ATOM if value >= 0 else _NEGATED))
        elif token == PI:
            stack.append((f"{module}.pi", _ATOM))
        elif token in names:
            stack.append((names[token], _ATOM))
        elif module == "sympy":
            stack.append((f"sympy.Integer({token})", _ATOM))  # 1/3 would be a float
        else:
            stack.append((token, _NEGATED if token.startswith("-") else _ATOM))
    return stack[0][0]


def _applied(token: str, operands: list[_Part], module: str) -> _Part:
    """Write an operator around its operands, with the brackets that it needs."""
    if token in _INFIX:
        symbol, level = _INFIX[token]
        left = _bracketed(operands[0], level)
        return f"{left}{symbol}{_bracketed(operands[1], level + (token in ('sub', 'div')))}", level
    if token in _POWERS:
        exponent = (_POWERS[token], _ATOM) if token != "pow" else operands[1]
        return f"{_bracketed(operands[0], _ATOM)}**{_bracketed(exponent, _ATOM)}", _POWER
    if token == "neg":
        return f"-{_bracketed(operands[0], _NEGATED)}", _NEGATED
    if token == "inv":
        return f"1/{_bracketed(operands[0], _PRODUCT + 1)}", _PRODUCT
    function = _FUNCTIONS.get(token, (token, token))[module == "sympy"]
    return f"{module}.{function}({', '.join(text for text, _ in operands)})", _ATOM


def _bracketed(part: _Part, least: int) -> str:
    text, level = part
    return text if level >= least else f"({text})"


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"""', "'''")
