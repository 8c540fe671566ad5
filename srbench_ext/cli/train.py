"""``srbench-ext train``: train the weights of a method."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from srbench_ext.cli.completion import complete_method

__all__ = ["train"]


def train(
    method: Annotated[
        str,
        typer.Argument(help="A method that has weights, or METHOD@PRESET.", autocompletion=complete_method),
    ],
    out: Annotated[Path, typer.Option(help="Where checkpoints and weights go.")],
    minutes: Annotated[
        float | None, typer.Option(help="Stop after this time [default: the method's own].")
    ] = None,
    examples: Annotated[
        int | None, typer.Option(help="Stop at so many examples in all; the controlled budget is 1000000.")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the last checkpoint in OUT.")] = False,
) -> None:
    """Train a method's weights into a folder."""
    from srbench_ext.registry import load_train

    load_train(method)(out=out, minutes=minutes, examples=examples, resume=resume)
