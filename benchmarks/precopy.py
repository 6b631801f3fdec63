# SPDX-License-Identifier: Apache-2.0
"""Pre-copy live migrations, simulated as a client of Nova sees them.

For measuring the convergence judgement, not for showing what Nova does. QEMU
sends memory in passes and Nova saves the figures about every five seconds;
the client asks at its own pace, so values repeat and most lows and highs are
never seen. Bytes and seconds throughout.
"""

import collections.abc
import dataclasses
import itertools
import math
import random
from typing import Any

GIB = 2**30
PAGE_HEADER = 1.002  # QEMU's share of overhead in what it counts as sent
ZERO_SPEED = 20  # zero pages pass this much faster than others
SHORTEST_PASS = 0.005
BURST = 0.1  # QEMU looks whether the rest is small enough this often

Line = dict[str, Any]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A guest, the link that it is sent over and how it is looked at."""

    seed: int
    memory: float
    zero_share: float  # of memory, before the first pass
    working_set: float
    dirty_rate: float
    is_sequential: bool  # writes through its working set in order
    dirty_scatter: float  # of what is dirtied in a second, relative
    bandwidth: float
    jitter: float  # of the bandwidth, relative, from second to second
    shared_from: float  # another migration takes half the link from here
    shared_seconds: float
    downtime: float = 0.5  # Nova's live_migration_downtime
    delay: float = 75.0  # its live_migration_downtime_delay, per GiB
    has_auto_converge: bool = False
    disk: float = 0.0
    save_interval: float = 5.2
    poll_interval: float = 2.0

    @property
    def timeout(self) -> float:
        """When Nova gives up: live_migration_completion_timeout."""
        return 800 * self.gib

    @property
    def gib(self) -> float:
        """The size that Nova's times are multiplied with."""
        disk = max(2, self.disk / GIB) if self.disk else 0
        return max(2, self.memory / GIB) + disk

    def permitted(self, seconds: float) -> float:
        """The downtime that Nova permits that long after the start."""
        step = min(10, int(seconds / (self.delay * self.gib)))
        return self.downtime * (0.1 + 0.09 * step)


class Copy:
    """One run of pre-copy; ``saves`` is what Nova saved of it, and when."""

    def __init__(self, case: Case, horizon: float) -> None:
        self.case = case
        self.random = random.Random(case.seed)
        self.horizon = horizon
        self.now = 0.0
        self.disk_left = case.disk
        self.sent = 0.0
        self.left = 0.0
        self.slot_end = 0.0
        self.drift = 0.0
        self.rate = case.bandwidth
        self.throttle = 0.0
        self.busy_passes = 0
        self.next_save = self.random.uniform(0.5, 1.5)
        self.saves: list[tuple[float, dict[str, int]]] = []
        self.pauses: list[float] = []
        self.end = self._run()

    def _run(self) -> float | None:
        self._send('disk_left', 1.0)
        began = self.now
        self.left = self.case.memory
        for size, is_zero in self._first_pass():
            self._send('left', ZERO_SPEED if is_zero else 1.0, down_by=size)
        while self.now < self.horizon:
            permitted = (
                self.rate
                * self.random.uniform(0.9, 1.1)
                * self.case.permitted(self.now)
            )
            self.left += self._dirtied(self.now - began)
            if self.left <= permitted:
                return self.now + self.left / self.rate
            began = self.now
            burst = self.rate * self.random.uniform(0, BURST)
            self._send('left', 1.0, down_to=max(0.0, permitted - burst))
            self.now += SHORTEST_PASS
        return None

    def _first_pass(self) -> collections.abc.Iterator[tuple[float, bool]]:
        share = self.case.zero_share
        pieces = self.random.randint(1, 12)
        cuts = sorted(self.random.random() for _ in range(pieces - 1))
        for low, high in itertools.pairwise([0.0, *cuts, 1.0]):
            size = (high - low) * self.case.memory
            yield size * (1 - share), False
            yield size * share, True

    def _dirtied(self, seconds: float) -> float:
        """What the guest dirtied in a pass that took that long."""
        case = self.case
        scatter = math.exp(
            self.random.gauss(0, case.dirty_scatter / math.sqrt(seconds + 0.3))
        )
        written = case.dirty_rate * seconds * scatter * (1 - self.throttle)
        if case.is_sequential:
            dirtied = min(written, case.working_set)
        else:
            dirtied = case.working_set * -math.expm1(
                -written / case.working_set
            )
        if case.has_auto_converge:
            is_busy = dirtied > 0.5 * self.rate * seconds
            self.busy_passes = self.busy_passes + 1 if is_busy else 0
            if self.busy_passes >= 2:
                self.busy_passes = 0
                self.throttle = (
                    min(0.99, self.throttle + 0.1) if self.throttle else 0.2
                )
        return dirtied

    def _send(
        self,
        what: str,
        speed: float,
        *,
        down_by: float | None = None,
        down_to: float = 0.0,
    ) -> None:
        """Send what is left, second by second, saving what Nova would."""
        left: float = getattr(self, what)
        goal = down_to if down_by is None else max(0.0, left - down_by)
        while left > goal and self.now < self.horizon:
            if self.now >= self.slot_end:
                self._next_slot()
            rate = self.rate * speed
            until = min(
                self.slot_end, self.next_save, self.now + (left - goal) / rate
            )
            step = min(rate * (until - self.now), left - goal)
            is_last = until >= self.now + (left - goal) / rate
            left = goal if is_last else left - step
            setattr(self, what, left)
            if what == 'left':
                self.sent += step * (0.002 if speed > 1 else PAGE_HEADER)
            self.now = until
            if self.now >= self.next_save:
                self._save()

    def _next_slot(self) -> None:
        case = self.case
        self.slot_end = self.now + 1.0
        self.drift = 0.7 * self.drift + 0.71 * self.random.gauss(
            0, case.jitter
        )
        is_shared = 0 <= self.now - case.shared_from < case.shared_seconds
        self.rate = (
            case.bandwidth * math.exp(self.drift) * (0.5 if is_shared else 1.0)
        )

    def _save(self) -> None:
        case = self.case
        self.next_save = self.now + case.save_interval * self.random.uniform(
            0.98, 1.06
        )
        values = dict.fromkeys(FIELDS, 0)
        if self.saves or self.random.random() < 0.3:
            values['disk_total_bytes'] = int(case.disk)
            values['disk_processed_bytes'] = int(case.disk - self.disk_left)
            values['disk_remaining_bytes'] = int(self.disk_left)
            if not self.disk_left:
                values['memory_total_bytes'] = int(case.memory)
                values['memory_processed_bytes'] = int(self.sent)
                values['memory_remaining_bytes'] = int(self.left)
                self.pauses.append(self.left / self.rate)
        self.saves.append((self.now, values))


FIELDS = tuple(
    f'{kind}_{what}_bytes'
    for kind in ('memory', 'disk')
    for what in ('total', 'processed', 'remaining')
)
NOTHING: Line = dict.fromkeys(FIELDS)


def trace(case: Case, copy: Copy, seconds: float) -> list[Line]:
    """What a client sees, one line a look, for that long or to the end."""
    looks = random.Random(case.seed + 1)
    lines = [{'at': -3.0, 'status': 'preparing', **NOTHING}]
    now = looks.uniform(0, 1)
    saves = iter(copy.saves)
    coming = next(saves, None)
    shown: Line = NOTHING
    while now < min(seconds, copy.end or math.inf):
        while coming is not None and coming[0] <= now:
            shown = coming[1]
            coming = next(saves, None)
        lines.append({'at': round(now, 2), 'status': 'running', **shown})
        now += case.poll_interval * looks.uniform(0.8, 1.2)
    if copy.end is not None and copy.end <= seconds:
        lines.append({'at': round(now, 2), 'status': 'completed', **NOTHING})
    return lines


def random_case(seed: int) -> Case:
    """A migration as they come: from small and quick to large and hopeless."""
    draw = random.Random(seed)

    def between(low: float, high: float) -> float:
        return math.exp(draw.uniform(math.log(low), math.log(high)))

    first_pass = between(4, 200)
    bandwidth = between(8 * 2**20, 2 * GIB)
    memory = min(256 * GIB, max(0.1 * GIB, first_pass * bandwidth))
    is_shared = draw.random() < 0.3
    return Case(
        seed=seed,
        memory=memory,
        zero_share=draw.choice((0.0, draw.uniform(0, 0.8))),
        working_set=memory * between(0.01, 0.9),
        dirty_rate=bandwidth * between(0.03, 4),
        is_sequential=draw.random() < 0.5,
        dirty_scatter=draw.uniform(0, 0.15),
        bandwidth=bandwidth,
        jitter=draw.uniform(0, 0.25),
        shared_from=draw.uniform(0, 300) if is_shared else math.inf,
        shared_seconds=between(20, 600),
        has_auto_converge=draw.random() < 0.1,
        disk=memory * between(0.2, 4) if draw.random() < 0.1 else 0.0,
        save_interval=draw.uniform(5.0, 5.5),
        poll_interval=between(1, 10),
    )


def horizon(case: Case) -> float:
    """How long a simulation goes on before it counts as never ending."""
    passes = case.disk / case.bandwidth + 30 * case.memory / case.bandwidth
    return min(case.timeout, max(3600.0, passes))
