"""A journal and processes that die, fork, or open it at the same time."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from journal_requests import Ask, intend, same, states, success

from futureagi_async.errors import JournalError
from futureagi_async.journal.reader import Journal
from futureagi_async.journal.writer import JournalWriter


HERE = Path(__file__).parents[1] / "support"

PRELUDE = """
import asyncio, gc, logging, os, sys
sys.path.insert(0, {here!r})
from journal_requests import *
from futureagi_async.errors import JournalError
from futureagi_async.journal.writer import JournalWriter
# On a busy machine any step may take the 0.1 s that the development mode reports.
logging.getLogger("asyncio").setLevel(logging.ERROR)
path = sys.argv[1]
"""

WRITES_AND_WAITS = """
async def main():
    writer = await JournalWriter.open(path)
    done, cut_off = Ask("/done"), Ask("/cut-off")
    await intend(writer, done)
    await writer.record_outcome(same(done), success(done))
    await intend(writer, cut_off)
    print("written", flush=True)
    await asyncio.sleep(60)

asyncio.run(main())
"""


def python(code, path):
    return subprocess.Popen(
        [
            sys.executable,
            *("-X", "dev", "-W", "error", "-c"),
            PRELUDE.format(here=str(HERE)) + textwrap.dedent(code),
            str(path),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def ran(code, path):
    process = python(code, path)
    out, errors = process.communicate(timeout=60)
    return process.returncode, out, errors


@pytest.fixture
def other_process(path):
    """A process that has written to the journal and holds it."""
    process = python(WRITES_AND_WAITS, path)
    assert process.stdout.readline() == "written\n"
    yield process
    process.kill()
    process.communicate()


def test_a_request_in_flight_when_its_process_is_killed_stays_in_flight(
    path, other_process
):
    other_process.kill()
    other_process.wait()

    assert states(path) == {"/done": "DONE", "/cut-off": "IN_FLIGHT"}


def test_a_killed_process_leaves_the_journal_to_the_next(path, other_process):
    other_process.kill()
    other_process.wait()

    async def go_on():
        writer = await JournalWriter.open(path)
        request = Ask("/cut-off")
        earlier = await intend(writer, request)
        await writer.record_outcome(same(request), success(request))
        await writer.aclose()
        return earlier

    assert asyncio.run(go_on()).state.name == "IN_FLIGHT"
    assert states(path) == {"/done": "DONE", "/cut-off": "DONE"}


def test_a_second_process_may_read_and_not_write(path, other_process):
    with pytest.raises(JournalError, match="being written already, by another process"):
        asyncio.run(JournalWriter.open(path))

    with Journal.open(path) as journal:
        assert [each.state.name for each in journal] == ["DONE", "IN_FLIGHT"]
    other_process.send_signal(signal.SIGKILL)
    other_process.wait()
    assert states(path) == {"/done": "DONE", "/cut-off": "IN_FLIGHT"}


async def test_reading_its_own_journal_does_not_unlock_it_for_another_process(
    path, writer
):
    """Closing any file takes away the locks that its process has on that file."""
    with Journal.open(path) as journal:
        journal.summary()
    with pytest.raises(JournalError):
        await JournalWriter.open(path)

    code, out, errors = ran(
        """
        try:
            asyncio.run(JournalWriter.open(path))
        except JournalError as error:
            print(error)
        """,
        path,
    )

    assert (code, errors) == (0, "")
    assert "it is being written already" in out


async def test_another_process_id_is_refused(path, writer, monkeypatch):
    with Journal.open(path) as journal:
        monkeypatch.setattr(os, "getpid", lambda: -1)
        with pytest.raises(JournalError, match="forked from"):
            await intend(writer, Ask("/run"))
        with pytest.raises(JournalError, match="forked from"):
            journal.summary()
        await writer.aclose()
        monkeypatch.undo()

    await intend(writer, Ask("/run"))
    assert states(path) == {"/run": "IN_FLIGHT"}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_forked_child_is_refused_and_does_no_harm(path):
    code, out, errors = ran(
        """
        from futureagi_async.journal.reader import Journal

        async def child(writer, journal):
            for use in (intend(writer, Ask("/child")), writer.history("x")):
                try:
                    await use
                except JournalError as error:
                    print("refused:", "forked from" in str(error))
            for use in (journal.summary, lambda: journal.resolve(None, done=True)):
                try:
                    use()
                except JournalError as error:
                    print("refused:", "forked from" in str(error))
            await writer.aclose()

        async def parent():
            writer = await JournalWriter.open(path)
            await intend(writer, Ask("/before"))
            return writer

        loop = asyncio.new_event_loop()
        writer = loop.run_until_complete(parent())
        journal = Journal.open(path)
        import warnings
        warnings.simplefilter("ignore")
        pid = os.fork()
        if pid == 0:
            try:
                child(writer, journal).send(None)
            except StopIteration:
                print("over", flush=True)
            del writer, journal
            gc.collect()
            os._exit(0)
        os.waitpid(pid, 0)
        loop.run_until_complete(intend(writer, Ask("/after")))
        loop.run_until_complete(writer.aclose())
        journal.close()
        loop.close()
        """,
        path,
    )

    assert (code, errors) == (0, "")
    assert out.split("\n") == [*["refused: True"] * 4, "over", ""]
    assert states(path) == {"/before": "IN_FLIGHT", "/after": "IN_FLIGHT"}


@pytest.mark.parametrize(
    "forget",
    [
        "writer = None; gc.collect()",
        "loop.close(); writer = None; gc.collect()",
        "loop.close()",
        "loop.create_task(writer.history('x')); loop.run_until_complete(rest())",
    ],
)
def test_a_collected_writer_prints_nothing(path, forget):
    code, out, errors = ran(
        f"""
        async def rest():
            await asyncio.sleep(0)

        loop = asyncio.new_event_loop()
        writer = loop.run_until_complete(JournalWriter.open(path))
        loop.run_until_complete(intend(writer, Ask("/run")))
        {forget}
        import warnings
        warnings.simplefilter("ignore")  # about the loop, which was forgotten too
        """,
        path,
    )

    assert (code, out, errors) == (0, "", "")
    assert states(path) == {"/run": "IN_FLIGHT"}


@pytest.mark.skipif(not hasattr(os, "setuid"), reason="no users here")
@pytest.mark.parametrize("is_there", [True, False])
def test_a_missing_permission_is_reported(path, is_there):
    """Root may write everywhere, so the process takes another user id."""
    code, out, errors = ran(
        f"""
        import tempfile
        from futureagi_async.journal.database import JournalFile
        with tempfile.TemporaryDirectory() as folder:
            # Once as oneself: another user may not load what Python needs for it.
            path = os.path.join(folder, "evals.db")
            JournalFile.open(path).close()
            if {is_there}:
                os.chmod(path, 0o444)
                os.chmod(path + ".lock", 0o666)
            else:
                os.remove(path)
                os.remove(path + ".lock")
            before = sorted(os.listdir(folder))
            os.chmod(folder, 0o555)
            user = os.geteuid()
            os.seteuid(65534) if user == 0 else None
            try:
                asyncio.run(JournalWriter.open(path))
            except JournalError as error:
                print(error)
            os.seteuid(user)
            os.chmod(folder, 0o755)
            assert sorted(os.listdir(folder)) == before
        """,
        path,
    )

    assert (code, errors) == (0, "")
    assert "; check " in out
    assert "permissions" in out
