"""``srbench-ext weights``: what weights there are, checking them, importing those of the authors."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from srbench_ext.cli.options import AsJson
from srbench_ext.cli.printing import print_json, print_table

__all__ = ["app"]

app = typer.Typer(
    help="The weights of the networks: listing, checking, importing those of the authors.",
    no_args_is_help=True,
)

Folder = Annotated[
    Path | None,
    typer.Option("--folder", help="Where imported weights lie (default: the user's data folder)."),
]


@app.command("list")
def list_weights(folder: Folder = None, as_json: AsJson = False) -> None:
    """List the weights with what their cards say: track, examples, hours, losses."""
    from srbench_ext.inventory import describe_weights, weights_files

    described = [describe_weights(file) for file in weights_files(folder)]
    if as_json:
        print_json(described)
        return
    print_table(
        ("weights", "track", "parameters", "examples", "hours", "MB", "validation loss"),
        [
            (
                str(each["name"]),
                str(each["track"]),
                _count(each["parameters"]),
                _count(each["examples"]),
                "–" if each["hours"] is None else f"{each['hours']:.2f}",
                f"{each['bytes'] / 1e6:.1f}",
                _losses(each["losses"]),
            )
            for each in described
        ],
        right=range(2, 6),
    )


@app.command()
def check(folder: Folder = None, as_json: AsJson = False) -> None:
    """Compare every weights file with its card and its network; exit code 1 when one does not fit."""
    from srbench_ext.inventory import check_weights, weights_files

    found = [
        {"name": file.name, "path": str(file.path), "faults": check_weights(file)}
        for file in weights_files(folder)
    ]
    if as_json:
        print_json(found)
    else:
        for each in found:
            print(f"{each['name']}: {'not as it should be' if each['faults'] else 'ok'}")
            for fault in each["faults"]:
                print(f"  {fault}")
    if any(each["faults"] for each in found):
        raise typer.Exit(1)


@app.command("import")
def import_(
    source: Annotated[str, typer.Argument(help="Whose checkpoint it is: e2e, gensr, nesymres or snip.")],
    file: Annotated[Path, typer.Argument(help="The authors' file, such as model1.pt or 100M.ckpt.")],
    out: Annotated[
        Path | None, typer.Option(help="Where the weights go (default: the user's data folder).")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Turn the authors' checkpoint into safetensors and a card; nothing of the file is executed."""
    from srbench_ext.inventory import import_weights

    path, card = import_weights(source, file, out)
    if as_json:
        print_json({"path": str(path), **card})
        return
    print(f"{card['parameters']:,} parameters written to {path}, the card beside it")
    if not card["words_checked"]:
        print("The file holds no word lists; those of the published model are assumed.")
    print(
        f"Self-test, {card['self_test_target']}: {card['self_test']}"
        if card["self_test"] is not None
        else "Self-test: the network wrote no formula. These are hardly trained weights of this network."
    )


def _count(value: Any) -> str:
    return "–" if value is None else f"{value:,}"


def _losses(losses: Any) -> str:
    if not isinstance(losses, dict):
        return "–"
    return ", ".join(f"{name} {value:.3f}" for name, value in losses.items() if isinstance(value, float))
