"""Repairs: what the pretrained path writes for a table when it is given formulas that are not yet right."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence

import torch

from srbench_ext.models.decoding import Decoded
from srbench_ext.models.proposals import Proposer

from .adaptation import pad_ids
from .model import EquateModel

__all__ = ["on_model", "write_repairs"]

BEAM_SIZE = 5
BEAMS = 2


def on_model(proposer: Proposer, model: EquateModel) -> Proposer:
    """Return a proposer on the same bags whose decoder is the adapted one."""
    adapted = copy.copy(proposer)
    adapted.model = model.foundation
    return adapted


def write_repairs(
    model: EquateModel,
    proposer: Proposer,
    wrong: Sequence[tuple[str, ...]],
    n_samples: int,
    *,
    temperature: float,
    deadline: float,
    stopped: Callable[[], bool],
) -> list[Decoded]:
    """Return formulas that the decoder writes from the fused embeddings of a table and wrong formulas.

    Parameters
    ----------
    model : EquateModel
        Pretrained, in evaluation mode.
    proposer : Proposer
        On the model's foundation; its bags are the data, each formula meets another one.
    wrong : sequence of tuple of str
        Skeletons in the model's vocabulary; the best first, of which the first two are beamed too.
    n_samples : int
        Samples from each embedding.
    temperature : float
        Of the samples.
    deadline : float
        A ``time.monotonic()`` after which what is unfinished is dropped.
    stopped : callable
        Whether to end before the next beam.
    """
    if not wrong:
        return []
    memory = proposer.memory
    with torch.no_grad():
        rows = torch.from_numpy(proposer.rng.integers(len(memory), size=len(wrong)))
        embedding = model.fuse(memory[rows], pad_ids(model.foundation.vocabulary, wrong))
    on_adapted = on_model(proposer, model)
    found = on_adapted.sample(
        "<skeleton>", n_samples, temperature=temperature, memory=embedding, deadline=deadline
    )
    for row in embedding[:BEAMS]:
        if stopped():
            break
        found += on_adapted.beam("<skeleton>", BEAM_SIZE, row[None], deadline=deadline)
    return found
