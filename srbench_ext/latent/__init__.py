"""Latent spaces of formulas and their search: what a space is, where to start in it, how to move.

Nothing here knows a network; :mod:`srbench_ext.latent.method` alone needs torch, for weights.
"""

from srbench_ext.latent.space import Formula, HasSpace, LatentSpace, Start, TableEncoder, localise

__all__ = ["Formula", "HasSpace", "LatentSpace", "Start", "TableEncoder", "localise"]
