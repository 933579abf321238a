import itertools
from futureagi_async import EvaluationStatus
from futureagi_async.emulator.world import Call, Execution
def result(name):
    return {"value": "Passed", "type": "Pass/Fail", "output": "Passed", "output_type": "Pass/Fail", "name": name, "status": "Completed"}

def test_wait_sees_a_completed_execution_before_its_results(client, run_tests, configs, when_served):
    one = run_tests[0]
    client.ensure_eval_configs(one.id, configs[1:2])
    (cfg,) = one.eval_configs
    base = one.executions[0].calls[0].id
    first = Execution("1" + one.executions[0].id[1:], calls=[Call(f"1{n}{base[2:]}") for n in range(2)])
    for c in first.calls: c.eval_outputs = {cfg.id: result("contains")}
    new = Execution("2" + one.executions[0].id[1:], status="evaluating", calls=[Call(f"2{n}{base[2:]}") for n in range(8)])
    for c in new.calls: c.eval_outputs = {}
    one.executions[:] = [new, first]
    n = itertools.count()
    def change(_):
        i = next(n)
        if i == 3: new.status = "completed"          # the finalizer looks at the calls only
        if i == 5:
            for c in new.calls: c.eval_outputs = {cfg.id: result("contains")}
    when_served(change, "executions", times=-1)
    (end,) = client.wait_for_evals([one.id], timeout=10, poll_interval=0.01, stuck_after=5)
    print(end.status, end.configs[0].evaluated, end.configs[0].pending, end.calls_counted)
    assert end.configs[0].evaluated == 10 or end.status is not EvaluationStatus.SCORED
