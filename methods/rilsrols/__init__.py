"""Iterated local search with regressed constants."""
