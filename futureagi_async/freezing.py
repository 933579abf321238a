"""Frozen values at the price of others, for those that are made by the thousand.

attrs fills in a frozen instance by a call of `object.__setattr__` for each field, which
takes three times as long as to assign to it. Here an instance is assigned to first, and
frozen when it is complete.
"""

from __future__ import annotations

from typing import Any, TypeVar

import attrs


ValueT = TypeVar("ValueT")


def unfrozen(frozen: type[ValueT]) -> type[ValueT]:
    """Make the class of which instances are before they are frozen.

    It takes the same arguments and keeps them in the same places. An instance of it is
    frozen by setting its `__class__` to the frozen class.
    """
    metaclass: Any = type(frozen)
    open_class = metaclass(
        frozen.__name__,
        (frozen,),
        {
            "__slots__": (),
            "__module__": frozen.__module__,
            "__qualname__": frozen.__qualname__,
            "__setattr__": object.__setattr__,
            "__delattr__": object.__delattr__,
        },
    )
    made: Any = attrs.define(open_class, eq=False, repr=False)
    return made  # type: ignore[no-any-return]  # attrs gives the class it was given
