"""The exceptions of the package.

::

    SrbenchError
    ├── InputError            bad X, y, table or argument value        (also a ValueError)
    ├── ExpressionError       a formula that cannot be read or evaluated (also a ValueError)
    ├── UnknownNameError      method, suite, protocol, problem, key    (also a KeyError)
    ├── ConfigError           a TOML file or a parameter that does not fit
    ├── DataError             a table that is missing or is not the listed one
    ├── RecordError           a record that cannot be read
    ├── WeightsError          a checkpoint that is missing, altered or of another shape
    └── MissingExtraError     an optional package is not installed    (also an ImportError)

Every message says what was wrong, what was got, what is allowed and what to do.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

__all__ = [
    "ConfigError",
    "DataError",
    "ExpressionError",
    "InputError",
    "MissingExtraError",
    "RecordError",
    "SrbenchError",
    "UnknownNameError",
    "WeightsError",
    "check_keys",
]


class SrbenchError(Exception):
    """Base of every error this package raises on purpose."""


class InputError(SrbenchError, ValueError):
    """Data or an argument the caller has to change."""


class ExpressionError(SrbenchError, ValueError):
    """A formula that cannot be parsed, formatted or evaluated."""


class UnknownNameError(SrbenchError, KeyError):
    """A name that is not known, with the nearest known ones.

    Parameters
    ----------
    kind : str
        What was looked up, for instance ``"method"``.
    name : str
        What the caller gave.
    known : iterable of str
        The names that exist.
    """

    def __init__(self, kind: str, name: str, known: Iterable[str]) -> None:
        self.kind = kind
        self.name = name
        self.known = sorted(known)
        super().__init__(self._message())

    def _message(self) -> str:
        close = difflib.get_close_matches(self.name, self.known, n=3)
        hint = f" Did you mean {' or '.join(repr(c) for c in close)}?" if close else ""
        listed = ", ".join(self.known) or "none"
        return f"Unknown {self.kind} {self.name!r}.{hint} Known: {listed}."

    def __str__(self) -> str:  # KeyError would print the repr
        return self._message()


class ConfigError(SrbenchError, ValueError):
    """A configuration file or parameter that does not fit its schema."""


class DataError(SrbenchError):
    """A table that is missing, altered or not reachable."""


class RecordError(SrbenchError):
    """A record file that is corrupt or of another schema."""


class WeightsError(SrbenchError):
    """A checkpoint that is missing, altered or does not fit the model."""


class MissingExtraError(SrbenchError, ImportError):
    """An optional package or program that a method needs is not installed.

    Parameters
    ----------
    what : str
        What needs it.
    packages : iterable of str
        What is missing.
    install : str, optional
        How to get it; by default the packages' names after ``pip install``.
    """

    def __init__(self, what: str, packages: Iterable[str], install: str | None = None) -> None:
        self.packages = tuple(packages)
        wanted = " ".join(self.packages)
        install = install or f"pip install {wanted}"
        super().__init__(f"{what} needs {wanted}, which is not installed. Run: {install}")


def check_keys(given: Iterable[str], known: Iterable[str], where: object, kind: str = "key") -> None:
    """Refuse a key that a configuration does not know.

    Parameters
    ----------
    given, known : iterable of str
        The keys that are there, and those that may be.
    where : object
        What holds them, for the message: a path, or a name such as ``The protocol 'quick'``.
    kind : str
        What a key is called, as in ``column``.

    Raises
    ------
    ConfigError
        For the first one that is not known, with the nearest known ones.
    """
    allowed = list(known)
    for key in given:
        if key not in allowed:
            raise ConfigError(f"{where}: {UnknownNameError(kind, key, allowed)}")
