"""The result of one eval config for one call, in whichever form the service has it."""

from __future__ import annotations

import ast
import enum
import re
from typing import Any, Self

import attrs

from futureagi_async.endpoints.status import ExecutionStatus
from futureagi_async.model import codec
from futureagi_async.model.codec import Serializable


CHOICES = "choices"
"""The type of results that are choices."""


class EvalOutputStatus(enum.Enum):
    """The state of the evaluation of one call by one eval config."""

    PENDING = "pending"
    """Prepared, without a result; it may not have been started."""

    COMPLETED = "completed"
    """It ended; it has a value, unless the evaluator had no answer."""

    FAILED = "failed"
    """It ended without a value; see `reason`."""

    SKIPPED = "skipped"
    """The service left it out, for example since the call has no transcript."""


_IN_PROGRESS = {
    ExecutionStatus.PENDING,
    ExecutionStatus.QUEUED,
    ExecutionStatus.RUNNING,
    ExecutionStatus.ONGOING,
    ExecutionStatus.ANALYZING,
    ExecutionStatus.EVALUATING,
}
_FAILED = {"failed", "error"}

_RESOURCE = (
    r"(?:credits|quotas?|free[\s_-]tier|allowance"
    r"|(?:plan|usage|credit|spend(?:ing)?|monthly|billing|account)[\s_-]"
    r"(?:limits?|balance))"
)
_USED_UP = r"(?:used up|exhausted|exceed(?:s|ed)?|reached|depleted|hit|r[ua]n out)"
_MISSING = r"(?:insufficient|not enough|no (?:more|remaining)|out of)"
_LIMIT_REACHED = re.compile(
    rf"(?<![a-z]){_MISSING}(?:[\s_-]+\w+)?[\s_-]+(?:credit|balance|{_RESOURCE})(?![a-z])"
    rf"|(?<![a-z]){_RESOURCE}[^.;\n]{{0,40}}[\s_-]{_USED_UP}(?![a-z])"
    rf"|(?<![a-z]){_USED_UP}[\s_-][^.;\n]{{0,40}}\b{_RESOURCE}(?![a-z])"
    # The service's own texts and codes.
    r"|(?<!rate )limit reached for your current plan"
    r"|not available on your current plan|not included in your current license"
    r"|usage paused by your budget|payment method is required|outstanding payment issue"
    r"|free_tier_limit|entitlement_(?:limit|denied)|budget_paused|payment_required"
    r"|account_suspended|license_(?:expired|feature_denied)",
    re.IGNORECASE | re.ASCII,
)


def _choices_as_tuple(value: Any) -> Any:
    """Return choices as a tuple, also where they come back from JSON."""
    is_choices = isinstance(value, list) and all(type(each) is str for each in value)
    return tuple(value) if is_choices else value


@attrs.frozen(kw_only=True)
class EvalOutput(Serializable):
    """The result of one eval config for one call.

    Attributes:
        status: how far the evaluation is.
        value: the result: `"Passed"` or `"Failed"`, a number, a text, or a tuple of the
            choices that were made; `None` unless it is completed, and then as well
            where the evaluator had no answer.
        reason: the reason, in words.
        type: the kind of the value: `Pass/Fail`, `score`, `choices`, or another.
        name: the name of the eval config when it ran, if it had one.
        raw: the entry in the response.
    """

    status: EvalOutputStatus
    value: Any = attrs.field(default=None, converter=_choices_as_tuple, hash=False)
    reason: str | None = None
    type: str | None = None
    name: str | None = None
    raw: dict[str, Any] = attrs.field(factory=dict, hash=False, repr=False)

    @classmethod
    def from_wire(cls, value: Any) -> Self:
        """Return the result in a response; every entry is accepted.

        Lists of calls write `value` and `type` where the stored entry, which other
        responses and snapshots have, is of `output` and `output_type`. An entry that is
        no object is the value itself.
        """
        if value is None:
            return cls(status=EvalOutputStatus.PENDING)
        if not isinstance(value, dict):
            return cls(
                status=EvalOutputStatus.COMPLETED, value=value, raw={"value": value}
            )
        status, type_ = _status(value), _text(_either(value, "type", "output_type"))
        output = _value(value) if status is EvalOutputStatus.COMPLETED else None
        return cls(
            status=status,
            value=read_choices(output) if type_ == CHOICES else output,
            reason=_text(value.get("reason")) or None,
            type=type_ or None,
            name=_text(value.get("name")) or None,
            raw=value,
        )

    @classmethod
    def all_from_wire(cls, value: Any) -> dict[str, Self]:
        """Return the results of a call by the id of the eval config; null is none.

        Raises:
            TypeError: it is no object.
        """
        if value is None:
            return {}
        if not isinstance(value, dict):
            raise TypeError(
                f"eval_outputs: an object belongs here, not {codec.json_type_name(value)}"
            )
        return {config_id: cls.from_wire(each) for config_id, each in value.items()}

    @property
    def has_value(self) -> bool:
        """Whether the evaluation ended with an answer."""
        return self.value is not None

    @property
    def hit_limit(self) -> bool:
        """Whether it failed since a credit, quota or plan limit was reached, or for money.

        The service has no code for it: this reads the wording of the reason. A limit of
        the rate or of the length of a text is none of these.
        """
        return self.status is EvalOutputStatus.FAILED and bool(
            _LIMIT_REACHED.search(self.reason or "")
        )


def _either(entry: dict[str, Any], name: str, stored_name: str) -> Any:
    return entry[name] if name in entry else entry.get(stored_name)


def _value(entry: dict[str, Any]) -> Any:
    return _either(entry, "value", "output")


def _status(entry: dict[str, Any]) -> EvalOutputStatus:
    status = (_text(entry.get("status")) or "").lower()
    if not entry:
        return EvalOutputStatus.PENDING
    if entry.get("skipped") is True or status == "skipped":
        return EvalOutputStatus.SKIPPED
    if entry.get("error") is True or status in _FAILED:
        return EvalOutputStatus.FAILED
    if _value(entry) is not None:
        return EvalOutputStatus.COMPLETED
    if status in _IN_PROGRESS:
        return EvalOutputStatus.PENDING
    # A stored entry has the text "error" in the place of `true`.
    is_failed = bool(_text(entry.get("error")))
    return EvalOutputStatus.FAILED if is_failed else EvalOutputStatus.COMPLETED


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def read_choices(value: Any) -> tuple[str, ...] | None:
    """Return the choices in a result, whichever form it has; `None` if it is null.

    The service stores one choice as text, several as a list, and those of a template
    with scores as an object. Lists of calls wrap each of these in a list, and summaries
    write it as a text: `"{'score': 1.0, 'choice': 'Yes'}"`.

    Example:
        >>> read_choices("Yes"), read_choices("{'score': 1.0, 'choice': 'Yes'}")
        (('Yes',), ('Yes',))
        >>> read_choices(["price", "delivery"]), read_choices("['price', 'delivery']")
        (('price', 'delivery'), ('price', 'delivery'))
    """
    match value:
        case None:
            return None
        case str():
            parsed = _parse_literal(value)
            return (value,) if parsed is None else read_choices(parsed)
        case dict():
            chosen = value.get("choice")
            return (
                read_choices(value.get("choices") if chosen is None else chosen) or ()
            )
        case list() | tuple():
            return tuple(each for item in value for each in read_choices(item) or ())
        case _:
            return (str(value),)


def _parse_literal(text: str) -> dict[Any, Any] | list[Any] | None:
    """Return the object or list that a text is of, as Python writes it, if it is one."""
    if text[:1] + text[-1:] not in ("{}", "[]"):
        return None
    try:
        parsed = ast.literal_eval(text)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return None
    return parsed if isinstance(parsed, dict | list) else None


def choices_label(choices: tuple[str, ...]) -> str:
    """Return the text under which scores count choices.

    It is the choice itself, or for none or several the text that the service counts:
    `"['price', 'delivery']"`.
    """
    return choices[0] if len(choices) == 1 else str(list(choices))
