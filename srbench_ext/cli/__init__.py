"""The command ``srbench-ext``: parses, calls, prints. What it does is in the library.

Exit codes: 0 done; 1 it failed; 2 the call has to be changed (unknown name, bad input or configuration);
130 interrupted.
"""

from __future__ import annotations

import sys

import typer

from srbench_ext.cli import (
    ablation,
    benchmark,
    data,
    fit,
    in_domain,
    interop,
    latent,
    pack,
    plugins,
    published,
    sweep,
    train,
    weights,
)
from srbench_ext.errors import ConfigError, InputError, SrbenchError, UnknownNameError

__all__ = ["app", "main"]

app = typer.Typer(
    help="Run, compare and use symbolic regression methods.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("list")(benchmark.list_names)
app.command("run")(benchmark.run)
app.command("report")(benchmark.report)
app.command("tables")(benchmark.paper_tables)
app.command("pack")(pack.pack)
app.command("import")(interop.import_)
app.command("export")(interop.export)
app.command("published")(published.published)
app.command("fit")(fit.fit)
app.command("train")(train.train)
app.command("new-method")(plugins.new_method)
app.command("check")(plugins.check)
app.command("ablation")(ablation.ablation)
app.command("sweep")(sweep.sweep)
app.command("in-domain")(in_domain.in_domain)
app.command("latent")(latent.latent)
app.add_typer(data.app, name="data")
app.add_typer(weights.app, name="weights")

_CALLERS_FAULT = (UnknownNameError, InputError, ConfigError)


def main() -> None:
    """Run the command line; an error of the package becomes one line and an exit code."""
    try:
        app(prog_name="srbench-ext")
    except SrbenchError as error:
        _fail(error, 2 if isinstance(error, _CALLERS_FAULT) else 1)
    except OSError as error:
        if error.filename is None:
            raise
        _fail(f"{error.strerror}: {error.filename}", 1)


def _fail(message: object, code: int) -> None:
    print(f"Error: {message}", file=sys.stderr)
    sys.exit(code)
