"""Get the scores of a run test: `GET /simulate/run-tests/{id}/eval-summary/`."""

from __future__ import annotations

from typing import Any, ClassVar, Self

import attrs

from futureagi_async.endpoints.scores import Scores, merge_choices, read_scores
from futureagi_async.model import codec, validation
from futureagi_async.model.codec import Serializable
from futureagi_async.model.request import ReadRequest, Result
from futureagi_async.model.resource import (
    ExecutionRef,
    IdentifiesExecution,
    RunTestRef,  # noqa: F401 - in the signature that attrs makes
)


SUMMARY_FAILS = (
    "the service cannot sum up a completed result of a template of numbers or reasons, "
    "nor one that is no object, until its eval config is deleted; list_call_executions "
    "has the results"
)


@attrs.frozen(kw_only=True)
class ConfigSummary(Serializable):
    """The scores of one eval config.

    Attributes:
        name: the name of the eval config; old ones can have none.
        id: its id.
        total_cells: number of results in the scores. Pending and failed ones are left
            out, and those of calls that are not completed.
        scores: the scores in the form of the template; `None` without results.
    """

    name: str | None
    id: str
    total_cells: int
    scores: Scores | None

    @classmethod
    def from_wire(cls, value: Any) -> Self:
        """Return the summary in a response.

        Raises:
            TypeError: it is not of the documented shape; the message has the place.
        """
        total_cells = codec.read_field(value, "total_cells", int)
        return cls(
            name=codec.optional_field(value, "name", str),
            id=codec.read_field(value, "id", str),
            total_cells=total_cells,
            scores=read_scores(
                value.get("output"), value.get("avg_score"), total_cells
            ),
        )


@attrs.frozen(kw_only=True)
class TemplateSummary(Serializable):
    """The scores of the eval configs of one template.

    Attributes:
        name: the name of the template.
        id: its id.
        output_type: the kind of its results: `Pass/Fail`, `score` or `choices`.
        result: its eval configs, the newest first.
        total_pass_rate: pass rate over all of them, in percent; for `Pass/Fail`.
        total_avg: average over all of them, in percent; for `score`.
        total_choices_avg: the share of each choice over all of them, in percent; only
            choices that the newest eval config has met.
    """

    name: str
    id: str
    output_type: str | None
    result: tuple[ConfigSummary, ...]
    total_pass_rate: float | None = None
    total_avg: float | None = None
    total_choices_avg: dict[str, float] | None = attrs.field(
        default=None, converter=attrs.converters.optional(merge_choices), hash=False
    )


@attrs.frozen(kw_only=True)
class EvalSummary(Result):
    """The scores of a run test, by template and eval config.

    Attributes:
        result: the templates of its eval configs, the one of the newest first.
    """

    result: tuple[TemplateSummary, ...]

    @property
    def configs(self) -> tuple[ConfigSummary, ...]:
        """The eval configs of all templates."""
        return tuple(config for template in self.result for config in template.result)


def _execution_id(value: ExecutionRef | None) -> str | None:
    if value is None:
        return None
    return validation.resource_id(value, "execution_id", IdentifiesExecution)


@attrs.frozen
class GetEvalSummary(ReadRequest[EvalSummary]):
    """Read the scores of a run test so far.

    A completed result of a template of numbers or reasons makes it a 500, until its
    eval config is deleted.

    Args:
        run_test_id: the run test, or its id in any spelling of a UUID.
        execution_id: the execution to include, or its id; by default all of them.
    """

    result_type: ClassVar[type[Result]] = EvalSummary

    server_error_hint: ClassVar[str] = SUMMARY_FAILS

    run_test_id: str = attrs.field(converter=validation.run_test_id)
    execution_id: str | None = attrs.field(default=None, converter=_execution_id)

    @property
    def path(self) -> str:
        """Path and query below the base URL."""
        path = f"/simulate/run-tests/{self.run_test_id}/eval-summary/"
        return f"{path}?execution_id={self.execution_id}" if self.execution_id else path
