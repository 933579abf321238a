"""A journal in a temporary directory."""

from __future__ import annotations

import pytest

from futureagi_async.journal.writer import JournalWriter


@pytest.fixture
def path(tmp_path):
    return tmp_path / "evals.db"


@pytest.fixture
async def writer(path):
    opened = await JournalWriter.open(path)
    yield opened
    await opened.aclose()
