# SPDX-License-Identifier: Apache-2.0
"""The figures of running copies: read no more often than they change.

Records come for all migrations in one request, the bytes of a copy in one for
each server. So only a few copies are asked for at a time, those that were not
asked for the longest first.
"""

from collections.abc import Callable

from osc_migrate import contract
from osc_migrate import limits
from osc_migrate import model
from osc_migrate.task import Task

# Nova writes the figures of a copy every 5 s (live_migration_monitor_interval)
_INTERVAL = 5.0
# so that hundreds of copies at once do not mean hundreds of requests
_AT_A_TIME = 4


class Figures:
    """Reads figures, within a budget that is renewed for each look.

    ``copying`` are the hosts from which a copy of disks was seen.
    """

    def __init__(
        self, cloud: contract.Nova, clock: Callable[[], float]
    ) -> None:
        self._cloud = cloud
        self._clock = clock
        self._read_at: dict[str, float] = {}
        self._left = 0
        self.copying: set[str] = set()

    def renew(self) -> None:
        """Allow for the next few reads."""
        self._left = _AT_A_TIME

    def read_at(self, task: Task) -> float:
        """Return when the figures of a task were read, to order by that."""
        return self._read_at.get(task.server_id, 0)

    def added(
        self, task: Task, record: model.Migration | None
    ) -> model.Migration | None:
        """Add the figures of a running copy, if it is time for them."""
        if (
            record is None
            or record.status != 'running'
            or record.migration_type != 'live-migration'
        ):
            return record
        now = self._clock()
        asked = self._read_at.get(task.server_id, -_INTERVAL)
        if now - asked < _INTERVAL or self._left == 0:
            return record
        self._left -= 1
        self._read_at[task.server_id] = now
        record = (
            self._cloud.running_migration(task.server_id, record.id) or record
        )
        if limits.copies_disks(record):
            self.copying.add(task.move.source)
        return record
