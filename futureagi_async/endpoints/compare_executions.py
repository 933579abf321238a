"""Compare executions: `GET /simulate/run-tests/{id}/eval-summary-comparison/`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar
from urllib.parse import quote

import attrs

from futureagi_async.endpoints.get_eval_summary import (
    SUMMARY_FAILS,
    ConfigSummary,
    TemplateSummary,
)
from futureagi_async.errors import (
    APIResponseError,
    InvalidRequestError,
    UnexpectedResponseError,
)
from futureagi_async.model import codec, validation
from futureagi_async.model.request import ReadRequest, Result
from futureagi_async.model.resource import (
    ExecutionRef,
    IdentifiesExecution,
    RunTestRef,  # noqa: F401 - in the signature that attrs makes
)


@attrs.frozen(kw_only=True)
class ExecutionComparison(Result):
    """The scores of several executions of a run test.

    Attributes:
        result: the templates of its eval configs with the scores, by execution id;
            empty if the run test has no eval configs. The service makes no difference
            between an execution without results and one that does not exist.
    """

    result: dict[str, tuple[TemplateSummary, ...]] = attrs.field(hash=False)

    def configs(self, execution: ExecutionRef) -> tuple[ConfigSummary, ...]:
        """Return the eval configs of the run test, with their scores in one execution.

        Raises:
            InvalidRequestError: it was not compared.
        """
        execution_id = validation.resource_id(
            execution, "execution", IdentifiesExecution
        )
        if not self.result:
            return ()
        if execution_id not in self.result:
            raise InvalidRequestError(
                f"execution: {execution_id} was not compared; those that were are "
                f"{', '.join(self.result)}"
            )
        return tuple(
            config
            for template in self.result[execution_id]
            for config in template.result
        )


def _execution_ids(value: Iterable[ExecutionRef]) -> tuple[str, ...]:
    ids = validation.resource_ids(value, "execution_ids", IdentifiesExecution)
    if not ids:
        raise InvalidRequestError(
            "execution_ids: the list is empty; at least one is expected"
        )
    return tuple(dict.fromkeys(ids))


@attrs.frozen
class CompareExecutions(ReadRequest[ExecutionComparison]):
    """Read the scores of several executions of a run test, with one request.

    Args:
        run_test_id: the run test, or its id in any spelling of a UUID.
        execution_ids: the executions, or their ids; each is compared once.
    """

    result_type: ClassVar[type[Result]] = ExecutionComparison
    server_error_hint: ClassVar[str] = SUMMARY_FAILS

    run_test_id: str = attrs.field(converter=validation.run_test_id)
    execution_ids: tuple[str, ...] = attrs.field(converter=_execution_ids)

    @property
    def path(self) -> str:
        """Path and query below the base URL."""
        ids = quote(codec.encode(self.execution_ids))
        return (
            f"/simulate/run-tests/{self.run_test_id}/eval-summary-comparison/"
            f"?execution_ids={ids}"
        )

    def validate_response(
        self, result: Any
    ) -> tuple[type[APIResponseError], str] | None:
        """Reject a response without one of the executions."""
        missing = [each for each in self.execution_ids if each not in result.result]
        if missing and result.result:
            return (
                UnexpectedResponseError,
                f"the response has no scores of execution {', '.join(missing)}",
            )
        return None
