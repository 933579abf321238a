"""A small world of the project's own, and a caller of the rules without a socket."""

from __future__ import annotations

import json
from urllib.parse import unquote

from multidict import CIMultiDict

from futureagi_async.emulator.rules.exchange import Request
from futureagi_async.emulator.rules.service import Service
from futureagi_async.emulator.rules.workers import WorkSettings


ORG = "0a000000-0000-4000-8000-00000000000a"
HOME = "0a000000-0000-4000-8000-0000000000f1"
AWAY = "0a000000-0000-4000-8000-0000000000f2"
NOBODY = "99999999-9999-4999-8999-999999999999"

CONTAINS = "c0000000-0000-4000-8000-000000000001"
SCORE = "c0000000-0000-4000-8000-000000000002"
CHOICES = "c0000000-0000-4000-8000-000000000003"
NUMERIC = "c0000000-0000-4000-8000-000000000004"
COUNTED = "c0000000-0000-4000-8000-000000000005"
OURS = "c0000000-0000-4000-8000-000000000006"
THEIRS = "c0000000-0000-4000-8000-000000000007"

SHOP = "a0000000-0000-4000-8000-000000000001"
EMPTY = "a0000000-0000-4000-8000-000000000002"
MIXED = "a0000000-0000-4000-8000-000000000003"
AWAY_TEST = "a0000000-0000-4000-8000-000000000004"
GONE = "a0000000-0000-4000-8000-000000000005"
SILENT = "a0000000-0000-4000-8000-000000000006"

POLITE = "b0000000-0000-4000-8000-000000000001"
SHORT = "b0000000-0000-4000-8000-000000000002"
REMOVED = "b0000000-0000-4000-8000-000000000003"
MIXED_CONFIG = "b0000000-0000-4000-8000-000000000004"
SILENT_CONFIG = "b0000000-0000-4000-8000-000000000005"

MONDAY = "e0000000-0000-4000-8000-000000000001"
TUESDAY = "e0000000-0000-4000-8000-000000000002"
DONE = "e0000000-0000-4000-8000-000000000003"
RUNNING = "e0000000-0000-4000-8000-000000000004"
WITHOUT_CALLS = "e0000000-0000-4000-8000-000000000005"
BROKEN = "e0000000-0000-4000-8000-000000000006"

FIRST_CALL = "d0000000-0000-4000-8000-000000000001"
SECOND_CALL = "d0000000-0000-4000-8000-000000000002"
AWAY_CALL = "d0000000-0000-4000-8000-000000000009"

PASSED = {
    "value": "Passed",
    "reason": "polite enough",
    "type": "Pass/Fail",
    "name": "polite",
    "error": False,
    "status": "Completed",
    "skipped": False,
}


def api_key(name, **changes):
    return {
        "name": name,
        "api_key": f"key-{name}",
        "secret_key": f"secret-{name}",
        "organization": ORG,
        "workspace": HOME,
        "role": "owner",
        "enabled": True,
        **changes,
    }


def template(row_id, name, **changes):
    return {"id": row_id, "name": name, "required_keys": ["text"], **changes}


def eval_config(row_id, name, **changes):
    return {
        "id": row_id,
        "name": name,
        "template_id": CONTAINS,
        "config": {"params": {"keyword": "hello"}},
        "mapping": {"text": "transcript"},
        **changes,
    }


def call(row_id, status="completed", **outputs):
    return {"id": row_id, "status": status, "eval_outputs": outputs}


def run_test(row_id, name, **changes):
    return {
        "id": row_id,
        "name": name,
        "organization": ORG,
        "workspace": HOME,
        "agent_name": "Ada",
        "scenarios": [
            {"id": "5c000000-0000-4000-8000-000000000001", "name": "Angry buyer"}
        ],
        **changes,
    }


def small_world():
    """Return a world with one row of every kind that the rules distinguish."""
    return {
        "about": ["columns and tables that the emulator does not know are fine"],
        "api_keys": [
            api_key("viewer", role="viewer"),
            api_key("off", enabled=False),
            api_key("owner"),
            api_key("away", workspace=AWAY),
        ],
        "eval_templates": [
            template(CONTAINS, "contains", on_run={**PASSED, "name": "x"}),
            template(SCORE, "similarity", output_type="score"),
            template(CHOICES, "tone", output_type="choices", required_keys=["output"]),
            template(NUMERIC, "distance", output_type="numeric", listed=False),
            template(
                COUNTED,
                "word_count",
                function_params_schema={
                    "most": {"type": "integer", "minimum": 1, "required": True},
                    "ratio": {"type": "number", "default": 0.5, "maximum": 1},
                },
            ),
            template(OURS, "ours", organization=ORG, workspace=HOME),
            template(THEIRS, "theirs", organization=ORG, workspace=AWAY),
        ],
        "run_tests": [
            run_test(
                SHOP,
                "shop",
                eval_configs=[
                    eval_config(POLITE, "polite"),
                    eval_config(SHORT, "short", template_id=SCORE),
                    eval_config(REMOVED, "removed", deleted=True),
                ],
                executions=[
                    {
                        "id": MONDAY,
                        "status": "completed",
                        "calls": [
                            call(FIRST_CALL, **{POLITE: PASSED, REMOVED: PASSED}),
                            call(SECOND_CALL, **{POLITE: PASSED}),
                        ],
                    },
                    {
                        "id": TUESDAY,
                        "status": "completed",
                        "calls": [call("d0000000-0000-4000-8000-000000000003")],
                    },
                ],
            ),
            run_test(EMPTY, "empty", scenarios=[]),
            run_test(
                MIXED,
                "mixed",
                eval_configs=[eval_config(MIXED_CONFIG, "only one")],
                executions=[
                    {
                        "id": DONE,
                        "status": "completed",
                        "calls": [call("d0000000-0000-4000-8000-000000000004")],
                    },
                    {"id": RUNNING, "status": "running", "calls": []},
                ],
            ),
            run_test(
                AWAY_TEST,
                "away",
                workspace=AWAY,
                executions=[
                    {
                        "id": "e0000000-0000-4000-8000-000000000009",
                        "status": "completed",
                        "calls": [call(AWAY_CALL)],
                    }
                ],
            ),
            run_test(GONE, "gone", deleted=True),
            run_test(
                SILENT,
                "silent",
                eval_configs=[eval_config(SILENT_CONFIG, "silent")],
                executions=[
                    {"id": WITHOUT_CALLS, "status": "completed", "calls": []},
                    {
                        "id": BROKEN,
                        "status": "completed",
                        "calls": [
                            call("d0000000-0000-4000-8000-000000000005", "failed")
                        ],
                    },
                ],
            ),
        ],
    }


class Reply:
    """A response with its body decoded."""

    def __init__(self, served):
        self.served = served
        self.status = served.response.status
        self.headers = served.response.headers
        self.content_type = served.response.content_type
        self.text = served.response.body.decode()

    @property
    def json(self):
        return json.loads(self.text)

    @property
    def message(self):
        """The message of an error, which all four fields must repeat."""
        body = self.json
        assert body["status"] is False
        assert body["detail"] == body["message"] == body["error"] == body["result"]
        return body["message"]


class Caller:
    """A client of the rules, at a time that only the test moves."""

    def __init__(self, world, dispatch="accept", seconds=10.0):
        self.service = Service.create(world, dispatch, WorkSettings(seconds))
        self.now = 1_800_000_000.0

    @property
    def world(self):
        return self.service.world

    def __call__(self, method, path, body=None, *, key="owner", headers=None, raw=None):
        sent = CIMultiDict()
        if key is not None:
            sent["X-Api-Key"] = f"key-{key}"
            sent["X-Secret-Key"] = f"secret-{key}"
        content = b""
        if body is not None or raw is not None:
            sent["Content-Type"] = "application/json"
            content = json.dumps(body).encode() if raw is None else raw
        sent.update(headers or {})
        path, _, query = path.partition("?")
        request = Request(
            method, unquote(path), query, sent, content, "http://emulator"
        )
        return Reply(self.service.serve(request, self.now))

    def get(self, path, **options):
        return self("GET", path, **options)

    def add(self, run_test_id, *configs, **options):
        body = {"evaluations_config": list(configs)}
        return self("POST", path_of(run_test_id, "eval-configs/"), body, **options)

    def run(self, run_test_id, config_ids, **fields):
        body = {"eval_config_ids": config_ids, **fields}
        return self("POST", path_of(run_test_id, "run-new-evals/"), body)

    def update(self, run_test_id, config_id, **fields):
        path = path_of(run_test_id, f"eval-configs/{config_id}/update/")
        return self("POST", path, fields)

    def states(self, run_test_id):
        """Return the state of every execution by its id."""
        listed = self.get(path_of(run_test_id, "executions/?limit=100")).json["results"]
        return {execution["id"]: execution["status"] for execution in listed}

    def listed_outputs(self, run_test_id, call_id):
        """Return the results that a call shows in the list of calls."""
        path = path_of(run_test_id, "call-executions/?limit=100")
        listed = {each["id"]: each for each in self.get(path).json["results"]}
        return listed[call_id]["eval_outputs"]

    def outputs(self, call_id):
        """Return the results that a call shows."""
        return self.get(f"/simulate/call-executions/{call_id}/").json["eval_outputs"]


def path_of(run_test_id, suffix=""):
    """Return a path under a run test."""
    return f"/simulate/run-tests/{run_test_id}/{suffix}"
