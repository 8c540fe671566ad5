"""Genetic programming by gplearn."""
