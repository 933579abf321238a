"""Scores of values, as in the service's own summary."""

from __future__ import annotations

import array
import collections
import math
from typing import TYPE_CHECKING, Self

from futureagi_async.endpoints.eval_output import CHOICES, choices_label
from futureagi_async.endpoints.scores import (
    ChoiceScores,
    NumericScores,
    PassFailScores,
)


if TYPE_CHECKING:
    from collections.abc import Sequence

    from futureagi_async.endpoints.eval_output import EvalOutput
    from futureagi_async.endpoints.get_eval_summary import ConfigSummary
    from futureagi_async.endpoints.scores import Scores


PERCENTILES = (5, 10, 20, 30, 40, 50, 60, 70, 80, 90, 95, 100)
"""The percentiles of the service's own summary."""

_PASSED = {"passed", "true"}
_FAILED = {"failed", "false"}


class ScoreAggregator:
    """Aggregator of the values of one eval config, as in the service's summary.

    The type of the first value decides on the form. A value without a type is left out.
    """

    def __init__(self) -> None:
        self._type: str | None = None
        self._count = 0
        self._words: collections.Counter[str] = collections.Counter()
        self._numbers = array.array("d")
        self._summed_up: Scores | None = None

    @classmethod
    def from_summary(cls, summary: ConfigSummary) -> Self | None:
        """Return the values of which the service has made scores.

        They are `None` if the scores do not add up to them. Numbers cannot be merged
        with others.
        """
        found, total = cls(), summary.total_cells
        match summary.scores:
            case PassFailScores(pass_count=passed, fail_count=failed):
                found._type = "Pass/Fail"
                found._words.update(passed=passed, failed=failed)
            case ChoiceScores(shares=shares):
                found._type = CHOICES
                found._words.update(
                    {word: round(share * total / 100) for word, share in shares.items()}
                )
            case NumericScores() as scores:
                found._summed_up = scores
            case _:
                return None
        found._count = total
        is_whole = found._words.total() == total or found._summed_up is not None
        return found if is_whole and found.scores() == summary.scores else None

    def add(self, output: EvalOutput) -> None:
        """Add one value."""
        if output.type is None:
            return
        if self._type is None:
            self._type = output.type
        self._count += 1
        value = output.value
        if self._type == "score":
            if isinstance(value, int | float):
                self._numbers.append(float(value) * 100)
        else:
            is_choices = isinstance(value, tuple)
            self._words[choices_label(value) if is_choices else str(value)] += 1

    @property
    def is_summed_up(self) -> bool:
        """Whether it has no values, but their scores."""
        return self._summed_up is not None

    def merge(self, other: ScoreAggregator) -> None:
        """Add the values of another one after those of this one."""
        if self._type is None:
            self._type = other._type
        self._count += other._count
        self._words.update(other._words)
        self._numbers.extend(other._numbers)
        self._summed_up = self._summed_up or other._summed_up

    def scores(self) -> Scores | None:
        """Return the scores of all values; `None` without any."""
        if self._summed_up is not None:
            return self._summed_up
        match self._type:
            case "Pass/Fail":
                return self._pass_fail_scores()
            case "score":
                return self._numeric_scores() if self._numbers else None
            case "choices":
                shares = {word: self._percent(n) for word, n in self._words.items()}
                return ChoiceScores(shares)
            case _:
                return None

    def _pass_fail_scores(self) -> PassFailScores:
        passed = failed = 0
        for word, count in self._words.items():
            passed += count if word.lower() in _PASSED else 0
            failed += count if word.lower() in _FAILED else 0
        return PassFailScores(
            self._percent(passed), self._percent(failed), passed, failed
        )

    def _numeric_scores(self) -> NumericScores:
        numbers = sorted(self._numbers)
        average = round(sum(numbers) / len(numbers), 2)  # as the service adds
        return NumericScores(
            average,
            {share: round(_percentile(numbers, share), 2) for share in PERCENTILES},
        )

    def _percent(self, part: int) -> float:
        return round(part / self._count * 100, 2)


def _percentile(numbers: Sequence[float], share: int) -> float:
    """Return the value below which a share of sorted numbers lies, interpolated."""
    index = (len(numbers) - 1) * share / 100
    low, high = numbers[math.floor(index)], numbers[math.ceil(index)]
    return low + (high - low) * (index % 1)
