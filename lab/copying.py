# SPDX-License-Identifier: Apache-2.0
"""The copying of one live migration, in the time that it really takes.

Here the physics meet the clock, the links and Nova's migration record, which
shows the figures only every ``monitor_interval`` seconds, and zeros first,
as with libvirt.
"""

import collections
from collections.abc import Callable
import math
import time
from typing import Any

from lab import behaviour
from lab import links
from lab import physics

MIB = 1024 * 1024
TICK = 0.1


def run(
    instance: Any,
    migration: Any,
    commands: collections.deque[str],
    *,
    disk_gb: float,
    is_paused: bool,
    has_guest: Callable[[], bool],
) -> str:
    """Copy a guest and return the end: completed, cancelled or failed.

    ``commands`` are looked at all the time: abort and force-complete. A
    guest that is deleted meanwhile, so that ``has_guest`` is false, ends it.
    """
    job = _Job(instance, migration, disk_gb, is_paused)
    source, destination = migration.source_compute, migration.dest_compute
    with links.occupied(migration.uuid, source, destination):
        while True:
            job.advance()
            while commands:
                job.obey(commands.popleft())
            outcome = job.outcome() if has_guest() else 'failed'
            if outcome:
                return outcome
            job.record()
            time.sleep(TICK)


class _Job:
    """What libvirt calls a migration job."""

    def __init__(
        self, instance: Any, migration: Any, disk_gb: float, is_paused: bool
    ) -> None:
        self.instance = instance
        self.migration = migration
        self.is_paused = is_paused
        self.copy = physics.start(instance.flavor.memory_mb, disk_gb * 1024)
        self.began = self.last = time.monotonic()
        setup = self.server['live']['setup_seconds']
        self.ready = self.began + setup
        self.next_record = self.began
        self.is_aborted = False
        self.is_post_copy = False

    @property
    def server(self) -> dict[str, Any]:
        return behaviour.of_server(
            self.instance.uuid, self.instance.display_name
        )

    @property
    def nova(self) -> dict[str, Any]:
        settings = behaviour.of_host(self.migration.source_compute)['nova']
        return dict(settings)

    def advance(self) -> None:
        """Copy for the time since the last look."""
        now = time.monotonic()
        seconds = now - max(self.ready, self.last)
        self.last = now
        self.copy = physics.advance(
            self.copy,
            seconds,
            rate=links.rate(self.migration.uuid),
            dirty_rate=0.0 if self.is_paused else self.server['dirty_mb_s'],
            downtime=self.nova['live_migration_downtime_ms'] / 1000,
        )

    def obey(self, command: str) -> None:
        if self.is_post_copy:
            return  # the guest runs at the destination: no way back
        if command == 'abort':
            self.is_aborted = True
            return
        if self.nova['permit_post_copy']:
            self.is_post_copy = True
            self.migration.status = 'running (post-copy)'
            self.migration.save()
        self.copy = physics.stop_guest(self.copy)

    def outcome(self) -> str | None:
        if self.is_aborted or self._is_late():
            return 'cancelled'
        is_halfway = self.copy.sent >= self.copy.memory / 2
        if is_halfway and self.server['live']['fails_at'] == 'running':
            return 'failed'
        return 'completed' if self.copy.is_done else None

    def _is_late(self) -> bool:
        size_gb = max(2, math.ceil(self.copy.memory / 1024))
        if self.copy.disk:
            size_gb += max(2, math.ceil(self.copy.disk / 1024))
        limit = self.nova['live_migration_completion_timeout'] * size_gb
        elapsed = self.last - self.began
        return bool(limit and elapsed > limit and not self.is_post_copy)

    def record(self) -> None:
        """Save the figures in Nova when it is time to."""
        if self.last < self.next_record:
            return
        copy = self.copy
        is_first = self.next_record == self.began
        is_known = self.last > self.ready and not is_first
        self.next_record = self.last + self.nova['monitor_interval']
        record = self.migration
        record.memory_total = int(copy.memory * MIB) if is_known else 0
        record.memory_processed = int(copy.sent * MIB)
        record.memory_remaining = int(copy.left * MIB) if is_known else 0
        record.disk_total = int(copy.disk * MIB) if is_known else 0
        record.disk_processed = int((copy.disk - copy.disk_left) * MIB)
        record.disk_remaining = int(copy.disk_left * MIB) if is_known else 0
        record.save()
        remaining = round(copy.left * 100 / copy.memory) if is_known else 100
        self.instance.progress = 100 - remaining
        self.instance.save()
