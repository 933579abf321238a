"""Creation of missing eval configs; those that are there already are left alone."""

from __future__ import annotations

import copy
import enum
import itertools
from collections.abc import (
    Iterable,
    Mapping,
    Sequence,
)
from typing import Any, Literal, TypeAlias, get_args

import attrs

from futureagi_async.endpoints.add_eval_configs import AddEvalConfigs
from futureagi_async.endpoints.eval_config import (
    CreatedEvalConfig,
    EncodedEvalConfigs,
    EvalConfig,
    validate_eval_configs,
)
from futureagi_async.endpoints.get_run_test import GetRunTest, RunTest
from futureagi_async.endpoints.list_test_executions import ListTestExecutions
from futureagi_async.endpoints.status import ExecutionStatus
from futureagi_async.endpoints.update_eval_config import UpdateEvalConfig
from futureagi_async.errors import (
    APIError,
    BadRequestError,
    EvalConfigsDifferError,
    EvaluationsUnderWayError,
    FutureAGIError,
    InvalidRequestError,
    NameConflictError,
)
from futureagi_async.evaluation.recovery import Recovery
from futureagi_async.model import validation
from futureagi_async.model.operation import Executor, Operation
from futureagi_async.model.request import Result
from futureagi_async.model.resource import (
    RunTestRef,  # noqa: F401 - in the signature that attrs makes
)


OnConflict: TypeAlias = Literal["raise", "keep", "update"]
"""What to do with an eval config that has the name, but other content."""

_MAX_CONFLICT_RETRIES = 2
"""How often to start over when a name was added by others at the same time."""


class EvalConfigOrigin(enum.Enum):
    """Origin of an eval config that was requested."""

    EXISTING = "existing"
    """It existed as requested."""

    CREATED = "created"
    """It did not exist, and was added."""

    UPDATED = "updated"
    """It existed with other content, and was changed."""

    DIFFERENT = "different"
    """It exists with other content, and was left so."""


ConfigChanges: TypeAlias = dict[str, EvalConfigOrigin]
"""Eval configs that were added or changed, by name."""


@attrs.frozen
class EnsuredEvalConfig:
    """An eval config that exists now.

    Attributes:
        eval_config: the eval config as the service stores it.
        origin: where it comes from.
    """

    eval_config: CreatedEvalConfig
    origin: EvalConfigOrigin


@attrs.frozen(kw_only=True)
class EnsuredEvalConfigs(Result):
    """The eval configs that were requested, as they exist now.

    Attributes:
        run_test_id: the run test.
        run_test_name: its name.
        eval_configs: the requested ones, in that order; an eval config that could not
            be created, such as one of an unknown template, is left out.
        all_config_ids: all eval configs of the run test, those that were not requested
            as well.
        warnings: one message for each that could not be created. The service explains
            that only beside one that it creates, and not when the call is repeated.
    """

    run_test_id: str
    run_test_name: str
    eval_configs: tuple[EnsuredEvalConfig, ...]
    all_config_ids: tuple[str, ...] = ()

    @property
    def created(self) -> tuple[CreatedEvalConfig, ...]:
        """Those that did not exist before."""
        return self._of(EvalConfigOrigin.CREATED)

    @property
    def existing(self) -> tuple[CreatedEvalConfig, ...]:
        """Those that existed as requested."""
        return self._of(EvalConfigOrigin.EXISTING)

    @property
    def updated(self) -> tuple[CreatedEvalConfig, ...]:
        """Those that existed with other content, and were changed."""
        return self._of(EvalConfigOrigin.UPDATED)

    @property
    def different(self) -> tuple[CreatedEvalConfig, ...]:
        """Those that exist with other content, and were left so."""
        return self._of(EvalConfigOrigin.DIFFERENT)

    def _of(self, origin: EvalConfigOrigin) -> tuple[CreatedEvalConfig, ...]:
        return tuple(e.eval_config for e in self.eval_configs if e.origin is origin)


@attrs.frozen
class ConfigDiff:
    """Difference between the requested eval configs and those of a run test.

    Attributes:
        existing: by name, those that it has as requested.
        different: by name, those that it has with other content.
        missing: those that it does not have.
    """

    existing: dict[str, CreatedEvalConfig]
    different: dict[str, CreatedEvalConfig]
    missing: tuple[EvalConfig, ...]


def diff_configs(
    requested: Sequence[EvalConfig], stored: Sequence[CreatedEvalConfig]
) -> ConfigDiff:
    """Compare what is requested with what a run test has.

    Settings that are left open are not compared. Parameters that a template's schema
    has added or converted make no difference. Of several with one name, which parallel
    requests can leave behind, one that is as requested counts.
    """
    existing: dict[str, CreatedEvalConfig] = {}
    different: dict[str, CreatedEvalConfig] = {}
    missing: list[EvalConfig] = []
    for config in requested:
        name = config.effective_name
        namesakes = [each for each in stored if each.name == name]
        equal = [each for each in namesakes if config.matches(each)]
        equal += [each for each in namesakes if config.may_match(each)]
        if equal:
            existing[name] = equal[0]
        elif namesakes:
            different[name] = namesakes[0]
        else:
            missing.append(config)
    return ConfigDiff(existing, different, tuple(missing))


def validate_on_conflict(value: Any) -> OnConflict:
    """Return the policy for differing eval configs, checked."""
    if value in get_args(OnConflict):
        checked: OnConflict = value
        return checked
    raise InvalidRequestError(
        "on_conflict: 'raise', 'keep' or 'update' is expected, not "
        f"{validation.truncate_repr(value)}"
    )


def _validate_configs(
    values: Iterable[EvalConfig | Mapping[str, Any]],
) -> EncodedEvalConfigs:
    return validate_eval_configs(values, "configs")


@attrs.frozen
class EnsureEvalConfigs(Operation[EnsuredEvalConfigs]):
    """Creation of the eval configs that a run test does not have.

    It can be repeated, also from two places one after the other. Two places at the same
    time can create an eval config twice: the service has no way to prevent that.

    Args:
        run_test_id: the run test: its id, or what a list or a lookup returned.
        configs: as for `AddEvalConfigs`.
        on_conflict: what to do if the run test has an eval config of the name with
            other content: `"raise"` before anything is changed, `"keep"` it, or
            `"update"` it to what is requested. Settings left open are not compared.

    Raises:
        InvalidRequestError: a value could never be accepted; the message names the
            item.
    """

    run_test_id: str = attrs.field(converter=validation.run_test_id)
    configs: EncodedEvalConfigs = attrs.field(converter=_validate_configs)
    on_conflict: OnConflict = attrs.field(
        default="raise", converter=validate_on_conflict, kw_only=True
    )

    async def run(self, executor: Executor) -> EnsuredEvalConfigs:
        """Read what exists, and add or change what does not fit.

        Raises:
            EvalConfigsDifferError: with `on_conflict="raise"`, one has other content;
                nothing was changed. With `"update"`, an update was undone by others.
            EvaluationsUnderWayError: with `on_conflict="update"`, an execution is being
                evaluated, or runs, and the service can undo an update meanwhile;
                nothing was changed.
            InvalidRequestError: with `on_conflict="update"`, no update leads there, as
                the parameters of an eval config cannot be removed; nothing was changed.
            FutureAGIError: a call failed; the error lists what was changed before.
        """
        recovery = await Recovery.read(executor, self.run_test_id)
        return await self.ensure(executor, recovery, {})

    async def ensure(
        self,
        executor: Executor,
        recovery: Recovery,
        changes: ConfigChanges,
        known: RunTest | None = None,
        *,
        is_settled: bool = False,
    ) -> EnsuredEvalConfigs:
        """Ensure them after reconciling earlier requests, and add to `changes`.

        A run test that is `known` is not read first. If it `is_settled`, nothing in it
        is evaluated, whatever the status of its executions.

        Raises:
            FutureAGIError: as `run` does.
        """
        try:
            await recovery.reconcile_config_changes(executor, self.configs)
            ensured = await self._converge(
                executor, recovery, changes, known, is_settled=is_settled
            )
            ids = [each.eval_config.id for each in ensured.eval_configs]
            await recovery.record_config_changes(executor, ids)
        except FutureAGIError as error:
            if not changes:
                raise
            raise _annotate_with_changes(error, changes) from error.__cause__
        return ensured

    async def _converge(
        self,
        executor: Executor,
        recovery: Recovery,
        changes: ConfigChanges,
        known: RunTest | None,
        *,
        is_settled: bool,
    ) -> EnsuredEvalConfigs:
        attempted: set[str] = set()
        retries = 0
        while True:
            run_test = known or await executor.read(GetRunTest(self.run_test_id))
            diff = diff_configs(self.configs, run_test.simulate_eval_configs_detail)
            is_known, known = known is not None, None
            if is_known and diff.different:
                continue  # others can have changed it since
            for name in attempted & diff.existing.keys():
                changes[name] = EvalConfigOrigin.CREATED
            if diff.different and self.on_conflict == "raise":
                raise _mismatch_error(self.run_test_id, diff.different)
            if diff.different and self.on_conflict == "update" and not is_settled:
                await self._reject_busy(executor, diff.different)
            try:
                return await self._apply(executor, recovery, run_test, diff, changes)
            except NameConflictError as error:
                # Others have added it since: by now it exists, or was deleted.
                if retries == _MAX_CONFLICT_RETRIES:
                    raise
                attempted = _created_before_conflict(error, diff.missing)
            retries += 1

    async def _apply(
        self,
        executor: Executor,
        recovery: Recovery,
        run_test: RunTest,
        diff: ConfigDiff,
        changes: ConfigChanges,
    ) -> EnsuredEvalConfigs:
        by_name = {
            name: EnsuredEvalConfig(
                stored, changes.get(name, EvalConfigOrigin.EXISTING)
            )
            for name, stored in diff.existing.items()
        }
        # Built before anything is written: an impossible update changes nothing.
        updates = self._updates(diff.different) if self.on_conflict == "update" else {}
        added, warnings = await self._add(executor, recovery, diff)
        for stored in added:
            name = stored.name or ""
            by_name[name] = EnsuredEvalConfig(stored, EvalConfigOrigin.CREATED)
            changes[name] = EvalConfigOrigin.CREATED
        for name, stored in diff.different.items():
            update = updates.get(name)
            if update is None:
                by_name[name] = EnsuredEvalConfig(stored, EvalConfigOrigin.DIFFERENT)
                continue
            recovery.reject_if_done(update)
            await executor.write(update)
            changes[name] = EvalConfigOrigin.UPDATED
            by_name[name] = EnsuredEvalConfig(
                attrs.evolve(stored, **update.changes), EvalConfigOrigin.UPDATED
            )
        if updates:
            await self._verify_updates(executor)
        return EnsuredEvalConfigs(
            raw=run_test.raw,
            request_id=run_test.request_id,
            warnings=warnings,
            run_test_id=self.run_test_id,
            run_test_name=run_test.name,
            eval_configs=tuple(
                by_name[config.effective_name]
                for config in self.configs
                if config.effective_name in by_name
            ),
            all_config_ids=tuple(
                each.id for each in (*added, *run_test.simulate_eval_configs_detail)
            ),
        )

    async def _reject_busy(
        self, executor: Executor, different: Mapping[str, CreatedEvalConfig]
    ) -> None:
        """Reject updates while a worker of the service could undo them."""
        for status in (ExecutionStatus.EVALUATING, ExecutionStatus.RUNNING):
            busy = await executor.read(
                ListTestExecutions(self.run_test_id, limit=1, status=status)
            )
            if busy.count:
                names = ", ".join(map(repr, different))
                raise EvaluationsUnderWayError(
                    f"run test {self.run_test_id}: an execution is {status.value}, and "
                    f"the service can undo an update of {names} meanwhile; update when "
                    "it is completed",
                    run_test_id=self.run_test_id,
                )

    async def _verify_updates(self, executor: Executor) -> None:
        """Read once more whether eval configs are as they were updated."""
        run_test = await executor.read(GetRunTest(self.run_test_id))
        stored = run_test.simulate_eval_configs_detail
        undone = diff_configs(self.configs, stored).different
        if undone:
            raise EvalConfigsDifferError(
                f"run test {self.run_test_id}: {', '.join(map(repr, undone))} has other "
                "content again after it was updated: others have changed it, or a worker "
                "of the service has; update it again",
                run_test_id=self.run_test_id,
                names=tuple(undone),
            )

    async def _add(
        self, executor: Executor, recovery: Recovery, diff: ConfigDiff
    ) -> tuple[tuple[CreatedEvalConfig, ...], tuple[str, ...]]:
        """Add what is missing; return what was created, and the warnings."""
        if not diff.missing:
            return (), ()
        request = AddEvalConfigs(self.run_test_id, diff.missing)
        recovery.reject_if_done(request)
        try:
            added = await executor.write(request)
        except BadRequestError as error:
            # Added together with those that exist, this would be a mere warning.
            warnings = request.warnings_from(error)
            if not warnings or not (diff.existing or diff.different):
                raise
            return (), warnings
        return added.created_eval_configs, added.warnings

    def _updates(
        self, different: Mapping[str, CreatedEvalConfig]
    ) -> dict[str, UpdateEvalConfig]:
        requested = {config.effective_name: config for config in self.configs}
        return {
            name: UpdateEvalConfig.to_match(self.run_test_id, stored, requested[name])
            for name, stored in different.items()
        }


def _created_before_conflict(
    error: NameConflictError, configs: Sequence[EvalConfig]
) -> set[str]:
    """Return the names that a request can have created before it met an existing name.

    The service adds one after the other and keeps them; its message names the last.
    """
    before = itertools.takewhile(
        lambda config: f"'{config.effective_name}' already exists" not in error.message,
        configs,
    )
    return {config.effective_name for config in before}


def _annotate_with_changes(
    error: FutureAGIError, changes: ConfigChanges
) -> FutureAGIError:
    """Add to an error what was changed before it."""
    listed = ", ".join(f"{name!r} was {how.value}" for name, how in changes.items())
    note = f"before, {listed}"
    if isinstance(error, APIError):
        error.hint = "; ".join(filter(None, (error.hint, note)))
        return error
    # Others have a message only. It can be shared with others that wait for the same.
    copied = copy.copy(error)
    copied.args = (f"{error}; {note}", *error.args[1:])
    return copied


def _mismatch_error(
    run_test_id: str, different: Mapping[str, CreatedEvalConfig]
) -> FutureAGIError:
    names = tuple(different)
    listed = ", ".join(map(repr, names))
    return EvalConfigsDifferError(
        f"run test {run_test_id} has {listed} with other content; choose another name, "
        "or pass on_conflict='keep' or on_conflict='update'",
        run_test_id=run_test_id,
        names=names,
    )
