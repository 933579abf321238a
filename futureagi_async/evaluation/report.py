"""What came of evaluating many run tests: a report, its rows, and its table."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Self, overload

import attrs

from futureagi_async.endpoints.scores import (
    ChoiceScores,
    NumericScores,
    PassFailScores,
    Scores,
)
from futureagi_async.errors import Delivery, FutureAGIError
from futureagi_async.evaluation.ensure_configs import EvalConfigOrigin
from futureagi_async.model.outcome import (
    Batch,
    BatchInterruptedError,
    combined_delivery,
)


class EvaluationStatus(enum.Enum):
    """How far the evaluation of a run test came."""

    SCORED = "scored"
    """Every completed call of the executions that were meant has its results."""

    NO_RESULT = "no_result"
    """All evaluations have ended, and those by an eval config have all failed or were
    skipped. They are not run again on their own account; `reason` says how."""

    STARTED = "started"
    """It was started, or was under way already, and was not to be waited for."""

    PENDING = "pending"
    """It was still under way at the deadline."""

    PARTIAL = "partial"
    """Some calls have no result, and were left so: running them would erase and bill
    the results that others of the same execution have."""

    NOT_STARTED = "not_started"
    """Not everything that was asked for was started: the service prepared evaluations,
    and nothing works on them; or others had evaluations of their own under way on the
    same executions, so that it takes no more. `reason` says which."""

    STUCK = "stuck"
    """An execution says that it is being evaluated, and nothing of it is, as the service
    leaves one without a completed call for ever."""

    NOT_CREATED = "not_created"
    """An eval config could not be created, as one of an unknown template; the others
    came as far as they were to come."""

    NOTHING_TO_EVALUATE = "nothing_to_evaluate"
    """No completed execution that was meant has a completed call; or, where it was only
    to be waited for, no eval config was ever run on one."""

    FAILED = "failed"
    """Something went wrong; `error` says what, and what it leaves behind."""

    NOT_ATTEMPTED = "not_attempted"
    """Its turn never came."""


_GOOD = {
    EvaluationStatus.SCORED,
    EvaluationStatus.STARTED,
    EvaluationStatus.NOTHING_TO_EVALUATE,
}


@attrs.frozen(kw_only=True)
class ConfigScores:
    """The scores of one eval config on one run test.

    Attributes:
        name: the name of the eval config.
        eval_config_id: its id; `None` where it could not be created.
        origin: where it comes from; `None` where nothing was to be ensured.
        scores: what its results sum up to, over the completed calls of the executions
            that were meant; `None` without results, and where values have no such form.
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
                most_first = sorted(shares.items(), key=lambda each: -each[1])
                return ", ".join(f"{name} {share:g} %" for name, share in most_first)
            case _:
                return ""

    @property
    def is_created(self) -> bool:
        """Whether the eval config was added by this evaluation."""
        return self.origin is EvalConfigOrigin.CREATED


@attrs.frozen(kw_only=True)
class RunTestEvaluation:
    """What came of one run test.

    Attributes:
        run_test_id: the run test.
        run_test_name: its name; `None` where the input was its id alone, and it was not
            read.
        state: how far it came.
        configs: one entry an eval config.
        reason: why it is not scored, in one line; empty if it is.
        error: what went wrong, if something did.
        requests: how many requests to start evaluations were carried out for it.
        executions: how many executions it is about.
        warnings: what else is to be known, as a template that does not exist.
        elapsed: seconds from its turn to its end.
    """

    run_test_id: str | None
    run_test_name: str | None = None
    state: EvaluationStatus
    configs: tuple[ConfigScores, ...] = ()
    reason: str = ""
    error: FutureAGIError | None = None
    requests: int = 0
    executions: int = 0
    warnings: tuple[str, ...] = ()
    elapsed: float = 0.0

    @property
    def is_scored(self) -> bool:
        """Whether all its scores are there."""
        return self.state is EvaluationStatus.SCORED

    @property
    def is_good(self) -> bool:
        """Whether it came as far as it was to come."""
        return self.state in _GOOD

    def rows(self) -> Iterator[dict[str, Any]]:
        """Give one row an eval config; one in all where none is known."""
        for config in self.configs or (None,):
            yield {
                "run_test_id": self.run_test_id,
                "run_test_name": self.run_test_name,
                "eval_config_id": config and config.eval_config_id,
                "eval_config_name": config and config.name,
                "state": self.state.value,
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
        """Give everything as plain JSON values."""
        return {
            "run_test_id": self.run_test_id,
            "run_test_name": self.run_test_name,
            "state": self.state.value,
            "reason": self.reason or None,
            "error": None if self.error is None else _error(self.error),
            "requests": self.requests,
            "executions": self.executions,
            "warnings": list(self.warnings),
            "elapsed": self.elapsed,
            "configs": [_config(each) for each in self.configs],
        }


def _error(error: FutureAGIError) -> dict[str, Any]:
    return {
        "class": type(error).__name__,
        "message": str(error),
        "delivery": error.delivery.value,
        "request_id": getattr(error, "request_id", None),
    }


def _config(config: ConfigScores) -> dict[str, Any]:
    return {
        "name": config.name,
        "eval_config_id": config.eval_config_id,
        "origin": None if config.origin is None else config.origin.value,
        "pass_rate": config.pass_rate,
        "average": config.average,
        "choices": config.choices,
        "scores": _scores(config.scores),
        "evaluated": config.evaluated,
        "failed": config.failed,
        "skipped": config.skipped,
        "pending": config.pending,
        "reason": config.reason or None,
    }


def _scores(scores: Scores | None) -> dict[str, Any] | None:
    match scores:
        case None:
            return None
        case NumericScores(average=average, percentiles=percentiles):
            named = {f"p{share}": value for share, value in percentiles.items()}
            return {"average": average, "percentiles": named}
        case _:
            return attrs.asdict(scores)


@attrs.frozen(kw_only=True)
class EvaluationProgress:
    """How far the evaluation of many run tests is, for a progress bar.

    Attributes:
        read: run tests that were taken from the input.
        waiting: run tests whose evaluations are under way.
        ended: run tests whose end is known.
        scored: those of them that have all their scores.
        latest: the run test whose end this tells; `None` when one began to wait.
    """

    read: int
    waiting: int
    ended: int
    scored: int
    latest: RunTestEvaluation | None = None


class EvaluationReport(Sequence[RunTestEvaluation]):
    """What came of every run test, in the order of the input."""

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
        """The run tests that did not come as far as they were to come."""
        return [each for each in self if not each.is_good]

    def raise_for_failures(self) -> Self:
        """Give the report back if every run test came as far as it was to come.

        Raises:
            EvaluationError: one did not; it holds an error for each that did not.
        """
        if not self.failures:
            return self
        raise EvaluationError.of(self)

    def to_rows(self) -> list[dict[str, Any]]:
        """Give one row a run test and eval config, for a data frame or a CSV file.

        The keys are `run_test_id`, `run_test_name`, `eval_config_id`,
        `eval_config_name`, `state`, `pass_rate`, `average` and `choices` (percent; the
        one that fits the eval config, the others are `None`), the numbers of calls
        `evaluated`, `failed`, `skipped` and `pending`, and `reason`.
        """
        return [row for each in self for row in each.rows()]

    def to_dict(self) -> dict[str, Any]:
        """Give everything as plain JSON values.

        What the `scores` of an eval config hold is under that key; a percentile is
        named as the service does it, `p50`.
        """
        return {
            "counts": self.counts(),
            "run_tests": [each.to_dict() for each in self],
        }

    def to_markdown(self) -> str:
        """Give a table in Markdown, one line a run test and eval config."""
        lines = [
            (
                "| run test | eval config | score | evaluated | failed | skipped | pending "
                "| state |"
            ),
            "|---|---|---|---:|---:|---:|---:|---|",
        ]
        lines += [line for each in self for line in _lines(each)]
        return "\n".join(lines)

    def counts(self) -> dict[str, int]:
        """Count the run tests in each state that occurs."""
        states = [each.state for each in self]
        return {
            state.value: states.count(state)
            for state in EvaluationStatus
            if state in states
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
        counts = ", ".join(f"{n} {state}" for state, n in self.counts().items())
        return f"<EvaluationReport of {len(self)}{': ' * bool(counts)}{counts}>"


def _lines(evaluation: RunTestEvaluation) -> Iterator[str]:
    name = evaluation.run_test_name or evaluation.run_test_id or ""
    for config in evaluation.configs or (ConfigScores(name=""),):
        reason = config.reason or evaluation.reason
        state = _told(evaluation.state, reason)
        counts = config.evaluated, config.failed, config.skipped, config.pending
        cells = name, config.name, config.score_text, *counts, state
        yield f"| {' | '.join(map(_cell, cells))} |"


def _told(state: EvaluationStatus, reason: str) -> str:
    begin = f"{state.value}: "
    return state.value if not reason else begin + reason.removeprefix(begin)


_ESCAPES = str.maketrans({"|": "\\|", "\\": "\\\\"})


def _cell(value: Any) -> str:
    return " ".join(str(value).translate(_ESCAPES).split())


class EvaluationError(FutureAGIError, ExceptionGroup[FutureAGIError]):
    """Some run tests did not come as far as they were to come.

    `exceptions` has an error for each of them; `report` holds all.
    """

    report: EvaluationReport

    @classmethod
    def of(cls, report: EvaluationReport) -> EvaluationError:
        """Make the error of a report that has failures."""
        errors = [each.error or _unscored(each) for each in report.failures]
        error = cls(f"not every run test was evaluated, of {report!r}", errors)
        error.report = report
        error.delivery = combined_delivery(errors)
        return error

    def derive(self, excs: Sequence[FutureAGIError]) -> EvaluationError:  # type: ignore[override]  # a group of this package's errors only
        """Make the part of this group that `except*` and `split` ask for."""
        part = EvaluationError(self.message, excs)
        part.report, part.delivery = self.report, self.delivery
        return part


class EvaluationInterruptedError(BatchInterruptedError):
    """The caller's own code ended an evaluation: its iterable or its callback raised.

    That exception is the `__cause__`. What was under way at the service goes on there;
    `report` holds all that had been read until then, with what was started.
    """

    report: EvaluationReport

    @classmethod
    def with_report(
        cls, cause: BaseException | None, report: EvaluationReport
    ) -> EvaluationInterruptedError:
        """Make the error for what was raised, to be raised from it."""
        error = cls(
            "the iterable of run tests, or on_progress, raised "
            f"{type(cause).__name__}: {cause}; what was started until then goes on",
            Batch(),
        )
        error.report = report
        errors = [each.error for each in report if each.error is not None]
        error.delivery = combined_delivery(errors)
        return error


def _unscored(evaluation: RunTestEvaluation) -> FutureAGIError:
    error = FutureAGIError(f"run test {evaluation.run_test_id}: {evaluation.reason}")
    if evaluation.requests:
        error.delivery = Delivery.UNKNOWN  # it was started, and is not known to end
    return error
