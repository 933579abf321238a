"""Add eval configs to a run test: `POST /simulate/run-tests/{id}/eval-configs/`."""

from __future__ import annotations

import re
from collections.abc import AsyncIterable, Iterable, Mapping, Sequence
from typing import Any, ClassVar

import attrs

from futureagi_async.endpoints.eval_config import (
    CreatedEvalConfig,
    EncodedEvalConfigs,
    EvalConfig,
    validate_eval_configs,
)
from futureagi_async.endpoints.get_run_test import GetRunTest
from futureagi_async.errors import (
    APIResponseError,
    APIStatusError,
    BadRequestError,
    NameConflictError,
    UnexpectedResponseError,
)
from futureagi_async.model import codec, validation
from futureagi_async.model.operation import History
from futureagi_async.model.page import SendRead
from futureagi_async.model.reconciliation import (
    Applied,
    Conflict,
    Indeterminate,
    NotApplied,
    Reconcilable,
    Reconciliation,
)
from futureagi_async.model.request import Requests, Result, build_requests
from futureagi_async.model.resource import RunTestRef


_NAME_TAKEN = re.compile(r"\bname '.*' already exists\b", re.DOTALL)
_NONE_CREATED = re.compile(r"\bfailed to create any evaluation config", re.IGNORECASE)


@attrs.frozen(kw_only=True)
class AddEvalConfigsResult(Result):
    """The eval configs that were created.

    Attributes:
        message: the service's confirmation.
        created_eval_configs: the created eval configs, in the order of the request.
        run_test_id: the run test.
        warnings: one message for each item that was not created.
    """

    message: str
    created_eval_configs: tuple[CreatedEvalConfig, ...]
    run_test_id: str


@attrs.frozen
class AddEvalConfigs(Reconcilable[AddEvalConfigsResult]):
    """Add evaluations to a run test.

    This is not atomic: a name that the run test already has fails the request with a
    `NameConflictError`, and the items before it remain created.

    Args:
        run_test_id: the run test, or its id in any spelling of a UUID.
        evaluations_config: at least one `EvalConfig`, or dict for
            `EvalConfig.from_dict`; no two with the same name.

    Raises:
        InvalidRequestError: a value could never be accepted; the message names the
            item.
    """

    method: ClassVar[str] = "POST"
    result_type: ClassVar[type[Result]] = AddEvalConfigsResult

    run_test_id: str = attrs.field(converter=validation.run_test_id)
    evaluations_config: EncodedEvalConfigs = attrs.field(
        converter=validate_eval_configs
    )

    @property
    def path(self) -> str:
        """Path below the base URL."""
        return f"/simulate/run-tests/{self.run_test_id}/eval-configs/"

    @property
    def body(self) -> bytes:
        """The JSON to send."""
        return self.evaluations_config.body

    def validate_response(
        self, result: Any
    ) -> tuple[type[APIResponseError], str] | None:
        """Reject another run test's response, and one that leaves out items."""
        requested = len(self.evaluations_config)
        created, warned = len(result.created_eval_configs), len(result.warnings)
        if result.run_test_id.lower() != self.run_test_id:
            problem = f"the response is about run test {result.run_test_id}"
        elif created + warned < requested:
            problem = (
                f"{requested} configs were requested, and the response has "
                f"{created} created and {warned} with warnings"
            )
        else:
            return None
        return UnexpectedResponseError, problem

    def error_class(self, status: int, message: str) -> type[APIStatusError] | None:
        """Recognize a name that is taken, which only the wording shows."""
        if status == 400 and _NAME_TAKEN.search(message):  # noqa: PLR2004 - Bad Request
            return NameConflictError
        return None

    def warnings_from(self, error: APIStatusError) -> tuple[str, ...]:
        """Return a warning for each config if the service could create none of them.

        When it creates at least one, the service only warns of the others, and with a
        reason. Here it has no reason, and only the wording shows this case.
        """
        if type(error) is not BadRequestError or not _NONE_CREATED.search(
            error.message
        ):
            return ()
        return tuple(
            f"{each.effective_name!r} with template {each.template_id}: {error.message}"
            for each in self.evaluations_config
        )

    async def reconcile(self, read: SendRead, history: History) -> Reconciliation:  # noqa: ARG002 - an equal config will do, whoever created it
        """Compare the run test's eval configs with those to add."""
        run_test = await read(GetRunTest(self.run_test_id))
        stored = run_test.simulate_eval_configs_detail
        created: list[CreatedEvalConfig] = []
        missing: list[EvalConfig] = []
        for item in self.evaluations_config:
            same_name = [each for each in stored if each.name == item.effective_name]
            equal = [each for each in same_name if item.matches(each)]
            if same_name and not equal:
                if any(map(item.may_match, same_name)):
                    return Indeterminate(_modified_message(item.effective_name))
                return Conflict(
                    _name_taken_message(item.effective_name), self._existing(stored)
                )
            created += equal[:1]
            missing += [] if equal else [item]
        if not created:
            return NotApplied(self)
        if missing:
            remaining = _AddRemaining(
                self.run_test_id, missing, original=self, created=tuple(created)
            )
            names = _quoted(each.name or "" for each in created)
            return NotApplied(
                remaining, f"read back: of its configs only {names} exist"
            )
        return Applied(self.result_from(created))

    def result_from(
        self, observed: Sequence[CreatedEvalConfig] | None
    ) -> AddEvalConfigsResult:
        """Return the result with the eval configs that were found."""
        reason = "it was found" if observed else "a person decided that it was applied"
        raw = {
            "message": f"no response came, but {reason}",
            "created_eval_configs": [attrs.asdict(each) for each in observed or ()],
            "run_test_id": self.run_test_id,
        }
        return codec.build_result(raw, AddEvalConfigsResult, reconciled=True)

    async def enrich_error(self, error: APIStatusError, read: SendRead) -> None:
        """Add which of the names exist, after one of them was taken."""
        if not isinstance(error, NameConflictError):
            return
        run_test = await read(GetRunTest(self.run_test_id))
        error.existing = self._existing(run_test.simulate_eval_configs_detail)
        error.hint = (
            "of the requested names the run test now has "
            f"{_quoted(error.existing) or 'none'}; "
            "some may have been created by this request"
        )

    def _existing(self, stored: Iterable[CreatedEvalConfig]) -> tuple[str, ...]:
        """Return the requested names that exist, no matter who created them."""
        names = {each.name for each in stored}
        requested = (item.effective_name for item in self.evaluations_config)
        return tuple(name for name in requested if name in names)


def _quoted(names: Iterable[str]) -> str:
    return ", ".join(map(repr, names))


def _modified_message(name: str) -> str:
    return (
        f"read back: the run test has an eval config named {name!r} with further or "
        "converted parameters, which the service or another client has added"
    )


def _name_taken_message(name: str) -> str:
    return (
        f"read back: the run test has an eval config named {name!r} with other content, "
        f"so that the name {name!r} already exists; name yours differently"
    )


@attrs.frozen
class _AddRemaining(AddEvalConfigs):
    """The remaining part of a request that was applied in part."""

    original: AddEvalConfigs = attrs.field(kw_only=True)
    created: tuple[CreatedEvalConfig, ...] = attrs.field(kw_only=True)

    async def reconcile(self, read: SendRead, history: History) -> Reconciliation:
        """Reconcile the original request."""
        return await self.original.reconcile(read, history)

    async def enrich_error(self, error: APIStatusError, read: SendRead) -> None:
        """Add what was created before the remaining part was rejected."""
        names = _quoted(each.name or "" for each in self.created)
        error.hint = f"of the requested configs, {names} had been created before"
        await self.original.enrich_error(error, read)

    def merge(self, result: AddEvalConfigsResult) -> AddEvalConfigsResult:
        """Return the result of both parts, in the order of the original request."""
        by_name = {e.name: e for e in (*self.created, *result.created_eval_configs)}
        order = [item.effective_name for item in self.original.evaluations_config]
        created = [by_name[name] for name in order if name in by_name]
        raw = {
            **result.raw,
            "created_eval_configs": [attrs.asdict(each) for each in created],
        }
        return self._reconciled(raw, result.request_id)

    def merge_rejection(self, error: APIStatusError) -> AddEvalConfigsResult | None:
        """Return a result with warnings if none of the remaining part can be created."""
        warnings = self.warnings_from(error)
        if not warnings:
            return None
        raw = {
            **self.original.result_from(self.created).raw,
            "warnings": list(warnings),
        }
        return self._reconciled(raw, error.request_id)

    def _reconciled(
        self, raw: dict[str, Any], request_id: str | None
    ) -> AddEvalConfigsResult:
        return codec.build_result(
            raw, AddEvalConfigsResult, request_id=request_id, reconciled=True
        )


def requests_for(
    run_test_ids: Iterable[RunTestRef] | AsyncIterable[RunTestRef],
    evaluations_config: Iterable[EvalConfig | Mapping[str, Any]],
) -> Requests[AddEvalConfigsResult]:
    """Return the requests that add the same configs to each run test.

    Raises:
        InvalidRequestError: a config is invalid, or an id in a collection of ids. An id
            of an iterator is validated when it is read.
    """
    configs = validate_eval_configs(evaluations_config)
    return build_requests(
        run_test_ids, lambda each: AddEvalConfigs(each, configs), "run_test_ids"
    )
