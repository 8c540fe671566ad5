"""The contract catches the faults that it is there for."""

from __future__ import annotations

import random
import time

import numpy as np
import pytest

from srbench_ext.expression import Expression
from srbench_ext.method import Candidate, Method
from srbench_ext.testing import MethodContract


class Flawed(Method):
    name = "flawed"
    version = "1"

    def search(self, X, y, run):
        yield Candidate(Expression(("x0",)))


class GlobalRandomness(Flawed):
    def search(self, X, y, run):
        yield Candidate(Expression(("mul", "C", "x0"), (1 + random.random(),)))


class IgnoresDeadline(Flawed):
    def search(self, X, y, run):
        yield Candidate(Expression(("x0",)))
        time.sleep(1.2)


class RewritesParameters(Flawed):
    def __init__(self, *, max_seconds=60.0, random_state=0, width=None):
        super().__init__(max_seconds=max_seconds, random_state=random_state)
        self.width = list(width or [3])


class KeepsALambda(Flawed):
    def search(self, X, y, run):
        self.helper_ = lambda x: x
        yield Candidate(Expression(("x0",)))


def contract(method_class, **settings):
    class Contract(MethodContract):
        deadline_grace = 0.1

        @classmethod
        def make(cls, **changes):
            return method_class(**{"max_seconds": 5.0, **changes})

    return Contract()


def fit(method_class):
    X = np.random.default_rng(0).uniform(1, 2, size=(60, 2))
    return method_class().fit(X, X[:, 0] * X[:, 1])


def test_a_method_without_faults_passes():
    suite = contract(Flawed)
    suite.test_parameters_survive_clone_and_get_params()
    suite.test_fit_survives_pickling(fit(Flawed))
    suite.test_fit_ends_at_the_deadline()


def test_global_randomness_is_caught():
    suite = contract(GlobalRandomness)
    with pytest.raises(AssertionError):
        suite.test_equal_seeds_give_equal_results(fit(GlobalRandomness))


def test_a_missed_deadline_is_caught():
    with pytest.raises(AssertionError):
        contract(IgnoresDeadline).test_fit_ends_at_the_deadline()


def test_parameters_changed_on_creation_are_caught():
    with pytest.raises(RuntimeError, match="clone"):
        contract(RewritesParameters).test_parameters_survive_clone_and_get_params()


def test_a_fit_that_cannot_be_pickled_is_caught():
    with pytest.raises((AttributeError, TypeError)):
        contract(KeepsALambda).test_fit_survives_pickling(fit(KeepsALambda))
