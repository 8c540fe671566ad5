"""Which names a checkpoint's pickle may hold."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from srbench_ext.models.official.records import Name

__all__ = ["TORCH_NAMES", "NameList"]


class NameList:
    """Which names a pickle may hold.

    Parameters
    ----------
    names : iterable of str
        ``module.name`` for one, ``package.*`` for every name of a module and of the modules below it.
    """

    def __init__(self, names: Iterable[str]) -> None:
        listed = frozenset(names)
        self._exact = frozenset(name for name in listed if not name.endswith(".*"))
        self._below = tuple(sorted(name[:-1] for name in listed if name.endswith(".*")))

    def __or__(self, other: NameList) -> NameList:
        return NameList((*self, *other))

    def __iter__(self) -> Iterator[str]:
        return iter((*sorted(self._exact), *(f"{prefix}*" for prefix in self._below)))

    def __contains__(self, name: Name) -> bool:
        return str(name) in self._exact or f"{name.module}.".startswith(self._below)


_STORAGES = ("Float", "Double", "Half", "BFloat16", "Long", "Int", "Short", "Char", "Byte", "Bool")
_DTYPES = ("float32", "float64", "float16", "bfloat16", "int64", "int32", "int16", "int8", "uint8", "bool")
_BUILTINS = ("bool", "float", "getattr", "int", "list", "object", "set", "setattr")
_NUMPY = ("_reconstruct", "scalar")
TORCH_NAMES = NameList(
    (
        *(f"torch.{kind}Storage" for kind in _STORAGES),
        *(f"torch.{dtype}" for dtype in _DTYPES),
        "torch.Size",
        "torch.device",
        "torch._utils._rebuild_parameter",
        "torch._utils._rebuild_tensor_v2",
        "torch.nn.functional.*",
        "torch.nn.modules.*",
        "torch.nn.parameter.Parameter",
        "collections.OrderedDict",
        "collections.defaultdict",
        *(f"builtins.{name}" for name in _BUILTINS),
        "_codecs.encode",
        "argparse.Namespace",
        "copyreg._reconstructor",
        "functools.partial",
        "numpy.dtype",
        "numpy.ndarray",
        *(f"numpy.{core}.multiarray.{name}" for core in ("core", "_core") for name in _NUMPY),
        "numpy.random.*",
    )
)  # fmt: skip
"""What a checkpoint of a torch module or of state dicts may name, whoever wrote it."""
