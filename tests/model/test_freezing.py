"""Values that are filled in first and frozen then are as those frozen from the start."""

from __future__ import annotations

import copy
import pickle
import weakref

import attrs
import pytest

from futureagi_async.model.freezing import unchecked, unfrozen


@attrs.frozen
class Point:
    """A frozen value with everything that the package's values have."""

    x: int = attrs.field(converter=int)
    tags: dict[str, str] = attrs.field(repr=False, hash=False)
    name: str = "none"
    length: int = attrs.field(init=False, default=0)

    def __attrs_post_init__(self) -> None:
        object.__setattr__(self, "length", len(self.tags))


@attrs.frozen(kw_only=True)
class Label:
    """A frozen value that takes by name what may be left out and what it needs."""

    size: int = 1
    text: str


Unfrozen = unfrozen(Point)
Unchecked = unchecked(Point)


def made() -> Point:
    point = Unfrozen("7", {"a": "b"})
    point.__class__ = Point
    return point


def test_it_is_equal_to_one_that_was_frozen_from_the_start():
    from_the_start = Point("7", {"a": "b"})

    assert type(made()) is Point
    assert made() == from_the_start
    assert hash(made()) == hash(from_the_start)
    assert repr(made()) == repr(from_the_start)
    assert (made().x, made().length) == (7, 1)


def test_it_is_frozen():
    point = made()

    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        point.x = 8
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        del point.x


def test_it_takes_no_more_attributes_and_can_be_copied_pickled_and_referred_to():
    point = made()

    assert not hasattr(point, "__dict__")
    assert copy.copy(point) == pickle.loads(pickle.dumps(point)) == point
    assert attrs.evolve(point, name="p").name == "p"
    assert weakref.ref(point)() is point


def test_what_is_needed_is_taken_first_and_all_by_place():
    label = unfrozen(Label)("a", 7)
    label.__class__ = Label

    assert label == Label(text="a", size=7)
    assert unfrozen(Label)("a").size == 1
    with pytest.raises(TypeError, match="missing"):
        unfrozen(Label)()


def test_what_is_to_come_later_is_assigned():
    label = unfrozen(Label, later={"text"})(7)
    label.text = "a"
    label.__class__ = Label

    assert label == Label(text="a", size=7)


def test_checked_values_are_taken_as_they_are_and_frozen():
    point = Unchecked(7, {"a": "b"}, "none", 1)
    point.__class__ = Point

    assert point == made()
    assert hash(point) == hash(made())
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        point.x = 8


def test_of_checked_values_nothing_is_converted_or_worked_out():
    point = Unchecked("7", {"a": "b"}, None, 5)

    assert (point.x, point.name, point.length) == ("7", None, 5)
    with pytest.raises(TypeError, match="missing"):
        Unchecked(7, {})
