"""Parallel symbolic enumeration."""
