"""Evolutionary search in Julia."""
