"""The scores of an eval config, in each of the three forms."""

from __future__ import annotations

import re
from typing import Any, TypeAlias

import attrs

from futureagi_async.endpoints.eval_output import choices_label, read_choices
from futureagi_async.model import codec
from futureagi_async.model.codec import Serializable


_PERCENTILE = re.compile(r"p(\d{1,3})", re.ASCII)


@attrs.frozen
class PassFailScores(Serializable):
    """Numbers of calls that passed and failed; the rates are percent, 0 to 100."""

    pass_rate: float
    fail_rate: float
    pass_count: int
    fail_count: int


@attrs.frozen
class NumericScores(Serializable):
    """The distribution of numbers, in percent: a result of 0.8 counts as 80.

    Attributes:
        average: the mean of all results.
        percentiles: the percentiles of the results by their number; 50 is the median.
    """

    average: float
    percentiles: dict[int, float] = attrs.field(hash=False)


@attrs.frozen
class ChoiceScores(Serializable):
    """The share of each choice in percent, 0 to 100.

    Where a result has several choices, or none, all of them together are one key:
    `"['price', 'delivery']"`.
    """

    shares: dict[str, float] = attrs.field(hash=False)


Scores: TypeAlias = PassFailScores | NumericScores | ChoiceScores


def read_scores(output: Any, average: Any, total_cells: int = 0) -> Scores | None:
    """Return the scores of an eval config, whose form follows from the shape.

    Args:
        output: the `output` of the summary, an empty object while nothing is evaluated.
        average: the `avg_score` of the summary, which only numbers have.
        total_cells: the number of results in them.

    Raises:
        TypeError: it is of no known form.
    """
    if output is None and average is None:
        return None
    if not isinstance(output, dict):
        raise TypeError(
            f"output: an object belongs here, not {codec.json_type_name(output)}"
        )
    if average is not None:
        return NumericScores(_number(average, "avg_score"), _percentiles(output))
    if {"pass_count", "fail_count"} <= output.keys():
        return PassFailScores(
            pass_rate=_number(output.get("pass"), "output.pass"),
            fail_rate=_number(output.get("fail"), "output.fail"),
            pass_count=_count(output["pass_count"], "output.pass_count"),
            fail_count=_count(output["fail_count"], "output.fail_count"),
        )
    if not output:
        return None
    shares = {text: _number(each, f"output.{text}") for text, each in output.items()}
    return ChoiceScores(merge_choices(shares, total_cells))


def merge_choices(shares: dict[str, float], total_cells: int = 0) -> dict[str, float]:
    """Return the share of each choice, of shares of the texts that the service counts.

    Different texts can be of the same choice: `"Yes"` and `"{'choice': 'Yes'}"`. With
    the number of results the sum of their shares is rounded once, else each share.
    """
    by_label: dict[str, list[float]] = {}
    for text, share in shares.items():
        label = choices_label(read_choices(text) or ())
        by_label.setdefault(label, []).append(share)
    return {label: _sum(each, total_cells) for label, each in by_label.items()}


def _sum(shares: list[float], total_cells: int) -> float:
    if len(shares) == 1:
        return shares[0]
    count = sum(round(share * total_cells / 100) for share in shares)
    return round(count / total_cells * 100 if total_cells else sum(shares), 2)


def _percentiles(output: dict[str, Any]) -> dict[int, float]:
    return {
        int(found[1]): _number(value, f"output.{name}")
        for name, value in output.items()
        if (found := _PERCENTILE.fullmatch(name))
    }


def _number(value: Any, location: str) -> float:
    if value.__class__ is float or value.__class__ is int:
        return float(value)
    raise TypeError(
        f"{location}: a number belongs here, not {codec.json_type_name(value)}"
    )


def _count(value: Any, location: str) -> int:
    if value.__class__ is int:
        count: int = value
        return count
    raise TypeError(
        f"{location}: a whole number belongs here, not {codec.json_type_name(value)}"
    )
