"""What may be wrong with a checkpoint of others.

::

    WeightsError
    └── CheckpointError             what, got, allowed, fix
        ├── PickleError             truncated, an unknown opcode, a limit, a misuse of the stack
        │   └── ForbiddenNameError  it names code that no checkpoint needs
        ├── ArchiveError            the container and the blobs of numbers in it
        └── LayoutError             keys, shapes, number formats, vocabulary, settings
"""

from __future__ import annotations

from srbench_ext.errors import WeightsError

__all__ = ["ArchiveError", "CheckpointError", "ForbiddenNameError", "LayoutError", "PickleError", "shown"]

_LONGEST = 120


class CheckpointError(WeightsError):
    """A checkpoint of others that is not what it has to be; nothing of it was executed or written.

    Parameters
    ----------
    what : str
        What was looked at.
    got : object
        What was there; a string or number is shown, of anything else the kind.
    allowed : str
        What may be there.
    fix : str
        What to do.
    """

    def __init__(self, what: str, *, got: object, allowed: str, fix: str) -> None:
        self.what, self.got, self.allowed, self.fix = what, shown(got), allowed, fix
        super().__init__(f"{what}: got {self.got}; allowed: {allowed}. {fix}")


class PickleError(CheckpointError):
    """A pickle that cannot be read to its end."""

    def __init__(self, what: str, *, got: object, allowed: str, fix: str = "") -> None:
        fix = fix or "The file is damaged or was not written by torch.save; get it again from its source."
        super().__init__(what, got=got, allowed=allowed, fix=fix)


class ForbiddenNameError(PickleError):
    """A pickle that names code no checkpoint of this kind needs."""


class ArchiveError(CheckpointError):
    """A container that torch.save does not write."""

    def __init__(self, what: str, *, got: object, allowed: str, fix: str = "") -> None:
        fix = fix or "The file is damaged or was not written by torch.save; get it again from its source."
        super().__init__(what, got=got, allowed=allowed, fix=fix)


class LayoutError(CheckpointError):
    """A checkpoint of another network than the one expected."""


def shown(value: object) -> str:
    """Return a short text of a value from a file: never the representation of a structure of its making."""
    if value is None or isinstance(value, (str, int, float, bytes)):
        if isinstance(value, int) and value.bit_length() > 200:
            return f"an integer of {value.bit_length()} bits"
        text = (
            str(value)
            if isinstance(value, str)
            else repr(value[:_LONGEST] if isinstance(value, bytes) else value)
        )
        text = "".join(c if c.isprintable() else "?" for c in text[: _LONGEST + 1])
        return text if len(text) <= _LONGEST else text[:_LONGEST] + "…"
    return f"a {type(value).__name__}"
