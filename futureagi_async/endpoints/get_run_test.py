"""Get a run test with its eval configs: `GET /simulate/run-tests/{id}/`."""

from __future__ import annotations

from typing import Any, ClassVar

import attrs

from futureagi_async.endpoints.eval_config import CreatedEvalConfig
from futureagi_async.errors import APIResponseError, UnexpectedResponseError
from futureagi_async.model import validation
from futureagi_async.model.request import ReadRequest, Result
from futureagi_async.model.resource import (
    IdentifiesRunTest,
    RunTestRef,  # noqa: F401 - in the signature that attrs makes
)


@attrs.frozen(kw_only=True)
class RunTest(Result, IdentifiesRunTest):
    """A run test.

    Attributes:
        id: its id.
        name: its name.
        enable_tool_evaluation: the stored setting, which `RunNewEvals` can change.
        simulate_eval_configs_detail: its eval configs, the newest first.
    """

    id: str
    name: str
    enable_tool_evaluation: bool
    simulate_eval_configs_detail: tuple[CreatedEvalConfig, ...]

    def eval_config(self, eval_config_id: str) -> CreatedEvalConfig | None:
        """Return one of its eval configs by its id in canonical form."""
        configs = self.simulate_eval_configs_detail
        return next((c for c in configs if c.id.lower() == eval_config_id), None)


@attrs.frozen
class GetRunTest(ReadRequest[RunTest]):
    """Read a run test and its eval configs.

    Args:
        run_test_id: the run test, or its id in any spelling of a UUID.
    """

    result_type: ClassVar[type[Result]] = RunTest

    run_test_id: str = attrs.field(converter=validation.run_test_id)

    @property
    def path(self) -> str:
        """Path below the base URL."""
        return f"/simulate/run-tests/{self.run_test_id}/"

    def validate_response(
        self, result: Any
    ) -> tuple[type[APIResponseError], str] | None:
        """Reject another run test's response."""
        if result.id.lower() != self.run_test_id:
            return (
                UnexpectedResponseError,
                f"the response is about run test {result.id}",
            )
        return None
