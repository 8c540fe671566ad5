"""What stands in the paper tables, read from ``layouts.toml``."""

from __future__ import annotations

import dataclasses
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Any, Literal, get_args

from srbench_ext.errors import ConfigError
from srbench_ext.report.scores import MEASURES

__all__ = ["IN_DOMAIN_MEASURES", "Layout", "load_layouts", "read_layouts"]

Groups = Literal["suite", "noise", "in-domain"]

IN_DOMAIN_MEASURES = ("mean_r2", "rate_r2_gt_0.99", "acc_0.1", "acc_0.01", "acc_0.001", "mean_complexity")
"""The measures of an in-domain study."""


@dataclass(frozen=True, slots=True)
class Layout:
    """One paper table.

    Attributes
    ----------
    name : str
        In file names and labels.
    title, after : str
        What stands above it, and which published table has its shape.
    groups : {"suite", "noise", "in-domain"}
        What the columns are grouped by; ``in-domain`` has one group, and rows of its own.
    measures, measures_without_truth : tuple of str
        The columns of a group, for suites with and without known laws.
    sources : tuple of str
        Published figures whose source begins so stand beside ours.
    suites : tuple of str
    noise : tuple of float
    """

    name: str
    title: str
    after: str
    groups: Groups
    measures: tuple[str, ...]
    sources: tuple[str, ...]
    measures_without_truth: tuple[str, ...] = ()
    suites: tuple[str, ...] = ()
    noise: tuple[float, ...] = ()


def load_layouts() -> tuple[Layout, ...]:
    """Return the shipped layouts, in their order."""
    return read_layouts(files("srbench_ext.report.papers").joinpath("layouts.toml").read_text("utf-8"))


def read_layouts(text: str) -> tuple[Layout, ...]:
    """Read layouts from TOML, one a table.

    Raises
    ------
    ConfigError
        For text that is not TOML, an unknown or missing key, and a measure or grouping that there is not.
    """
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"The layouts of paper tables are not TOML: {error}.") from error
    return tuple(_layout(name, values) for name, values in content.items())


def _layout(name: str, values: Mapping[str, Any]) -> Layout:
    fields = {field.name: field for field in dataclasses.fields(Layout) if field.name != "name"}
    missing = [
        key for key, field in fields.items() if field.default is dataclasses.MISSING and key not in values
    ]
    unknown = [key for key in values if key not in fields]
    if missing or unknown:
        raise ConfigError(
            f"The layout {name!r} lacks {missing or 'nothing'} and has the unknown {unknown or 'nothing'}. "
            f"Its keys are {', '.join(fields)}."
        )
    given: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}
    layout = Layout(name=name, **given)
    if layout.groups not in get_args(Groups):
        raise ConfigError(
            f"The columns of the layout {name!r} are grouped by one of {', '.join(get_args(Groups))}. "
            f"Got {layout.groups!r}."
        )
    allowed = IN_DOMAIN_MEASURES if layout.groups == "in-domain" else MEASURES
    for measure in (*layout.measures, *layout.measures_without_truth):
        if measure not in allowed:
            raise ConfigError(
                f"The layout {name!r} has the unknown measure {measure!r}. Allowed: {', '.join(allowed)}."
            )
    return layout
