"""What makes a request this one, and what a journal shows of it."""

from __future__ import annotations

from types import SimpleNamespace

from hypothesis import given, strategies as st
from journal_requests import Ask, entries, intend

from futureagi_async import RunNewEvals
from futureagi_async.journal.entry import content, identity


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
    return identity(base_url, workspace_id, request)


@given(asked, asked)
def test_two_requests_are_the_same_if_all_their_parts_are(one, other):
    assert (digest_of(one) == digest_of(other)) == (one == other)


@given(asked, asked)
def test_the_content_is_the_same_whichever_service_is_asked(one, other):
    request, another = (
        SimpleNamespace(method=method, path=path, body=body)
        for _, _, method, path, body in (one, other)
    )
    assert (content(request) == content(another)) == (one[2:] == other[2:])


def test_an_empty_body_is_another_than_none():
    assert content(Ask("/a", b"")) != content(Ask("/a", None))


def test_the_run_test_is_part_of_what_is_asked():
    one, other = (
        RunNewEvals(f"{n:032x}", [f"{9:032x}"], select_all=True) for n in (1, 2)
    )

    assert one.body == other.body
    assert content(one) != content(other)


async def test_an_entry_has_the_content_of_its_request(writer, path):
    request = Ask("/a", b'{"a":1}')
    await intend(writer, request)

    (entry,) = entries(path)

    assert entry.content == content(request)


async def test_bodies_are_not_shown(writer, path):
    await intend(writer, Ask("/a", b'{"secret":1}'))

    (entry,) = entries(path)

    assert "secret" not in repr(entry)
