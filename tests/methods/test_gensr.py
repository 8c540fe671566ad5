from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import torch

from srbench_ext.corpus import Audit, Corpus, load_mixture
from srbench_ext.errors import ConfigError, InputError, WeightsError
from srbench_ext.methods.gensr import health, train
from srbench_ext.methods.gensr.health import Health, measure
from srbench_ext.methods.gensr.method import WEIGHTS
from srbench_ext.methods.gensr.model import Gaussian, GenSRConfig, GenSRNet, build, divergence
from srbench_ext.models.batches import BatchPlan, Pools
from srbench_ext.models.checkpoint import load_foundation, load_weights
from srbench_ext.models.encoders import POINT_FEATURES
from srbench_ext.models.foundation import Foundation, FoundationConfig
from srbench_ext.models.latent import NetworkSpace, free_greedy, validity
from srbench_ext.models.pretrained import TensorBatch
from srbench_ext.models.training import Trainer, TrainingConfig
from srbench_ext.registry import create
from srbench_ext.testing import MethodContract

FEW = {"population": 12, "parents": 4, "n_bags": 2, "n_noisy": 2, "n_perturbed": 4, "max_generations": 3}
ENDLESS = {"max_generations": None}
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
CONFIG = GenSRConfig(**SIZES, latent=6, slots=3)
READING = GenSRConfig(**SIZES, latent=6, slots=3, slot_layers=1, formula_queries=2)
both_configs = pytest.mark.parametrize("config", [CONFIG, READING])
PLAN = BatchPlan(batch_size=4, batches_per_pool=3, modes=(1.0, 0.0, 0.0), few_points=(5, 8), many_share=0.0)


class TestGenSRContract(MethodContract):
    method_name = "gensr"
    parameters = FEW
    deadline_parameters = ENDLESS
    deadline_grace = 0.5


def tiny(seed: int = 0, config: GenSRConfig = CONFIG) -> GenSRNet:
    """Return a random network whose latent points decode differently."""
    torch.manual_seed(seed)
    net = GenSRNet(config)
    with torch.no_grad():
        net.tokens.weight.mul_(20.0)
        net.positions.mul_(20.0)
        net.bias.normal_()
        for block in net.blocks:
            block.memory.kv.weight.normal_()
            block.memory.out.weight.normal_()
    return net.eval()


def corpus() -> Corpus:
    mixture = load_mixture()
    return Corpus(dataclasses.replace(mixture, limits={**mixture.limits, "max_tokens": 16}), Audit([]))


def batch(net: GenSRNet) -> TensorBatch:
    first = Pools(corpus(), PLAN, net.encoder(), 1, 0).pool(0).batches[0]
    return TensorBatch.of(first, torch.device("cpu"))


def product(n_rows: int = 100, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    X = np.random.default_rng(seed).uniform(1, 5, (n_rows, 2))
    return X, X[:, 0] * X[:, 1]


# ---------------------------------------------------------------- network
@both_configs
def test_the_prior_sees_the_points_alone(config: GenSRConfig) -> None:
    net = tiny(config=config)
    it = batch(net)
    alone = net.prior_of(it.features)
    prior, posterior = net.both_of(it.features, it.ids)
    torch.testing.assert_close(prior.mean, alone.mean)
    torch.testing.assert_close(prior.log_variance, alone.log_variance)
    other = it.ids.roll(1, dims=0)
    assert not torch.allclose(net.both_of(it.features, other)[1].mean, posterior.mean)


@both_configs
def test_pads_change_nothing(config: GenSRConfig) -> None:
    net = tiny(config=config)
    it = batch(net)
    padded = torch.cat([it.ids, torch.full((len(it.ids), 5), net.vocabulary.pad)], dim=1)
    for a, b in zip(net.both_of(it.features, it.ids), net.both_of(it.features, padded), strict=True):
        torch.testing.assert_close(a.mean, b.mean)


@both_configs
def test_the_posterior_of_some_rows_is_theirs_among_all(config: GenSRConfig) -> None:
    net = tiny(config=config)
    it = batch(net)
    rows = torch.tensor([2, 0])
    prior, posterior = net.both_of(it.features, it.ids)
    same_prior, of_rows = net.both_of(it.features, it.ids, rows)
    torch.testing.assert_close(same_prior.mean, prior.mean)
    torch.testing.assert_close(of_rows.mean, posterior.mean[rows])
    torch.testing.assert_close(of_rows.log_variance, posterior.log_variance[rows])


def test_queries_of_the_formula_move_the_posterior_from_the_first_step() -> None:
    torch.manual_seed(0)
    net = GenSRNet(READING).eval().requires_grad_(False)
    it = batch(net)
    prior, posterior = net.both_of(it.features, it.ids)
    _, other = net.both_of(it.features, it.ids.roll(1, dims=0))
    moved = (other.mean - posterior.mean).square().mean().sqrt()
    assert 0.05 < float(moved) < 1.0
    assert float((posterior.mean - prior.mean).square().mean().sqrt()) < 1.0
    torch.testing.assert_close(posterior.log_variance, prior.log_variance)


def test_validation_says_what_another_formula_costs() -> None:
    net = tiny(config=READING).requires_grad_(False)
    names = ("prior", "posterior", "shuffled", "misled")
    _, parts = net.loss(batch(net), 0)
    means = {name: float(parts[net.parts.index(name), 0] / parts[net.parts.index(name), 1]) for name in names}
    assert len(set(means.values())) == 4
    again = net.loss(batch(net), 0)[1]
    torch.testing.assert_close(parts, again)  # means, not draws
    in_training = net.train().requires_grad_(True).loss(batch(net), 0)[1]
    assert in_training[net.parts.index("misled")].tolist() == [0.0, 0.0]


def test_slots_attend_to_each_other_in_their_layers() -> None:
    net = tiny(config=READING).requires_grad_(False)
    z = torch.randn(2, 6)
    alone = tiny(config=dataclasses.replace(READING, slot_layers=0)).memory_of(z)
    assert net.memory_of(z).shape == alone.shape == (2, 3, 16)
    torch.testing.assert_close(net.memory_of(z).mean(-1), torch.zeros(2, 3), atol=1e-5, rtol=0)


def test_the_divergence_is_that_of_two_normal_distributions() -> None:
    torch.manual_seed(0)
    q, p = (Gaussian(torch.randn(3, 5), torch.randn(3, 5)) for _ in range(2))
    normal = [torch.distributions.Normal(g.mean, (0.5 * g.log_variance).exp()) for g in (q, p)]
    torch.testing.assert_close(divergence(q, p), torch.distributions.kl_divergence(*normal))


def test_the_average_of_many_draws_is_narrower() -> None:
    torch.manual_seed(0)
    wide = Gaussian(torch.zeros(50_000, 1), torch.zeros(50_000, 1))
    assert float(wide.draw(1).std()) == pytest.approx(1.0, rel=0.02)
    assert float(wide.draw(200).std()) == pytest.approx(200**-0.5, rel=0.02)


def test_the_weight_of_the_divergence_rises_over_the_steps() -> None:
    net = tiny(config=dataclasses.replace(CONFIG, kl_weight=0.5, kl_steps=10, free_nats=0.0))
    with torch.no_grad():
        net.posterior.bias.add_(1.0)
    it = batch(net)

    def at(step: int) -> tuple[float, float]:
        torch.manual_seed(1)
        loss, parts = net.loss(it, step)
        kl = parts[net.parts.index("kl")]
        return float(loss.detach()), float(kl[0] / kl[1])

    (none, kl), (half, _), (whole, _), (later, _) = at(0), at(5), at(10), at(99)
    assert kl > 1.0
    assert half - none == pytest.approx(0.25 * kl, rel=1e-4)
    assert whole - none == pytest.approx(0.5 * kl, rel=1e-4)
    assert later == whole


def test_free_nats_pull_nowhere() -> None:
    net = tiny()
    with torch.no_grad():
        net.posterior.bias.add_(1.0)
    it = batch(net)

    def pull(**changes: float) -> torch.Tensor:
        net.config = dataclasses.replace(CONFIG, kl_steps=0, **changes)
        net.zero_grad()
        torch.manual_seed(1)
        net.loss(it, 1)[0].backward()
        return net.posterior.bias.grad.clone()

    charged, free, without = pull(free_nats=0.0), pull(free_nats=50.0), pull(kl_weight=0.0)
    torch.testing.assert_close(free, without)
    assert not torch.allclose(charged, without)


def test_shuffled_is_measured_in_validation_only() -> None:
    net = tiny()
    it = batch(net)
    index = net.parts.index("shuffled")
    assert float(net.loss(it, 0)[1][index, 1]) > 0
    assert float(net.train().loss(it, 0)[1][index, 1]) == 0


def test_in_training_a_share_of_the_examples_goes_through_the_posterior() -> None:
    net = tiny(config=dataclasses.replace(CONFIG, posterior_share=0.5))
    it = batch(net)
    prior, posterior, kl = (net.parts.index(name) for name in ("prior", "posterior", "kl"))
    validation, training = net.loss(it, 0)[1], net.train().loss(it, 0)[1]
    assert training[kl, 1] == 2 < validation[kl, 1] == 4
    assert training[posterior, 1] < validation[posterior, 1] == validation[prior, 1] == training[prior, 1]


@pytest.mark.parametrize("share", [0.0, 1.5])
def test_a_share_that_is_none_is_an_error(share: float) -> None:
    with pytest.raises(ConfigError, match=f"posterior_share .* Got {share}"):
        build({"posterior_share": share})


@pytest.mark.parametrize("statistics_length", [0, 2])
def test_it_starts_from_a_foundation_model_of_its_size(statistics_length: int) -> None:
    torch.manual_seed(0)
    config = dataclasses.replace(CONFIG, statistics_length=statistics_length, slots=3 + statistics_length)
    foundation = Foundation(FoundationConfig(**SIZES, statistics_length=statistics_length)).eval()
    net = tiny(config=config)
    features = torch.randn(200, 7, POINT_FEATURES)
    net.start_from(foundation, features)
    for name, value in foundation.state_dict().items():
        assert torch.equal(net.state_dict()[name], value), name
    prior = net.prior_of(features)
    torch.testing.assert_close(prior.mean.mean(0), torch.zeros(CONFIG.latent), atol=1e-3, rtol=0)
    assert (prior.mean.std(0) < 1.1).all()
    memory = foundation.encode(features)
    lost = (net.encode(features) - memory).square().sum() / (memory - memory.mean(0)).square().sum()
    assert lost < 0.4  # of 48 dimensions 6 are kept, the largest


def test_a_foundation_model_of_another_size_is_refused() -> None:
    with pytest.raises(WeightsError, match="does not fit GenSRNet"):
        tiny().start_from(
            Foundation(FoundationConfig(**{**SIZES, "width": 8})), torch.randn(9, 7, POINT_FEATURES)
        )


def test_an_unknown_size_is_an_error() -> None:
    with pytest.raises(ConfigError, match="latents"):
        build({"latents": 3})


# ---------------------------------------------------------------- training
def test_training_lowers_both_cross_entropies(tmp_path: Path) -> None:
    torch.manual_seed(0)
    config = TrainingConfig(workers=0, warmup_steps=4, plan=PLAN, learning_rate=3e-3)
    trainer = Trainer(tmp_path, corpus(), lambda: GenSRNet(CONFIG), config)
    before = trainer.validate(2)
    trainer.run(steps=60)
    after = trainer.validate(2)
    assert after["prior"] < before["prior"] - 0.3
    assert after["posterior"] < before["posterior"] - 0.3


@pytest.mark.parametrize("budget", [{"minutes": 1e-4}, {"examples": 8}])
def test_only_a_release_starts_from_the_foundation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, budget: dict[str, float]
) -> None:
    monkeypatch.setattr(train, "CONFIG", TrainingConfig(workers=0, plan=PLAN))
    monkeypatch.setattr(Trainer, "validate", lambda self: {})
    started: list[bool] = []
    monkeypatch.setattr(GenSRNet, "start_from", lambda *_: started.append(True))
    monkeypatch.setattr(health, "EXAMPLES", 32)
    card = train.main(tmp_path, **budget)
    written = json.loads((tmp_path / "gensr.json").read_text("utf8"))
    assert written == json.loads(json.dumps(card))
    assert card["health"]["examples"] == 32
    if "minutes" in budget:
        assert started
        assert card["started_from"]["sha256"] == load_foundation()[1]["sha256"]
    else:
        assert not started
        assert "started_from" not in card
        assert card["examples"] == 8


# ---------------------------------------------------------------- latent space
def latent_space(net: GenSRNet | None = None) -> NetworkSpace:
    return NetworkSpace(net or tiny(), 2, np.random.default_rng(0))


def test_a_point_decodes_alike_alone_and_among_others() -> None:
    space = latent_space()
    z = np.random.default_rng(1).normal(size=(12, CONFIG.latent)) * 3
    together = space.decode(z)
    assert together == [space.decode(row[None])[0] for row in z]
    assert len({row[0] for row in together}) > 1
    assert all(validity(space.net, list(row[0]), 2) for row in together)


def test_sampling_gives_several_formulas_of_a_point() -> None:
    z = np.zeros((1, CONFIG.latent))
    assert len(latent_space().decode(z, n_samples=50, temperature=1.0)[0]) > 1
    assert latent_space().decode(np.empty((0, CONFIG.latent))) == []


# ---------------------------------------------------------------- search
@pytest.mark.parametrize(
    ("name", "value"), [("optimiser", "newton"), ("scale", "metre"), ("population", 2), ("patience", -1)]
)
def test_a_wrong_parameter_is_refused_by_name(name: str, value: object) -> None:
    with pytest.raises(InputError, match=rf"'{name}' parameter of GenSR .* Got {value!r}"):
        create("gensr", **{name: value}).fit(*product())


def test_missing_weights_are_named(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"absent\.safetensors"):
        create("gensr", weights=str(tmp_path / "absent.safetensors")).fit(*product())


@pytest.mark.parametrize(
    "preset", ["gensr", "gensr@official", "gensr@cma", "gensr@grey-wolf", "gensr@random"]
)
def test_a_product_is_found_exactly(preset: str) -> None:
    method = create(preset, max_seconds=20).fit(*product())
    X_new, y_new = product(seed=1)
    np.testing.assert_allclose(method.predict(X_new), y_new, rtol=1e-6)


# ---------------------------------------------------------------- health
def test_health_is_measured_on_any_network() -> None:
    health = measure(tiny(), corpus(), 32)
    assert isinstance(health, Health)
    assert health.examples == 32
    assert health.kl == pytest.approx(np.mean(health.kl_by_dimension) * CONFIG.latent, rel=0.5)
    assert health.active_prior <= health.dimensions == CONFIG.latent
    assert len(health.kl_by_dimension) == 11
    assert 0 <= health.valid_without_mask <= 1
    assert measure(tiny(), corpus(), 32) == health


def test_validity_wants_one_whole_formula_over_the_columns() -> None:
    net = tiny()
    assert validity(net, ["add", "x0", "x1"], 2)
    assert not validity(net, ["add", "x0", "x1"], 1)
    assert not validity(net, ["add", "x0"], 2)
    assert not validity(net, ["x0", "x1"], 2)
    assert not validity(net, ["x0", "<pad>"], 2)


def test_free_decoding_stops_at_the_end_token() -> None:
    net = tiny()
    with torch.no_grad():
        net.bias[net.vocabulary.eos] += 1e4
    assert free_greedy(net, torch.zeros(2, CONFIG.latent)) == [[], []]


def test_the_shipped_prior_knows_its_table() -> None:
    net, card = load_weights(WEIGHTS, build)
    health = measure(net, Corpus(load_mixture(), Audit([])), 128)
    assert health.ce_prior < health.ce_shuffled - 0.3
    assert health.ce_prior == pytest.approx(card["validation_loss"]["prior"], abs=0.15)
    assert health.ce_posterior < health.ce_misled - 0.03  # the posterior reads the formula
    assert health.valid_without_mask > 0.9


def test_encoding_takes_tables_of_any_width() -> None:
    features = torch.randn(3, 7, POINT_FEATURES)
    assert tiny().encode(features).shape == (3, CONFIG.slots, CONFIG.width)


# ---------------------------------------------------------------- what a study asks
def test_without_the_grammar_only_what_is_a_formula_is_returned() -> None:
    net = tiny()
    space = NetworkSpace(net, 2, np.random.default_rng(0))
    z = np.random.default_rng(1).normal(size=(24, CONFIG.latent))
    written = free_greedy(net, torch.from_numpy(z.astype(np.float32)))
    expected = [tuple(t) if validity(net, t, 2) else None for t in written]
    assert space.decode_freely(z) == expected
    assert space.decode_freely(z[:0]) == []
    with torch.no_grad():
        net.bias[net.vocabulary.eos] += 1e4
    assert space.decode_freely(z[:2]) == [None, None]


def test_the_method_tells_the_health_of_its_weights() -> None:
    health = create("gensr").health(32)
    assert health["examples"] == 32
    assert health["ce_prior"] < health["ce_shuffled"]
