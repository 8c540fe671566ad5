from __future__ import annotations

import dataclasses
import json
import pickle
import random
from pathlib import Path

import numpy as np
import pytest
import torch

from srbench_ext.corpus import Audit, Corpus, load_mixture
from srbench_ext.errors import InputError, WeightsError
from srbench_ext.inventory import WeightsFile, check_weights
from srbench_ext.methods.equate import train
from srbench_ext.methods.equate.pairs import KINDS, PairEncoder
from srbench_ext.methods.equate.repairer import RepairConfig, Repairer, from_card
from srbench_ext.models.batches import BatchPlan, Pools
from srbench_ext.models.checkpoint import load_into, save_weights
from srbench_ext.models.foundation import Foundation, FoundationConfig
from srbench_ext.models.pretrained import TensorBatch
from srbench_ext.models.tokens import Vocabulary
from srbench_ext.models.training import Trainer, TrainingConfig

SIZES = {
    "width": 16,
    "heads": 2,
    "hidden": 16,
    "point_hidden": 16,
    "point_layers": 1,
    "decoder_layers": 2,
    "memory_length": 3,
}
CONFIG = RepairConfig(**SIZES, rank=2, n_wrong=3)
PLAN = BatchPlan(batch_size=8, batches_per_pool=2, modes=(1.0, 0.0, 0.0), few_points=(8, 10), many_share=0.0)


def foundation(statistics_length: int = 0) -> Foundation:
    torch.manual_seed(0)
    return Foundation(FoundationConfig(**SIZES, statistics_length=statistics_length)).eval()


def corpus() -> Corpus:
    mixture = load_mixture()
    return Corpus(dataclasses.replace(mixture, limits={**mixture.limits, "max_tokens": 16}), Audit([]))


def repairer(statistics_length: int = 0, **changes: object) -> Repairer:
    torch.manual_seed(1)
    config = dataclasses.replace(CONFIG, statistics_length=statistics_length, **changes)
    return Repairer(config, foundation(statistics_length))


def batch(net: Repairer) -> TensorBatch:
    return TensorBatch.of(Pools(corpus(), PLAN, net.encoder(), 1, 0).pool(0).batches[0], torch.device("cpu"))


def part(net: Repairer, parts: torch.Tensor, name: str) -> tuple[float, float]:
    total, count = parts[net.parts.index(name)].tolist()
    return total, count


# ---------------------------------------------------------------- pairs
@pytest.fixture(scope="module")
def pairs() -> tuple[list, dict]:
    examples = corpus().examples((3, 1), 200, 20)
    return examples, PairEncoder(Vocabulary(), 3).extra(examples, random.Random(0))


def test_wrong_formulas_are_whole_formulas_over_the_columns_of_their_table(pairs):
    from srbench_ext.expression import Expression

    examples, arrays = pairs
    vocabulary = Vocabulary()
    for example, rows in zip(examples, arrays["wrong"], strict=True):
        for row in rows:
            mode, *prefix = vocabulary.decode(row)
            assert mode == "<skeleton>"
            formula = Expression(tuple(prefix), (1.0,) * prefix.count("C"))
            assert max(formula.variables) < example.X.shape[1]


def test_all_kinds_come_and_most_wrong_formulas_are_edits(pairs):
    kinds = pairs[1]["kind"]
    shares = np.bincount(kinds.ravel(), minlength=len(KINDS)) / kinds.size
    assert (shares > 0.02).all()
    assert shares[KINDS.index("edited")] > 0.6


def test_the_truth_is_labelled_best_and_edits_less(pairs):
    examples, arrays = pairs
    clean = np.array([example.noise == 0 for example in examples])
    truth = arrays["kind"] == KINDS.index("truth")
    assert arrays["fitness"][clean][truth[clean]].mean() > 0.9
    assert arrays["fitness"][clean][~truth[clean]].mean() < 0.6
    assert ((arrays["fitness"] >= 0) & (arrays["fitness"] <= 1)).all()
    assert ((arrays["simplicity"] > 0) & (arrays["simplicity"] < 1)).all()


def test_equal_draws_give_equal_pairs_and_the_encoder_travels_to_workers(pairs):
    examples, arrays = pairs
    again = pickle.loads(pickle.dumps(PairEncoder(Vocabulary(), 3))).extra(examples, random.Random(0))
    assert all(np.array_equal(arrays[name], again[name]) for name in arrays)


# ---------------------------------------------------------------- network
def test_only_what_is_trained_is_in_the_state():
    names = set(repairer().state_dict())
    assert not any("foundation" in name or ".base." in name for name in names)
    assert {"equate.gate", "equate.null", "equate.adapters.0.up", "equate.lstm.weight_ih_l0"} <= names


def test_with_the_gate_closed_a_trained_decoder_is_the_foundation_models_bit_for_bit():
    net = repairer()
    for adapter in net.equate.adapters:
        torch.nn.init.normal_(adapter.up)
    it = batch(net)
    original = foundation()
    memory = original.encode(it.features)
    expected = original.decode(it.ids, original.memory_keys(memory))[0]
    wrong = it.extra["wrong"][:, 0]
    assert not torch.allclose(net.equate.decode(net.equate.fuse(memory, wrong), it.ids), expected, atol=1e-3)
    with net.equate.closed():
        embedding = net.equate.fuse(memory, wrong)
        assert torch.equal(embedding, memory)
        assert torch.equal(net.equate.decode(embedding, it.ids), expected)
    assert net.equate.gate.item() == 0.5


@pytest.mark.parametrize("statistics_length", [0, 2])
def test_a_step_trains_the_new_modules_and_leaves_the_foundation_alone(statistics_length):
    net = repairer(statistics_length, dropout=0.5)
    before = {name: value.clone() for name, value in net.equate.state_dict().items()}
    optimiser = torch.optim.SGD([p for p in net.parameters() if p.requires_grad], lr=0.1)
    it = batch(net)
    for _ in range(2):  # the thin matrices of an update move one after the other
        optimiser.zero_grad()
        net.loss(it, 0)[0].backward()
        optimiser.step()
    changed = {k for k, v in net.equate.state_dict().items() if not torch.equal(before[k], v)}
    assert {"gate", "null", "adapters.0.up", "adapters.0.down", "lstm.weight_ih_l0"} <= changed
    assert all(k.endswith((".up", ".down")) for k in changed if k.startswith("foundation."))


def test_validation_compares_with_the_foundation_and_with_the_formula_of_another_table():
    net = repairer().eval()
    it = batch(net)
    it.extra["kind"][:] = 0
    with torch.no_grad():
        _, parts = net.loss(it, 0)
        own, count = part(net, parts, "repair")
        alone, alone_count = part(net, parts, "foundation")
        other, other_count = part(net, parts, "other_table")
        assert count == alone_count == other_count == float((it.targets >= 0).sum())
        net.equate.gate.zero_()
        _, closed = net.loss(it, 0)
    assert part(net, closed, "repair")[0] == pytest.approx(alone, rel=1e-5)
    assert abs(own - alone) > 1e-3
    assert abs(own - other) > 1e-4


def test_half_precision_trains_too():
    net = repairer(2, dropout=0.5)
    it = batch(net)
    exact, _ = net.loss(it, 0)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss, _ = net.loss(it, 0)
    loss.backward()
    assert loss.item() == pytest.approx(exact.item(), rel=0.02)
    assert net.equate.lstm.weight_ih_l0.grad.isfinite().all()


def test_rank_correlation_is_that_of_the_predictions():
    from srbench_ext.methods.equate.repairer import _concordance

    labels = torch.tensor([[0.1, 0.5, 0.9], [0.5, 0.51, 0.9]])
    guessed = torch.tensor([[0.2, 0.3, 0.4], [0.3, 0.2, 0.1]])
    agreed, ordered = _concordance(guessed, labels).tolist()
    assert ordered == 5  # the pair of labels 0.01 apart has no order
    assert agreed == 3 - 2


def test_a_foundation_of_other_sizes_is_refused():
    with pytest.raises(WeightsError, match="Train it on this one"):
        Repairer(dataclasses.replace(CONFIG, width=32), foundation())


# ---------------------------------------------------------------- training
def tiny_trainer(folder: Path) -> Trainer:
    return Trainer(
        folder,
        corpus(),
        repairer,
        TrainingConfig(workers=0, plan=PLAN, learning_rate=1e-2, warmup_steps=2),
    )


def test_training_teaches_the_path_to_use_the_formula(tmp_path):
    trainer = tiny_trainer(tmp_path)
    before = trainer.validate(2)
    trainer.run(steps=40)
    after = trainer.validate(2)
    assert after["repair"] < min(before["repair"], after["foundation"]) - 0.01
    assert after["foundation"] == pytest.approx(before["foundation"])
    assert after["fitness"] < before["fitness"]


def test_training_resumes_exactly(tmp_path):
    whole = tiny_trainer(tmp_path / "whole")
    whole.run(steps=4)
    first = tiny_trainer(tmp_path / "halves")
    first.run(steps=2)
    second = tiny_trainer(tmp_path / "halves")
    assert second.resume()
    torch.manual_seed(5)  # what is hidden and the noise depend on the number of the step alone
    second.run(steps=2)
    assert second.step == whole.step == 4
    halves = second.model.state_dict()
    assert all(torch.equal(value, halves[name]) for name, value in whole.model.state_dict().items())


def test_stored_weights_come_back_and_fit_their_card(tmp_path):
    net = repairer()
    path = tmp_path / "equate.safetensors"
    card = save_weights(
        net, path, {"model": net.config.to_dict(), "vocabulary_sha256": net.vocabulary.sha256}
    )
    assert path.stat().st_size < 20e6
    again = from_card(card["model"])
    load_into(again, path)
    assert torch.equal(again.equate.lstm.weight_ih_l0, net.equate.lstm.weight_ih_l0.half().float())
    assert check_weights(WeightsFile("equate/equate", path, "shipped", "equate")) == []


def test_the_command_writes_weights_and_names_the_foundation(tmp_path):
    weights = tmp_path / "foundation.safetensors"
    base = foundation()
    of = save_weights(
        base,
        weights,
        {
            "model": base.config.to_dict(),
            "vocabulary_sha256": base.vocabulary.sha256,
            "examples": 7,
            "benchmark_truths_met": {"a": 2},
        },
    )
    config = TrainingConfig(workers=0, plan=PLAN)
    card = train.main(tmp_path / "out", examples=16, start=weights, config=config)
    assert card["foundation"] == {"sha256": of["sha256"], "examples": 7}
    assert card["benchmark_truths_met"]["a"] >= 2  # what the foundation met counts too
    written = json.loads((tmp_path / "out" / "equate.json").read_text("utf8"))
    assert written == json.loads(json.dumps(card))
    assert {"repair", "foundation", "other_table", "tau_within"} <= card["validation_loss"].keys()
    with pytest.raises(InputError, match="--resume"):
        train.main(tmp_path / "out", examples=32, start=weights, config=config)
    other = foundation()
    torch.nn.init.zeros_(other.bias)
    other.bias.data[0] = 1.0
    save_weights(other, weights, {k: of[k] for k in of if k not in ("sha256", "bytes")})
    from srbench_ext.models.checkpoint import load_weights

    load_weights.cache_clear()
    with pytest.raises(WeightsError, match="another folder"):
        train.main(tmp_path / "out", examples=32, resume=True, start=weights, config=config)
