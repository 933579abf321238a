"""Check by one small request whether the keys are accepted, and where they lead."""

from __future__ import annotations

import time
from typing import Any

import attrs

from futureagi_async.endpoints.list_run_tests import ListRunTests
from futureagi_async.model.codec import Serializable
from futureagi_async.model.page import SendRead


@attrs.frozen(kw_only=True)
class Ping(Serializable):
    """An answer of the service to accepted keys.

    Attributes:
        elapsed: seconds until it was there, retries included; of a client's first
            request that is also the time to connect.
        run_test_count: number of run tests that the keys can read.
        organization_id: the organization of the newest run test; `None` without one.
        workspace_id: the workspace of the newest run test's agent; `None` without one.
        requested_workspace_id: the `workspace_id` of the client.
    """

    elapsed: float
    run_test_count: int
    organization_id: str | None
    workspace_id: str | None
    requested_workspace_id: str | None

    @property
    def ok(self) -> bool:
        """Whether no other workspace than the requested one has answered.

        The service uses the default workspace where it does not know the requested one,
        and the key's own where the key is bound to one, without a word.
        """
        ids = self.requested_workspace_id, self.workspace_id
        return None in ids or self.requested_workspace_id == self.workspace_id


async def ping(read: SendRead, requested_workspace_id: str | None) -> Ping:
    """Read the newest run test, and return what that shows."""
    started = time.perf_counter()
    page = await read(ListRunTests(limit=1))
    elapsed = time.perf_counter() - started
    newest: dict[str, Any] = next(iter(page.raw["results"]), {})
    agent = newest.get("agent_definition_detail")
    return Ping(
        elapsed=elapsed,
        run_test_count=page.count,
        organization_id=_id(newest, "organization"),
        workspace_id=_id(agent, "workspace"),
        requested_workspace_id=requested_workspace_id,
    )


def _id(value: Any, name: str) -> str | None:
    found = value.get(name) if isinstance(value, dict) else None
    return found.lower() if isinstance(found, str) else None
