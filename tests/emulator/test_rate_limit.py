"""The limit of requests: per organization and calendar minute."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from types import SimpleNamespace

import pytest
from emulator_small_world import SHOP, api_key, path_of, small_world

from futureagi_async.emulator import Emulator, World
from futureagi_async.emulator.rate_limit import RateLimit


NOON = 1_800_000_000.0 - 1_800_000_000.0 % 60


def test_a_minute_has_room_for_so_many_requests():
    limit = RateLimit(2)

    assert [limit.count("a", NOON + each) for each in (0, 1, 20.5)] == [None, None, 40]


def test_the_room_is_new_at_the_beginning_of_a_calendar_minute():
    limit = RateLimit(1)

    assert limit.count("a", NOON + 59) is None
    assert limit.count("a", NOON + 59.5) == 1
    assert limit.count("a", NOON + 60) is None


def test_refused_requests_count_though_the_minute_ends_all_the_same():
    limit = RateLimit(1)
    for second in range(60):
        limit.count("a", NOON + second)

    assert limit._counts == {"a": 60}
    assert limit.count("a", NOON + 60) is None


def test_organizations_have_room_of_their_own():
    limit = RateLimit(1)

    assert [limit.count(each, NOON) for each in "aba"] == [None, None, 60]


@pytest.fixture
def at_noon(monkeypatch):
    """Stop the clock of the server."""
    clock = SimpleNamespace(time=lambda: NOON + 15)
    monkeypatch.setattr("futureagi_async.emulator.server.time", clock)


def ask(emulator, key="owner", path=None):
    """Send a request; return the status, the Retry-After and the body."""
    headers = {"X-Api-Key": f"key-{key}", "X-Secret-Key": f"secret-{key}"}
    url = emulator.url + (path or path_of(SHOP))
    request = urllib.request.Request(url, headers=headers)
    try:
        with urllib.request.urlopen(request) as response:
            return response.status, None, json.load(response)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers["Retry-After"], json.load(error)


@pytest.mark.usefixtures("at_noon")
def test_a_request_beyond_the_limit_is_a_429_that_says_when_to_come_again():
    with Emulator(World.load(small_world()), rate_limit=2) as emulator:
        served = [ask(emulator)[0] for _ in range(2)]
        status, retry_after, body = ask(emulator)
        logged = emulator.log.requests[-1]

    assert served == [200, 200]
    assert (status, retry_after) == (429, "45")
    assert body == {
        "status": False,
        "result": {
            "code": "RATE_LIMITED",
            "message": "Rate limit exceeded. Please try again later.",
            "retry_after": 45,
        },
    }
    assert (logged.status, logged.outcome) == (429, "rate_limit")


@pytest.mark.usefixtures("at_noon")
def test_another_key_of_the_organization_shares_its_room_and_others_do_not():
    content = small_world()
    content["api_keys"].append(api_key("elsewhere", organization="another"))
    with Emulator(World.load(content), rate_limit=1) as emulator:
        statuses = [ask(emulator, key)[0] for key in ("owner", "away", "elsewhere")]

    assert statuses == [200, 429, 404]


@pytest.mark.usefixtures("at_noon")
def test_requests_without_a_known_key_are_not_counted():
    with Emulator(World.load(small_world()), rate_limit=0) as emulator:
        assert ask(emulator, "nobody")[0] == 401
        assert ask(emulator)[0] == 429


@pytest.mark.usefixtures("at_noon")
def test_the_emulators_own_paths_are_not_counted_and_a_reset_makes_room():
    with Emulator(World.load(small_world()), rate_limit=1) as emulator:
        assert ask(emulator, path="/_emulator/log")[0] == 200
        assert [ask(emulator)[0] for _ in range(2)] == [200, 429]
        emulator.reset()
        assert ask(emulator)[0] == 200


def test_there_is_no_limit_by_default():
    with Emulator(World.load(small_world())) as emulator:
        assert {ask(emulator)[0] for _ in range(20)} == {200}


@pytest.mark.parametrize("limit", [-1, 1.5, "100"])
def test_a_limit_that_makes_no_sense_is_rejected(limit):
    with pytest.raises(ValueError, match="rate_limit must be a whole number"):
        Emulator(rate_limit=limit)
