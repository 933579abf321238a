"""Worlds from files: both formats, defaults, and what is wrong in them."""

from __future__ import annotations

import datetime as dt
import json
from importlib.resources import files
from pathlib import Path

import attrs
import pytest
from emulator_small_world import (
    CONTAINS,
    HOME,
    ORG,
    POLITE,
    SHOP,
    call,
    eval_config,
    run_test,
    template,
)

from futureagi_async.emulator import World, loading
from futureagi_async.emulator.loading import WorldError
from futureagi_async.emulator.rows import (
    ApiKey,
    Call,
    EvalConfig,
    Execution,
    RunTest,
    Scenario,
    Snapshot,
    Template,
    User,
    Workspace,
)


RECORDED = Path(__file__).resolve().parents[1] / "recordings"

EXECUTION = "e0000000-0000-4000-8000-000000000001"
CALL = "d0000000-0000-4000-8000-000000000001"

STORED = {"output": ["price"], "output_type": "choices", "status": "Completed"}
TALK = [["user", "Hello."], ["assistant", "Good day."]]


def world_of(**columns):
    """Load a world of format 2 with one call that has these columns."""
    owner = columns.pop("execution", {})
    execution = {"id": EXECUTION, "calls": [{"id": CALL, **columns}], **owner}
    content = {
        "format": 2,
        "transcripts": {"hello": TALK},
        "run_tests": [run_test(SHOP, "shop", executions=[execution])],
    }
    return World.load(content)


def only_call(**columns):
    [(_, row)] = world_of(**columns).run_tests.get(SHOP).calls()
    return row


def only_execution(calls, **columns):
    content = run_test(
        SHOP, "shop", executions=[{"id": EXECUTION, "calls": calls, **columns}]
    )
    world = World.load({"format": 2, "run_tests": [content]})
    return world.run_tests.get(SHOP).executions[0]


def time(text):
    return dt.datetime.fromisoformat(text)


def test_a_call_began_and_changed_when_it_was_created():
    row = only_call(created_at="2026-02-03T04:05:06Z")

    assert row.updated_at == row.started_at == time("2026-02-03T04:05:06+00:00")
    assert row.duration_seconds is None


def test_a_time_without_an_offset_is_utc():
    row = only_call(started_at=None, updated_at="2026-02-03T04:05:06")

    assert row.updated_at == time("2026-02-03T04:05:06+00:00")
    assert row.started_at is None


def test_a_call_ends_after_its_duration():
    begin = {"created_at": "2026-02-03T04:00:00Z", "duration_seconds": 61}

    assert only_call(**begin).ended_at == time("2026-02-03T04:01:01+00:00")
    assert only_call(**begin, status="ongoing").ended_at is None
    assert only_call(**begin, started_at=None).ended_at is None


def test_a_call_can_say_when_it_ended():
    row = only_call(completed_at="2026-02-03T04:00:00Z", status="analyzing")

    assert row.ended_at == time("2026-02-03T04:00:00+00:00")


@pytest.mark.parametrize(
    ("transcript", "turns"),
    [
        ("hello", [("user", "Hello."), ("assistant", "Good day.")]),
        (None, None),
        ({"turns": 1, "chars": 7}, [("user", "The cal")]),
    ],
)
def test_a_transcript_is_named_or_described_by_its_size(transcript, turns):
    found = only_call(transcript=transcript).transcript

    assert found == turns or list(found) == turns


def test_a_filled_transcript_follows_the_rule_of_the_recordings():
    scope = {}
    exec((RECORDED / "lived" / "filling.py").read_text(), scope)
    found = only_call(transcript={"turns": 31, "chars": 30_000}).transcript

    assert list(found) == scope["turns"](31, 30_000)
    assert found[1:3] == scope["turns"](31, 30_000)[1:3]
    assert len(found) == 31


def test_the_stored_numbers_of_an_execution_are_those_of_its_calls():
    calls = [call("1"), call("2", "failed"), call("3", "analyzing")]
    row = only_execution(calls)

    assert (row.total_calls, row.completed_calls, row.failed_calls) == (3, 1, 1)


def test_the_stored_numbers_of_an_execution_need_not_agree_with_its_calls():
    row = only_execution([call("1")], total_calls=9, completed_calls=8, failed_calls=7)

    assert (row.total_calls, row.completed_calls, row.failed_calls) == (9, 8, 7)


def test_an_execution_that_is_under_way_has_not_ended():
    assert only_execution([], status="evaluating").completed_at is None
    assert only_execution([], status="failed").completed_at is not None


def test_format_2_has_cells_as_they_are_stored():
    assert only_call(eval_outputs={POLITE: STORED}).eval_outputs == {POLITE: STORED}
    assert only_call(eval_outputs=None).eval_outputs is None


def test_format_1_has_cells_as_they_are_shown():
    shown = {"value": None, "error": True, "status": "Failed", "skipped": True}
    cells = {"1": {}, "2": shown, "3": {"value": 1, "type": "score", "reason": "r"}}
    rows = [call(CALL, **cells), {"id": "2", "eval_outputs": None}]
    execution = {"id": EXECUTION, "calls": rows}
    world = World.load({"run_tests": [run_test(SHOP, "shop", executions=[execution])]})

    nothing, row = (each for _, each in world.run_tests.get(SHOP).calls())
    assert row.eval_outputs == {
        "1": {"status": "pending"},
        "2": {"output": None, "error": "error", "status": "Failed", "skipped": True},
        "3": {"output": 1, "output_type": "score", "reason": "r"},
    }
    assert row.duration_seconds == 40
    assert nothing.eval_outputs == {}


@pytest.mark.parametrize("form", [STORED, {"value": ["price"], "type": "choices"}])
def test_what_an_evaluation_yields_is_in_either_form(form):
    world = World.load(
        {
            "format": 2,
            "eval_templates": [template(CONTAINS, "contains", on_run=form)],
            "run_tests": [
                run_test(
                    SHOP,
                    "shop",
                    eval_configs=[
                        eval_config(POLITE, "polite", on_run=form),
                        eval_config("2", "plain", on_run=None),
                    ],
                )
            ],
        }
    )

    first, second = world.run_tests.get(SHOP).eval_configs
    assert first.on_run["output"] == world.templates[CONTAINS].on_run["output"]
    assert first.on_run["output"] == ["price"]
    assert second.on_run is None


@pytest.mark.parametrize(
    ("columns", "problem"),
    [
        ({"status": 1}, "status is a text, not 1"),
        ({"deleted": "no"}, "deleted is true or false"),
        ({"duration_seconds": -1}, "duration_seconds is 0 or more, not -1"),
        ({"duration_seconds": True}, "duration_seconds is a whole number"),
        ({"created_at": "tomorrow"}, "created_at is a time in ISO 8601"),
        ({"created_at": None}, "created_at is a time in ISO 8601, not None"),
        ({"eval_outputs": []}, "eval_outputs is an object"),
        ({"transcript": "bye"}, "transcript is one of the world's transcripts"),
        ({"transcript": ["bye"]}, "transcript is one of the world's transcripts"),
        ({"transcript": {"turns": 0, "chars": 9}}, "transcript of a size has turns"),
        ({"transcript": {"turns": 2}}, "transcript of a size has turns"),
        ({"snapshots": [{}]}, r"snapshots\[0\]: id is missing"),
        ({"snapshots": {}}, "snapshots is a list"),
    ],
)
def test_a_bad_column_is_named_with_its_place(columns, problem):
    place = r"run_tests\[0\].executions\[0\].calls\[0\]."

    with pytest.raises(WorldError, match=f"^{place}{problem}"):
        world_of(**columns)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ({"format": 3}, "format is 1 or 2, not 3"),
        ({"transcripts": []}, "transcripts: a transcript is an object"),
        ({"transcripts": {"x": [["user"]]}}, "turns of a role and a text"),
        ({"transcripts": {"x": [[1, "hello"]]}}, "is a text, not 1"),
        ({"eval_templates": [{"id": "1"}]}, r"eval_templates\[0\]: name is missing"),
        ({"workspaces": [{"id": "1"}]}, r"workspaces\[0\]: organization is missing"),
        (
            {"users": [{"name": "u", "organization": ORG, "workspaces": HOME}]},
            r"users\[0\].workspaces is a list",
        ),
    ],
)
def test_a_world_that_cannot_be_loaded_says_why(content, problem):
    with pytest.raises(WorldError, match=problem):
        World.load(content)


SCHEMA = json.loads(
    (files("futureagi_async.emulator") / "world.schema.json").read_text()
)

KINDS = {
    "workspace": Workspace,
    "user": User,
    "api_key": ApiKey,
    "template": Template,
    "eval_config": EvalConfig,
    "scenario": Scenario,
    "snapshot": Snapshot,
    "call": Call,
    "execution": Execution,
    "run_test": RunTest,
}


@pytest.mark.parametrize("name", KINDS)
def test_the_schema_names_exactly_the_columns_that_are_read(name):
    kind, definition = KINDS[name], SCHEMA["$defs"][name]
    children = loading._CHILDREN.get(kind, {})
    required = {
        field.name for field in attrs.fields(kind) if field.default is attrs.NOTHING
    }

    assert definition["properties"].keys() == loading.Loader().columns(kind) | set(
        children
    )
    assert set(definition["required"]) == required


TYPES = {
    "string": str,
    "boolean": bool,
    "integer": int,
    "object": dict,
    "array": list,
    "null": type(None),
}


def problems(value, schema, place="world"):
    """Return what a value has against a schema, of the words that ours uses."""
    if schema is True:
        return []
    schema = {**schema, **resolved(schema)}
    if "anyOf" in schema:
        found = [problems(value, each, place) for each in schema["anyOf"]]
        return [] if [] in found else found[0]
    kind = TYPES.get(schema.get("type"), object)
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        return [f"{place} is no {schema['type']}"]
    if value not in schema.get("enum", [value]):
        return [f"{place} is none of {schema['enum']}"]
    found = [f"{place} lacks {each}" for each in missing(value, schema)]
    if isinstance(value, list) and "items" in schema:
        for number, item in enumerate(value):
            found += problems(item, schema["items"], f"{place}[{number}]")
    if isinstance(value, dict):
        known = schema.get("properties", {})
        other = schema.get("additionalProperties", True)
        for name, item in value.items():
            allowed = known.get(name, other)
            inner = f"{place}.{name}"
            found += [inner] if allowed is False else problems(item, allowed, inner)
    return found


def resolved(schema):
    """Return the definition that a schema refers to."""
    name = schema.get("$ref", "").removeprefix("#/$defs/")
    return SCHEMA["$defs"][name] if name else {}


def missing(value, schema):
    """Return the required properties that an object lacks."""
    return [each for each in schema.get("required", ()) if each not in value]


@pytest.mark.parametrize("path", ["world.json", "lived/world.json"])
def test_the_recorded_worlds_fit_the_schema(path):
    assert problems(json.loads((RECORDED / path).read_bytes()), SCHEMA) == []


@pytest.mark.parametrize(
    "content",
    [
        {"format": 3},
        {"run_tests": [{"id": "1"}]},
        {"api_keys": {}},
        {"transcripts": {"x": [[1, "hello"]]}},
    ],
)
def test_a_bad_world_does_not_fit_the_schema(content):
    assert problems(content, SCHEMA)
    with pytest.raises(WorldError):
        World.load(content)
