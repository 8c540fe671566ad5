"""The trainer: warm-up, stable, decay; exact resume; the same code on CPU and CUDA."""

from __future__ import annotations

import csv
import math
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader

from srbench_ext.corpus.stream import Corpus
from srbench_ext.errors import InputError
from srbench_ext.models.batches import Batch, BatchPlan, Pool, Pools
from srbench_ext.models.checkpoint import check_vocabulary, load_into, read_card, save_weights
from srbench_ext.models.optimisers import make_optimisers, set_rate
from srbench_ext.models.precision import bfloat16_pays
from srbench_ext.models.pretrained import Pretrained, TensorBatch

__all__ = ["Trainer", "TrainingConfig", "train_release"]

VALIDATION_SEED = 990_001


@dataclass(frozen=True, slots=True)
class _Past:
    """Training of the weights whose layers a network took over: examples, hours, benchmark truths met."""

    examples: int = 0
    hours: float = 0.0
    truths_met: dict[str, int] = field(default_factory=dict)


_Update = tuple[Tensor, Tensor, Tensor, int]
"""Of a step: loss, parts of it, gradient norm, number of examples."""


@dataclass(frozen=True, slots=True)
class TrainingConfig:
    """How a network is trained.

    Attributes
    ----------
    learning_rate, weight_decay, warmup_steps : float, float, int
        The rate rises over the warm-up and then stays, so that training can go on for ever.
    matrix_rate : float
        Rate of Muon on the matrices of the blocks, over that of AdamW on all else; 0 for AdamW alone.
    clip : float
        Largest gradient norm.
    seed : int
        Seed of the weights and of the stream of examples.
    workers, threads : int
        Processes that make data; torch threads (0 leaves torch's default).
    checkpoint_minutes : float
    """

    learning_rate: float = 1e-3
    weight_decay: float = 0.05
    warmup_steps: int = 500
    matrix_rate: float = 3.0
    clip: float = 1.0
    seed: int = 1
    workers: int = 1
    threads: int = 1
    checkpoint_minutes: float = 10.0
    plan: BatchPlan = field(default_factory=BatchPlan)


class Trainer:
    """Trains a network in a folder, from where it was left.

    Parameters
    ----------
    folder : Path
        Holds ``checkpoint.pt``, ``log.csv`` and, of a decay, ``decay.csv``.
    corpus : Corpus
    build : callable
        Makes the network; called once, after the seed of the weights is set.
    config : TrainingConfig
    """

    def __init__(
        self, folder: Path, corpus: Corpus, build: Callable[[], Pretrained], config: TrainingConfig
    ) -> None:
        self.folder, self.corpus, self.config = folder, corpus, config
        folder.mkdir(parents=True, exist_ok=True)
        if config.threads:
            torch.set_num_threads(config.threads)
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        torch.manual_seed(config.seed)
        self.model = build().to(self.device)
        self.bfloat16 = bfloat16_pays(self.device.type)
        self.optimisers = make_optimisers(
            self.model, weight_decay=config.weight_decay, matrix_rate=config.matrix_rate
        )
        self.step = 0
        self.seconds = 0.0
        self.interrupted = False
        self.started_from: dict[str, Any] | None = None
        self._past = _Past()
        self._left_out = 0  # places of the batches so far that held no example
        self._began = 0  # the step that the warm-up starts at
        self.truth_hits: Counter[str] = Counter()
        self.rejected: Counter[str] = Counter()

    @property
    def examples(self) -> int:
        """Examples seen so far."""
        return self.step * self.config.plan.batch_size - self._left_out

    # ---------------------------------------------------------------- state
    def save(self, name: str = "checkpoint.pt") -> None:
        """Write weights, optimiser and position; whole, then renamed."""
        state = {
            "model": self.model.state_dict(),
            "optimisers": [optimiser.state_dict() for optimiser in self.optimisers],
            "step": self.step,
            "seconds": self.seconds,
            "truth_hits": dict(self.truth_hits),
            "rejected": dict(self.rejected),
            "model_config": self.model.config.to_dict(),
            "bfloat16": self.bfloat16,
            "left_out": self._left_out,
            "began": self._began,
            "started_from": self.started_from,
            "past": asdict(self._past),
        }
        partial = self.folder / f"{name}.partial"
        torch.save(state, partial)
        partial.replace(self.folder / name)

    def resume(self, name: str = "checkpoint.pt") -> bool:
        """Load the checkpoint if there is one; return whether there was.

        Raises
        ------
        InputError
            If it was written with other optimisers.
        """
        path = self.folder / name
        if not path.is_file():
            return False
        state = torch.load(path, map_location=self.device, weights_only=True)
        self.model.load_state_dict(state["model"])
        kept = state.get("optimisers", [])
        if len(kept) != len(self.optimisers):
            raise InputError(
                f"{path} holds the state of {len(kept)} optimisers, this training has "
                f"{len(self.optimisers)}. Give another folder, or the version and settings that wrote it."
            )
        for optimiser, one in zip(self.optimisers, kept, strict=True):
            optimiser.load_state_dict(one)
        self.step, self.seconds = state["step"], state["seconds"]
        self.bfloat16 = state.get("bfloat16", self.bfloat16)  # measured once, so that a resume is exact
        self._left_out, self._began = state.get("left_out", 0), state.get("began", 0)
        self.started_from = state.get("started_from")
        self._past = _Past(**state.get("past", asdict(self._past)))
        self.truth_hits, self.rejected = Counter(state["truth_hits"]), Counter(state["rejected"])
        return True

    def start_from(self, path: Path) -> None:
        """Begin with released weights of the same network, where their training ended.

        The rate is warmed up again, since their optimisers are not kept; examples that these weights have
        seen are counted and not drawn again.

        Parameters
        ----------
        path : Path
            A ``.safetensors`` file with its card.

        Raises
        ------
        WeightsError
            If they belong to another network or vocabulary.
        """
        card = read_card(path)
        check_vocabulary(path, card, self.model)
        load_into(self.model, path)
        batch = self.config.plan.batch_size
        self.step = self._began = -(-card["examples"] // batch)
        self._left_out = self.step * batch - card["examples"]
        self.seconds = 3600.0 * card["hours"]
        self.truth_hits, self.rejected = (
            Counter(card["benchmark_truths_met"]),
            Counter(card["draws_rejected"]),
        )
        self.started_from = {"name": path.stem, "sha256": card["sha256"], "examples": card["examples"]}

    def take_over(self, name: str, card: Mapping[str, Any]) -> None:
        """Note whose layers the network began with, for the card: these weights know what those know.

        Parameters
        ----------
        name : str
            Of the weights, which may be of another network.
        card : mapping
            Their card.
        """
        self.started_from = {"name": name, "sha256": card["sha256"], "examples": card["examples"]}
        self._past = _Past(
            card["examples"], card.get("hours", 0.0), dict(card.get("benchmark_truths_met", {}))
        )

    # ---------------------------------------------------------------- loop
    def run(
        self,
        *,
        minutes: float | None = None,
        steps: int | None = None,
        decay_steps: int = 0,
        decay_to: int | None = None,
    ) -> None:
        """Train for a time or a number of steps.

        An interrupt (Ctrl-C) or a termination signal ends it after the step, with a checkpoint.

        Parameters
        ----------
        minutes : float, optional
            Stop after this wall time.
        steps : int, optional
            Stop after so many more steps.
        decay_steps : int, default 0
            Lower the rate to zero over this many steps and stop: makes a release. The checkpoint is
            left where the decay began, so that training can go on from there.
        decay_to : int, optional
            The same, over what is left to so many examples in all; the last batch is cut to end there.

        Raises
        ------
        InputError
            If more than ``decay_to`` examples have been seen.
        """
        if decay_to is not None:
            if decay_to <= self.examples:
                raise InputError(
                    f"The decay is to end at {decay_to:,} examples, the network has seen {self.examples:,}. "
                    "Give a larger number, or start from an earlier checkpoint."
                )
            decay_steps = -(-(decay_to - self.examples) // self.config.plan.batch_size)
        if decay_steps:
            steps = decay_steps
        with _stop_on_signals() as stopped:
            self._loop(stopped, minutes, steps, decay_steps, decay_to)
            self.interrupted = stopped.is_set()

    def _loop(
        self,
        stopped: threading.Event,
        minutes: float | None,
        steps: int | None,
        decay_steps: int,
        decay_to: int | None,
    ) -> None:
        started = saved = time.monotonic()
        first = self.step
        window: list[_Update] = []
        window_start = started
        batches = self._batches()
        while not stopped.is_set() and (steps is None or self.step - first < steps):
            now = time.monotonic()
            if minutes is not None and now - started > 60 * minutes:
                break
            batch = next(batches)
            if decay_to is not None and self.examples + len(batch.ids) > decay_to:
                kept = decay_to - self.examples
                self._left_out += len(batch.ids) - kept
                batch = batch.first(kept)
            rate = self._rate(self.step - first, decay_steps)
            window.append(self._update(batch, rate))
            self.step += 1
            if self.step % 100 == 0:
                elapsed = time.monotonic() - window_start
                self._log("decay.csv" if decay_steps else "log.csv", window, elapsed, rate)
                window, window_start = [], time.monotonic()
            if not decay_steps and now - saved > 60 * self.config.checkpoint_minutes:
                self.seconds += now - saved
                saved = now
                self.save()
        self.seconds += time.monotonic() - saved
        if not decay_steps:
            self.save()

    def _rate(self, done: int, decay_steps: int) -> float:
        warm = min(1.0, (self.step - self._began + 1) / max(1, self.config.warmup_steps))
        cool = 1.0 - math.sqrt(done / decay_steps) if decay_steps else 1.0
        return self.config.learning_rate * warm * cool

    def _batches(self) -> Iterator[Batch]:
        plan = self.config.plan
        start, skipped = divmod(self.step, plan.batches_per_pool)
        pools = Pools(self.corpus, plan, self.model.encoder(), self.config.seed, start)
        workers = self.config.workers
        loader = DataLoader(
            pools,
            batch_size=None,
            num_workers=workers,
            prefetch_factor=2 if workers else None,
            collate_fn=_same,  # type: ignore[arg-type]  # with batch_size=None it gets one item
        )
        for pool in loader:
            if not skipped:
                self.truth_hits += pool.truth_hits
                self.rejected += pool.rejected
            yield from pool.batches[skipped:]
            skipped = 0

    def _update(self, batch: Batch, rate: float) -> _Update:
        set_rate(self.optimisers, rate)
        loss, parts = self.loss(batch)
        self.model.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        norm = torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.config.clip)
        for optimiser in self.optimisers:
            optimiser.step()
        return loss.detach(), parts, norm, len(batch.ids)

    def loss(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Return the loss of the network, and the sums and counts of its parts (P, 2)."""
        tensors = TensorBatch.of(batch, self.device)
        with torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=self.bfloat16):
            return self.model.loss(tensors, self.step)

    @torch.no_grad()
    def validate(self, n_batches: int = 8) -> dict[str, float]:
        """Return the parts of the loss on a fixed held-out set."""
        plan = replace(self.config.plan, batches_per_pool=n_batches, many_share=0.0)
        pools = Pools(self.corpus, plan, self.model.encoder(), VALIDATION_SEED, 0)
        self.model.eval()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(VALIDATION_SEED)  # networks that sample do so alike each time
            total = torch.stack([self.loss(batch)[1] for batch in pools.pool(0).batches]).sum(0)
        self.model.train()
        return {name: _mean(total, i) for i, name in enumerate(self.model.parts)}

    def _log(self, name: str, window: list[_Update], elapsed: float, rate: float) -> None:
        parts = torch.stack([entry[1] for entry in window]).sum(0)
        names = self.model.parts
        row: dict[str, Any] = {
            "step": self.step,
            "examples": self.examples,
            "examples_per_second": round(sum(entry[3] for entry in window) / elapsed, 1),
            "loss": round(float(torch.stack([entry[0] for entry in window]).mean()), 4),
            **{f"loss_{name}": round(_mean(parts, i), 4) for i, name in enumerate(names)},
            "gradient_norm": round(float(torch.stack([entry[2] for entry in window]).mean()), 3),
            "rate": f"{rate:.2e}",
        }
        if self.step % 1000 == 0:
            row |= {f"validation_{k}": round(v, 4) for k, v in self.validate().items()}
        else:
            row |= {f"validation_{name}": "" for name in names}
        path = self.folder / name
        fresh = not path.exists()
        with path.open("a", newline="", encoding="utf8") as stream:
            writer = csv.DictWriter(stream, list(row))
            if fresh:
                writer.writeheader()
            writer.writerow(row)
        print("  ".join(f"{key} {value}" for key, value in row.items() if value != ""), flush=True)

    def card(self) -> dict[str, Any]:
        """Return what a card of these weights says: sizes, corpus, examples, losses, audit.

        The validation loss stands there twice: as trained, and with the weights rounded to float16 as
        they ship. Examples, hours and truths met are those of all training that went into these weights,
        that of the weights whose layers they took over included; steps are of this training.
        """
        exact = self.validate()
        trained = {key: value.clone() for key, value in self.model.state_dict().items()}
        self.model.load_state_dict({key: value.half().float() for key, value in trained.items()})
        rounded = self.validate()
        self.model.load_state_dict(trained)
        return {
            "model": self.model.config.to_dict(),
            "parameters": sum(p.numel() for p in self.model.parameters()),
            "vocabulary_sha256": self.model.vocabulary.sha256,
            "training": asdict(self.config),
            "examples": self.examples + self._past.examples,
            "steps": self.step,
            "hours": round(self.seconds / 3600 + self._past.hours, 3),
            "validation_loss": exact,
            "validation_loss_float16": rounded,
            "corpus_sha256": self.corpus.mixture.sha256,
            "draws_rejected": dict(self.rejected),
            "benchmark_truths_met": dict(self.truth_hits + Counter(self._past.truths_met)),
            **({"started_from": self.started_from} if self.started_from else {}),
        }


@contextmanager
def _stop_on_signals() -> Iterator[threading.Event]:
    """Turn SIGINT and SIGTERM into an event; outside of the main thread there is nothing to catch."""
    stopped = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stopped
        return
    caught = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.signal(number, lambda *_: stopped.set()) for number in caught}
    try:
        yield stopped
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _mean(parts: Tensor, i: int) -> float:
    return float(parts[i, 0] / parts[i, 1].clamp(min=1))


def _same(pool: Pool) -> Pool:
    return pool


def train_release(
    folder: Path,
    corpus: Corpus,
    build: Callable[[], Pretrained],
    *,
    name: str,
    minutes: float | None = None,
    examples: int | None = None,
    resume: bool = True,
    start: Path | None = None,
    taken_over: tuple[str, Mapping[str, Any]] | None = None,
    decay_share: float = 0.15,
    config: TrainingConfig | None = None,
) -> dict[str, Any]:
    """Train, then decay and write release weights; the checkpoint stays before the decay.

    Parameters
    ----------
    folder : Path
        Holds the checkpoint, ``log.csv`` and, at the end, ``NAME.safetensors`` and ``NAME.json``.
    corpus : Corpus
    build : callable
        Makes the network.
    name : str
        Name of the weights.
    minutes : float, optional
        Wall time in all.
    examples : int, optional
        Examples in all, in place of a time: the controlled budget is 1,000,000.
    resume : bool
        Go on from the folder's checkpoint; without it, a checkpoint in the folder is an error.
    start : Path, optional
        Released weights to begin with where the folder has no checkpoint.
    taken_over : (str, mapping), optional
        Name and card of the weights whose layers ``build`` takes over; see :meth:`Trainer.take_over`.
    decay_share : float
        Share of the time or of the examples that the rate falls in.
    config : TrainingConfig, optional

    Returns
    -------
    dict
        The card.

    Raises
    ------
    InputError
        If the folder holds a checkpoint and ``resume`` is false, if not exactly one of ``minutes`` and
        ``examples`` is given, or if more examples have been seen.
    KeyboardInterrupt
        If a signal ended the training; the checkpoint is written before.
    """
    if (minutes is None) == (examples is None):
        raise InputError(f"Training needs minutes or examples. Got minutes={minutes}, examples={examples}.")
    trainer = Trainer(folder, corpus, build, config or TrainingConfig())
    if not resume and (folder / "checkpoint.pt").exists():
        raise InputError(
            f"{folder} holds a checkpoint. Give --resume to go on from it, or another folder to start anew."
        )
    if taken_over is not None:
        trainer.take_over(*taken_over)
    if not trainer.resume() and start is not None:
        trainer.start_from(start)
    if examples is not None:
        stable = int(examples * (1 - decay_share)) // trainer.config.plan.batch_size
        trainer.run(steps=max(0, stable - trainer.step))
        decay: dict[str, int] = {"decay_to": examples}
    else:
        assert minutes is not None
        first, started = trainer.step, time.monotonic()
        trainer.run(minutes=minutes * (1 - decay_share))
        per_step = (time.monotonic() - started) / max(1, trainer.step - first)
        decay = {"decay_steps": max(1, int(60 * minutes * decay_share / per_step))}
    if not trainer.interrupted:
        trainer.run(**decay)
    if trainer.interrupted:
        raise KeyboardInterrupt
    return save_weights(trainer.model, folder / f"{name}.safetensors", trainer.card())
