"""The stored results of the benchmarks: those of a part join those of the others."""

from __future__ import annotations

import json

from benchmarks import report
from benchmarks.rows import Row


def results(command, **figures):
    rows = [
        Row(name, each, None, each, "s").as_json() for name, each in figures.items()
    ]
    return {"command": command, "rows": rows, "machine": {}, "versions": {}}


def test_a_part_replaces_its_rows_and_leaves_the_others():
    stored = results("all", first=1.0, second=2.0)

    found = report.merged(stored, results("a part", second=3.0, third=4.0))

    figures = {each["name"]: each["ours"] for each in found["rows"]}
    assert figures == {"first": 1.0, "second": 3.0, "third": 4.0}
    assert found["command"] == "all"
    assert [each["command"] for each in found["parts"]] == ["a part"]


def test_a_part_that_is_measured_again_is_described_once():
    found = results("all", first=1.0)
    for figure in (2.0, 3.0):
        found = report.merged(found, results("a part", second=figure))

    assert [each["ours"] for each in found["rows"]] == [1.0, 3.0]
    assert len(found["parts"]) == 1


def test_the_table_of_the_readme_is_that_of_the_stored_results():
    text = report.README.read_text(encoding="utf-8")
    stored = json.loads(report.RESULTS.read_text(encoding="utf-8"))

    assert report.with_table(text, stored) == text
