from srbench_ext.methods.gaussianprocess.test_method import TestGaussianProcess

__all__ = ["TestGaussianProcess"]
