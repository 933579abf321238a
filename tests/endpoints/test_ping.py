"""Pings: accepted keys, and the workspace that answers."""

from __future__ import annotations

import asyncio

import pytest
from reconciling_service import answered, client_of, failure

from futureagi_async import (
    AuthenticationError,
    ConfigurationError,
    FutureAGI,
    PermissionDeniedError,
    ServerError,
)
from futureagi_async.types import Ping


WORKSPACE = "a7724e0c-cfa2-5d9e-a0df-e88b3954c08c"
OTHER = "1eeb3b97-dae6-52d9-908a-8c7b97fd278a"
ENTRY = b"""{
    "id": "b968b200-c57b-5aca-9c9f-60672e3183e7",
    "name": "support",
    "enable_tool_evaluation": false,
    "simulate_eval_configs": [],
    "organization": "342F3916-1FEF-594C-B4E1-AB5CDD0D97DA",
    "agent_definition_detail": %b
}"""
PAGE = b'{"count": %d, "total_pages": 1, "current_page": 1, "results": [%b]}'


class Service:
    """Answers every request in one way."""

    def __init__(self, status, body=b""):
        self.answer = answered(status, body)
        self.paths = []

    async def send(self, attempt):
        self.paths.append(attempt.path)
        attempt.connection_acquired = True
        return self.answer

    async def aclose(self):
        pass

    def detach(self):
        pass


def having(agent):
    return Service(200, PAGE % (7, ENTRY % agent))


def ping(service, **options):
    return asyncio.run(client_of(service, **options).ping())


IN_WORKSPACE = b'{"workspace": "%b"}' % WORKSPACE.encode()


def test_a_ping_is_one_request_for_one_run_test():
    service = having(IN_WORKSPACE)

    result = ping(service)

    assert service.paths == ["/simulate/run-tests/?page=1&limit=1"]
    assert 0 < result.elapsed < 5
    assert result.run_test_count == 7
    assert result.organization_id == "342f3916-1fef-594c-b4e1-ab5cdd0d97da"
    assert (result.workspace_id, result.requested_workspace_id) == (WORKSPACE, None)
    assert result.ok


@pytest.mark.parametrize(
    ("requested", "agent", "ok"),
    [
        (WORKSPACE.upper(), IN_WORKSPACE, True),
        (OTHER, IN_WORKSPACE, False),
        (OTHER, b'{"workspace": null}', True),
        (OTHER, b"null", True),
        (OTHER, b"{}", True),
    ],
)
def test_another_workspace_that_answers_is_noticed(requested, agent, ok):
    result = ping(having(agent), workspace_id=requested)

    assert result.ok is ok
    assert result.requested_workspace_id == requested.lower()


def test_a_workspace_without_run_tests_shows_nothing():
    result = ping(Service(200, PAGE % (0, b"")), workspace_id=OTHER)

    assert (result.organization_id, result.workspace_id) == (None, None)
    assert (result.run_test_count, result.ok) == (0, True)


@pytest.mark.parametrize(
    ("status", "error"),
    [(401, AuthenticationError), (403, PermissionDeniedError), (500, ServerError)],
)
def test_keys_that_are_not_accepted_are_an_error(status, error):
    service = Service(status)

    async def main():
        client = client_of(service)
        client._transport._shared.random = lambda: 0.0
        return await failure(client.ping())

    assert isinstance(asyncio.run(main()), error)


def test_a_workspace_that_is_no_uuid_is_refused_before_it_is_a_500():
    with pytest.raises(ConfigurationError, match="workspace_id: 'nonsense' is no UUID"):
        FutureAGI("key", "secret", workspace_id="nonsense")


def test_both_clients_reach_the_emulator(call, emulator):
    result = call("ping")

    assert type(result) is Ping
    assert result.run_test_count == 230
    assert result.organization_id
    assert result.ok
    assert Ping.from_dict(result.to_dict()) == result
    assert len(emulator.log.requests) == 1
