import asyncio, threading, itertools
import pytest
from futureagi_async import EvaluationStatus, AsyncFutureAGI
from futureagi_async.emulator.world import Call, Execution, World
from futureagi_async.emulator import Emulator
LONG = {"timeout": 60, "poll_interval": 0.001}
def result(name, *, passed=True, **values):
    word, kind = "Passed" if passed else "Failed", "Pass/Fail"
    entry = {"value": word, "type": kind, "output": word, "output_type": kind}
    return {**entry, "name": name, "status": "Completed", **values}


SCORED = EvaluationStatus.SCORED
LIMIT = "You have run out of credits."


@pytest.fixture
def equipped(client, run_tests, configs):
    one = run_tests[0]
    client.evaluate([one.id], configs, **LONG)
    return one


def show(end):
    print("\n", end.status, end.reason, end.calls_counted, end.calls_not_counted, end.warnings)
    for c in end.configs:
        print("   ", c.name, c.score_text, "ev", c.evaluated, "f", c.failed, "p", c.pending, c.origin)


def test_t1_update_under_evaluation_with_latest(client, equipped, configs, emulator):
    """An OLDER execution is evaluating; latest_executions=1 looks at the newest only."""
    by_listed = list(client.list_test_executions(equipped.id))
    old_id = by_listed[-1].id
    old = next(e for e in equipped.executions if e.id == old_id)
    old.status = "evaluating"
    for c in old.calls:
        c.status = "analyzing"
    wanted = [{**configs[0], "model": "another"}, *configs[1:]]
    (end,) = client.evaluate([equipped.id], wanted, on_conflict="update",
        latest_executions=1, timeout=1.0, poll_interval=0.01, stuck_after=60)
    show(end)
    print(old.status, equipped.eval_configs[0].model)
    assert equipped.eval_configs[0].model != "another"


def test_t2_old_limit_of_another_config_stops_everything(client, emulator, run_tests, run_test_ids, configs):
    one = run_tests[0]
    client.ensure_eval_configs(one.id, configs[:1])
    old = one.eval_configs[0]
    for e in one.executions:
        for c in e.calls:
            c.eval_outputs = {old.id: {"output": None, "output_type": "Pass/Fail", "name": "mood",
                "reason": LIMIT, "error": "error", "status": "Failed"}}
    report = client.evaluate(run_test_ids, configs[1:], max_in_progress=1, **LONG)
    for e in report:
        print(e.status, e.reason[:100], e.warnings)
    assert [e.status for e in report] == [SCORED] * len(report)


def test_t4_stale_stored_counts(client, emulator, run_tests, configs):
    one = run_tests[0]
    client.ensure_eval_configs(one.id, configs[1:2])
    (cfg,) = one.eval_configs
    base = one.executions[0].calls[0].id
    calls = [Call(f"{n}{base[1:]}") for n in range(5)]
    for c in calls[:3]:
        c.eval_outputs = {cfg.id: result("contains")}
    for c in calls[3:]:
        c.status = "failed"
        c.eval_outputs = {}
    ex = Execution(one.executions[0].id, calls=calls, total_calls=5, completed_calls=3, failed_calls=2)
    one.executions[:] = [ex]
    # rerun-calls EVAL_ONLY of the failed two: they become completed; a finalizer that looks
    # at the calls only has completed the execution; results are still to come
    for c in calls[3:]:
        c.status = "completed"
    for end in (*client.evaluate([one.id], configs[1:2], **LONG), *client.wait_for_evals([one.id], **LONG)):
        show(end)
    assert end.calls_counted == 5 or end.status is not SCORED


def test_t6_wait_false_scores_a_part(client, run_tests, configs):
    one = run_tests[0]
    client.ensure_eval_configs(one.id, configs[1:2])
    (cfg,) = one.eval_configs
    base = one.executions[0].calls[0].id
    calls = [Call(f"{n}{base[1:]}") for n in range(4)]
    calls[0].eval_outputs = {cfg.id: result("contains")}
    for c in calls[1:]:
        c.status = "analyzing"; c.eval_outputs = {}
    one.executions[:] = [Execution(one.executions[0].id, calls=calls)]
    (end,) = client.evaluate([one.id], configs[1:2], timeout=60, wait=False)
    show(end)
    assert end.status is not SCORED


def test_t7_config_deleted_while_waiting(client, run_tests, configs, when_served):
    one = run_tests[0]
    client.ensure_eval_configs(one.id, configs[:2])
    a, b = one.eval_configs
    base = one.executions[0].calls[0].id
    calls = [Call(f"{n}{base[1:]}") for n in range(2)]
    for c in calls:
        c.eval_outputs = {a.id: result("mood"), b.id: {}}
    ex = Execution(one.executions[0].id, status="evaluating", calls=calls)
    one.executions[:] = [ex]
    n = itertools.count()
    def change(_):
        i = next(n)
        if i == 3:
            b.deleted = True
            ex.status = "completed"
    when_served(change, "executions", times=-1)
    (end,) = client.wait_for_evals([one.id], **LONG)
    show(end)
    assert end.status is SCORED


def test_t8_wait_false_counts(client, run_tests, configs):
    one = run_tests[0]
    base = one.executions[0].calls[0].id
    calls = [Call(f"{n}{base[1:]}") for n in range(5)]
    calls[4].status = "failed"
    one.executions[:] = [Execution(one.executions[0].id, calls=calls)]
    (end,) = client.evaluate([one.id], configs[1:2], timeout=60, wait=False)
    show(end)
    assert end.calls_not_counted == {"failed": 1}


def test_t3_execute_completed_before_cells(configs, client, emulator, run_tests, when_served):
    """After execute, the execution is completed (a finalizer looks at calls only) while cells are absent."""
    one = run_tests[0]
    client.ensure_eval_configs(one.id, configs[1:2])
    (cfg,) = one.eval_configs
    known = {e.id for e in one.executions}
    n = itertools.count()
    state = {}
    def change(_):
        new = [e for e in one.executions if e.id not in known]
        if not new:
            return
        (ex,) = new
        i = next(n)
        if i<9: print("read", i, ex.status, [(c.status, c.eval_outputs) for c in ex.calls])
    when_served(change, "executions", times=-1)
    # stop emulator's own phases: dispatch accepts nothing works
    emulator.state.service.workers.dispatch = "accept"
    def life():
        import time
        while True:
            new = [e for e in one.executions if e.id not in known]
            if new:
                break
            time.sleep(0.01)
        ex, = new
        time.sleep(0.1)
        ex.calls[:] = [Call(f"{k}" + ex.id[1:]) for k in range(3)]
        for c in ex.calls: c.eval_outputs = {}
        ex.status = "completed"; ex.total_calls = ex.completed_calls = 3
        # the default evaluation of the run stores its results 0.3 s later
        time.sleep(0.3)
        for c in ex.calls: c.eval_outputs = {cfg.id: result("contains")}
    t = threading.Thread(target=life); t.start()
    (end,) = client.evaluate([one.id], configs[1:2], execute=True, timeout=5, poll_interval=0.01, stuck_after=60)
    t.join()
    show(end)
    print(emulator.log.runs)
    assert not emulator.log.runs


def test_t9_stuck_while_another_config_is_evaluated(client, run_tests, configs, when_served, emulator):
    """Text agent: evaluating config `mood` call by call with pauses; `contains` is created now."""
    one = run_tests[0]
    client.ensure_eval_configs(one.id, configs[:1])
    (a,) = one.eval_configs
    base = one.executions[0].calls[0].id
    calls = [Call(f"{n}{base[1:]}") for n in range(4)]
    for c in calls: c.eval_outputs = {}
    ex = Execution(one.executions[0].id, status="evaluating", calls=calls)
    one.executions[:] = [ex]
    calls[0].eval_outputs = {a.id: result("mood")}
    (end,) = client.evaluate([one.id], configs[1:2], timeout=3, poll_interval=0.01, stuck_after=0.2)
    show(end)
    assert end.status is EvaluationStatus.PENDING


def test_t10_limit_leaves_unread_what_needs_nothing(client, emulator, run_test_ids, configs):
    client.evaluate(run_test_ids[3:], configs, **LONG)     # these have all results
    for template in emulator.world.templates.values():
        template.on_run = {"output": None, "output_type": "Pass/Fail", "reason": LIMIT, "error": "error", "status": "Failed"}
    report = client.evaluate(run_test_ids, configs, max_in_progress=1, **LONG)
    for e in report: print(e.status, e.reason[:80])
    assert [e.status for e in report[3:]] == [SCORED] * 5


def test_t12_retry_of_a_listed_one_reads_the_list_on(emulator, client, configs, when_served):
    """How many list pages are read by the second find of one run test."""
    from futureagi_async.evaluation.directory import RunTestDirectory
    from futureagi_async import AsyncFutureAGI
    from futureagi_async.batch.executor import RequestContext, RequestExecutor
    world = World.synthetic(run_tests=450, executions=1)
    with Emulator(world) as em:
        async def main():
            async with AsyncFutureAGI(em.api_key, em.secret_key, base_url=em.url) as c:
                ex = RequestExecutor(RequestContext(c._transport, c._options))
                d = RunTestDirectory(expected=450)
                first = world.run_test_ids
                page1 = await ex.read(__import__("futureagi_async.endpoints.list_run_tests", fromlist=["x"]).ListRunTests())
                id_ = page1.results[0].id
                em.log.clear()
                await d.find(ex.read, id_)
                print("first", [r.path[:60] for r in em.log.requests])
                em.log.clear()
                await d.find(ex.read, id_)
                print("second", [r.path[:60] for r in em.log.requests], len(d._listed))
                return len(em.log.requests)
        assert asyncio.run(main()) == 1


async def test_t5_cancelled_error_from_elsewhere_forgets_the_target():
    from futureagi_async.evaluation.poller import Poller
    from futureagi_async.evaluation.poll_schedule import PollSchedule
    polls = 0
    class T: pass
    async def poll_one(t):
        nonlocal polls
        polls += 1
        if polls == 1:
            raise asyncio.CancelledError   # as an awaited, cancelled future does
        p.remove(t)
    p = Poller(poll_one, lambda t: print("expired"), schedule=PollSchedule(0.01), workers=2)
    p.add(T()); p.close()
    async with asyncio.timeout(2):
        await p.run(lambda: False, None)
    assert polls == 2


def test_t11_deadline_during_a_restart(client, run_tests, configs):
    pass


@pytest.mark.parametrize("name", ["   ", "", "a\x00b", "x" * 3000, "\ud800"])
def test_t13_odd_names(client, run_tests, configs, name):
    one = run_tests[0]
    client.evaluate([one.id], configs, **LONG)
    one.name = name
    (end,) = client.evaluate([one.id], configs, **LONG)
    print(repr(name[:5]), end.status, end.reason)
    (end,) = client.wait_for_evals([one.id], **LONG)
    print(repr(name[:5]), end.status, end.reason)
    assert end.status is SCORED


@pytest.mark.parametrize("how", ["raise", "update"])
def test_t14_stale_list_says_differs(emulator, client, run_tests, configs, monkeypatch, when_served, how):
    world = World.synthetic(run_tests=30, executions=1)
    with Emulator(world, dispatch="run", run_seconds=0) as em:
        async def main():
            async with AsyncFutureAGI(em.api_key, em.secret_key, base_url=em.url) as c:
                ids = list(world.run_test_ids)
                cfg = [{"template_id": world.template_ids[1], "name": "contains", "model": "new"}]
                old = [{**cfg[0], "model": "old"}]
                for i in ids: await c.ensure_eval_configs(i, old)
                # others update the config of the last one just after the list was read
                seen = []
                from futureagi_async.emulator.rules.service import Service
                serve = Service.serve
                def watched(self, request, *a, **k):
                    r = serve(self, request, *a, **k)
                    if request.path == "/simulate/run-tests/":
                        for i in ids:
                            for e in world.run_tests.get(i).eval_configs: e.model = "new"
                    return r
                monkeypatch.setattr(Service, "serve", watched)
                return await c.evaluate(ids, cfg, on_conflict=how, timeout=20, poll_interval=0.01), em.log.counts
        report, counts = asyncio.run(main())
        import collections
        print(collections.Counter(e.status for e in report), report[0].reason[:200], counts)
        assert all(e.status is SCORED for e in report) and not any(k[0]=="update_eval_config" for k in counts)


def test_t15_timeout_of_the_scored_read_falls_back(emulator, connect, run_tests, configs):
    from futureagi_async import Timeout
    async def main():
        async with connect(timeout=Timeout(read=0.2, total=5)) as c:
            await c.evaluate([run_tests[0].id], configs, **LONG)
            emulator.log.clear()
            emulator.faults.add("delay", seconds=0.5, endpoint="runs", times=-1) if 0 else None
            from futureagi_async.emulator.rules.service import Service
            return None
    asyncio.run(main())


def test_t16_null_results_in_the_summary(client, run_tests, configs):
    one = run_tests[0]
    for which in (0, 1, 2):
        client.ensure_eval_configs(one.id, [configs[which]])
    for cfg, (value, kind) in zip(one.eval_configs, [("positive", "choices"), ("Passed", "Pass/Fail"), (0.5, "score")]):
        base = one.executions[0].calls[0].id
    calls = [Call(f"{n}{base[1:]}") for n in range(3)]
    for n, c in enumerate(calls):
        c.eval_outputs = {
            cfg.id: {"output": value if n else None, "output_type": kind, "name": cfg.name, "status": "Completed"}
            for cfg, (value, kind) in zip(one.eval_configs, [("positive", "choices"), ("Passed", "Pass/Fail"), (0.5, "score")])}
    one.executions[:] = [Execution(one.executions[0].id, calls=calls, total_calls=3, completed_calls=3)]
    (a,) = client.evaluate([one.id], configs, **LONG)
    (b,) = client.evaluate([one.id], configs, include_calls=True, **LONG)
    show(a); show(b)
    assert [c.to_dict() for c in a.configs] == [c.to_dict() for c in b.configs]


def test_t20_pending_execute_says_left_out(client, run_tests, configs, emulator):
    emulator.state.service.workers.dispatch = "accept"
    emulator.log.clear()
    (end,) = client.evaluate([run_tests[0].id], configs[1:2], execute=True, timeout=0.5, poll_interval=10)
    show(end)
    print([(r.method, r.path[:110], r.query[:40]) if hasattr(r,"query") else (r.method, r.path) for r in emulator.log.requests])
    assert not any("left out" in w and "no completed call" in w for w in end.warnings)


def test_t21_a_read_that_fails_after_execute(client, run_tests, configs, emulator, when_served):
    from futureagi_async.emulator.rules.service import Service
    one = run_tests[0]
    armed = []
    def arm(_):
        emulator.faults.add("status", status=503, endpoint="executions", times=3)
        emulator.faults.add("status", status=503, endpoint="runs", times=3)
    when_served(arm, "execute")
    (end,) = client.evaluate([one.id], configs[1:2], execute=True, timeout=20, poll_interval=0.01)
    show(end); print(len(one.executions), end.error)
    assert end.status is SCORED
