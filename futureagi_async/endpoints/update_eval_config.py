"""Change an eval config: `POST .../eval-configs/{id}/update/` of a run test."""

from __future__ import annotations

from collections.abc import (
    Mapping,
    Sequence,  # noqa: F401 - in the signature that attrs makes
)
from typing import Any, ClassVar, Self

import attrs

from futureagi_async.endpoints import eval_config
from futureagi_async.endpoints.eval_config import CreatedEvalConfig, EvalConfig
from futureagi_async.endpoints.get_run_test import GetRunTest
from futureagi_async.errors import (
    APIResponseError,
    InvalidRequestError,
    NotFoundError,
    UnexpectedResponseError,
)
from futureagi_async.model import codec, validation
from futureagi_async.model.operation import History
from futureagi_async.model.page import SendRead
from futureagi_async.model.reconciliation import (
    Applied,
    Indeterminate,
    NotApplied,
    Reconcilable,
    Reconciliation,
    TargetMissing,
)
from futureagi_async.model.request import Result
from futureagi_async.model.resource import (
    EvalConfigRef,
    EvalTemplateRef,
    IdentifiesEvalConfig,
    RunTestRef,
)


@attrs.frozen(kw_only=True)
class UpdateEvalConfigResult(Result):
    """The confirmation that an eval config was changed.

    Attributes:
        message: the service's confirmation.
        eval_config_id: the eval config.
        run_test_id: the run test.
    """

    message: str
    eval_config_id: str
    run_test_id: str


def eval_config_id(value: EvalConfigRef) -> str:
    """Return the id of an eval config in canonical form."""
    return validation.resource_id(value, "eval_config_id", IdentifiesEvalConfig)


def _template_id(value: EvalTemplateRef | None) -> str | None:
    return None if value is None else eval_config.validate_template_id(value)


def _name(value: str | None) -> str | None:
    """Return the name, trimmed as the service does; it rejects a blank one."""
    return validation.bounded_text(
        value, "name", max_length=eval_config.MAX_LENGTH, not_blank=True
    )


def _config(value: Mapping[str, Any] | None) -> dict[str, Any] | None:
    copied = eval_config.validate_config(value)
    if copied == {}:
        raise InvalidRequestError(
            "config: is empty, which changes nothing; to remove the parameters, delete "
            "the eval config and add another"
        )
    return copied


_UPDATABLE_FIELDS = (
    "name",
    "template_id",
    "config",
    "mapping",
    "filters",
    "error_localizer",
    "model",
)


@attrs.frozen
class UpdateEvalConfig(Reconcilable[UpdateEvalConfigResult]):
    """Change an eval config of a run test. A field that is `None` stays unchanged.

    The service can run the eval config in the same request (`run`). This package does
    not offer that: the service saves before it checks the execution, and answers 400 or
    500 to what it has saved. `RunNewEvals` runs it.

    An eval config that does not exist is a `NotFoundError`, though the service answers
    500: the run test is read then (unless `RetryPolicy.reconcile` is off).

    Args:
        run_test_id: the run test, or its id in any spelling of a UUID.
        eval_config_id: the eval config, or its id.
        name: the new name, at most 255 characters; not blank.
        template_id: the new template, or its id. The inputs of the mapping must be the
            template's, and the existing parameters must fit; send others with it if they
            do not.
        config: all new parameters; not empty, which changes nothing.
        mapping: the entire new mapping.
        filters: all new filters, which the service never applies; see `EvalConfig`.
        error_localizer: whether to locate failures.
        model: the new model, at most 255 characters; not blank.

    Raises:
        InvalidRequestError: a value could never be accepted, or nothing would change.
    """

    method: ClassVar[str] = "POST"
    result_type: ClassVar[type[Result]] = UpdateEvalConfigResult

    run_test_id: str = attrs.field(converter=validation.run_test_id)
    eval_config_id: str = attrs.field(converter=eval_config_id)
    name: str | None = attrs.field(default=None, converter=_name, kw_only=True)
    template_id: str | None = attrs.field(
        default=None, converter=_template_id, kw_only=True
    )
    config: dict[str, Any] | None = attrs.field(
        default=None, converter=_config, hash=False, kw_only=True
    )
    mapping: dict[str, Any] | None = attrs.field(
        default=None, converter=eval_config.validate_mapping, hash=False, kw_only=True
    )
    filters: list[Any] | dict[str, Any] | None = attrs.field(
        default=None, converter=eval_config.validate_filters, hash=False, kw_only=True
    )
    error_localizer: bool | None = attrs.field(
        default=None, converter=eval_config.validate_error_localizer, kw_only=True
    )
    model: str | None = attrs.field(
        default=None, converter=eval_config.validate_model, kw_only=True
    )
    encoded: bytes = attrs.field(init=False, repr=False, eq=False)

    def __attrs_post_init__(self) -> None:
        sent = self.changes
        if not sent:
            raise InvalidRequestError(
                f"nothing would change; pass at least one of {', '.join(_UPDATABLE_FIELDS)}"
            )
        object.__setattr__(self, "encoded", codec.encode(sent))

    @property
    def changes(self) -> dict[str, Any]:
        """The new values by field."""
        given = {name: getattr(self, name) for name in _UPDATABLE_FIELDS}
        return {name: value for name, value in given.items() if value is not None}

    @classmethod
    def to_match(
        cls, run_test_id: RunTestRef, stored: CreatedEvalConfig, expected: EvalConfig
    ) -> Self:
        """Return the update that turns a stored eval config into the expected one.

        Only what differs is sent. A field that is `None` in `expected` stays unchanged,
        except the name: without one it is `Eval-<template_id>`, as when it is added.

        Raises:
            InvalidRequestError: nothing differs, or no update leads there, since the
                parameters of an eval config cannot be removed.
        """
        values = {
            **{name: getattr(expected, name) for name in _UPDATABLE_FIELDS},
            "name": expected.effective_name,
        }
        if values["config"] == {} and eval_config.may_match_parameters(
            {}, stored.config
        ):
            del values["config"]
        changes = {
            name: value
            for name, value in values.items()
            if value is not None and not _matches_stored(name, value, stored)
        }
        return cls(run_test_id, stored.id, **changes)

    @property
    def path(self) -> str:
        """Path below the base URL."""
        return (
            f"/simulate/run-tests/{self.run_test_id}"
            f"/eval-configs/{self.eval_config_id}/update/"
        )

    @property
    def body(self) -> bytes:
        """The JSON to send."""
        return self.encoded

    def validate_response(
        self, result: Any
    ) -> tuple[type[APIResponseError], str] | None:
        """Reject a response about another eval config or run test."""
        if result.run_test_id.lower() != self.run_test_id:
            problem = f"the response is about run test {result.run_test_id}"
        elif result.eval_config_id.lower() != self.eval_config_id:
            problem = f"the response is about eval config {result.eval_config_id}"
        else:
            return None
        return UnexpectedResponseError, problem

    async def reconcile(self, read: SendRead, history: History) -> Reconciliation:  # noqa: ARG002 - it exists before and after
        """Compare the eval config with the new values."""
        try:
            run_test = await read(GetRunTest(self.run_test_id))
        except NotFoundError as error:
            return TargetMissing(error.message)
        stored = run_test.eval_config(self.eval_config_id)
        if stored is None:
            return TargetMissing(
                f"the run test has no eval config {self.eval_config_id} (read back, "
                "since the service answers 500 to such an update)"
            )
        different = [
            name
            for name, value in self.changes.items()
            if not _matches_stored(name, value, stored)
        ]
        if not different:
            return Applied(self.result_from(stored))
        if different == ["config"] and eval_config.may_match_parameters(
            self.config, stored.config
        ):
            return Indeterminate(
                f"read back: the eval config {stored.name!r} has further or converted "
                "parameters, which the service has added, or which it had before"
            )
        return NotApplied(self)

    def result_from(self, observed: CreatedEvalConfig | None) -> UpdateEvalConfigResult:
        """Return the result of an update that was found applied."""
        reason = (
            "the values were found"
            if observed
            else "a person decided that it was applied"
        )
        raw = {
            "message": f"no response came, but {reason}",
            "eval_config_id": self.eval_config_id,
            "run_test_id": self.run_test_id,
        }
        return codec.build_result(raw, UpdateEvalConfigResult, reconciled=True)


def _matches_stored(name: str, value: Any, stored: CreatedEvalConfig) -> bool:
    found = getattr(stored, name)
    if name == "template_id":
        return bool(found.lower() == value)
    return eval_config.settings_equal(value, found)
