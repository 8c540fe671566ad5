from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
import pytest

from srbench_ext.errors import InputError
from srbench_ext.expression import Expression
from srbench_ext.method import Candidate, Method


class Chooser(Method):
    """A method with one parameter of each kind."""

    name, version = "chooser", "1"
    limits: ClassVar = {"n_bags": (1, None), "share": (0, 1), "most": (2, 5)}

    def __init__(
        self,
        *,
        max_seconds: float = 60.0,
        random_state: int = 0,
        mode: Literal["numeric", "skeleton"] = "numeric",
        order: Literal["up", "down"] | None = None,
        n_bags: int = 8,
        share: float = 0.5,
        most: int | None = None,
        free: str | None = None,
    ) -> None:
        super().__init__(max_seconds=max_seconds, random_state=random_state)
        self.mode, self.order, self.n_bags = mode, order, n_bags
        self.share, self.most, self.free = share, most, free

    def search(self, X, y, run):
        yield Candidate(Expression(("x0",), ()))


def fit(**parameters):
    X = np.arange(5.0)[:, None]
    return Chooser(**parameters).fit(X, X[:, 0])


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        (
            {"mode": "words"},
            r"The 'mode' parameter of Chooser must be one of 'numeric', 'skeleton'. Got 'words'",
        ),
        ({"mode": None}, r"'mode' .* Got None"),
        ({"order": 3}, r"'order' parameter of Chooser must be one of 'up', 'down', None. Got 3"),
        ({"n_bags": 0}, r"'n_bags' parameter of Chooser must be an integer of at least 1. Got 0 instead"),
        ({"n_bags": 2.5}, r"'n_bags' .* an integer .* Got 2.5"),
        ({"n_bags": True}, r"'n_bags' .* Got True"),
        ({"n_bags": None}, r"'n_bags' .* Got None"),
        ({"share": 1.5}, r"'share' .* a number of at least 0 and at most 1. Got 1.5"),
        ({"share": float("nan")}, r"'share' .* Got nan"),
        ({"share": "1"}, r"'share' .* Got '1'"),
        ({"most": 1}, r"'most' .* an integer of at least 2 and at most 5. Got 1"),
    ],
)
def test_a_parameter_out_of_range_is_refused_by_name(parameters, message):
    with pytest.raises(InputError, match=message):
        fit(**parameters)


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"mode": "skeleton", "order": "up"},
        {"most": 5},
        {"n_bags": np.int64(3)},
        {"share": 1},
        {"free": "x"},
    ],
)
def test_parameters_in_range_pass(parameters):
    assert fit(**parameters).expression_ is not None
