"""The annotations of what users see are resolved at run time."""

from __future__ import annotations

import inspect
import typing

import pytest

from futureagi_async.emulator import Emulator, World
from futureagi_async.emulator.faults import Fault, Faults
from futureagi_async.emulator.log import Log, LoggedRequest
from futureagi_async.emulator.rows import RunTest, Template


def functions_of(cls):
    """Return the functions of a class, also those in properties and class methods."""
    members = [inspect.getattr_static(cls, name) for name in vars(cls)]
    members = [getattr(member, "fget", member) for member in members]
    members = [getattr(member, "__func__", member) for member in members]
    return filter(inspect.isfunction, members)


@pytest.mark.parametrize(
    "cls", [Emulator, World, Fault, Faults, Log, LoggedRequest, RunTest, Template]
)
def test_the_types_of_a_class_and_its_methods_are_resolved(cls):
    typing.get_type_hints(cls)

    assert all(
        typing.get_type_hints(function).keys() == function.__annotations__.keys()
        for function in functions_of(cls)
    )
