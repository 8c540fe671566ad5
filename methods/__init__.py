"""The bundled methods, one folder each (see docs/add-a-method.md)."""
