"""How well the family of a table's law is read off its point of a latent space."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import kurtosis, skew
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, f1_score, silhouette_score
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from srbench_ext.corpus.families import FamilyTable
from srbench_ext.models.statistics import statistics_of_tables

__all__ = [
    "MAJORITY",
    "N_FOLDS",
    "classify",
    "compactness",
    "labels_of",
    "majority",
    "raw_features",
    "statistics_of",
]

FloatArray = NDArray[np.float64]
Labels = NDArray[np.str_]

N_FOLDS = 5
"""Folds of the cross-validation; a law, whatever its constants, is in one of them."""

MAJORITY = "most frequent"
"""The classifier that looks at nothing."""

_NEIGHBOURS = 10
_SILHOUETTE_ROWS = 2000
_TOGETHER = 256
_QUANTILES = np.linspace(0.0, 1.0, 11)


def labels_of(tables: Sequence[FamilyTable]) -> dict[str, Labels]:
    """Return what is to be told: ``class`` (family and variables), ``family``, ``variables``."""
    families = np.array([table.family for table in tables])
    variables = np.array([f"{table.n_variables}-D" for table in tables])
    both = np.array([f"{family}, {size}" for family, size in zip(families, variables, strict=True)])
    return {"class": both, "family": families, "variables": variables}


def classify(features: FloatArray, tables: Sequence[FamilyTable], seed: int) -> pd.DataFrame:
    """Return accuracy and macro-F1 of two classifiers on features (R, F), one row each and target.

    Stratified five-fold cross-validation, so that four fifths are learnt from; features are standardised
    with the rows learnt from. Columns: ``target``, ``classifier``, ``accuracy``, ``accuracy_deviation``
    (between folds), ``macro_f1``.
    """
    rows = []
    for target, labels in labels_of(tables).items():
        for name, classifier in _classifiers(len(tables)).items():
            rows.append(
                {"target": target, "classifier": name, **_scores(classifier, features, labels, tables, seed)}
            )
    return pd.DataFrame(rows)


def majority(tables: Sequence[FamilyTable], seed: int) -> pd.DataFrame:
    """Return the same of the most frequent label."""
    nothing = np.zeros((len(tables), 1))
    rows = [
        {
            "target": target,
            "classifier": MAJORITY,
            **_scores(DummyClassifier(), nothing, labels, tables, seed),
        }
        for target, labels in labels_of(tables).items()
    ]
    return pd.DataFrame(rows)


def _classifiers(n_rows: int) -> dict[str, object]:
    neighbours = min(_NEIGHBOURS, max(1, n_rows // 4))
    return {
        "logistic regression": make_pipeline(StandardScaler(), LogisticRegression(max_iter=5000)),
        f"{neighbours} neighbours": make_pipeline(StandardScaler(), KNeighborsClassifier(neighbours)),
    }


def _scores(
    classifier: object, features: FloatArray, labels: Labels, tables: Sequence[FamilyTable], seed: int
) -> dict[str, float]:
    folds = StratifiedGroupKFold(N_FOLDS, shuffle=True, random_state=seed)
    laws = [table.law for table in tables]
    accuracies, f1 = [], []
    for learn, judge in folds.split(features, labels, laws):
        classifier.fit(features[learn], labels[learn])  # type: ignore[attr-defined]
        told = classifier.predict(features[judge])  # type: ignore[attr-defined]
        accuracies.append(accuracy_score(labels[judge], told))
        f1.append(f1_score(labels[judge], told, average="macro", zero_division=0.0))
    return {
        "accuracy": float(np.mean(accuracies)),
        "accuracy_deviation": float(np.std(accuracies)),
        "macro_f1": float(np.mean(f1)),
    }


def compactness(features: FloatArray, tables: Sequence[FamilyTable], seed: int) -> dict[str, float]:
    """Return the silhouette (-1 to 1) of the classes and of the families in standardised features (R, F)."""
    scaled = StandardScaler().fit_transform(features)
    size = min(_SILHOUETTE_ROWS, len(tables))
    return {
        f"silhouette_{target}": float(silhouette_score(scaled, labels, sample_size=size, random_state=seed))
        for target, labels in labels_of(tables).items()
        if target != "variables"
    }


def raw_features(tables: Sequence[FamilyTable], *, variables: bool) -> FloatArray:
    """Return what needs no network: quantiles and moments of y, (R, 14), and the number of columns.

    Parameters
    ----------
    tables : sequence of FamilyTable
    variables : bool
        Whether the number of columns is among them; every network is told it.
    """
    rows = []
    for table in tables:
        deviation = float(table.y.std())
        z = (table.y - table.y.mean()) / deviation
        told = [*np.quantile(z, _QUANTILES), skew(z), np.log1p(kurtosis(z, fisher=False)), np.log(deviation)]
        rows.append([*told, float(table.n_variables)] if variables else told)
    return np.array(rows)


def statistics_of(tables: Sequence[FamilyTable]) -> FloatArray:
    """Return the statistics (R, S) that networks with ``statistics_length`` get beside the points.

    They are regressions in closed form (:mod:`srbench_ext.models.statistics`): what the encoder need not
    learn.
    """
    pairs = [(table.X, table.y) for table in tables]
    parts = [statistics_of_tables(pairs[i : i + _TOGETHER]) for i in range(0, len(pairs), _TOGETHER)]
    return np.vstack(parts)
