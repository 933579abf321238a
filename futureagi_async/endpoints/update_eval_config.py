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
    """What was changed.

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
            "config: is empty, which the service takes for no change; to do without "
            "parameters, delete the eval config and add another"
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
    """Change an eval config of a run test. What is `None` stays as it is.

    The service could run the eval config in the same request (`run`). That is left out:
    it saves before it checks the execution, and answers 400 or 500 to what it has saved.
    `RunNewEvals` runs it.

    An eval config that is not there is a `NotFoundError`, though the service answers
    500: the run test is read then (unless `RetryPolicy.reconcile` is off).

    Args:
        run_test_id: the run test, a UUID in any spelling.
        eval_config_id: the eval config.
        name: its new name, 255 characters at most; not blank.
        template_id: its new template. The inputs of the mapping must be the template's,
            and the parameters that it has must fit; send others with it if they do not.
        config: its new parameters, as a whole; not empty, which changes nothing.
        mapping: its new mapping, as a whole.
        filters: its new filters, as a whole.
        error_localizer: whether failures are to be located.
        model: its new model, 255 characters at most; not blank.

    Raises:
        InvalidRequestError: a value could never be accepted, or nothing is to change.
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
                f"nothing is to change; give at least one of {', '.join(_UPDATABLE_FIELDS)}"
            )
        object.__setattr__(self, "encoded", codec.encode(sent))

    @property
    def changes(self) -> dict[str, Any]:
        """What is to change, by field."""
        given = {name: getattr(self, name) for name in _UPDATABLE_FIELDS}
        return {name: value for name, value in given.items() if value is not None}

    @classmethod
    def to_match(
        cls, run_test_id: RunTestRef, kept: CreatedEvalConfig, wanted: EvalConfig
    ) -> Self:
        """Make the update that brings what the service keeps to what is expected.

        Only what differs is sent. What `wanted` leaves open stays as it is, its name
        apart: without one it is `Eval-<template_id>`, as when it is added.

        Raises:
            InvalidRequestError: nothing differs, or no update leads there, as the
                parameters of an eval config cannot be removed.
        """
        sought = {
            **{name: getattr(wanted, name) for name in _UPDATABLE_FIELDS},
            "name": wanted.effective_name,
        }
        if sought["config"] == {} and eval_config.may_match_parameters({}, kept.config):
            del sought["config"]
        changes = {
            name: value
            for name, value in sought.items()
            if value is not None and not _matches_stored(name, value, kept)
        }
        return cls(run_test_id, kept.id, **changes)

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
        """Object to an answer about another eval config or run test."""
        if result.run_test_id.lower() != self.run_test_id:
            problem = f"the response is about run test {result.run_test_id}"
        elif result.eval_config_id.lower() != self.eval_config_id:
            problem = f"the response is about eval config {result.eval_config_id}"
        else:
            return None
        return UnexpectedResponseError, problem

    async def reconcile(self, read: SendRead, history: History) -> Reconciliation:  # noqa: ARG002 - it is there before and after
        """Compare the eval config with what it was to become."""
        try:
            run_test = await read(GetRunTest(self.run_test_id))
        except NotFoundError as error:
            return TargetMissing(error.message)
        kept = run_test.eval_config(self.eval_config_id)
        if kept is None:
            return TargetMissing(
                f"the run test has no eval config {self.eval_config_id} (read back, "
                "since the service answers such an update with an error of its own)"
            )
        different = [
            name
            for name, value in self.changes.items()
            if not _matches_stored(name, value, kept)
        ]
        if not different:
            return Applied(self.result_from(kept))
        if different == ["config"] and eval_config.may_match_parameters(
            self.config, kept.config
        ):
            return Indeterminate(
                f"read back: the eval config {kept.name!r} has further or converted "
                "parameters, as the service keeps some, or as it had before"
            )
        return NotApplied(self)

    def result_from(self, seen: CreatedEvalConfig | None) -> UpdateEvalConfigResult:
        """Make the result of what is there."""
        found = "the values are there" if seen else "somebody decided that it was done"
        raw = {
            "message": f"no answer tells of this request, but {found}",
            "eval_config_id": self.eval_config_id,
            "run_test_id": self.run_test_id,
        }
        return codec.build_result(raw, UpdateEvalConfigResult, reconciled=True)


def _matches_stored(name: str, value: Any, kept: CreatedEvalConfig) -> bool:
    found = getattr(kept, name)
    if name == "template_id":
        return bool(found.lower() == value)
    return eval_config.settings_equal(value, found)
