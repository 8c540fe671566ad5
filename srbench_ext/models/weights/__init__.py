"""Weights that several methods share, with their cards."""
