"""Which files are taken for a journal, and what is said about the others."""

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
    """Open a journal in both ways; give what is said against it."""
    said = []
    for opened in (
        lambda: asyncio.run(JournalWriter.open(path)),
        lambda: Journal.open(path),
    ):
        with pytest.raises(JournalError) as raised:
            opened()
        said.append(str(raised.value))
    return said


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


async def test_a_path_may_hold_what_means_something_in_an_address(tmp_path):
    path = tmp_path / "50%?x#y ü.db"
    writer = await JournalWriter.open(path)
    await intend(writer, Ask("/run"))
    await writer.aclose()

    assert states(path) == {"/run": "IN_FLIGHT"}
    assert path.exists()


async def test_a_path_stays_right_when_the_process_changes_its_folder(
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


def test_a_journal_that_is_not_there_is_not_made_by_looking(path):
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


def test_what_another_program_has_not_yet_moved_into_its_file_counts_too(path):
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("CREATE TABLE photos (name)")

    said = both(path)
    connection.close()

    assert all("another program's SQLite file" in each for each in said)


def test_a_journal_of_another_version_is_left_alone(path):
    asyncio.run(written(path))
    before = sqlite_file(path, f"PRAGMA user_version = {VERSION + 1}")

    said = both(path)

    assert all(f"it has version {VERSION + 1}" in each for each in said)
    assert all(f"reads version {VERSION};" in each for each in said)
    assert path.read_bytes() == before


async def written(path):
    writer = await JournalWriter.open(path)
    await intend(writer, Ask("/run"))
    await writer.aclose()


def test_a_damaged_journal_is_called_so(path):
    asyncio.run(written(path))
    content = bytearray(path.read_bytes())
    content[100:] = b"\xff" * (len(content) - 100)
    path.write_bytes(content)

    with Journal.open(path) as journal, pytest.raises(JournalError, match="is damaged"):
        journal.summary()
    for _ in range(2):  # the first attempt leaves nothing locked
        with pytest.raises(JournalError, match="is damaged"):
            asyncio.run(JournalWriter.open(path))


def test_what_is_committed_is_on_disk_and_hinders_no_reader(path):
    file = JournalFile.open(str(path))

    settings = {
        name: file.connection.execute(f"PRAGMA {name}").fetchone()[0]
        for name in ("synchronous", "journal_mode", "fullfsync")
    }

    file.close()
    assert settings == {"synchronous": 2, "journal_mode": "wal", "fullfsync": 1}


def test_a_folder_is_no_journal(tmp_path):
    with pytest.raises(JournalError, match="this is a directory"):
        asyncio.run(JournalWriter.open(tmp_path))


def test_a_folder_that_is_missing_is_named(tmp_path):
    with pytest.raises(JournalError, match=r"there is no directory .*absent"):
        asyncio.run(JournalWriter.open(tmp_path / "absent" / "evals.db"))


def test_a_name_that_the_system_refuses_is_explained(tmp_path):
    with pytest.raises(JournalError, match=r"cannot be opened.*\(File name too long\)"):
        asyncio.run(JournalWriter.open(tmp_path / ("x" * 300)))


@pytest.mark.parametrize(
    ("path", "said"), [(7, "not an int"), (None, "not None"), ("a\0b", "is no path")]
)
def test_what_is_no_path_is_refused(path, said):
    with pytest.raises(JournalError, match=said):
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


async def test_a_reader_that_looks_on_does_not_hinder_the_writer(path):
    writer = await JournalWriter.open(path)
    with Journal.open(path) as journal:
        looking = iter(journal)
        for n in range(3):
            await intend(writer, Ask(f"/{n}"))
        assert next(looking).path == "/0"
        await writer.aclose()
        assert [each.path for each in looking] == ["/1", "/2"]

    assert sorted(each.name for each in path.parent.iterdir()) == [
        "evals.db",
        "evals.db.lock",
    ]


@pytest.fixture
def small_disk():
    """No file can grow beyond 200 KB, as if the disk were full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)

    def fill():
        resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, before[1]))

    yield fill
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


async def test_a_full_disk_is_told_to_everybody_who_waits(path, small_disk):
    writer = await JournalWriter.open(path)
    early = Ask("/early")
    await intend(writer, early)
    await writer.record_outcome(same(early), success(early))
    small_disk()

    told = await asyncio.gather(
        *(intend(writer, Ask(f"/{n}", bytes(50_000) + b"%d" % n)) for n in range(20)),
        return_exceptions=True,
    )
    with pytest.raises(JournalError, match="disk is full"):
        await intend(writer, Ask("/late"))
    await writer.aclose()

    assert all(isinstance(each, JournalError) for each in told)
    assert "disk is full" in str(told[0])
    assert len(set(map(id, told))) == len(told)


async def test_what_was_written_before_the_disk_was_full_is_still_there(
    path, small_disk
):
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


async def test_a_value_that_no_file_can_hold_stops_the_journal(writer):
    request = Ask("/run")
    await intend(writer, request)
    outcome = attrs.evolve(success(request), attempts=2**70)

    with pytest.raises(JournalError, match="OverflowError"):
        await writer.record_outcome(same(request), outcome)
    with pytest.raises(JournalError, match="OverflowError"):
        await writer.created_ids("rt-1")
