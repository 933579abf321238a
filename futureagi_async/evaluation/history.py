"""Requests that are made again from what a journal has of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from futureagi_async.endpoints.add_eval_configs import AddEvalConfigs
from futureagi_async.endpoints.run_new_evals import RunNewEvals
from futureagi_async.endpoints.update_eval_config import UpdateEvalConfig
from futureagi_async.errors import FutureAGIError
from futureagi_async.journal.entry import request_digest
from futureagi_async.model import codec


if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from futureagi_async.model.operation import HistoryEntry
    from futureagi_async.model.request import Request


def _add(entry: HistoryEntry, body: dict[str, Any]) -> Request[Any]:
    return AddEvalConfigs(entry.run_test_id or "", body["evaluations_config"])


def _run(entry: HistoryEntry, body: dict[str, Any]) -> Request[Any]:
    return RunNewEvals(entry.run_test_id or "", **body)


def _update(entry: HistoryEntry, body: dict[str, Any]) -> Request[Any]:
    *_, config_id, _, _ = entry.path.split("/")
    return UpdateEvalConfig(entry.run_test_id or "", config_id, **body)


_MAKERS: dict[str, Callable[[HistoryEntry, dict[str, Any]], Request[Any]]] = {
    AddEvalConfigs.__name__: _add,
    RunNewEvals.__name__: _run,
    UpdateEvalConfig.__name__: _update,
}


def request_of(entry: HistoryEntry) -> Request[Any] | None:
    """Make the request of an entry again.

    It is `None` where that is none of the writes of an evaluation.

    Raises:
        FutureAGIError: it does not come out as it was, as with an entry of another
            version of this package. To forget it could be to start something twice.
    """
    make = _MAKERS.get(entry.endpoint)
    if make is None:
        return None
    try:
        request = make(entry, codec.decode(entry.body or b""))
    except (codec.DecodeError, ValueError, TypeError, KeyError) as error:
        raise _unreadable(entry) from error
    if request_digest(request) != entry.request_digest:
        raise _unreadable(entry)
    return request


def _unreadable(entry: HistoryEntry) -> FutureAGIError:
    return FutureAGIError(
        f"entry {entry.sequence} of the journal, {entry.endpoint} of run test "
        f"{entry.run_test_id}, does not tell what was sent, as one of another version of "
        "this package; use that version, or another journal"
    )


def in_doubt(entries: Iterable[HistoryEntry]) -> list[Request[Any]]:
    """Give the requests whose end the journal does not know.

    Raises:
        FutureAGIError: one of them cannot be made again.
    """
    doubtful = (request_of(each) for each in entries if each.is_unknown)
    return [each for each in doubtful if each is not None]


def begun(entries: Iterable[HistoryEntry]) -> list[RunNewEvals]:
    """Give the requests that have started evaluations.

    Raises:
        FutureAGIError: one of them cannot be made again.
    """
    done = (
        request_of(each)
        for each in entries
        if each.is_done and each.endpoint == RunNewEvals.__name__
    )
    return [each for each in done if isinstance(each, RunNewEvals)]
