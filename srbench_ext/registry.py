"""From a method's name to its description, without importing it, and to its class, when asked for.

Bundled methods are the folders of ``srbench_ext.methods`` that hold a ``method.toml``. Others are

- distributions with an entry point ``NAME = "package.module:Class"`` in the group ``srbench_ext.methods``;
- folders of the same shape as the bundled ones, named in ``SRBENCH_EXT_PLUGINS`` (separated as in ``PATH``);
- method folders of SRBench, ``NAME/regressor.py``, named there too: they are called ``srbench:NAME``.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import inspect
import os
import shutil
import sys
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache, lru_cache, partial
from pathlib import Path
from types import MappingProxyType, ModuleType
from typing import TYPE_CHECKING, Any, cast

from srbench_ext.errors import ConfigError, MissingExtraError, UnknownNameError, check_keys

if TYPE_CHECKING:
    from srbench_ext.method import Method

__all__ = [
    "ENTRY_POINT_GROUP",
    "INTERPRETER_VARIABLE",
    "PLUGINS_VARIABLE",
    "SRBENCH_PREFIX",
    "MethodInfo",
    "adopt",
    "check_parameters",
    "create",
    "describe",
    "is_bundled",
    "load_class",
    "load_train",
    "missing_error",
    "missing_packages",
    "names",
    "parameters_of",
    "track_of",
]

ENTRY_POINT_GROUP = "srbench_ext.methods"
PLUGINS_VARIABLE = "SRBENCH_EXT_PLUGINS"
INTERPRETER_VARIABLE = "SRBENCH_EXT_INTERPRETER"
"""Set, in a process started for a method with its own interpreter, to that interpreter."""

SRBENCH_PREFIX = "srbench:"
"""What the names of SRBench's methods begin with here."""

_KEYS = {
    "name", "class", "summary", "reference", "requires", "programs", "install", "preload", "neural", "track",
    "tracks", "python", "defaults", "presets",
}  # fmt: skip
_TRACKS = ("controlled", "release", "official", "none")
_PACKAGE = "srbench_ext.methods"
_SRBENCH_FILE = "regressor.py"
_SRBENCH_ADAPTER = "srbench_ext.interop.method_folder"


@dataclass(frozen=True, slots=True)
class MethodInfo:
    """What is known of a method without importing it.

    Attributes
    ----------
    name : str
        The name that commands and records use.
    summary, reference : str
        One line each: what it does, and where it is published.
    track : {"controlled", "release", "official", "none"}
        How its weights were trained; ``none`` for a method without weights.
    neural : bool
        Whether it runs a network.
    class_path : str
        ``module:Class``.
    requires : tuple of str
        Packages beyond the core that it imports.
    programs : tuple of str
        Commands that it needs.
    install : str or None
        How to get what is missing, when ``pip install`` and the packages' names do not say it.
    preload : bool
        Whether its packages may be loaded before the process forks.
    tracks : mapping
        By parameter and value of it, the track of other weights that it chooses.
    folder : Path or None
        Its folder; None for an entry point.
    parameters : mapping
        Parameters that differ from those of the class.
    presets : mapping
        Named sets of parameters.
    python : str or None
        The interpreter that it runs in, when that is not the harness's own.
    """

    name: str
    summary: str
    reference: str
    track: str
    neural: bool
    class_path: str
    requires: tuple[str, ...]
    folder: Path | None
    parameters: Mapping[str, Any] = field(default_factory=dict)
    presets: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    python: str | None = None
    programs: tuple[str, ...] = ()
    install: str | None = None
    preload: bool = True
    tracks: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


def names() -> list[str]:
    """Return the names of all methods, sorted."""
    return sorted(_descriptions())


def describe(name: str) -> MethodInfo:
    """Return the description of a method.

    Raises
    ------
    UnknownNameError
        With the nearest names.
    ConfigError
        If its ``method.toml`` has a key that is not known or a value of the wrong type, or if two methods
        bear one name.
    """
    known = _descriptions()
    if name not in known:
        raise UnknownNameError("method", name, known)
    return known[name]


def adopt(name: str) -> str:
    """Return the name under which a method is known; ``srbench:FOLDER`` makes an SRBench folder known first.

    Parameters
    ----------
    name : str
        A method's name as any command takes it, or ``srbench:`` and the path of a folder with a
        ``regressor.py``. The folder is added to ``SRBENCH_EXT_PLUGINS`` of this process and its children.
    """
    if not name.startswith(SRBENCH_PREFIX) or name in _descriptions():
        return name
    folder = Path(name.removeprefix(SRBENCH_PREFIX)).expanduser().resolve()
    if not (folder / _SRBENCH_FILE).is_file():
        raise UnknownNameError("method or folder with a regressor.py", name, _descriptions())
    others = [p for p in os.environ.get(PLUGINS_VARIABLE, "").split(os.pathsep) if p]
    if str(folder) not in others:
        os.environ[PLUGINS_VARIABLE] = os.pathsep.join([*others, str(folder)])
    return SRBENCH_PREFIX + folder.name


def load_class(name: str) -> type[Method]:
    """Import a method and return its class.

    Raises
    ------
    MissingExtraError
        If a package that it requires is not installed.
    ConfigError
        If the class is not there or not a :class:`~srbench_ext.method.Method`.
    """
    from srbench_ext.method import Method  # scikit-learn takes seconds; descriptions need none of it

    info = describe(name)
    lacking = missing_error(info, f"The method {name!r}")
    if lacking is not None:
        raise lacking
    module_name, _, class_name = info.class_path.partition(":")
    if module_name == _SRBENCH_ADAPTER:
        made = getattr(importlib.import_module(module_name), class_name)(info.folder)
        return cast("type[Method]", made)
    found = getattr(_import(info, module_name), class_name, None)
    if not (isinstance(found, type) and issubclass(found, Method)):
        raise ConfigError(
            f"The method {name!r} names the class {info.class_path!r}, which is "
            f"{'missing' if found is None else 'not a subclass of srbench_ext.method.Method'}. "
            "Correct 'class' in its method.toml or its entry point."
        )
    return found


def create(name: str, /, **parameters: Any) -> Method:
    """Make a method from its class, its registered defaults, a preset and the given parameters.

    Parameters
    ----------
    name : str
        A name, or ``name@preset``.
    **parameters : object
        What differs from the defaults.

    Raises
    ------
    UnknownNameError
        For a method, preset or parameter that does not exist.
    """
    name, _, preset = adopt(name).partition("@")
    info = describe(name)
    chosen = dict(info.parameters)
    if preset:
        if preset not in info.presets:
            raise UnknownNameError(f"preset of method {name!r}", preset, info.presets)
        chosen |= info.presets[preset]
    chosen |= parameters
    found = load_class(name)
    check_parameters(name, chosen)
    return found(**chosen)


def parameters_of(name: str) -> dict[str, Any]:
    """Return a method's parameters with their default values (those of its ``method.toml`` first)."""
    signature = inspect.signature(load_class(name).__init__)
    defaults = {key: p.default for key, p in signature.parameters.items() if key != "self"}
    return defaults | dict(describe(name).parameters)


def track_of(name: str, parameters: Mapping[str, Any] = MappingProxyType({})) -> str:
    """Return the track of a method; its parameters may choose weights of another track.

    Parameters
    ----------
    name : str
        A name, or ``name@preset``.
    parameters : mapping
        What differs from the defaults. ``weights`` names the authors' where it is ``official`` or a file
        called ``<source>-official``, as the import of weights calls what it writes; ``release`` and
        ``<name>-release`` are release weights. Where it is not given, other parameters choose as the
        method's ``tracks`` say.

    Raises
    ------
    UnknownNameError
        If there is no such method; an unknown preset is of the method's track.
    """
    method, _, preset = name.partition("@")
    info = describe(method)
    given = {**info.parameters, **info.presets.get(preset, {}), **parameters}
    weights = given.get("weights")
    stem = Path(weights).stem if isinstance(weights, str) else ""
    named = f"-{stem}".rpartition("-")[2]
    if named in ("official", "release"):
        return named
    chosen = (tracks.get(str(given.get(key))) for key, tracks in info.tracks.items())
    return info.track if weights is not None else next(filter(None, chosen), info.track)


def check_parameters(name: str, parameters: Mapping[str, Any]) -> None:
    """Raise :class:`~srbench_ext.errors.UnknownNameError` if the method lacks one of the parameters."""
    known = parameters_of(name)
    for key in parameters:
        if key not in known:
            raise UnknownNameError(f"parameter of method {name!r}", key, known)


def missing_packages(info: MethodInfo) -> tuple[str, ...]:
    """Return those required packages and programs that are not installed; nothing is imported."""
    if info.python is not None and os.environ.get(INTERPRETER_VARIABLE) != info.python:
        return ()  # only its own interpreter knows
    packages = [package for package in info.requires if importlib.util.find_spec(package) is None]
    return (*packages, *(program for program in info.programs if shutil.which(program) is None))


def missing_error(info: MethodInfo, what: str) -> MissingExtraError | None:
    """Return the error that says what is missing and how to get it; None where nothing is."""
    missing = missing_packages(info)
    return MissingExtraError(what, missing, info.install) if missing else None


def is_bundled(info: MethodInfo) -> bool:
    """Whether the method ships with this package."""
    folders = importlib.import_module(_PACKAGE).__path__
    return info.folder is not None and str(info.folder.parent) in map(str, folders)


def load_train(name: str) -> Callable[..., Any]:
    """Return a method's training entry: ``main(out, minutes, examples, resume)`` of its ``train`` module.

    Parameters
    ----------
    name : str
        A name, or ``name@preset`` for a method that has several sets of weights; its entry then gets the
        preset's name as ``preset``.

    Raises
    ------
    UnknownNameError
        For a method or preset that does not exist.
    ConfigError
        If there is nothing to train (the message lists the methods that can be), or no preset to choose.
    """
    name, _, preset = name.partition("@")
    info = describe(name)
    if not _has_train(info):
        trainable = [other for other, it in sorted(_descriptions().items()) if _has_train(it)]
        raise ConfigError(
            f"The method {name!r} has nothing to train. Methods that have: {', '.join(trainable) or 'none'}."
        )
    lacking = missing_error(info, f"Training {name!r}")
    if lacking is not None:
        raise lacking
    if preset and preset not in info.presets:
        raise UnknownNameError(f"preset of method {name!r}", preset, info.presets)
    main = cast("Callable[..., Any]", _import(info, "train").main)
    if not preset:
        return main
    if "preset" not in inspect.signature(main).parameters:
        raise ConfigError(
            f"The method {name!r} has one set of weights for all presets. Got {preset!r}; train {name!r}."
        )
    return partial(main, preset=preset)


def _has_train(info: MethodInfo) -> bool:
    return info.folder is not None and (info.folder / "train.py").is_file()


def _descriptions() -> dict[str, MethodInfo]:
    """Read every description; two of one name are an error that names both."""
    found: dict[str, MethodInfo] = {}
    for info in (*_from_folders(), *_from_entry_points()):
        if info.name in found:
            places = [str(i.folder or i.class_path) for i in (found[info.name], info)]
            raise ConfigError(
                f"Two methods are named {info.name!r}: {places[0]} and {places[1]}. Rename or remove one."
            )
        found[info.name] = info
    return found


def _from_folders() -> Iterator[MethodInfo]:
    package = importlib.import_module(_PACKAGE)
    extra = [Path(p) for p in os.environ.get(PLUGINS_VARIABLE, "").split(os.pathsep) if p]
    for parent in (*map(Path, package.__path__), *extra):
        if not parent.is_dir():
            raise ConfigError(
                f"{parent} of {PLUGINS_VARIABLE} is not a folder. Name folders that hold NAME/method.toml."
            )
        for path in sorted(parent.glob("*/method.toml")):
            yield _read_toml(path, path.stat().st_mtime_ns)
        if parent in extra:
            yield from _srbench_folders(parent)


def _srbench_folders(parent: Path) -> Iterator[MethodInfo]:
    """Yield the folder itself where it is one of SRBench's, and else those in it."""
    alone = parent / _SRBENCH_FILE
    for path in [alone] if alone.is_file() else sorted(parent.glob(f"*/{_SRBENCH_FILE}")):
        if (path.parent / "method.toml").is_file():
            continue
        yield MethodInfo(
            name=SRBENCH_PREFIX + path.parent.name,
            summary=f"a method folder of SRBench, {path.parent}",
            reference="",
            track="none",
            neural=False,
            class_path=f"{_SRBENCH_ADAPTER}:method_class",
            requires=(),
            folder=path.parent,
        )


def _from_entry_points() -> Iterator[MethodInfo]:
    for entry in _entry_points():
        distribution = entry.dist.name if entry.dist is not None else "an unnamed distribution"
        yield MethodInfo(
            name=entry.name,
            summary=f"from the package {distribution}",
            reference="",
            track="none",
            neural=False,
            class_path=entry.value,
            requires=(),
            folder=None,
        )


@cache
def _entry_points() -> tuple[importlib.metadata.EntryPoint, ...]:
    """Read what is installed, once: it takes longer than everything else here."""
    return tuple(importlib.metadata.entry_points(group=ENTRY_POINT_GROUP))


@lru_cache(maxsize=1024)
def _read_toml(path: Path, modified: int) -> MethodInfo:
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not TOML: {error}. Correct the file.") from error
    check_keys(table, _KEYS, path)
    track = _track(_value(table, "track", str, path, "none"), "track", path)
    tracks = _value(table, "tracks", dict, path, {})
    for key in tracks:
        for value, other in _value(tracks, key, dict, path).items():
            _track(other, f"tracks.{key}.{value}", path)
    return MethodInfo(
        name=_value(table, "name", str, path),
        summary=_value(table, "summary", str, path),
        reference=_value(table, "reference", str, path, ""),
        track=track,
        neural=_value(table, "neural", bool, path, False),
        class_path=_value(table, "class", str, path),
        requires=tuple(_value(table, "requires", list, path, [])),
        folder=path.parent,
        parameters=_value(table, "defaults", dict, path, {}),
        presets=_value(table, "presets", dict, path, {}),
        python=_interpreter(table, path),
        programs=tuple(_value(table, "programs", list, path, [])),
        install=_value(table, "install", str, path) if "install" in table else None,
        preload=_value(table, "preload", bool, path, True),
        tracks=tracks,
    )


def _track(given: object, key: str, path: Path) -> str:
    if given not in _TRACKS:
        raise ConfigError(
            f"{path}: '{key}' must be {', '.join(_TRACKS[:-1])} or {_TRACKS[-1]}. Got {given!r} instead."
        )
    return str(given)


def _interpreter(table: Mapping[str, Any], path: Path) -> str | None:
    if "python" not in table:
        return None
    python = Path(_value(table, "python", str, path)).expanduser()
    if not (python.is_absolute() and os.access(python, os.X_OK)):
        raise ConfigError(
            f"{path}: 'python' must be the full path of an interpreter that can be run. Got {str(python)!r}."
        )
    return str(python)


def _value(table: Mapping[str, Any], key: str, kind: type, path: Path, default: Any = None) -> Any:
    value = table.get(key, default)
    if not isinstance(value, kind):
        got = "nothing" if value is None else repr(value)
        raise ConfigError(f"{path}: {key!r} must be a {kind.__name__}. Got {got} instead.")
    return value


def _import(info: MethodInfo, module: str) -> ModuleType:
    """Import a module of a method: absolute for an entry point, inside of its folder otherwise."""
    if info.folder is None:
        return importlib.import_module(module)
    if is_bundled(info):
        return importlib.import_module(f"{_PACKAGE}.{info.folder.name}.{module}")
    return _import_from_folder(info.folder, module)


def _import_from_folder(folder: Path, module: str) -> ModuleType:
    """Import ``folder/module.py`` as a submodule of a package made for the folder."""
    package_name = f"_srbench_ext_plugin_{folder.name}"
    if package_name not in sys.modules:
        package = ModuleType(package_name)
        package.__path__ = [str(folder)]
        sys.modules[package_name] = package
    return importlib.import_module(f"{package_name}.{module}")
