import pytest

from srbench_ext.methods.equate.method import token_weight


def test_a_token_has_to_save_more_where_rows_are_few():
    weights = [token_weight(n) for n in (10, 100, 300, 1000, 2000, 100_000)]
    assert weights == sorted(weights, reverse=True)
    assert weights[0] == 0.05
    assert weights[-1] == pytest.approx(5e-5, rel=0.01)
    assert token_weight(2000) == pytest.approx(0.00165, rel=0.01)
