"""Assertions about what arrived at an emulator."""

from collections.abc import Iterable
from uuid import UUID

from futureagi_async.emulator.emulator import Emulator


def assert_nothing_sent(emulator: Emulator) -> None:
    """Check that no request arrived."""
    sent = [f"{request.method} {request.path}" for request in emulator.log.requests]
    assert not sent, f"no request was expected, but these arrived: {sent}"


def assert_added(
    emulator: Emulator, run_test_id: UUID | str, names: Iterable[str]
) -> None:
    """Check which eval configs were created on a run test, by name.

    Those that the run test had from the start do not count.
    """
    run_test = emulator.world.run_tests.get(_normalize(run_test_id))
    assert run_test is not None, f"the emulator has no run test {run_test_id}"
    newest = run_test.live_configs()[: emulator.log.configs[run_test.id]]
    created, expected = sorted(config.name or "" for config in newest), sorted(names)
    assert created == expected, f"run test {run_test_id} got {created}, not {expected}"


def assert_started_once(emulator: Emulator, run_test_ids: Iterable[UUID | str]) -> None:
    """Check that evaluations were started once on each of these, and on no others."""
    expected = {_normalize(run_test_id): 1 for run_test_id in run_test_ids}
    started = {key: times for key, times in emulator.log.runs.items() if times}
    missing = sorted(expected.keys() - started.keys())
    surplus = {key: n for key, n in started.items() if n != expected.get(key)}
    assert not missing, f"no evaluations were started on {missing}"
    assert not surplus, (
        f"evaluations were started more than once, or unexpectedly: {surplus}"
    )


def _normalize(run_test_id: UUID | str) -> str:
    """Return an id as a client sends it; what is not a UUID stays as it is."""
    try:
        return str(UUID(str(run_test_id)))
    except ValueError:
        return str(run_test_id)
