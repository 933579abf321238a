"""What a request looks like on the wire, byte for byte."""

from __future__ import annotations

import json
import platform
import uuid
from pathlib import Path

import aiohttp
import pytest
from aioresponses import CallbackResult
from raw_server import CONFIG, RUN_TEST, RawServer, Reply, http, success, success_body
from simulation import request, run_test_id

from futureagi_async import (
    AuthenticationError,
    NotFoundError,
    RateLimitError,
    RetryPolicy,
    RunNewEvals,
    UnexpectedResponseError,
    __version__,
)


WORKSPACE = "0b8a57e4-1111-4222-8333-c0ffee000001"
TEMPLATE = "77777777-8888-4999-8aaa-bbbbbbbbbbbb"
USER_AGENT = (
    f"futureagi-async/{__version__} "
    f"Python/{platform.python_version()} aiohttp/{aiohttp.__version__}"
)


def added(got) -> Reply:
    names = [each["name"] for each in json.loads(got.body)["evaluations_config"]]
    created = [
        {
            "id": CONFIG,
            "name": name,
            "config": {},
            "mapping": {},
            "filters": [],
            "error_localizer": False,
            "model": None,
            "status": "Completed",
            "eval_group": None,
            "template_id": TEMPLATE,
        }
        for name in names
    ]
    body = {
        "message": "Successfully added",
        "created_eval_configs": created,
        "run_test_id": got.run_test_id,
    }
    return Reply(http(201, body))


async def test_run_new_evals_is_exactly_this(connect, keys):
    async with RawServer() as server:
        await connect(server, workspace_id=WORKSPACE).run_new_evals(
            RUN_TEST, eval_config_ids=[CONFIG], select_all=True
        )

    [got] = server.requests
    body = b'{"select_all":true,"eval_config_ids":["%s"]}' % CONFIG.encode()
    assert got.request_line == (
        f"POST /simulate/run-tests/{RUN_TEST}/run-new-evals/ HTTP/1.1"
    )
    headers = dict(got.headers)
    assert uuid.UUID(headers.pop("X-Request-ID")).hex == got.header("X-Request-ID")
    assert headers == {
        "Host": f"127.0.0.1:{server.port}",
        "User-Agent": USER_AGENT,
        "Accept": "application/json",
        "X-Api-Key": keys[0],
        "X-Secret-Key": keys[1],
        "X-Workspace-Id": WORKSPACE,
        "Accept-Encoding": got.header("Accept-Encoding"),
        "Content-Type": "application/json",
        "Content-Length": str(len(body)),
    }
    assert len(got.headers) == 10
    assert got.body == body
    assert bytes(server.raw[0]) == got.head + got.body


async def test_add_eval_configs_is_exactly_this(connect):
    async with RawServer(added) as server:
        await connect(server).add_eval_configs(
            RUN_TEST, [{"template_id": TEMPLATE, "name": "tone", "filters": []}]
        )

    [got] = server.requests
    assert got.request_line == (
        f"POST /simulate/run-tests/{RUN_TEST}/eval-configs/ HTTP/1.1"
    )
    assert json.loads(got.body) == {
        "evaluations_config": [
            {"template_id": TEMPLATE, "name": "tone", "filters": []},
        ]
    }
    assert got.header("X-Workspace-Id") is None
    assert got.header("Transfer-Encoding") is None
    assert got.header("Authorization") is None


async def test_a_netrc_adds_no_authorization(connect, monkeypatch, tmp_path):
    netrc = tmp_path / ".netrc"
    netrc.write_text("machine 127.0.0.1 login me password mine\ndefault login a\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    assert Path.home() == tmp_path
    async with RawServer() as server:
        await connect(server).send(request())

    assert server.requests[0].header("Authorization") is None


async def test_cookies_are_not_sent_back(connect):
    with_cookie = Reply(http(200, success_body(), Set_Cookie="session=1; Path=/"))
    async with RawServer(with_cookie) as server:
        client = connect(server)
        await client.send(request())
        await client.send(request())

    assert [each.header("Cookie") for each in server.requests] == [None, None]


async def test_a_body_over_a_mebibyte_has_its_length_and_arrives_whole(connect):
    config = {"text": "é" * 2**20}
    async with RawServer(added) as server:
        result = await connect(server).add_eval_configs(
            RUN_TEST, [{"template_id": TEMPLATE, "name": "large", "config": config}]
        )

    [got] = server.requests
    assert len(result.created_eval_configs) == 1
    assert len(got.body) > 2**21
    assert got.header("Content-Length") == str(len(got.body))
    assert got.header("Content-Type") == "application/json"
    assert got.header("Transfer-Encoding") is None
    assert json.loads(got.body)["evaluations_config"][0]["config"] == config


async def test_a_large_body_is_sent_whole_again_when_it_is_retried(connect):
    again = Reply(http(429, Retry_After="0"))
    async with RawServer(again, added) as server:
        await connect(server).add_eval_configs(
            RUN_TEST,
            [{"template_id": TEMPLATE, "name": "n", "config": {"t": "x" * 2**21}}],
        )

    first, second = server.requests
    assert first.body == second.body


@pytest.mark.parametrize("base", ["/api", "/api/", "/a%20b/c"])
async def test_a_path_in_the_base_url_is_kept(base, connect):
    async with RawServer() as server:
        await connect(server.url + base).send(request())

    assert server.requests[0].path == (
        f"{base.rstrip('/')}/simulate/run-tests/{RUN_TEST}/run-new-evals/"
    )


async def test_own_headers_are_added_and_may_name_the_user_agent(connect):
    headers = {"X-Team": "evals", "User-Agent": "ours/1"}
    async with RawServer() as server:
        await connect(server, headers=headers).send(request())

    assert server.requests[0].header("X-Team") == "evals"
    assert server.requests[0].header("User-Agent") == "ours/1"


async def test_each_attempt_has_a_request_id_of_its_own(connect):
    again = Reply(http(429, Retry_After="0"))
    async with RawServer(again, again, success) as server:
        result = await connect(server).send(request())

    ids = [each.header("X-Request-ID") for each in server.requests]
    assert len(set(ids)) == 3
    assert result.request_id == ids[-1]


async def test_one_connection_serves_one_request_after_the_other(connect):
    async with RawServer() as server:
        client = connect(server)
        for number in range(5):
            await client.send(request(number))

    assert server.connections == 1


async def test_options_of_a_copy_reach_the_same_connections(connect):
    async with RawServer() as server:
        client = connect(server)
        await client.send(request())
        await client.with_options(timeout=5).send(request())

    assert server.connections == 1
    assert len(server.requests) == 2


URL = "https://api.futureagi.com/simulate/run-tests"


async def test_the_default_address_is_that_of_the_service(connect, wire):
    wire.post(f"{URL}/{RUN_TEST}/run-new-evals/", body=success_body())

    result = await connect(None).send(request())

    assert result.call_execution_count == 3


async def test_the_wire_gets_body_headers_and_no_redirects(connect, wire):
    seen = {}

    def note(url, **kwargs):
        seen.update(kwargs)
        return CallbackResult(body=success_body())

    wire.post(f"{URL}/{RUN_TEST}/run-new-evals/", callback=note)

    await connect(None).run_new_evals(
        RUN_TEST, eval_config_ids=[CONFIG], test_execution_ids=[TEMPLATE]
    )

    assert json.loads(seen["data"]) == {
        "eval_config_ids": [CONFIG],
        "test_execution_ids": [TEMPLATE],
    }
    assert seen["headers"]["Content-Type"] == "application/json"
    assert seen["allow_redirects"] is False


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (401, '{"code": "authentication_failed"}', AuthenticationError),
        (404, "<html><title>Not Found</title></html>", NotFoundError),
        (429, '{"result": {"retry_after": 61}}', RateLimitError),
        (200, "", UnexpectedResponseError),
    ],
)
async def test_answers_become_errors(status, body, error, connect, wire):
    wire.post(f"{URL}/{RUN_TEST}/run-new-evals/", status=status, body=body)

    with pytest.raises(error):
        await connect(None).send(request())


async def test_a_batch_sends_one_request_a_run_test(connect, wire):
    numbers = range(20)
    for number in numbers:
        run_test = run_test_id(number)
        url = f"{URL}/{run_test}/run-new-evals/"
        wire.post(url, body=success_body(run_test))

    batch = await connect(
        None, retry=RetryPolicy(reconcile=False, max_attempts=1)
    ).send_many(
        RunNewEvals(run_test_id(number), [CONFIG], select_all=True)
        for number in numbers
    )

    assert [each.run_test_id for each in batch] == [run_test_id(n) for n in numbers]
    assert len(batch.successes) == 20
    assert {len(calls) for calls in wire.requests.values()} == {1}
