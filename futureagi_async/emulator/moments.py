"""Moments: rows that change between two requests, as the service's workers change them.

A change is an object: `{"call": ID, FIELD: VALUE, ...}` (or `execution`, `config`,
`run_test`) sets the named fields, `{"new": "call", "execution": ID, ...}` and
`{"new": "snapshot", "call": ID, ...}` add a row. Fields and values are those of a
world's file, and "now" is a time.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import attrs

from futureagi_async.emulator.loading import ColumnError, WorldError
from futureagi_async.emulator.rows import (
    Call,
    EvalConfig,
    Execution,
    RunTest,
    Snapshot,
)


if TYPE_CHECKING:
    import datetime as dt

    from futureagi_async.emulator.loading import Loader
    from futureagi_async.emulator.world import World


_TIMES = frozenset(
    {"created_at", "updated_at", "started_at", "completed_at", "snapshot_timestamp"}
)
"""The fields in which "now" is a time."""

_KINDS: Mapping[str, type] = MappingProxyType(
    {"call": Call, "execution": Execution, "config": EvalConfig, "run_test": RunTest}
)
"""The rows that a change can name."""

_NEW: Mapping[str, tuple[str, type]] = MappingProxyType(
    {"call": ("execution", Call), "snapshot": ("call", Snapshot)}
)
"""The rows that a change can add: the row that each belongs to, and its kind."""


def apply_changes(
    world: World, changes: object, time: Callable[[], dt.datetime]
) -> None:
    """Change rows in the order of the changes, all of them or none.

    Args:
        world: whose rows they are.
        changes: a list of changes.
        time: returns the time of a change, later ones later.

    Raises:
        WorldError: a change makes no sense; it is named by its place in the list.
    """
    if not isinstance(changes, Sequence) or isinstance(changes, str):
        raise WorldError("a moment is a list of changes")
    # Cells are in the stored form here, whatever the format of the world's file.
    loader = attrs.evolve(world.loader, format=2)
    moment = _Moment(world, loader, time)
    for place, change in enumerate(changes):
        try:
            moment.apply(change)
        except (WorldError, ColumnError) as error:
            moment.undo()
            raise WorldError(f"change {place}: {error}") from None


@attrs.define
class _Moment:
    """Changes that were made, and how to undo them.

    Args:
        world: whose rows change.
        loader: the reader of their values.
        time: returns the time of a change.
    """

    world: World
    loader: Loader
    time: Callable[[], dt.datetime]
    _undo: list[Callable[[], None]] = attrs.field(factory=list)

    def undo(self) -> None:
        """Undo all changes, the last one first."""
        for step in reversed(self._undo):
            step()

    def apply(self, change: object) -> None:
        """Make one change.

        Raises:
            WorldError: it names no row, an unknown one, or one that exists.
            ColumnError: a field cannot have its value.
        """
        if not isinstance(change, Mapping):
            raise WorldError(f"an object is expected, not {change!r:.80}")
        if "new" in change:
            self._add(change)
            return
        named = _KINDS.keys() & change.keys()
        if len(named) != 1:
            raise WorldError(f"one of {', '.join(_KINDS)}, or new, names the row")
        (kind,) = named
        row = self._find(kind, change[kind])
        fields = {name: value for name, value in change.items() if name != kind}
        touched = _is_touched(row, fields.pop("touched", False))
        cells = fields.pop("cells", None)
        for name, value in self._values(type(row), fields).items():
            self._set(row, name, value)
        if cells is not None:
            self._set(row, "eval_outputs", _changed_cells(row, cells))
        if touched:
            self._set(row, "updated_at", self.time())

    def _values(self, kind: type, fields: Mapping[str, Any]) -> dict[str, Any]:
        """Return the values of fields as rows have them."""
        known = self.loader.columns(kind) - {"id"}
        unknown = sorted(fields.keys() - known)
        if unknown:
            raise WorldError(
                f"{', '.join(unknown)} cannot be set; the fields are "
                f"{', '.join(sorted(known))}"
            )
        return {
            name: self.loader.value(kind, name, value)
            for name, value in self._timed(fields).items()
        }

    def _timed(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        """Return fields with a time in place of "now"."""
        return {
            name: self.time().isoformat()
            if name in _TIMES and value == "now"
            else value
            for name, value in fields.items()
        }

    def _add(self, change: Mapping[str, Any]) -> None:
        """Add a row to the one that it belongs to."""
        if change["new"] not in _NEW:
            raise WorldError(f"new is {' or '.join(_NEW)}, not {change['new']!r:.80}")
        owner_kind, kind = _NEW[change["new"]]
        owner = self._find(owner_kind, change.get(owner_kind))
        fields = {
            name: value
            for name, value in change.items()
            if name not in ("new", owner_kind)
        }
        row = self.loader.row(kind, self._timed(fields), f"new {change['new']}")
        rows: list[Any] = owner.calls if kind is Call else owner.snapshots
        if kind is Call:
            self._adopt(owner, row)
        rows.append(row)
        self._undo.append(rows.pop)

    def _adopt(self, execution: Execution, call: Call) -> None:
        """Make a new call known under its id."""
        run_tests = self.world.run_tests
        if run_tests.of_call(call.id):
            raise WorldError(f"there is a call {call.id} already")
        run_test = run_tests.of_execution(execution.id)
        if run_test:
            if call.scenario is None and run_test.scenarios:
                call.scenario = run_test.scenarios[-1].id
            run_tests.adopt(run_test, call)
            self._undo.append(lambda: run_tests.forget(call))

    def _set(self, row: Any, name: str, value: Any) -> None:
        """Set one field."""
        old = getattr(row, name)
        self._undo.append(lambda: setattr(row, name, old))
        setattr(row, name, value)

    def _find(self, kind: str, row_id: object) -> Any:
        """Return the row of a kind, also if it is deleted."""
        found = _FINDERS[kind](self.world, row_id) if isinstance(row_id, str) else None
        if found is None:
            raise WorldError(f"there is no {kind} {row_id}")
        return found


def _is_touched(row: Any, touched: object) -> bool:
    """Return whether a change makes a call the newest of the list."""
    if not isinstance(touched, bool):
        raise WorldError(f"touched is true or false, not {touched!r:.80}")
    if touched and not isinstance(row, Call):
        raise WorldError("touched is for calls alone")
    return touched


def _changed_cells(row: Any, cells: object) -> dict[str, Any]:
    """Return the cells of a call with single ones set, or removed by null."""
    if not isinstance(row, Call) or not isinstance(cells, Mapping):
        raise WorldError("cells is an object, for calls alone")
    changed = {**(row.eval_outputs or {}), **cells}
    return {name: cell for name, cell in changed.items() if cell is not None}


def _find_call(world: World, call_id: str) -> Call | None:
    """Return the call with this id."""
    run_test = world.run_tests.of_call(call_id)
    executions = run_test.executions if run_test else ()
    calls = (call for execution in executions for call in execution.calls)
    return next((call for call in calls if call.id == call_id), None)


def _find_execution(world: World, execution_id: str) -> Execution | None:
    """Return the execution with this id."""
    run_test = world.run_tests.of_execution(execution_id)
    executions = run_test.executions if run_test else ()
    return next((each for each in executions if each.id == execution_id), None)


def _find_config(world: World, config_id: str) -> EvalConfig | None:
    """Return the eval config with this id."""
    configs = (
        config
        for run_test in world.run_tests.used()
        for config in run_test.eval_configs
    )
    return next((config for config in configs if config.id == config_id), None)


def _find_run_test(world: World, run_test_id: str) -> RunTest | None:
    """Return the run test with this id."""
    return world.run_tests.get(run_test_id)


_FINDERS: Mapping[str, Callable[[World, str], Any]] = MappingProxyType(
    {
        "call": _find_call,
        "execution": _find_execution,
        "config": _find_config,
        "run_test": _find_run_test,
    }
)
