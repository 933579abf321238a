"""The times of rows that change while the emulator runs."""

import datetime as dt

import attrs


_EPOCH = dt.datetime.fromtimestamp(0, dt.UTC)
_TICK = dt.timedelta(microseconds=1)


@attrs.define
class Clock:
    """A clock that shows no time twice: what changes later has the later time.

    Args:
        last: the time that was shown last.
    """

    last: dt.datetime = _EPOCH

    def stamp(self, now: float) -> dt.datetime:
        """Return the time of a change.

        Args:
            now: seconds since 1970.
        """
        time = dt.datetime.fromtimestamp(now, dt.UTC)
        self.last = max(time, self.last + _TICK)
        return self.last
