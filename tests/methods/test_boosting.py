from srbench_ext.methods.boosting.test_method import TestBoosting

__all__ = ["TestBoosting"]
