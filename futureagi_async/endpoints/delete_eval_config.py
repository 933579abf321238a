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
    """That it was deleted.

    Attributes:
        message: the service's confirmation; empty if it gave none.
    """

    message: str = ""


@attrs.frozen
class DeleteEvalConfig(Reconcilable[DeleteEvalConfigResult]):
    """Delete an eval config of a run test; its results are no longer shown.

    The service refuses to delete the last one of a run test (400), and it does so
    before it looks for the eval config at all.

    Args:
        run_test_id: the run test, a UUID in any spelling.
        eval_config_id: the eval config.
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
        """Nothing."""
        return

    async def reconcile(self, read: SendRead, history: History) -> Reconciliation:  # noqa: ARG002 - what is gone is gone
        """See if the eval config is gone."""
        try:
            run_test = await read(GetRunTest(self.run_test_id))
        except NotFoundError as error:
            return TargetMissing(error.message)
        if run_test.eval_config(self.eval_config_id) is not None:
            return NotApplied(self)
        return Applied(self.result_from(run_test))

    def result_from(self, seen: RunTest | None) -> DeleteEvalConfigResult:
        """Make the result of a run test that has it no longer."""
        found = "it is gone" if seen else "somebody decided that it was done"
        raw: dict[str, Any] = {
            "message": f"no answer tells of this request, but {found}"
        }
        return codec.build_result(raw, DeleteEvalConfigResult, reconciled=True)

    async def enrich_error(self, error: APIStatusError, read: SendRead) -> None:
        """Say what to do where it was the last eval config."""
        if not isinstance(error, BadRequestError):
            return
        run_test = await read(GetRunTest(self.run_test_id))
        if len(run_test.simulate_eval_configs_detail) > 1:
            return
        if run_test.eval_config(self.eval_config_id) is None:
            error.hint = "and this eval config is not there at all"
        else:
            error.hint = "add another eval config first, then this one can go"
