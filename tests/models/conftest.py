from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

from srbench_ext.models import precision
from srbench_ext.models.foundation import Foundation

from .tiny import tiny_foundation


@pytest.fixture(autouse=True)
def _float32_on_one_thread(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Results shall not depend on which number format is faster here."""
    monkeypatch.setattr(precision, "bfloat16_pays", lambda device_type: False)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def model() -> Foundation:
    return tiny_foundation().eval().requires_grad_(False)
