"""The work that all are measured with: the same ids, configs and bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from futureagi_async import AddEvalConfigs, RunNewEvals


if TYPE_CHECKING:
    from collections.abc import Iterator


API_KEY, SECRET_KEY = "benchmark-key", "benchmark-secret"
HEADERS = {
    "Accept": "application/json",
    "Content-Type": "application/json",
    "X-Api-Key": API_KEY,
    "X-Secret-Key": SECRET_KEY,
}
CONNECT, READ, TOTAL = 5.0, 60.0, 300.0
"""The client's default timeouts in seconds, which its peers get too."""

_CONFIG_IDS = [f"{index:08x}-4c0f-4000-8000-000000000000" for index in range(3)]
_TEMPLATE = "8852dfdd-16f3-4a5a-9bb6-4025b3983786"


def run_test_ids(count: int) -> Iterator[str]:
    """Return an iterator of ids."""
    return (f"{index:08x}-0000-4000-8000-000000000000" for index in range(count))


def configs(count: int) -> list[dict[str, Any]]:
    """Return eval configs as a user's file has them."""
    return [
        {
            "template_id": _TEMPLATE,
            "name": f"eval {index}",
            "config": {"params": {"keyword": "order"}},
            "mapping": {"text": "transcript"},
        }
        for index in range(count)
    ]


class RunWork:
    """Three eval configs to run on each run test: each request has its own body."""

    name = "run_new_evals"

    def requests(self, count: int) -> Iterator[RunNewEvals]:
        """Return the work as requests of this package."""
        return (
            RunNewEvals(each, _CONFIG_IDS, select_all=True)
            for each in run_test_ids(count)
        )

    def posts(self, count: int) -> Iterator[tuple[str, Any]]:
        """Return the work as paths and payloads."""
        return (
            (
                f"/simulate/run-tests/{each}/run-new-evals/",
                {"select_all": True, "eval_config_ids": _CONFIG_IDS},
            )
            for each in run_test_ids(count)
        )

    def bodies(self, count: int) -> Iterator[tuple[str, bytes]]:
        """Return the work as paths and bytes."""
        return ((path, orjson.dumps(payload)) for path, payload in self.posts(count))


class AddWork:
    """Three eval configs to add to each run test: all requests share one body."""

    name = "add_eval_configs"

    def requests(self, count: int) -> Iterator[AddEvalConfigs]:
        """Return the work as requests of this package."""
        shared = AddEvalConfigs("0" * 32, configs(3)).evaluations_config
        return (AddEvalConfigs(each, shared) for each in run_test_ids(count))

    def posts(self, count: int) -> Iterator[tuple[str, Any]]:
        """Return the work as paths and payloads."""
        payload = {"evaluations_config": configs(3)}
        return (
            (f"/simulate/run-tests/{each}/eval-configs/", payload)
            for each in run_test_ids(count)
        )

    def bodies(self, count: int) -> Iterator[tuple[str, bytes]]:
        """Return the work as paths and bytes."""
        body = orjson.dumps({"evaluations_config": configs(3)})
        return ((path, body) for path, _ in self.posts(count))


Work = RunWork | AddWork
