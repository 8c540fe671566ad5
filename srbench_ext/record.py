"""One run in, one run out: the specification of a run and the record that it leaves.

A record is one JSON object; ``null`` means unknown and nothing else does. ``docs/record-schema.md`` lists
every field. Reading is strict: a missing, unknown or mistyped field is an error.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, cast, get_args

from srbench_ext.errors import ExpressionError, RecordError

if TYPE_CHECKING:
    from srbench_ext.expression import Expression

__all__ = [
    "SCHEMA",
    "STATUSES",
    "Accuracy",
    "FormulaText",
    "FrontPoint",
    "Metrics",
    "ProtocolStamp",
    "Record",
    "RecoveryVerdicts",
    "RunSpec",
    "Status",
    "spec_from_mapping",
]

SCHEMA = 1
"""The number of the schema; raised by every change that an older reader would misread."""

Status = Literal["ok", "timeout", "oom", "crash", "error", "unsupported"]
STATUSES: tuple[str, ...] = get_args(Status)

_SOURCES = ("cache", "regenerated")
_ID_LENGTH = 16


@dataclass(frozen=True, slots=True)
class ProtocolStamp:
    """The protocol of a run: its name, the hash of what matters for a run, and those values."""

    name: str
    hash: str
    values: Mapping[str, Any] = field(default_factory=dict)


class _Hashed:
    """Keeps a hash that takes longer to make than what it is of; plans have a million of them."""

    __slots__ = ("_run_id",)
    _run_id: str


@dataclass(frozen=True, slots=True)
class RunSpec(_Hashed):
    """Everything that makes a run what it is.

    Attributes
    ----------
    method, method_version : str
        The registered name and the class's version.
    parameters : mapping
        Parameters that differ from the class's defaults, seed and seconds apart.
    weights_sha256 : str or None
        The weights the method runs on.
    suite, problem : str
        The suite that defines the problem, and its name.
    source_kind : {"cache", "regenerated"}
        Where the rows come from.
    noise : float
        Level, as a share of the root mean square of the training targets.
    trial : int
        Number of the repetition, from 0.
    protocol : ProtocolStamp
        Under which rules.
    max_seconds : float
        Seconds for ``fit``.
    n_rows : int or None
        Most training rows; None for all.
    """

    method: str
    method_version: str
    parameters: Mapping[str, Any]
    weights_sha256: str | None
    suite: str
    problem: str
    source_kind: Literal["cache", "regenerated"]
    noise: float
    trial: int
    protocol: ProtocolStamp
    max_seconds: float
    n_rows: int | None

    def __post_init__(self) -> None:
        # 10 and 10.0 are the same run and have to hash alike
        object.__setattr__(self, "noise", float(self.noise))
        object.__setattr__(self, "max_seconds", float(self.max_seconds))

    @property
    def run_id(self) -> str:
        """The first 16 hexadecimal digits of the sha256 of this specification as canonical JSON.

        The protocol's values stand in it through their hash alone.
        """
        try:
            return self._run_id
        except AttributeError:
            run_id = hashlib.sha256(self._canonical().encode()).hexdigest()[:_ID_LENGTH]
            object.__setattr__(self, "_run_id", run_id)
            return run_id

    def _canonical(self) -> str:
        """Return the specification as JSON with sorted keys and no blanks, written out here for speed."""
        return (
            f'{{"max_seconds":{_dense(self.max_seconds)},"method":{_dense(self.method)},'
            f'"method_version":{_dense(self.method_version)},"n_rows":{_dense(self.n_rows)},'
            f'"noise":{_dense(self.noise)},"parameters":{_dense(self.parameters)},'
            f'"problem":{_dense(self.problem)},'
            f'"protocol":{{"hash":{_dense(self.protocol.hash)},"name":{_dense(self.protocol.name)}}},'
            f'"source_kind":{_dense(self.source_kind)},"suite":{_dense(self.suite)},'
            f'"trial":{_dense(self.trial)},"weights_sha256":{_dense(self.weights_sha256)}}}'
        )

    def __str__(self) -> str:
        noise = f" noise {self.noise:g}" if self.noise else ""
        return f"{self.method} on {self.suite}/{self.problem}{noise} trial {self.trial}"


@dataclass(frozen=True, slots=True)
class FormulaText:
    """A formula as text: infix for people; prefix tokens (joined by blanks) and constants for machines."""

    infix: str
    prefix: str
    constants: tuple[float, ...] = ()

    @classmethod
    def of(cls, expression: Expression) -> FormulaText:
        """Write an expression down."""
        return cls(str(expression), " ".join(expression.prefix), expression.constants)

    def expression(self, names: tuple[str, ...] | None = None) -> Expression:
        """Read the expression back, in the given column names."""
        from srbench_ext.expression import Expression  # its kernels take half a second to import

        try:
            return Expression(tuple(self.prefix.split()), self.constants, names)
        except ExpressionError as error:
            raise RecordError(f"The recorded formula {self.prefix!r} cannot be read: {error}") from error


@dataclass(frozen=True, slots=True)
class FrontPoint:
    """A model of the front or of the curve; ``formula`` and ``complexity`` are None for an opaque model."""

    formula: FormulaText | None
    loss: float | None
    complexity: int | None
    seconds: float | None
    source: str = ""
    r2_test: float | None = None


@dataclass(frozen=True, slots=True)
class Metrics:
    """Scores of the chosen model on one set of rows; None where predictions are not finite."""

    r2: float | None
    nmse: float | None
    mse: float | None


@dataclass(frozen=True, slots=True)
class RecoveryVerdicts:
    """Whether the truth was found, by each of three rules; None: not known."""

    srbench: bool | None = None
    symbolic: bool | None = None
    numeric: bool | None = None


@dataclass(frozen=True, slots=True)
class Accuracy:
    """Share of fresh points at which the chosen model is near to the truth; None: not known.

    Attributes
    ----------
    iid : float or None
        Of points in the support of the inputs: A_iid of Biggio et al. (arXiv 2106.06427) is whether it is
        0.95 or more.
    ood : float or None
        Of points in the support widened by its own length on both sides, for A_ood.
    """

    iid: float | None
    ood: float | None


@dataclass(frozen=True, slots=True)
class Record:
    """What a run leaves, whatever became of it.

    Attributes
    ----------
    spec : RunSpec
        What was run.
    status : {"ok", "timeout", "oom", "crash", "error", "unsupported"}
        ``ok``: fit came back. ``timeout``: killed at the hard limit. ``oom``: out of memory. ``crash``: the
        process died. ``error``: an exception. ``unsupported``: the method cannot run here.
    error : str or None
        What went wrong, with the end of the traceback and of the output.
    data_sha256 : str or None
        Hash of the table.
    expression : FormulaText or None
        The chosen formula, the one that predicted.
    truth : str or None
        The true formula in infix.
    metrics : mapping of {"train", "test"} to Metrics
        Train on the rows (and noise) of the fit, test on clean rows. Empty when nothing was scored.
    recovery : RecoveryVerdicts
        Against the truth.
    accuracy : Accuracy or None
        Near to the truth in and around the support; None where the truth is not known, and in records that
        are older than this field. It is then left out of the JSON.
    complexity : int or None
        Prefix tokens of the chosen formula.
    complexity_simplified : int or None
        Nodes after sympy's simplification.
    front, curve : tuple of FrontPoint
        The Pareto front, and the incumbents in order of time.
    timings : mapping
        Seconds by phase, of the fit (``load``, ``search``, ``refine``) and around it (``setup``, ``score``).
    seconds : float or None
        Seconds of the fit without loading.
    counts, notes : mapping
        What the method counted and noted.
    environment : mapping
        Versions, processor, commit, threads.
    """

    spec: RunSpec
    status: Status
    error: str | None = None
    data_sha256: str | None = None
    expression: FormulaText | None = None
    truth: str | None = None
    metrics: Mapping[str, Metrics] = field(default_factory=dict)
    recovery: RecoveryVerdicts = RecoveryVerdicts()
    complexity: int | None = None
    complexity_simplified: int | None = None
    front: tuple[FrontPoint, ...] = ()
    curve: tuple[FrontPoint, ...] = ()
    timings: Mapping[str, float] = field(default_factory=dict)
    seconds: float | None = None
    counts: Mapping[str, int] = field(default_factory=dict)
    notes: Mapping[str, Any] = field(default_factory=dict)
    environment: Mapping[str, Any] = field(default_factory=dict)
    accuracy: Accuracy | None = None

    @property
    def run_id(self) -> str:
        """The identity of the run."""
        return self.spec.run_id

    def to_json(self) -> str:
        """Return the record as JSON text, one field a line.

        Raises
        ------
        RecordError
            If a value is not finite or not of a type that JSON has.
        """
        content = {"schema": SCHEMA, "run_id": self.run_id, **_shallow(self)}
        if self.accuracy is None:  # a record from before it had this field is written as it was
            del content["accuracy"]
        try:
            lines = [
                f"{json.dumps(k)}: {json.dumps(v, default=_encode, allow_nan=False)}"
                for k, v in content.items()
            ]
        except (TypeError, ValueError) as error:
            raise RecordError(f"The record of {self.spec} cannot be written as JSON: {error}.") from error
        return "{\n" + ",\n".join(lines) + "\n}\n"

    @classmethod
    def from_json(cls, text: str | bytes) -> Record:
        """Read a record.

        Raises
        ------
        RecordError
            If the text is not JSON, of another schema, or a field is missing, unknown or of another type, or
            if the run id is not that of the specification.
        """
        try:
            content = json.loads(text, parse_constant=_refuse_constant)
        except ValueError as error:
            raise RecordError(f"The record is not JSON: {error}.") from error
        return _record(content)


def _dense(value: Any) -> str:
    """Return a value as JSON with sorted keys and no blanks."""
    if value is None:
        return "null"
    if type(value) is str:
        return _QUOTE(value)
    if type(value) is int or (type(value) is float and math.isfinite(value)):
        return repr(value)
    return _DENSE.encode(dict(value) if isinstance(value, Mapping) else value)


_QUOTE = json.encoder.encode_basestring_ascii
_DENSE = json.JSONEncoder(sort_keys=True, separators=(",", ":"), allow_nan=False)


def _shallow(value: Any) -> dict[str, Any]:
    return {f.name: getattr(value, f.name) for f in dataclasses.fields(value)}


def _encode(value: object) -> object:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return _shallow(value)
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"a value of type {type(value).__name__}")


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not allowed, unknown is null")


_Reader = Callable[[Any, str], Any]


def _fail(where: str, allowed: str, value: object) -> RecordError:
    shown = repr(value)
    shown = shown if len(shown) <= 80 else shown[:77] + "..."
    return RecordError(f"Field {where!r} of a record must be {allowed}. Got {shown}.")


def _text(value: Any, where: str) -> str:
    if not isinstance(value, str):
        raise _fail(where, "a string", value)
    return value


def _flag(value: Any, where: str) -> bool:
    if not isinstance(value, bool):
        raise _fail(where, "true or false", value)
    return value


def _whole(value: Any, where: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise _fail(where, "an integer", value)
    return value


def _number(value: Any, where: str) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool) or not math.isfinite(value):
        raise _fail(where, "a finite number", value)
    return float(value)


def _share(value: Any, where: str) -> float:
    number = _number(value, where)
    if not 0.0 <= number <= 1.0:
        raise _fail(where, "a number from 0 to 1", value)
    return number


def _mapping(value: Any, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _fail(where, "an object", value)
    return value


def _optional(reader: _Reader) -> _Reader:
    return lambda value, where: None if value is None else reader(value, where)


def _sequence(reader: _Reader) -> _Reader:
    def read(value: Any, where: str) -> tuple[Any, ...]:
        if not isinstance(value, list):
            raise _fail(where, "a list", value)
        return tuple(reader(item, f"{where}[{i}]") for i, item in enumerate(value))

    return read


def _values(reader: _Reader) -> _Reader:
    return lambda value, where: {k: reader(v, f"{where}.{k}") for k, v in _mapping(value, where).items()}


def _one_of(allowed: tuple[str, ...]) -> _Reader:
    def read(value: Any, where: str) -> str:
        if value not in allowed:
            raise _fail(where, f"one of {', '.join(allowed)}", value)
        return cast("str", value)

    return read


def _object(
    kind: Callable[..., Any], readers: Mapping[str, _Reader], *, younger: Collection[str] = ()
) -> _Reader:
    """Return a reader of an object with exactly these fields; those that came later may be missing."""

    def read(value: Any, where: str) -> Any:
        content = _mapping(value, where)
        missing = [key for key in readers if key not in content and key not in younger]
        unknown = [key for key in content if key not in readers]
        if missing or unknown:
            raise RecordError(
                f"Field {where!r} of a record lacks {missing or 'nothing'} and has the unknown "
                f"{unknown or 'nothing'}. It was cut short, or another version wrote it."
            )
        prefix = f"{where}." if where else ""
        given = {key: reader for key, reader in readers.items() if key in content}
        return kind(**{key: reader(content[key], f"{prefix}{key}") for key, reader in given.items()})

    return read


_FORMULA = _object(FormulaText, {"infix": _text, "prefix": _text, "constants": _sequence(_number)})
_POINT = _object(
    FrontPoint,
    {
        "formula": _optional(_FORMULA),
        "loss": _optional(_number),
        "complexity": _optional(_whole),
        "seconds": _optional(_number),
        "source": _text,
        "r2_test": _optional(_number),
    },
)
_METRICS = _object(Metrics, dict.fromkeys(("r2", "nmse", "mse"), _optional(_number)))
_VERDICTS = _object(RecoveryVerdicts, dict.fromkeys(("srbench", "symbolic", "numeric"), _optional(_flag)))
_ACCURACY = _object(Accuracy, dict.fromkeys(("iid", "ood"), _optional(_share)))
_STAMP = _object(ProtocolStamp, {"name": _text, "hash": _text, "values": _mapping})
_SPEC = _object(
    RunSpec,
    {
        "method": _text,
        "method_version": _text,
        "parameters": _mapping,
        "weights_sha256": _optional(_text),
        "suite": _text,
        "problem": _text,
        "source_kind": _one_of(_SOURCES),
        "noise": _number,
        "trial": _whole,
        "protocol": _STAMP,
        "max_seconds": _number,
        "n_rows": _optional(_whole),
    },
)
_RECORD = _object(
    Record,
    {
        "spec": _SPEC,
        "status": _one_of(STATUSES),
        "error": _optional(_text),
        "data_sha256": _optional(_text),
        "expression": _optional(_FORMULA),
        "truth": _optional(_text),
        "metrics": _values(_METRICS),
        "recovery": _VERDICTS,
        "complexity": _optional(_whole),
        "complexity_simplified": _optional(_whole),
        "front": _sequence(_POINT),
        "curve": _sequence(_POINT),
        "timings": _values(_number),
        "seconds": _optional(_number),
        "counts": _values(_whole),
        "notes": _mapping,
        "environment": _mapping,
        "accuracy": _ACCURACY,
    },
    younger=("accuracy",),
)


def spec_from_mapping(content: Mapping[str, Any]) -> RunSpec:
    """Read a specification from the mapping that ``dataclasses.asdict`` makes of it."""
    return cast("RunSpec", _SPEC(dict(content), "spec"))


def _record(content: Any) -> Record:
    fields = dict(_mapping(content, "record"))
    schema, run_id = fields.pop("schema", None), fields.pop("run_id", None)
    if schema != SCHEMA:
        raise RecordError(f"The record has schema {schema!r}; this version reads schema {SCHEMA}.")
    record = cast("Record", _RECORD(fields, "record"))
    if run_id != record.run_id:
        raise RecordError(
            f"The record's run id is {run_id!r}, but its specification hashes to {record.run_id!r}."
        )
    return record
