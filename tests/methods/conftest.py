from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def files():
    """The module of small checkpoints with GenSR's and SNIP's layouts; these tests are no package."""
    path = Path(__file__).with_name("latent_lookalike.py")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
