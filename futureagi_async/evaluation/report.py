"""Report of the evaluation of many run tests: its rows, JSON, table and errors."""

from __future__ import annotations

import contextlib
import enum
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Self, overload

import attrs

from futureagi_async import errors
from futureagi_async.endpoints.eval_output import EvalOutput
from futureagi_async.endpoints.scores import (
    ChoiceScores,
    NumericScores,
    PassFailScores,
    Scores,
)
from futureagi_async.errors import (
    APIError,
    Delivery,
    FutureAGIError,
    InvalidRequestError,
)
from futureagi_async.evaluation.ensure_configs import EvalConfigOrigin
from futureagi_async.model.outcome import combined_delivery


class EvaluationStatus(enum.Enum):
    """Status of the evaluation of a run test."""

    SCORED = "scored"
    """Every completed call of the chosen executions has its results."""

    NO_RESULT = "no_result"
    """All evaluations are finished, and those by an eval config have all failed or were
    skipped. They are not repeated automatically; `reason` names the eval config."""

    STARTED = "started"
    """It was started, or was under way already, and `wait` was off."""

    PENDING = "pending"
    """It was still under way at the deadline."""

    PARTIAL = "partial"
    """Some calls have no result, and were left so: running them would erase and bill
    the results that others of the same execution have."""

    NOT_STARTED = "not_started"
    """Not everything that was requested was started: the service prepared evaluations,
    and nothing works on them; or others had evaluations under way on the same
    executions, so that it accepts no more. `reason` states which."""

    STUCK = "stuck"
    """An execution has the status "evaluating", nothing of it can be evaluated any more,
    and nothing has changed for `stuck_after` seconds."""

    CANCELLED = "cancelled"
    """A chosen execution was cancelled, or has failed, before its evaluations were
    finished; it takes no new ones until it is rerun."""

    NOT_CREATED = "not_created"
    """An eval config could not be created, such as one of an unknown template; the
    others are finished, or were started if `wait` was off."""

    NOTHING_TO_EVALUATE = "nothing_to_evaluate"
    """No chosen execution has a completed call; or, in `wait_for_evals`, no eval config
    was ever run on one."""

    FAILED = "failed"
    """Something went wrong; see `error`, and what it leaves behind."""

    NOT_ATTEMPTED = "not_attempted"
    """Everything was stopped before it was started."""


_COMPLETE_STATUSES = {
    EvaluationStatus.SCORED,
    EvaluationStatus.STARTED,
    EvaluationStatus.NOTHING_TO_EVALUATE,
}


@attrs.frozen(kw_only=True)
class ConfigScores:
    """The scores of one eval config on one run test.

    Attributes:
        name: the name of the eval config.
        eval_config_id: its id; `None` if it could not be created.
        origin: where it comes from; `None` if it was not ensured.
        scores: the scores over the completed calls of the chosen executions; `None`
            without results, and if the values have no such form.
        evaluated: calls with a result.
        failed: calls whose evaluation failed.
        skipped: calls that the service left out.
        pending: calls that have no result yet.
        reason: why it was not created, or why the evaluation of a call failed.
    """

    name: str
    eval_config_id: str | None = None
    origin: EvalConfigOrigin | None = None
    scores: Scores | None = None
    evaluated: int = 0
    failed: int = 0
    skipped: int = 0
    pending: int = 0
    reason: str = ""

    @property
    def pass_rate(self) -> float | None:
        """Percent of the results that passed, if they are of that form."""
        scores = self.scores
        return scores.pass_rate if isinstance(scores, PassFailScores) else None

    @property
    def average(self) -> float | None:
        """The mean of the results in percent, if they are numbers."""
        scores = self.scores
        return scores.average if isinstance(scores, NumericScores) else None

    @property
    def choices(self) -> dict[str, float] | None:
        """The share of each choice in percent, if they are choices."""
        scores = self.scores
        return dict(scores.shares) if isinstance(scores, ChoiceScores) else None

    @property
    def score_text(self) -> str:
        """The score in a few characters, as `75 % pass`; empty if there is none."""
        match self.scores:
            case PassFailScores(pass_rate=rate):
                return f"{rate:g} % pass"
            case NumericScores(average=average):
                return f"{average:g} % average"
            case ChoiceScores(shares=shares):
                most_first = sorted(shares.items(), key=lambda item: -item[1])
                return ", ".join(f"{name} {share:g} %" for name, share in most_first)
            case _:
                return ""

    @property
    def is_created(self) -> bool:
        """Whether the eval config was added by this evaluation."""
        return self.origin is EvalConfigOrigin.CREATED

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain JSON values."""
        return {
            "name": self.name,
            "eval_config_id": self.eval_config_id,
            "origin": None if self.origin is None else self.origin.value,
            "pass_rate": self.pass_rate,
            "average": self.average,
            "choices": self.choices,
            "scores": _scores_to_dict(self.scores),
            "evaluated": self.evaluated,
            "failed": self.failed,
            "skipped": self.skipped,
            "pending": self.pending,
            "reason": self.reason or None,
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Return what `to_dict` was called on.

        Raises:
            InvalidRequestError: the values are not from `to_dict`.
        """
        with _reading_back(cls):
            origin = values["origin"]
            return cls(
                name=values["name"],
                eval_config_id=values["eval_config_id"],
                origin=None if origin is None else EvalConfigOrigin(origin),
                scores=_scores_from_dict(values["scores"]),
                evaluated=values["evaluated"],
                failed=values["failed"],
                skipped=values["skipped"],
                pending=values["pending"],
                reason=values["reason"] or "",
            )


@contextlib.contextmanager
def _reading_back(cls: type[Any]) -> Iterator[None]:
    """Raise one error for whatever is wrong with values that `to_dict` did not return."""
    try:
        yield
    except InvalidRequestError:
        raise
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        raise InvalidRequestError(
            f"{cls.__name__}: these values are not from to_dict(): {error!r}"
        ) from None


def _scores_to_dict(scores: Scores | None) -> dict[str, Any] | None:
    match scores:
        case None:
            return None
        case NumericScores(average=average, percentiles=percentiles):
            named = {f"p{share}": value for share, value in percentiles.items()}
            return {"average": average, "percentiles": named}
        case _:
            return attrs.asdict(scores)


def _scores_from_dict(values: Mapping[str, Any] | None) -> Scores | None:
    match values:
        case None:
            return None
        case {"average": average, "percentiles": named}:
            percentiles = {int(name[1:]): value for name, value in named.items()}
            return NumericScores(average, percentiles)
        case {"shares": shares}:
            return ChoiceScores(dict(shares))
        case _:
            return PassFailScores(**values)


def _error_key(error: FutureAGIError | None) -> Any:
    """Return what makes two errors equal."""
    if error is None:
        return None
    request_id = getattr(error, "request_id", None)
    return type(error).__name__, str(error), error.delivery, request_id


_NOT_RESTORED: Mapping[str, Any] = {
    "earlier": (),
    "body": b"",
    "details": {},
    "item_errors": (),
}


def _error_to_dict(error: FutureAGIError | None) -> dict[str, Any] | None:
    if error is None:
        return None
    attributes: dict[str, Any] = {}
    kept = {k: v for k, v in vars(error).items() if k not in _NOT_RESTORED}
    for name, attribute in kept.items():
        match attribute:
            case str() | int() | float() | None as value:
                attributes[name] = value
            case tuple(values) if all(isinstance(each, str) for each in values):
                attributes[name] = list(values)
    return {
        "class": type(error).__name__,
        "message": str(error),
        "delivery": error.delivery.value,
        "request_id": attributes.pop("request_id", None),
        "attributes": attributes,
    }


def _error_from_dict(values: Mapping[str, Any] | None) -> FutureAGIError | None:
    """Return an error that is equal by class, message, delivery and request id.

    Other attributes are restored if they are plain values or names, as the body of an
    answer is not.
    """
    if values is None:
        return None
    cls = getattr(errors, values["class"], FutureAGIError)
    attributes = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in values["attributes"].items()
    }
    error: FutureAGIError = cls.__new__(cls)
    if isinstance(error, APIError):
        attributes["request_id"] = values["request_id"]
        attributes |= {**_NOT_RESTORED, "details": {}}
    error.args = (attributes.get("message", values["message"]),)
    error.__dict__.update(attributes, delivery=Delivery(values["delivery"]))
    return error


@attrs.frozen(kw_only=True)
class CallResults:
    """The results of one completed call.

    Attributes:
        call_execution_id: the call.
        test_execution_id: its execution.
        scenario_name: the scenario that it played, if that is known.
        results: its results by the name of the eval config.
    """

    call_execution_id: str
    test_execution_id: str
    scenario_name: str | None = None
    results: Mapping[str, EvalOutput] = attrs.field(factory=dict, hash=False)

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain JSON values."""
        return {
            "call_execution_id": self.call_execution_id,
            "test_execution_id": self.test_execution_id,
            "scenario_name": self.scenario_name,
            "results": {name: each.to_dict() for name, each in self.results.items()},
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Return what `to_dict` was called on.

        Raises:
            InvalidRequestError: the values are not from `to_dict`.
        """
        with _reading_back(cls):
            results = {
                name: EvalOutput.from_dict(each)
                for name, each in values["results"].items()
            }
            return cls(
                call_execution_id=values["call_execution_id"],
                test_execution_id=values["test_execution_id"],
                scenario_name=values["scenario_name"],
                results=results,
            )


@attrs.frozen(kw_only=True)
class RunTestEvaluation:
    """The evaluation of one run test.

    Two are equal if they state the same, however long it took.

    Attributes:
        run_test_id: the run test.
        run_test_name: its name; `None` if the input was its id alone, and it was not
            read.
        status: how far it came.
        configs: one entry per eval config.
        reason: why it is not scored, in one line; empty if it is.
        error: what went wrong, if something did.
        requests: how many requests to start evaluations were applied.
        executions: the number of executions that were chosen.
        calls_counted: the number of their completed calls, of which the scores are.
        calls_not_counted: the number of their other calls by status: those are still
            under way, or have failed or were cancelled.
        calls: the results of each completed call, with `include_calls`.
        warnings: what else matters, such as a template that does not exist.
        elapsed: seconds since it was read from the input.
    """

    run_test_id: str | None
    run_test_name: str | None = None
    status: EvaluationStatus
    configs: tuple[ConfigScores, ...] = ()
    reason: str = ""
    error: FutureAGIError | None = attrs.field(default=None, eq=_error_key)
    requests: int = 0
    executions: int = 0
    calls_counted: int = 0
    calls_not_counted: Mapping[str, int] = attrs.field(factory=dict, hash=False)
    calls: tuple[CallResults, ...] = ()
    warnings: tuple[str, ...] = ()
    elapsed: float = attrs.field(default=0.0, eq=False)

    @property
    def is_scored(self) -> bool:
        """Whether it has all its scores."""
        return self.status is EvaluationStatus.SCORED

    @property
    def is_complete(self) -> bool:
        """Whether everything that was requested and possible was done."""
        return self.status in _COMPLETE_STATUSES

    def rows(self) -> Iterator[dict[str, Any]]:
        """Return one row per eval config; a single one if none is known."""
        for config in self.configs or (None,):
            yield {
                "run_test_id": self.run_test_id,
                "run_test_name": self.run_test_name,
                "eval_config_id": config and config.eval_config_id,
                "eval_config_name": config and config.name,
                "status": self.status.value,
                "pass_rate": config and config.pass_rate,
                "average": config and config.average,
                "choices": config and config.choices,
                "evaluated": config.evaluated if config else 0,
                "failed": config.failed if config else 0,
                "skipped": config.skipped if config else 0,
                "pending": config.pending if config else 0,
                "reason": (config and config.reason) or self.reason or None,
            }

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain JSON values."""
        return {
            "run_test_id": self.run_test_id,
            "run_test_name": self.run_test_name,
            "status": self.status.value,
            "reason": self.reason or None,
            "error": _error_to_dict(self.error),
            "requests": self.requests,
            "executions": self.executions,
            "calls_counted": self.calls_counted,
            "calls_not_counted": dict(self.calls_not_counted),
            "calls": [each.to_dict() for each in self.calls],
            "warnings": list(self.warnings),
            "elapsed": self.elapsed,
            "configs": [config.to_dict() for config in self.configs],
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Return what `to_dict` was called on.

        Its error has the same class, message, delivery and request id.

        Raises:
            InvalidRequestError: the values are not from `to_dict`.
        """
        with _reading_back(cls):
            return cls(
                run_test_id=values["run_test_id"],
                run_test_name=values["run_test_name"],
                status=EvaluationStatus(values["status"]),
                configs=tuple(map(ConfigScores.from_dict, values["configs"])),
                reason=values["reason"] or "",
                error=_error_from_dict(values["error"]),
                requests=values["requests"],
                executions=values["executions"],
                calls_counted=values["calls_counted"],
                calls_not_counted=dict(values["calls_not_counted"]),
                calls=tuple(map(CallResults.from_dict, values["calls"])),
                warnings=tuple(values["warnings"]),
                elapsed=values["elapsed"],
            )


@attrs.frozen(kw_only=True)
class EvaluationProgress:
    """Progress of the evaluation of many run tests, for a progress bar.

    Attributes:
        read: run tests that were read from the input.
        waiting: run tests whose evaluations are under way.
        finished: run tests whose evaluation is known.
        scored: those of them that have all their scores.
        latest: the evaluation that was finished; `None` when another one is waiting.
    """

    read: int
    waiting: int
    finished: int
    scored: int
    latest: RunTestEvaluation | None = None


class EvaluationReport(Sequence[RunTestEvaluation]):
    """The evaluation of every run test, in the order of the input."""

    __slots__ = ("_evaluations",)

    def __init__(self, evaluations: Iterable[RunTestEvaluation] = ()) -> None:
        self._evaluations = tuple(evaluations)

    @property
    def scored(self) -> list[RunTestEvaluation]:
        """The run tests that have all their scores."""
        return [each for each in self if each.is_scored]

    @property
    def unscored(self) -> list[RunTestEvaluation]:
        """The others; each has a `reason`."""
        return [each for each in self if not each.is_scored]

    @property
    def failures(self) -> list[RunTestEvaluation]:
        """The run tests of which not everything was done."""
        return [each for each in self if not each.is_complete]

    def raise_for_failures(self) -> Self:
        """Return the report if everything was done for every run test.

        Raises:
            EvaluationError: it was not; it holds one error per run test.
        """
        if not self.failures:
            return self
        raise EvaluationError.of(self)

    def to_rows(self) -> list[dict[str, Any]]:
        """Return one row per run test and eval config, for a data frame or a CSV file.

        The keys are `run_test_id`, `run_test_name`, `eval_config_id`,
        `eval_config_name`, `status`, `pass_rate`, `average` and `choices` (percent; the
        one that fits the eval config, the others are `None`), the numbers of calls
        `evaluated`, `failed`, `skipped` and `pending`, and `reason`.
        """
        return [row for each in self for row in each.rows()]

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain JSON values.

        The `scores` of an eval config are under that key; a percentile is named as in
        the service, `p50`.
        """
        return {
            "counts": self.counts(),
            "run_tests": [each.to_dict() for each in self],
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Return the report that `to_dict` was called on.

        Its errors have the same class, message, delivery and request id.

        Raises:
            InvalidRequestError: the values are not from `to_dict`.
        """
        with _reading_back(cls):
            return cls(map(RunTestEvaluation.from_dict, values["run_tests"]))

    def to_markdown(self) -> str:
        """Return a table in Markdown, one line per run test and eval config."""
        lines = [
            (
                "| run test | eval config | score | evaluated | failed | skipped | pending "
                "| status |"
            ),
            "|---|---|---|---:|---:|---:|---:|---|",
        ]
        lines += [line for each in self for line in _lines(each)]
        return "\n".join(lines)

    def counts(self) -> dict[str, int]:
        """Return the number of run tests by each status that occurs."""
        statuses = [each.status for each in self]
        return {
            status.value: statuses.count(status)
            for status in EvaluationStatus
            if status in statuses
        }

    def __len__(self) -> int:
        return len(self._evaluations)

    @overload
    def __getitem__(self, index: int) -> RunTestEvaluation: ...

    @overload
    def __getitem__(self, index: slice) -> EvaluationReport: ...

    def __getitem__(self, index: int | slice) -> RunTestEvaluation | EvaluationReport:
        if isinstance(index, slice):
            return EvaluationReport(self._evaluations[index])
        return self._evaluations[index]

    def __iter__(self) -> Iterator[RunTestEvaluation]:
        return iter(self._evaluations)

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, EvaluationReport)
            and other._evaluations == self._evaluations
        )

    def __hash__(self) -> int:
        return hash(self._evaluations)

    def __repr__(self) -> str:
        counts = ", ".join(f"{n} {status}" for status, n in self.counts().items())
        return f"<EvaluationReport of {len(self)}{': ' * bool(counts)}{counts}>"


def _lines(evaluation: RunTestEvaluation) -> Iterator[str]:
    name = evaluation.run_test_name or evaluation.run_test_id or ""
    for config in evaluation.configs or (ConfigScores(name=""),):
        reason = config.reason or evaluation.reason
        status = _status_text(evaluation.status, reason)
        counts = config.evaluated, config.failed, config.skipped, config.pending
        cells = name, config.name, config.score_text, *counts, status
        yield f"| {' | '.join(map(_escape_cell, cells))} |"


def _status_text(status: EvaluationStatus, reason: str) -> str:
    start = f"{status.value}: "
    return status.value if not reason else start + reason.removeprefix(start)


_ESCAPES = str.maketrans({"|": "\\|", "\\": "\\\\"})


def _escape_cell(value: Any) -> str:
    return " ".join(str(value).translate(_ESCAPES).split())


class EvaluationError(FutureAGIError, ExceptionGroup[FutureAGIError]):
    """The evaluation of some run tests was not completed.

    `exceptions` has one error per run test that was not; `report` holds all.
    """

    report: EvaluationReport

    @classmethod
    def of(cls, report: EvaluationReport) -> EvaluationError:
        """Return the error of a report that has failures."""
        causes = [each.error or _unscored_error(each) for each in report.failures]
        error = cls(f"not every run test was evaluated, of {report!r}", causes)
        error.report = report
        error.delivery = combined_delivery(causes)
        return error

    def derive(self, excs: Sequence[FutureAGIError]) -> EvaluationError:  # type: ignore[override]  # a group of this package's errors only
        """Return the part of this group that `except*` and `split` select."""
        part = EvaluationError(self.message, excs)
        part.report, part.delivery = self.report, self.delivery
        return part


class EvaluationInterruptedError(FutureAGIError):
    """An evaluation was stopped by the caller's code: its iterable or callback raised.

    That exception is the `__cause__`. What was under way at the service goes on there.

    Attributes:
        report: of `evaluate` and `wait_for_evals`, every run test that was read, with
            what was started; of a stream, those that were under way when the exception
            was raised, which the stream has returned as well.
    """

    def __init__(self, message: str, report: EvaluationReport) -> None:
        super().__init__(message)
        self.report = report
        self.delivery: Delivery = combined_delivery(
            [each.error for each in report if each.error is not None]
        )

    @classmethod
    def by(
        cls, cause: BaseException | None, report: EvaluationReport
    ) -> EvaluationInterruptedError:
        """Return the error for an exception of the caller, to be raised from it."""
        return cls(
            "the iterable of run tests, or on_progress, raised "
            f"{type(cause).__name__}: {cause}; what was started before that goes on",
            report,
        )


def _unscored_error(evaluation: RunTestEvaluation) -> FutureAGIError:
    error = FutureAGIError(f"run test {evaluation.run_test_id}: {evaluation.reason}")
    if evaluation.requests:
        error.delivery = Delivery.UNKNOWN  # it was started, and is not known to finish
    return error
