"""Rows from JSON: those of a world's file, of both formats, and those of a moment.

Format 1 has the results of evaluations as lists of calls show them, format 2 as they
are stored. Columns that the emulator does not know are left out of a world.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, TypeAlias

import attrs

from futureagi_async.emulator.cells import store_cell
from futureagi_async.emulator.filling import FilledTranscript, Turn
from futureagi_async.emulator.rows import (
    DEFAULT_TIME,
    ENDED,
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


class WorldError(ValueError):
    """A world that cannot be loaded; the message names the part and the reason."""


class ColumnError(ValueError):
    """A value that a column cannot have; the message says what it must be."""


_FORMATS = (1, 2)

_CALL_SECONDS = 40
"""How long every call of format 1 lasted."""

_Parse: TypeAlias = "Callable[[Any], Any]"


def _of(kind: type | tuple[type, ...], what: str) -> _Parse:
    """Return a parser that accepts values of a kind."""

    def parse(value: Any) -> Any:
        if (isinstance(value, bool) and kind is not bool) or not isinstance(
            value, kind
        ):
            raise ColumnError(f"is {what}, not {value!r:.80}")
        return value

    return parse


def _or_null(parse: _Parse) -> _Parse:
    """Return a parser that accepts null, too."""
    return lambda value: None if value is None else parse(value)


def _any(value: Any) -> Any:
    """Accept any value."""
    return value


_text = _of(str, "a text")
_boolean = _of(bool, "true or false")
_integer = _of(int, "a whole number")
_object = _of(dict, "an object")
_list = _of(list, "a list")


def _count(value: Any) -> int:
    """Accept whole numbers from 0."""
    if _integer(value) < 0:
        raise ColumnError(f"is 0 or more, not {value}")
    return int(value)


def _texts(value: Any) -> list[str]:
    """Accept lists of texts."""
    return [_text(item) for item in _list(value)]


def _time(value: Any) -> dt.datetime:
    """Accept times in the form of ISO 8601; without an offset they are UTC."""
    try:
        time = dt.datetime.fromisoformat(_text(value))
    except ValueError:
        raise ColumnError(f"is a time in ISO 8601, not {value!r:.80}") from None
    return time if time.tzinfo else time.replace(tzinfo=dt.UTC)


def _stored_cells(value: Any) -> dict[str, Any] | None:
    """Return a copy of stored cells, as results change and their source does not."""
    return None if value is None else dict(_object(value))


def _shown_cells(value: Any) -> dict[str, Any]:
    """Return shown cells as they are stored."""
    if value is None:
        return {}
    return {key: store_cell(_object(cell)) for key, cell in _object(value).items()}


def _result(value: Any) -> Mapping[str, Any] | None:
    """Return what an evaluation yields as it is stored, from either form."""
    if value is None or "output" in _object(value):
        return value  # type: ignore[no-any-return]  # checked to be a mapping
    return store_cell(value)


def _turns(value: Any) -> list[Turn]:
    """Accept the turns of a transcript."""
    turns = [tuple(_texts(turn)) for turn in _list(value)]
    for turn in turns:
        if len(turn) != len(("role", "text")):
            raise ColumnError(f"has turns of a role and a text, not {turn!r:.80}")
    return [(role, text) for role, text in turns]


def _filled(value: Mapping[str, Any]) -> FilledTranscript:
    """Return the transcript of a size."""
    if value.keys() != {"turns", "chars"} or not _count(value["turns"]):
        raise ColumnError("of a size has turns, at least 1, and chars")
    return FilledTranscript(value["turns"], _count(value["chars"]))


_COLUMNS: Mapping[type, Mapping[str, _Parse]] = MappingProxyType(
    {
        Workspace: {
            "id": _text,
            "organization": _text,
            "name": _text,
            "default": _boolean,
            "active": _boolean,
        },
        User: {
            "name": _text,
            "organization": _text,
            "role": _text,
            "workspaces": _texts,
        },
        ApiKey: {
            "name": _text,
            "api_key": _text,
            "secret_key": _text,
            "organization": _text,
            "workspace": _or_null(_text),
            "role": _text,
            "enabled": _boolean,
            "user": _or_null(_text),
        },
        Template: {
            "id": _text,
            "name": _text,
            "organization": _or_null(_text),
            "workspace": _or_null(_text),
            "deleted": _boolean,
            "listed": _boolean,
            "output_type": _text,
            "required_keys": _texts,
            "optional_keys": _texts,
            "function_params_schema": _or_null(_object),
            "on_run": _result,
            "description": _or_null(_text),
            "eval_tags": _texts,
            "criteria": _or_null(_text),
            "choices": _or_null(_texts),
            "multi_choice": _boolean,
            "choice_scores": _or_null(_object),
        },
        EvalConfig: {
            "id": _text,
            "name": _or_null(_text),
            "template_id": _text,
            "config": _any,
            "mapping": _any,
            "filters": _any,
            "error_localizer": _boolean,
            "model": _or_null(_text),
            "status": _text,
            "deleted": _boolean,
            "created_at": _time,
            "on_run": _result,
        },
        Scenario: {
            "id": _text,
            "name": _text,
            "row_count": _count,
            "graph_bytes": _count,
            "status": _text,
            "dataset": _boolean,
        },
        Snapshot: {
            "id": _text,
            "rerun_type": _text,
            "snapshot_timestamp": _time,
            "status": _or_null(_text),
            "duration_seconds": _or_null(_count),
            "eval_outputs": _stored_cells,
        },
        Call: {
            "id": _text,
            "status": _text,
            "eval_outputs": _stored_cells,
            "created_at": _time,
            "updated_at": _time,
            "started_at": _or_null(_time),
            "completed_at": _or_null(_time),
            "duration_seconds": _or_null(_count),
            "phone_number": _or_null(_text),
            "scenario": _or_null(_text),
            "deleted": _boolean,
            "tool_outputs": _any,
        },
        Execution: {
            "id": _text,
            "status": _text,
            "created_at": _time,
            "started_at": _or_null(_time),
            "completed_at": _or_null(_time),
            "total_calls": _count,
            "completed_calls": _count,
            "failed_calls": _count,
            "deleted": _boolean,
            "error_reason": _or_null(_text),
        },
        RunTest: {
            "id": _text,
            "name": _text,
            "organization": _text,
            "workspace": _text,
            "description": _text,
            "deleted": _boolean,
            "enable_tool_evaluation": _boolean,
            "agent_name": _text,
            "agent_type": _text,
            "created_at": _time,
        },
    }
)
"""The columns of every kind of row that hold single values, and how they are read."""

_CHILDREN: Mapping[type, Mapping[str, type]] = MappingProxyType(
    {
        RunTest: {
            "scenarios": Scenario,
            "eval_configs": EvalConfig,
            "executions": Execution,
        },
        Execution: {"calls": Call},
        Call: {"snapshots": Snapshot},
    }
)
"""The columns that hold rows."""


@attrs.frozen
class Loader:
    """The reader of one world's rows.

    Args:
        format: the format of the file, 1 or 2.
        transcripts: the transcripts that calls name.
    """

    format: int = 2
    transcripts: Mapping[str, Sequence[Turn]] = attrs.field(factory=dict)

    @classmethod
    def of(cls, world: Mapping[str, Any]) -> Loader:
        """Return the reader of a world.

        Raises:
            WorldError: it is of an unknown format, or has no transcripts.
        """
        number = world.get("format", 1)
        if number not in _FORMATS:
            raise WorldError(f"format is 1 or 2, not {number!r}")
        transcripts: dict[str, Sequence[Turn]] = {}
        try:
            for name, turns in _object(world.get("transcripts", {})).items():
                transcripts[name] = _turns(turns)
        except ColumnError as error:
            raise WorldError(f"transcripts: a transcript {error}") from None
        return cls(number, transcripts)

    def rows(self, kind: type, source: Mapping[str, Any], name: str) -> list[Any]:
        """Build the rows of one list, with the rows inside them.

        Raises:
            WorldError: something is missing or of the wrong kind.
        """
        rows = source.get(name, [])
        if not isinstance(rows, list):
            raise WorldError(f"{name} is a list")
        return [self.row(kind, row, f"{name}[{i}]") for i, row in enumerate(rows)]

    def row(self, kind: type, source: Any, location: str) -> Any:
        """Build one row, with the rows inside it; the error names the location.

        Raises:
            WorldError: something is missing or of the wrong kind.
        """
        if not isinstance(source, Mapping):
            raise WorldError(f"{location} is an object")
        values: dict[str, Any] = {}
        try:
            for name, child in _CHILDREN.get(kind, {}).items():
                values[name] = self.rows(child, source, name)
            for name in self.columns(kind) & source.keys():
                values[name] = self.value(kind, name, source[name])
        except (WorldError, ColumnError) as error:
            raise WorldError(f"{location}.{error}") from None
        for field in attrs.fields(kind):
            if field.default is attrs.NOTHING and field.name not in values:
                raise WorldError(f"{location}: {field.name} is missing")
        return kind(**self._with_defaults(kind, values))

    def columns(self, kind: type) -> set[str]:
        """Return the names of the columns of a kind of row that hold no rows."""
        transcript = {"transcript"} if kind in (Call, Snapshot) else set()
        return transcript | _COLUMNS[kind].keys()

    def value(self, kind: type, name: str, source: Any) -> Any:
        """Return one value as a row has it.

        Raises:
            ColumnError: the column cannot have this value; the message begins with
                the name of the column.
        """
        try:
            if name == "transcript":
                return self._transcript(source)
            if name == "eval_outputs" and self.format == 1:
                return _shown_cells(source)
            return _COLUMNS[kind][name](source)
        except ColumnError as error:
            raise ColumnError(f"{name} {error}") from None

    def _transcript(self, source: Any) -> Sequence[Turn] | None:
        """Return the transcript of a name or a size."""
        if isinstance(source, Mapping):
            return _filled(source)
        if source is None:
            return None
        if isinstance(source, str) and source in self.transcripts:
            return self.transcripts[source]
        raise ColumnError(f"is one of the world's transcripts, not {source!r:.80}")

    def _with_defaults(self, kind: type, values: dict[str, Any]) -> dict[str, Any]:
        """Return the values of a row with those that follow from others."""
        if kind is Call:
            return self._complete_call(values)
        if kind is Execution:
            return _complete_execution(values)
        return values

    def _complete_call(self, values: dict[str, Any]) -> dict[str, Any]:
        """Return the values of a call; it began and changed when it was created."""
        times = {
            name: values["created_at"]
            for name in ("updated_at", "started_at")
            if "created_at" in values
        }
        if self.format == 1:
            values = {"duration_seconds": _CALL_SECONDS, **values}
        else:
            values = {"transcript": None, **values}
        return times | values


def _complete_execution(values: dict[str, Any]) -> dict[str, Any]:
    """Return the values of an execution; its numbers are those of its calls."""
    calls: list[Call] = values["calls"]
    statuses = [call.status for call in calls]
    numbers: dict[str, Any] = {
        "total_calls": len(calls),
        "completed_calls": statuses.count("completed"),
        "failed_calls": statuses.count("failed"),
    }
    started_at = values.get("started_at", values.get("created_at", DEFAULT_TIME))
    numbers["started_at"] = started_at
    if values.get("status", "completed") in ENDED:
        numbers["completed_at"] = started_at
    return numbers | values
