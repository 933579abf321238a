"""The examples in the docstrings return what they show."""

from __future__ import annotations

import doctest

import pytest

from futureagi_async.emulator import emulator, world


@pytest.mark.parametrize("module", [emulator, world])
def test_examples_in_docstrings_run(module):
    results = doctest.testmod(module)

    assert results.attempted > 0
    assert results.failed == 0
