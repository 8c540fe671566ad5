from srbench_ext.methods.kernelridge.test_method import TestKernelRidge

__all__ = ["TestKernelRidge"]
