"""Eval configs by their names: the ids are read from each run test."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

from futureagi_async.endpoints import run_new_evals
from futureagi_async.endpoints.get_run_test import GetRunTest, RunTest
from futureagi_async.endpoints.run_new_evals import RunNewEvals, RunNewEvalsResult
from futureagi_async.errors import InvalidRequestError, NameLookupError
from futureagi_async.model import validation
from futureagi_async.model.operation import Executor, Operation
from futureagi_async.model.request import Requests, build_requests


if TYPE_CHECKING:
    from collections.abc import AsyncIterable, Iterable
    from uuid import UUID

    from futureagi_async.endpoints.run_new_evals import IdsByRunTest, PairsByRunTest


def _names(value: Iterable[str] | None) -> tuple[str, ...]:
    where = "eval_config_names"
    names = [
        validation.non_blank_text(each, f"{where}[{index}]")
        for index, each in enumerate(validation.as_list(value, where, "names"))
    ]
    if not names:
        raise InvalidRequestError(f"{where}: the list is empty; give at least one")
    return tuple(dict.fromkeys(names))


def _execution_ids(value: Iterable[UUID | str] | None) -> tuple[UUID | str, ...] | None:
    return (
        None
        if value is None
        else tuple(validation.as_list(value, "test_execution_ids", "ids"))
    )


@attrs.frozen
class RunNamedEvals(Operation[RunNewEvalsResult]):
    """Start evaluations by the names of their eval configs, which are read first.

    Args:
        run_test_id: the run test, a UUID in any spelling.
        eval_config_names: names of eval configs of this run test.
        test_execution_ids: as for `RunNewEvals`.
        select_all: as for `RunNewEvals`.
        enable_tool_evaluation: as for `RunNewEvals`.

    Raises:
        InvalidRequestError: a value could never be accepted; the message names it.
    """

    run_test_id: str = attrs.field(converter=validation.run_test_id)
    eval_config_names: tuple[str, ...] = attrs.field(converter=_names)
    test_execution_ids: tuple[UUID | str, ...] | None = attrs.field(
        default=None, converter=_execution_ids
    )
    select_all: bool = False
    enable_tool_evaluation: bool | None = None

    def __attrs_post_init__(self) -> None:
        # Whatever is wrong with the rest is said now, and not when the ids are known.
        request = self._request([self.run_test_id])
        object.__setattr__(self, "test_execution_ids", request.test_execution_ids)

    def _request(self, eval_config_ids: Iterable[str]) -> RunNewEvals:
        return RunNewEvals(
            self.run_test_id,
            eval_config_ids,
            self.test_execution_ids,
            self.select_all,
            self.enable_tool_evaluation,
        )

    async def run(self, executor: Executor) -> RunNewEvalsResult:
        """Read the ids, and start.

        Raises:
            NameLookupError: the run test has no eval config of a name, or several.
            APIError: a call failed.
        """
        run_test = await executor.read(GetRunTest(self.run_test_id))
        ids = [_only_id(run_test, name) for name in self.eval_config_names]
        return await executor.write(self._request(ids))


def _only_id(run_test: RunTest, name: str) -> str:
    kept = run_test.simulate_eval_configs_detail
    ids = tuple(each.id for each in kept if each.name == name)
    if len(ids) == 1:
        return ids[0]
    if ids:
        problem = f"{len(ids)} eval configs named {name!r}: {', '.join(ids)}; take ids"
    else:
        names = ", ".join(repr(each.name) for each in kept) or "none at all"
        problem = f"no eval config named {name!r}; it has {names}"
    raise NameLookupError(
        f"run test {run_test.id} has {problem}", name=name, matches=ids
    )


def run_by_ids_or_names(
    run_test_id: UUID | str,
    *,
    eval_config_ids: Iterable[UUID | str] | None,
    eval_config_names: Iterable[str] | None,
    **options: Any,
) -> Operation[RunNewEvalsResult]:
    """Make the request that runs eval configs given by id, or the job, if by name.

    Raises:
        InvalidRequestError: both are given or none, or a value could never be accepted.
    """
    if (eval_config_ids is None) == (eval_config_names is None):
        raise InvalidRequestError(
            "eval_config_ids, eval_config_names: give one of the two"
        )
    if eval_config_ids is not None:
        return RunNewEvals(run_test_id, eval_config_ids, **options)
    return RunNamedEvals(run_test_id, eval_config_names, **options)


def runs_by_ids_or_names(
    eval_config_ids: IdsByRunTest | PairsByRunTest | None,
    *,
    run_test_ids: Iterable[UUID | str] | AsyncIterable[UUID | str] | None,
    eval_config_names: Iterable[str] | None,
    test_execution_ids: IdsByRunTest | None,
    **options: Any,
) -> Requests[RunNewEvalsResult]:
    """Make the requests that run eval configs given by id, or the jobs, if by name.

    Raises:
        InvalidRequestError: both are given or none, or a value could never be accepted;
            one that comes from an iterator is looked at when it is read.
    """
    by_names = run_test_ids is not None and eval_config_names is not None
    is_half = (run_test_ids is None) != (eval_config_names is None)
    if by_names == (eval_config_ids is not None) or is_half:
        raise InvalidRequestError(
            "give either eval_config_ids, by run test, or both run_test_ids and "
            "eval_config_names"
        )
    if eval_config_ids is not None:
        return run_new_evals.requests_for(
            eval_config_ids, test_execution_ids=test_execution_ids, **options
        )
    names = _names(eval_config_names)
    executions = run_new_evals.normalize_keys(test_execution_ids)

    def job(run_test_id: Any) -> RunNamedEvals:
        id_ = validation.run_test_id(run_test_id)
        return RunNamedEvals(id_, names, executions.get(id_), **options)

    jobs = build_requests(run_test_ids, job, "run_test_ids")
    if isinstance(jobs, list):
        asked = [each.run_test_id for each in jobs]
        run_new_evals.reject_unknown_run_tests(executions, asked, "run_test_ids")
    return jobs
