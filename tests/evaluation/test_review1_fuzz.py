import random, pytest
from futureagi_async import EvaluationStatus
from futureagi_async.emulator.world import Call, Execution
LONG = {"timeout": 60, "poll_interval": 0.001}

@pytest.mark.parametrize("seed", range(120))
def test_fast_equals_slow(client, run_tests, configs, seed):
    rnd = random.Random(seed)
    one = run_tests[0]
    for c in configs: client.ensure_eval_configs(one.id, [c])
    base = one.executions[0].calls[0].id
    kinds = [("choices", lambda: rnd.choice(["positive", "neutral", ["price", "delivery"], {"score": 1.0, "choice": "positive"}, []])),
             ("Pass/Fail", lambda: rnd.choice(["Passed", "Failed"])), ("score", lambda: rnd.choice([0, 1, 0.333, 0.5, rnd.random()]))]
    exs = []
    for e in range(rnd.choice([1, 1, 2, 3])):
        calls = []
        for n in range(rnd.randrange(1, 12)):
            c = Call(f"{e}{n:03d}{base[4:]}")
            r = rnd.random()
            if r < .1: c.status = "failed"
            elif r < .13: c.deleted = True
            c.eval_outputs = {}
            for cfg, (kind, value) in zip(one.eval_configs, kinds):
                cell = {"output": value(), "output_type": kind, "name": cfg.name, "status": "Completed", "reason": "r"}
                if rnd.random() < .03: cell = {**cell, "output": None, "error": "error", "status": "Failed"}
                if rnd.random() < .02: cell = {"status": "skipped", "skipped": True}
                c.eval_outputs[cfg.id] = cell
            calls.append(c)
        live = [c for c in calls if not c.deleted]
        ok, bad = sum(c.status == "completed" for c in live), sum(c.status == "failed" for c in live)
        if rnd.random() < .15: ok = rnd.randrange(12)
        exs.append(Execution(f"{e}{one.executions[0].id[1:]}", calls=calls, total_calls=len(live) if rnd.random() < .9 else ok, completed_calls=ok, failed_calls=bad))
    one.executions[:] = exs
    (a,) = client.evaluate([one.id], configs, **LONG)
    (b,) = client.evaluate([one.id], configs, include_calls=True, **LONG)
    (w,) = client.wait_for_evals([one.id], **LONG)
    assert a.status is b.status
    assert [c.to_dict() for c in a.configs] == [c.to_dict() for c in b.configs]
    assert (a.calls_counted, a.calls_not_counted) == (b.calls_counted, b.calls_not_counted)
    key = lambda c: {**c.to_dict(), "origin": None}
    assert sorted(map(repr, map(key, w.configs))) == sorted(map(repr, map(key, b.configs)))
