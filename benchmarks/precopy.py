# SPDX-License-Identifier: Apache-2.0
"""Pre-copy live migrations, simulated as a client of Nova sees them.

For measuring the convergence judgement, not for showing what Nova does. QEMU
sends memory in passes and Nova saves the figures about every five seconds;
the client asks at its own pace, so values repeat and most highs and lows are
never seen. Bytes and seconds throughout.
"""

import collections.abc
import dataclasses
import itertools
import math
import random
from typing import Any

MIB, GIB = 2**20, 2**30
PAGE_HEADER = 1.002  # QEMU counts the headers of pages as sent
ZERO_SPEED = 20  # zero pages pass this much faster than others
SYNC_SECONDS = 0.005  # from pass to pass
BURST_SECONDS = 0.1  # QEMU looks this often whether little enough is left
FIELDS = tuple(
    f'{kind}_{what}_bytes'
    for kind in ('memory', 'disk')
    for what in ('total', 'processed', 'remaining')
)
NOTHING: dict[str, Any] = dict.fromkeys(FIELDS)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A guest, the link that it is sent over and how it is looked at."""

    seed: int
    memory: float
    zero_share: float  # of memory, before the first pass
    working_set: float
    dirty_rate: float
    is_sequential: bool  # it writes through its working set in order
    dirty_scatter: float  # of what is dirtied in a second, relative
    bandwidth: float
    jitter: float  # of the bandwidth, relative, from second to second
    shared_from: float = math.inf  # another copy takes half the link
    shared_seconds: float = 0.0
    downtime: float = 0.5  # Nova's live_migration_downtime
    delay: float = 75.0  # its live_migration_downtime_delay, per GiB
    has_auto_converge: bool = False
    disk: float = 0.0
    save_interval: float = 5.2
    poll_interval: float = 2.0

    @property
    def gib(self) -> float:
        """The size that Nova multiplies its times with."""
        disk = max(2, self.disk / GIB) if self.disk else 0
        return max(2, self.memory / GIB) + disk

    @property
    def first_pass(self) -> float:
        """How long memory takes to be sent once, with the disks before."""
        memory = self.memory * (1 - self.zero_share)
        return (memory + self.disk) / self.bandwidth

    def permitted(self, seconds: float) -> float:
        """Return the downtime that Nova permits that long after the start."""
        step = min(10, int(seconds / (self.delay * self.gib)))
        return self.downtime * (0.1 + 0.09 * step)

    def dirtied(self, seconds: float) -> float:
        """Return what the guest dirties in a pass that takes that long."""
        written = self.dirty_rate * seconds
        if self.is_sequential:
            return min(written, self.working_set)
        return self.working_set * -math.expm1(-written / self.working_set)

    def settles_at(self, bandwidth: float) -> float:
        """Return how long passes become, were all rates steady."""
        seconds = self.memory / bandwidth
        for _ in range(5000):
            following = self.dirtied(seconds) / bandwidth
            if following <= self.downtime or seconds - following < 1e-9:
                return following
            seconds = following
        return seconds

    def ends(self, *, is_shared: bool = False) -> bool:
        """Whether the migration would end, were all rates steady."""
        bandwidth = self.bandwidth / 2 if is_shared else self.bandwidth
        return self.settles_at(bandwidth) <= self.downtime


class Copy:
    """One run of pre-copy.

    ``saves`` is what Nova saved and when, ``passes`` when each pass began and
    how large it was, ``end`` when the guest had moved, or None.
    """

    def __init__(self, case: Case, horizon: float) -> None:
        self.case = case
        self.horizon = horizon
        self.saves: list[tuple[float, dict[str, int]]] = []
        self.passes: list[tuple[float, float]] = []
        self._random = random.Random(case.seed)
        self._now = 0.0
        self._next_save = self._random.uniform(0.5, 1.5)
        self._next_rate = 0.0
        self._drift = 0.0
        self._rate = case.bandwidth
        self._throttle = 0.0
        self._busy_passes = 0
        self._disk_left = case.disk
        self._left = case.memory
        self._sent = 0.0
        self.end = self._run()

    def _run(self) -> float | None:
        for step in self._send(self._disk_left):
            self._disk_left -= step
        began = self._now
        for size, is_zero in self._first_pass():
            for step in self._send(size, ZERO_SPEED if is_zero else 1):
                self._left -= step
                self._sent += step * (0.002 if is_zero else PAGE_HEADER)
        while self._now < self.horizon:
            near = self._rate * self._random.uniform(0.9, 1.1)
            permitted = near * self.case.permitted(self._now)
            self._left = max(0.0, self._left) + self._dirtied(began)
            if self._left <= permitted:
                return self._now + self._left / self._rate
            began = self._now
            self.passes.append((self._now, self._left))
            burst = self._rate * self._random.uniform(0, BURST_SECONDS)
            for step in self._send(self._left - max(0.0, permitted - burst)):
                self._left -= step
                self._sent += step * PAGE_HEADER
            self._now += SYNC_SECONDS
        return None

    def _first_pass(self) -> collections.abc.Iterator[tuple[float, bool]]:
        share = self.case.zero_share
        pieces = self._random.randint(1, 12)
        cuts = sorted(self._random.random() for _ in range(pieces - 1))
        for low, high in itertools.pairwise([0.0, *cuts, 1.0]):
            size = (high - low) * self.case.memory
            yield size * (1 - share), False
            yield size * share, True

    def _dirtied(self, began: float) -> float:
        """Return what the guest dirtied since then; busy ones may be slowed.

        QEMU's auto-converge slows a guest that dirtied more than half of
        what two passes in a row had sent.
        """
        case, seconds = self.case, self._now - began
        scatter = case.dirty_scatter / math.sqrt(seconds + 0.3)
        scatter = math.exp(self._random.gauss(0, scatter))
        dirtied = case.dirtied(seconds * scatter * (1 - self._throttle))
        if case.has_auto_converge:
            is_busy = dirtied > 0.5 * self._rate * seconds
            self._busy_passes = self._busy_passes + 1 if is_busy else 0
            if self._busy_passes >= 2:
                self._busy_passes = 0
                more = 0.1 if self._throttle else 0.2
                self._throttle = min(0.99, self._throttle + more)
        return dirtied

    def _send(
        self, amount: float, speed: float = 1.0
    ) -> collections.abc.Iterator[float]:
        """Yield what goes over the link bit by bit, saving as Nova does."""
        while amount > 0 and self._now < self.horizon:
            if self._now >= self._next_rate:
                self._change_rate()
            rate = self._rate * speed
            until = min(self._next_rate, self._next_save)
            seconds = min(amount / rate, max(0.0, until - self._now))
            step = amount if seconds == amount / rate else rate * seconds
            amount -= step
            self._now += seconds
            yield step
            if self._now >= self._next_save:
                self._save()

    def _change_rate(self) -> None:
        case = self.case
        self._next_rate = self._now + 1.0
        gust = self._random.gauss(0, case.jitter)
        self._drift = 0.7 * self._drift + 0.71 * gust
        is_shared = 0 <= self._now - case.shared_from < case.shared_seconds
        self._rate = case.bandwidth * math.exp(self._drift)
        self._rate *= 0.5 if is_shared else 1.0

    def _save(self) -> None:
        case = self.case
        late = self._random.uniform(0.98, 1.06)
        self._next_save = self._now + case.save_interval * late
        values = dict.fromkeys(FIELDS, 0)
        if self.saves or self._random.random() < 0.3:
            values['disk_total_bytes'] = int(case.disk)
            values['disk_processed_bytes'] = int(case.disk - self._disk_left)
            values['disk_remaining_bytes'] = int(self._disk_left)
            if self._disk_left <= 0:
                values['memory_total_bytes'] = int(case.memory)
                values['memory_processed_bytes'] = int(self._sent)
                values['memory_remaining_bytes'] = max(0, int(self._left))
        self.saves.append((self._now, values))


def trace(copy: Copy, seconds: float) -> list[dict[str, Any]]:
    """Return what a client sees, a line a look, for so long or to the end."""
    looks = random.Random(copy.case.seed + 1)
    lines = [{'at': -3.0, 'status': 'preparing', **NOTHING}]
    now = looks.uniform(0, 1)
    saves = iter(copy.saves)
    coming = next(saves, None)
    shown = NOTHING
    while now < min(seconds, copy.end or math.inf):
        while coming is not None and coming[0] <= now:
            shown = coming[1]
            coming = next(saves, None)
        lines.append({'at': round(now, 2), 'status': 'running', **shown})
        now += copy.case.poll_interval * looks.uniform(0.8, 1.2)
    if copy.end is not None and copy.end <= seconds:
        lines.append({'at': round(now, 2), 'status': 'completed', **NOTHING})
    return lines


def mixed(seed: int) -> Case:
    """Return a migration as they come, quick and small to large, endless."""
    draw = random.Random(seed)

    def between(low: float, high: float) -> float:
        return math.exp(draw.uniform(math.log(low), math.log(high)))

    bandwidth = between(8 * MIB, 2 * GIB)
    memory = min(256 * GIB, max(0.1 * GIB, between(4, 200) * bandwidth))
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


def slow_link(seed: int) -> Case:
    """Return a small guest on a capped link, the hard cases above all.

    As measured between two libvirt hosts: 192 MiB at 8 MiB/s, where half of
    those that end shrink by 4 to 7 % a pass only.
    """
    draw = random.Random(seed)
    kind = draw.choice(('never', 'slow', 'slow', 'soon'))
    relative = {
        'never': draw.uniform(1.15, 4),
        'slow': draw.uniform(0.93, 0.965),
        'soon': draw.uniform(0.1, 0.87),
    }[kind]
    return Case(
        seed=seed,
        memory=192 * MIB,
        zero_share=draw.uniform(0, 0.6),
        working_set=draw.uniform(6, 160) * MIB,
        dirty_rate=relative * 8 * MIB,
        is_sequential=kind == 'slow' or draw.random() < 0.6,
        dirty_scatter=draw.uniform(0.005, 0.04),
        bandwidth=8 * MIB,
        jitter=draw.uniform(0.005, 0.03),
        save_interval=draw.uniform(5.0, 5.3),
        poll_interval=draw.uniform(1, 4),
    )
