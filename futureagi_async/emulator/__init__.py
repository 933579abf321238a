"""A local server that answers like the service, for development and tests.

with Emulator(World.synthetic(run_tests=100), dispatch="run") as emulator:
    client = FutureAGI(emulator.api_key, emulator.secret_key,
                       base_url=emulator.url)
"""

from futureagi_async.emulator.emulator import Emulator
from futureagi_async.emulator.world import World


__all__ = ["Emulator", "World"]
