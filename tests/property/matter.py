# SPDX-License-Identifier: Apache-2.0
"""What a made-up Nova is made of: its servers and records, and its clock.

How each try to move a server goes is said before by a :class:`Trip`, so
that nothing is random.
"""

from collections.abc import Callable
import dataclasses
import datetime
import heapq
import itertools

# later than now, as some marks of time come from the real clock
_BEGINNING = datetime.datetime(2100, 1, 1)
GIB = 1024**3
BUSY_RECORDS = (
    'accepted',
    'queued',
    'preparing',
    'running',
    'pre-migrating',
    'migrating',
    'post-migrating',
)
UNCONFIRMED = ('finished', 'confirming', 'reverting')
RUNNING, PAUSED, SHUTDOWN = 1, 3, 4
POWER = {'active': RUNNING, 'paused': PAUSED, 'stopped': SHUTDOWN}
STATUS = {
    'active': 'ACTIVE',
    'paused': 'PAUSED',
    'stopped': 'SHUTOFF',
    'resized': 'VERIFY_RESIZE',
    'error': 'ERROR',
}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Trip:
    """How one try to move a server goes; times in seconds.

    ``lag`` passes between the answer and the record, ``tail`` between the
    last step and what the record says of it. ``fails_at`` is ``scheduler``,
    ``check``, ``copy`` or ``end``; a live migration that is ``endless``
    neither ends nor fails by itself. ``ignores_abort``: a Nova that is told
    to abort and does not.
    """

    lag: float = 0.5
    seconds: float = 10
    tail: float = 0.2
    fails_at: str = ''
    is_endless: bool = False
    ignores_abort: bool = False


@dataclasses.dataclass(slots=True, kw_only=True)
class Server:
    """A server as Nova's database has it."""

    id: str
    name: str
    ram: int
    vm_state: str
    host: str
    group: str = ''
    task_state: str | None = None
    power_state: int = RUNNING
    fault: str | None = None
    exists: bool = True
    is_touched: bool = False  # by its owner
    trips: list[Trip] = dataclasses.field(default_factory=list)

    @property
    def status(self) -> str:
        """Return what the API calls the state."""
        task = self.task_state or ''
        if self.vm_state in ('active', 'paused') and task == 'migrating':
            return 'MIGRATING'
        if self.vm_state in ('active', 'stopped') and task[:7] == 'resize_':
            return 'RESIZE'
        if task == 'resize_reverting':
            return 'REVERT_RESIZE'
        return STATUS[self.vm_state]


@dataclasses.dataclass(slots=True, kw_only=True)
class Record:
    """A migration record; ``was`` is the server's state before it."""

    id: int
    server: Server
    status: str
    migration_type: str
    source: str
    destination: str | None
    user_id: str
    trip: Trip
    was: str
    created: float
    updated: float
    memory: tuple[int, int, int] | None = None
    is_alive: bool = True  # a nova-compute works at it


class Clock:
    """Virtual time, and what is due in it."""

    def __init__(self) -> None:
        self.now = 0.0
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = itertools.count()

    def clock(self) -> float:
        """Return the seconds since the beginning."""
        return self.now

    def iso(self, at: float) -> str:
        """Write a time as Nova does."""
        moment = _BEGINNING + datetime.timedelta(seconds=at)
        return moment.isoformat(timespec='microseconds')

    def after(self, seconds: float, act: Callable[[], None]) -> None:
        """Let something happen later."""
        at = self.now + seconds
        heapq.heappush(self._events, (at, next(self._numbers), act))

    def pass_time(self, seconds: float) -> None:
        """Let time pass, and happen what is due."""
        until = self.now + seconds
        while self._events and self._events[0][0] <= until:
            self.now, _, act = heapq.heappop(self._events)
            act()
        self.now = until
