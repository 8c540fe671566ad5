"""Fast function extraction."""
