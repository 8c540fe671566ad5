from __future__ import annotations

import random
import time

import numpy as np
import pytest

from srbench_ext.errors import InputError
from srbench_ext.expression import Expression
from srbench_ext.search import Archive, SubtreeSource


def _table(n: int = 300, noise: float = 0.0):
    rng = np.random.default_rng(0)
    X = rng.uniform(1.0, 4.0, (n, 3))
    y = 5.0 * X[:, 0] * np.exp(-0.7 * X[:, 1]) + 2.0
    return X, y + noise * rng.normal(size=n)


def _archive(n: int = 300, noise: float = 0.0, **parameters) -> Archive:
    return Archive(*_table(n, noise), np.random.default_rng(1), **parameters)


TRUTH = ("mul", "x0", "exp", "mul", "C", "x1")


def test_a_skeleton_is_fitted_with_scale_and_offset_and_scored():
    archive = _archive()
    (entry,) = archive.submit([TRUTH], "test")
    assert entry.exact
    assert archive.exact
    assert entry.nmse_fit <= 1e-20
    assert entry.nmse_validation <= 1e-20
    assert entry.values == pytest.approx((-0.7,))
    assert sorted(entry.expression.constants) == pytest.approx([-0.7, 2.0, 5.0])
    assert entry.complexity == entry.expression.complexity == len(entry.prefix) + 4
    X, y = _table()
    np.testing.assert_allclose(entry.expression.evaluate(X), y, rtol=1e-9)


def test_what_differs_by_order_scale_or_offset_only_is_evaluated_once():
    archive = _archive()
    archive.submit([TRUTH], "first")
    same = [
        ("mul", "exp", "mul", "x1", "C", "x0"),
        ("add", "C", "mul", "C", "mul", "x0", "exp", "mul", "C", "x1"),
        ("neg", *TRUTH),
        TRUTH,
    ]
    assert archive.submit(same, "second") == []
    assert archive.rejected["duplicate"] == 4
    assert len(archive) == 1
    assert all(archive.find(formula) is archive.entries[0] for formula in same)


def test_given_constants_are_the_start_of_the_fit():
    X, _ = _table()
    y = np.sin(9.3 * X[:, 0])
    archive = Archive(X, y, np.random.default_rng(0), n_starts=1)
    (entry,) = archive.submit([Expression(("sin", "mul", "C", "x0"), (9.2,))], "test")
    assert entry.exact
    assert entry.tokens == ("sin", "mul", "x0", pytest.approx(9.3))


def test_every_rejection_has_its_reason():
    archive = _archive(max_tokens=8, max_constants=1)
    archive.submit(
        [
            ("mul", "C", "pi"),
            ("log", "neg", "x0"),
            ("add", "x0", "add", "x0", "add", "x0", "add", "x0", "x1"),
            ("sin", "add", "C", "mul", "C", "x0"),
        ],
        "test",
    )
    assert archive.rejected == {"no variable": 1, "not finite": 1, "too long": 1, "too many constants": 1}
    assert len(archive) == 0


def test_the_best_of_all_origins_is_never_behind_that_of_one():
    archive = _archive(noise=0.1)
    rng, source = random.Random(0), SubtreeSource(("x0", "x1", "x2"))
    for origin in ("a", "b"):
        archive.submit([source.formula(rng) for _ in range(40)], origin)
    best = archive.best()
    assert best is not None
    assert best.score == min(entry.score for entry in archive)
    for origin in ("a", "b"):
        own = archive.best([origin])
        assert own is not None
        assert own.origin == origin
        assert best.score <= own.score
    assert archive.best(["c"]) is None


def test_the_score_weighs_error_and_tokens():
    archive = _archive(complexity_weight=0.1)
    assert archive.selection_score(0.01, 5) == pytest.approx(-1.5)
    assert archive.selection_score(0.0, 5) == archive.selection_score(1e-21, 5) == pytest.approx(-19.5)


def test_the_front_is_simplest_first_and_dominated_by_nothing():
    archive = _archive()
    rng, source = random.Random(0), SubtreeSource(("x0", "x1", "x2"))
    archive.submit([source.formula(rng) for _ in range(60)], "test")
    front = archive.front()
    assert [e.complexity for e in front] == sorted({e.complexity for e in front})
    for entry in archive:
        assert any(
            f.complexity <= entry.complexity and f.nmse_validation <= max(entry.nmse_validation, 1e-20)
            for f in front
        )


def test_a_first_look_keeps_the_front_and_turns_the_rest_away():
    archive = _archive()
    rng, source = random.Random(0), SubtreeSource(("x0", "x1", "x2"))
    formulas = [source.formula(rng) for _ in range(200)]
    archive.submit(formulas, "looked at", screen=True)
    archive.submit([Expression(TRUTH, (-1.0,))], "looked at", screen=True)
    assert archive.n_evaluated > 150
    assert len(archive) < 0.3 * archive.n_evaluated
    assert archive.exact
    assert archive.n_cells > 10


def test_parents_are_in_normal_form_with_values_and_reproducible():
    drawn = []
    for _ in range(2):
        archive = _archive()
        rng, source = random.Random(0), SubtreeSource(("x0", "x1", "x2"))
        archive.submit([source.formula(rng) for _ in range(100)], "test", screen=True)
        drawn.append([parent.tokens for parent in archive.parents(random.Random(3), 30)])
    assert drawn[0] == drawn[1]
    assert len(set(drawn[0])) > 5
    assert all("C" not in tokens for tokens in drawn[0])


def test_nothing_is_fitted_after_the_deadline():
    archive = _archive()
    assert archive.submit([TRUTH], "late", deadline=time.monotonic() - 1.0) == []
    assert len(archive) == 0
    (entry,) = archive.submit([TRUTH], "in time")
    assert entry.exact


@pytest.mark.parametrize("n", [1, 2, 3, 59, 60])
def test_small_tables_work(n):
    archive = _archive(n)
    archive.submit([("mul", "x0", "x1"), TRUTH], "test")
    archive.submit([("sin", "x0")], "test", screen=True)
    assert all(np.isfinite(entry.nmse_fit) for entry in archive)


@pytest.mark.parametrize("scale", [1e-30, 1e30])
def test_the_unit_of_the_target_does_not_matter(scale):
    X, y = _table()
    archive = Archive(X, scale * y, np.random.default_rng(0))
    (entry,) = archive.submit([TRUTH], "test")
    assert entry.exact


def test_the_arrays_given_are_not_written_to():
    X, y = _table()
    X.flags.writeable = y.flags.writeable = False
    Archive(X, y, np.random.default_rng(0)).submit([TRUTH], "test", screen=True)


def test_a_table_that_does_not_fit_is_named():
    with pytest.raises(InputError, match="300 rows"):
        Archive(np.ones((300, 2)), np.ones(3), np.random.default_rng(0))
    with pytest.raises(InputError, match="finite"):
        Archive(np.full((3, 1), np.nan), np.ones(3), np.random.default_rng(0))


def test_a_submitted_formula_finds_its_entry_whatever_the_signs_of_its_constants():
    archive = _archive()
    written = ("atan", "add", -0.5, "mul", -0.7, "x1")  # in normal form a difference
    (entry,) = archive.submit([written], "test")
    assert archive.entry_of(written) is archive.entry_of(("atan", "add", "C", "mul", "C", "x1")) is entry
    assert archive.submit([("add", "x0", *written), ("add", *written, "x0")], "test") == archive.entries[1:]
    assert archive.entry_of(("add", *written, "x0")) is archive.entry_of(("add", "x0", *written))
    assert archive.entry_of(("sin", "x2")) is None
