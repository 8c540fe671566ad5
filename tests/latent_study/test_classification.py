from __future__ import annotations

import numpy as np
import pytest

from srbench_ext.latent_study import classification
from srbench_ext.latent_study.classification import classify, compactness, labels_of, majority, raw_features

from .toy import TABLES


def codes(target):
    """One coordinate a label, with a little noise."""
    labels = labels_of(TABLES)[target]
    shape = (len(labels), len(set(labels)))
    exact = (labels[:, None] == np.unique(labels)).astype(float)
    return exact + 0.05 * np.random.default_rng(0).standard_normal(shape)


def accuracies(frame):
    return dict(zip(frame["target"], frame["accuracy"], strict=False))


def test_what_the_features_say_is_told_apart():
    for frame in (classify(codes("class"), TABLES, 0),):
        assert (frame["accuracy"] > 0.97).all()
        assert (frame["macro_f1"] > 0.97).all()


def test_what_the_features_do_not_say_is_not():
    frame = classify(codes("variables"), TABLES, 0).set_index(["target", "classifier"])["accuracy"]
    assert (frame["variables"] == 1.0).all()
    assert (frame["class"] < 0.6).all()
    assert (frame["family"] < 0.6).all()


def test_a_law_is_learnt_from_or_judged_never_both(monkeypatch):
    seen = []

    class Spy:
        def fit(self, features, labels):
            self.learnt = set(features[:, 0])
            self.label = labels[0]

        def predict(self, features):
            seen.append(self.learnt & set(features[:, 0]))
            return np.full(len(features), self.label)

    monkeypatch.setattr(classification, "_classifiers", lambda n: {"spy": Spy()})
    laws = {law: number for number, law in enumerate(sorted({table.law for table in TABLES}))}
    assert len(laws) < len(TABLES)
    classify(np.array([[float(laws[table.law])] for table in TABLES]), TABLES, 0)
    assert len(seen) == 15
    assert not any(seen)


def test_the_most_frequent_label_is_as_good_as_chance():
    found = majority(TABLES, 0)
    assert accuracies(found)["variables"] == pytest.approx(0.5, abs=0.15)
    assert accuracies(found)["class"] < 0.3
    assert set(found["classifier"]) == {classification.MAJORITY}


def test_classes_apart_have_a_large_silhouette():
    apart = compactness(codes("class"), TABLES, 0)
    mixed = compactness(np.random.default_rng(0).standard_normal((len(TABLES), 6)), TABLES, 0)
    assert apart["silhouette_class"] > 0.7
    assert mixed["silhouette_class"] < 0.1


def test_raw_features_do_not_depend_on_the_offset_of_y():
    found = raw_features(TABLES, variables=True)
    assert np.isfinite(found).all()
    assert found.shape == (len(TABLES), raw_features(TABLES, variables=False).shape[1] + 1)
    shifted = [type(t)(t.X, t.y + 5.0 * t.y.std(), *_rest(t)) for t in TABLES[:4]]
    np.testing.assert_allclose(raw_features(shifted, variables=True), found[:4], rtol=1e-6, atol=1e-9)


def _rest(table):
    return table.formula, table.skeleton, table.family, table.law
