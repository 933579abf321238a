"""Fixtures for tests of the wire: clients, TLS, recorded answers."""

from __future__ import annotations

from wire_fixtures import (  # noqa: F401 - fixtures
    bare_environment,
    client_tls,
    connect,
    connection_acquired,
    in_the_body,
    keys,
    server_tls,
    wire,
)
