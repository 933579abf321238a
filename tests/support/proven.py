"""A service with many faults, and what has to be true afterwards."""

from __future__ import annotations

import os
import random
from typing import TYPE_CHECKING, Any

import attrs

from futureagi_async import (
    AsyncFutureAGI,
    Delivery,
    EvalConfig,
    FutureAGI,
    RetryPolicy,
    Timeout,
)


if TYPE_CHECKING:
    from collections.abc import Sequence

    from futureagi_async import EvaluationReport, RunTestEvaluation
    from futureagi_async.emulator import Emulator, World
    from futureagi_async.emulator.log import Log
    from futureagi_async.types import EvalSummary


SEED = int(
    os.environ.get("FUTUREAGI_TEST_SEED") or random.SystemRandom().getrandbits(32)
)

RUN_SECONDS = 0.2
"""How long evaluations take: long enough for some polls to find them under way."""

LATENCY = 0.002
"""How much longer every answer takes, so that many requests are in flight."""

READ = 0.5
"""When the client gives up waiting: far above what a busy machine takes to answer."""

SLOW = 0.6
"""How long the slow answers take: longer than the client waits, so that the work is
done after it has given up."""

SETTLE_AFTER = 2.0
"""When the client reconciles an unknown outcome: long after the slow responses."""

POLL = 0.05
"""The first pause between two rounds: a quarter of what evaluations take."""

DEADLINE = 120.0
"""Far more than the job takes: nothing here may end by its deadline."""

TEMPLATES = 3
"""A choice, a Pass/Fail and another: the first templates of a synthetic world."""

TROUBLE: Sequence[dict[str, Any]] = (
    {"fault": "latency", "probability": 0.02, "seconds": 0.05},
    {
        "fault": "latency",
        "probability": 0.1,
        "seconds": SLOW,
        "endpoint": "add_eval_configs",
    },
    {
        "fault": "latency",
        "probability": 0.1,
        "seconds": SLOW,
        "endpoint": "run_new_evals",
    },
    {"fault": "status", "probability": 0.02, "status": 500},
    {"fault": "status", "probability": 0.01, "status": 503},
    {"fault": "status", "probability": 0.01, "status": 503, "retry_after": 0.02},
    # So many are accepted, and then so many throttled: a window that fills up.
    {"fault": "rate_limit", "per_minute": 400, "times": 100, "retry_after": 0.05},
    {"fault": "rate_limit", "per_minute": 0, "probability": 0.02, "retry_after": 0.02},
    {"fault": "drop_before", "probability": 0.02},
    {"fault": "drop_after", "probability": 0.02},
    {"fault": "truncate", "probability": 0.02},
    {"fault": "garbage", "probability": 0.02},
    {"fault": "dispatch", "probability": 0.15, "endpoint": "run_new_evals"},
)
"""A request in six meets one of these; of the writes more. With 150 run tests, each of
them strikes: that one does not has a probability of one in a million."""


def trouble(emulator: Emulator, seed: int) -> None:
    """Have everything go wrong that can, at random, from a seed."""
    for number, fault in enumerate(TROUBLE):
        emulator.faults.add(seed=seed + number, **fault)


def configs_for(world: World) -> list[EvalConfig]:
    """The eval configs that are asked for."""
    ids = world.template_ids[:TEMPLATES]
    return [EvalConfig(id_, name=f"eval {n}") for n, id_ in enumerate(ids)]


def settings(
    emulator: Emulator, reconcile_after: float = SETTLE_AFTER
) -> dict[str, Any]:
    """How a client reaches it, and how long it waits for what."""
    return {
        "api_key": emulator.api_key,
        "secret_key": emulator.secret_key,
        "base_url": emulator.url,
        "retry": RetryPolicy(reconcile_after=reconcile_after),
        # Without an end: how long the machine takes is not what is proved.
        "timeout": Timeout(read=READ, total=None),
    }


def without_jitter(client: AsyncFutureAGI | FutureAGI) -> None:
    """Have waits before another try be what the service asks for, and nothing more."""
    inner = client if isinstance(client, AsyncFutureAGI) else client._client
    transport = inner._transport
    transport._shared = attrs.evolve(transport._shared, random=lambda: 0.0)


def assert_reported_correctly(report: EvaluationReport, log: Log, label: str) -> None:
    """Compare the report on every run test with what the service really did."""
    for each in report:
        assert each.run_test_id is not None
        runs, configs = log.runs[each.run_test_id], log.configs[each.run_test_id]
        about = f"{label}, {runs} runs, {configs} configs: {each}"
        assert runs <= 1, f"run twice: {about}"
        assert configs <= TEMPLATES, f"added twice: {about}"
        assert each.requests <= runs, f"reported as run: {about}"
        if each.is_scored:
            assert (runs, configs) == (1, TEMPLATES), f"scored without a run: {about}"
        else:
            assert_named(each, runs, configs, about)


def assert_named(
    evaluation: RunTestEvaluation, runs: int, configs: int, about: str
) -> None:
    """A run test that is not scored has a reason, and is unknown only if it is reported so."""
    assert evaluation.reason, f"no reason: {about}"
    error = evaluation.error
    assert error is not None, f"no error: {about}"
    if error.delivery is not Delivery.UNKNOWN:
        assert runs == evaluation.requests, f"run, and not reported: {about}"
        assert configs in (0, TEMPLATES), f"added in part, and not reported: {about}"


def assert_all_done_once(
    report: EvaluationReport, log: Log, summaries: Sequence[EvalSummary], label: str
) -> None:
    """Every run test is scored, was run once, and its scores are the service's own."""
    assert len(report.scored) == len(report), f"{label}: {report.unscored[:3]}"
    ids = [each.run_test_id for each in report]
    assert log.runs == dict.fromkeys(ids, 1), label
    assert log.configs == dict.fromkeys(ids, TEMPLATES), label
    for each, summary in zip(report, summaries, strict=True):
        theirs = {c.id: (c.name, c.total_cells, c.scores) for c in summary.configs}
        ours = {c.eval_config_id: (c.name, c.evaluated, c.scores) for c in each.configs}
        assert ours == theirs, f"{label}: {each.run_test_id}"
