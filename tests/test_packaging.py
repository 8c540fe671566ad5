"""What a newcomer relies on before the first run: make targets, pins, versions and links."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import srbench_ext

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
PAGES = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("results/published/*.md")]

needs_make = pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")


def normal(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def pins():
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    return dict(line.split("==") for line in lines if line and not line.startswith("#"))


def make(folder, *arguments):
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    done = subprocess.run(
        ["make", "-C", str(folder), "--no-print-directory", *arguments],
        capture_output=True, text=True, check=True, env=environment,
    )  # fmt: skip
    return done.stdout


@pytest.fixture
def fresh(tmp_path):
    """The files that make needs, in a folder without a .venv."""
    for name in ("Makefile", "pyproject.toml", "constraints.txt", "setup.py"):
        shutil.copy(ROOT / name, tmp_path)
    return tmp_path


@needs_make
def test_make_alone_lists_every_target(fresh):
    out = make(fresh)
    for target in ("bench", "tables", "test", "check", "perf", "train"):
        assert re.search(rf"make {target} +\w", out)
    assert not (fresh / ".venv").exists()


@needs_make
def test_the_first_call_installs_with_the_pins_and_the_given_pip_arguments(fresh):
    out = make(fresh, "--dry-run", "test", "PIP_ARGS=--no-index")
    assert "-m venv .venv" in out
    assert "pip install --no-index --constraint constraints.txt --editable" in out
    assert out.index("pip install") < out.index("pytest")


@needs_make
def test_the_second_call_starts_at_once(fresh):
    (fresh / ".venv").mkdir()
    (fresh / ".venv" / ".installed").touch()
    assert "pip" not in make(fresh, "--dry-run", "test")


@needs_make
@pytest.mark.parametrize("name", ["pyproject.toml", "constraints.txt", "setup.py"])
def test_a_changed_requirement_installs_again(fresh, name):
    (fresh / ".venv").mkdir()
    (fresh / ".venv" / ".installed").touch()
    os.utime(fresh / ".venv" / ".installed", (0, 0))
    os.utime(fresh / name, (1, 1))
    for other in {"pyproject.toml", "constraints.txt", "setup.py"} - {name}:
        os.utime(fresh / other, (0, 0))
    assert "pip install" in make(fresh, "--dry-run", "test")


@needs_make
def test_bench_runs_and_reports_one_folder(fresh):
    out = make(fresh, "--dry-run", "bench", "METHOD=linear", "SUITE=strogatz", "JOBS=3", "OUT=there")
    assert out.splitlines()[-2:] == [
        ".venv/bin/srbench-ext run --method linear --suite strogatz --protocol quick --jobs 3 --out there",
        ".venv/bin/srbench-ext report there",
    ]


@needs_make
def test_training_goes_to_a_folder_of_its_own(fresh):
    out = make(fresh, "--dry-run", "train", "METHOD=e2e", "MINUTES=5", "RESUME=1")
    words = " ".join(out.splitlines()[-1].split())  # make leaves a space for what is not given
    assert words == ".venv/bin/srbench-ext train e2e --out runs/e2e --minutes 5 --resume"


def test_every_dependency_is_pinned():
    wanted = [*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["dev"]]
    names = {normal(re.split(r"[<>=!~\[; ]", requirement)[0]) for requirement in wanted}
    assert names <= {normal(name) for name in pins()}


def test_the_pins_name_no_index_and_no_local_build():
    text = (ROOT / "constraints.txt").read_text()
    assert pins()["torch"] == "2.13.0"
    assert "+" not in "".join(pins().values())
    assert "://" not in text
    assert "--" not in text


def test_one_version_everywhere():
    citation = re.search(r"^version: (.+)$", (ROOT / "CITATION.cff").read_text(), re.MULTILINE)
    assert PROJECT["version"] == srbench_ext.__version__ == citation[1]


def test_importing_the_package_and_the_command_line_imports_nothing_heavy():
    code = (
        "import sys, srbench_ext, srbench_ext.cli; "
        "print([m for m in ('torch', 'numba', 'pandas', 'sympy', 'matplotlib') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_between_pages_lead_somewhere(page):
    links = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))
    broken = [link for link in links if "://" not in link and not (page.parent / link).exists()]
    assert broken == []


def test_every_named_dependency_has_its_reason_in_the_readme():
    readme = normal((ROOT / "README.md").read_text(encoding="utf-8"))
    names = [normal(re.split(r"[<>=!~\[; ]", requirement)[0]) for requirement in PROJECT["dependencies"]]
    assert [name for name in names if name not in readme] == []


def test_the_ci_script_can_be_run():
    assert os.access(ROOT / ".ci" / "run", os.X_OK)


def test_every_folder_with_weights_is_a_package_so_that_wheels_hold_them():
    folders = {
        path.parent for top in ("srbench_ext", "methods") for path in (ROOT / top).rglob("*.safetensors")
    }
    assert folders
    assert [str(folder) for folder in folders if not (folder / "__init__.py").is_file()] == []
