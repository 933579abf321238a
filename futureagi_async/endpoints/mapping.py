"""Check the mapping of an eval config against the inputs that its template has."""

from __future__ import annotations

import difflib

from futureagi_async.endpoints.eval_config import EvalConfig
from futureagi_async.endpoints.list_eval_templates import EvalTemplate
from futureagi_async.errors import InvalidRequestError
from futureagi_async.model import validation


def check_mapping(
    config: EvalConfig, template: EvalTemplate, location: str = "mapping"
) -> None:
    """Check that a mapping has every input that a template requires, and no other.

    The service accepts any mapping; the evaluation of each call fails later. Nothing is
    checked if the required inputs of the template are not known.

    Args:
        config: the eval config.
        template: its template.
        location: the place of the mapping, for the message.

    Raises:
        InvalidRequestError: an input is missing or unknown; the message names it.
    """
    required = template.required_keys
    if required is None:
        return
    optional, mapping = template.optional_keys or (), config.mapping or {}
    allowed = tuple(dict.fromkeys((*required, *optional)))
    # Some templates have an optional input among the required ones as well.
    missing = [key for key in required if key not in mapping and key not in optional]
    unknown = [key for key in mapping if key not in allowed]
    problems = [
        *(f"{validation.truncate_repr(key)} is missing" for key in missing),
        *(_unknown(key, allowed) for key in unknown),
    ]
    if problems:
        raise InvalidRequestError(
            f"{location}: {', '.join(problems)}; template "
            f"{validation.truncate_repr(template.name)} takes "
            f"{', '.join(map(repr, allowed)) or 'no inputs'}"
        )


def _unknown(key: str, allowed: tuple[str, ...]) -> str:
    close = difflib.get_close_matches(key, allowed, n=1, cutoff=0.75)
    suggestion = f" (did you mean {close[0]!r}?)" if close else ""
    return f"{validation.truncate_repr(key)} is unknown{suggestion}"
