"""Frozen values at the price of others, for those that are made by the thousand.

attrs fills in a frozen instance by a call of `object.__setattr__` for each field, which
takes three times as long as to assign to it. Here an instance is assigned to first, and
frozen when it is complete.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs


if TYPE_CHECKING:
    from collections.abc import Callable, Collection


def unfrozen(frozen: type[Any], *, later: Collection[str] = ()) -> Callable[..., Any]:
    """Make the class of which instances are before they are frozen.

    It takes the same arguments, all by place, as that is quickest: those that it needs
    come before those that have defaults. The fields `later` it does not take, they are
    to be assigned. An instance is frozen by setting its `__class__` to the frozen class.
    """

    def by_place(
        _: type[Any], fields: list[attrs.Attribute[Any]]
    ) -> list[attrs.Attribute[Any]]:
        taken = [
            each.evolve(init=each.init and each.name not in later, kw_only=False)
            for each in fields
        ]
        return sorted(taken, key=lambda each: each.default is not attrs.NOTHING)

    return _defined(_opened(frozen), by_place)


def unchecked(frozen: type[Any]) -> Callable[..., Any]:
    """Make the class of instances before they are frozen, of values that are checked.

    It takes every field, those too that the frozen class works out itself, in their
    order, and keeps them as they are.
    """

    def as_they_are(
        _: type[Any], fields: list[attrs.Attribute[Any]]
    ) -> list[attrs.Attribute[Any]]:
        return [
            each.evolve(init=True, default=attrs.NOTHING, converter=None, kw_only=False)
            for each in fields
        ]

    return _defined(_opened(frozen, __attrs_post_init__=None), as_they_are)


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


def _defined(open_class: Any, transformed: Callable[..., Any]) -> Callable[..., Any]:
    made: Any = attrs.define(
        open_class, eq=False, repr=False, field_transformer=transformed
    )
    return made  # type: ignore[no-any-return]  # attrs gives the class it was given
