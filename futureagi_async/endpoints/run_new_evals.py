"""Run eval configs over executions: `POST /simulate/run-tests/{id}/run-new-evals/`."""

from __future__ import annotations

import enum
import warnings
from collections.abc import AsyncIterable, Iterable, Mapping, Sequence
from typing import Any, ClassVar, Literal, Self, TypeAlias, overload
from uuid import UUID

import attrs

# The other endpoints are loaded when they are first named: most requests need none.
from futureagi_async import endpoints
from futureagi_async.errors import (
    APIResponseError,
    APIStatusError,
    EvalDispatchError,
    ExecutionsNotCompletedError,
    InvalidRequestError,
    UnexpectedResponseError,
)
from futureagi_async.model import codec, validation
from futureagi_async.model.operation import History, HistoryEntry
from futureagi_async.model.outcome import Batch
from futureagi_async.model.page import Paginator, SendRead
from futureagi_async.model.reconciliation import (
    Applied,
    Indeterminate,
    NotApplied,
    Reconcilable,
    Reconciliation,
)
from futureagi_async.model.request import Requests, Result, build_requests
from futureagi_async.model.resource import (
    EvalConfigRef,
    ExecutionRef,
    IdentifiesEvalConfig,
    IdentifiesExecution,
    IdentifiesRunTest,
    RunTestRef,
)


# Keys of a mapping are invariant: each kind of key is a type of its own.
IdsByRunTest: TypeAlias = (
    Mapping[str, Iterable[UUID | str]]
    | Mapping[UUID, Iterable[UUID | str]]
    | Mapping[UUID | str, Iterable[UUID | str]]
    | Mapping[RunTestRef, Iterable[EvalConfigRef | ExecutionRef]]
)
"""Eval configs or executions by the run test that they belong to."""

PairsByRunTest: TypeAlias = (
    Iterable[tuple[RunTestRef, Iterable[EvalConfigRef]]]
    | AsyncIterable[tuple[RunTestRef, Iterable[EvalConfigRef]]]
)
"""The same as pairs, which can be read lazily."""

_DISPATCH_FAILED = "dispatch failed"
_NOT_COMPLETED = "only test executions with completed status"


@attrs.frozen(kw_only=True)
class RunNewEvalsResult(Result):
    """The confirmation that evaluations were started.

    Attributes:
        message: the service's confirmation.
        run_test_id: the run test.
        call_execution_count: number of calls that are being evaluated.
    """

    message: str
    run_test_id: str
    call_execution_count: int


def _unique_ids(value: Iterable[EvalConfigRef]) -> tuple[str, ...]:
    ids = validation.resource_ids(value, "eval_config_ids", IdentifiesEvalConfig)
    if not ids:
        raise InvalidRequestError(
            "eval_config_ids: the list is empty; at least one is expected"
        )
    # The service answers 400 "not found" to a repeated id.
    return tuple(dict.fromkeys(ids))


def _execution_ids(value: Iterable[ExecutionRef] | None) -> tuple[str, ...] | None:
    if value is None:
        return None
    return validation.resource_ids(value, "test_execution_ids", IdentifiesExecution)


def _select_all(value: bool | None) -> bool:
    return bool(validation.optional_bool(value, "select_all"))


def _enable_tool_evaluation(value: bool | None) -> bool | None:
    return validation.optional_bool(value, "enable_tool_evaluation")


@attrs.frozen
class RunNewEvals(Reconcilable[RunNewEvalsResult]):
    """Start evaluations of a run test's executions. Each call evaluated is paid for.

    Results that the same configs had on these executions are erased at once. Put all
    configs into one request: while an execution is being evaluated, the service rejects
    further requests for it.

    Args:
        run_test_id: the run test, or its id in any spelling of a UUID.
        eval_config_ids: eval configs of this run test, or their ids; repeated ones are
            dropped.
        test_execution_ids: the executions to evaluate, or their ids; all must be
            completed.
        select_all: evaluate every execution. The service rejects this if one of them is
            not completed. Execution ids beside it are not sent, with a `UserWarning`:
            the documentation has them as ignored, but the service would exclude them.
        enable_tool_evaluation: whether to evaluate the agent's use of tools, too. The
            service **stores** this on the run test, even if it then rejects the request;
            `None` leaves the stored setting unchanged.

    Raises:
        InvalidRequestError: a value could never be accepted; the message names it.
    """

    method: ClassVar[str] = "POST"
    result_type: ClassVar[type[Result]] = RunNewEvalsResult

    run_test_id: str = attrs.field(converter=validation.run_test_id)
    eval_config_ids: tuple[str, ...] = attrs.field(converter=_unique_ids)
    test_execution_ids: tuple[str, ...] | None = attrs.field(
        default=None, converter=_execution_ids
    )
    select_all: bool = attrs.field(default=False, converter=_select_all)
    enable_tool_evaluation: bool | None = attrs.field(
        default=None, converter=_enable_tool_evaluation
    )
    encoded: bytes = attrs.field(init=False, repr=False, eq=False)

    def __attrs_post_init__(self) -> None:
        if self.select_all and self.test_execution_ids is not None:
            self._drop_execution_ids()
        if not self.select_all and not self.test_execution_ids:
            raise InvalidRequestError(
                "neither test_execution_ids nor select_all=True: select the executions to "
                "evaluate"
            )
        sent: dict[str, Any] = {}
        if self.test_execution_ids is not None:
            sent["test_execution_ids"] = self.test_execution_ids
        if self.select_all:
            sent["select_all"] = True
        sent["eval_config_ids"] = self.eval_config_ids
        if self.enable_tool_evaluation is not None:
            sent["enable_tool_evaluation"] = self.enable_tool_evaluation
        object.__setattr__(self, "encoded", codec.encode(sent))

    def _drop_execution_ids(self) -> None:
        if self.test_execution_ids:
            warnings.warn(
                "select_all=True evaluates every execution: test_execution_ids are not "
                "sent (the service would leave out just these)",
                UserWarning,
                stacklevel=4,
            )
        object.__setattr__(self, "test_execution_ids", None)

    @property
    def path(self) -> str:
        """Path below the base URL."""
        return f"/simulate/run-tests/{self.run_test_id}/run-new-evals/"

    @property
    def body(self) -> bytes:
        """The JSON to send."""
        return self.encoded

    def validate_response(
        self, result: Any
    ) -> tuple[type[APIResponseError], str] | None:
        """Reject a failed dispatch, and another run test's response."""
        if result.run_test_id.lower() != self.run_test_id:
            problem = f"the response is about run test {result.run_test_id}"
            return UnexpectedResponseError, problem
        # The service reports this with status 200, and only in words.
        if _DISPATCH_FAILED in result.message.lower():
            return EvalDispatchError, result.message
        return None

    def error_class(self, status: int, message: str) -> type[APIStatusError] | None:
        """Recognize executions that are not completed, which only the wording shows."""
        if status == 400 and _NOT_COMPLETED in message.lower():  # noqa: PLR2004 - Bad Request
            return ExecutionsNotCompletedError
        return None

    async def reconcile(self, read: SendRead, history: History) -> Reconciliation:
        """Weigh the executions, and the results that their calls have of these configs."""
        is_evaluating, calls = await self._read_targets(read)
        states = [
            _state(call, config) for call in calls for config in self.eval_config_ids
        ]
        evidence = weigh_evidence(
            states,
            is_evaluating=is_evaluating,
            had_no_results=had_no_results_before(await history(), self),
        )
        if evidence is StartEvidence.STARTED:
            return Applied(self.result_from(calls))
        if evidence is StartEvidence.NOT_STARTED:
            return NotApplied(self)
        return Indeterminate(
            f"read back: of {len(states)} results of these configs {states.count(None)} "
            f"are absent and {_pending(states)} pending, and "
            f"{'an' if is_evaluating else 'no'} execution is being evaluated"
        )

    def result_from(
        self, observed: Sequence[endpoints.get_simulation_runs.SimulationCall] | None
    ) -> RunNewEvalsResult:
        """Return the result for the calls that are being evaluated, or have been."""
        reason = (
            "evaluations were found"
            if observed
            else "a person decided that it was applied"
        )
        raw = {
            "message": f"no response came, but {reason}",
            "run_test_id": self.run_test_id,
            "call_execution_count": len(observed or ()),
        }
        return codec.build_result(raw, RunNewEvalsResult, reconciled=True)

    async def _read_targets(
        self, read: SendRead
    ) -> tuple[bool, list[endpoints.get_simulation_runs.SimulationCall]]:
        """Return whether a requested execution is evaluating, and the requested calls."""
        request = endpoints.list_test_executions.ListTestExecutions(self.run_test_id)
        pages: Paginator[endpoints.list_test_executions.TestExecution] = Paginator(
            read, request
        )
        executions = {
            execution.id: execution
            async for execution in pages
            if self.select_all or execution.id in (self.test_execution_ids or ())
        }
        is_evaluating = any(each.is_evaluating for each in executions.values())
        calls: list[endpoints.get_simulation_runs.SimulationCall] = []
        read_calls = endpoints.execution_calls.read_calls
        async for found in read_calls(read, self.run_test_id, executions):
            is_evaluating |= found.status == "evaluating"
            calls += found.calls
        return is_evaluating, calls

    @overload
    @classmethod
    def from_added(
        cls,
        added: endpoints.add_eval_configs.AddEvalConfigsResult,
        *,
        select_all: bool = ...,
        test_execution_ids: Iterable[ExecutionRef] | None = ...,
        enable_tool_evaluation: bool | None = ...,
        partial: Literal["raise", "run"] = ...,
    ) -> Self: ...

    @overload
    @classmethod
    def from_added(
        cls,
        added: Batch[endpoints.add_eval_configs.AddEvalConfigsResult],
        *,
        select_all: bool = ...,
        enable_tool_evaluation: bool | None = ...,
        partial: Literal["raise", "run"] = ...,
    ) -> list[Self]: ...

    @classmethod
    def from_added(
        cls,
        added: endpoints.add_eval_configs.AddEvalConfigsResult
        | Batch[endpoints.add_eval_configs.AddEvalConfigsResult],
        *,
        select_all: bool = True,
        test_execution_ids: Iterable[ExecutionRef] | None = None,
        enable_tool_evaluation: bool | None = None,
        partial: Literal["raise", "run"] = "raise",
    ) -> Self | list[Self]:
        """Return the requests that run the eval configs that were added.

        Args:
            added: a result, for one request; or a batch, for a request for each of its
                successes. Its failures added nothing; see `added.failures`.
            select_all: evaluate every execution of the run test.
            test_execution_ids: the executions to evaluate instead; for a single result
                only, since executions belong to one run test.
            enable_tool_evaluation: as for `RunNewEvals`.
            partial: what to do if only a part of the configs was created: `"raise"`, or
                `"run"` that part.

        Raises:
            InvalidRequestError: configs are missing, with `partial="raise"`, or no id of
                a config is known; the message has the run tests and the reasons.
        """
        if partial not in ("raise", "run"):
            raise InvalidRequestError(
                f"partial: 'raise' or 'run' is expected, not {validation.truncate_repr(partial)}"
            )
        results = _results(added)
        is_batch = not isinstance(added, Result)
        if partial == "raise":
            _reject_partial(results)
        _reject_unknown_ids(results)
        if test_execution_ids is not None and is_batch:
            raise InvalidRequestError(
                "test_execution_ids: executions belong to one run test; for a batch, "
                "use select_all or create the RunNewEvals one by one"
            )
        requests = [
            cls(
                run_test_id=result.run_test_id,
                eval_config_ids=[each.id for each in result.created_eval_configs],
                test_execution_ids=test_execution_ids,
                select_all=select_all and test_execution_ids is None,
                enable_tool_evaluation=enable_tool_evaluation,
            )
            for result in results
        ]
        return requests if is_batch else requests[0]


def _results(added: Any) -> list[endpoints.add_eval_configs.AddEvalConfigsResult]:
    is_batch = isinstance(added, Batch)
    results = [success.result for success in added.successes] if is_batch else [added]
    for result in results:
        if not isinstance(result, endpoints.add_eval_configs.AddEvalConfigsResult):
            raise InvalidRequestError(
                "added: a result of add_eval_configs or add_eval_configs_many is expected, "
                f"not {validation.describe_type(result)}"
            )
    return results


def _reject_partial(
    results: list[endpoints.add_eval_configs.AddEvalConfigsResult],
) -> None:
    partial = [result for result in results if result.warnings]
    if partial:
        reasons = "; ".join(
            f"run test {result.run_test_id}: {', '.join(result.warnings)}"
            for result in partial
        )
        raise InvalidRequestError(
            f"not every config was created: {reasons}; partial='run' runs the others"
        )


def _reject_unknown_ids(
    results: list[endpoints.add_eval_configs.AddEvalConfigsResult],
) -> None:
    """Refuse results without configs: a person's decision in a journal has no ids."""
    listed = ", ".join(
        result.run_test_id for result in results if not result.created_eval_configs
    )
    if listed:
        raise InvalidRequestError(
            f"added: no id of an eval config is known for run test {listed}; read the "
            "ids with get_run_test, and create RunNewEvals with them"
        )


def _state(
    call: endpoints.get_simulation_runs.SimulationCall, config_id: str
) -> endpoints.eval_output.EvalOutputStatus | None:
    """Return the state of the evaluation of a call by a config; `None` without one."""
    output = call.eval_outputs.get(config_id)
    return None if output is None else output.status


def _pending(
    states: list[endpoints.eval_output.EvalOutputStatus | None],
) -> int:
    return states.count(endpoints.eval_output.EvalOutputStatus.PENDING)


def had_no_results_before(
    entries: Sequence[HistoryEntry], request: RunNewEvals
) -> bool:
    """Return whether the eval configs of a request had no results when it was sent.

    That is proved if responses in this journal show that all of them were created by its
    own requests, and it has no other start for the run test.
    """
    created: set[str] = set()
    if sum(entry.path == request.path for entry in entries) > 1:
        return False
    for entry in entries:
        is_add = entry.endpoint == endpoints.add_eval_configs.AddEvalConfigs.__name__
        if is_add and entry.is_done and not entry.reconciled and entry.response:
            configs = codec.decode(entry.response)["created_eval_configs"]
            created.update(config["id"].lower() for config in configs)
    return created.issuperset(request.eval_config_ids)


class StartEvidence(enum.Enum):
    """Evidence in the results of the calls about a request with unknown outcome."""

    STARTED = enum.auto()
    NOT_STARTED = enum.auto()
    OPEN = enum.auto()


def weigh_evidence(
    states: list[endpoints.eval_output.EvalOutputStatus | None],
    *,
    is_evaluating: bool,
    had_no_results: bool,
) -> StartEvidence:
    """Return whether evaluations were started.

    The service first sets the executions to evaluating, then every result of the configs
    to pending (which erases an earlier one), and then starts the work. So if all results
    exist and none is pending, they are either this request's or older ones.

    Args:
        states: the state of each requested call and config; `None` if it is absent.
        is_evaluating: whether a requested execution is being evaluated.
        had_no_results: whether there was no such result before the request was sent.
    """
    absent, pending = states.count(None), _pending(states)
    finished = len(states) - absent - pending
    if is_evaluating:
        belongs_to_request = states and not absent and (pending or had_no_results)
        return StartEvidence.STARTED if belongs_to_request else StartEvidence.OPEN
    if not finished:
        # Absent, or prepared and never started.
        return StartEvidence.NOT_STARTED
    is_done = had_no_results and finished == len(states)
    return StartEvidence.STARTED if is_done else StartEvidence.OPEN


def requests_for(
    eval_config_ids: IdsByRunTest | PairsByRunTest,
    *,
    select_all: bool,
    test_execution_ids: IdsByRunTest | None,
    enable_tool_evaluation: bool | None,
) -> Requests[RunNewEvalsResult]:
    """Return the requests that run each run test's own eval configs.

    Raises:
        InvalidRequestError: a value could never be accepted. A pair of an iterator is
            validated when it is read.
    """
    executions = normalize_keys(test_execution_ids)

    def request(pair: Any) -> RunNewEvals:
        run_test_id, config_ids = _pair(pair)
        id_ = validation.run_test_id(run_test_id)
        try:
            return RunNewEvals(
                run_test_id=id_,
                eval_config_ids=config_ids,
                test_execution_ids=executions.get(id_),
                select_all=select_all,
                enable_tool_evaluation=enable_tool_evaluation,
            )
        except InvalidRequestError as error:
            raise InvalidRequestError(f"run test {id_}: {error}") from None

    pairs: Any = eval_config_ids
    if isinstance(pairs, Mapping):
        pairs = pairs.items()
    requests = build_requests(pairs, request, "eval_config_ids")
    if isinstance(requests, list):
        requested = [each.run_test_id for each in requests]
        reject_unknown_run_tests(executions, requested, "eval_config_ids")
    return requests


def reject_unknown_run_tests(
    executions: dict[str, Any], requested: Iterable[Any], location: str
) -> None:
    """Raise an error if there are executions of run tests that are not requested.

    Raises:
        InvalidRequestError: there are some; `location` is where the run tests stand.
    """
    unknown = executions.keys() - {validation.run_test_id(each) for each in requested}
    if unknown:
        raise InvalidRequestError(
            f"test_execution_ids: run test {min(unknown)} is not among those of "
            f"{location}, so its executions would not be evaluated"
        )


def _pair(value: Any) -> tuple[Any, Any]:
    if isinstance(value, tuple | list) and len(value) == 2:  # noqa: PLR2004 - a pair
        return value[0], value[1]
    raise InvalidRequestError(
        "a pair of a run test id and its eval config ids is expected, "
        f"not {validation.truncate_repr(value)}; eval configs belong to one run test each"
    )


def normalize_keys(value: Any) -> dict[str, Any]:
    """Return executions by run test, with the run tests' ids in canonical form.

    Raises:
        InvalidRequestError: it is no mapping, a key is no id, or two are the same run
            test.
    """
    if value is None:
        return {}
    location = "test_execution_ids"
    if not isinstance(value, Mapping):
        raise InvalidRequestError(
            f"{location}: a dict of execution ids by run test id is expected, "
            f"not {validation.describe_type(value)}; executions belong to one run test"
        )
    found: dict[str, Any] = {}
    for key, ids in value.items():
        id_ = validation.resource_id(key, location, IdentifiesRunTest)
        if id_ in found:
            raise InvalidRequestError(
                f"{location}: run test {id_} comes twice, in two spellings; put all of "
                "its executions into one list"
            )
        found[id_] = ids
    return found
