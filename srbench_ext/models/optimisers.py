"""The optimisers of a training: Muon for the matrices of the blocks, AdamW for all else.

Muon (Jordan et al. 2024) makes every update of a matrix orthogonal; scaled to the size of AdamW's updates
(Liu et al. 2025, arXiv 2502.16982), both share the schedule of the rate and the weight decay.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from srbench_ext.models.pretrained import Pretrained

__all__ = ["make_optimisers", "set_rate"]

Optimisers = Sequence[torch.optim.Optimizer]


def make_optimisers(
    model: Pretrained, *, weight_decay: float, matrix_rate: float
) -> list[torch.optim.Optimizer]:
    """Return the optimisers of a network's parameters; :func:`set_rate` gives them their rate.

    Parameters
    ----------
    model : Pretrained
        What is frozen is left out.
    weight_decay : float
        Of whatever has two dimensions or more.
    matrix_rate : float
        Rate of Muon over that of AdamW; 0 leaves all to AdamW.
    """
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    matrices = _matrices(model) if matrix_rate else []
    chosen = {id(parameter) for parameter in matrices}
    others = [parameter for parameter in trained if id(parameter) not in chosen]
    groups = [
        {"params": [p for p in others if p.ndim >= 2], "weight_decay": weight_decay, "share": 1.0},
        {"params": [p for p in others if p.ndim < 2], "weight_decay": 0.0, "share": 1.0},
    ]
    optimisers: list[torch.optim.Optimizer] = [
        torch.optim.AdamW(groups, lr=0.0, betas=(0.9, 0.98), eps=1e-9, fused=True)
    ]
    if matrices:
        muon = torch.optim.Muon(
            [{"params": matrices, "share": matrix_rate}],
            lr=0.0,
            weight_decay=weight_decay,
            momentum=0.95,
            adjust_lr_fn="match_rms_adamw",
        )
        optimisers.append(muon)
    return optimisers


def set_rate(optimisers: Optimisers, rate: float) -> None:
    """Set the learning rate; that of Muon's matrices is its multiple of it."""
    for optimiser in optimisers:
        for group in optimiser.param_groups:
            group["lr"] = rate * group["share"]


def _matrices(model: Pretrained) -> list[Tensor]:
    """Return the trained weights of the linear layers inside of blocks."""
    weights = [
        layer.weight
        for part in model.modules()
        if isinstance(part, model.matrix_parts)
        for layer in part.children()
        if isinstance(layer, nn.Linear) and layer.weight.requires_grad
    ]
    return list({id(weight): weight for weight in weights}.values())
