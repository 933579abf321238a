"""Annotations of everything public in these rooms resolve when the program runs."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import typing

import pytest

from futureagi_async import endpoints, model


MODULES = [
    "futureagi_async.errors",
    *(f"{model.__name__}.{each.name}" for each in pkgutil.iter_modules(model.__path__)),
    *(f"{endpoints.__name__}.{name}" for name in endpoints.__all__),
]


def annotated():
    """Every public class, function, method and property, by its full name."""
    for module_name in MODULES:
        module = importlib.import_module(module_name)
        for name, value in vars(module).items():
            if name.startswith("_") or getattr(value, "__module__", "") != module_name:
                continue
            if inspect.isfunction(value) or inspect.isclass(value):
                yield f"{module_name}.{name}", value
            if inspect.isclass(value):
                yield from methods_of(value)


def methods_of(class_):
    for name, member in vars(class_).items():
        function = member.fget if isinstance(member, property) else member
        function = getattr(function, "__func__", function)
        if not name.startswith("_") and inspect.isfunction(function):
            yield f"{class_.__module__}.{class_.__qualname__}.{name}", function


ANNOTATED = dict(annotated())


@pytest.mark.parametrize("name", ANNOTATED)
def test_every_annotation_resolves(name):
    typing.get_type_hints(ANNOTATED[name])


def test_classes_functions_methods_and_properties_are_among_them():
    assert {
        "futureagi_async.endpoints.run_new_evals.RunNewEvals",
        "futureagi_async.endpoints.run_new_evals.RunNewEvals.from_added",
        "futureagi_async.endpoints.run_new_evals.requests_for",
        "futureagi_async.model.page.PagedRequest.filters",
        "futureagi_async.errors.APIError",
    } <= ANNOTATED.keys()
