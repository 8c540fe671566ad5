"""Synthetic problems to pretrain on: formulas, points, a seeded stream, a contamination audit."""

from srbench_ext.corpus.audit import Audit, audit_key
from srbench_ext.corpus.held_out import HeldOutExample, held_out
from srbench_ext.corpus.mixture import Mixture, load_mixture, parse_mixture
from srbench_ext.corpus.stream import Corpus, Example
from srbench_ext.corpus.truths import benchmark_audit, seen_problems

__all__ = [
    "Audit",
    "Corpus",
    "Example",
    "HeldOutExample",
    "Mixture",
    "audit_key",
    "benchmark_audit",
    "held_out",
    "load_mixture",
    "parse_mixture",
    "seen_problems",
]
