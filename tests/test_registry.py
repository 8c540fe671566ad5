from __future__ import annotations

import importlib.metadata
import subprocess
import sys
from pathlib import Path

import pytest

from srbench_ext import registry
from srbench_ext.errors import ConfigError, MissingExtraError, UnknownNameError
from srbench_ext.method import Method

METHOD = """
from srbench_ext.method import Method

class Mine(Method):
    name = "mine"
    version = "1"

    def __init__(self, *, max_seconds=60.0, random_state=0, depth=3):
        super().__init__(max_seconds=max_seconds, random_state=random_state)
        self.depth = depth

    def search(self, X, y, run):
        yield from ()

not_a_method = 3
"""
TOML = """
name = "mine"
class = "method:Mine"
summary = "a plugin of a test"
"""


@pytest.fixture
def plugin(tmp_path, monkeypatch):
    """Write a plugin folder; calling it again replaces the description."""

    def write(toml=TOML, folder="mine", method=METHOD):
        (tmp_path / folder).mkdir(exist_ok=True)
        (tmp_path / folder / "method.toml").write_text(toml)
        (tmp_path / folder / "method.py").write_text(method)
        return tmp_path / folder

    monkeypatch.setenv(registry.PLUGINS_VARIABLE, str(tmp_path))
    for name in [name for name in sys.modules if name.startswith("_srbench_ext_plugin_")]:
        monkeypatch.delitem(sys.modules, name)
    yield write
    for name in [name for name in sys.modules if name.startswith("_srbench_ext_plugin_")]:
        del sys.modules[name]


def test_the_bundled_methods_are_found():
    assert {"linear", "gplearn", "operon"} <= set(registry.names())


def test_every_method_is_described_and_its_class_agrees():
    for name in registry.names():
        info = registry.describe(name)
        assert info.summary
        if not registry.missing_packages(info):
            found = registry.load_class(name)
            assert issubclass(found, Method)
            assert found.name == name
            assert found.version
            assert registry.parameters_of(name).keys() >= {"max_seconds", "random_state"}


def test_listing_imports_no_method():
    code = (
        "import sys; from srbench_ext import registry; "
        "[registry.describe(n) for n in registry.names()]; "
        "bad = {'torch', 'gplearn', 'pyoperon'} & set(sys.modules); "
        "bad |= {m for m in sys.modules if m.startswith('srbench_ext.methods.')}; print(sorted(bad))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_unknown_names_get_a_suggestion():
    with pytest.raises(UnknownNameError, match="Did you mean 'linear'"):
        registry.create("linaer")


def test_unknown_parameters_get_a_suggestion():
    with pytest.raises(UnknownNameError, match="Did you mean 'max_seconds'"):
        registry.create("linear", max_second=3)


def test_a_folder_of_the_users_own_is_found(plugin):
    plugin()
    method = registry.create("mine", depth=5)
    assert method.depth == 5
    assert registry.parameters_of("mine")["depth"] == 3


def test_defaults_and_presets_come_from_the_description(plugin):
    plugin(TOML + "[defaults]\ndepth = 4\n[presets.deep]\ndepth = 9\n")
    assert registry.create("mine").depth == 4
    assert registry.create("mine@deep").depth == 9
    assert registry.create("mine@deep", depth=1).depth == 1
    with pytest.raises(UnknownNameError, match="Did you mean 'deep'"):
        registry.create("mine@deeep")


@pytest.mark.parametrize(
    ("toml", "message"),
    [
        (TOML + 'sumary = "x"\n', "Did you mean 'summary'"),
        ("name = ", "not TOML"),
        (TOML.replace('"mine"', "3"), "'name' must be a str"),
        (TOML.replace("summary", "reference"), "'summary' must be a str. Got nothing"),
        (TOML + 'track = "fast"\n', "controlled, release, official or none"),
        (TOML + '[tracks.depth]\n9 = "fast"\n', "'tracks.depth.9' must be controlled"),
        (TOML + '[tracks]\ndepth = "release"\n', "'depth' must be a dict"),
    ],
)
def test_a_description_that_does_not_fit_is_refused(plugin, toml, message):
    plugin(toml)
    with pytest.raises(ConfigError, match=message):
        registry.names()


def test_a_parameter_may_choose_weights_of_another_track(plugin):
    toml = TOML + 'track = "release"\n[tracks.depth]\n9 = "controlled"\n[presets.deep]\ndepth = 9\n'
    plugin(toml)
    assert registry.track_of("mine") == "release"
    assert registry.track_of("mine@deep") == registry.track_of("mine", {"depth": 9}) == "controlled"
    assert registry.track_of("mine@deep", {"depth": 8}) == "release"
    assert registry.track_of("mine@deep", {"weights": "official"}) == "official"
    assert registry.track_of("mine@deep", {"weights": "my.safetensors"}) == "release"
    plugin(toml + "[defaults]\ndepth = 9\n")
    assert registry.track_of("mine") == "controlled"


def test_tracks_are_told_by_parameters_that_there_are():
    for name in registry.names():
        info = registry.describe(name)
        if info.tracks:
            assert set(info.tracks) <= set(registry.parameters_of(name))


def test_two_methods_of_one_name_are_named(plugin):
    first = plugin(TOML.replace('"mine"', '"linear"'))
    with pytest.raises(ConfigError, match=r"Two methods are named 'linear'") as caught:
        registry.names()
    assert str(first) in str(caught.value)


@pytest.mark.parametrize("name", ["Absent", "not_a_method"])
def test_a_class_that_is_no_method_is_refused(plugin, name):
    plugin(TOML.replace("method:Mine", f"method:{name}"))
    with pytest.raises(ConfigError, match=r"missing|not a subclass"):
        registry.load_class("mine")


def test_a_missing_package_gives_the_line_to_run(plugin):
    plugin(TOML + 'requires = ["surely_not_installed"]\n')
    assert registry.describe("mine").requires == ("surely_not_installed",)
    with pytest.raises(MissingExtraError, match="pip install surely_not_installed"):
        registry.create("mine")


def test_an_entry_point_is_a_method(monkeypatch):
    entry = importlib.metadata.EntryPoint("theirs", "collections:OrderedDict", registry.ENTRY_POINT_GROUP)
    monkeypatch.setattr(registry, "_entry_points", lambda: (entry,))
    assert registry.describe("theirs").class_path == "collections:OrderedDict"
    with pytest.raises(ConfigError, match="not a subclass"):
        registry.load_class("theirs")


def test_training_is_found_or_those_that_have_it_are_listed(plugin):
    folder = plugin()
    with pytest.raises(ConfigError, match="nothing to train"):
        registry.load_train("mine")
    (folder / "train.py").write_text(
        "def main(out, minutes=None, examples=None, resume=False):\n    return out, minutes, resume\n"
    )
    assert registry.load_train("mine")(Path("x"), minutes=1.0) == (Path("x"), 1.0, False)
    with pytest.raises(ConfigError, match="mine"):
        registry.load_train("linear")


def test_training_of_a_preset_hands_its_name_on(plugin):
    folder = plugin(TOML + "[presets.small]\ndepth = 1\n[presets.large]\ndepth = 9\n")
    (folder / "train.py").write_text("def main(out, preset='small'):\n    return out, preset\n")
    assert registry.load_train("mine@large")("x") == ("x", "large")
    with pytest.raises(UnknownNameError, match="huge"):
        registry.load_train("mine@huge")


def test_a_preset_is_refused_where_all_share_their_weights(plugin):
    folder = plugin(TOML + "[presets.small]\ndepth = 1\n")
    (folder / "train.py").write_text("def main(out):\n    return out\n")
    with pytest.raises(ConfigError, match="one set of weights"):
        registry.load_train("mine@small")


def test_a_plugins_path_that_is_no_folder_is_refused(monkeypatch):
    monkeypatch.setenv(registry.PLUGINS_VARIABLE, "/no/such/folder")
    with pytest.raises(ConfigError, match="is not a folder"):
        registry.names()


def test_descriptions_and_protocols_are_read_without_scikit_learn_and_the_kernels():
    code = (
        "import sys; from srbench_ext import registry; from srbench_ext.data import suites; "
        "from srbench_ext.runner.protocol import load_protocol; "
        "registry.describe('linear'); load_protocol('quick'); suites(); "
        "print(sorted({'sklearn', 'numba', 'pandas', 'scipy'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
