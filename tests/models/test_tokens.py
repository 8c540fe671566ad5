from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from srbench_ext.errors import ExpressionError
from srbench_ext.models.tokens import MODES, Vocabulary, number_tokens, read_number

VOCABULARY = Vocabulary()
numbers = st.floats(1e-16, 1e20) | st.floats(-1e20, -1e-16) | st.just(0.0) | st.integers(-99999, 99999)


@given(numbers)
def test_number_is_read_back_within_four_digits(value: float) -> None:
    assert read_number(number_tokens(value)) == pytest.approx(value, rel=5.001e-4, abs=0)


@given(numbers.filter(lambda value: value == 0 or abs(value) > 1e-14), st.sampled_from([2, 4, 6]))
def test_number_is_written_with_known_tokens_and_one_width(value: float, digits: int) -> None:
    tokens = number_tokens(value, digits)
    assert len(tokens) == digits // 2 + 2
    assert VOCABULARY.encode(tokens)
    assert read_number(tokens) == pytest.approx(value, rel=0.501 * 10.0 ** (1 - digits), abs=0)


@given(st.integers(-9999, 9999), st.integers(-12, 12))
def test_number_of_four_digits_is_exact(mantissa: int, exponent: int) -> None:
    value = float(f"{mantissa}e{exponent}")
    assert read_number(number_tokens(value)) == value


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (-2.4242, "- M24 M24 E-3"),
        (0.0, "+ M00 M00 E0"),
        (-0.0, "+ M00 M00 E0"),
        (1.0, "+ M10 M00 E-3"),
        (9.9996e3, "+ M10 M00 E1"),
        (9.9994e3, "+ M99 M99 E0"),
        (-0.001, "- M10 M00 E-6"),
        (1e-17, "+ M10 M00 E-20"),
        (9.999e23, "+ M99 M99 E20"),
    ],
)
def test_number_is_written_as_sign_mantissa_exponent(value: float, text: str) -> None:
    assert " ".join(number_tokens(value)) == text


@pytest.mark.parametrize("text", ["M24 M24 E-3", "+ M24 x0 E-3", "+ M24 M24 M10", "* M24 M24 E0"])
def test_what_is_not_a_number_is_an_error_that_shows_it(text: str) -> None:
    with pytest.raises(ExpressionError, match="is not a number"):
        read_number(text.split())


def test_vocabulary_does_not_change() -> None:
    assert len(VOCABULARY) == 199
    assert VOCABULARY.sha256 == "5d4ba0ab0ad642ffbba2f6c2d8b87fd4b88dd5120e4e33d587533015d1d7a1d5"


def test_every_token_has_its_own_id() -> None:
    assert len(set(VOCABULARY.tokens)) == len(VOCABULARY)
    assert VOCABULARY.encode(VOCABULARY.tokens) == list(range(len(VOCABULARY)))
    assert set(MODES) < set(VOCABULARY.tokens)


def test_decoding_ends_before_the_end_token() -> None:
    ids = VOCABULARY.encode(["mul", "C", "x0", "<eos>", "x1"])
    assert VOCABULARY.decode(ids) == ["mul", "C", "x0"]


@pytest.mark.parametrize("token", ["x10", "10", "arcsin", ""])
def test_unknown_token_is_an_error_that_names_it(token: str) -> None:
    with pytest.raises(ExpressionError, match=f"no token {token!r}"):
        VOCABULARY.encode(["add", "x0", token])


@given(
    st.lists(
        st.sampled_from(["add", "x3", "pi", "7", "sin"])
        | st.floats(-1e9, 1e9).filter(lambda v: abs(v) > 1e-9)
    )
)
def test_formula_with_numbers_is_read_back(formula: list[str | float]) -> None:
    found = VOCABULARY.read_numeric(VOCABULARY.write_numeric(formula))
    assert len(found) == len(formula)
    for token, original in zip(found, formula, strict=True):
        assert token == (original if isinstance(original, str) else pytest.approx(original, rel=5.001e-4))
