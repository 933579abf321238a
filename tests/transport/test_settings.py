"""Settings: argument over environment over default, and what is refused."""

from __future__ import annotations

import copy
import datetime as dt
import math
import ssl
import typing
import uuid
from types import MappingProxyType

import attrs
import pytest

from futureagi_async.errors import ConfigurationError
from futureagi_async.transport.settings import (
    DEFAULT,
    RateLimit,
    RetryPolicy,
    Settings,
    Timeout,
    positive_int,
    validate_retry_policy,
)


KEY, SECRET = "key-314159265", "secret-271828182"
WORKSPACE = "b968b200-c57b-5aca-9c9f-60672e3183e7"
PROXY_VARIABLES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch):
    """Start from an environment without any variable that matters."""
    for name in ("FI_API_KEY", "FI_SECRET_KEY", "FI_BASE_URL", *PROXY_VARIABLES):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


def resolve(**changes) -> Settings:
    return Settings.resolve(**{"api_key": KEY, "secret_key": SECRET} | changes)


def test_the_defaults_are_the_documented_ones():
    settings = resolve()

    assert settings.base_url == "https://api.futureagi.com"
    assert settings.timeout == Timeout(connect=5.0, read=60.0, total=300.0)
    assert settings.retry == RetryPolicy(max_attempts=3, retry_unknown=False)
    assert settings.max_connections == 100
    assert settings.workspace_id is None
    assert settings.proxy is None
    assert settings.ssl is None
    assert settings.headers == {}


def test_keys_and_address_come_from_the_environment(monkeypatch):
    monkeypatch.setenv("FI_API_KEY", "from-env")
    monkeypatch.setenv("FI_SECRET_KEY", "from-env-too")
    monkeypatch.setenv("FI_BASE_URL", "https://env.example")

    settings = Settings.resolve()

    assert settings.api_key.reveal() == "from-env"
    assert settings.secret_key.reveal() == "from-env-too"
    assert settings.base_url == "https://env.example"


def test_arguments_come_before_the_environment(monkeypatch):
    monkeypatch.setenv("FI_API_KEY", "from-env")
    monkeypatch.setenv("FI_SECRET_KEY", "from-env-too")
    monkeypatch.setenv("FI_BASE_URL", "https://env.example")

    settings = resolve(base_url="https://argument.example")

    assert settings.api_key.reveal() == KEY
    assert settings.secret_key.reveal() == SECRET
    assert settings.base_url == "https://argument.example"


def test_an_empty_address_in_the_environment_is_as_good_as_none(monkeypatch):
    monkeypatch.setenv("FI_BASE_URL", "")

    assert resolve().base_url == "https://api.futureagi.com"


@pytest.mark.parametrize(
    ("argument", "variable"),
    [("api_key", "FI_API_KEY"), ("secret_key", "FI_SECRET_KEY")],
)
def test_a_missing_key_names_its_variable_and_what_was_looked_at(argument, variable):
    with pytest.raises(ConfigurationError) as caught:
        resolve(**{argument: None})

    assert str(caught.value) == (
        f"no {argument}: pass {argument}=... or set the environment variable {variable} "
        f"({variable} is not set)"
    )


def test_an_empty_variable_is_told_from_a_missing_one(monkeypatch):
    monkeypatch.setenv("FI_API_KEY", " ")

    with pytest.raises(ConfigurationError, match=r"\(FI_API_KEY is empty\)$"):
        resolve(api_key=None)


def test_an_empty_argument_does_not_fall_back_to_the_environment(monkeypatch):
    monkeypatch.setenv("FI_API_KEY", KEY)

    with pytest.raises(ConfigurationError, match=r"\(api_key is empty\)$"):
        resolve(api_key="")


@pytest.mark.parametrize(
    ("key", "place"),
    [
        ("sk-abc\n", 7),
        (" sk-abc", 1),
        ("sk-abc ", 7),
        ("sk abc ", 7),
        ("sk-\rabc", 4),
        ("sk-a\0bc", 5),
        ("sk-äbc", 4),
        ("“sk-abc”", 1),
    ],
)
def test_a_key_that_no_header_can_hold_is_refused_without_showing_it(key, place):
    with pytest.raises(ConfigurationError) as caught:
        resolve(api_key=key)

    assert str(caught.value).startswith(f"api_key: character {place} of the key is")
    assert "abc" not in str(caught.value)


def test_a_bad_key_of_the_environment_is_named_by_its_variable(monkeypatch):
    monkeypatch.setenv("FI_SECRET_KEY", "sk-abc\n")

    with pytest.raises(ConfigurationError, match=r"^FI_SECRET_KEY: character 7 "):
        resolve(secret_key=None)


def test_a_space_inside_a_key_is_kept():
    assert resolve(api_key="sk abc").api_key.reveal() == "sk abc"


@pytest.mark.parametrize(("key", "named"), [(b"sk", "a bytes"), (5, "an int")])
def test_a_key_is_text(key, named):
    with pytest.raises(ConfigurationError, match=f"^api_key: text .*, not {named}$"):
        resolve(api_key=key)


def test_settings_show_neither_keys_nor_the_values_of_headers():
    settings = resolve(
        headers={"X-Token": "t-161803398"}, proxy="http://me:p-141421356@proxy.example"
    )

    shown = repr(settings)

    hidden = (KEY, SECRET, "t-161803398", "p-141421356", "me:")
    assert not [each for each in hidden if each in shown]
    assert "X-Token" in shown
    assert "proxy.example" in shown


def test_settings_do_not_show_a_password_with_an_at_sign():
    shown = repr(resolve(proxy="http://me:p-141@421356@proxy.example"))

    assert "http://***@proxy.example" in shown
    assert "141" not in shown


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("https://api.example", "https://api.example"),
        ("https://api.example/", "https://api.example"),
        ("https://api.example/eu/v1/", "https://api.example/eu/v1"),
        ("HTTPS://api.example:8443", "https://api.example:8443"),
        ("https://api.example/a%20b", "https://api.example/a%20b"),
        ("http://localhost:8000", "http://localhost:8000"),
        ("http://api.localhost", "http://api.localhost"),
        ("http://127.0.0.2:8000", "http://127.0.0.2:8000"),
        ("http://[::1]:8000/", "http://[::1]:8000"),
    ],
)
def test_an_address_is_kept_with_its_path(given, kept):
    assert resolve(base_url=given).base_url == kept


@pytest.mark.parametrize(
    ("spellings", "one"),
    [
        (
            ["https://API.Example", "https://api.example:443", "https://api.example:/"],
            "https://api.example",
        ),
        (["http://LocalHost:80/Eu", "HTTP://localhost:080/Eu"], "http://localhost/Eu"),
        (["https://localhost:80", "https://LOCALHOST:080"], "https://localhost:80"),
        (["https://[FE80::A]:443", "https://[fe80::a]/"], "https://[fe80::a]"),
    ],
)
def test_all_spellings_of_an_address_are_one(spellings, one):
    assert {resolve(base_url=each).base_url for each in spellings} == {one}


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("", "'' is empty, or has white space"),
        ("https://api.example ", "'https://api.example ' is empty, or has white space"),
        ("https://api.exa\nmple", "is empty, or has white space"),
        ("https://äpi.example", "characters outside ASCII"),
        ("api.example", "'api.example' is no http"),
        ("//api.example", "is no http"),
        ("ftp://api.example", "is no http"),
        ("https://", "is no http"),
        ("https:///path", "is no http"),
        ("https://:443", "is no http"),
        ("https://api.example:0", "what follows 'api.example' is no port"),
        ("https://api.example:65536", "what follows 'api.example' is no port"),
        ("https://api.example:abc", "what follows 'api.example' is no port"),
        ("https://[::1", "is no http"),
        ("https://api.example?x=1", "may have a path, but no query and no fragment"),
        ("https://api.example/?", "may have a path, but no query and no fragment"),
        ("https://api.example/#top", "may have a path, but no query and no fragment"),
        (b"https://api.example", "text is expected, not a bytes"),
    ],
)
def test_an_address_that_cannot_work_is_refused(url, problem):
    with pytest.raises(ConfigurationError, match=r"^base_url: ") as caught:
        resolve(base_url=url)

    assert problem in str(caught.value)


def test_an_address_with_a_password_is_refused_without_showing_it():
    with pytest.raises(ConfigurationError, match="the keys go into api_key") as caught:
        resolve(base_url="https://me:p-141421356@api.example")

    assert "p-141421356" not in str(caught.value)


def test_a_password_in_an_address_with_another_mistake_is_not_shown_either():
    with pytest.raises(ConfigurationError, match="no query") as caught:
        resolve(base_url="https://me:p-141421356@api.example?x")

    assert "p-141421356" not in str(caught.value)


@pytest.mark.parametrize(
    "url", ["http://api.example", "http://10.0.0.1", "http://localhost.example"]
)
def test_keys_are_not_sent_unencrypted_unless_it_is_allowed(url):
    with pytest.raises(
        ConfigurationError, match="unencrypted; use https, or pass allow"
    ):
        resolve(base_url=url)

    assert resolve(base_url=url, allow_http=True).base_url == url


@pytest.mark.parametrize("value", ["no", 1, None])
def test_allow_http_is_true_or_false(value):
    with pytest.raises(ConfigurationError, match=r"^allow_http: True or False is"):
        resolve(allow_http=value)


@pytest.mark.parametrize("spelling", [WORKSPACE.upper(), uuid.UUID(WORKSPACE)])
def test_a_workspace_comes_out_canonical(spelling):
    assert resolve(workspace_id=spelling).workspace_id == WORKSPACE


def test_a_bad_workspace_is_refused():
    with pytest.raises(ConfigurationError, match=r"^workspace_id: 'abc' is no UUID"):
        resolve(workspace_id="abc")


def test_seconds_as_timeout_are_those_of_the_whole_call():
    assert resolve(timeout=30).timeout == Timeout(connect=5.0, read=60.0, total=30.0)


def test_a_timeout_of_none_is_no_limit():
    assert Timeout.of(None) == Timeout(total=None)
    assert Timeout(connect=None, read=None).read is None


def test_a_timeout_is_taken_as_it_is():
    timeout = Timeout(read=1)

    assert Timeout.of(timeout) is timeout
    assert type(timeout.read) is float


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        (
            0,
            r"a number of seconds above 0 \(or None, for no limit\) is expected, not 0",
        ),
        (-1, "a number .* is expected, not -1"),
        (math.nan, "a number .* is expected, not nan"),
        (math.inf, "a number .* is expected, not inf"),
        (True, "seconds are expected, not a bool"),
        ("30", "seconds are expected, not a str"),
    ],
)
@pytest.mark.parametrize("part", ["connect", "read", "total", None])
def test_what_is_no_time_is_refused(part, value, problem):
    name = f"Timeout.{part}" if part else "timeout"

    with pytest.raises(ConfigurationError, match=f"^{name}: {problem}"):
        Timeout(**{part: value}) if part else resolve(timeout=value)


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        (
            {"max_attempts": 0},
            "RetryPolicy.max_attempts: at least 1 is expected, not 0",
        ),
        ({"max_attempts": 1.5}, "RetryPolicy.max_attempts: a whole number is expected"),
        ({"retry_unknown": 1}, "RetryPolicy.retry_unknown: True or False is expected"),
        (
            {"reconcile": None},
            "RetryPolicy.reconcile: True or False is expected, not None",
        ),
        (
            {"reconcile_after": 0},
            "RetryPolicy.reconcile_after: a finite number of seconds above 0 is",
        ),
        (
            {"reconcile_after": None},
            "RetryPolicy.reconcile_after: seconds are expected, not N",
        ),
    ],
)
def test_a_retry_policy_that_cannot_work_is_refused(fields, problem):
    with pytest.raises(ConfigurationError, match=f"^{problem}"):
        RetryPolicy(**fields)


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"requests": 0}, "RateLimit.requests: at least 1 is expected, not 0"),
        ({"requests": 1.5}, "RateLimit.requests: a whole number is expected"),
        (
            {"requests": 1, "per": 0},
            "RateLimit.per: a finite number .* is expected, not 0",
        ),
        (
            {"requests": 1, "per": math.inf},
            "RateLimit.per: a finite number .* is expected, not inf",
        ),
    ],
)
def test_a_rate_limit_that_cannot_work_is_refused(fields, problem):
    with pytest.raises(ConfigurationError, match=f"^{problem}"):
        RateLimit(**fields)


def test_a_rate_limit_is_wanted_and_no_bare_number():
    with pytest.raises(ConfigurationError, match=r"^rate_limit: .*, not an int$"):
        resolve(rate_limit=100)


def test_a_rate_limit_is_one_a_minute_unless_it_says_otherwise():
    assert RateLimit(100).per == 60.0


@pytest.mark.parametrize(("value", "named"), [(3, "an int"), (None, "None")])
def test_a_retry_policy_is_wanted(value, named):
    with pytest.raises(ConfigurationError, match=f"^retry: .*, not {named}$"):
        validate_retry_policy(value)


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        (0, "at least 1 is expected, not 0"),
        (-5, "at least 1 is expected, not -5"),
        (True, "a whole number is expected, not a bool"),
        (1.0, "a whole number is expected, not a float"),
        ("5", "a whole number is expected, not a str"),
        (None, "a whole number is expected, not None"),
    ],
)
def test_a_count_is_a_whole_number_from_one(value, problem):
    with pytest.raises(ConfigurationError, match=f"^max_connections: {problem}$"):
        resolve(max_connections=value)


def test_one_is_the_smallest_count():
    assert positive_int(1, "n") == 1


def test_headers_are_copied_and_cannot_be_changed():
    headers = {"X-Team": "quality"}
    settings = resolve(headers=headers)

    headers["X-Team"] = "other"

    assert settings.headers == {"X-Team": "quality"}
    with pytest.raises(TypeError):
        settings.headers["X-Team"] = "other"


def test_headers_may_be_any_mapping():
    headers = MappingProxyType({"User-Agent": "mine"})

    assert resolve(headers=headers).headers == {"User-Agent": "mine"}


@pytest.mark.parametrize(
    "name",
    [
        "Authorization",
        "authorization",
        "X-Api-Key",
        "x-secret-key",
        "X-Workspace-Id",
        "X-Request-ID",
        "Content-Length",
        "Content-Type",
        "Transfer-Encoding",
        "Accept",
        "Host",
    ],
)
def test_headers_that_the_client_sets_are_refused(name):
    with pytest.raises(
        ConfigurationError, match=f"^headers: {name} is set by the client"
    ):
        resolve(headers={name: "x"})


@pytest.mark.parametrize("name", ["", "X Team", "X-Team:", "X-Téam", "X\n", 5])
def test_what_is_no_header_name_is_refused(name):
    with pytest.raises(ConfigurationError, match=r"^headers: .* is no header name$"):
        resolve(headers={name: "x"})


@pytest.mark.parametrize("text", ["", " x", "x\r\nX-Evil: y", "ä", 5, None, b"x"])
def test_what_no_header_can_hold_is_refused_without_showing_it(text):
    with pytest.raises(ConfigurationError) as caught:
        resolve(headers={"X-Team": text})

    assert str(caught.value) == (
        "headers: the value of X-Team is not text that a header can hold"
    )


@pytest.mark.parametrize("headers", ["X-Team: a", ["X-Team"], 5])
def test_headers_are_a_mapping(headers):
    with pytest.raises(
        ConfigurationError, match=r"^headers: a dict is expected, not a"
    ):
        resolve(headers=headers)


def test_a_proxy_of_the_environment_is_read_once(monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example:3128")
    settings = resolve()

    monkeypatch.delenv("HTTPS_PROXY")

    assert settings.proxy == "http://proxy.example:3128"


def test_a_proxy_that_is_given_comes_before_the_environment(monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example:3128")

    assert resolve(proxy="http://mine.example").proxy == "http://mine.example"
    assert resolve(proxy="").proxy is None


def test_the_proxy_of_the_environment_is_that_of_the_scheme(monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://proxy.example:3128")

    assert resolve().proxy is None


@pytest.mark.parametrize(
    "url", ["https://localhost:1", "https://127.0.0.1", "https://[::1]"]
)
def test_this_machine_needs_no_proxy(monkeypatch, url):
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example:3128")

    assert resolve(base_url=url).proxy is None


def test_a_host_that_is_excepted_needs_no_proxy(monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example:3128")
    monkeypatch.setenv("NO_PROXY", "api.futureagi.com")

    assert resolve().proxy is None


@pytest.mark.parametrize(
    ("proxy", "problem"),
    [
        ("proxy.example:3128", "is no http"),
        ("socks5://proxy.example", "is no http"),
        ("http://proxy.example:abc", "what follows 'proxy.example' is no port"),
        (5, "text is expected, not an int"),
    ],
)
def test_a_proxy_that_cannot_work_is_refused(proxy, problem):
    with pytest.raises(ConfigurationError, match=r"^proxy: ") as caught:
        resolve(proxy=proxy)

    assert problem in str(caught.value)


@pytest.mark.parametrize(
    ("proxy", "problem"),
    [
        ("socks5://me:p-141421356@proxy.example", "is no http"),
        ("me:p-141421356@proxy.example", "is no http"),
        ("me:p-141421356//x@proxy.example", "is no http"),
        ("http://me:p-141421356@x@proxy.example:abc", "is no port"),
        ("http://me:p-141421356", "is no port"),
        ("http://me:p-141421356#x@proxy.example", "write %2F, %3F or %23"),
        ("http://me:p-141421356/x@proxy.example", "write %2F, %3F or %23"),
        ("http://me:p-141421356?x@proxy.example", "write %2F, %3F or %23"),
        ("http://me:123/p-141421356@proxy.example", "write %2F, %3F or %23"),
        ("http://[me:p-141421356@proxy.example", "is no http"),
    ],
)
def test_the_password_of_a_proxy_is_not_shown_in_an_error(proxy, problem):
    with pytest.raises(ConfigurationError, match=problem) as caught:
        resolve(proxy=proxy)

    assert "141421356" not in str(caught.value)
    assert caught.value.__context__ is None


def test_a_proxy_may_end_with_a_slash():
    proxy = "http://me:p%2Fw@proxy.example:3128/"

    assert resolve(proxy=proxy).proxy == proxy


def test_a_tls_context_is_kept():
    context = ssl.create_default_context()

    assert resolve(ssl=context).ssl is context


@pytest.mark.parametrize(("value", "named"), [(False, "a bool"), ("ca.pem", "a str")])
def test_anything_else_for_tls_is_refused_with_the_way_out(value, named):
    with pytest.raises(
        ConfigurationError, match=f"^ssl: .*, not {named}; ssl.create_def"
    ):
        resolve(ssl=value)


def test_settings_cannot_be_changed():
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        resolve().base_url = "https://elsewhere.example"


def test_settings_do_not_travel_with_their_keys():
    with pytest.raises(TypeError, match="pass the key again"):
        copy.deepcopy(resolve())


def test_what_was_not_given_is_shown_as_such():
    assert repr(DEFAULT) == "DEFAULT"


@pytest.mark.parametrize("public", [Timeout, RetryPolicy, RateLimit, Timeout.of])
def test_annotations_resolve_at_run_time(public):
    assert typing.get_type_hints(public)


def test_a_timedelta_is_a_duration_everywhere():
    half_a_minute = dt.timedelta(seconds=30)

    assert Timeout.of(half_a_minute) == Timeout(total=30.0)
    assert RateLimit(9, per=half_a_minute) == RateLimit(9, per=30.0)
    assert RetryPolicy(reconcile_after=half_a_minute).reconcile_after == 30.0
