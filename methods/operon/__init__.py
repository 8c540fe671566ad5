"""Genetic programming by Operon."""
