"""A random forest."""
