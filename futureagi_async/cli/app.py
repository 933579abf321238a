"""The commands and their options."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from futureagi_async import __version__
from futureagi_async.cli.demo import run_demo
from futureagi_async.emulator import __main__ as emulator_command
from futureagi_async.emulator.synthetic import MAX_RUN_TESTS


app: typer.Typer = typer.Typer(
    help="Future AGI evaluations for many run tests.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_show_locals=False,
)


def _show_version(requested: bool) -> None:
    if requested:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def _options(
    _version: Annotated[
        bool,
        typer.Option(
            "--version",
            help="Print the version.",
            callback=_show_version,
            is_eager=True,
        ),
    ] = False,
) -> None:
    pass


_MAX_LATENCY = 10.0
"""Seconds, so that the demo finishes."""


def _validate_latency(seconds: float) -> float:
    # Not `min` and `max` of the option: those accept "nan".
    if not 0 <= seconds <= _MAX_LATENCY:
        raise typer.BadParameter(
            f"seconds from 0 to {_MAX_LATENCY:g} are expected, not {seconds:g}"
        )
    return seconds


@app.command()
def demo(
    run_tests: Annotated[
        int, typer.Option(min=1, max=MAX_RUN_TESTS, help="How many run tests.")
    ] = 200,
    max_concurrency: Annotated[
        int, typer.Option(min=1, max=1000, help="Requests in flight at a time.")
    ] = 32,
    latency: Annotated[
        float,
        typer.Option(
            callback=_validate_latency,
            help="Seconds by which the emulator delays every response, 10 at most.",
        ),
    ] = 0.05,
) -> None:
    """Evaluate many run tests on a local emulator, and show their scores."""
    sys.exit(run_demo(run_tests, max_concurrency, latency))


@app.command(
    context_settings={"ignore_unknown_options": True},
    add_help_option=False,
)
def emulator(
    arguments: Annotated[list[str] | None, typer.Argument()] = None,
) -> None:
    """Serve an emulator of the service until Ctrl-C; --help shows its options."""
    sys.exit(emulator_command.main(arguments or [], "futureagi-async emulator"))
