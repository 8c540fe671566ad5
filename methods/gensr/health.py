"""How healthy the autoencoder is: what the latent space carries, measured on held-out examples.

``python -m srbench_ext.methods.gensr.health [WEIGHTS]`` prints the figures as JSON.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from srbench_ext.corpus import Corpus, benchmark_audit, load_mixture
from srbench_ext.models.batches import Batch, BatchPlan, Pools
from srbench_ext.models.checkpoint import load_weights, write_card
from srbench_ext.models.latent import free_greedy, validity
from srbench_ext.models.precision import one_thread
from srbench_ext.models.pretrained import TensorBatch
from srbench_ext.models.training import VALIDATION_SEED

from .method import WEIGHTS
from .model import GenSRNet, build, divergence

__all__ = ["EXAMPLES", "Health", "add_to_card", "measure"]

FloatArray = NDArray[np.float64]

EXAMPLES = 1024
ACTIVE = 0.01
"""A dimension is active where the variance of its mean over the data is larger (Burda et al., 2016)."""


@dataclass(frozen=True, slots=True)
class Health:
    """Figures of a network on held-out examples.

    Attributes
    ----------
    examples : int
    ce_prior, ce_posterior, ce_shuffled, ce_misled : float
        Cross-entropy in nats a token from the mean of the prior, of the posterior, of the prior of another
        example, and of the posterior given the formula of another example.
    kl : float
        Divergence of posterior and prior in nats an example.
    kl_by_dimension : list of float
        Deciles of the divergence by dimension: least, 10%, …, largest.
    active_prior, active_posterior, active_difference, dimensions : int
        Dimensions in which the mean of the prior, of the posterior, and the difference of both vary by
        more than 0.01 over the data, and how many there are.
    mean_distance, mean_length : float
        Mean Euclidean length of the difference of both means and of the prior's.
    exact_prior, exact_posterior : float
        Share of skeletons that the most likely tokens from the mean give back.
    valid_without_mask : float
        Share of greedy decodes from the prior mean that are one formula over the table's columns
        without the help of the grammar.
    """

    examples: int
    ce_prior: float
    ce_posterior: float
    ce_shuffled: float
    ce_misled: float
    kl: float
    kl_by_dimension: list[float]
    active_prior: int
    active_posterior: int
    active_difference: int
    dimensions: int
    mean_distance: float
    mean_length: float
    exact_prior: float
    exact_posterior: float
    valid_without_mask: float


@torch.no_grad()
def measure(net: GenSRNet, corpus: Corpus, n_examples: int = EXAMPLES) -> Health:
    """Measure a network on ``n_examples`` of the corpus that training never draws."""
    size = min(64, n_examples)
    plan = BatchPlan(
        batch_size=size, batches_per_pool=n_examples // size, modes=(1.0, 0.0, 0.0), many_share=0.0
    )
    batches = Pools(corpus, plan, net.encoder(), VALIDATION_SEED, 0).pool(0).batches
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(VALIDATION_SEED)
        parts = [net.loss(TensorBatch.of(batch, torch.device("cpu")), 0)[1] for batch in batches]
    sums, counts = torch.stack(parts).sum(0).unbind(1)
    named = dict(zip(net.parts, (sums / counts.clamp(min=1)).tolist(), strict=True))
    measured = [_of_batch(net, batch) for batch in batches]
    prior = torch.cat([it[0] for it in measured])
    posterior = torch.cat([it[1] for it in measured])
    kl = torch.cat([it[2] for it in measured])
    judged = np.concatenate([it[3] for it in measured])
    difference = posterior - prior
    return Health(
        examples=len(kl),
        ce_prior=named["prior"],
        ce_posterior=named["posterior"],
        ce_shuffled=named["shuffled"],
        ce_misled=named["misled"],
        kl=named["kl"],
        kl_by_dimension=torch.quantile(kl.mean(0), torch.linspace(0, 1, 11)).tolist(),
        active_prior=int((prior.var(0) > ACTIVE).sum()),
        active_posterior=int((posterior.var(0) > ACTIVE).sum()),
        active_difference=int((difference.var(0) > ACTIVE).sum()),
        dimensions=kl.shape[1],
        mean_distance=float(difference.norm(dim=1).mean()),
        mean_length=float(prior.norm(dim=1).mean()),
        exact_prior=float(judged[:, 0].mean()),
        exact_posterior=float(judged[:, 1].mean()),
        valid_without_mask=float(judged[:, 2].mean()),
    )


def add_to_card(path: Path, corpus: Corpus) -> dict[str, Any]:
    """Measure weights on :data:`EXAMPLES` examples, write the figures to their card and return that."""
    with one_thread():
        net, card = load_weights(path, build)
        card = {**card, "health": asdict(measure(net, corpus, EXAMPLES))}
    write_card(path, card)
    return card


def _of_batch(net: GenSRNet, batch: Batch) -> tuple[Tensor, Tensor, Tensor, FloatArray]:
    """Return prior and posterior means, divergences, and of each example: both exact, valid (B, 3)."""
    tensors = TensorBatch.of(batch, torch.device("cpu"))
    prior, posterior = net.both_of(tensors.features, tensors.ids)
    wanted = [net.vocabulary.decode(row[row != net.vocabulary.pad][1:]) for row in batch.ids]
    from_prior = free_greedy(net, prior.mean)
    from_posterior = free_greedy(net, posterior.mean)
    judged = [
        (a == formula, b == formula, validity(net, a, _n_variables(formula)))
        for formula, a, b in zip(wanted, from_prior, from_posterior, strict=True)
    ]
    return prior.mean, posterior.mean, divergence(posterior, prior), np.array(judged, np.float64)


def _n_variables(formula: list[str]) -> int:
    return 1 + max(int(token[1:]) for token in formula if token[0] == "x")


def main() -> None:
    """Print the health of the shipped weights, or of those named first on the command line."""
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else WEIGHTS
    with one_thread():
        net, _ = load_weights(path, build)
        health = measure(net, Corpus(load_mixture(), benchmark_audit()))
    print(json.dumps(asdict(health), indent=1))


if __name__ == "__main__":
    main()
