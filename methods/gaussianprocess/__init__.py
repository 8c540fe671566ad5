"""A Gaussian process."""
