"""A package of somebody else's, built and installed, brings a method."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

PYPROJECT = """
[build-system]
requires = ["setuptools>=77"]
build-backend = "setuptools.build_meta"

[project]
name = "their-regression"
version = "0.3"

[project.entry-points."srbench_ext.methods"]
theirs = "their_regression.method:TheirRegressor"

[tool.setuptools]
packages = ["their_regression"]
"""
METHOD = """
from srbench_ext.expression import Expression
from srbench_ext.method import Candidate, Method


class TheirRegressor(Method):
    name = "theirs"
    version = "0.3"

    def search(self, X, y, run):
        yield Candidate(Expression(("x0",)))
"""
USE = """
import sys
from pathlib import Path
from srbench_ext import registry
from srbench_ext.runner import Store, execute, plan

assert registry.describe("theirs").summary == "from the package their-regression"
(spec,) = plan(["theirs"], ["strogatz"], "quick", only="strogatz_vdp1")
execute([spec], Path(sys.argv[1]), progress=False)
record = Store(Path(sys.argv[1])).load(spec.run_id)
print(record.status, record.spec.method_version, record.error)
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """The package, installed by pip into a folder of its own, without the network."""
    source, target = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("site")
    (source / "pyproject.toml").write_text(PYPROJECT)
    (source / "their_regression").mkdir()
    (source / "their_regression" / "__init__.py").touch()
    (source / "their_regression" / "method.py").write_text(METHOD)
    offline = ["--no-deps", "--no-build-isolation", "--no-index", "--disable-pip-version-check"]
    command = [sys.executable, "-m", "pip", "install", *offline, "--target", str(target), str(source)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return target


def test_an_installed_package_brings_its_method_and_the_method_runs(installed, tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", USE, str(tmp_path)],
        env=os.environ | {"PYTHONPATH": str(installed)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.strip() == "ok 0.3 None", done.stderr
