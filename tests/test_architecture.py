"""The floors: a module imports only from floors below its own."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import srbench_ext

PACKAGE = Path(srbench_ext.__file__).parent
METHODS = PACKAGE.parent / "methods"

FLOORS = {
    "errors": 0,
    "expression": 1,
    "metrics": 2,
    "data": 2,
    "corpus": 3,
    "search": 3.5,  # its random trees are drawn from the corpus grammar
    "models": 4,
    "method": 5,
    "record": 5,
    "shards": 5.5,  # files of many records
    "latent": 5.5,  # latent spaces and their search, which several plugins share
    "methods": 6,
    "registry": 7,
    "interop": 7.5,  # SRBench's method folders and result files
    "runner": 8,
    "report": 8,
    "inventory": 8,
    "in_domain": 8,
    "latent_study": 8.5,  # writes its tables and figures as the report does
    "testing": 8,
    "cli": 9,
    "__main__": 9,
}
NOT_A_FLOOR = {"protocols", "datasets"}  # data files only


def modules():
    """Every module as (part, path), plugins under the part ``methods``."""
    for path in sorted(PACKAGE.rglob("*.py")):
        relative = path.relative_to(PACKAGE)
        part = relative.parts[0].removesuffix(".py")
        if part not in {"__init__", "methods"} | NOT_A_FLOOR:
            yield part, path
    for path in sorted(METHODS.rglob("*.py")):
        if path.name != "test_method.py":  # a method's own contract test is no part of the method
            yield "methods", path


MODULES = list(modules())


def package_of(path, level):
    """The package that a relative import of this level starts from."""
    if level == 0:
        return []
    return ["srbench_ext", *path.relative_to(METHODS.parent if METHODS in path.parents else PACKAGE).parts][
        :-level
    ]


def imports(path):
    """The modules that a file names in an import statement, at the top or inside of a function."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = ".".join(filter(None, [*package_of(path, node.level), node.module]))
            yield module
            yield from (f"{module}.{alias.name}" for alias in node.names)


def parts_of(path):
    for name in imports(path):
        pieces = name.split(".")
        if pieces[0] == "srbench_ext" and len(pieces) > 1 and pieces[1] in FLOORS:
            yield pieces[1], pieces


def test_every_module_has_a_floor():
    assert {part for part, _ in MODULES} <= set(FLOORS)


def short(value):
    return str(value).removeprefix(f"{PACKAGE.parent}/")


@pytest.mark.parametrize(("part", "path"), MODULES, ids=short)
def test_a_module_imports_only_from_lower_floors(part, path):
    for other, pieces in parts_of(path):
        if other == part and part != "methods":
            continue
        if other == part == "methods":
            own = path.relative_to(METHODS).parts[0]
            assert pieces[2:3] in ([], [own]), f"{path} imports the plugin {pieces[2]}"
            continue
        assert FLOORS[other] < FLOORS[part], f"{path} (floor {FLOORS[part]}) imports {'.'.join(pieces)}"


def test_torch_is_imported_only_by_models_and_plugins():
    guilty = [
        path
        for part, path in MODULES
        if part not in {"models", "methods"} and any(name.split(".")[0] == "torch" for name in imports(path))
    ]
    assert guilty == []


def test_the_harness_names_no_method():
    names = {path.parent.name for path in METHODS.glob("*/method.toml")}
    elsewhere = {
        "methods",
        "cli",
        "corpus",
        "models",
    }  # the command's defaults; names of grammars and layouts
    code = [(part, path) for part, path in MODULES if part not in elsewhere]
    for _, path in code:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        docs = {id(n.body[0].value) for n in ast.walk(tree) if _has_docstring(n)}
        strings = {
            n.value
            for n in ast.walk(tree)
            if isinstance(n, ast.Constant) and isinstance(n.value, str) and id(n) not in docs
        }
        allowed = {"gplearn", "pyoperon"}  # the distributions that records list versions of
        assert not (names & strings) - allowed, f"{path} names {names & strings}"


def _has_docstring(node):
    kinds = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    return isinstance(node, kinds) and ast.get_docstring(node) is not None


BLOCK_TORCH = """
import sys
class Block:
    def find_spec(self, name, path=None, target=None):
        if name == "torch" or name.startswith("torch."):
            raise ImportError("torch is blocked")
sys.meta_path.insert(0, Block())
"""


def run_without_torch(code):
    return subprocess.run(
        [sys.executable, "-c", BLOCK_TORCH + code], capture_output=True, text=True, check=False, timeout=120
    )


def test_the_package_lists_reports_and_fits_without_torch():
    done = run_without_torch(
        "import srbench_ext\n"
        "assert 'numpy' not in sys.modules, 'importing the package must do nothing'\n"
        "from srbench_ext.registry import names, describe\n"
        "assert [describe(n) for n in names()]\n"
        "import srbench_ext.report, srbench_ext.runner\n"
        "import numpy as np\n"
        "X = np.random.default_rng(0).normal(size=(20, 2))\n"
        "m = srbench_ext.create('linear').fit(X, X[:, 0] - X[:, 1])\n"
        "assert m.score(X, X[:, 0] - X[:, 1]) > 0.999\n"
        "print('fine')\n"
    )
    assert done.stdout.strip() == "fine", done.stderr


def test_the_report_does_not_load_the_runner():
    done = run_without_torch(
        "import srbench_ext.report; print([m for m in sys.modules if m.startswith('srbench_ext.runner')])"
    )
    assert done.stdout.strip() == "[]", done.stderr
