"""`python -m futureagi_async.emulator`: the emulator from a shell."""

from __future__ import annotations

import argparse
import asyncio
import gc
import math
import signal
import sys
from typing import TYPE_CHECKING, get_args

from futureagi_async.emulator.emulator import MAX_PORT, Emulator
from futureagi_async.emulator.rules.workers import Dispatch
from futureagi_async.emulator.scores import load_scores
from futureagi_async.emulator.synthetic import (
    MAX_CALLS,
    MAX_EXECUTIONS,
    MAX_RUN_TESTS,
    MAX_SEED,
)
from futureagi_async.emulator.world import World


if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


def _whole_number(maximum: int, *, minimum: int = 0) -> Callable[[str], int]:
    """Return a parser of whole numbers from `minimum` to `maximum`."""

    def parse(text: str) -> int:
        try:
            number = int(text)
        except ValueError:
            number = -1
        if not minimum <= number <= maximum:
            raise argparse.ArgumentTypeError(
                f"a whole number from {minimum} to {maximum} is expected, not {text!r}"
            )
        return number

    return parse


def _seconds(text: str) -> float:
    """Parse a finite number of seconds.

    Raises:
        argparse.ArgumentTypeError: it is not finite, or no number.
    """
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 <= number < math.inf:
        raise argparse.ArgumentTypeError(
            f"a finite number of seconds from 0 is expected, not {text!r}"
        )
    return number


def argument_parser() -> argparse.ArgumentParser:
    """Build the parser of the options."""
    parser = argparse.ArgumentParser(
        description="A local server that answers like the Future AGI service.",
    )
    parser.add_argument("--host", default="127.0.0.1", help="where to listen")
    parser.add_argument(
        "--port", type=_whole_number(MAX_PORT), default=8400, help="0 takes a free one"
    )
    parser.add_argument(
        "--world", metavar="FILE", help="a world as JSON, instead of a synthetic one"
    )
    parser.add_argument(
        "--lived-in",
        action="store_true",
        help="an account that people have worked in: run tests with every kind of "
        "history, named after it",
    )
    for option, maximum, meaning in (
        ("--run-tests", MAX_RUN_TESTS, "how many run tests; by default 200"),
        ("--executions", MAX_EXECUTIONS, "of each run test; by default 1, lived in 3"),
        ("--calls", MAX_CALLS, "of each execution; by default 2, lived in 10"),
        ("--seed", MAX_SEED, "other ids and results for another seed; by default 0"),
    ):
        parser.add_argument(
            option, type=_whole_number(maximum), metavar="N", help=meaning
        )
    parser.add_argument(
        "--scores",
        metavar="FILE",
        help="scripted results as JSON: what evaluations yield",
    )
    parser.add_argument(
        "--rate-limit",
        type=_whole_number(sys.maxsize),
        metavar="N",
        help="how many requests of an organization are served in a calendar minute",
    )
    parser.add_argument(
        "--dispatch",
        choices=get_args(Dispatch),
        default="run",
        help="what becomes of evaluations and runs: they stay as they are, are done, "
        "or cannot be started",
    )
    for option, seconds, meaning in (
        ("--run-seconds", 0.5, "how long an evaluation takes"),
        ("--call-seconds", 0.5, "how long a call takes, and the preparation of a run"),
        ("--monitor-seconds", 0.5, "how often runs of text agents are looked at"),
        ("--latency", 0.0, "how long every response is delayed"),
    ):
        parser.add_argument(
            option, type=_seconds, default=seconds, metavar="S", help=meaning
        )
    parser.add_argument(
        "--evaluations-at-once",
        type=_whole_number(sys.maxsize, minimum=1),
        metavar="N",
        help="how many evaluations are made at a time; by default all",
    )
    return parser


def create_emulator(options: argparse.Namespace) -> Emulator:
    """Create the emulator that the options describe.

    Raises:
        ValueError: the world or the scores make no sense.
        OSError: the world or the scores cannot be read.
    """
    world = _create_world(options)
    if options.scores:
        world.scores += load_scores(options.scores)
    return Emulator(
        world,
        host=options.host,
        port=options.port,
        dispatch=options.dispatch,
        latency=options.latency,
        run_seconds=options.run_seconds,
        call_seconds=options.call_seconds,
        monitor_seconds=options.monitor_seconds,
        evaluations_at_once=options.evaluations_at_once,
        rate_limit=options.rate_limit,
    )


def _create_world(options: argparse.Namespace) -> World:
    """Create the world that the options describe."""
    sizes = {
        name: value
        for name in ("run_tests", "executions", "calls", "seed")
        if (value := getattr(options, name)) is not None
    }
    if not options.world:
        return World.lived_in(**sizes) if options.lived_in else World.synthetic(**sizes)
    if sizes or options.lived_in:
        raise ValueError("a world from a file has its own size and history")
    return World.load(options.world)


_GC_THRESHOLD = 100_000
"""Rows stay as long as the world does, so that to collect garbage among them again
and again costs a fifth of the speed and finds nothing."""


async def _serve(emulator: Emulator) -> None:
    """Serve until Ctrl-C or SIGTERM."""
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(name, stopping.set)
    async with emulator:
        lines = (
            f"emulator: {len(emulator.world.run_test_ids)} run tests on {emulator.url}",
            f"FI_BASE_URL={emulator.url}",
            f"FI_API_KEY={emulator.api_key}",
            f"FI_SECRET_KEY={emulator.secret_key}",
        )
        sys.stdout.write("".join(f"{line}\n" for line in lines))
        sys.stdout.flush()
        await stopping.wait()


def main(
    arguments: Sequence[str] | None = None,
    program: str = "python -m futureagi_async.emulator",
) -> int:
    """Run the command; return its exit status."""
    parser = argument_parser()
    parser.prog = program
    options = parser.parse_args(arguments)
    gc.set_threshold(_GC_THRESHOLD)
    try:
        asyncio.run(_serve(create_emulator(options)))
    except (OSError, ValueError) as error:
        sys.stderr.write(f"emulator: {error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
