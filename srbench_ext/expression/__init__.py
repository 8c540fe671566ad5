"""Formulas: one immutable value, read, written, evaluated and fitted."""

from srbench_ext.expression.canonical import canonical_key, canonical_skeleton_key
from srbench_ext.expression.constants import ConstantFit, fit_constants, fit_constants_many, warm_up
from srbench_ext.expression.core import Expression
from srbench_ext.expression.equivalence import Recovery, complexity_simplified, recovered
from srbench_ext.expression.evaluation import evaluate, why_not_finite
from srbench_ext.expression.formatting import format_infix, format_latex, format_prefix
from srbench_ext.expression.parsing import parse_infix, parse_prefix
from srbench_ext.expression.program import Program, compile_prefix
from srbench_ext.expression.simplification import simplify
from srbench_ext.expression.snapping import snap_constants
from srbench_ext.expression.sympy_form import from_sympy, to_sympy

__all__ = [
    "ConstantFit",
    "Expression",
    "Program",
    "Recovery",
    "canonical_key",
    "canonical_skeleton_key",
    "compile_prefix",
    "complexity_simplified",
    "evaluate",
    "fit_constants",
    "fit_constants_many",
    "format_infix",
    "format_latex",
    "format_prefix",
    "from_sympy",
    "parse_infix",
    "parse_prefix",
    "recovered",
    "simplify",
    "snap_constants",
    "to_sympy",
    "warm_up",
    "why_not_finite",
]
