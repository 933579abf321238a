"""`python -m futureagi_async.emulator`: the emulator from a shell."""

from __future__ import annotations

import argparse
import asyncio
import gc
import math
import signal
import sys
from typing import TYPE_CHECKING, get_args

from futureagi_async.emulator.emulator import LAST_PORT, Emulator
from futureagi_async.emulator.rules.evaluations import Dispatch
from futureagi_async.emulator.synthetic import (
    MOST_CALLS,
    MOST_EXECUTIONS,
    MOST_RUN_TESTS,
    MOST_SEEDS,
)
from futureagi_async.emulator.world import World


if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


def whole(most: int) -> Callable[[str], int]:
    """Reads whole numbers from 0 to `most`."""

    def read(text: str) -> int:
        try:
            number = int(text)
        except ValueError:
            number = -1
        if not 0 <= number <= most:
            raise argparse.ArgumentTypeError(
                f"a whole number from 0 to {most} is wanted, not {text!r}"
            )
        return number

    return read


def seconds(text: str) -> float:
    """Reads seconds that come to an end.

    Raises:
        argparse.ArgumentTypeError: They do not, or are none.
    """
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 <= number < math.inf:
        raise argparse.ArgumentTypeError(
            f"a finite number of seconds from 0 is wanted, not {text!r}"
        )
    return number


def parser() -> argparse.ArgumentParser:
    """The options."""
    options = argparse.ArgumentParser(
        prog="python -m futureagi_async.emulator",
        description="A local server that answers like the Future AGI service.",
    )
    options.add_argument("--host", default="127.0.0.1", help="where to listen")
    options.add_argument(
        "--port", type=whole(LAST_PORT), default=8400, help="0 takes a free one"
    )
    options.add_argument(
        "--world", metavar="FILE", help="a world as JSON, instead of a synthetic one"
    )
    options.add_argument(
        "--run-tests", type=whole(MOST_RUN_TESTS), default=200, metavar="N"
    )
    options.add_argument(
        "--executions", type=whole(MOST_EXECUTIONS), default=1, metavar="N"
    )
    options.add_argument("--calls", type=whole(MOST_CALLS), default=2, metavar="N")
    options.add_argument("--seed", type=whole(MOST_SEEDS - 1), default=0, metavar="N")
    options.add_argument(
        "--dispatch",
        choices=get_args(Dispatch),
        default="run",
        help="what becomes of evaluations: they stay pending, finish, or fail",
    )
    options.add_argument(
        "--run-seconds",
        type=seconds,
        default=0.5,
        metavar="S",
        help="how long evaluations take",
    )
    options.add_argument(
        "--latency",
        type=seconds,
        default=0.0,
        metavar="S",
        help="how much longer every answer takes",
    )
    return options


def emulator_of(arguments: argparse.Namespace) -> Emulator:
    """The emulator that the options describe.

    Raises:
        ValueError: The world makes no sense.
        OSError: The world cannot be read.
    """
    world = (
        World.load(arguments.world)
        if arguments.world
        else World.synthetic(
            arguments.run_tests,
            executions=arguments.executions,
            calls=arguments.calls,
            seed=arguments.seed,
        )
    )
    return Emulator(
        world,
        host=arguments.host,
        port=arguments.port,
        dispatch=arguments.dispatch,
        latency=arguments.latency,
        run_seconds=arguments.run_seconds,
    )


ROWS_BEFORE_COLLECTING = 100_000
"""Rows stay as long as the world does, so that looking for garbage among them again
and again costs a fifth of the speed and finds nothing."""


async def serve(emulator: Emulator) -> None:
    """Serves until Ctrl-C or SIGTERM."""
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


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit status."""
    options = parser().parse_args(arguments)
    gc.set_threshold(ROWS_BEFORE_COLLECTING)
    try:
        asyncio.run(serve(emulator_of(options)))
    except (OSError, ValueError) as problem:
        sys.stderr.write(f"emulator: {problem}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
