"""Keys can be used, and not seen."""

from __future__ import annotations

import copy
import pickle

import pytest

from futureagi_async.transport.settings import Secret


KEY = "sk-3141592653589793"


def test_a_secret_reveals_its_key_for_a_header():
    assert Secret(KEY).reveal() == KEY
    assert isinstance(Secret(KEY).reveal(), str)


@pytest.mark.parametrize("show", [repr, str, "{}".format, "{!r}".format, ascii])
def test_a_secret_does_not_show_its_key(show):
    assert KEY not in show(Secret(KEY))


def test_a_container_of_secrets_does_not_show_their_keys():
    assert repr([Secret(KEY)]) == "[Secret('**********')]"


def test_a_revealed_key_is_masked_where_local_variables_are_shown():
    headers = {"X-Api-Key": Secret(KEY).reveal()}

    assert repr(headers) == "{'X-Api-Key': '**********'}"


def test_a_secret_has_no_attributes_to_look_at():
    assert not hasattr(Secret(KEY), "__dict__")


@pytest.mark.parametrize("travel", [pickle.dumps, copy.copy, copy.deepcopy])
def test_a_secret_does_not_travel(travel):
    with pytest.raises(TypeError, match="pass the key again") as caught:
        travel(Secret(KEY))

    assert KEY not in str(caught.value)


def test_secrets_of_the_same_key_are_equal():
    assert Secret(KEY) == Secret(KEY)
    assert hash(Secret(KEY)) == hash(Secret(KEY))


def test_a_secret_is_not_equal_to_another_key_nor_to_the_text():
    assert Secret(KEY) != Secret("other")
    assert Secret(KEY) != KEY
