from __future__ import annotations

import pytest

from srbench_ext.registry import PLUGINS_VARIABLE

from .chaos import PLUGINS


@pytest.fixture(autouse=True)
def plugins(monkeypatch):
    """The misbehaving method is registered, here and in every process started from here."""
    monkeypatch.setenv(PLUGINS_VARIABLE, str(PLUGINS))
