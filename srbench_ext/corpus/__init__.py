"""Synthetic problems to pretrain on: formulas, points, a seeded stream, a contamination audit."""

from srbench_ext.corpus.audit import Audit, audit_key
from srbench_ext.corpus.stream import Corpus, Example, Mixture, load_mixture
from srbench_ext.corpus.truths import benchmark_audit

__all__ = ["Audit", "Corpus", "Example", "Mixture", "audit_key", "benchmark_audit", "load_mixture"]
