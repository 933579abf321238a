"""The check of eval configs against their templates, before anything is sent."""

from __future__ import annotations

from typing import TYPE_CHECKING

from futureagi_async.endpoints.list_eval_templates import ListEvalTemplates
from futureagi_async.endpoints.mapping import check_mapping
from futureagi_async.errors import APIError


if TYPE_CHECKING:
    from collections.abc import MutableMapping, Sequence

    from futureagi_async.endpoints.eval_config import EvalConfig
    from futureagi_async.endpoints.list_eval_templates import EvalTemplate
    from futureagi_async.model.page import SendRead


async def check_mappings(
    read: SendRead,
    configs: Sequence[EvalConfig],
    templates: MutableMapping[str, EvalTemplate],
) -> str:
    """Check the mappings of eval configs that have one.

    A template that is not listed is not checked: the service has usable ones that it
    does not list.

    Args:
        read: sends the request of the list of templates.
        configs: the eval configs.
        templates: those that were read before, by their ids; the others are added.

    Returns:
        Why it could not be checked; empty if it was.

    Raises:
        InvalidRequestError: a required input is missing, or one is unknown.
    """
    mapped = [config for config in configs if config.mapping is not None]
    if any(config.template_id not in templates for config in mapped):
        try:
            listed = await read(ListEvalTemplates())
        except APIError as error:
            return f"mappings were not checked against their templates: {error}"
        templates.update((each.id.lower(), each) for each in listed.result)
    for index, config in enumerate(configs):
        template = templates.get(config.template_id)
        if template is not None and config.mapping is not None:
            check_mapping(config, template, f"configs[{index}].mapping")
    return ""
