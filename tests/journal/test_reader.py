"""Reading a journal, and deciding about unknown outcomes."""

from __future__ import annotations

import asyncio
import threading
import typing

import pytest
from journal_requests import URL, Ask, entries, failure, intend, same, states, success

from futureagi_async.errors import Delivery, JournalError, NotAttemptedError
from futureagi_async.journal.entry import JournalEntry, JournalState, request_key
from futureagi_async.journal.reader import Journal, JournalSummary
from futureagi_async.journal.writer import JournalWriter
from futureagi_async.model.operation import Operation
from futureagi_async.model.outcome import NotAttempted


class Count(Ask):
    """Another kind of request."""


DONE, FAILED, UNKNOWN, SENT = (Ask(f"/{name}") for name in ("d", "f", "u", "s"))
OUTCOMES = {
    DONE: success(DONE),
    FAILED: failure(FAILED),
    UNKNOWN: failure(UNKNOWN, Delivery.UNKNOWN),
    SENT: NotAttempted(SENT, NotAttemptedError("cut off")),
}


async def fill(path):
    writer = await JournalWriter.open(path, wall_clock=iter(range(100, 200)).__next__)
    for request, outcome in OUTCOMES.items():
        await intend(writer, request)
        if request is not SENT:
            await writer.record_outcome(same(request), outcome)
    reconciled = Count("/c")
    await intend(writer, reconciled)
    await writer.record_outcome(same(reconciled), success(reconciled, reconciled=True))
    await writer.aclose()


@pytest.fixture
def journal(path):
    asyncio.run(fill(path))
    with Journal.open(path) as opened:
        yield opened


def test_a_summary_counts_by_state_and_endpoint(journal, path):
    summary = journal.summary()

    assert summary.path == str(path)
    assert summary.states == {
        JournalState.DONE: 2,
        JournalState.FAILED: 1,
        JournalState.UNKNOWN: 1,
        JournalState.IN_FLIGHT: 1,
    }
    assert summary.endpoints == {
        "Ask": {
            JournalState.DONE: 1,
            JournalState.FAILED: 1,
            JournalState.UNKNOWN: 1,
            JournalState.IN_FLIGHT: 1,
        },
        "Count": {
            JournalState.DONE: 1,
            JournalState.FAILED: 0,
            JournalState.UNKNOWN: 0,
            JournalState.IN_FLIGHT: 0,
        },
    }
    assert (summary.reconciled, summary.resolved) == (1, 0)
    assert (summary.first_sent_at, summary.last_sent_at) == (100, 104)


def test_a_summary_is_formatted_in_a_few_lines(journal, path):
    assert str(journal.summary()) == (
        f"{path}: 5 requests: 2 done, 1 failed, 1 unknown, 1 in flight or interrupted\n"
        "  Ask: 4 requests: 1 done, 1 failed, 1 unknown, 1 in flight or interrupted\n"
        "  Count: 1 request: 1 done\n"
        "  1 reconciled, 0 decided by hand\n"
        "  sent 1970-01-01 00:01:40 UTC to 1970-01-01 00:01:44 UTC"
    )


async def test_a_summary_of_an_empty_journal_reports_no_requests(writer, path):
    with Journal.open(path) as journal:
        assert len(journal) == 0
        assert str(journal.summary()) == f"{path}: 0 requests: none"


def test_entries_come_in_the_order_in_which_they_appeared(journal):
    assert len(journal) == 5
    assert [each.path for each in journal] == ["/d", "/f", "/u", "/s", "/c"]
    assert [each.sequence for each in journal] == [1, 2, 3, 4, 5]


async def test_a_long_journal_is_read_in_pieces(writer, path):
    await asyncio.gather(*(intend(writer, Ask(f"/{n}")) for n in range(1_201)))

    assert [each.path for each in entries(path)] == [f"/{n}" for n in range(1_201)]


@pytest.mark.parametrize("done", [True, False])
@pytest.mark.parametrize("request_", [UNKNOWN, SENT])
@pytest.mark.parametrize("by_entry", [True, False])
def test_an_unknown_outcome_can_be_decided(journal, request_, done, by_entry):
    (entry,) = [each for each in journal if each.path == request_.path]

    journal.resolve(entry if by_entry else OUTCOMES[request_], done=done)

    (after,) = [each for each in journal if each.path == request_.path]
    assert (after.state, after.resolved) == (
        JournalState.DONE if done else JournalState.FAILED,
        True,
    )
    assert after.error == entry.error
    assert journal.summary().resolved == 1
    assert "1 decided by hand" in str(journal.summary())


def test_a_decision_can_be_changed(journal):
    journal.resolve(OUTCOMES[UNKNOWN], done=True)
    journal.resolve(OUTCOMES[UNKNOWN], done=False)

    assert states(journal.path)["/u"] == "FAILED"


@pytest.mark.parametrize("request_", [DONE, FAILED])
def test_an_outcome_that_a_response_decided_stays(journal, request_):
    with pytest.raises(JournalError, match=r"is (done|failed) already"):
        journal.resolve(OUTCOMES[request_], done=False)


def test_all_unknown_outcomes_can_be_decided_in_one_loop(journal):
    for entry in journal:
        if entry.state in {JournalState.UNKNOWN, JournalState.IN_FLIGHT}:
            journal.resolve(entry, done=True)

    assert journal.summary().states[JournalState.DONE] == 4


def test_what_was_decided_not_done_is_sent_next_time(journal):
    journal.resolve(OUTCOMES[UNKNOWN], done=False)

    async def next_time():
        writer = await JournalWriter.open(journal.path)
        earlier = await intend(writer, UNKNOWN)
        await writer.aclose()
        return earlier

    earlier = asyncio.run(next_time())

    assert (earlier.state, earlier.resolved) == (JournalState.FAILED, True)
    (now,) = [each for each in journal if each.path == "/u"]
    assert (now.state, now.resolved) == (JournalState.IN_FLIGHT, False)


def test_an_unrecorded_request_is_not_in_it(journal):
    with pytest.raises(JournalError, match="this request is not in it"):
        journal.resolve(failure(Ask("/strange")), done=True)


def test_an_entry_of_another_journal_is_not_in_it(journal, tmp_path):
    async def write_another():
        writer = await JournalWriter.open(tmp_path / "another.db")
        await intend(writer, Ask("/strange"))
        await writer.aclose()

    asyncio.run(write_another())
    (strange,) = entries(tmp_path / "another.db")

    with pytest.raises(JournalError, match="a request that is not in it"):
        journal.resolve(strange, done=True)


def test_what_is_no_outcome_is_refused(journal):
    with pytest.raises(JournalError, match="is expected, not a str"):
        journal.resolve("/u", done=True)


def test_an_operation_of_several_requests_is_decided_by_its_entries(journal):
    class Steps(Operation):
        run_test_id = None

        async def run(self, executor):
            """Do nothing."""

    with pytest.raises(JournalError, match="a Steps sends several requests; pass one"):
        journal.resolve(failure(Steps()), done=True)


def test_a_request_to_two_services_is_decided_by_its_entry(path):
    async def write_two():
        writer = await JournalWriter.open(path)
        for url in (URL, "https://staging.example.com"):
            found = request_key(url, None, UNKNOWN)
            await writer.record_intent(found, UNKNOWN, base_url=url, workspace_id=None)
        await writer.aclose()

    asyncio.run(write_two())

    with Journal.open(path) as journal:
        with pytest.raises(JournalError, match="to 2 services or workspaces; pass"):
            journal.resolve(OUTCOMES[UNKNOWN], done=True)
        journal.resolve(next(iter(journal)), done=True)

    assert [each.state for each in entries(path)] == [
        JournalState.DONE,
        JournalState.IN_FLIGHT,
    ]


async def test_nothing_can_be_decided_while_a_batch_writes(writer, path):
    await intend(writer, UNKNOWN)

    with (
        Journal.open(path) as journal,
        pytest.raises(JournalError, match="it is being written already"),
    ):
        journal.resolve(OUTCOMES[UNKNOWN], done=True)

    assert states(path) == {"/u": "IN_FLIGHT"}


def test_a_closed_journal_is_refused(journal):
    journal.close()
    journal.close()

    with pytest.raises(JournalError, match="it is closed"):
        journal.summary()


def test_another_thread_is_refused(journal):
    messages = []

    def read():
        for use in (journal.summary, journal.close):
            try:
                use()
            except JournalError as error:
                messages.append(str(error))

    thread = threading.Thread(target=read)
    thread.start()
    thread.join()

    assert ["opened by another thread" in each for each in messages] == [True, True]


@pytest.mark.parametrize(
    "annotated",
    [
        *(JournalEntry, JournalSummary, JournalState, Journal.__init__, Journal.open),
        *(Journal.summary, Journal.resolve, Journal.__iter__, Journal.__exit__),
    ],
)
def test_type_hints_resolve_at_run_time(annotated):
    assert typing.get_type_hints(annotated) or annotated is JournalState
