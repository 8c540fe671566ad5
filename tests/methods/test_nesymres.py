from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import torch

from srbench_ext.corpus import Corpus, Example, benchmark_audit, load_mixture
from srbench_ext.errors import ConfigError, InputError, UnknownNameError, WeightsError
from srbench_ext.methods.nesymres import train
from srbench_ext.methods.nesymres.bits import authors_bits, decimal_exponents, half_bits, table_bits
from srbench_ext.methods.nesymres.method import WEIGHTS
from srbench_ext.methods.nesymres.model import (
    NeSymReSNet,
    NetConfig,
    build,
    load_size,
    others_of_equal_columns,
)
from srbench_ext.methods.nesymres.units import in_units
from srbench_ext.methods.nesymres.vocabulary import AuthorsVocabulary
from srbench_ext.models.batches import BatchPlan, Pools
from srbench_ext.models.checkpoint import load_weights
from srbench_ext.models.decoding import Grammar, beam_search
from srbench_ext.models.foundation import Foundation, FoundationConfig
from srbench_ext.models.pretrained import TensorBatch
from srbench_ext.models.training import TrainingConfig
from srbench_ext.registry import create
from srbench_ext.testing import MethodContract

FEW = {"beam_size": 6, "n_starts": 2, "max_rounds": 1}
SMALL = NetConfig(
    n_variables=3,
    width=16,
    heads=2,
    hidden=16,
    point_hidden=16,
    encoder_layers=2,
    inducing=3,
    seeds=3,
    decoder_layers=2,
)


class TestNeSymReSContract(MethodContract):
    method_name = "nesymres"
    parameters = FEW


class TestNeSymReS10Contract(MethodContract):
    method_name = "nesymres@nesymres-10"
    parameters = FEW


def small(seed=0, **changes):
    torch.manual_seed(seed)
    return NeSymReSNet(dataclasses.replace(SMALL, **changes)).eval().requires_grad_(False)


def product(n_rows=200, seed=0, n_columns=2):
    X = np.random.default_rng(seed).uniform(1, 5, (n_rows, n_columns))
    return X, X[:, 0] * X[:, 1]


# ---------------------------------------------------------------- inputs
@pytest.mark.parametrize(
    ("number", "bits"),
    [
        (0.0, "0 00000 0000000000"),
        (1.0, "0 01111 0000000000"),
        (-1.0, "1 01111 0000000000"),
        (0.5, "0 01110 0000000000"),
        (3.14159, "0 10000 1001001000"),
        (-10.0, "1 10010 0100000000"),
        (65504.0, "0 11110 1111111111"),
    ],
)
def test_both_encodings_agree_where_half_precision_is_exact_or_cuts(number, bits):
    wanted = [int(bit) for bit in bits.replace(" ", "")]
    assert authors_bits(np.array(number)).tolist() == wanted
    assert half_bits(np.array(number)).tolist() == wanted


@pytest.mark.parametrize(
    ("number", "bits"),
    [
        (70000.0, "0 11111 0001000101"),
        (-0.0005, "0 00100 0000011000"),
        (1e-6, "0 11011 0000110001"),
    ],
)
def test_the_authors_exponent_wraps_and_small_negatives_lose_their_sign(number, bits):
    assert authors_bits(np.array(number)).tolist() == [int(bit) for bit in bits.replace(" ", "")]


def test_the_authors_sign_of_minus_a_thousandth_is_one_half():
    assert authors_bits(np.array(-0.001))[0] == 0.5


def test_half_bits_are_those_of_numpy():
    values = np.random.default_rng(0).normal(size=(5, 3)) * 10.0 ** np.arange(-6, 9, 1).reshape(5, 3)
    weights = 1 << np.arange(15, -1, -1)
    codes = (half_bits(values).astype(int) * weights).sum(-1)
    expected = np.clip(values, -65504, 65504).astype(np.float16).view(np.uint16)
    np.testing.assert_array_equal(codes, expected)


def test_columns_outside_of_the_support_come_to_one_digit_before_the_point():
    X = np.array([[3.0, 2e-5, 7e8, 0.0], [-9.0, 1e-5, -8.2e8, 0.0]])
    exponents = decimal_exponents(X, (0.1, 100.0))
    assert exponents.tolist() == [0, -5, 8, 0]
    assert np.abs(X / 10.0**exponents).max(axis=0).tolist() == pytest.approx([9.0, 2.0, 8.2, 0.0])


def test_columns_that_do_not_exist_are_zeros():
    features = table_bits(np.ones((4, 1)), np.ones(4), 3, wrapped=False)
    assert features.shape == (4, 64)
    assert (features[:, 16:48] == -1).all()


def test_columns_that_do_not_exist_are_blank_where_the_network_was_trained_so():
    features = table_bits(np.zeros((4, 1)), np.ones(4), 3, wrapped=False, blank=True)
    assert (features[:, 16:48] == 0).all()
    assert (features[:, :16] == -1).all()
    assert small(blank_absent=True).encoder().blank


def test_more_columns_than_the_network_reads_are_refused():
    with pytest.raises(InputError, match=r"at most 3 columns\. Got 4"):
        table_bits(np.ones((2, 4)), np.ones(2), 3, wrapped=False)


def test_an_example_reads_the_same_in_units_ten_times_as_large():
    X, y = product(20)
    X = X * np.array([100.0, 1.0])
    examples = [Example(X * k, y, (), (), 0.0) for k in (1.0, 10.0)]
    features = small(x_support=(1.0, 10.0)).encoder().features(examples)
    np.testing.assert_array_equal(features[0, :, :16], features[1, :, :16])


# ---------------------------------------------------------------- units
def test_a_skeleton_in_the_units_of_the_table_stays_as_it_is():
    formula = in_units(("mul", "C", "sin", "x0"), np.ones(2), np.random.default_rng(0))
    assert formula.prefix == ("mul", "C", "sin", "x0")
    assert formula.constants == (1.0,)


def test_a_factor_becomes_a_constant_beside_its_variable():
    formula = in_units(("add", "x1", "sin", "x0"), np.array([0.01, 1.0]), np.random.default_rng(0))
    assert formula.n_constants == 1
    assert formula.constants[0] == pytest.approx(0.01, rel=0.011)
    X = np.random.default_rng(1).uniform(10, 300, (20, 2))
    exact = formula.with_constants([0.01]).evaluate(X)
    np.testing.assert_allclose(exact, X[:, 1] + np.sin(0.01 * X[:, 0]))


def test_factors_in_a_product_become_one_constant():
    formula = in_units(("mul", "mul", "C", "x0", "pow2", "x1"), np.full(2, 10.0), np.random.default_rng(0))
    assert formula.n_constants == 1
    assert formula.constants[0] == pytest.approx(1000.0, rel=0.05)


# ---------------------------------------------------------------- network
@pytest.mark.parametrize(("name", "parameters"), [("paper-26m", 26_395_708), ("paper-12m", 12_113_980)])
def test_the_papers_sizes_have_the_published_parameter_counts(name, parameters):
    with torch.device("meta"):
        model = NeSymReSNet(load_size(name))
    assert sum(p.numel() for p in model.parameters()) == parameters


def test_an_unknown_size_or_setting_is_refused_by_name():
    with pytest.raises(UnknownNameError, match="paper-30m"):
        load_size("paper-30m")
    with pytest.raises(ConfigError, match="depth"):
        NetConfig.from_dict({"depth": 3})
    with pytest.raises(ConfigError, match="Got 'mine'"):
        NetConfig.from_dict({"vocabulary": "mine"})


def test_a_configuration_survives_a_card():
    assert NetConfig.from_dict(json.loads(json.dumps(SMALL.to_dict()))) == SMALL


def test_the_authors_vocabulary_has_their_ids():
    vocabulary = AuthorsVocabulary()
    assert len(vocabulary) == 60
    assert vocabulary.encode(["<pad>", "<skeleton>", "<eos>", "C", "x2", "log", "tanh", "-3", "5"]) == [
        0, 1, 2, 3, 6, 17, 24, 25, 33,
    ]  # fmt: skip


def test_a_new_network_writes_its_memory_in_many_directions():
    model = small(seeds=6, inducing=6, width=32)
    memory = model.encode(torch.randn(1, 40, 64))[0]
    centred = memory - memory.mean(0)
    assert centred.square().sum() > 0.2 * memory.square().sum()


def test_a_law_is_shuffled_among_tables_of_as_many_columns():
    encoder = small(blank_absent=True).encoder()
    examples = [Example(np.ones((5, d)), np.ones(5), (), (), 0.0) for d in (1, 2, 1, 3, 2, 1)]
    features = torch.from_numpy(encoder.features(examples))
    assert others_of_equal_columns(features).tolist() == [5, 4, 0, 3, 1, 2]


def test_in_validation_the_loss_given_another_law_stands_beside():
    model = small(blank_absent=True)
    X, y = product(12)
    examples = [Example(X, y * k, (), (), 0.0) for k in (1.0, 2.0)]
    ids = torch.randint(4, 40, (2, 5))
    batch = TensorBatch(
        torch.from_numpy(model.encoder().features(examples)), ids, ids, torch.zeros(2, dtype=torch.long), {}
    )
    _, parts = model.loss(batch, 0)
    assert parts[1, 1] == parts[0, 1] == 10
    assert parts[1, 0] != parts[0, 0]
    assert model.train().loss(batch, 0)[1][1].tolist() == [0.0, 0.0]


def test_the_order_of_points_does_not_matter():
    model = small()
    points = torch.randn(2, 9, 64)
    torch.testing.assert_close(model.encode(points), model.encode(points[:, torch.randperm(9)]))


@pytest.mark.parametrize("post_norm", [False, True])
def test_a_step_with_the_cache_gives_what_the_whole_sequence_gives(post_norm):
    model = small(post_norm=post_norm)
    memory = model.memory_keys(model.encode(torch.randn(2, 9, 64)))
    ids = torch.randint(0, 50, (2, 6))
    whole, _ = model.decode(ids, memory)
    first, past = model.decode(ids[:, :4], memory)
    second, past = model.decode(ids[:, 4:5], memory, past)
    third, _ = model.decode(ids[:, 5:], memory, past)
    torch.testing.assert_close(torch.cat([first, second, third], 1), whole)


@pytest.mark.parametrize("post_norm", [False, True])
def test_rows_that_share_a_memory_read_it_like_copies_of_it(post_norm):
    model = small(post_norm=post_norm)
    memory = model.encode(torch.randn(2, 9, 64))
    rows = torch.tensor([0, 0, 1])
    ids = torch.randint(0, 50, (3, 1))
    shared, _ = model.decode(
        ids, model.memory_keys(memory), sharing=torch.tensor([[True, True], [True, False]])
    )
    copied, _ = model.decode(ids, model.memory_keys(memory[rows]))
    torch.testing.assert_close(shared, copied)


def test_the_authors_layout_decodes_valid_formulas():
    model = small(post_norm=True, vocabulary="authors", wrapped_bits=True, point_hidden=0)
    features = torch.from_numpy(model.encoder().table(*product(30)))[None]
    grammar = Grammar(model.vocabulary, "<skeleton>", 2, 9)
    found = beam_search(model, model.encode(features), grammar, [model.vocabulary.ids["<skeleton>"]], 8)
    assert len(found) == 8
    assert not {"coth", "x2"} & {token for decoded in found for token in decoded.tokens}


def test_a_start_takes_the_decoder_of_the_foundation_model_over():
    torch.manual_seed(3)
    config = FoundationConfig(width=16, heads=2, hidden=16, point_hidden=16, decoder_layers=2)
    foundation, model = Foundation(config).eval(), small()
    model.start_from(foundation)
    memory, ids = torch.randn(2, 3, 16), torch.randint(0, 50, (2, 6))
    wanted, _ = foundation.decode(ids, foundation.memory_keys(memory))
    got, _ = model.decode(ids, model.memory_keys(memory))
    torch.testing.assert_close(got, wanted.detach())


def test_a_start_from_more_columns_keeps_the_weights_of_its_columns_and_of_the_target():
    wide, model = small(seed=1, n_variables=10), small()
    model.start_from(wide)
    torch.testing.assert_close(wide.point_in[0].weight[:, :48], model.point_in[0].weight[:, :48])
    torch.testing.assert_close(wide.point_in[0].weight[:, -16:], model.point_in[0].weight[:, -16:])


def test_a_start_from_another_width_is_refused():
    with pytest.raises(WeightsError, match="do not fit NeSymReS's network"):
        small().start_from(small(width=32))


# ---------------------------------------------------------------- training
@pytest.fixture
def quick_training(monkeypatch):
    monkeypatch.setattr(train, "load_size", lambda name: SMALL)
    plan = BatchPlan(batch_size=4, batches_per_pool=2, modes=(1.0, 0.0, 0.0), few_points=(5, 8))
    monkeypatch.setattr(train, "CONFIG", TrainingConfig(workers=0, plan=plan))


def test_training_writes_weights_that_load(quick_training, tmp_path):
    card = train.main(tmp_path, examples=10)
    model, read = load_weights(tmp_path / "nesymres.safetensors", build)
    assert model.config == SMALL
    assert read["examples"] == card["examples"] == 10
    assert "started_from" not in read


def test_training_of_unknown_weights_is_refused_by_name(tmp_path):
    with pytest.raises(UnknownNameError, match="nesymres-11"):
        train.main(tmp_path, examples=1, preset="nesymres-11")


# ---------------------------------------------------------------- method
@pytest.mark.parametrize("variant", ["nesymres", "nesymres-10"])
def test_a_product_is_found_exactly_in_any_units(variant):
    X, y = product()
    method = create("nesymres", max_seconds=300, max_rounds=3, variant=variant).fit(
        X * np.array([1e6, 1e-5]), y * 1e7
    )
    X_new, y_new = product(seed=1)
    np.testing.assert_allclose(method.predict(X_new * np.array([1e6, 1e-5])), y_new * 1e7, rtol=1e-6)
    assert method.result_.notes["powers_of_ten"] == [6, -5]


@pytest.mark.parametrize("variant", ["nesymres", "nesymres-10"])
def test_the_weights_that_ship_read_their_table(variant):
    model, _ = load_weights(WEIGHTS / f"{variant}.safetensors", build)
    corpus = Corpus(load_mixture(train.CORPORA[variant]), benchmark_audit())
    plan = dataclasses.replace(train.CONFIG.plan, batch_size=64, batches_per_pool=2, many_share=0.0)
    pool = Pools(corpus, plan, model.encoder(), 990_005, 0).pool(0)
    with torch.no_grad():
        losses = sum(
            model.eval().loss(TensorBatch.of(batch, torch.device("cpu")), 0)[1] for batch in pool.batches
        )
    own, of_others = losses[:2, 0] / losses[:2, 1]
    assert of_others > own + 0.2


def test_three_columns_are_kept_of_more():
    X, y = product(n_columns=5)
    method = create("nesymres", **FEW).fit(X, y)
    assert {0, 1} <= set(method.selected_features_)
    assert len(method.selected_features_) == 3


def test_an_unknown_variant_is_refused_by_name():
    with pytest.raises(InputError, match=r"'variant' parameter of NeSymReS .* Got 'other'"):
        create("nesymres", variant="other").fit(*product())


def test_a_beam_of_nothing_is_refused():
    with pytest.raises(InputError, match="'beam_size' parameter of NeSymReS must be"):
        create("nesymres", beam_size=0).fit(*product())


def test_missing_weights_are_named(tmp_path):
    with pytest.raises(WeightsError, match=r"absent\.safetensors"):
        create("nesymres", weights=str(Path(tmp_path) / "absent.safetensors")).fit(*product())
