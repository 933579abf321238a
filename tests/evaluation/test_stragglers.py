"""A run test whose polls are slow, beside others that are not."""

from __future__ import annotations

from futureagi_async import EvaluationStatus
from futureagi_async.evaluation import poller


async def test_a_slow_run_test_holds_up_no_other_and_expires_at_the_deadline(
    *, connect, emulator, configs, leap, when_served, monkeypatch
):
    emulator.state.service.workers.settings.evaluation_seconds = 0.05
    ids = emulator.world.run_test_ids[:5]
    slow = ids[0]

    async def nothing(*_):
        return None

    # A read by the name of a run test does not have its id, by which a fault is set.
    monkeypatch.setattr(poller, "read_scored_overview", nothing)

    def slow_down(request):
        if slow in request.path:
            emulator.faults.add(
                "latency", seconds=8, endpoint="executions", run_test_id=slow
            )

    def pass_the_deadline(progress):
        if progress.scored == 4:
            leap(1000)

    when_served(slow_down, "run-new-evals", times=-1)

    async with connect() as client:
        report = await client.evaluate(
            ids,
            configs,
            timeout=500,
            poll_interval=0.01,
            on_progress=pass_the_deadline,
        )

    scored = EvaluationStatus.SCORED
    assert [each.status for each in report] == [EvaluationStatus.PENDING, *[scored] * 4]
    assert report[0].reason.startswith(
        "not waited for any longer: the deadline of the batch has passed"
    )
    assert report[0].requests == 1
