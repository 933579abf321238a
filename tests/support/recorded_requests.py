"""Requests for journaled batches, and what a journal holds of them."""

from __future__ import annotations

from futureagi_async import AddEvalConfigs, EvalConfig, Journal, RunNewEvals
from futureagi_async.emulator.rows import EvalConfig as KeptEvalConfig


ADD = "add_eval_configs"
RUN = "run_new_evals"


def config(emulator, name="tone"):
    return EvalConfig(emulator.world.template_ids[0], name)


def adds(emulator, count=None, name="tone"):
    """A request for each run test that adds a config."""
    ids = emulator.world.run_test_ids[:count]
    return [AddEvalConfigs(each, [config(emulator, name)]) for each in ids]


def config_id(run_test_id):
    """The config that `runs` puts into a run test."""
    return run_test_id[:-12] + "00000000cafe"


def runs(emulator, count=None):
    """A request for each run test that runs a config, which is there already."""
    ids = emulator.world.run_test_ids[:count]
    for each in ids:
        run_test = emulator.world.run_tests.get(each)
        if not run_test.live_config(config_id(each)):
            kept = KeptEvalConfig(
                config_id(each), "given", emulator.world.template_ids[0]
            )
            run_test.eval_configs.append(kept)
    return [RunNewEvals(each, [config_id(each)], select_all=True) for each in ids]


def entries(path):
    with Journal.open(path) as journal:
        return list(journal)


def states(path):
    """The state of each entry by its run test; no two of one."""
    found = {each.run_test_id: each.state.name for each in entries(path)}
    assert len(found) == len(entries(path))
    return found


def arrived(emulator):
    """How many writes have come to the service."""
    return sum(each.method == "POST" for each in emulator.log.requests)


def results(batch):
    """What came back, the raw answers included."""
    return [(each.result, each.result.raw, each.result.request_id) for each in batch]
