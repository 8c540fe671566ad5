from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from srbench_ext.latent import LatentSpace, TableEncoder
from srbench_ext.latent.search import LatentSearch, Settings
from srbench_ext.method import SearchRun
from srbench_ext.search import Archive

from .toy import DIMENSION, FORMULAS, LAW, ToySpace, product

SETTINGS = Settings(
    optimiser="separable-cma",
    population=12,
    parents=4,
    step_size=1.0,
    scale="prior",
    kept_dimensions=None,
    cooling=30,
    bag_size=64,
    n_bags=2,
    n_noisy=2,
    n_perturbed=4,
    n_fresh=0,
    n_samples=1,
    temperature=1.0,
    fitness="log",
    duplicates="cached",
    tokens_per_unit=400.0,
    constants=False,
    sums=False,
    patience=15,
    max_generations=3,
    max_decodes=None,
    stop_r2=None,
    stop_generation=0,
)


def searched(**changes: object) -> tuple[LatentSearch, SearchRun]:
    X, y = product(noise=1.0)
    run = SearchRun(np.random.default_rng(4), ("x0", "x1"), 20.0)
    archive = Archive(X, y, run.rng, max_fit_rows=60)
    settings = dataclasses.replace(SETTINGS, **changes)  # type: ignore[arg-type]
    return LatentSearch(settings, ToySpace(), archive, (X, y), run, run.deadline), run


@pytest.mark.parametrize("optimiser", ["separable-cma", "cma", "grey-wolf", "official-es", "random"])
def test_every_optimiser_runs_its_generations(optimiser: str) -> None:
    search, run = searched(optimiser=optimiser)
    scores = [entry.score for entry in search.generations()]
    search.conclude()
    assert scores == sorted(scores, reverse=True)
    assert run.counts["generations"] == 3
    assert run.counts["decoded"] == 1 + 8 + 3 * 12


@pytest.mark.parametrize("optimiser", ["separable-cma", "cma", "random"])
def test_the_step_size_is_the_size_of_the_first_perturbations(optimiser: str) -> None:
    lengths = []
    for step_size in (0.5, 1.0):
        search, _ = searched(optimiser=optimiser, step_size=step_size)
        around = search._around(np.zeros(DIMENSION), np.ones(DIMENSION))
        lengths.append(np.linalg.norm(around.ask()))
    assert lengths[1] == pytest.approx(2 * lengths[0])


def test_without_an_optimiser_only_bags_are_decoded() -> None:
    search, run = searched(optimiser="none")
    list(search.generations())
    search.conclude()
    assert run.counts["decoded"] == 3 * (1 + 2)
    assert run.counts["generations"] == run.counts["starts"] == 3


@pytest.mark.parametrize("optimiser", ["separable-cma", "cma", "random", "grey-wolf", "official-es"])
def test_fresh_bags_stand_beside_what_starts_from_one_point(optimiser: str) -> None:
    search, run = searched(optimiser=optimiser, n_fresh=5)
    list(search.generations())
    search.conclude()
    beside = 0 if optimiser in ("grey-wolf", "official-es") else 5
    assert run.counts["decoded"] == 1 + 8 + 3 * (12 + beside)


def test_the_search_goes_on_from_a_better_fresh_bag(monkeypatch: pytest.MonkeyPatch) -> None:
    search, _ = searched(n_fresh=1, optimiser="random", n_noisy=0, n_perturbed=0, max_generations=1)
    better = np.zeros((1, DIMENSION))
    better[0, FORMULAS.index(LAW)] = 9.0
    monkeypatch.setattr(search, "_fresh", lambda count: better)
    centres = []
    around = search._around
    monkeypatch.setattr(
        search, "_around", lambda centre, size: centres.append(centre) or around(centre, size)
    )
    list(search.generations())
    assert centres[-1] is not centres[0]
    np.testing.assert_array_equal(centres[-1], better[0])


@pytest.mark.parametrize("optimiser", ["separable-cma", "cma", "grey-wolf", "official-es", "random"])
def test_the_number_of_decodes_is_kept(optimiser: str) -> None:
    search, run = searched(optimiser=optimiser, max_decodes=30, max_generations=None)
    list(search.generations())
    search.conclude()
    assert run.counts["decoded"] == search.space.decoded == 30


def test_impatience_starts_again() -> None:
    search, run = searched(patience=1, max_generations=12)
    list(search.generations())
    assert run.counts["starts"] > 1


def test_the_released_stop_is_looser_later() -> None:
    search, _ = searched(stop_r2=0.5, stop_generation=2, max_generations=None)
    assert not search.finished
    search.scorer.score([[LAW]], "search")  # R² of about 0.98, for the noise
    assert not search.finished
    search.generation = 2
    assert search.finished


def test_cooled_wolves_start_again() -> None:
    search, run = searched(optimiser="grey-wolf", cooling=2, patience=0, max_generations=6)
    list(search.generations())
    assert run.counts["starts"] == 3


def test_a_toy_space_is_a_latent_space() -> None:
    assert isinstance(ToySpace(), LatentSpace)
    assert isinstance(ToySpace(), TableEncoder)
    assert not isinstance(object(), TableEncoder)


def test_sums_of_what_was_decoded_join_the_archive() -> None:
    rng = np.random.default_rng(0)
    X = rng.uniform(1.0, 3.0, (200, 2))
    y = 2.0 * X[:, 0] * X[:, 1] + 3.0 * np.sin(X[:, 0]) - np.exp(X[:, 1])  # each is decoded, no sum of them
    best = {}
    for sums in (False, True):
        run = SearchRun(np.random.default_rng(4), ("x0", "x1"), 60.0)
        archive = Archive(X, y, run.rng, max_fit_rows=100)
        settings = dataclasses.replace(SETTINGS, sums=sums, n_samples=6, max_generations=4)
        search = LatentSearch(settings, ToySpace(), archive, (X, y), run, run.deadline)
        yielded = list(search.generations())
        best[sums] = archive.best()
        assert ("sum" in {entry.origin for entry in yielded}) == sums
        assert search.decoded == search.space.decoded
    assert best[False].nmse_validation > 1e-3
    assert best[True].exact
    assert best[True].origin == "sum"


def test_the_encoder_is_shown_what_a_sum_leaves(monkeypatch: pytest.MonkeyPatch) -> None:
    search, _ = searched(sums=True, max_generations=None)
    rest = np.linspace(-50.0, -40.0, len(search.table[1]))
    monkeypatch.setattr(search.sums, "rest", lambda: rest)
    seen = []
    encode = search.space.encode
    monkeypatch.setattr(search.space, "encode", lambda tables: seen.extend(tables) or encode(tables))
    before = search.archive.n_evaluated
    monkeypatch.setattr(search.sums, "submit", lambda deadline: [])
    assert list(search._add_up()) == []
    assert len(seen) == search.decoded == SETTINGS.n_bags
    assert all(set(y) <= set(rest) for _, y in seen)
    assert search.archive.n_evaluated == before  # it is no formula of the table


@pytest.mark.parametrize("optimiser", ["none", "random"])
def test_what_was_decoded_last_is_added_up_too(monkeypatch: pytest.MonkeyPatch, optimiser: str) -> None:
    search, _ = searched(sums=True, max_generations=3, optimiser=optimiser)
    submitted = []
    monkeypatch.setattr(search.sums, "rest", lambda: pytest.fail("nothing can be decoded any more"))
    monkeypatch.setattr(search.sums, "submit", lambda deadline: submitted.append(search.generation) or [])
    search.generation = 3
    assert search.finished
    list(search.generations())
    assert submitted == [3]


def test_a_sum_may_end_a_search_for_an_accuracy() -> None:
    search, _ = searched(sums=True, stop_r2=0.9, max_generations=None)
    assert not search.finished
    search.archive.submit([LAW], "sum")
    assert search.finished
