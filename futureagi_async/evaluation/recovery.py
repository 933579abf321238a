"""Requests about one run test that earlier processes left in the journal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

from futureagi_async.endpoints.add_eval_configs import AddEvalConfigs
from futureagi_async.endpoints.run_new_evals import RunNewEvals
from futureagi_async.endpoints.update_eval_config import UpdateEvalConfig
from futureagi_async.errors import Delivery, FutureAGIError
from futureagi_async.journal.entry import request_digest
from futureagi_async.model import codec
from futureagi_async.model.reconciliation import Applied


if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

    from futureagi_async.endpoints.eval_config import EvalConfig
    from futureagi_async.model.operation import Executor, HistoryEntry
    from futureagi_async.model.reconciliation import Reconcilable
    from futureagi_async.model.request import Request


def _add(entry: HistoryEntry, body: dict[str, Any]) -> Request[Any]:
    return AddEvalConfigs(entry.run_test_id or "", body["evaluations_config"])


def _run(entry: HistoryEntry, body: dict[str, Any]) -> Request[Any]:
    return RunNewEvals(entry.run_test_id or "", **body)


def _update(entry: HistoryEntry, body: dict[str, Any]) -> Request[Any]:
    *_, config_id, _, _ = entry.path.split("/")
    return UpdateEvalConfig(entry.run_test_id or "", config_id, **body)


_PARSERS: dict[str, Callable[[HistoryEntry, dict[str, Any]], Request[Any]]] = {
    AddEvalConfigs.__name__: _add,
    RunNewEvals.__name__: _run,
    UpdateEvalConfig.__name__: _update,
}


def parse_request(entry: HistoryEntry) -> Request[Any] | None:
    """Return the request of an entry; `None` if it is no write of an evaluation.

    Raises:
        FutureAGIError: the result differs from what was sent, as with an entry of
            another version of this package. To ignore it could start something twice.
    """
    parse = _PARSERS.get(entry.endpoint)
    if parse is None:
        return None
    try:
        request = parse(entry, codec.decode(entry.body or b""))
    except (codec.DecodeError, ValueError, TypeError, KeyError) as error:
        raise _unreadable(entry) from error
    if request_digest(request) != entry.request_digest:
        raise _unreadable(entry)
    return request


def _unreadable(entry: HistoryEntry) -> FutureAGIError:
    return FutureAGIError(
        f"entry {entry.sequence} of the journal, {entry.endpoint} of run test "
        f"{entry.run_test_id}, cannot be read as the request that was sent; another "
        "version of this package may have written it: use that version, or another "
        "journal"
    )


def unknown_requests(entries: Iterable[HistoryEntry]) -> list[Request[Any]]:
    """Return the requests whose outcome the journal does not have.

    Raises:
        FutureAGIError: one of them cannot be read.
    """
    requests = (parse_request(e) for e in entries if e.is_unknown)
    return [request for request in requests if request is not None]


def started_requests(entries: Iterable[HistoryEntry]) -> list[RunNewEvals]:
    """Return the requests that have started evaluations.

    Raises:
        FutureAGIError: one of them cannot be read.
    """
    requests = (
        parse_request(entry)
        for entry in entries
        if entry.is_done and entry.endpoint == RunNewEvals.__name__
    )
    return [request for request in requests if isinstance(request, RunNewEvals)]


@attrs.define
class Recovery:
    """Requests of earlier processes, and what became of those with unknown outcome.

    Attributes:
        started: the requests that have started evaluations.
        changes: those with unknown outcome that add or change eval configs.
        starts: those with unknown outcome that start evaluations.
        done: digests of requests that the journal answers without sending them.
        rejected: digests of requests with unknown outcome that were not applied.
        warnings: which requests stay unknown and are no part of this evaluation.
    """

    started: list[RunNewEvals] = attrs.field(factory=list)
    changes: list[Reconcilable[Any]] = attrs.field(factory=list)
    starts: list[RunNewEvals] = attrs.field(factory=list)
    done: set[bytes] = attrs.field(factory=set)
    rejected: set[bytes] = attrs.field(factory=set)
    warnings: list[str] = attrs.field(factory=list)

    @classmethod
    async def read(cls, executor: Executor, run_test_id: str) -> Recovery:
        """Read the journal's entries of a run test, if there is a journal.

        Raises:
            FutureAGIError: the journal, or a request in it, cannot be read.
        """
        entries = await executor.history(run_test_id)
        unknown: list[Any] = unknown_requests(entries)
        starts = [each for each in unknown if isinstance(each, RunNewEvals)]
        changes = [each for each in unknown if not isinstance(each, RunNewEvals)]
        done = {each.request_digest for each in entries if each.is_done}
        return cls(started_requests(entries), changes, starts, done)

    async def reconcile_config_changes(
        self, executor: Executor, configs: Iterable[EvalConfig]
    ) -> None:
        """Reconcile additions of nothing but requested configs; probe other changes.

        An update is not sent either: if it still leads to what is requested, it is
        requested again, and then answered from the journal.

        Raises:
            FutureAGIError: an outcome stays unknown.
        """
        requested = {config.encoded for config in configs}
        for request in self.changes:
            is_requested = isinstance(request, AddEvalConfigs) and requested.issuperset(
                config.encoded for config in request.evaluations_config
            )
            if is_requested:
                await self.reconcile(executor, request)
            else:
                # It has time to be applied, before what is read is relied on.
                await executor.probe(request)

    async def record_config_changes(
        self, executor: Executor, config_ids: Collection[str]
    ) -> None:
        """Write updates that were applied into the journal; warn of unknown changes.

        Raises:
            FutureAGIError: an outcome stays unknown.
        """
        for request in self.changes:
            if request_digest(request) in self.done | self.rejected:
                continue
            is_applied = await self.is_applied(executor, request)
            if is_applied and getattr(request, "eval_config_id", None) in config_ids:
                await self.reconcile(executor, request)

    async def is_applied(self, executor: Executor, request: Reconcilable[Any]) -> bool:
        """Return whether a request was applied that is not to be sent; else warn."""
        if isinstance(await executor.probe(request), Applied):
            return True
        self.warnings.append(
            f"run test {request.run_test_id} has an earlier {type(request).__name__} "
            "with unknown outcome in the journal, which is no part of this evaluation "
            "and was left so"
        )
        return False

    async def reconcile(self, executor: Executor, request: Request[Any]) -> bool:
        """Reconcile a request with unknown outcome; return whether it is applied now.

        If the service rejects it, it is not: what to do instead is decided by what is
        read afterwards.

        Raises:
            FutureAGIError: its outcome stays unknown, or the error stops everything.
        """
        try:
            await executor.write(request)
        except FutureAGIError as error:
            if error.delivery is not Delivery.REJECTED or error.stops_batch:
                raise
            self.rejected.add(request_digest(request))
            return False
        self.done.add(request_digest(request))
        return True

    def reject_if_done(self, request: Request[Any]) -> None:
        """Reject a request that the journal would answer although it is needed.

        Raises:
            FutureAGIError: the journal has it as done.
        """
        if request_digest(request) in self.done:
            raise FutureAGIError(
                f"the journal has this {type(request).__name__} as done, but run test "
                f"{request.run_test_id} does not have its result: it was changed since; "
                "use another journal"
            )
