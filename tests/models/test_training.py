from __future__ import annotations

import csv
import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from srbench_ext.errors import InputError, WeightsError
from srbench_ext.models.batches import Batch, Pools
from srbench_ext.models.checkpoint import load_weights
from srbench_ext.models.foundation import Foundation, FoundationConfig
from srbench_ext.models.tokens import MODES
from srbench_ext.models.training import Trainer, TrainingConfig, train_release

from .tiny import CONFIG, PLAN, tiny_corpus

TRAINING = TrainingConfig(workers=0, warmup_steps=4, plan=PLAN, learning_rate=3e-3)


def build() -> Foundation:
    return Foundation(CONFIG)


def _build(config: dict[str, Any]) -> Foundation:
    return Foundation(FoundationConfig.from_dict(config))


class Recording(Trainer):
    """A trainer that keeps the loss of every step."""

    losses: list[float]

    def loss(self, batch: Batch) -> tuple[Tensor, Tensor]:
        loss, by_mode = super().loss(batch)
        self.losses = [*getattr(self, "losses", []), float(loss.detach())]
        return loss, by_mode


def trainer(folder: Path, config: TrainingConfig = TRAINING) -> Recording:
    return Recording(folder, tiny_corpus(), build, config)


def assert_equal_weights(a: Trainer, b: Trainer) -> None:
    for (name, left), right in zip(a.model.state_dict().items(), b.model.state_dict().values(), strict=True):
        assert torch.equal(left, right), name


@pytest.mark.parametrize("stopped_at", [1, 4, 5])  # in a pool and after one
def test_resumed_training_is_the_uninterrupted_one(tmp_path: Path, stopped_at: int) -> None:
    whole = trainer(tmp_path / "whole")
    whole.run(steps=8)
    before = trainer(tmp_path / "parts")
    before.run(steps=stopped_at)
    after = trainer(tmp_path / "parts")
    assert after.resume()
    assert after.step == stopped_at
    after.run(steps=8 - stopped_at)
    assert after.step == whole.step == 8
    assert before.losses + after.losses == whole.losses
    assert_equal_weights(after, whole)
    assert after.rejected == whole.rejected


def test_a_checkpoint_of_other_optimisers_is_refused_by_name(tmp_path: Path) -> None:
    trainer(tmp_path, replace(TRAINING, matrix_rate=0.0)).run(steps=1)
    with pytest.raises(InputError, match="state of 1 optimisers, this training has 2"):
        trainer(tmp_path).resume()


def test_rejections_are_counted_once_when_training_stops_after_a_pool(tmp_path: Path) -> None:
    whole = trainer(tmp_path / "whole")
    whole.run(steps=8)
    trainer(tmp_path / "parts").run(steps=PLAN.batches_per_pool)
    after = trainer(tmp_path / "parts")
    after.resume()
    after.run(steps=8 - PLAN.batches_per_pool)
    assert after.rejected == whole.rejected


def test_training_lowers_the_loss(tmp_path: Path) -> None:
    run = trainer(tmp_path)
    run.run(steps=60)
    assert np.mean(run.losses[-10:]) < np.mean(run.losses[:10]) - 0.3


def test_equal_seeds_give_equal_weights_and_others_do_not(tmp_path: Path) -> None:
    a, b = trainer(tmp_path / "a"), trainer(tmp_path / "b")
    assert_equal_weights(a, b)
    other = trainer(tmp_path / "c", TrainingConfig(workers=0, plan=PLAN, seed=2))
    assert not torch.equal(a.model.tokens.weight, other.model.tokens.weight)


def test_resume_without_a_checkpoint_does_nothing(tmp_path: Path) -> None:
    run = trainer(tmp_path)
    assert not run.resume()
    assert run.step == 0


def test_decay_leaves_the_checkpoint_as_it_was(tmp_path: Path) -> None:
    run = trainer(tmp_path)
    run.run(steps=3)
    before = (tmp_path / "checkpoint.pt").read_bytes()
    stable = {name: value.clone() for name, value in run.model.state_dict().items()}
    run.run(decay_steps=4)
    assert (tmp_path / "checkpoint.pt").read_bytes() == before
    assert run.step == 7
    assert any(not torch.equal(stable[name], value) for name, value in run.model.state_dict().items())
    again = trainer(tmp_path)
    again.resume()
    assert again.step == 3
    assert all(torch.equal(stable[name], value) for name, value in again.model.state_dict().items())


def test_decay_to_a_number_of_examples_ends_there_exactly(tmp_path: Path) -> None:
    run = trainer(tmp_path)
    run.run(steps=2)
    run.run(decay_to=18)  # of batches of 4: two whole ones and half of a third
    assert (run.examples, run.step) == (18, 5)
    assert run.card()["examples"] == 18
    again = trainer(tmp_path)
    again.resume()
    assert again.examples == 8
    with pytest.raises(InputError, match="has seen 8"):
        again.run(decay_to=8)


def test_a_release_of_so_many_examples_is_written_with_its_card(tmp_path: Path) -> None:
    card = train_release(tmp_path, tiny_corpus(), build, name="tiny", examples=30, config=TRAINING)
    assert card["examples"] == 30
    assert json.loads((tmp_path / "tiny.json").read_text("utf8")) == json.loads(json.dumps(card))
    assert load_weights(tmp_path / "tiny.safetensors", _build)[1]["sha256"] == card["sha256"]
    with pytest.raises(InputError, match="holds a checkpoint"):
        train_release(tmp_path, tiny_corpus(), build, name="tiny", examples=40, resume=False, config=TRAINING)
    with pytest.raises(InputError, match="minutes or examples"):
        train_release(tmp_path, tiny_corpus(), build, name="tiny")


def test_training_goes_on_from_released_weights(tmp_path: Path) -> None:
    train_release(tmp_path / "first", tiny_corpus(), build, name="tiny", examples=30, config=TRAINING)
    released = tmp_path / "first" / "tiny.safetensors"
    run = trainer(tmp_path / "second")
    run.start_from(released)
    assert (run.examples, run.step) == (30, 8)
    wanted = load_weights(released, _build)[0].state_dict()
    assert all(torch.equal(value, wanted[name]) for name, value in run.model.state_dict().items())
    assert run._rate(0, 0) == pytest.approx(TRAINING.learning_rate / TRAINING.warmup_steps)
    run.run(steps=2)
    after = trainer(tmp_path / "second")
    after.resume()
    assert after.examples == run.examples == 38
    after.run(decay_to=41)
    assert after.card()["examples"] == 41
    assert after.card()["started_from"]["examples"] == 30
    assert sum(after.rejected.values()) >= sum(run.rejected.values())


def test_a_card_counts_the_training_of_the_weights_it_took_over(tmp_path: Path) -> None:
    past = {"sha256": "ab", "examples": 1000, "hours": 2.5, "benchmark_truths_met": {"x0": 3}, "bytes": 7}

    def train(examples: int, resume: bool, taken_over: tuple[str, dict[str, Any]] | None) -> dict[str, Any]:
        return train_release(
            tmp_path,
            tiny_corpus(),
            build,
            name="tiny",
            examples=examples,
            resume=resume,
            taken_over=taken_over,
            config=TRAINING,
        )

    card = train(20, False, ("other", past))
    assert (card["examples"], card["steps"]) == (1020, 5)
    assert card["hours"] >= 2.5
    assert card["benchmark_truths_met"]["x0"] >= 3
    assert card["started_from"] == {"name": "other", "sha256": "ab", "examples": 1000}
    later = train(24, True, ("another", {**past, "examples": 5}))  # the checkpoint knows what it began with
    assert later["examples"] == 1024
    assert later["started_from"] == card["started_from"]


def test_weights_of_another_network_are_no_start(tmp_path: Path) -> None:
    train_release(tmp_path, tiny_corpus(), build, name="tiny", examples=8, config=TRAINING)
    wider = FoundationConfig.from_dict({**CONFIG.to_dict(), "hidden": 2 * CONFIG.hidden})
    other = Trainer(tmp_path / "other", tiny_corpus(), lambda: Foundation(wider), TRAINING)
    with pytest.raises(WeightsError, match="do not fit the model"):
        other.start_from(tmp_path / "tiny.safetensors")


def test_rate_rises_over_the_warm_up_stays_and_falls_over_the_decay(tmp_path: Path) -> None:
    rates: list[float] = []

    class Rates(Trainer):
        def _update(self, batch: Batch, rate: float) -> tuple[Tensor, Tensor, Tensor, int]:
            rates.append(rate / TRAINING.learning_rate)
            return super()._update(batch, rate)

    run = Rates(tmp_path, tiny_corpus(), build, TRAINING)
    run.run(steps=6)
    run.run(decay_steps=4)
    assert rates == pytest.approx([0.25, 0.5, 0.75, 1, 1, 1, *(1 - math.sqrt(i / 4) for i in range(4))])


def test_training_stops_after_its_time(tmp_path: Path) -> None:
    run = trainer(tmp_path)
    run.run(minutes=0.0)
    assert run.step <= 1
    assert (tmp_path / "checkpoint.pt").is_file()


def test_log_has_a_row_for_every_hundred_steps(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = trainer(tmp_path)
    run.step = 98  # the first pools are skipped, not trained on
    run.run(steps=3)
    with (tmp_path / "log.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    names = Foundation.parts
    assert list(rows[0]) == [
        "step",
        "examples",
        "examples_per_second",
        "loss",
        *(f"loss_{name}" for name in names),
        "gradient_norm",
        "rate",
        *(f"validation_{name}" for name in names),
    ]
    assert [(row["step"], row["examples"]) for row in rows] == [("100", str(100 * PLAN.batch_size))]
    assert float(rows[0]["loss"]) == pytest.approx(np.mean(run.losses[:2]), rel=0.1)
    assert "step 100" in capsys.readouterr().out


def test_padding_and_given_tokens_do_not_count_in_the_loss(tmp_path: Path) -> None:
    run = trainer(tmp_path)
    batch = Pools(run.corpus, PLAN, run.model.encoder(), 1, 0).pool(0).batches[0]
    longer = Batch(
        batch.features,
        np.pad(batch.ids, ((0, 0), (0, 4))),
        np.pad(batch.targets, ((0, 0), (0, 4)), constant_values=-100),
        batch.modes,
    )
    with torch.no_grad():
        loss, by_mode = run.loss(batch)
        padded, padded_by_mode = run.loss(longer)
    assert float(padded) == pytest.approx(float(loss), rel=1e-5)
    torch.testing.assert_close(padded_by_mode, by_mode, rtol=1e-5, atol=1e-5)
    modes, lengths = by_mode[: len(MODES)], by_mode[len(MODES) :]
    assert float(modes[:, 1].sum()) == (batch.targets != -100).sum()
    torch.testing.assert_close(lengths.sum(0), modes.sum(0), rtol=1e-5, atol=1e-3)
    assert float(modes[:, 0].sum() / modes[:, 1].sum()) == pytest.approx(float(loss), rel=1e-5)


def test_validation_is_repeatable_and_changes_no_weight(tmp_path: Path) -> None:
    run = trainer(tmp_path)
    before = run.model.tokens.weight.detach().clone()
    first = run.validate()
    assert first == run.validate()
    assert set(first) == set(Foundation.parts)
    assert torch.equal(run.model.tokens.weight, before)
    assert run.model.training


def test_card_tells_sizes_examples_and_rejections_in_json(tmp_path: Path) -> None:
    run = trainer(tmp_path)
    run.run(steps=2)
    card = json.loads(json.dumps(run.card()))
    assert card["model"] == CONFIG.to_dict()
    assert card["parameters"] == sum(p.numel() for p in run.model.parameters())
    assert (card["steps"], card["examples"]) == (2, 2 * PLAN.batch_size)
    assert card["vocabulary_sha256"] == run.model.vocabulary.sha256
    assert card["draws_rejected"] == dict(run.rejected) != {}
