from srbench_ext.methods.mlp.test_method import TestPerceptron

__all__ = ["TestPerceptron"]
