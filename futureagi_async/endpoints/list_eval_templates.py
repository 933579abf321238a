"""List the usable eval templates: `GET /sdk/api/v1/get-evals/`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar, Self

import attrs

from futureagi_async.model import codec, validation
from futureagi_async.model.codec import Serializable
from futureagi_async.model.request import ReadRequest, Result
from futureagi_async.model.resource import IdentifiesEvalTemplate


@attrs.frozen(kw_only=True)
class EvalTemplate(Serializable, IdentifiesEvalTemplate):
    """An eval template, which an `EvalConfig` applies.

    Only `id` and `name` are always present; `EvalTemplates.raw` has all fields.

    Attributes:
        id: its id, for `EvalConfig.template_id`.
        name: its name.
        description: the purpose of the evaluation.
        owner: its owner: `system` or `user`.
        output_type: the kind of its results: `Pass/Fail`, `score`, `choices`, `numeric`
            or `reason`.
        required_keys: the inputs that a mapping must have, unless they are optional too.
        optional_keys: the inputs that it can have; `None` if that is not known.
        choices: the choices of a template of choices.
        multi_choice: whether a result can have several of them.
        criteria: the question that the evaluation answers.
    """

    id: str
    name: str
    description: str | None = None
    owner: str | None = None
    output_type: str | None = None
    required_keys: tuple[str, ...] | None = None
    optional_keys: tuple[str, ...] | None = None
    choices: tuple[str, ...] | None = None
    multi_choice: bool | None = None
    criteria: str | None = None

    @classmethod
    def from_wire(cls, value: Any) -> Self:
        """Return the template in a response.

        The fields other than id and name are not documented: one of an unexpected type
        counts as absent.

        Raises:
            TypeError: it has no id or no name.
        """
        template_id = codec.read_field(value, "id", str)
        name = codec.read_field(value, "name", str)
        config = codec.optional_field(value, "config", dict) or {}
        # The kind and the inputs are in `config`, or beside it in other versions.
        fields = {**config, "output_type": config.get("output"), **value}
        return cls(
            id=template_id,
            name=name,
            description=codec.optional_field(value, "description", str),
            owner=codec.optional_field(value, "owner", str),
            output_type=codec.optional_field(fields, "output_type", str),
            required_keys=_texts(fields.get("required_keys")),
            optional_keys=_texts(fields.get("optional_keys")),
            choices=_texts(value.get("choices")),
            multi_choice=codec.optional_field(value, "multi_choice", bool),
            criteria=codec.optional_field(value, "criteria", str),
        )


def _texts(value: Any) -> tuple[str, ...] | None:
    if isinstance(value, list) and all(isinstance(each, str) for each in value):
        return tuple(value)
    return None


@attrs.frozen(kw_only=True)
class EvalTemplates(Result):
    """All eval templates that the keys can use.

    Attributes:
        result: the templates, the newest first.
    """

    result: tuple[EvalTemplate, ...]

    def named_like(self, search: str) -> Iterator[EvalTemplate]:
        """Return those whose name contains the text, in any case."""
        text = search.casefold()
        return (each for each in self.result if text in each.name.casefold())


@attrs.frozen
class ListEvalTemplates(ReadRequest[EvalTemplates]):
    """Read all eval templates in one response.

    The service has another list, in pages (`POST /model-hub/eval-templates/list/`),
    which leaves out 24 usable templates, `contains` among them; so it is not used.
    """

    result_type: ClassVar[type[Result]] = EvalTemplates

    @property
    def run_test_id(self) -> None:
        """None, since it is about no run test."""
        return

    @property
    def path(self) -> str:
        """Path below the base URL."""
        return "/sdk/api/v1/get-evals/"


def validate_search(value: str | None) -> str:
    """Return the text that names of templates must contain; blank matches any."""
    return "" if value is None else validation.valid_text(value, "search").strip()
