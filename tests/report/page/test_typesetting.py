import xml.etree.ElementTree as ET

import pytest

from srbench_ext.data import load_suite
from srbench_ext.expression import parse_infix
from srbench_ext.report.page.typesetting import to_mathml

NAMES = ["a", "b", "theta", "x_1", "x12", "Ef", "<b>", "a b"]
ONE_CHILD_EACH = {"mfrac": 2, "msup": 2, "msub": 2}


def read(markup):
    """MathML as text: fractions as [above/below], powers and indices with ^ and _, roots as √[]."""
    element = ET.fromstring(markup) if isinstance(markup, str) else markup
    inner = [read(child) for child in element]
    if element.tag in ONE_CHILD_EACH:
        sign = {"mfrac": "/", "msup": "^", "msub": "_"}[element.tag]
        assert len(inner) == ONE_CHILD_EACH[element.tag]
        return f"[{inner[0]}{sign}{inner[1]}]"
    return {"msqrt": "√[{}]"}.get(element.tag, "{}").format("".join(inner) or element.text)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a + b*2", "a+b⋅2"),
        ("a - (b - 3)", "a−(b−3)"),
        ("a - (-b)", "a+b"),
        ("a + (-2.5)*b", "a−2.5⋅b"),
        ("a + (-(b) + 1)", "a+(−b+1)"),
        ("(a + b)*(-a)", "−(a+b)⋅a"),
        ("-a/b", "−[a/b]"),
        ("(-a)**2", "[(−a)^2]"),
        ("(a*b)**3", "[(a⋅b)^3]"),
        ("a**(b + 1)", "[a^b+1]"),
        ("1/(a + b)", "[1/a+b]"),
        ("sqrt(a + b)", "√[a+b]"),
        ("exp(-a)", "[e^−a]"),
        ("asin(abs(a))", "arcsin(|a|)"),
        ("max(a, b)", "max(a,b)"),
        ("pi*theta", "π⋅θ"),
        ("1.23456e-7*a", "1.235⋅[10^-7]⋅a"),
        ("x_1 + x12 + Ef", "[x_1]+[x_12]+Ef"),
        ("`<b>` + `a b`", "<b>+a b"),
    ],
)
def test_a_formula_is_set_as_one_writes_it(text, shown):
    assert read(to_mathml(parse_infix(text, NAMES))) == shown


def test_columns_without_names_are_numbered():
    assert read(to_mathml(parse_infix("x0*x1"))) == "[x_0]⋅[x_1]"


@pytest.mark.parametrize("suite", ["feynman", "strogatz"])
def test_every_law_gives_wellformed_markup_with_all_its_columns(suite):
    for problem in load_suite(suite).problems:
        text = read(to_mathml(problem.truth().with_names(None)))
        assert text.count("(") == text.count(")")
        used = {f"[x_{column}]" for column in problem.truth().variables}
        assert {name for name in used if name in text} == used
