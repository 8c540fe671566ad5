"""Files that try something: nothing of them is executed, and each is refused by a named error."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from pathlib import Path

import pytest

from srbench_ext.errors import WeightsError
from srbench_ext.models.official import machine
from srbench_ext.models.official.archive import open_archive
from srbench_ext.models.official.e2e_layout import E2E_NAMES, read_e2e
from srbench_ext.models.official.errors import CheckpointError, ForbiddenNameError, LayoutError, PickleError
from srbench_ext.models.official.records import Name, Record

from .crafted import START, STOP, call, group, legacy_file, name, number, text, zip_file

EMPTY_DICT, GETATTR = b"}", name("__builtin__", "getattr")


def attacks(canary: Path) -> dict[str, bytes]:
    """Return pickles that leave a file behind when Python's own unpickler reads them."""
    shell, python = f"echo > {canary}", f"open({str(canary)!r}, 'w').close()"
    imported = call(name("__builtin__", "__import__"), text("os"))
    return {
        "os.system": call(name("os", "system"), text(shell)),
        "posix.system": call(name("posix", "system"), text(shell)),
        "eval": call(name("__builtin__", "eval"), text(python)),
        "exec": call(name("__builtin__", "exec"), text(python)),
        "Popen": call(name("subprocess", "call"), group(text("touch"), text(str(canary)))),
        "Popen.__new__ and BUILD": name("__builtin__", "open") + group(text(str(canary)), text("w")) + b"R",
        "nested calls": call(call(GETATTR, imported, text("system")), text(shell)),
        "partial": call(call(name("functools", "partial"), name("os", "system"), text(shell))),
        "a pickle in a pickle": call(
            name("pickle", "loads"),
            call(
                name("_codecs", "encode"),
                text((START + call(name("os", "system"), text(shell)) + STOP).decode("latin1")),
                text("latin1"),
            ),
        ),
        "through a module of torch": call(name("torch.serialization", "os.system"), text(shell)),
        "INST": b"(" + text(shell) + b"ios\nsystem\n",
        "OBJ": b"(" + name("os", "system") + text(shell) + b"o",
        "STACK_GLOBAL": text("os") + text("system") + b"\x93" + group(text(shell)) + b"R",
    }


ATTACKS = sorted(attacks(Path("canary")))
NEEDS_A_NEWER_PROTOCOL = {"STACK_GLOBAL", "through a module of torch"}


@pytest.mark.parametrize("attack", [a for a in ATTACKS if a not in NEEDS_A_NEWER_PROTOCOL])
def test_the_attacks_would_work_on_pythons_own_unpickler(attack: str, tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    file = tmp_path / "attack.pkl"
    file.write_bytes(START + attacks(canary)[attack] + STOP)
    code = f"import pickle; pickle.load(open({str(file)!r}, 'rb'))"
    subprocess.run([sys.executable, "-W", "ignore", "-c", code], check=False, timeout=60, capture_output=True)
    assert canary.exists()


@pytest.mark.parametrize("write", [zip_file, legacy_file])
@pytest.mark.parametrize("attack", ATTACKS)
def test_nothing_is_executed(attack: str, write: object, tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    path = write(tmp_path / "attack.pt", attacks(canary)[attack])  # type: ignore[operator]
    with pytest.raises(PickleError) as refused:
        read_e2e(path)
    assert isinstance(refused.value, WeightsError)
    assert not canary.exists()


@pytest.mark.parametrize(
    ("module", "attribute"),
    [
        ("os", "system"),
        ("builtins", "eval"),
        ("torch.storage", "_load_from_bytes"),
        ("torch.hub", "load"),
        ("torch", "load"),
        ("torch.jit", "load"),
        ("numpy", "load"),
        ("sympy.core.sympify", "sympify"),
        ("symbolicregression_evil", "Model"),
        ("torch.nn.modules.linear", "os.system"),
    ],
)
def test_a_name_that_no_checkpoint_needs_is_refused_even_if_it_is_never_called(
    module: str, attribute: str, tmp_path: Path
) -> None:
    path = zip_file(tmp_path / "a.pt", name(module, attribute))
    with pytest.raises(ForbiddenNameError, match="Nothing was executed") as refused:
        open_archive(path, E2E_NAMES)
    assert refused.value.got == f"{module}.{attribute}"


@pytest.mark.parametrize(
    "named",
    [
        "symbolicregression.envs.encoders.FloatSequences",
        "symbolicregression.envs.generators.RandomFunctions",
        "symbolicregression.model.model_wrapper.ModelWrapper",
        "numpy.random._pickle.__randomstate_ctor",
        "numpy.random._pickle.__bit_generator_ctor",
        "numpy.core.multiarray._reconstruct",
        "numpy._core.multiarray._reconstruct",
        "sympy.core.numbers.Pi",
        "sympy.functions.elementary.complexes.sign",
        "sympy.functions.special.delta_functions.Heaviside",
        "torch.FloatStorage",
        "torch.float32",
        "torch._utils._rebuild_parameter",
        "torch.nn.functional.relu",
        "torch.nn.modules.container.ModuleList",
        "argparse.Namespace",
        "__builtin__.getattr",
    ],
)
def test_names_that_the_released_classes_leave_in_a_pickle_are_allowed(named: str, tmp_path: Path) -> None:
    module, _, attribute = named.rpartition(".")
    root = open_archive(zip_file(tmp_path / "a.pt", name(module, attribute)), E2E_NAMES).root
    assert isinstance(root, Name)
    assert root.name == attribute


def test_the_authors_package_is_never_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "symbolicregression"
    package.mkdir()
    canary = tmp_path / "canary"
    (package / "__init__.py").write_text(f"open({str(canary)!r}, 'w').close()")
    monkeypatch.syspath_prepend(tmp_path)
    made = name("symbolicregression", "Model") + b")\x81}(" + text("width") + number(3) + b"ub"
    root = open_archive(zip_file(tmp_path / "a.pt", made), E2E_NAMES).root
    assert isinstance(root, Record)
    assert root.made_by == Name("symbolicregression", "Model")
    assert root.attribute("width") == 3
    assert not canary.exists()
    assert "symbolicregression" not in sys.modules


def test_setstate_getattr_and_calls_of_known_names_are_only_written_down(tmp_path: Path) -> None:
    called = call(GETATTR, name("sympy.core.symbol", "Symbol"), text("__new__"))
    state = name("symbolicregression", "Model") + b")\x81" + called + b"b"  # its __setstate__ would be called
    root = open_archive(zip_file(tmp_path / "a.pt", state), E2E_NAMES).root
    assert isinstance(root, Record)
    assert isinstance(root.state, Record)
    assert root.state.made_by == Name("builtins", "getattr")


def test_what_a_call_returned_is_never_called(tmp_path: Path) -> None:
    path = zip_file(tmp_path / "a.pt", call(call(GETATTR, name("torch", "Size"), text("system")), text("x")))
    with pytest.raises(PickleError, match="A call"):
        open_archive(path, E2E_NAMES)


@pytest.mark.parametrize(
    ("pickled", "match"),
    [
        (b"", "The end"),
        (b"NN", "The end"),
        (b"(N", "The end"),
        (b"R", "nothing"),
        (b"t", "no mark"),
        (b"h\x05", "A reference"),
        (b"j\xff\xff\xff\x7f", "A reference"),
        (b"X\xff\xff\xff\xff", "bytes more"),
        (b"X\x01\x00\x00\x00\xff", "UTF-8"),
        (b"c" + b"a" * 300, "A name"),
        (b"NNa", "appended"),
        (b"NNNs", "mapping"),
        (b"}(Nu", "pairs"),
        (b"NNb", "given a state"),
        (b"}]Ns", "A key"),
        (b"NQ", "persistent id"),
        (b")Q", "persistent id"),
        (group(text("module"), name("torch", "Size"), b"N", b"N") + b"Q", "persistent id"),
        (b"\x82\x01", "An opcode"),
        (b"\x96" + b"\x00" * 8, "An opcode"),
        (call(name("collections", "OrderedDict"), b"N"), "OrderedDict"),
        (call(name("__builtin__", "set"), b"](]e"), "A key"),
        (call(name("torch._utils", "_rebuild_tensor_v2"), b"N"), "storage"),
        (call(name("torch._utils", "_rebuild_parameter"), b"N"), "A parameter"),
    ],
)
def test_a_pickle_that_makes_no_sense_is_refused(pickled: bytes, match: str, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=match):
        open_archive(zip_file(tmp_path / "a.pt", pickled), E2E_NAMES)


def test_other_protocols_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.pt"
    path.write_bytes(pickle.dumps([1], protocol=4))
    with pytest.raises(CheckpointError, match="a zip archive or a pickle"):
        open_archive(path, E2E_NAMES)
    zip_file(path, b"\x80\x04N")
    with pytest.raises(PickleError, match="An opcode"):
        open_archive(path, E2E_NAMES)


def test_deeply_nested_keys_do_not_exhaust_the_stack(tmp_path: Path) -> None:
    nested = b"}" + b")" + b"\x85" * 100_000 + b"Ns"  # hashing this in C would end the process
    with pytest.raises(PickleError, match="A key"):
        open_archive(zip_file(tmp_path / "a.pt", nested), E2E_NAMES)


def test_deeply_nested_values_are_read(tmp_path: Path) -> None:
    root = open_archive(zip_file(tmp_path / "a.pt", b")" + b"\x85" * 100_000), E2E_NAMES).root
    assert isinstance(root, tuple)


def test_a_longer_pickle_than_any_network_needs_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "MAX_PICKLE_BYTES", 1000)
    with pytest.raises(PickleError, match="The length"):
        open_archive(legacy_file(tmp_path / "a.pt", b"}" * 2000), E2E_NAMES)


def test_a_message_shows_little_of_what_the_file_holds(tmp_path: Path) -> None:
    path = zip_file(tmp_path / "a.pt", text("\x1b[2J" + "x" * 10_000))
    with pytest.raises(LayoutError) as refused:
        read_e2e(path)
    assert len(str(refused.value)) < 500
    assert "\x1b" not in str(refused.value)
    assert os.linesep not in str(refused.value)
