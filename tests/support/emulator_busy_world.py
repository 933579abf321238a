"""A world in which simulations run, and a caller that lets time pass."""

from __future__ import annotations

from emulator_small_world import AWAY, HOME, ORG, Caller, api_key, path_of, template

from futureagi_async.emulator import World
from futureagi_async.emulator.rules.workers import WorkSettings


OTHER_ORG = "0b000000-0000-4000-8000-00000000000b"

PASS = "c1000000-0000-4000-8000-000000000001"
MARK = "c1000000-0000-4000-8000-000000000002"
MOOD = "c1000000-0000-4000-8000-000000000003"

LINE = "a1000000-0000-4000-8000-000000000001"
CHAT = "a1000000-0000-4000-8000-000000000002"
ELSEWHERE = "a1000000-0000-4000-8000-000000000003"
FOREIGN = "a1000000-0000-4000-8000-000000000004"
UNREADY = "a1000000-0000-4000-8000-000000000005"
BARE = "a1000000-0000-4000-8000-000000000006"

GREETS = "b1000000-0000-4000-8000-000000000001"
QUALITY = "b1000000-0000-4000-8000-000000000002"
FORMER = "b1000000-0000-4000-8000-000000000003"
CHAT_GREETS = "b1000000-0000-4000-8000-000000000004"
CHAT_QUALITY = "b1000000-0000-4000-8000-000000000005"

OPENING = "5c100000-0000-4000-8000-000000000001"
CLOSING = "5c100000-0000-4000-8000-000000000002"
CHATTING = "5c100000-0000-4000-8000-000000000003"
DRAFT = "5c100000-0000-4000-8000-000000000004"

SPRING = "e1000000-0000-4000-8000-000000000001"
SUMMER = "e1000000-0000-4000-8000-000000000002"
VOID = "e1000000-0000-4000-8000-000000000003"
CHATTED = "e1000000-0000-4000-8000-000000000004"
FAR = "e1000000-0000-4000-8000-000000000005"
ABROAD = "e1000000-0000-4000-8000-000000000006"

ANN = "d1000000-0000-4000-8000-000000000001"
BEN = "d1000000-0000-4000-8000-000000000002"
CLEO = "d1000000-0000-4000-8000-000000000003"
DAN = "d1000000-0000-4000-8000-000000000004"
EVE = "d1000000-0000-4000-8000-000000000005"
FAY = "d1000000-0000-4000-8000-000000000006"
GUS = "d1000000-0000-4000-8000-000000000007"

RUNS = "/sdk/api/v1/simulation/runs/"
METRICS = "/sdk/api/v1/simulation/metrics/"


def cell(output, name, output_type="Pass/Fail", **more):
    """Return a cell as it is stored."""
    return {
        "output": output,
        "output_type": output_type,
        "reason": "because",
        "name": name,
        **more,
    }


def call(row_id, day, status="completed", **more):
    return {
        "id": row_id,
        "status": status,
        "created_at": f"2026-05-{day:02}T08:00:00Z",
        "duration_seconds": 40 + day,
        "transcript": "talk",
        "eval_outputs": {},
        **more,
    }


def config(row_id, name, template_id=PASS, **more):
    return {"id": row_id, "name": name, "template_id": template_id, **more}


def execution(row_id, day, *calls, status="completed", **more):
    return {
        "id": row_id,
        "status": status,
        "created_at": f"2026-05-{day:02}T08:00:00Z",
        "calls": list(calls),
        **more,
    }


def run_test(row_id, name, **more):
    return {
        "id": row_id,
        "name": name,
        "organization": ORG,
        "workspace": HOME,
        "agent_name": "Ada",
        "agent_type": "voice",
        "created_at": "2026-05-01T00:00:00Z",
        **more,
    }


def busy_world():
    """Return a world of executions in every state that matters."""
    return {
        "format": 2,
        "api_keys": [
            api_key("owner"),
            api_key("viewer", role="viewer"),
            api_key("away", workspace=AWAY),
        ],
        "transcripts": {
            "talk": [["user", "Hello."], ["assistant", "Good morning."]],
            "silence": [["user", "Hello?"]],
        },
        "eval_templates": [
            template(PASS, "greets", on_run=cell("Passed", "x", status="Completed")),
            template(MARK, "marks", output_type="score"),
            template(MOOD, "mood", output_type="choices"),
        ],
        "run_tests": [
            run_test(
                LINE,
                "line",
                scenarios=[
                    {"id": OPENING, "name": "opening hours"},
                    {"id": CLOSING, "name": "closing time"},
                ],
                eval_configs=[
                    config(GREETS, "greets"),
                    config(QUALITY, "quality", MARK),
                    config(FORMER, "former", deleted=True),
                ],
                executions=[
                    execution(
                        SPRING,
                        1,
                        call(
                            ANN,
                            1,
                            phone_number="+4930123",
                            eval_outputs={
                                GREETS: cell("Passed", "greets"),
                                QUALITY: cell(0.8, "quality", "score"),
                                FORMER: cell("Passed", "former"),
                            },
                        ),
                        call(
                            BEN,
                            2,
                            scenario=CLOSING,
                            eval_outputs={
                                GREETS: cell("Failed", "greets"),
                                QUALITY: cell(0.2, "quality", "score"),
                            },
                            tool_outputs={"look_up": {"value": "Passed"}},
                        ),
                    ),
                    execution(
                        SUMMER,
                        3,
                        call(CLEO, 3, "failed", transcript=None),
                        call(DAN, 4, "failed"),
                        call(EVE, 5, "cancelled", transcript="silence"),
                    ),
                    execution(VOID, 6),
                ],
            ),
            run_test(
                CHAT,
                "chat",
                agent_type="text",
                scenarios=[
                    {"id": CHATTING, "name": "a chat", "row_count": 2},
                ],
                eval_configs=[
                    config(CHAT_GREETS, "greets"),
                    config(CHAT_QUALITY, "quality", MARK),
                ],
                executions=[execution(CHATTED, 1, call(FAY, 1))],
            ),
            run_test(ELSEWHERE, "line", workspace=AWAY, executions=[execution(FAR, 2)]),
            run_test(
                FOREIGN,
                "line",
                organization=OTHER_ORG,
                executions=[execution(ABROAD, 2, call(GUS, 2))],
            ),
            run_test(
                UNREADY,
                "unready",
                scenarios=[{"id": DRAFT, "name": "draft", "status": "Processing"}],
            ),
            run_test(BARE, "bare"),
        ],
    }


class BusyCaller(Caller):
    """A client of the rules; evaluations and calls take ten seconds, by default."""

    def __init__(self, dispatch="run", **settings):
        world = World.load(busy_world())
        super().__init__(world, dispatch)
        self.service.workers.settings = WorkSettings(
            **{
                "evaluation_seconds": 10.0,
                "call_seconds": 10.0,
                "monitor_seconds": 60.0,
                **settings,
            }
        )

    @property
    def workers(self):
        return self.service.workers

    def wait(self, seconds):
        """Let time pass."""
        self.now += seconds

    def execute(self, run_test_id, **body):
        return self("POST", path_of(run_test_id, "execute/"), body)

    def cancel(self, execution_id):
        return self("POST", f"/simulate/test-executions/{execution_id}/cancel/", {})

    def rerun(self, run_test_id, rerun_type, **body):
        path = path_of(run_test_id, "rerun-test-executions/")
        return self("POST", path, {"rerun_type": rerun_type, **body})

    def rerun_calls(self, execution_id, rerun_type, **body):
        path = f"/simulate/test-executions/{execution_id}/rerun-calls/"
        return self("POST", path, {"rerun_type": rerun_type, **body})

    def runs(self, execution_id, query=""):
        """Return an execution with all its calls, oldest first."""
        path = f"{RUNS}?execution_id={execution_id}&limit=100{query}"
        return self.get(path).json["result"]

    def status(self, execution_id):
        return self.runs(execution_id)["status"]

    def work(self):
        """Have the workers do what is due by now."""
        self.get("/health/")

    def row(self, call_id):
        """Return the row of a call as it is now."""
        self.work()
        return self.world.run_tests.of_call(call_id).call(call_id)[1]

    def execution_row(self, execution_id):
        """Return the row of an execution as it is now."""
        self.work()
        row = self.world.run_tests.of_execution(execution_id)
        return row.execution(execution_id)

    def phase(self, execution_id):
        """Return the status of an execution and those of its calls, oldest first."""
        execution = self.execution_row(execution_id)
        return execution.status, [each.status for each in execution.calls]

    def cells(self, execution_id):
        """Return the names of the cells of each call that have a result."""
        return [
            [each["name"] for each in row.eval_outputs.values() if "name" in each]
            for row in self.execution_row(execution_id).calls
        ]
