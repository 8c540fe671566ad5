"""Pretraining of EQUATE's fused path as a repairer, on the shared corpus."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from srbench_ext.corpus import Corpus, benchmark_audit, load_mixture
from srbench_ext.errors import InputError, WeightsError
from srbench_ext.models.batches import BatchPlan
from srbench_ext.models.checkpoint import FOUNDATION_WEIGHTS, load_foundation
from srbench_ext.models.training import TrainingConfig, train_release

from .repairer import RepairConfig, Repairer

__all__ = ["CONFIG", "main"]

CONFIG = TrainingConfig(
    warmup_steps=100, plan=BatchPlan(batch_size=32, batches_per_pool=32, modes=(1.0, 0.0, 0.0))
)
"""Skeletons alone; small batches, for many steps in a short training."""


def main(
    out: Path,
    minutes: float | None = None,
    examples: int | None = None,
    resume: bool = False,
    *,
    start: Path | None = None,
    config: TrainingConfig = CONFIG,
) -> dict[str, Any]:
    """Train for ``minutes`` (default 60) or ``examples``; write ``equate.safetensors`` and card to ``out``.

    ``start`` is another foundation model to train on than the default one.
    The file holds what was trained; the card names the foundation model it was trained on, without which
    it is of no use.

    Raises
    ------
    WeightsError
        If ``out`` holds a checkpoint that was trained on another foundation model.
    """
    if minutes is None and examples is None:
        minutes = 60.0
    path = FOUNDATION_WEIGHTS if start is None else start
    foundation, foundation_card = load_foundation(path)
    sizes = RepairConfig(**asdict(foundation.config))
    _check_checkpoint(out, foundation_card["sha256"], resume)
    card = train_release(
        out,
        Corpus(load_mixture(), benchmark_audit()),
        lambda: Repairer(sizes, foundation),
        name="equate",
        minutes=minutes,
        examples=examples,
        resume=resume,
        taken_over=(path.stem, foundation_card),
        config=config,
    )
    stored = Repairer(sizes, foundation).state_dict()
    card |= {
        "parameters": sum(value.numel() for value in stored.values()),
        "foundation": {key: foundation_card[key] for key in ("sha256", "examples")},
    }
    (out / "equate.json").write_text(json.dumps(card, indent=1) + "\n", "utf8")
    return card


def _check_checkpoint(out: Path, sha256: str, resume: bool) -> None:
    """Keep the foundation's hash beside the checkpoint, which does not hold the foundation."""
    note = out / "foundation.sha256"
    if (out / "checkpoint.pt").exists():
        if not resume:
            raise InputError(
                f"{out} holds a checkpoint. Give --resume to go on from it, or another folder to start anew."
            )
        known = note.read_text("utf8").strip() if note.is_file() else "none"
        if known != sha256:
            raise WeightsError(
                f"The checkpoint in {out} was trained on the foundation model {known[:16]}…, the one at hand "
                f"is {sha256[:16]}…. Start anew in another folder, or restore the other foundation weights."
            )
    out.mkdir(parents=True, exist_ok=True)
    note.write_text(sha256 + "\n", "utf8")
