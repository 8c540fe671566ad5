from srbench_ext.methods.forest.test_method import TestForest

__all__ = ["TestForest"]
