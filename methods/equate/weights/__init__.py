"""Weights and their cards; a package, so that they are installed with the code."""
