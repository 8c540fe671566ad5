from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Real tables and rows that lie beside the repository, where they are to be had."""
    folder = Path(__file__).resolve().parents[3] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("no real rows beside the repository (../shared/data)")
    return folder


@pytest.fixture(scope="session")
def real_cache(real_data: Path) -> Path:
    return real_data / "pmlb_cache"
