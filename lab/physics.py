# SPDX-License-Identifier: Apache-2.0
"""How live migrations share the links and how pre-copy converges, or not.

Pure: time and speeds are given. Amounts are MiB, speeds MiB per second and
times seconds.

Pre-copy sends the memory in passes. A pass sends what the last one left
dirty; what the guest dirties meanwhile is the next pass. When a pass leaves
so little that it is sent within the permitted downtime, the guest is stopped
and the rest is sent. A guest that dirties faster than the link sends never
gets there.
"""

import collections
from collections.abc import Mapping, Sequence
import dataclasses

PAGE = 4 / 1024


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Copy:
    """How far the copy of one guest is."""

    memory: float
    disk: float
    disk_left: float
    left: float  # of this pass
    dirtied: float = 0.0  # since this pass began
    sent: float = 0.0  # of memory, in all passes
    is_stopped: bool = False  # the guest stands: this is the last pass

    @property
    def is_done(self) -> bool:
        """Whether the guest may go on at the destination."""
        return self.is_stopped and self.left <= 0


def start(memory: float, disk: float) -> Copy:
    """Return the copy of a guest, with the disks that go along."""
    return Copy(memory=memory, disk=disk, disk_left=disk, left=memory)


def stop_guest(copy: Copy) -> Copy:
    """Let the guest dirty no more: what is dirty now is all that is left."""
    left = min(copy.memory, copy.left + copy.dirtied)
    return dataclasses.replace(copy, left=left, dirtied=0.0, is_stopped=True)


def advance(
    copy: Copy,
    seconds: float,
    *,
    rate: float,
    dirty_rate: float,
    downtime: float,
) -> Copy:
    """Return the copy ``seconds`` later; the disks go before the memory."""
    while seconds > 0 and rate > 0 and not copy.is_done:
        if copy.disk_left > 0:
            step = min(seconds, copy.disk_left / rate)
            left = _subtract(copy.disk_left, rate * step)
            copy = dataclasses.replace(copy, disk_left=left)
        else:
            step = min(seconds, copy.left / rate)
            copy = _send(copy, rate * step, dirty_rate * step)
        seconds -= step
        if copy.disk_left <= 0 and copy.left <= 0 and not copy.is_stopped:
            copy = _next_pass(copy, rate * downtime)
    return copy


def _send(copy: Copy, sent: float, dirtied: float) -> Copy:
    if copy.is_stopped:
        dirtied = 0.0
    return dataclasses.replace(
        copy,
        left=_subtract(copy.left, sent),
        sent=copy.sent + sent,
        dirtied=min(copy.memory, copy.dirtied + dirtied),
    )


def _next_pass(copy: Copy, sendable: float) -> Copy:
    return dataclasses.replace(
        copy,
        left=copy.dirtied,
        dirtied=0.0,
        is_stopped=copy.dirtied <= max(sendable, PAGE),
    )


def _subtract(amount: float, part: float) -> float:
    """Subtract without leaving crumbs of rounding that are never sent."""
    rest = amount - part
    return rest if rest > PAGE / 1000 else 0.0


def share(
    capacity: Mapping[str, float], paths: Mapping[str, Sequence[str]]
) -> dict[str, float]:
    """Share links fairly: the speed of each copy.

    ``capacity`` is the speed of each link, ``paths`` the links that each copy
    uses. Copies that cross the same narrowest link get equal shares of it;
    what they cannot use elsewhere is left for the others.
    """
    free = dict(capacity)
    waiting = dict(paths)
    rates: dict[str, float] = {}
    while waiting:
        users = collections.Counter(
            link for path in waiting.values() for link in path
        )
        narrowest = min(users, key=lambda link: free[link] / users[link])
        rate = max(0.0, free[narrowest] / users[narrowest])
        for copy in [c for c, path in waiting.items() if narrowest in path]:
            rates[copy] = rate
            for link in waiting.pop(copy):
                free[link] -= rate
    return rates
