"""A client that is generated from an OpenAPI document."""

from __future__ import annotations

import asyncio
import importlib
import pathlib
import subprocess
import sys
import uuid
from typing import TYPE_CHECKING, Any

import attrs

from benchmarks.clients import check
from benchmarks.work import CONNECT, HEADERS, READ


if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.server import Address
    from benchmarks.work import Work


_OPENAPI = pathlib.Path(__file__).parent / "openapi.json"
_BODIES = {"run_new_evals": "RunNewEvals", "add_eval_configs": "AddEvalConfigs"}


@attrs.frozen
class GeneratedClient:
    """The client that openapi-python-client makes of `openapi.json`, with a worker pool.

    `folder` has the generated package `run_tests` in it.
    """

    folder: pathlib.Path

    @classmethod
    def generate(cls, folder: pathlib.Path) -> GeneratedClient:
        """Generate the client in a folder."""
        config = folder / "config.yml"
        config.write_text("post_hooks: []\n")  # it is not formatted, only run
        command = [sys.executable, "-m", "openapi_python_client", "generate"]
        command += ["--path", str(_OPENAPI), "--meta", "none"]
        command += ["--output-path", str(folder / "run_tests")]
        command += ["--config", str(config)]
        subprocess.run(command, check=True, capture_output=True)  # noqa: S603 - our own document
        return cls(folder)

    async def send(
        self, address: Address, work: Work, count: int, in_flight: int
    ) -> None:
        """Send all requests."""
        package = self._imported("")
        endpoint = self._imported(f".api.simulate.{work.name}").asyncio
        body_class = getattr(self._imported(".models"), _BODIES[work.name])
        answers: list[Any] = []

        async def send_each(client: Any, posts: Iterator[tuple[str, Any]]) -> None:
            for path, payload in posts:
                answer = await endpoint(
                    uuid.UUID(path.split("/")[3]),
                    client=client,
                    body=body_class.from_dict(payload),
                )
                if answer is not None:
                    answers.append(answer)

        httpx: Any = importlib.import_module("httpx")
        async with package.Client(
            base_url=address.url,
            headers=HEADERS,
            timeout=httpx.Timeout(READ, connect=CONNECT),
            httpx_args={"limits": httpx.Limits(max_connections=in_flight)},
            raise_on_unexpected_status=True,
        ) as client:
            posts = work.posts(count)
            await asyncio.gather(*(send_each(client, posts) for _ in range(in_flight)))
        check(len(answers), count)

    def _imported(self, name: str) -> Any:
        if str(self.folder) not in sys.path:
            sys.path.insert(0, str(self.folder))
        return importlib.import_module(f"run_tests{name}")
