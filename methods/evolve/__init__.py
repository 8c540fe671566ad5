"""Genetic programming from random trees of the corpus grammar: the floor under every neural method."""
