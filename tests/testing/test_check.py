from __future__ import annotations

import os
import sys

import pytest

from srbench_ext import registry
from srbench_ext.errors import ConfigError, InputError
from srbench_ext.testing.check import HINTS, _read, add_folder, check
from srbench_ext.testing.contract import MethodContract
from srbench_ext.testing.template import write_template


@pytest.fixture
def started(tmp_path, monkeypatch):
    """A new method's folder, which the commands know."""
    monkeypatch.setenv(registry.PLUGINS_VARIABLE, str(tmp_path))
    yield write_template("my-method", tmp_path)
    for name in [name for name in sys.modules if name.startswith("_srbench_ext_plugin_")]:
        del sys.modules[name]


def test_a_new_method_passes_the_whole_contract_as_it_is(started):
    results = check("my-method")
    assert [result for result in results if result.state == "failed"] == []
    assert {result.test.partition("[")[0] for result in results} == set(HINTS)


def test_a_new_method_is_described_and_can_be_made(started):
    assert registry.describe("my-method").summary
    assert registry.create("my-method", n_formulas=3).n_formulas == 3


def test_a_failed_test_says_why_and_what_to_fix(started):
    text = (started / "method.py").read_text()
    (started / "method.py").write_text(
        text.replace("run.rng, X.shape[1]", "np.random.default_rng(), X.shape[1]")
    )
    tests = "from srbench_ext.testing import MethodContract\n\nclass TestIt:\n"
    tests += "    method_name = 'my-method'\n    parameters = {'n_formulas': 5}\n"
    tests += "    make = classmethod(MethodContract.make.__func__)\n    fitted = MethodContract.fitted\n"
    tests += "    test_equal_seeds_give_equal_results = MethodContract.test_equal_seeds_give_equal_results\n"
    tests += "    max_seconds = 20.0\n"
    (started / "test_method.py").write_text(tests)
    (result,) = check("my-method")
    assert (result.test, result.state) == ("test_equal_seeds_give_equal_results", "failed")
    assert "assert" in result.message.lower()
    assert "run.rng" in result.hint


def test_every_test_of_the_contract_has_a_hint():
    assert {name for name in dir(MethodContract) if name.startswith("test_")} == set(HINTS)


def test_skipped_tests_are_no_failures(tmp_path):
    path = tmp_path / "results.xml"
    path.write_text(
        '<testsuites><testsuite><testcase name="test_a"/>'
        '<testcase name="test_b"><skipped message="takes any number"/></testcase></testsuite></testsuites>'
    )
    assert [(r.test, r.state, r.message) for r in _read(path)] == [
        ("test_a", "passed", ""),
        ("test_b", "skipped", "takes any number"),
    ]


def test_tests_that_cannot_be_run_say_why(started):
    (started / "test_method.py").write_text("this is not Python")
    (result,) = check("my-method")
    assert result.state == "failed"


def test_tests_without_an_end_are_an_error(started):
    (started / "test_method.py").write_text("import time\n\ndef test_long():\n    time.sleep(600)\n")
    with pytest.raises(ConfigError, match="not done after 1 s"):
        check("my-method", seconds=1.0)


@pytest.mark.parametrize("name", ["", "My", "1st", "a_b", "a--b", "../x"])
def test_names_that_cannot_be_are_refused(name, tmp_path):
    with pytest.raises(InputError, match="lower-case letters"):
        write_template(name, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_what_is_there_is_never_overwritten(started, tmp_path):
    with pytest.raises(InputError, match="is there already"):
        write_template("my-method", tmp_path)


def test_a_folder_is_registered_by_its_path(tmp_path, monkeypatch):
    monkeypatch.setenv(registry.PLUGINS_VARIABLE, "")
    place = write_template("my-method", tmp_path / "there")
    assert add_folder(str(place)) == "my-method"
    assert os.environ[registry.PLUGINS_VARIABLE] == str(tmp_path / "there")
    assert add_folder("linear") == "linear"
