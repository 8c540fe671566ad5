"""What goes wrong in small tables and in adapted networks: noticed, acted upon, never worse than before."""

from __future__ import annotations

import dataclasses
import random
import time
import types

import numpy as np
import pytest
import torch
from sklearn.linear_model import LinearRegression

from srbench_ext.expression import Expression
from srbench_ext.method import Candidate
from srbench_ext.methods.equate import method as equate_method
from srbench_ext.methods.equate.adaptation import Adapter, Labelled, improved
from srbench_ext.methods.equate.model import EquateModel
from srbench_ext.methods.equate.network import Network
from srbench_ext.methods.equate.safeguards import Safeguards, label_state
from srbench_ext.models.foundation import Foundation, FoundationConfig
from srbench_ext.registry import create
from srbench_ext.runner import plan, worker
from srbench_ext.search import Judge

FEW = {
    "n_bags": 1,
    "n_candidates": 4,
    "samples": 1,
    "seeds": 4,
    "rounds": 2,
    "breeding_steps": 2,
    "n_random": 50,
    "infills": 0,
    "eval_steps": 2,
    "joint_steps": 1,
    "max_seconds": 20,
    "patience": 1.0,
}
NETWORK = {**FEW, "network_share": 1.0, "probes": False, "relations": False, "stepwise": False}


def noisy(n_rows: int = 120, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    X = rng.uniform(1, 3, (n_rows, 2))
    return X, X[:, 0] * np.sin(X[:, 1]) + X[:, 1] ** 2 + 0.3 * rng.normal(size=n_rows)


def fitted(X: np.ndarray, y: np.ndarray, **changes: object):
    return create("equate", **{**NETWORK, **changes}).fit(X, y)


# ---------------------------------------------------------------- copying, collapse
def test_copying_loosens_the_search_and_twice_in_a_row_gives_the_time_to_sampling():
    guards = Safeguards()
    guards.decoded(20, 12)
    assert guards == Safeguards()
    guards.decoded(20, 7)
    assert guards.tripped == {"copying": 1}
    assert guards.temperature > 1
    assert guards.noise == 2
    assert guards.radius == 1.5
    assert guards.dropout > Safeguards().dropout
    assert not guards.sampling_only
    guards.decoded(20, 7)
    assert guards.sampling_only
    guards.decoded(20, 20)
    assert not guards.sampling_only


def test_a_copying_decoder_leaves_the_rounds_to_samples_of_the_foundation(monkeypatch):
    monkeypatch.setattr(Safeguards, "sampling_only", property(lambda self: True))
    counts = fitted(*noisy()).result_.counts
    assert counts["fresh"] > 0
    assert "eval_steps" not in counts
    assert "decoded" not in counts


def test_collapse_to_few_formulas_makes_all_weigh_alike():
    guards = Safeguards()
    guards.decoded(6, 5)
    assert guards.uniform
    assert guards.tripped == {"collapse": 1}


def test_alike_weights_change_the_decoders_loss():
    torch.manual_seed(0)
    sizes = FoundationConfig(width=16, heads=2, hidden=16, point_hidden=16, decoder_layers=2, memory_length=3)
    model = EquateModel(Foundation(sizes).eval())
    candidates = [Labelled(("sin", "x0"), 0.9, 0.9), Labelled(("mul", "x0", "x1"), 0.1, 0.9)]
    losses = []
    for uniform in (False, True):
        adapter = Adapter(model, torch.ones(1, 3, 16), np.random.default_rng(0), noise=0.0, alignment=0.0)
        adapter.uniform, adapter.equation_dropout = uniform, 0.0
        adapter.optimiser.step = lambda *_: None
        losses.append(adapter.step(candidates, reconstruct=True))
    assert losses[0] != losses[1]


# ---------------------------------------------------------------- evaluator
def test_an_evaluator_no_better_than_chance_gives_way_to_random_directions(monkeypatch):
    monkeypatch.setattr("srbench_ext.methods.equate.network._LEAST_LABELS", 0)
    for tau, blind in ((0.1, True), (0.9, False)):
        monkeypatch.setattr(Adapter, "rank_correlation", lambda *_, tau=tau: tau)
        counts = fitted(*noisy()).result_.counts
        assert counts["decoded"] > 0
        assert (counts.get("blind_rounds", 0) > 0) == blind


def test_promises_that_are_not_kept_make_the_search_careful():
    guards = Safeguards()
    guards.realised(0.6, [0.5, 0.5])
    assert guards == Safeguards()
    guards.realised(0.9, [0.5, 0.5])
    assert guards.caution == 2
    assert guards.radius == pytest.approx(0.7)
    assert guards.tripped == {"exploitation": 1}


@pytest.mark.parametrize(
    ("fitness", "state"),
    [([0.2, 0.9], "varied"), ([0.99, 1.0], "perfect"), ([0.17, 0.16], "bad"), ([1.0], "varied")],
)
def test_flat_labels_are_told_apart(fitness, state):
    assert label_state(fitness) == state


@pytest.mark.parametrize("state", ["perfect", "bad"])
def test_flat_labels_end_adaptation_and_search(monkeypatch, state):
    monkeypatch.setattr(equate_method, "label_state", lambda fitness: state)
    counts = fitted(*noisy()).result_.counts
    assert counts[f"rounds_of_{state}_labels"] > 0
    assert "eval_steps" not in counts
    assert ("fresh" in counts) == (state == "bad")


# ---------------------------------------------------------------- bloat, forgetting
def test_complexity_that_rises_round_by_round_is_capped():
    guards = Safeguards()
    for median in (5, 7, 6, 9, 12):
        guards.complexities([median])
    assert not guards.tripped
    guards.complexities([13])
    assert guards.tripped == {"bloat": 1}
    assert guards.simplicity == 2
    assert guards.max_tokens < Safeguards().max_tokens


def test_a_decoder_that_forgets_is_set_back_and_not_trained_any_more(monkeypatch):
    likelihoods = iter([1.0, 1.1, 1.15, 1.5])
    monkeypatch.setattr(Network, "_own_likelihood", lambda self: next(likelihoods))
    kept = []
    adapt = Network.adapt

    def watched(self, *arguments):
        before = [p.detach().clone() for p in self.model.updates()]
        adapt(self, *arguments)
        kept.append((self, before))

    monkeypatch.setattr(Network, "adapt", watched)
    result = fitted(*noisy(), joint_steps=4, max_seconds=300).result_
    network, before = kept[-1]
    assert len(kept) == 2
    assert result.counts["guard_forgetting"] == 1
    assert not network.guards.joint
    now = network.model.updates()
    assert any(not torch.equal(a, b) for a, b in zip(before, network._updates, strict=True))
    assert all(torch.equal(a.detach(), b) for a, b in zip(now, network._updates, strict=True))


def test_rules_that_are_off_change_nothing():
    guards = Safeguards(active=False)
    guards.decoded(20, 0)
    guards.realised(1.0, [0.0])
    for median in range(1, 9):
        guards.complexities([median])
    assert not guards.forgets(1.0)
    assert not guards.forgets(9.0)
    assert (guards.temperature, guards.caution, guards.joint, guards.tripped) == (1.0, 1.0, True, {})


def test_the_decoders_targets_are_better_and_near():
    known = [
        Labelled(("sin", "x0"), 0.2, 0.9),
        Labelled(("mul", "x1", "sin", "x0"), 0.6, 0.8),
        Labelled(("add", "exp", "x1", "pow2", "x1"), 0.9, 0.7),
    ]
    found = {improved(random.Random(seed), known[0], known) for seed in range(10)}
    assert found == {known[1]}
    assert improved(random.Random(0), known[2], known) == known[2]


# ---------------------------------------------------------------- tables
@pytest.mark.parametrize("scale", [1e-30, 1e30])
def test_tiny_and_huge_targets_are_fitted(scale):
    X, y = noisy(60)
    method = fitted(X, scale * y, rounds=1)
    assert method.score(X, scale * y) > 0.5
    assert np.isfinite(method.expression_.constants).all()


def test_columns_where_logarithms_and_roots_are_not_defined_give_a_finite_formula():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(80, 2))
    X[::7] = 0.0
    y = np.abs(X[:, 0]) + rng.normal(size=80) * 0.1
    method = fitted(X, y, rounds=1)
    assert np.isfinite(method.predict(X)).all()


@pytest.mark.parametrize("n_rows", [1, 5])
def test_few_rows_are_enough(n_rows):
    X, y = noisy(n_rows)
    assert np.isfinite(fitted(X, y, rounds=1).predict(X)).all()


def test_constant_and_repeated_columns_and_repeated_rows_are_harmless():
    X, y = noisy(60)
    X = np.column_stack([np.full(60, 3.0), X, X[:, 1]])
    X, y = np.repeat(X, 3, axis=0), np.repeat(y, 3)
    method = fitted(X, y, rounds=1)
    assert 0 not in method.expression_.variables
    assert method.score(X, y) > 0.5


def test_only_constant_columns_give_the_mean():
    y = np.arange(12.0)
    method = fitted(np.ones((12, 2)), y)
    np.testing.assert_allclose(method.predict(np.ones((3, 2))), y.mean())


def test_a_constant_target_is_that_constant():
    method = fitted(noisy(30)[0], np.full(30, 2.5))
    assert method.expression_.constants == (2.5,)


def test_of_twelve_columns_ten_are_used():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 12))
    y = X[:, 3] - 2 * X[:, 8] + 0.1 * rng.normal(size=60)
    method = fitted(X, y, rounds=1)
    assert len(method.selected_features_) == 10
    assert {3, 8} <= set(method.selected_features_)


# ---------------------------------------------------------------- the linear floor, the pick
def test_noise_over_columns_ends_no_further_from_the_truth_than_the_linear_formula():
    rng = np.random.default_rng(1)
    X = rng.normal(size=(40, 6))
    y = X[:, 0] + rng.normal(size=40)
    method = fitted(X, y)
    X_new = rng.normal(size=(2000, 6))
    linear = LinearRegression().fit(X, y)
    clean = X_new[:, 0]
    assert (
        np.mean((method.predict(X_new) - clean) ** 2) <= np.mean((linear.predict(X_new) - clean) ** 2) * 1.5
    )


def test_a_decoder_that_writes_nothing_leaves_the_foundations_candidates(monkeypatch):
    monkeypatch.setattr(Network, "decoded", lambda self, embeddings: [])
    result = fitted(*noisy(), breeding_steps=0, n_random=0).result_
    assert result.notes["chosen_score"] <= result.notes["foundation_chosen_score"]
    assert result.counts["entries_embedding"] == 0


@pytest.mark.parametrize("seed", range(2))
def test_the_pick_is_never_behind_the_foundations_best(seed):
    notes = fitted(*noisy(70, seed), random_state=seed, probes=True).result_.notes
    assert notes["chosen_score"] <= notes["foundation_chosen_score"]


def test_a_formula_that_covers_the_foundations_best_is_not_ranked_behind_it():
    def candidate(loss: float, complexity: int) -> Candidate:
        return Candidate(Expression(("x0",)), loss=loss, complexity=complexity)

    own, shorter, longer = candidate(0.5, 9), candidate(0.4, 7), candidate(0.3, 20)
    scores = {id(own): (False, -1.0, 9), id(shorter): (False, -0.5, 7), id(longer): (False, -0.9, 20)}

    class Told(Judge):
        def rank(self, candidate, *, crossed=True):
            return scores[id(candidate)]

    session = types.SimpleNamespace(
        _own_candidate=lambda: own,
        _offered_own=True,
        judge=Told(np.ones((5, 1)), np.arange(5.0), time.monotonic() + 60.0),
        run=types.SimpleNamespace(note=lambda *_: None),
    )
    best, score = equate_method._Session.pick(session, [shorter, longer])
    assert best is shorter
    assert score == -1.0
    with pytest.raises(AssertionError, match="behind the foundation"):
        equate_method._Session.pick(session, [longer])


# ---------------------------------------------------------------- leakage
def test_poisoned_test_targets_change_nothing(monkeypatch):
    given = {k: v for k, v in NETWORK.items() if k != "max_seconds"}
    (spec,) = plan(["equate"], only="strogatz_vdp1", parameters=given, max_seconds=20)
    prepare, found = worker.prepare, []
    for poison in (False, True):

        def prepared(*arguments, poison=poison):
            rows = prepare(*arguments)
            if not poison:
                return rows
            wrong = dataclasses.replace(rows.test, y=np.full_like(rows.test.y, 1e9))
            return dataclasses.replace(rows, test=wrong)

        channel = types.SimpleNamespace(send=lambda **_: None, record=found.append)
        monkeypatch.setattr(worker, "prepare", prepared)
        worker.work(spec, None, channel)
    last = found[len(found) // 2 - 1], found[-1]
    assert [record.status for record in last] == ["ok", "ok"]
    assert last[0].expression == last[1].expression
    fronts = [[(point.formula, point.loss) for point in record.front] for record in last]
    assert fronts[0] == fronts[1]
