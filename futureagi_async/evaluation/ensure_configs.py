"""Have eval configs be there, whether they were before or not."""

from __future__ import annotations

import copy
import enum
import itertools
from collections.abc import AsyncIterable, Iterable, Mapping, Sequence
from typing import Any, Literal, TypeAlias, get_args
from uuid import UUID

import attrs

from futureagi_async.endpoints.add_eval_configs import AddEvalConfigs
from futureagi_async.endpoints.eval_config import (
    CreatedEvalConfig,
    EncodedEvalConfigs,
    EvalConfig,
    validate_eval_configs,
)
from futureagi_async.endpoints.get_run_test import GetRunTest, RunTest
from futureagi_async.endpoints.update_eval_config import UpdateEvalConfig
from futureagi_async.errors import (
    APIError,
    BadRequestError,
    EvalConfigsDifferError,
    FutureAGIError,
    InvalidRequestError,
    NameConflictError,
)
from futureagi_async.evaluation.recovery import Past
from futureagi_async.model import validation
from futureagi_async.model.operation import Executor, Operation
from futureagi_async.model.request import (
    Request,
    Requests,
    Result,
    ResultT,
    build_requests,
)
from futureagi_async.model.resource import (
    RunTestRef,  # noqa: F401 - in the signature that attrs makes
)


OnConflict: TypeAlias = Literal["raise", "keep", "update"]
"""What to do with an eval config that has the name, but other content."""

Changed: TypeAlias = "dict[str, EvalConfigOrigin]"
"""Eval configs that were added or changed, by name."""

_LOOKS = 3
"""How often to look at a run test that somebody else changes at the same time."""


class EvalConfigOrigin(enum.Enum):
    """Where an eval config that was asked for comes from."""

    EXISTING = "existing"
    """It was there, as it was asked for."""

    CREATED = "created"
    """It was not there, and was added."""

    UPDATED = "updated"
    """It was there with other content, and was changed."""

    DIFFERENT = "different"
    """It is there with other content, and was kept so."""


@attrs.frozen
class EnsuredEvalConfig:
    """An eval config that is there now.

    Attributes:
        eval_config: what the service keeps.
        origin: where it comes from.
    """

    eval_config: CreatedEvalConfig
    origin: EvalConfigOrigin


@attrs.frozen(kw_only=True)
class EnsuredEvalConfigs(Result):
    """What is there of the eval configs that were asked for.

    Attributes:
        run_test_id: the run test.
        run_test_name: its name.
        eval_configs: what was asked for, in that order; an eval config that could not
            be created, as one of an unknown template, is left out.
        warnings: one message for each that could not be created. The service says why
            only beside one that it creates, and no more when the call is repeated.
    """

    run_test_id: str
    run_test_name: str
    eval_configs: tuple[EnsuredEvalConfig, ...]

    @property
    def created(self) -> tuple[CreatedEvalConfig, ...]:
        """Those that were not there before."""
        return self._of(EvalConfigOrigin.CREATED)

    @property
    def existing(self) -> tuple[CreatedEvalConfig, ...]:
        """Those that were there as they were asked for."""
        return self._of(EvalConfigOrigin.EXISTING)

    @property
    def updated(self) -> tuple[CreatedEvalConfig, ...]:
        """Those that were there with other content, and were changed."""
        return self._of(EvalConfigOrigin.UPDATED)

    @property
    def different(self) -> tuple[CreatedEvalConfig, ...]:
        """Those that are there with other content, and were kept so."""
        return self._of(EvalConfigOrigin.DIFFERENT)

    def _of(self, origin: EvalConfigOrigin) -> tuple[CreatedEvalConfig, ...]:
        return tuple(e.eval_config for e in self.eval_configs if e.origin is origin)


@attrs.frozen
class Comparison:
    """What a run test has of the eval configs that are wanted.

    Attributes:
        existing: by name, those that it has as wanted.
        different: by name, those that it has with other content.
        missing: those that it does not have.
    """

    existing: dict[str, CreatedEvalConfig]
    different: dict[str, CreatedEvalConfig]
    missing: tuple[EvalConfig, ...]


def compare(
    wanted: Sequence[EvalConfig], kept: Sequence[CreatedEvalConfig]
) -> Comparison:
    """Compare what is wanted with what a run test has.

    Settings that are left open are not compared. Parameters that a template's schema
    has added or converted make no difference. Of several with one name, which parallel
    requests can leave behind, one that is as wanted counts.
    """
    existing: dict[str, CreatedEvalConfig] = {}
    different: dict[str, CreatedEvalConfig] = {}
    missing: list[EvalConfig] = []
    for config in wanted:
        name = config.effective_name
        namesakes = [each for each in kept if each.name == name]
        equal = [each for each in namesakes if config.matches(each)]
        equal += [each for each in namesakes if config.may_match(each)]
        if equal:
            existing[name] = equal[0]
        elif namesakes:
            different[name] = namesakes[0]
        else:
            missing.append(config)
    return Comparison(existing, different, tuple(missing))


def validate_on_conflict(value: Any) -> OnConflict:
    """Check what is to be done with differing eval configs."""
    if value in get_args(OnConflict):
        checked: OnConflict = value
        return checked
    raise InvalidRequestError(
        f"on_conflict: 'raise', 'keep' or 'update' is wanted, not {validation.truncate_repr(value)}"
    )


@attrs.frozen
class _Cautious:
    """Hands that write nothing that the journal would only answer."""

    executor: Executor
    past: Past

    async def read(self, request: Request[ResultT]) -> ResultT:
        return await self.executor.read(request)

    async def write(self, request: Request[ResultT]) -> ResultT:
        self.past.refuse_contradiction(request)
        return await self.executor.write(request)


@attrs.frozen
class EnsureEvalConfigs(Operation[EnsuredEvalConfigs]):
    """Have eval configs be on a run test: read which are, and add only what is missing.

    It can be repeated, and done from two places one after the other. Two places at the
    same time can create an eval config twice: the service has no way to prevent that.

    Args:
        run_test_id: the run test, a UUID in any spelling.
        evaluations_config: as for `AddEvalConfigs`.
        different: what to do where the run test has an eval config of the name with
            other content: `"raise"` before anything is changed, `"keep"` it, or
            `"update"` it to what is asked for. Settings left open are not compared.

    Raises:
        InvalidRequestError: a value could never be accepted; the message names the
            item.
    """

    run_test_id: str = attrs.field(converter=validation.run_test_id)
    evaluations_config: EncodedEvalConfigs = attrs.field(
        converter=validate_eval_configs
    )
    on_conflict: OnConflict = attrs.field(
        default="raise", converter=validate_on_conflict, kw_only=True
    )

    async def run(self, executor: Executor) -> EnsuredEvalConfigs:
        """Read, and add or change what has to be.

        Raises:
            EvalConfigsDifferError: with `on_conflict="raise"`, one has other content;
                nothing was changed.
            InvalidRequestError: with `on_conflict="update"`, no update leads there, as
                the parameters of an eval config cannot be removed; nothing was changed.
            FutureAGIError: a call failed; it says what had been changed before.
        """
        past = await Past.read(executor, self.run_test_id)
        return await self.ensure(executor, past, {})

    async def ensure(
        self, executor: Executor, past: Past, changed: Changed
    ) -> EnsuredEvalConfigs:
        """Read, and add or change what has to be; note in `changed` what was.

        What `past` has in doubt of eval configs is reconciled first.

        Raises:
            FutureAGIError: as `work` does.
        """
        try:
            await past.take_up_changes(executor, self.evaluations_config)
            ensured = await self._ensured(_Cautious(executor, past), changed)
            ids = [each.eval_config.id for each in ensured.eval_configs]
            await past.note_changes(executor, ids)
        except FutureAGIError as error:
            if not changed:
                raise
            raise _with_changes(error, changed) from error.__cause__
        return ensured

    async def _ensured(
        self, executor: _Cautious, changed: Changed
    ) -> EnsuredEvalConfigs:
        tried: dict[str, EvalConfig] = {}
        looks = 0
        while True:
            looks += 1
            run_test = await executor.read(GetRunTest(self.run_test_id))
            found = compare(
                self.evaluations_config, run_test.simulate_eval_configs_detail
            )
            for name in tried.keys() & found.existing.keys():
                changed[name] = EvalConfigOrigin.CREATED
            if found.different and self.on_conflict == "raise":
                raise _differ(self.run_test_id, found.different)
            try:
                return await self._change(executor, run_test, found, changed)
            except NameConflictError as error:
                # Somebody else has added it since; then it is there by now, or gone.
                if looks == _LOOKS:
                    raise
                tried = _added_before(error, found.missing)

    async def _change(
        self,
        executor: _Cautious,
        run_test: RunTest,
        found: Comparison,
        changed: Changed,
    ) -> EnsuredEvalConfigs:
        by_name = {
            name: EnsuredEvalConfig(kept, changed.get(name, EvalConfigOrigin.EXISTING))
            for name, kept in found.existing.items()
        }
        # Made before anything is written: an update that cannot be changes nothing.
        updates = self._updates(found.different) if self.on_conflict == "update" else {}
        added, warnings = await self._add(executor, found)
        for kept in added:
            by_name[kept.name] = EnsuredEvalConfig(kept, EvalConfigOrigin.CREATED)
            changed[kept.name] = EvalConfigOrigin.CREATED
        for name, kept in found.different.items():
            by_name[name] = await _reconciled(executor, kept, updates.get(name))
            if name in updates:
                changed[name] = EvalConfigOrigin.UPDATED
        return EnsuredEvalConfigs(
            raw=run_test.raw,
            request_id=run_test.request_id,
            warnings=warnings,
            run_test_id=self.run_test_id,
            run_test_name=run_test.name,
            eval_configs=tuple(
                by_name[config.effective_name]
                for config in self.evaluations_config
                if config.effective_name in by_name
            ),
        )

    async def _add(
        self, executor: _Cautious, found: Comparison
    ) -> tuple[tuple[CreatedEvalConfig, ...], tuple[str, ...]]:
        """Add what is missing; give what was created, and the warnings."""
        if not found.missing:
            return (), ()
        request = AddEvalConfigs(self.run_test_id, found.missing)
        try:
            added = await executor.write(request)
        except BadRequestError as error:
            # Added at once, those that are there would have made it a mere warning.
            warnings = request.warnings_from(error)
            if not warnings or not (found.existing or found.different):
                raise
            return (), warnings
        return added.created_eval_configs, added.warnings

    def _updates(
        self, different: Mapping[str, CreatedEvalConfig]
    ) -> dict[str, UpdateEvalConfig]:
        wanted = {each.effective_name: each for each in self.evaluations_config}
        return {
            name: UpdateEvalConfig.to_match(self.run_test_id, kept, wanted[name])
            for name, kept in different.items()
        }


async def _reconciled(
    executor: _Cautious, kept: CreatedEvalConfig, update: UpdateEvalConfig | None
) -> EnsuredEvalConfig:
    """Bring one that differs to what is wanted, or keep it."""
    if update is None:
        return EnsuredEvalConfig(kept, EvalConfigOrigin.DIFFERENT)
    await executor.write(update)
    return EnsuredEvalConfig(
        attrs.evolve(kept, **update.changes), EvalConfigOrigin.UPDATED
    )


def _added_before(
    error: NameConflictError, asked: Sequence[EvalConfig]
) -> dict[str, EvalConfig]:
    """Give those that a request can have added before it came to a name that is taken.

    The service adds one after the other and keeps them; its message names the last.
    """
    before = itertools.takewhile(
        lambda each: f"'{each.effective_name}' already exists" not in error.message,
        asked,
    )
    return {each.effective_name: each for each in before}


def _with_changes(error: FutureAGIError, changed: Changed) -> FutureAGIError:
    """Have an error say what had been changed before it."""
    listed = ", ".join(f"{name!r} was {how.value}" for name, how in changed.items())
    told = f"before, {listed}"
    if isinstance(error, APIError):
        error.hint = "; ".join(filter(None, (error.hint, told)))
        return error
    # Others have a message only. It can be shared with others that wait for the same.
    copied = copy.copy(error)
    copied.args = (f"{error}; {told}", *error.args[1:])
    return copied


def _differ(
    run_test_id: str, different: Mapping[str, CreatedEvalConfig]
) -> FutureAGIError:
    names = tuple(different)
    listed = ", ".join(map(repr, names))
    return EvalConfigsDifferError(
        f"run test {run_test_id} has {listed} with other content; name yours "
        "differently, or say on_conflict='keep' or on_conflict='update'",
        run_test_id=run_test_id,
        names=names,
    )


def for_run_tests(
    run_test_ids: Iterable[UUID | str] | AsyncIterable[UUID | str],
    evaluations_config: Iterable[EvalConfig | Mapping[str, Any]],
    *,
    on_conflict: OnConflict,
) -> Requests[EnsuredEvalConfigs]:
    """Make the jobs that have the same eval configs be on each run test.

    Raises:
        InvalidRequestError: a config is invalid, or an id in a collection of ids. An id
            that comes from an iterator is looked at when it is read.
    """
    configs = validate_eval_configs(evaluations_config)
    checked = validate_on_conflict(on_conflict)
    return build_requests(
        run_test_ids,
        lambda each: EnsureEvalConfigs(each, configs, on_conflict=checked),
        "run_tests",
    )
