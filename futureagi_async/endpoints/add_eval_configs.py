"""Add eval configs to a run test: `POST /simulate/run-tests/{id}/eval-configs/`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, ClassVar

import attrs

from futureagi_async import fields
from futureagi_async.endpoints.eval_config import (
    CreatedEvalConfig,
    EvalConfig,
    EvalConfigs,
    eval_configs,
)
from futureagi_async.errors import (
    AnsweredError,
    APIStatusError,
    NameConflictError,
    UnexpectedResponseError,
)
from futureagi_async.request import Request, Requests, Result, make_requests


if TYPE_CHECKING:
    from collections.abc import AsyncIterable, Iterable, Mapping
    from uuid import UUID


_NAME_TAKEN = re.compile(r"\bname '.*' already exists\b", re.DOTALL)


@attrs.frozen(kw_only=True)
class AddEvalConfigsResult(Result):
    """What was created.

    Attributes:
        message: the service's confirmation.
        created_eval_configs: what was created, in the order of the request.
        run_test_id: the run test.
        warnings: one message for each item that was not created.
    """

    message: str
    created_eval_configs: tuple[CreatedEvalConfig, ...]
    run_test_id: str


@attrs.frozen
class AddEvalConfigs(Request[AddEvalConfigsResult]):
    """Add evaluations to a run test.

    Not atomic: a name that the run test already has ends the request with a
    `NameConflictError`, and the items before it stay created.

    Args:
        run_test_id: the run test, a UUID in any spelling.
        evaluations_config: at least one `EvalConfig`, or dicts as
            `EvalConfig.from_dict` takes; no two with the same name.

    Raises:
        InvalidRequestError: a value could never be accepted; the message names the
            item.
    """

    method: ClassVar[str] = "POST"
    result_type: ClassVar[type[Result]] = AddEvalConfigsResult

    run_test_id: str = attrs.field(converter=fields.run_test_id)
    evaluations_config: EvalConfigs = attrs.field(converter=eval_configs)

    @property
    def path(self) -> str:
        """Path below the base URL."""
        return f"/simulate/run-tests/{self.run_test_id}/eval-configs/"

    @property
    def body(self) -> bytes:
        """The JSON to send."""
        return self.evaluations_config.body

    def objection(self, result: Any) -> tuple[type[AnsweredError], str] | None:
        """Object to another run test's answer, and to items that are not spoken of."""
        asked = len(self.evaluations_config)
        created, warned = len(result.created_eval_configs), len(result.warnings)
        if result.run_test_id.lower() != self.run_test_id:
            problem = f"the answer is about run test {result.run_test_id}"
        elif created + warned < asked:
            problem = (
                f"{asked} configs were asked for, and the answer speaks of "
                f"{created} created and {warned} with warnings"
            )
        else:
            return None
        return UnexpectedResponseError, problem

    def error_class(self, status: int, message: str) -> type[APIStatusError] | None:
        """Tell a name that is taken; the wording is all there is to tell it by."""
        if status == 400 and _NAME_TAKEN.search(message):  # noqa: PLR2004 - Bad Request
            return NameConflictError
        return None


def for_run_tests(
    run_test_ids: Iterable[UUID | str] | AsyncIterable[UUID | str],
    evaluations_config: Iterable[EvalConfig | Mapping[str, Any]],
) -> Requests[AddEvalConfigsResult]:
    """Make the requests that add the same configs to each run test.

    Raises:
        InvalidRequestError: a config is invalid, or an id in a collection of ids. An id
            that comes from an iterator is looked at when it is read.
    """
    configs = eval_configs(evaluations_config)
    return make_requests(
        run_test_ids, lambda each: AddEvalConfigs(each, configs), "run_test_ids"
    )
