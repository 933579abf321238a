"""A service that executes run tests, cancels and reruns, and never leaves the process."""

from __future__ import annotations

import datetime as dt
import json
import re
import uuid
from collections import deque
from functools import partial
from typing import TYPE_CHECKING, Any

import attrs
from jumping_clock import now
from reconciling_service import Sent, answered, lost


if TYPE_CHECKING:
    from collections.abc import Callable

    from futureagi_async.transport.http import HTTPRequest, HTTPResponse


RUN_TEST = "b968b200-c57b-5aca-9c9f-60672e3183e7"
DISPATCH_ERROR = "no Temporal server"
LEFT_OUT = {"pending", "running", "cancelling"}


def ago(seconds: float) -> dt.datetime:
    return dt.datetime.now(dt.UTC) - dt.timedelta(seconds=seconds)


@attrs.define
class Row:
    """An execution as the service keeps it."""

    status: str = "completed"
    started_at: dt.datetime | None = attrs.field(factory=partial(ago, 7200))
    completed_at: dt.datetime | None = attrs.field(factory=partial(ago, 7000))
    calls: int = 4
    id: str = attrs.field(factory=lambda: str(uuid.uuid4()))


class SimulatingService:
    """Answers attempts of one run test; what goes wrong is put into `trouble`.

    Each write takes one from `trouble`: `before` and `after` lose the connection before
    and after the work, `None` lets it through, and a function is called with what does
    the work, and gives the answer. `rows` has the newest execution first. `on_read` is
    called with the number of each read before it is served.
    """

    def __init__(self, *trouble: Any, rows: list[Row] | None = None) -> None:
        self.trouble = deque(trouble)
        self.rows = rows if rows is not None else [Row()]
        self.dispatch_fails = False
        self.metrics_status = 200
        self.on_read: Callable[[int], object] = lambda number: None
        self.sent: list[Sent] = []

    @property
    def reads(self) -> list[Sent]:
        return [each for each in self.sent if each.method == "GET"]

    @property
    def writes(self) -> list[Sent]:
        return [each for each in self.sent if each.method == "POST"]

    async def send(self, attempt: HTTPRequest) -> HTTPResponse:
        self.sent.append(Sent(now(), attempt.method, attempt.path, attempt.body))
        attempt.connection_acquired = True
        if attempt.method == "GET":
            self.on_read(len(self.reads))
            return self.served(attempt)
        trouble = self.trouble.popleft() if self.trouble else None
        if trouble == "before":
            raise lost()
        if callable(trouble):
            return trouble(partial(self.served, attempt))
        answer = self.served(attempt)
        if trouble == "after":
            raise lost()
        return answer

    def served(self, attempt: HTTPRequest) -> HTTPResponse:
        """What the service does and answers."""
        if self.metrics_status != 200 and "/metrics/" in attempt.path:
            return answered(self.metrics_status, b"<html>no such page</html>")
        for pattern, serve in _ROUTES:
            found = re.fullmatch(pattern, attempt.path)
            if found:
                status, body = serve(
                    self, *found.groups(), json.loads(attempt.body or b"{}")
                )
                return answered(status, json.dumps(body, default=str).encode())
        raise AssertionError(f"no route for {attempt.path}")

    async def aclose(self) -> None:
        pass

    def detach(self) -> None:
        pass

    def add(self, **fields: Any) -> Row:
        """Add an execution that starts now."""
        row = Row(**{"status": "pending", "started_at": ago(0)} | fields)
        self.rows.insert(0, row)
        return row

    def row(self, id_: str) -> Row | None:
        return next((each for each in self.rows if each.id == id_), None)

    def list(self, page: str, limit: str, _: Any) -> tuple[int, Any]:
        first = (int(page) - 1) * int(limit)
        shown = self.rows[first : first + int(limit)]
        return 200, {
            "count": len(self.rows),
            "total_pages": -(-len(self.rows) // int(limit)),
            "current_page": int(page),
            "results": [
                {
                    "id": each.id,
                    "status": each.status.title(),
                    "start_time": each.started_at,
                    "calls": each.calls,
                }
                for each in shown
            ],
        }

    def metrics(self, id_: str, _: Any) -> tuple[int, Any]:
        row = self.row(id_)
        if row is None:
            return 404, {"detail": "Test execution not found"}
        state = {
            "execution_id": row.id,
            "status": row.status,
            "completed_at": row.completed_at,
            "metrics": {
                "calls": {
                    "total": row.calls,
                    "completed": row.calls,
                    "failed": 0,
                    "pending": 0,
                }
            },
        }
        return 200, {"status": True, "result": state}

    def execute(self, run_test_id: str, body: Any) -> tuple[int, Any]:
        row = self.add(completed_at=None, calls=0)
        if self.dispatch_fails:
            text = f"Failed to start test execution: {DISPATCH_ERROR}"
            return 400, {"message": text}
        return 200, {
            "message": "Test execution started successfully",
            "execution_id": row.id,
            "run_test_id": run_test_id,
            "status": "started",
            "total_scenarios": 2,
            "total_calls": 0,
            "scenario_ids": body.get("scenario_ids", []),
        }

    def cancel(self, id_: str, _: Any) -> tuple[int, Any]:
        row = self.row(id_)
        if row is None:
            return 404, {"detail": "Test execution not found"}
        row.status = "cancelled"
        message = "Test execution cancellation initiated"
        return 200, {"success": True, "message": message, "test_execution_id": id_}

    def rerun(self, run_test_id: str, body: Any) -> tuple[int, Any]:
        ids = body.get("test_execution_ids") or [each.id for each in self.rows]
        found = [
            row for row in map(self.row, ids) if row and row.status not in LEFT_OUT
        ]
        if not found:
            return 400, {"message": "No test executions found that can be rerun."}
        results = [self._rerun(row, body["rerun_type"]) for row in found]
        return 200, {
            "message": "rerun prepared",
            "run_test_id": run_test_id,
            "rerun_type": body["rerun_type"],
            "results": results,
            "overall_success_count": sum(e["success_count"] for e in results),
            "overall_failure_count": sum(e["failure_count"] for e in results),
        }

    def rerun_calls(self, id_: str, body: Any) -> tuple[int, Any]:
        row = self.row(id_)
        assert row is not None
        result = self._rerun(row, body["rerun_type"])
        calls = body.get("call_execution_ids", [])
        return 200, {
            **result,
            "message": "rerun prepared",
            "rerun_type": body["rerun_type"],
            "successful_reruns": [] if self.dispatch_fails else calls,
        }

    def _rerun(self, row: Row, kind: str) -> dict[str, Any]:
        if not self.dispatch_fails:
            row.status = "evaluating" if kind == "eval_only" else "running"
        elif kind == "call_and_eval":
            row.status = "failed"
        failed = row.calls if self.dispatch_fails else 0
        return {
            "test_execution_id": row.id,
            "success_count": row.calls - failed,
            "failure_count": failed,
            "dispatch_error": DISPATCH_ERROR if failed else None,
        }


_RUN_TEST, _EXECUTION = (
    r"/simulate/run-tests/([^/]+)",
    r"/simulate/test-executions/([^/]+)",
)
_ROUTES: list[tuple[str, Any]] = [
    (
        r"/simulate/run-tests/[^/]+/executions/\?page=(\d+)&limit=(\d+)",
        SimulatingService.list,
    ),
    (
        r"/sdk/api/v1/simulation/metrics/\?execution_id=(.+)",
        SimulatingService.metrics,
    ),
    (rf"{_RUN_TEST}/execute/", SimulatingService.execute),
    (rf"{_RUN_TEST}/rerun-test-executions/", SimulatingService.rerun),
    (rf"{_EXECUTION}/rerun-calls/", SimulatingService.rerun_calls),
    (rf"{_EXECUTION}/cancel/", SimulatingService.cancel),
]
