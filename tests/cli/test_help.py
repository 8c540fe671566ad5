"""What `--help` says."""

from __future__ import annotations

import typer

from srbench_ext.cli import app


def parameters(group):
    for command in group.commands.values():
        if hasattr(command, "commands"):
            yield from parameters(command)
        else:
            yield from command.params


def test_no_help_text_has_square_brackets_which_rich_would_swallow():
    texts = [parameter.help or "" for parameter in parameters(typer.main.get_command(app))]
    assert len(texts) > 50
    assert [text for text in texts if "[" in text] == []
