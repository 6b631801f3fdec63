# SPDX-License-Identifier: Apache-2.0
"""Nova's times: ISO 8601, in UTC without saying so. Pure but for the zone."""

import datetime


def _read(moment: str) -> datetime.datetime:
    return datetime.datetime.fromisoformat(moment.removesuffix('Z'))


def before(moment: str, seconds: float) -> str:
    """Return the time some seconds before another one."""
    at = _read(moment) - datetime.timedelta(seconds=seconds)
    return at.isoformat()


def between(first: str | None, second: str | None) -> float | None:
    """Return the seconds from one time to another, if both are known."""
    if first is None or second is None:
        return None
    return max(0.0, (_read(second) - _read(first)).total_seconds())


def local(moment: str) -> str:
    """Write a time as local time for people: ``18:03:12``."""
    at = _read(moment).replace(tzinfo=datetime.UTC).astimezone()
    is_today = at.date() == datetime.datetime.now().astimezone().date()
    return at.strftime('%H:%M:%S' if is_today else '%Y-%m-%d %H:%M:%S')
