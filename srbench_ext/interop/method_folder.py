"""A method folder of SRBench, ``regressor.py`` with ``est`` and ``model(est, X)``, run as it is.

SRBench: La Cava et al. (2021), https://github.com/cavalab/srbench. The interface was written down from its
documentation; no code of it is used.
"""

from __future__ import annotations

import hashlib
import importlib
import inspect
import sys
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar, cast

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.base import clone

from srbench_ext.errors import ConfigError, ExpressionError, MissingExtraError
from srbench_ext.expression import Expression
from srbench_ext.interop.formula import readings
from srbench_ext.method import Candidate, Method, SearchRun
from srbench_ext.registry import SRBENCH_PREFIX

__all__ = ["SrbenchMethod", "method_class"]

FloatArray = npt.NDArray[np.float64]

_TIME_NAMES = ("max_time", "timeout_in_seconds", "timeout", "stop_time", "time_limit")
"""The names under which SRBench's regressors take their limit of seconds."""

_USED_SETTINGS = {"max_train_samples", "scale_x", "scale_y", "pre_train", "use_dataframe"}
_RESERVE = 0.95  # of the clock: a regressor that keeps its own limit is a little late
_AGREEMENT = 1e-6  # relative to the deviation of y


class SrbenchMethod(Method):
    """The regressor of one folder; :func:`method_class` makes the class of a folder.

    Where the formula that ``model`` writes predicts what the regressor predicts, it is the result. Where it
    does not (rounded digits, protected operators), or cannot be read, the regressor stands beside it as a
    model that can only predict, and the notes of the run say by how much the two differ.

    Parameters
    ----------
    max_seconds : float
        Given to the regressor under whichever name it takes a limit; noted when it has none.
    random_state : int
        Given to the regressor where it has such a parameter.
    """

    folder: ClassVar[Path]

    def search(self, X: FloatArray, y: FloatArray, run: SearchRun) -> Iterator[Candidate]:
        """Fit the regressor once, and yield its formula."""
        with run.phase("load"):
            module = _load(self.folder)
        settings = _settings(module, self.folder)
        run.note("srbench_settings_not_used", sorted(set(settings) - _USED_SETTINGS))
        regressor = clone(module.est, safe=False)
        _set(regressor, ("random_state",), int(run.rng.integers(2**31)))
        limited = _set(regressor, _TIME_NAMES, max(1.0, _RESERVE * run.remaining))
        run.note("srbench_time_parameter", limited)
        X_fit, y_fit = _subsample(X, y, settings.get("max_train_samples"), run)
        model = _Fitted(
            regressor,
            _Scale.of(X_fit) if settings.get("scale_x") else None,
            _Scale.of(y_fit) if settings.get("scale_y") else None,
            bool(settings.get("use_dataframe", True)),
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # as SRBench does: they are about the regressor's own insides
            model.fit(X_fit, y_fit, settings.get("pre_train"))
            text = str(_call_model(module, regressor, model.table(X_fit)))
            predicted = model.predict(X)
        run.note("srbench_model", text[:10_000])
        yield from _candidates(model, text, X, y, predicted, run)

    def __reduce__(self) -> tuple[Any, ...]:
        return _blank, (str(self.folder),), self.__getstate__()


def method_class(folder: Path) -> type[SrbenchMethod]:
    """Return the method of a folder; nothing of the folder is imported.

    Parameters
    ----------
    folder : Path
        Holds ``regressor.py``. Its hash is the version, so that another one makes other runs.
    """
    digest = hashlib.sha256((folder / "regressor.py").read_bytes()).hexdigest()[:12]
    attributes = {
        "folder": folder,
        "name": SRBENCH_PREFIX + folder.name,
        "version": digest,
        "__module__": __name__,
    }
    return type("SrbenchMethod", (SrbenchMethod,), attributes)


def _blank(folder: str) -> SrbenchMethod:
    """Return an object to fill with pickled state; classes of the folder are importable afterwards."""
    path = Path(folder)
    _load(path)
    found = method_class(path)
    return found.__new__(found)


def _load(folder: Path) -> ModuleType:
    """Import ``regressor.py`` as a part of a package made for the folder, which it may import from."""
    package_name = f"_srbench_ext_srbench_{hashlib.sha256(str(folder).encode()).hexdigest()[:12]}"
    if package_name not in sys.modules:
        package = ModuleType(package_name)
        package.__path__ = [str(folder)]
        sys.modules[package_name] = package
    # SRBench's regressors import their neighbours, and what lies around `methods`, by bare names
    around = [folder.parent.parent] if folder.parent.name == "methods" else []
    sys.path += [str(place) for place in (folder, *around) if str(place) not in sys.path]
    try:
        module = importlib.import_module(f"{package_name}.regressor")
    except ModuleNotFoundError as error:
        raise MissingExtraError(f"The SRBench method in {folder}", [error.name or str(error)]) from error
    for name in ("est", "model"):
        if not hasattr(module, name):
            raise ConfigError(
                f"{folder / 'regressor.py'} has no {name!r}. A method of SRBench defines est, a regressor, "
                "and model(est, X), which returns its formula."
            )
    return module


def _settings(module: ModuleType, folder: Path) -> Mapping[str, Any]:
    found = getattr(module, "eval_kwargs", {})
    if not isinstance(found, Mapping):
        raise ConfigError(f"{folder / 'regressor.py'}: eval_kwargs must be a dict. Got {found!r}.")
    return found


def _set(regressor: Any, names: tuple[str, ...], value: float) -> str | None:
    """Set the first of the parameters that the regressor has, a whole number where it holds one."""
    for name in names:
        if hasattr(regressor, name):
            whole = isinstance(value, int) or isinstance(getattr(regressor, name), int)
            setattr(regressor, name, max(1, int(value)) if whole else value)
            return name
    return None


def _subsample(X: FloatArray, y: FloatArray, most: object, run: SearchRun) -> tuple[FloatArray, FloatArray]:
    if not isinstance(most, int) or not 0 < most < len(y):
        return X, y
    rows = run.rng.permutation(len(y))[:most]
    return X[rows], y[rows]


@dataclass(frozen=True, slots=True, eq=False)
class _Scale:
    """Means and deviations of columns, as SRBench standardises for regressors that ask for it."""

    mean: FloatArray
    deviation: FloatArray

    @classmethod
    def of(cls, values: FloatArray) -> _Scale:
        deviation = np.atleast_1d(values.std(axis=0))
        return cls(np.atleast_1d(values.mean(axis=0)), np.where(deviation > 0, deviation, 1.0))


@dataclass(frozen=True, slots=True, eq=False)
class _Fitted:
    """A regressor and what is done to its inputs and outputs; an opaque model once it is fitted."""

    regressor: Any
    x_scale: _Scale | None
    y_scale: _Scale | None
    as_frame: bool

    def table(self, X: FloatArray) -> Any:
        """Return the rows (n, d) as the regressor takes them."""
        values = X if self.x_scale is None else (X - self.x_scale.mean) / self.x_scale.deviation
        if not self.as_frame:
            return values
        return pd.DataFrame(values, columns=[f"x{i}" for i in range(X.shape[1])])

    def fit(self, X: FloatArray, y: FloatArray, pre_train: Any) -> None:
        """Fit the regressor, after its own preparation where it has one."""
        scale = self.y_scale
        target = y if scale is None else (y - scale.mean[0]) / scale.deviation[0]
        if callable(pre_train):
            pre_train(self.regressor, self.table(X), target)
        self.regressor.fit(self.table(X), target)

    def predict(self, X: FloatArray) -> FloatArray:
        """Return the regressor's predictions (n,) in the units of y."""
        predicted = np.asarray(self.regressor.predict(self.table(X)), dtype=np.float64).reshape(len(X))
        if self.y_scale is None:
            return predicted
        return cast("FloatArray", predicted * self.y_scale.deviation[0] + self.y_scale.mean[0])

    def in_units(self, formula: Expression) -> Expression:
        """Return a formula of standardised columns as one of the columns themselves."""
        tokens: list[str] = []
        constants: list[float] = []
        values = iter(formula.constants)
        if self.y_scale is not None:
            tokens += ["add", "C", "mul", "C"]
            constants += [float(self.y_scale.mean[0]), float(self.y_scale.deviation[0])]
        for token in formula.prefix:
            if token == "C":
                constants.append(next(values))
            elif self.x_scale is not None and token[0] == "x" and token[1:].isdigit():
                column = int(token[1:])
                tokens += ["div", "sub", token, "C"]
                constants += [float(self.x_scale.mean[column]), float(self.x_scale.deviation[column])]
                token = "C"
            tokens.append(token)
        return Expression(tuple(tokens), tuple(constants))


def _call_model(module: ModuleType, regressor: Any, table: Any) -> object:
    """Call ``model`` with the table where it takes one."""
    if "X" in inspect.signature(module.model).parameters:
        return module.model(regressor, table)
    return module.model(regressor)


def _candidates(
    model: _Fitted, text: str, X: FloatArray, y: FloatArray, predicted: FloatArray, run: SearchRun
) -> Iterator[Candidate]:
    """Yield the formula that predicts most like the regressor, and the regressor where the two differ."""
    spread = float(np.std(y)) or 1.0
    best: tuple[float, Expression] | None = None
    try:
        for reading in readings(text, X.shape[1]):
            formula = model.in_units(reading)
            with np.errstate(all="ignore"):
                gap = float(np.max(np.abs(formula.evaluate(X) - predicted))) / spread
            gap = gap if np.isfinite(gap) else float("inf")
            if best is None or gap < best[0]:
                best = (gap, formula)
    except ExpressionError as error:
        run.note("srbench_model_not_read", str(error))
    if best is not None:
        run.note("srbench_formula_differs_by", best[0])
        yield Candidate(best[1], source="model(est, X)")
    if best is None or best[0] > _AGREEMENT:
        yield Candidate(model, source="est.predict")
