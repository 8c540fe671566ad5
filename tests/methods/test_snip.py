from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from srbench_ext.corpus import Audit, Corpus, load_mixture
from srbench_ext.errors import ConfigError, InputError, WeightsError
from srbench_ext.latent import HasSpace, LatentSpace
from srbench_ext.method import Method
from srbench_ext.methods.snip import model, train
from srbench_ext.methods.snip.method import WEIGHTS
from srbench_ext.methods.snip.model import SNIPConfig, SNIPNet, build
from srbench_ext.models.batches import BatchPlan, Pools
from srbench_ext.models.checkpoint import load_foundation, load_weights, save_weights
from srbench_ext.models.encoders import POINT_FEATURES
from srbench_ext.models.foundation import Foundation, FoundationConfig
from srbench_ext.models.pretrained import TensorBatch
from srbench_ext.models.training import Trainer, TrainingConfig
from srbench_ext.registry import create
from srbench_ext.testing import MethodContract

FEW = {"population": 12, "parents": 4, "n_bags": 2, "n_noisy": 2, "n_perturbed": 4, "max_generations": 3}
SIZES = {
    "width": 16,
    "heads": 2,
    "hidden": 16,
    "point_hidden": 16,
    "point_layers": 1,
    "memory_layers": 1,
    "decoder_layers": 2,
    "memory_length": 3,
}
CONFIG = SNIPConfig(**SIZES, latent=6, slots=3, symbol_layers=1, symbol_hidden=16)
PLAN = BatchPlan(batch_size=4, batches_per_pool=3, modes=(1.0, 0.0, 0.0), few_points=(5, 8), many_share=0.0)


def tiny(seed: int = 0, config: SNIPConfig = CONFIG) -> SNIPNet:
    """Return a random network whose latent points decode differently."""
    torch.manual_seed(seed)
    net = SNIPNet(config)
    with torch.no_grad():
        for table in (net.tokens.weight, net.positions, net.symbols.weight, net.symbol_positions):
            table.mul_(20.0)
        net.bias.normal_()
        for block in net.blocks:
            block.memory.kv.weight.normal_()
            block.memory.out.weight.normal_()
    return net.eval()


@pytest.fixture(scope="session")
def tiny_weights(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Weights of a small random network: what the method does does not depend on their training."""
    net = tiny()
    path = tmp_path_factory.mktemp("snip") / "tiny.safetensors"
    card = {"model": CONFIG.to_dict(), "vocabulary_sha256": net.vocabulary.sha256, "examples": 0}
    save_weights(net, path, card)
    return str(path)


class TestSNIPContract(MethodContract):
    method_name = "snip"
    parameters = FEW
    deadline_parameters = {"max_generations": None}  # noqa: RUF012
    deadline_grace = 0.5
    weights = ""

    @pytest.fixture(scope="class", autouse=True)
    @classmethod
    def _on_tiny_weights(cls, tiny_weights: str) -> None:
        cls.weights = tiny_weights

    @classmethod
    def make(cls, **changes: Any) -> Method:
        return super().make(weights=cls.weights, **changes)


def corpus() -> Corpus:
    mixture = load_mixture()
    return Corpus(dataclasses.replace(mixture, limits={**mixture.limits, "max_tokens": 16}), Audit([]))


def batch(net: SNIPNet) -> TensorBatch:
    first = Pools(corpus(), PLAN, net.encoder(), 1, 0).pool(0).batches[0]
    return TensorBatch.of(first, torch.device("cpu"))


def part(net: SNIPNet, parts: torch.Tensor, name: str) -> float:
    total, count = parts[net.parts.index(name)].tolist()
    return total / max(count, 1)


# ---------------------------------------------------------------- network
def test_pads_do_not_move_a_formula() -> None:
    net = tiny()
    ids = batch(net).ids
    padded = torch.cat([ids, torch.full((len(ids), 5), net.vocabulary.pad)], dim=1)
    torch.testing.assert_close(net.formula_points(ids), net.formula_points(padded))


def test_the_order_of_tokens_moves_a_formula() -> None:
    net = tiny()
    a, b = (net.vocabulary.encode(["<skeleton>", "sub", *x]) for x in (("x0", "x1"), ("x1", "x0")))
    points = net.formula_points(torch.tensor([a, b]))
    assert not torch.allclose(points[0], points[1])


def test_tables_and_formulas_have_points_of_one_space() -> None:
    net = tiny()
    it = batch(net)
    assert net.table_points(it.features).shape == net.formula_points(it.ids).shape == (4, net.dimension)
    assert net.encode(it.features).shape == (4, CONFIG.slots, CONFIG.width)


@pytest.mark.parametrize("similarity", ["cosine", "dot"])
def test_contrast_is_the_symmetric_cross_entropy_of_the_similarities(similarity: str) -> None:
    net = tiny(config=dataclasses.replace(CONFIG, similarity=similarity, temperature=0.5))  # type: ignore[arg-type]
    tables, formulas = torch.randn(2, 5, 6, generator=torch.Generator().manual_seed(0))
    a, b = tables.numpy(), formulas.numpy()
    if similarity == "cosine":
        a, b = (z / np.linalg.norm(z, axis=1, keepdims=True) for z in (a, b))
    fit = a @ b.T / 0.5
    by_row, by_column = (np.log(np.exp(fit).sum(axis)) - np.diag(fit) for axis in (1, 0))
    loss, found = net.contrast(tables, formulas, torch.arange(5)[:, None])
    np.testing.assert_allclose(loss.detach().numpy(), (by_row + by_column) / 2, rtol=1e-4)
    np.testing.assert_array_equal(found.numpy(), fit.argmax(1) == np.arange(5))


def test_the_formula_of_two_tables_is_no_wrong_answer() -> None:
    net = tiny()
    tables = torch.eye(6)[[0, 1, 2]]
    formulas = torch.eye(6)[[0, 0, 2]]
    net.requires_grad_(False)
    told_apart, _ = net.contrast(tables, formulas, torch.tensor([[1], [2], [3]]))
    alike, found = net.contrast(tables, formulas, torch.tensor([[1], [1], [3]]))
    assert float(alike[0]) < float(told_apart[0]) - 0.1
    assert bool(found[0])


def test_the_temperature_is_learned_and_bounded() -> None:
    net = tiny()
    it = batch(net)
    net.loss(it, 0)[0].backward()
    assert net.sharpness.grad is not None
    assert float(net.sharpness.grad) != 0.0
    net.requires_grad_(False)
    assert float(net.sharpness.exp()) == pytest.approx(1 / CONFIG.temperature)
    tables, formulas = net.table_points(it.features), net.formula_points(it.ids)
    net.sharpness.fill_(50.0)
    assert float(net.similarities(tables, formulas).abs().max()) <= 100.1


def test_the_length_of_a_point_is_not_decoded_where_it_means_nothing() -> None:
    z = torch.randn(3, 6)
    net = tiny(config=dataclasses.replace(CONFIG, normalised=True)).requires_grad_(False)
    torch.testing.assert_close(net.memory_of(z), net.memory_of(7.0 * z))
    plain = tiny().requires_grad_(False)
    assert not torch.allclose(plain.memory_of(z), plain.memory_of(7.0 * z))


@pytest.mark.parametrize("joint", [False, True])
def test_cross_entropy_trains_the_encoder_where_that_is_asked_for(joint: bool) -> None:
    net = tiny(config=dataclasses.replace(CONFIG, contrast_weight=0.0, joint=joint))
    net.loss(batch(net), 0)[0].backward()
    assert net.numeric.weight.grad is not None
    assert bool(net.numeric.weight.grad.abs().sum() > 0) is joint
    assert net.expand.weight.grad is not None
    assert bool(net.expand.weight.grad.abs().sum() > 0)


def test_shuffled_is_measured_in_validation_only() -> None:
    net = tiny()
    it = batch(net)
    index = net.parts.index("shuffled")
    assert float(net.loss(it, 0)[1][index, 1]) > 0
    assert float(net.train().loss(it, 0)[1][index, 1]) == 0


def test_the_spread_follows_the_tables_of_training_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model, "MOMENTUM", 0.5)
    net = tiny()
    it = batch(net)
    net.loss(it, 0)
    torch.testing.assert_close(net.variance, torch.ones(net.dimension))
    with torch.no_grad():
        net.numeric.weight.mul_(1000.0)
        net.train()
        for _ in range(30):
            net.loss(it, 0)
        points = net.at_one_length(net.table_points(it.features))
        torch.testing.assert_close(net.variance, points.var(0, correction=0), rtol=1e-3, atol=0.0)
        placed, around = net.place(it.features)
    torch.testing.assert_close(placed, points)
    torch.testing.assert_close(around[0], net.variance.log() - 3.0)


def test_points_that_are_decoded_at_one_length_are_given_at_it() -> None:
    net = tiny(config=dataclasses.replace(tiny().config, normalised=True))
    with torch.no_grad():
        placed, _ = net.place(batch(net).features)
    torch.testing.assert_close(placed.norm(dim=1), torch.full((len(placed),), net.dimension**0.5))


@pytest.mark.parametrize("statistics_length", [0, 2])
def test_it_starts_from_any_foundation_model_of_its_layers(statistics_length: int) -> None:
    torch.manual_seed(0)
    foundation = Foundation(FoundationConfig(**SIZES, statistics_length=statistics_length)).eval()
    config = train.config_like(foundation)
    net = tiny(config=dataclasses.replace(config, latent=6))
    features = torch.randn(200, 7, POINT_FEATURES)
    net.start_from(foundation, features)
    for name, value in foundation.state_dict().items():
        assert torch.equal(net.state_dict()[name], value), name
    points = net.table_points(features)
    torch.testing.assert_close(points.mean(0), torch.zeros(6), atol=1e-3, rtol=0)
    torch.testing.assert_close(points.std(0), torch.ones(6), atol=0.1, rtol=0)
    assert net.encode(features).shape == foundation.encode(features).shape


def test_a_foundation_model_of_another_size_is_refused() -> None:
    other = Foundation(FoundationConfig(**{**SIZES, "width": 8}))
    with pytest.raises(WeightsError, match="does not fit SNIPNet"):
        tiny().start_from(other, torch.randn(9, 7, POINT_FEATURES))


@pytest.mark.parametrize("values", [{"similarity": "euclid"}, {"temperature": 0.0}, {"latents": 3}])
def test_an_impossible_size_is_an_error(values: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=next(iter(values))):
        build(values)


# ---------------------------------------------------------------- training
def test_training_lowers_both_losses(tmp_path: Path) -> None:
    torch.manual_seed(0)
    plan = dataclasses.replace(PLAN, batch_size=16, batches_per_pool=4)
    config = TrainingConfig(workers=0, warmup_steps=4, plan=plan, learning_rate=1e-2)
    trainer = Trainer(tmp_path, corpus(), lambda: SNIPNet(CONFIG), config)
    before = trainer.validate(4)
    trainer.run(steps=30)
    after = trainer.validate(4)
    assert after["own"] < before["own"] - 0.3
    assert after["contrast"] < np.log(16) - 0.2  # of a guess


@pytest.mark.parametrize("budget", [{"minutes": 1e-4}, {"examples": 8}])
def test_only_a_release_starts_from_the_foundation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, budget: dict[str, float]
) -> None:
    monkeypatch.setattr(train, "CONFIG", TrainingConfig(workers=0, plan=PLAN))
    monkeypatch.setattr(train, "START", PLAN)
    monkeypatch.setattr(Trainer, "validate", lambda self: {})
    started: list[bool] = []
    monkeypatch.setattr(SNIPNet, "start_from", lambda *_: started.append(True))
    card = train.main(tmp_path, **budget)  # type: ignore[arg-type]
    assert json.loads((tmp_path / "snip.json").read_text("utf8")) == json.loads(json.dumps(card))
    net, _ = load_weights(tmp_path / "snip.safetensors", build)
    assert isinstance(net, SNIPNet)
    if "minutes" in budget:
        assert started
        assert card["started_from"]["sha256"] == load_foundation()[1]["sha256"]
    else:
        assert not started
        assert "started_from" not in card
        assert card["examples"] == 8
        assert (
            card["model"] == train.config_like(load_foundation()[0]).to_dict()
        )  # equal sizes on both tracks


# ---------------------------------------------------------------- method
def product(n_rows: int = 100, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    X = np.random.default_rng(seed).uniform(1, 5, (n_rows, 2))
    return X, X[:, 0] * X[:, 1]


def test_it_searches_with_grey_wolves_unless_told_otherwise() -> None:
    assert create("snip").get_params()["optimiser"] == "grey-wolf"
    assert create("snip@cma").get_params()["optimiser"] == "cma"


@pytest.mark.parametrize("optimiser", ["grey-wolf", "cma", "separable-cma", "official-es", "random"])
def test_every_optimiser_searches_its_space(tiny_weights: str, optimiser: str) -> None:
    X, y = product()
    y = y + np.random.default_rng(1).normal(size=len(y))
    method = create("snip", weights=tiny_weights, optimiser=optimiser, **FEW, max_decodes=30).fit(X, y)
    assert method.result_.counts["decoded"] == 30


def test_its_space_places_tables_and_decodes_points(tiny_weights: str) -> None:
    method = create("snip", weights=tiny_weights)
    assert isinstance(method, HasSpace)
    space = method.open_space(2, np.random.default_rng(0))
    assert isinstance(space, LatentSpace)
    means, log_variances = space.encode([product(seed=seed) for seed in range(3)])
    assert means.shape == log_variances.shape == (3, space.dimension)
    decoded = space.decode(means + 3 * np.random.default_rng(0).normal(size=means.shape))
    assert all(len(row) == 1 for row in decoded)
    assert len({row[0] for row in decoded}) > 1


def test_missing_weights_are_named(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"absent\.safetensors.*srbench-ext train"):
        create("snip", weights=str(tmp_path / "absent.safetensors")).fit(*product())


def test_a_wrong_optimiser_is_refused_by_name() -> None:
    with pytest.raises(InputError, match=r"'optimiser' parameter of SNIP .* Got 'newton'"):
        create("snip", optimiser="newton").fit(*product())


@pytest.mark.parametrize("preset", ["snip", "snip@official", "snip@cma"])
def test_a_product_is_found_exactly(preset: str) -> None:
    method = create(preset, max_seconds=20).fit(*product())
    X_new, y_new = product(seed=1)
    np.testing.assert_allclose(method.predict(X_new), y_new, rtol=1e-6)


def test_shipped_tables_and_formulas_find_each_other() -> None:
    _, card = load_weights(WEIGHTS, build)
    validation = card["validation_loss"]
    assert validation["own"] < validation["shuffled"] - 0.3
    assert validation["retrieval"] > 2 / card["training"]["plan"]["batch_size"]
