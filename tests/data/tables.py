"""Small synthetic tables in PMLB's layout."""

import gzip
import hashlib
from pathlib import Path

from srbench_ext.data import Problem, Suite


def table_bytes(*, target: str = "target", seed: int = 0) -> bytes:
    rows = "\n".join(f"{i + seed}\t{2 * i}.5\t{i * i}" for i in range(8))
    return gzip.compress(f"{target}\ta b\tI\n{rows}\n".encode(), mtime=0)


def write_table(cache: Path, name: str, content: bytes) -> Path:
    path = cache / name / f"{name}.tsv.gz"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def small_problem(name: str = "small", content: bytes | None = None, **facts: object) -> Problem:
    content = table_bytes() if content is None else content
    given = {
        "n_rows": 8,
        "n_features": 2,
        "sha256": hashlib.sha256(content).hexdigest(),
        "n_bytes": len(content),
    }
    return Problem("tiny", name, **{**given, **facts})  # type: ignore[arg-type]


def small_suite(*problems: Problem, refs: tuple[str, ...] = ("master",)) -> Suite:
    return Suite("tiny", "Tiny", "made for tests", problems, refs=refs)
