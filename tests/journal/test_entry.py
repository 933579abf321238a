"""The digests that identify a request, and what a journal shows of it."""

from __future__ import annotations

from types import SimpleNamespace

from hypothesis import given, strategies as st
from journal_requests import Ask, entries, intend

from futureagi_async import RunNewEvals
from futureagi_async.journal.entry import request_digest, request_key


texts = st.text("ab/\n\0", max_size=3)
asked = st.tuples(
    texts,
    st.none() | texts,
    texts,
    texts,
    st.none() | st.binary(max_size=3),
)


def digest_of(parts):
    base_url, workspace_id, method, path, body = parts
    request = SimpleNamespace(method=method, path=path, body=body)
    return request_key(base_url, workspace_id, request)


@given(asked, asked)
def test_two_requests_are_the_same_if_all_their_parts_are(one, other):
    assert (digest_of(one) == digest_of(other)) == (one == other)


@given(asked, asked)
def test_the_digest_of_a_request_does_not_depend_on_the_service(one, other):
    request, another = (
        SimpleNamespace(method=method, path=path, body=body)
        for _, _, method, path, body in (one, other)
    )
    assert (request_digest(request) == request_digest(another)) == (
        one[2:] == other[2:]
    )


def test_an_empty_body_is_another_than_none():
    assert request_digest(Ask("/a", b"")) != request_digest(Ask("/a", None))


def test_the_run_test_is_part_of_the_digest():
    one, other = (
        RunNewEvals(f"{n:032x}", [f"{9:032x}"], select_all=True) for n in (1, 2)
    )

    assert one.body == other.body
    assert request_digest(one) != request_digest(other)


async def test_an_entry_has_the_digest_of_its_request(writer, path):
    request = Ask("/a", b'{"a":1}')
    await intend(writer, request)

    (entry,) = entries(path)

    assert entry.request_digest == request_digest(request)


async def test_bodies_are_not_shown(writer, path):
    await intend(writer, Ask("/a", b'{"secret":1}'))

    (entry,) = entries(path)

    assert "secret" not in repr(entry)
