"""Scripted results: what evaluations yield, in place of what the emulator makes up."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs


if TYPE_CHECKING:
    from uuid import UUID

    from futureagi_async.emulator.rows import Call, EvalConfig, RunTest, Template


_DEFAULT_REASON = "Scripted."


class ScoreError(ValueError):
    """A score that makes no sense; the message names it and the reason."""


@attrs.frozen
class ScriptedResult:
    """A result of the evaluations of one eval config or template.

    Args:
        name: the name of eval configs, or of their template.
        value: the result, in the form in which the service stores it.
        output_type: its type; by default that of the template.
        reason: the reason of the result.
        failed: whether the evaluation fails instead.
        skipped: whether it is skipped instead.
        calls: the ids of the calls; by default of all.
        run_tests: the ids or names of the run tests; by default of all.
    """

    name: str
    value: Any = None
    output_type: str | None = None
    reason: str = _DEFAULT_REASON
    failed: bool = False
    skipped: bool = False
    calls: frozenset[str] | None = None
    run_tests: frozenset[str] | None = None

    @classmethod
    def create(
        cls,
        name: str,
        value: Any = None,
        *,
        output_type: str | None = None,
        reason: str = _DEFAULT_REASON,
        failed: bool = False,
        skipped: bool = False,
        calls: Iterable[UUID | str] | None = None,
        run_tests: Iterable[UUID | str] | None = None,
    ) -> ScriptedResult:
        """Create a scripted result; see the class for the arguments.

        Raises:
            ScoreError: an argument is of the wrong kind, or two contradict each other.
        """
        if not isinstance(name, str) or not name:
            raise ScoreError(
                f"a score has the name of an eval config or template, not {name!r}"
            )
        _check(name, bool, failed=failed, skipped=skipped)
        _check(name, str, reason=reason, output_type=output_type or "")
        if (value is not None) + failed + skipped > 1:
            raise ScoreError(
                f"the score of {name} has a value, or has failed, or was skipped: only "
                "one of these"
            )
        return cls(
            name,
            value,
            output_type,
            reason,
            failed,
            skipped,
            _texts("calls", calls),
            _texts("run_tests", run_tests),
        )

    def matches(
        self,
        config: EvalConfig,
        template: Template | None,
        run_test: RunTest | None,
        call: Call,
    ) -> bool:
        """Return whether it is the result of a config for a call."""
        names = {config.name, template.name if template else None}
        owner = {run_test.id, run_test.name} if run_test else set()
        return (
            self.name in names
            and (self.calls is None or call.id in self.calls)
            and (self.run_tests is None or not owner.isdisjoint(self.run_tests))
        )

    def cell(self, config: EvalConfig, template: Template | None) -> dict[str, Any]:
        """Return the stored cell of a config."""
        kind = self.output_type or (template.output_type if template else "Pass/Fail")
        cell = {"output": self.value, "reason": self.reason, "name": config.name}
        if self.failed:
            return {**cell, "output_type": kind, "error": "error", "status": "Failed"}
        if self.skipped:
            return {**cell, "output_type": None, "skipped": True, "status": "skipped"}
        return {**cell, "output_type": kind, "status": "Completed"}


def _check(name: str, kind: type, **values: object) -> None:
    """Raise `ScoreError` unless the values are of a kind."""
    for field, value in values.items():
        if not isinstance(value, kind):
            what = "true or false" if kind is bool else "a text"
            raise ScoreError(f"{field} of {name} is {what}, not {value!r:.80}")


def load_scores(source: str | Path) -> list[ScriptedResult]:
    """Return the scripted results of a JSON file: a list of objects.

    Raises:
        ScoreError: it is no such list; the message names the entry.
        OSError: the file cannot be read.
    """
    try:
        entries = json.loads(Path(source).read_bytes())
    except ValueError as error:
        raise ScoreError(f"the scores are not JSON: {error}") from error
    if not isinstance(entries, list):
        raise ScoreError("scores are a list of objects")
    return [_load_entry(place, entry) for place, entry in enumerate(entries)]


def _load_entry(place: int, entry: object) -> ScriptedResult:
    """Return one scripted result of a file."""
    if not isinstance(entry, Mapping):
        raise ScoreError(f"scores[{place}] is an object, not {entry!r:.80}")
    known = {field.name for field in attrs.fields(ScriptedResult)}
    unknown = sorted(entry.keys() - known)
    if unknown:
        raise ScoreError(
            f"scores[{place}] has {', '.join(unknown)}; the fields are "
            f"{', '.join(sorted(known))}"
        )
    try:
        return ScriptedResult.create(**{"name": "", **entry})
    except ScoreError as error:
        raise ScoreError(f"scores[{place}]: {error}") from None


def _texts(field: str, values: Iterable[UUID | str] | None) -> frozenset[str] | None:
    """Return ids and names as texts.

    Raises:
        ScoreError: they are one text, whose letters would be taken for ids.
    """
    if values is None:
        return None
    if isinstance(values, str) or not isinstance(values, Iterable):
        raise ScoreError(f"{field} is a list of ids, not {values!r:.80}")
    return frozenset(str(value) for value in values)
