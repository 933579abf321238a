"""The emulator on a socket: start, stop, log, faults and control."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import io
import json
import math
import socket
import sys
import threading
import urllib.request
from types import SimpleNamespace

import aiohttp
import pytest
from emulator_small_world import CONTAINS, EMPTY, POLITE, SHOP, path_of, small_world

from futureagi_async.emulator import Emulator, World
from futureagi_async.emulator.log import Log, LoggedRequest
from futureagi_async.emulator.rules.context import Effects
from futureagi_async.emulator.rules.workers import WorkSettings


ADD = path_of(EMPTY, "eval-configs/")
RUN = path_of(SHOP, "run-new-evals/")
RUN_ALL = {"select_all": True, "eval_config_ids": [POLITE]}


class Client:
    """A client without any help of its own: no retries, no redirects."""

    def __init__(self, emulator):
        self.emulator = emulator
        self.keys = {
            "X-Api-Key": emulator.api_key,
            "X-Secret-Key": emulator.secret_key,
        }

    async def __aenter__(self):
        self.session = aiohttp.ClientSession(auto_decompress=False)
        return self

    async def __aexit__(self, *_):
        await self.session.close()

    async def __call__(self, method, path, body=None, **options):
        headers = {**self.keys, **options.pop("headers", {})}
        if body is not None:
            options["json"] = body
        async with self.session.request(
            method,
            self.emulator.url + path,
            headers=headers,
            allow_redirects=False,
            **options,
        ) as response:
            return response.status, response.headers, await response.read()

    def add(self, name="x", **options):
        body = {"evaluations_config": [{"template_id": CONTAINS, "name": name}]}
        return self("POST", ADD, body, **options)


@pytest.fixture
async def emulator():
    async with Emulator(World.load(small_world())) as running:
        yield running


@pytest.fixture
async def client(emulator):
    async with Client(emulator) as ready:
        yield ready


async def test_it_serves_in_the_running_loop(client):
    status, headers, body = await client.add()

    assert status == 201
    assert headers["Content-Type"] == "application/json"
    assert json.loads(body)["run_test_id"] == EMPTY


async def test_the_request_id_is_the_clients_or_a_new_one(client):
    _, mine, _ = await client("GET", path_of(SHOP), headers={"X-Request-ID": "mine"})
    _, made, _ = await client("GET", path_of(SHOP))
    _, redirected, _ = await client("GET", path_of(SHOP)[:-1])

    assert mine["X-Request-ID"] == "mine"
    assert len(made["X-Request-ID"]) == 36
    assert "X-Request-ID" not in redirected


async def test_a_chunked_body_is_read_as_empty(client):
    async def chunks():
        yield b'{"evaluations_config": []}'

    headers = {"Content-Type": "application/json"}
    status, _, body = await client("POST", ADD, data=chunks(), headers=headers)

    assert status == 400
    assert b"This field is required." in body


async def test_long_headers_and_large_bodies_are_accepted(client):
    headers = {"X-Long": "x" * 16_000}
    status, _, _ = await client(
        "GET", f"{path_of(SHOP)}?q={'x' * 9000}", headers=headers
    )
    assert status == 200

    ids = [f"00000000-0000-4000-8000-{number:012x}" for number in range(40_000)]
    body = {"eval_config_ids": [POLITE], "test_execution_ids": ids}
    large = io.BytesIO(json.dumps(body).encode())
    headers = {"Content-Type": "application/json"}
    status, _, content = await client("POST", RUN, data=large, headers=headers)
    assert (status, b"No test executions found" in content) == (400, True)


async def test_links_use_the_address_that_the_client_used(client, emulator):
    _, _, body = await client("GET", "/simulate/run-tests/?limit=1")

    assert json.loads(body)["next"].startswith(f"{emulator.url}/simulate/run-tests/")


async def test_the_log_holds_what_arrived(client, emulator):
    _, _, body = await client.add("one", headers={"X-Request-ID": "first"})
    await client.add("one")
    await client("GET", "/nowhere/")
    await client("POST", RUN, RUN_ALL)

    log = emulator.log
    assert log.requests[0] == LoggedRequest(
        "POST", ADD, EMPTY, 201, "first", "answered", len(body)
    )
    assert log.counts == {
        ("add_eval_configs", 201): 1,
        ("add_eval_configs", 400): 1,
        ("none", 404): 1,
        ("run_new_evals", 200): 1,
    }
    assert log.configs == {EMPTY: 1}
    assert log.runs == {SHOP: 1}
    assert (log.in_flight, log.most_in_flight) == (0, 1)


async def test_the_log_counts_the_bytes_of_responses_by_endpoint(client, emulator):
    bodies = [(await client("GET", path_of(SHOP, "status/")))[2] for _ in range(2)]
    empty = await client("GET", "/simulate/run-tests?limit=1")

    log = emulator.log
    assert empty[0] == 301
    assert log.response_bytes == {"status": sum(map(len, bodies)), "none": 0}
    log.clear()
    assert log.response_bytes == {}


def test_the_log_has_a_bounded_size():
    log = Log(3)
    for number in range(1000):
        log.add(
            LoggedRequest("GET", f"/{number}", None, 200, "", "answered", 0),
            "none",
            Effects(),
        )

    assert [seen.path for seen in log.requests] == ["/997", "/998", "/999"]
    assert log.counts["none", 200] == 1000


async def until(condition):
    async with asyncio.timeout(60):
        while not condition():
            await asyncio.sleep(0.001)


async def test_latency_delays_concurrent_requests_in_parallel(leap):
    emulator = Emulator(World.load(small_world()), latency=60)
    async with emulator, Client(emulator) as client:
        adding = [asyncio.create_task(client.add(f"{number}")) for number in range(5)]
        await until(lambda: emulator.log.in_flight == 5)
        assert not emulator.log.counts
        leap(60)
        await asyncio.gather(*adding)

    assert emulator.log.configs == {EMPTY: 5}


async def test_the_work_is_done_even_if_the_client_disconnects(leap):
    emulator = Emulator(World.load(small_world()), latency=60)
    async with emulator, Client(emulator) as client:
        adding = asyncio.create_task(client.add())
        await until(lambda: emulator.log.in_flight == 1)
        adding.cancel()
        with pytest.raises(asyncio.CancelledError):
            await adding
        [connection] = emulator._server._runner.server.connections
        await until(lambda: connection.transport is None)
        leap(60)
        await until(lambda: emulator.log.counts)

    assert emulator.log.configs == {EMPTY: 1}


async def test_evaluations_finish_after_run_seconds(monkeypatch):
    now = 1000.0
    clock = SimpleNamespace(time=lambda: now)
    monkeypatch.setattr("futureagi_async.emulator.server.time", clock)
    emulator = Emulator(World.load(small_world()), dispatch="run", run_seconds=0.3)
    async with emulator, Client(emulator) as client:
        await client("POST", RUN, RUN_ALL)
        path = path_of(SHOP, "executions/?status=evaluating&limit=1")
        early = json.loads((await client("GET", path))[2])["count"]
        now += 0.3
        late = json.loads((await client("GET", path))[2])["count"]

    assert (early, late) == (2, 0)


async def test_it_can_be_started_once_and_again_after_it_stopped():
    emulator = Emulator(World.load(small_world()))
    async with emulator:
        with pytest.raises(RuntimeError, match="running already"):
            await emulator.start()
    with pytest.raises(RuntimeError, match="enter it first"):
        assert emulator.url
    async with emulator, Client(emulator) as client:
        assert (await client.add())[0] == 201
    await emulator.stop()


async def test_a_port_that_is_taken_is_an_error(emulator):
    with pytest.raises(OSError, match="address"):
        await Emulator(port=emulator._bound_port).start()


async def test_a_host_that_is_not_loopback_warns():
    with pytest.warns(UserWarning, match="where others can reach it"):
        async with Emulator(host="0.0.0.0"):
            pass


async def test_localhost_does_not_warn():
    async with Emulator(host="localhost") as emulator:
        assert emulator.url.startswith("http://localhost:")


async def test_an_unknown_host_name_warns_before_it_fails():
    with (
        pytest.warns(UserWarning, match="others"),
        pytest.raises(OSError),
    ):
        await Emulator(host="host.invalid").start()


def test_an_ipv6_address_has_brackets_in_the_url():
    emulator = Emulator(host="::1")
    emulator._bound_port = 1

    assert emulator.url == "http://[::1]:1"


@pytest.mark.parametrize(
    "settings",
    [
        {"dispatch": "maybe"},
        {"port": -1},
        {"port": 65_536},
        {"port": 80.5},
        {"latency": -1},
        {"latency": math.inf},
        {"latency": "1"},
        {"run_seconds": -1},
        {"run_seconds": math.nan},
        {"run_seconds": math.inf},
        {"call_seconds": -1},
        {"monitor_seconds": math.nan},
        {"evaluations_at_once": 0},
        {"log_size": -1},
        {"log_size": sys.maxsize + 1},
        {"log_size": 1.5},
    ],
)
def test_invalid_settings_are_rejected(settings):
    ((name, value),) = settings.items()

    with pytest.raises(ValueError, match=f"^{name} must be .*, not {value!r}$"):
        Emulator(**settings)


def test_a_reset_keeps_the_settings_of_the_workers():
    emulator = Emulator(
        dispatch="run",
        run_seconds=1,
        call_seconds=2,
        monitor_seconds=3,
        evaluations_at_once=4,
        restore_configs=True,
    )

    emulator.reset()

    workers = emulator.state.service.workers
    assert workers.dispatch == "run"
    assert workers.settings == WorkSettings(1, 2, 3, 4, restore_configs=True)


def test_a_blocking_user_has_a_thread_that_stops():
    with Emulator() as emulator:
        answer = urllib.request.urlopen(f"{emulator.url}/health/")
        with answer:
            assert json.load(answer)["status"] is True
        assert "futureagi-emulator" in [each.name for each in threading.enumerate()]

    assert "futureagi-emulator" not in [each.name for each in threading.enumerate()]


def test_the_error_of_a_thread_that_cannot_listen_is_raised():
    with Emulator() as emulator, pytest.raises(OSError, match="address"):
        Emulator(port=emulator._bound_port).__enter__()


def test_exiting_twice_does_nothing():
    with Emulator() as emulator:
        pass
    emulator.__exit__(None, None, None)


def test_open_connections_do_not_delay_the_stop(monkeypatch):
    monkeypatch.setattr("futureagi_async.emulator.server._IDLE_TIMEOUT", 3600.0)
    emulator = Emulator()
    with emulator:
        connection = http.client.HTTPConnection("127.0.0.1", emulator._bound_port)
        connection.request("GET", "/health/")
        connection.getresponse().read()
        leaving = threading.Thread(target=emulator._thread.stop, daemon=True)
        leaving.start()
        leaving.join(60)
        emulator._thread = None

    connection.close()
    assert not leaving.is_alive()


@pytest.mark.parametrize("turns", range(6))
async def test_a_connection_accepted_during_the_stop_is_closed(turns):
    async with Emulator() as emulator:
        address = "127.0.0.1", emulator._bound_port
        connections = [socket.create_connection(address) for _ in range(3)]
        for _ in range(turns):
            await asyncio.sleep(0)

    for each in connections:
        each.settimeout(60)
        with each, contextlib.suppress(ConnectionResetError):
            assert await asyncio.to_thread(each.recv, 1) == b""


def test_a_large_world_makes_no_rows_at_the_start():
    with Emulator(World.synthetic(100_000)) as emulator:
        assert emulator.url

    assert not emulator.world.run_tests._made


# ------------------------------------------------------------------ faults


async def test_a_latency_fault_can_be_limited_to_one_endpoint(client, emulator, leap):
    emulator.faults.add("latency", seconds=60, endpoint="add_eval_configs")
    adding = asyncio.create_task(client.add())
    await until(lambda: emulator.log.in_flight == 1)
    unhindered, _, _ = await client("GET", path_of(SHOP))
    was_done = adding.done()
    leap(60)

    assert (unhindered, was_done) == (200, False)
    assert (await adding)[0] == 201


@pytest.mark.parametrize(
    ("status", "retry_after", "expected"),
    [
        (
            429,
            2,
            {
                "status": False,
                "result": {
                    "code": "RATE_LIMITED",
                    "message": "Rate limit exceeded. Please try again later.",
                    "retry_after": 2,
                },
            },
        ),
        (
            402,
            None,
            {
                "error": {
                    "code": "PAYMENT_REQUIRED",
                    "message": "The plan's limit is reached.",
                    "detail": "The plan's limit is reached.",
                }
            },
        ),
        (503, 7, None),
        (None, None, None),
        (429, None, None),
    ],
)
async def test_a_status_fault_replaces_the_work(
    client, emulator, status, retry_after, expected
):
    emulator.faults.add("status", status=status, retry_after=retry_after, times=1)

    got, headers, body = await client.add()

    assert got == (status or 500)
    assert headers.get("Retry-After") == (str(retry_after) if retry_after else None)
    if expected:
        assert json.loads(body) == expected
    assert emulator.log.configs == {}
    assert emulator.log.requests[-1].outcome == "status"
    assert (await client.add())[0] == 201


@pytest.mark.parametrize(
    ("fault", "configs"), [("drop_before", {}), ("drop_after", {EMPTY: 1})]
)
async def test_a_connection_is_dropped_before_or_after_the_work(
    client, emulator, fault, configs
):
    emulator.faults.add(fault)

    with pytest.raises(aiohttp.ClientError):
        await client.add()

    assert emulator.log.configs == configs
    assert emulator.log.requests[-1].outcome == fault


async def test_a_truncate_fault_sends_half_of_the_response(client, emulator):
    emulator.faults.add("truncate")

    with pytest.raises(aiohttp.ClientPayloadError):
        await client.add()

    assert emulator.log.configs == {EMPTY: 1}


async def test_a_garbage_fault_sends_no_json(client, emulator):
    emulator.faults.add("garbage")

    status, headers, body = await client.add()

    assert (status, headers["Content-Type"]) == (201, "application/json")
    with pytest.raises(ValueError, match="Expecting value"):
        json.loads(body)


async def test_a_dispatch_fault_can_be_limited_to_one_run_test(client, emulator):
    emulator.faults.add("dispatch", run_test_id=SHOP)

    _, _, body = await client("POST", RUN, RUN_ALL)
    _, _, unhindered = await client("GET", path_of(EMPTY))

    assert b"async dispatch failed" in body
    assert emulator.log.runs == {}
    assert json.loads(unhindered)["id"] == EMPTY
    assert [seen.outcome for seen in emulator.log.requests] == ["dispatch", "answered"]


async def test_a_rate_limit_serves_some_requests(client, emulator):
    emulator.faults.add("rate_limit", per_minute=2)

    answers = [await client("GET", path_of(SHOP)) for _ in range(3)]

    assert [status for status, _, _ in answers] == [200, 200, 429]
    assert 1 <= int(answers[2][1]["Retry-After"]) <= 60
    assert json.loads(answers[2][2])["result"]["code"] == "RATE_LIMITED"


def test_a_rate_limit_has_room_again_after_a_minute():
    emulator = Emulator()
    limit = emulator.faults.add("rate_limit", per_minute=1)

    hits = [limit.hit("x", None, now) for now in (0.0, 30.0, 61.0)]

    assert hits == [False, True, False]
    assert limit.seconds_until_free(91.0) == 30.0


def test_a_rate_limit_of_zero_asks_for_a_minute():
    emulator = Emulator()
    limit = emulator.faults.add("rate_limit", per_minute=0)

    assert limit.hit("x", None, 0.0)
    assert limit.seconds_until_free(0.0) == 60.0


def test_a_fault_hits_at_random_but_equally_for_equal_seeds():
    faults = Emulator().faults
    rows = [
        [fault.hit("x", None, 0.0) for _ in range(1000)]
        for fault in (
            faults.add("status", probability=0.3, seed=1),
            faults.add("status", probability=0.3, seed=1),
            faults.add("status", probability=0.3, seed=2),
        )
    ]

    assert rows[0] == rows[1] != rows[2]
    assert 200 < sum(rows[0]) < 400


def test_a_fault_has_defaults():
    faults = Emulator().faults

    assert faults.add("latency").delay == 1.0
    assert faults.add("rate_limit").limit == 100
    faults.clear()
    assert faults.active == []


@pytest.mark.parametrize(
    "wrong", [{"fault": "nonsense"}, {"fault": "status", "probability": 2}]
)
def test_an_invalid_fault_is_rejected(wrong):
    with pytest.raises(ValueError, match=r"fault must be one of|probability"):
        Emulator().faults.add(**wrong)


# ------------------------------------------------------------------ control


async def control(client, path, body=None, method="POST"):
    status, _, content = await client(method, f"/_emulator/{path}", body)
    return status, json.loads(content)


async def test_a_reset_can_replace_the_world(client, emulator):
    await client.add()
    emulator.faults.add("status", status=500)

    world = small_world()
    world["run_tests"][0]["name"] = "renamed"
    answer = await control(client, "reset", {"world": world, "dispatch": "fail"})

    assert answer == (200, {"status": "reset"})
    assert emulator.world.run_tests.get(SHOP).name == "renamed"
    assert not emulator.log.requests
    _, _, body = await client("POST", RUN, RUN_ALL)
    assert b"async dispatch failed" in body


async def test_a_reset_without_a_world_restores_the_first_one(client, emulator):
    await client.add()

    assert await control(client, "reset") == (200, {"status": "reset"})

    assert emulator.world.run_tests.get(EMPTY).eval_configs == []


async def test_a_reset_can_come_from_the_same_process(client, emulator):
    emulator.reset(World.synthetic(1), dispatch="run")

    assert len(emulator.world.run_test_ids) == 1
    assert emulator.api_key == "emulator-api-key-0"


@pytest.mark.parametrize(
    ("path", "body", "problem"),
    [
        ("reset", [], "reset takes an object"),
        ("reset", {"dispatch": "maybe"}, "dispatch must be"),
        ("reset", {"world": []}, "a world is an object"),
        ("reset", {"world": {"api_keys": 1}}, "api_keys is a list"),
        ("faults", {}, "a list"),
        ("faults", [{"fault": "x"}], "fault must be one of"),
        ("faults", [{"fault": "status", "colour": 1}], "colour"),
    ],
)
async def test_the_response_to_an_invalid_control_request_names_the_problem(
    client, path, body, problem
):
    status, answer = await control(client, path, body)

    assert status == 400
    assert problem in answer["error"]


async def test_unknown_control_paths_name_the_known_ones(client):
    status, answer = await control(client, "log")

    assert status == 404
    assert "GET /_emulator/log" in answer["error"]


async def test_the_log_can_be_read_over_http(client):
    await client.add(headers={"X-Request-ID": "one"})
    await client("POST", RUN, RUN_ALL)

    status, answer = await control(client, "log", method="GET")

    assert status == 200
    assert answer["counts"] == {
        "add_eval_configs": {"201": 1},
        "run_new_evals": {"200": 1},
    }
    assert answer["requests"][0]["request_id"] == "one"
    sizes = [each["response_bytes"] for each in answer["requests"]]
    assert list(answer["response_bytes"].values()) == sizes
    assert (answer["runs"], answer["configs"]) == ({SHOP: 1}, {EMPTY: 1})
    assert (answer["in_flight"], answer["most_in_flight"]) == (0, 1)


async def test_faults_set_over_http_replace_the_active_ones(client, emulator):
    emulator.faults.add("drop_before")

    assert await control(
        client, "faults", [{"fault": "status", "status": 503, "times": 1}]
    ) == (200, {"faults": 1})

    assert (await client.add())[0] == 503
    assert (await client.add())[0] == 201


async def test_control_can_be_switched_off():
    emulator = Emulator(World.load(small_world()), control=False)
    async with emulator, Client(emulator) as client:
        status, _, _ = await client("GET", "/_emulator/log")

    assert status == 404
