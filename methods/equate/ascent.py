"""Step 3 of EQUATE: ascend the evaluator's gradient in the shared embedding, within bounds.

Unbounded ascent leaves the region where the evaluator knows anything. So the gradient is projected on
the main directions of the known embeddings, each step has one size, and the path stays in a ball
around its seed.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from .model import EquateModel

__all__ = ["AscentConfig", "ascend"]


@dataclass(frozen=True, slots=True)
class AscentConfig:
    """How the embedding is searched.

    Attributes
    ----------
    steps : int
        0 leaves the seeds as they are.
    step_size : float
        Of a free ascent, over the root mean square of the known embeddings.
    snapshots : tuple of int
        Steps after which the embeddings are kept for decoding: several radii in place of one tuned step.
    simplicity_weight, caution : float
        The objective is fitness + weight x simplicity - caution x deviation over the ensemble.
    directions : int
        Principal directions that the gradient is projected on; 0 for the free gradient.
    radius : float
        Of the ball, over the median distance of nearest neighbours, but no less than a twentieth of the
        embeddings' norm; the steps then share it. 0 for no ball.
    random : bool
        Random directions of equal size in place of the gradient: the control.
    """

    steps: int = 24
    step_size: float = 0.1
    snapshots: tuple[int, ...] = (6, 24)
    simplicity_weight: float = 0.1
    caution: float = 1.0
    directions: int = 12
    radius: float = 0.5
    random: bool = False


def ascend(
    model: EquateModel, seeds: Tensor, known: Tensor, config: AscentConfig, generator: torch.Generator
) -> Tensor:
    """Return snapshots of the ascent from seeds.

    Parameters
    ----------
    model : EquateModel
    seeds : Tensor of shape (S, M, D)
    known : Tensor of shape (K, M, D)
        Embeddings of the candidates, which bound the search.
    config : AscentConfig
    generator : torch.Generator
        For the random control.

    Returns
    -------
    Tensor of shape (len(snapshots) x S, M, D)
    """
    if not config.steps:
        return seeds
    flat = known.flatten(1)
    scale = flat.pow(2).mean().sqrt()
    basis = _principal(flat, config.directions)
    radius = _radius(flat, config.radius) if config.radius else None
    length = config.step_size * scale * flat.shape[1] ** 0.5 if radius is None else radius / config.steps
    start = seeds.flatten(1)
    z = start.clone()
    kept: list[Tensor] = []
    for step in range(1, config.steps + 1):
        direction = _direction(model, z, seeds.shape, config, generator)
        if basis is not None:
            direction = (direction @ basis) @ basis.T
        size = direction.norm(dim=1, keepdim=True).clamp_min(1e-12)
        z = z + length * direction / size
        if radius is not None:
            away = z - start
            z = start + away * (radius / away.norm(dim=1, keepdim=True).clamp_min(1e-12)).clamp(max=1.0)
        if step in config.snapshots:
            kept.append(z)
    return torch.cat(kept).view(-1, *seeds.shape[1:])


def _direction(
    model: EquateModel, z: Tensor, shape: torch.Size, config: AscentConfig, generator: torch.Generator
) -> Tensor:
    if config.random:
        return torch.randn(z.shape, generator=generator)
    with torch.enable_grad():
        leaf = z.detach().requires_grad_(True)
        verdict = model.judge(leaf.view(-1, *shape[1:]))
        objective = verdict.lower_bound(config.simplicity_weight, config.caution).sum()
        (gradient,) = torch.autograd.grad(objective, leaf)
    found: Tensor = gradient
    return found


def _principal(flat: Tensor, count: int) -> Tensor | None:
    """Return the main directions (F, count) of the known embeddings."""
    if not count or len(flat) < 3:
        return None
    centred = flat - flat.mean(0)
    _, _, v = torch.linalg.svd(centred, full_matrices=False)
    basis: Tensor = v[: min(count, len(flat) - 1)].T
    return basis


def _radius(flat: Tensor, share: float) -> Tensor:
    """Return a share of the median distance of nearest neighbours, or 5% of the norm if that is more."""
    exact = flat.double()  # the fast product form of cdist cancels to zero between near embeddings
    distance = torch.cdist(exact, exact, compute_mode="donot_use_mm_for_euclid_dist")
    distance.fill_diagonal_(float("inf"))
    nearest = distance.min(dim=1).values
    floor = 0.05 * flat.norm(dim=1).median()
    known = nearest[nearest.isfinite()]
    return torch.maximum(share * known.median().float(), floor) if len(known) else floor
