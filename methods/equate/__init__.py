"""EQUATE: adapt the foundation model to one table and search a shared data-equation embedding."""
