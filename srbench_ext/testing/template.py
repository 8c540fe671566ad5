"""The folder that a new method starts from: it runs, and it passes the contract tests."""

from __future__ import annotations

import re
from pathlib import Path

from srbench_ext.errors import InputError

__all__ = ["write_template"]

_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")

_TOML = """\
name = "{name}"
class = "method:{cls}"
summary = "Random formulas, the constants fitted"
reference = ""                        # author (year), title
requires = []                         # packages beyond the core, as they are imported
neural = false
track = "none"                        # controlled, release or official when it has weights
# python = "/path/to/venv/bin/python" # an interpreter of its own, when its packages clash with the core's

# [defaults]                          # parameters that differ from those of the class
# [presets.long]                      # {name}@long
# n_formulas = 10000
"""

_METHOD = '''\
"""Random formulas, the constants fitted: replace this by your method."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from srbench_ext.expression import fit_constants
from srbench_ext.method import Candidate, Method, SearchRun

__all__ = ["{cls}"]

FloatArray = npt.NDArray[np.float64]


class {cls}(Method):
    """Draws formulas and fits their constants.

    Parameters
    ----------
    max_seconds, random_state
        See :class:`~srbench_ext.method.Method`.
    n_formulas : int
        How many formulas are drawn, unless the time is over before.
    """

    name = "{name}"
    version = "1"  # raise it whenever the results change
    max_features = None  # or the most columns that the method takes

    def __init__(self, *, max_seconds: float = 60.0, random_state: int = 0, n_formulas: int = 1000) -> None:
        super().__init__(max_seconds=max_seconds, random_state=random_state)
        self.n_formulas = n_formulas  # stored, nothing else happens here

    def search(self, X: FloatArray, y: FloatArray, run: SearchRun) -> Iterator[Candidate]:
        """Yield every formula; the base class keeps what is good."""
        for _ in range(self.n_formulas):
            if run.expired:
                return
            formula = ("add", "mul", "C", *draw(run.rng, X.shape[1], depth=2), "C")
            fit = fit_constants(formula, X, y, rng=run.rng, deadline=run.deadline)
            run.count("fits")
            yield Candidate(fit.expression, source="drawn")


def draw(rng: np.random.Generator, n_columns: int, depth: int) -> tuple[str, ...]:
    """Draw a formula as prefix tokens; draws come from the run's generator, never from a global one."""
    if depth == 0 or rng.random() < 0.2:
        return (f"x{{rng.integers(n_columns)}}",)
    operator = str(rng.choice(["add", "sub", "mul", "div", "sin", "exp"]))
    n_operands = 1 if operator in ("sin", "exp") else 2
    operands = [draw(rng, n_columns, depth - 1) for _ in range(n_operands)]
    return (operator, *(token for operand in operands for token in operand))
'''

_TEST = """\
from __future__ import annotations

from srbench_ext.testing import MethodContract


class Test{cls}(MethodContract):
    method_name = "{name}"
    parameters = {{"n_formulas": 20}}  # with these a fit on 60 rows ends by itself within a second or two
    deadline_parameters = {{"n_formulas": 10**9}}  # with these it would go on for longer than a second
"""

_README = """\
# {name}

What it does, from which paper, and what differs from it.

    srbench-ext check {name}
    srbench-ext run --method {name} --suite strogatz --protocol quick --out results/{name}
"""

_FILES = {
    "method.toml": _TOML,
    "__init__.py": '"""The method {name}."""\n',
    "method.py": _METHOD,
    "test_method.py": _TEST,
    "README.md": _README,
}


def write_template(name: str, folder: Path) -> Path:
    """Write the folder of a new method.

    Parameters
    ----------
    name : str
        Lower-case letters, digits and hyphens.
    folder : Path
        Where the method's folder is made.

    Returns
    -------
    Path
        The method's folder.

    Raises
    ------
    InputError
        If the name has another form, or there is such a folder already.
    """
    if not _NAME.fullmatch(name):
        raise InputError(
            f"A method's name has lower-case letters, digits and hyphens, a letter first. Got {name!r}."
        )
    place = folder / name
    if place.exists():
        raise InputError(f"{place} is there already. Choose another name or remove it.")
    cls = "".join(part.capitalize() for part in name.split("-")) + "Regressor"
    place.mkdir(parents=True)
    for file, text in _FILES.items():
        (place / file).write_text(text.format(name=name, cls=cls), encoding="utf-8")
    return place
