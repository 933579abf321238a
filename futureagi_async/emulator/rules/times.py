"""Times as responses show them."""

from __future__ import annotations

from typing import TYPE_CHECKING


if TYPE_CHECKING:
    import datetime as dt


def show_time(time: dt.datetime | None) -> str | None:
    """Return a time as most responses show it."""
    return time.isoformat().replace("+00:00", "Z") if time else None
