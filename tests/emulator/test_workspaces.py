"""Workspaces: which one a request is about, and who may use it."""

from __future__ import annotations

import pytest
from emulator_small_world import (
    AWAY,
    AWAY_TEST,
    EMPTY,
    HOME,
    NOBODY,
    ORG,
    SHOP,
    Caller,
    api_key,
    path_of,
    small_world,
    template,
)

from futureagi_async.emulator import World


RETIRED = "0a000000-0000-4000-8000-0000000000f3"
FOREIGN = "0a000000-0000-4000-8000-0000000000f4"

WIDE = "c0000000-0000-4000-8000-000000000077"

RUN_TESTS = "/simulate/run-tests/"

LISTED = {HOME: 4, AWAY: 1}
"""How many run tests the workspaces show."""


def workspace(row_id, **columns):
    return {"id": row_id, "organization": ORG, **columns}


@pytest.fixture
def ask():
    content = small_world()
    content["workspaces"] = [
        workspace(HOME, default=True),
        workspace(AWAY),
        workspace(RETIRED, active=False),
        {"id": FOREIGN, "organization": "another", "default": True},
    ]
    content["users"] = [
        {"name": name, "organization": ORG, "role": role, "workspaces": workspaces}
        for name, role, workspaces in (
            ("boss", "owner", []),
            ("member", "member", [AWAY]),
            ("newcomer", "member", []),
        )
    ]
    content["api_keys"] += [
        api_key("boss", workspace=None, user="boss"),
        api_key("member", workspace=None, user="member", role="member"),
        api_key("newcomer", workspace=None, user="newcomer", role="member"),
        api_key("unlisted", workspace=None, user="nobody known"),
        api_key("orphan", workspace=None, user=None),
        api_key("retired", workspace=RETIRED, user="boss"),
    ]
    content["eval_templates"].append(template(WIDE, "wide", organization=ORG))
    return Caller(World.load(content))


def count(ask, key, named=None):
    """Return how many run tests a key sees, or the status of the error."""
    headers = {} if named is None else {"X-Workspace-Id": named}
    reply = ask.get(RUN_TESTS, key=key, headers=headers)
    return reply.json["count"] if reply.status == 200 else reply.status


@pytest.mark.parametrize("named", [None, HOME, AWAY, NOBODY, "nonsense"])
def test_a_key_that_is_bound_to_a_workspace_ignores_what_a_request_names(ask, named):
    assert count(ask, "owner", named) == LISTED[HOME]
    assert count(ask, "away", named) == LISTED[AWAY]


@pytest.mark.parametrize("key", ["boss", "retired"])
@pytest.mark.parametrize(
    ("named", "found"),
    [
        (None, HOME),
        ("", HOME),
        (HOME, HOME),
        (AWAY, AWAY),
        (AWAY.upper(), AWAY),
        (AWAY.replace("-", ""), AWAY),
        (NOBODY, HOME),
        (RETIRED, HOME),
        (FOREIGN, HOME),
    ],
)
def test_an_owner_uses_any_workspace_of_the_organization(ask, key, named, found):
    assert count(ask, key, named) == LISTED[found]


def test_what_is_no_uuid_is_a_500_below_the_api(ask):
    reply = ask.get(RUN_TESTS, key="boss", headers={"X-Workspace-Id": "nonsense"})

    assert (reply.status, reply.content_type[:9]) == (500, "text/html")


def test_the_query_names_a_workspace_where_parameters_are_not_checked(ask):
    calls = path_of(AWAY_TEST, f"call-executions/?workspace_id={AWAY}")
    listing = f"{RUN_TESTS}?workspace_id={AWAY}"

    assert ask.get(calls, key="boss").json["count"] == 1
    assert ask.get(path_of(AWAY_TEST, "call-executions/"), key="boss").status == 404
    assert ask.get(listing, key="boss").message == "workspace_id: Unknown field."


@pytest.mark.parametrize(
    ("named", "found"),
    [(None, 1), (AWAY, 1), (NOBODY, 1), (RETIRED, 1), (HOME, 403)],
)
def test_a_member_uses_the_workspaces_that_are_listed(ask, named, found):
    assert count(ask, "member", named) == found


def test_a_refused_workspace_is_explained(ask):
    reply = ask.get(RUN_TESTS, key="member", headers={"X-Workspace-Id": HOME})

    assert reply.message == "Access denied to this workspace"
    assert reply.json["code"] == "permission_denied"


def test_the_first_request_of_a_newcomer_joins_the_default_workspace(ask):
    assert count(ask, "newcomer", AWAY) == LISTED[HOME]
    assert count(ask, "newcomer", AWAY) == 403
    assert count(ask, "newcomer") == LISTED[HOME]


def test_a_key_whose_user_is_not_listed_has_the_rights_of_its_role(ask):
    assert count(ask, "unlisted", AWAY) == LISTED[AWAY]


def test_a_key_whose_user_is_gone_is_a_500_below_the_api(ask):
    for method, path in (("GET", path_of(SHOP)), ("POST", path_of(EMPTY, "execute/"))):
        reply = ask(method, path, key="orphan")
        assert (reply.status, reply.content_type[:9]) == (500, "text/html")


def test_without_a_default_workspace_a_free_key_sees_nothing():
    content = small_world()
    content["api_keys"].append(api_key("free", workspace=None))

    assert count(Caller(World.load(content)), "free") == 0


def test_a_template_without_a_workspace_is_used_and_not_listed(ask):
    listed = ask.get("/sdk/api/v1/get-evals/").json["result"]
    added = ask.add(EMPTY, {"template_id": WIDE})

    assert "ours" in {each["name"] for each in listed}
    assert "wide" not in {each["name"] for each in listed}
    assert added.status == 201
