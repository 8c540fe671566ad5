from __future__ import annotations

import numpy as np
import pytest

from srbench_ext.errors import ConfigError, UnknownNameError
from srbench_ext.latent_study import open_spaces
from srbench_ext.latent_study import spaces as module
from srbench_ext.latent_study.spaces import Space

from .toy import TABLES, FreeToySpace, ToyEncoder, ToyMethod, ToySpace


@pytest.fixture
def methods(monkeypatch):
    """Methods that stand in for registered ones."""
    known = {"gensr": ToyMethod(ToySpace()), "e2e": ToyMethod(ToyEncoder()), "linear": object()}
    known["equate"] = ToyMethod(None)

    def create(name, **parameters):
        found = known[name]
        for key, value in parameters.items():
            setattr(found, key, value)
        return found

    monkeypatch.setattr(module, "create", create)
    return known


def test_a_method_without_space_or_weights_is_left_out_with_the_reason(methods):
    spaces, absent = open_spaces(["gensr", "linear", "e2e", "equate"], (2, 5))
    assert [space.name for space in spaces] == ["gensr", "e2e"]
    reasons = {each.method: each.reason for each in absent}
    assert "no latent space" in reasons["linear"]
    assert "toy.safetensors" in reasons["equate"]


def test_without_any_space_there_is_no_study(methods):
    with pytest.raises(ConfigError, match=r"linear: .* equate: "):
        open_spaces(["linear", "equate"], (2, 5))


def test_a_space_is_named_once(methods):
    with pytest.raises(ConfigError, match="gensr"):
        open_spaces(["gensr", "e2e", "gensr"], (2, 5))


def test_parameters_are_those_of_one_method(methods):
    open_spaces(["gensr", "e2e"], (2, 5), 0, {"e2e": {"weights": "mine"}})
    assert methods["e2e"].weights == "mine"
    assert not hasattr(methods["gensr"], "weights")
    with pytest.raises(UnknownNameError, match="snap"):
        open_spaces(["gensr"], (2, 5), 0, {"snap": {"weights": "mine"}})


def test_an_unknown_method_is_an_error():
    with pytest.raises(UnknownNameError, match="gensr"):
        open_spaces(["gensrr"], (2, 5))


def test_only_a_space_that_decodes_says_so(methods):
    spaces, _ = open_spaces(["gensr", "e2e"], (2, 5))
    assert [space.decodes for space in spaces] == [True, False]
    assert [space.facts["dimensions"] for space in spaces] == [4, 4]


def test_batches_make_no_difference(monkeypatch):
    space = Space("gensr", ToyMethod(FreeToySpace()), (2, 5), 0)
    means, deviations = space.encode(TABLES)
    whole = space.decode(means, 2), space.decode_freely(means, 2)
    monkeypatch.setattr(module, "_BATCH", 7)
    np.testing.assert_array_equal(space.encode(TABLES)[0], means)
    assert (space.decode(means, 2), space.decode_freely(means, 2)) == whole
    np.testing.assert_allclose(deviations, 0.2)


def test_a_point_without_formula_is_none():
    space = Space("gensr", ToyMethod(ToySpace(farthest=1.0)), (2, 5), 0)
    assert space.decode(np.array([[-0.5, 0, 0, 0], [0.5, 0, 0, 0], [9, 0, 0, 0]]), 2) == [
        ("x0",),
        ("exp", "mul", "C", "x0"),
        None,
    ]
    assert space.decode_freely(np.zeros((1, 4)), 2) is None
