"""``srbench-ext train``: train the weights of a method."""

from __future__ import annotations

import contextlib
import inspect
import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from srbench_ext.cli.completion import complete_method
from srbench_ext.cli.printing import print_json
from srbench_ext.errors import ConfigError

__all__ = ["train"]


def train(
    method: Annotated[
        str,
        typer.Argument(help="A method that has weights, or METHOD@PRESET.", autocompletion=complete_method),
    ],
    out: Annotated[Path, typer.Option(help="Where checkpoints and weights go.")],
    minutes: Annotated[
        float | None, typer.Option(help="Stop after this time (default: the method's own).")
    ] = None,
    examples: Annotated[
        int | None, typer.Option(help="Stop at so many examples in all; the controlled budget is 1000000.")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the last checkpoint in OUT.")] = False,
    start: Annotated[
        Path | None, typer.Option(help="Released weights to begin with, or the foundation model to train on.")
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the cards as JSON at the end, the log on standard error.")
    ] = False,
) -> None:
    """Train a method's weights into a folder."""
    from srbench_ext.registry import load_train

    entry = load_train(method)
    given = {} if start is None else {"start": start}
    if not given.keys() <= inspect.signature(entry).parameters.keys():
        raise ConfigError(
            f"The training of {method!r} takes no weights to begin with. Got --start {start}; leave it out."
        )
    with contextlib.redirect_stdout(sys.stderr) if as_json else contextlib.nullcontext():
        entry(out=out, minutes=minutes, examples=examples, resume=resume, **given)
    if as_json:
        print_json({"method": method, "out": str(out), "weights": _weights(out)})


def _weights(out: Path) -> list[dict[str, object]]:
    """Return the weights that lie in a folder, each with its path and what its card says."""
    cards = [(path, path.with_suffix(".json")) for path in sorted(out.glob("*.safetensors"))]
    return [
        {"path": str(path), "card": json.loads(card.read_text("utf8")) if card.is_file() else None}
        for path, card in cards
    ]
