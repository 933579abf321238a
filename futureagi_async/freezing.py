"""Frozen values at the price of others, for those that are made by the thousand.

attrs fills in a frozen instance by a call of `object.__setattr__` for each field, which
takes three times as long as to assign to it. Here an instance is assigned to first, and
frozen when it is complete.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import attrs


if TYPE_CHECKING:
    from collections.abc import Callable


ValueT = TypeVar("ValueT")


def unfrozen(frozen: type[ValueT]) -> type[ValueT]:
    """Make the class of which instances are before they are frozen.

    It takes the same arguments and keeps them in the same places. An instance of it is
    frozen by setting its `__class__` to the frozen class.
    """
    made: Any = attrs.define(_opened(frozen), eq=False, repr=False)
    return made  # type: ignore[no-any-return]  # attrs gives the class it was given


def unchecked(frozen: type[Any]) -> Callable[..., Any]:
    """Make the class of instances before they are frozen, of values that are checked.

    It takes every field, those too that the frozen class works out itself, in their
    order, and keeps them as they are.
    """
    open_class = _opened(frozen, __attrs_post_init__=None)
    made: Any = attrs.define(
        open_class, eq=False, repr=False, field_transformer=_as_they_are
    )
    return made  # type: ignore[no-any-return]  # attrs gives the class it was given


def _opened(frozen: type[Any], **changes: Any) -> Any:
    metaclass: Any = type(frozen)
    return metaclass(
        frozen.__name__,
        (frozen,),
        {
            "__slots__": (),
            "__module__": frozen.__module__,
            "__qualname__": frozen.__qualname__,
            "__setattr__": object.__setattr__,
            "__delattr__": object.__delattr__,
            **changes,
        },
    )


def _as_they_are(
    _: type[Any], fields: list[attrs.Attribute[Any]]
) -> list[attrs.Attribute[Any]]:
    return [
        each.evolve(init=True, default=attrs.NOTHING, converter=None, kw_only=False)
        for each in fields
    ]
