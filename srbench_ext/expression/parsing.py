"""Formulas read from text: prefix tokens and infix notation.

Nothing is evaluated and no name has a meaning of its own, so a column may be called ``I``, ``E``, ``beta``
or ``lambda``. The reader keeps a stack instead of calling itself, so that depth is no limit.
"""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from srbench_ext.errors import ExpressionError
from srbench_ext.expression.core import Expression
from srbench_ext.expression.operators import CONSTANT, OPERATORS, PI, is_integer

__all__ = ["parse_infix", "parse_prefix"]

_MAX_CHARACTERS = 200_000
_MAX_DIGITS = 15
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\Z", re.ASCII)


def parse_prefix(
    text: str | Iterable[str], constants: Iterable[float] | None = None, names: Iterable[str] | None = None
) -> Expression:
    """Read a formula in prefix order.

    Parameters
    ----------
    text : str or iterable of str
        Tokens, or one string of tokens separated by white space: ``"add mul C x0 x1"``. A number with a
        decimal point or an exponent becomes a constant with that value; an integer stays an integer.
    constants : iterable of float or None
        Values of the tokens ``C``, in order; None sets each to 1.
    names : iterable of str or None
        The caller's column names.

    Returns
    -------
    Expression

    Raises
    ------
    ExpressionError
        If the tokens are not one complete formula, or the constants do not fit.
    """
    tokens = text.split() if isinstance(text, str) else list(text)
    given = None if constants is None else list(constants)
    wanted = tokens.count(CONSTANT)
    if given is not None and len(given) != wanted:
        raise ExpressionError(f"The formula has {wanted} tokens 'C' but {len(given)} values were given.")
    values = iter(given or [1.0] * wanted)
    prefix, numbers = [], []
    for token in tokens:
        if token == CONSTANT:
            numbers.append(float(next(values)))
        elif isinstance(token, str) and not is_integer(token) and _NUMBER.match(token):
            numbers.append(_finite(token))
            token = CONSTANT
        prefix.append(token)
    return Expression(tuple(prefix), tuple(numbers), None if names is None else tuple(names))


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ExpressionError(f"The number {text!r} is too large for a double.")
    return value


@dataclass(frozen=True, slots=True)
class _Lexeme:
    kind: str  # number, name, quoted, or the symbol itself
    text: str
    position: int


@dataclass(frozen=True, slots=True)
class _Item:
    """A part of the formula that is read already; ``bare`` is its integer if it is one without brackets."""

    prefix: list[str]
    constants: list[float]
    bare: str | None = None


@dataclass(frozen=True, slots=True)
class _Pending:
    """An operator or an open bracket that waits for its operands."""

    symbol: str
    level: int  # 0 for a bracket
    function: str | None = None
    height: int = 0


_LEXEME = re.compile(
    r"(?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)|(?P<name>[^\W\d]\w*(?:@\d+)?)"
    r"|(?P<quoted>`(?:[^`]|``)*`)|(?P<symbol>\*\*|[-+*/^(),])|(?P<space>\s+)|(?P<other>.)",
    re.DOTALL,
)
_LEVELS = {"+": 1, "-": 1, "*": 2, "/": 2, "neg": 3, "**": 4}
_BINARY = {"+": "add", "-": "sub", "*": "mul", "/": "div", "**": "pow"}
_ALIASES = {
    "arcsin": "asin",
    "arccos": "acos",
    "arctan": "atan",
    "ln": "log",
    "Abs": "abs",
    "Max": "max",
    "Min": "min",
    "square": "pow2",
    "cube": "pow3",
}
_DERIVED = {  # name -> tokens around its one operand
    "cot": (["inv", "tan"], []),
    "sec": (["inv", "cos"], []),
    "csc": (["inv", "sin"], []),
    "log10": (["div", "log"], ["log", "10"]),
    "log2": (["div", "log"], ["log", "2"]),
}


def parse_infix(text: str, names: Sequence[str] | None = None) -> Expression:
    """Read a formula in infix notation.

    Understood are ``+ - * / ** ^``, unary minus, brackets, ``pi``, every operator of
    :mod:`srbench_ext.expression.operators` as a function, and ``arcsin arccos arctan ln log10 log2 cot sec
    csc square cube``. An integer becomes a fixed integer, a number with a decimal point or exponent becomes a
    constant. ``x**2`` and ``x**3`` read as ``pow2`` and ``pow3``, ``1/x`` as ``inv``.

    Parameters
    ----------
    text : str
        The formula.
    names : sequence of str or None
        The column names of the table in order; None means ``x0``, ``x1``, ... A name that is no identifier
        is written in backticks; of columns that share a name, ``a@1`` is the one with index 1.

    Returns
    -------
    Expression

    Raises
    ------
    ExpressionError
        If the text is no formula, with the place where reading stopped.

    Examples
    --------
    >>> parse_infix("m*v**2/2", names=["m", "v"]).prefix
    ('div', 'mul', 'x0', 'pow2', 'x1', '2')
    """
    reader = _Reader(text, names)
    item = reader.read()
    return Expression(tuple(item.prefix), tuple(item.constants), None if names is None else tuple(names))


class _Reader:
    def __init__(self, text: str, names: Sequence[str] | None) -> None:
        if not isinstance(text, str) or len(text) > _MAX_CHARACTERS:
            raise ExpressionError(f"A formula must be a string of at most {_MAX_CHARACTERS} characters.")
        self.text = text
        self.columns = None if names is None else _column_table(names)
        self.lexemes = self._split()
        self.items: list[_Item] = []
        self.pending: list[_Pending] = []

    def _fail(self, what: str, position: int) -> ExpressionError:
        near = self.text[max(0, position - 20) : position + 20]
        return ExpressionError(f"{what} at character {position + 1} of the formula, near {near!r}.")

    def _split(self) -> list[_Lexeme]:
        found = []
        for match in _LEXEME.finditer(self.text):
            kind = str(match.lastgroup)
            if kind == "space":
                continue
            if kind == "other":
                raise self._fail(f"Unexpected character {match[0]!r}", match.start())
            text = "**" if match[0] == "^" else match[0]
            found.append(_Lexeme(text if kind == "symbol" else kind, text, match.start()))
        end = len(self.text)
        return [*found, _Lexeme("end", "", end), _Lexeme("end", "", end), _Lexeme("end", "", end)]

    def read(self) -> _Item:
        at = 0
        wants_operand = True
        while self.lexemes[at].kind != "end":
            if wants_operand:
                at, wants_operand = self._operand(at)
            else:
                at, wants_operand = self._operator(at)
        if wants_operand:
            raise self._fail("An operand is missing", len(self.text))
        self._reduce(1)
        if self.pending:
            raise self._fail("A bracket is not closed", len(self.text))
        return self.items[0]

    def _operand(self, at: int) -> tuple[int, bool]:
        lexeme, after = self.lexemes[at], self.lexemes[at + 1]
        if lexeme.kind == "number":
            self.items.append(_number_item(lexeme.text))
        elif lexeme.kind == "-" and after.kind == "number" and self.lexemes[at + 2].kind != "**":
            self.items.append(_number_item("-" + after.text))
            return at + 2, False
        elif lexeme.kind == "-":
            self.pending.append(_Pending("neg", _LEVELS["neg"]))
            return at + 1, True
        elif lexeme.kind == "+":
            return at + 1, True
        elif lexeme.kind == "(":
            self.pending.append(_Pending("(", 0, None, len(self.items)))
            return at + 1, True
        elif lexeme.kind == "name" and after.kind == "(":
            self.pending.append(_Pending("(", 0, self._function(lexeme), len(self.items)))
            return at + 2, True
        elif lexeme.kind in ("name", "quoted"):
            self.items.append(self._column(lexeme))
        else:
            raise self._fail(f"An operand is missing before {lexeme.text!r}", lexeme.position)
        return at + 1, False

    def _operator(self, at: int) -> tuple[int, bool]:
        lexeme = self.lexemes[at]
        if lexeme.kind in _BINARY:
            level = _LEVELS[lexeme.kind]
            self._reduce(level + 1 if lexeme.kind == "**" else level)
            self.pending.append(_Pending(lexeme.kind, level))
            return at + 1, True
        if lexeme.kind not in (")", ","):
            raise self._fail(f"An operator is missing before {lexeme.text!r}", lexeme.position)
        self._reduce(1)
        if not self.pending:
            raise self._fail(f"{lexeme.text!r} without an open bracket", lexeme.position)
        bracket = self.pending[-1]
        if lexeme.kind == ",":
            if bracket.function is None:
                raise self._fail("A comma outside of a function", lexeme.position)
            return at + 1, True
        self.pending.pop()
        parts = self.items[bracket.height :]
        del self.items[bracket.height :]
        self.items.append(self._close(bracket.function, parts, lexeme.position))
        return at + 1, False

    def _reduce(self, level: int) -> None:
        """Finish the pending operators that bind at least as tightly as ``level``."""
        while self.pending and self.pending[-1].level >= level:
            symbol = self.pending.pop().symbol
            right = self.items.pop()
            if symbol == "neg":
                self.items.append(_join(["neg"], right))
                continue
            left = self.items.pop()
            if symbol == "/" and left.bare == "1":
                self.items.append(_join(["inv"], right))
            elif symbol == "**" and right.bare in ("2", "3"):
                self.items.append(_join([f"pow{right.bare}"], left))
            else:
                self.items.append(_join([_BINARY[symbol]], left, right))

    def _function(self, lexeme: _Lexeme) -> str:
        name = _ALIASES.get(lexeme.text, lexeme.text)
        if name in OPERATORS or name in _DERIVED:
            return name
        known = [*OPERATORS, *_ALIASES, *_DERIVED]
        close = difflib.get_close_matches(name, known, n=2)
        hint = f"; did you mean {' or '.join(close)}?" if close else f"; known: {', '.join(known)}"
        raise self._fail(f"Unknown function {name!r}{hint}", lexeme.position)

    def _close(self, function: str | None, parts: list[_Item], position: int) -> _Item:
        if function is None:
            return _Item(parts[0].prefix, parts[0].constants)
        wanted = OPERATORS[function].arity if function in OPERATORS else 1
        if function in ("max", "min") and len(parts) > 2:
            return _join([function] * (len(parts) - 1), *parts)
        if len(parts) != wanted:
            raise self._fail(f"{function} takes {wanted} operands, got {len(parts)},", position)
        if function in _DERIVED:
            before, after = _DERIVED[function]
            return _Item([*before, *parts[0].prefix, *after], parts[0].constants)
        return _join([function], *parts)

    def _column(self, lexeme: _Lexeme) -> _Item:
        name = lexeme.text
        if lexeme.kind == "quoted":
            name = name[1:-1].replace("``", "`")
        elif name == PI:
            return _Item([PI], [])
        if self.columns is None:
            if re.fullmatch(rf"x\d{{1,{_MAX_DIGITS - 1}}}", name, re.ASCII):
                return _Item([f"x{int(name[1:])}"], [])
            raise self._fail(
                f"Unknown name {name!r} (without column names only x0, x1, ...)", lexeme.position
            )
        if name not in self.columns:
            close = difflib.get_close_matches(name, list(self.columns), n=2)
            hint = f"; did you mean {' or '.join(close)}?" if close else ""
            raise self._fail(f"Unknown column {name!r}{hint}", lexeme.position)
        return _Item([f"x{self.columns[name]}"], [])


def _column_table(names: Sequence[str]) -> dict[str, int]:
    table: dict[str, int] = {}
    for index, name in enumerate(names):
        table.setdefault(f"{name}@{index}", index)
    for index, name in enumerate(names):
        if names.count(name) == 1:
            table[name] = index
    return table


def _join(head: list[str], *parts: _Item) -> _Item:
    prefix = list(head)
    constants: list[float] = []
    for part in parts:
        prefix += part.prefix
        constants += part.constants
    return _Item(prefix, constants)


def _number_item(text: str) -> _Item:
    if text.lstrip("-").isdigit() and text.isascii():
        digits = text.lstrip("-").lstrip("0") or "0"
        if len(digits) <= _MAX_DIGITS:
            token = f"-{digits}" if text.startswith("-") and digits != "0" else digits
            return _Item([token], [], token)
    return _Item([CONSTANT], [_finite(text)])
