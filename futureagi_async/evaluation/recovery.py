"""What earlier processes have left in the journal about one run test."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

from futureagi_async.endpoints.add_eval_configs import AddEvalConfigs
from futureagi_async.endpoints.run_new_evals import RunNewEvals
from futureagi_async.errors import Delivery, FutureAGIError
from futureagi_async.evaluation import history
from futureagi_async.journal.entry import request_digest
from futureagi_async.model.reconciliation import Applied


if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from futureagi_async.endpoints.eval_config import EvalConfig
    from futureagi_async.model.operation import Executor
    from futureagi_async.model.reconciliation import Reconcilable
    from futureagi_async.model.request import Request


@attrs.define
class Past:
    """What was done before, and what is in doubt.

    Attributes:
        begun: the requests that have started evaluations.
        changes: those in doubt that add or change eval configs.
        starts: those in doubt that start evaluations.
        done: digests of what the journal answers without sending it.
        refused: digests of what was in doubt and is not done.
        warnings: what stays in doubt and is no part of what is asked for now.
    """

    begun: list[RunNewEvals] = attrs.field(factory=list)
    changes: list[Reconcilable[Any]] = attrs.field(factory=list)
    starts: list[RunNewEvals] = attrs.field(factory=list)
    done: set[bytes] = attrs.field(factory=set)
    refused: set[bytes] = attrs.field(factory=set)
    warnings: list[str] = attrs.field(factory=list)

    @classmethod
    async def read(cls, executor: Executor, run_test_id: str) -> Past:
        """Read what the journal has, if there is one.

        Raises:
            FutureAGIError: the journal refuses, or does not tell what was sent.
        """
        entries = await executor.history(run_test_id)
        doubtful: list[Any] = history.in_doubt(entries)
        starts = [each for each in doubtful if isinstance(each, RunNewEvals)]
        changes = [each for each in doubtful if not isinstance(each, RunNewEvals)]
        done = {each.request_digest for each in entries if each.is_done}
        return cls(history.begun(entries), changes, starts, done)

    async def take_up_changes(
        self, executor: Executor, wanted: Iterable[EvalConfig]
    ) -> None:
        """Reconcile what adds nothing but what is wanted; only look at the rest.

        An update is not sent either: where it still is what is wanted, it is made again
        and found in the journal then.

        Raises:
            FutureAGIError: something stays in doubt.
        """
        sent = {each.encoded for each in wanted}
        for request in self.changes:
            is_wanted = isinstance(request, AddEvalConfigs) and sent.issuperset(
                each.encoded for each in request.evaluations_config
            )
            if is_wanted:
                await self.take_up(executor, request)
            else:
                # Before anything rests on what is read, it has had time to act.
                await executor.probe(request)

    async def note_changes(
        self, executor: Executor, config_ids: Collection[str]
    ) -> None:
        """Have the journal know of updates that came out, and warn of what did not.

        Raises:
            FutureAGIError: something stays in doubt.
        """
        for request in self.changes:
            if request_digest(request) in self.done | self.refused:
                continue
            is_done = await self.is_done(executor, request)
            if is_done and getattr(request, "eval_config_id", None) in config_ids:
                await self.take_up(executor, request)

    async def is_done(self, executor: Executor, request: Reconcilable[Any]) -> bool:
        """Look if something was done that is not to be sent; warn if that is unclear."""
        if isinstance(await executor.probe(request), Applied):
            return True
        self.warnings.append(
            f"run test {request.run_test_id} has an earlier request in doubt, which is "
            f"no part of this and was left so: {type(request).__name__}"
        )
        return False

    async def take_up(self, executor: Executor, request: Request[Any]) -> bool:
        """Reconcile what is in doubt; tell if it is done now.

        What the service refuses is not: a reading decides anew what is to be done.

        Raises:
            FutureAGIError: it stays in doubt, or everything would be refused.
        """
        try:
            await executor.write(request)
        except FutureAGIError as error:
            if error.delivery is not Delivery.REJECTED or error.stops_batch:
                raise
            self.refused.add(request_digest(request))
            return False
        self.done.add(request_digest(request))
        return True

    def refuse_contradiction(self, request: Request[Any]) -> None:
        """Refuse what the journal would answer, and a reading shows undone.

        Raises:
            FutureAGIError: the journal has it as done.
        """
        if request_digest(request) in self.done:
            raise FutureAGIError(
                f"the journal has this {type(request).__name__} as done, and run test "
                f"{request.run_test_id} does not have it, as somebody has changed it "
                "since: use another journal"
            )
