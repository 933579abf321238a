"""Get one call with its results: `GET /simulate/call-executions/{id}/`."""

from __future__ import annotations

from typing import Any, ClassVar

import attrs

from futureagi_async.endpoints.list_call_executions import CallExecution
from futureagi_async.errors import APIResponseError, UnexpectedResponseError
from futureagi_async.model import validation
from futureagi_async.model.request import ReadRequest, Result
from futureagi_async.model.resource import CallRef, IdentifiesCall


def _call_id(value: CallRef) -> str:
    return validation.resource_id(value, "call_execution_id", IdentifiesCall)


@attrs.frozen
class GetCallExecution(ReadRequest[CallExecution]):
    """Read one call; results of deleted eval configs are left out.

    Args:
        call_execution_id: the call, or its id in any spelling of a UUID.
    """

    result_type: ClassVar[type[Result]] = CallExecution

    call_execution_id: str = attrs.field(converter=_call_id)

    @property
    def run_test_id(self) -> None:
        """None, since the service knows the call by its own id."""
        return

    @property
    def path(self) -> str:
        """Path below the base URL."""
        return f"/simulate/call-executions/{self.call_execution_id}/"

    def validate_response(
        self, result: Any
    ) -> tuple[type[APIResponseError], str] | None:
        """Reject another call's response."""
        if result.id.lower() == self.call_execution_id:
            return None
        return UnexpectedResponseError, f"the response is about call {result.id}"
