"""Which files are accepted as a journal, and how others are rejected."""

from __future__ import annotations

import asyncio
import os
import resource
import sqlite3
import stat

import attrs
import pytest
from journal_requests import Ask, entries, intend, same, states, success

from futureagi_async.errors import JournalError
from futureagi_async.journal.database import VERSION, JournalFile, resolve_path
from futureagi_async.journal.reader import Journal
from futureagi_async.journal.writer import JournalWriter


def both(path):
    """Open a journal in both ways and return the messages of the errors."""
    messages = []
    for opened in (
        lambda: asyncio.run(JournalWriter.open(path)),
        lambda: Journal.open(path),
    ):
        with pytest.raises(JournalError) as raised:
            opened()
        messages.append(str(raised.value))
    return messages


def sqlite_file(path, *statements):
    with sqlite3.connect(path) as connection:
        for statement in statements:
            connection.execute(statement)
    connection.close()
    return path.read_bytes()


async def test_only_the_owner_may_read_any_of_its_files(path):
    mask = os.umask(0)
    try:
        writer = await JournalWriter.open(path)
        await intend(writer, Ask("/run"))
    finally:
        os.umask(mask)

    assert {
        each.name: stat.S_IMODE(each.stat().st_mode) for each in path.parent.iterdir()
    } == dict.fromkeys(
        ("evals.db", "evals.db-wal", "evals.db-shm", "evals.db.lock"), 0o600
    )
    await writer.aclose()


async def test_a_path_may_contain_url_syntax(tmp_path):
    path = tmp_path / "50%?x#y ü.db"
    writer = await JournalWriter.open(path)
    await intend(writer, Ask("/run"))
    await writer.aclose()

    assert states(path) == {"/run": "IN_FLIGHT"}
    assert path.exists()


async def test_a_relative_path_stays_valid_when_the_process_changes_directory(
    path, tmp_path, monkeypatch
):
    monkeypatch.chdir(path.parent)
    writer = await JournalWriter.open("evals.db")
    with Journal.open(b"evals.db") as journal:
        monkeypatch.chdir("/")
        await intend(writer, Ask("/run"))
        await writer.aclose()
        journal.resolve(next(iter(journal)), done=True)

    assert states(path) == {"/run": "DONE"}


async def test_an_empty_file_becomes_a_journal(path):
    path.touch()

    writer = await JournalWriter.open(path)
    await intend(writer, Ask("/run"))
    await writer.aclose()

    assert states(path) == {"/run": "IN_FLIGHT"}


def test_an_empty_file_is_no_journal_yet(path):
    path.touch()

    with pytest.raises(JournalError, match="it is empty"):
        Journal.open(path)


def test_reading_a_missing_journal_does_not_create_it(path):
    with pytest.raises(JournalError, match="there is no journal"):
        Journal.open(path)

    assert list(path.parent.iterdir()) == []


def test_a_file_that_is_no_database_is_left_alone(path):
    path.write_text("name,score\n" * 500)

    assert all("this file is no journal" in each for each in both(path))
    assert list(path.parent.iterdir()) == [path]


def test_a_file_of_another_program_is_left_alone(path):
    before = sqlite_file(path, "CREATE TABLE photos (name)")

    assert all("another program's SQLite file" in each for each in both(path))
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("pragma", ["application_id = 7", "user_version = 7"])
def test_a_file_that_is_marked_as_another_programs_is_left_alone(path, pragma):
    sqlite_file(path, f"PRAGMA {pragma}", "CREATE TABLE t (x)", "DROP TABLE t")

    assert all("another program's SQLite file" in each for each in both(path))


def test_tables_in_another_programs_wal_count_too(path):
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("CREATE TABLE photos (name)")

    messages = both(path)
    connection.close()

    assert all("another program's SQLite file" in each for each in messages)


def test_a_journal_of_another_version_is_left_alone(path):
    asyncio.run(written(path))
    before = sqlite_file(path, f"PRAGMA user_version = {VERSION + 1}")

    messages = both(path)

    assert all(f"it has version {VERSION + 1}" in each for each in messages)
    assert all(f"reads version {VERSION};" in each for each in messages)
    assert path.read_bytes() == before


async def written(path):
    writer = await JournalWriter.open(path)
    await intend(writer, Ask("/run"))
    await writer.aclose()


def test_a_damaged_journal_is_reported_as_damaged(path):
    asyncio.run(written(path))
    content = bytearray(path.read_bytes())
    content[100:] = b"\xff" * (len(content) - 100)
    path.write_bytes(content)

    with Journal.open(path) as journal, pytest.raises(JournalError, match="is damaged"):
        journal.summary()
    for _ in range(2):  # the first attempt leaves nothing locked
        with pytest.raises(JournalError, match="is damaged"):
            asyncio.run(JournalWriter.open(path))


def test_commits_are_synced_and_do_not_block_readers(path):
    file = JournalFile.open(str(path))

    settings = {
        name: file.connection.execute(f"PRAGMA {name}").fetchone()[0]
        for name in ("synchronous", "journal_mode", "fullfsync")
    }

    file.close()
    assert settings == {"synchronous": 2, "journal_mode": "wal", "fullfsync": 1}


def test_a_directory_is_no_journal(tmp_path):
    with pytest.raises(JournalError, match="this is a directory"):
        asyncio.run(JournalWriter.open(tmp_path))


def test_a_missing_directory_is_named(tmp_path):
    with pytest.raises(JournalError, match=r"there is no directory .*absent"):
        asyncio.run(JournalWriter.open(tmp_path / "absent" / "evals.db"))


def test_a_name_that_the_system_refuses_is_explained(tmp_path):
    with pytest.raises(JournalError, match=r"cannot be opened.*\(File name too long\)"):
        asyncio.run(JournalWriter.open(tmp_path / ("x" * 300)))


@pytest.mark.parametrize(
    ("path", "message"), [(7, "not an int"), (None, "not None"), ("a\0b", "is no path")]
)
def test_what_is_no_path_is_refused(path, message):
    with pytest.raises(JournalError, match=message):
        resolve_path(path)


def test_a_lock_file_that_is_none_is_named(path):
    path.with_name("evals.db.lock").write_text("something else\n" * 100)

    with pytest.raises(JournalError, match=r"evals\.db\.lock: this file is no journal"):
        asyncio.run(JournalWriter.open(path))


async def test_a_second_writer_of_the_process_is_refused_and_may_come_later(path):
    first = await JournalWriter.open(path)

    with pytest.raises(JournalError, match="it is being written already"):
        await JournalWriter.open(path)
    await intend(first, Ask("/run"))
    await first.aclose()

    second = await JournalWriter.open(path)
    assert (await intend(second, Ask("/run"))).state.name == "IN_FLIGHT"
    await second.aclose()


def test_a_failed_start_leaves_the_lock_free(path, tmp_path):
    elsewhere = tmp_path / "elsewhere.db"
    path.symlink_to(elsewhere)
    elsewhere.mkdir()
    with pytest.raises(JournalError, match="this is a directory"):
        asyncio.run(JournalWriter.open(path))
    elsewhere.rmdir()

    JournalFile.open(resolve_path(path)).close()

    assert elsewhere.is_file()


async def test_a_reader_does_not_hinder_the_writer(path):
    writer = await JournalWriter.open(path)
    with Journal.open(path) as journal:
        remaining = iter(journal)
        for n in range(3):
            await intend(writer, Ask(f"/{n}"))
        assert next(remaining).path == "/0"
        await writer.aclose()
        assert [each.path for each in remaining] == ["/1", "/2"]

    assert sorted(each.name for each in path.parent.iterdir()) == [
        "evals.db",
        "evals.db.lock",
    ]


@pytest.fixture
def small_disk():
    """Return a function that limits files to 200 KB, like a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)

    def fill():
        resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, before[1]))

    yield fill
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


async def test_every_waiting_write_fails_when_the_disk_is_full(path, small_disk):
    writer = await JournalWriter.open(path)
    early = Ask("/early")
    await intend(writer, early)
    await writer.record_outcome(same(early), success(early))
    small_disk()

    results = await asyncio.gather(
        *(intend(writer, Ask(f"/{n}", bytes(50_000) + b"%d" % n)) for n in range(20)),
        return_exceptions=True,
    )
    with pytest.raises(JournalError, match="disk is full"):
        await intend(writer, Ask("/late"))
    await writer.aclose()

    assert all(isinstance(each, JournalError) for each in results)
    assert "disk is full" in str(results[0])
    assert len(set(map(id, results))) == len(results)


async def test_what_was_written_before_the_disk_was_full_remains(path, small_disk):
    writer = await JournalWriter.open(path)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    early = Ask("/early")
    await intend(writer, early)
    small_disk()
    await asyncio.gather(
        *(intend(writer, Ask(f"/{n}", bytes(50_000) + b"%d" % n)) for n in range(20)),
        return_exceptions=True,
    )
    await writer.aclose()
    resource.setrlimit(resource.RLIMIT_FSIZE, (before[1], before[1]))

    again = await JournalWriter.open(path)
    await again.record_outcome(same(early), success(early))
    await again.aclose()

    assert [(each.path, each.state.name) for each in entries(path)] == [
        ("/early", "DONE")
    ]


async def test_a_value_that_sqlite_cannot_store_stops_the_journal(writer):
    request = Ask("/run")
    await intend(writer, request)
    outcome = attrs.evolve(success(request), attempts=2**70)

    with pytest.raises(JournalError, match="OverflowError"):
        await writer.record_outcome(same(request), outcome)
    with pytest.raises(JournalError, match="OverflowError"):
        await writer.history("rt-1")
