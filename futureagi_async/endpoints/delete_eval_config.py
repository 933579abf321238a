"""Delete an eval config: `DELETE .../eval-configs/{id}/` of a run test."""

from __future__ import annotations

from typing import Any, ClassVar

import attrs

from futureagi_async.endpoints.get_run_test import GetRunTest, RunTest
from futureagi_async.endpoints.update_eval_config import eval_config_id
from futureagi_async.errors import APIStatusError, BadRequestError, NotFoundError
from futureagi_async.model import codec, validation
from futureagi_async.model.operation import History
from futureagi_async.model.page import SendRead
from futureagi_async.model.reconciliation import (
    Applied,
    NotApplied,
    Reconcilable,
    Reconciliation,
    TargetMissing,
)
from futureagi_async.model.request import Result
from futureagi_async.model.resource import (  # in the signature that attrs makes
    EvalConfigRef,  # noqa: F401 - as above
    RunTestRef,  # noqa: F401 - as above
)


@attrs.frozen(kw_only=True)
class DeleteEvalConfigResult(Result):
    """The confirmation that an eval config was deleted.

    Attributes:
        message: the service's confirmation; may be empty.
    """

    message: str = ""


@attrs.frozen
class DeleteEvalConfig(Reconcilable[DeleteEvalConfigResult]):
    """Delete an eval config of a run test; its results are no longer shown.

    The service does not delete the last one of a run test (400), and it checks that
    before it searches for the eval config.

    Args:
        run_test_id: the run test, or its id in any spelling of a UUID.
        eval_config_id: the eval config, or its id.
    """

    method: ClassVar[str] = "DELETE"
    result_type: ClassVar[type[Result]] = DeleteEvalConfigResult

    run_test_id: str = attrs.field(converter=validation.run_test_id)
    eval_config_id: str = attrs.field(converter=eval_config_id)

    @property
    def path(self) -> str:
        """Path below the base URL."""
        return f"/simulate/run-tests/{self.run_test_id}/eval-configs/{self.eval_config_id}/"

    @property
    def body(self) -> None:
        """No body."""
        return

    async def reconcile(self, read: SendRead, history: History) -> Reconciliation:  # noqa: ARG002 - a deleted one cannot come back
        """Check whether the eval config is gone."""
        try:
            run_test = await read(GetRunTest(self.run_test_id))
        except NotFoundError as error:
            return TargetMissing(error.message)
        if run_test.eval_config(self.eval_config_id) is not None:
            return NotApplied(self)
        return Applied(self.result_from(run_test))

    def result_from(self, observed: RunTest | None) -> DeleteEvalConfigResult:
        """Return the result for a run test without the eval config."""
        reason = "it is gone" if observed else "a person decided that it was applied"
        raw: dict[str, Any] = {"message": f"no response came, but {reason}"}
        return codec.build_result(raw, DeleteEvalConfigResult, reconciled=True)

    async def enrich_error(self, error: APIStatusError, read: SendRead) -> None:
        """Add what to do if it was the last eval config."""
        if not isinstance(error, BadRequestError):
            return
        run_test = await read(GetRunTest(self.run_test_id))
        if len(run_test.simulate_eval_configs_detail) > 1:
            return
        if run_test.eval_config(self.eval_config_id) is None:
            error.hint = "and this eval config does not exist"
        else:
            error.hint = "add another eval config first, then this one can go"
