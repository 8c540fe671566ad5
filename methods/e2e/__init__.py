"""E2E: a transformer that writes whole formulas from bags of rows."""
