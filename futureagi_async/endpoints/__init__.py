"""One module per endpoint, with its request and its result."""

from typing import TYPE_CHECKING

from futureagi_async._lazy import lazy_exports


if TYPE_CHECKING:
    from futureagi_async.endpoints import (
        add_eval_configs as add_eval_configs,
        cancel_execution as cancel_execution,
        compare_executions as compare_executions,
        delete_eval_config as delete_eval_config,
        eval_config as eval_config,
        eval_output as eval_output,
        execute_run_test as execute_run_test,
        execution_calls as execution_calls,
        find_by_name as find_by_name,
        get_call_execution as get_call_execution,
        get_eval_summary as get_eval_summary,
        get_execution_status as get_execution_status,
        get_run_test as get_run_test,
        get_simulation_metrics as get_simulation_metrics,
        get_simulation_runs as get_simulation_runs,
        list_call_executions as list_call_executions,
        list_eval_templates as list_eval_templates,
        list_run_tests as list_run_tests,
        list_simulation_runs as list_simulation_runs,
        list_test_executions as list_test_executions,
        mapping as mapping,
        ping as ping,
        rerun as rerun,
        rerun_calls as rerun_calls,
        rerun_executions as rerun_executions,
        run_new_evals as run_new_evals,
        scores as scores,
        status as status,
        transcript as transcript,
        update_eval_config as update_eval_config,
    )
else:
    __getattr__, __dir__, __all__ = lazy_exports(
        globals(),
        dict.fromkeys(
            (
                ".add_eval_configs",
                ".cancel_execution",
                ".compare_executions",
                ".delete_eval_config",
                ".eval_config",
                ".eval_output",
                ".execute_run_test",
                ".execution_calls",
                ".find_by_name",
                ".get_call_execution",
                ".get_eval_summary",
                ".get_execution_status",
                ".get_run_test",
                ".get_simulation_metrics",
                ".get_simulation_runs",
                ".list_call_executions",
                ".list_eval_templates",
                ".list_run_tests",
                ".list_simulation_runs",
                ".list_test_executions",
                ".mapping",
                ".ping",
                ".rerun",
                ".rerun_calls",
                ".rerun_executions",
                ".run_new_evals",
                ".scores",
                ".status",
                ".transcript",
                ".update_eval_config",
            ),
            (),
        ),
    )
