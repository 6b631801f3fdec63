# SPDX-License-Identifier: Apache-2.0
"""Whether the hosts of a move would take part in it now.

A plan is some minutes old when its last move begins. Meanwhile a destination
may have been disabled, by the drain of a neighbour for one, and the
nova-compute of the source may have died: to ask Nova all the same costs the
server a try, and leaves a failed migration behind.
"""

from collections.abc import Callable, Mapping
import dataclasses

from osc_migrate import model
from osc_migrate.task import Task

# seconds for which the state of the services is taken for true
_CURRENT = 3.0
# seconds between two heartbeats (report_interval)
_BEAT = 10.0
_DOWN = 'nova-compute of '


class Hosts:
    """Reads the compute services, no more often than they change.

    :param read: returns them by host; without it nothing is known of them
    """

    def __init__(
        self,
        read: Callable[[], Mapping[str, model.Host]] | None,
        clock: Callable[[], float],
    ) -> None:
        self._read = read
        self._clock = clock
        self._known: Mapping[str, model.Host] = {}
        self._at: float | None = None

    def aimed(self, task: Task) -> tuple[Task, str]:
        """See whether a move can begin now; see :func:`aimed`."""
        self._renew(_CURRENT)
        return aimed(task, self._known)

    def told(self, task: Task) -> Task:
        """Say of a move under way that it stands still; see :func:`told`."""
        self._renew(_BEAT)
        return told(task, self._known)

    def _renew(self, seconds: float) -> None:
        now = self._clock()
        if self._read and (self._at is None or now - self._at >= seconds):
            self._known, self._at = self._read(), now


def aimed(task: Task, hosts: Mapping[str, model.Host]) -> tuple[Task, str]:
    """See whether a move can begin while its hosts are so.

    A destination that was closed since the plan counts as one that refused.

    :return: the task, and why it cannot begin, if that is so
    """
    move = task.move
    there = hosts.get(move.destination or '')
    if there is not None and not there.is_usable:
        move = dataclasses.replace(move, destination=None)
        refused = task.refused | {there.name}
        task = dataclasses.replace(task, move=move, refused=refused)
    if move.migration_type is model.MigrationType.EVACUATE:
        return task, ''
    return task, _down(hosts.get(move.source))


def told(task: Task, hosts: Mapping[str, model.Host]) -> Task:
    """Say that a host of a move under way is down, or no longer."""
    move = task.move
    is_own = task.reason.startswith(_DOWN)
    if (
        not task.phase.holds_slot
        or (task.reason and not is_own)
        or move.migration_type is model.MigrationType.EVACUATE
    ):
        return task
    whys = [
        _down(hosts.get(name or ''))
        for name in (move.source, task.destination)
    ]
    reason = next(filter(None, whys), '')
    return dataclasses.replace(task, reason=reason)


def _down(host: model.Host | None) -> str:
    if host is None or (host.state == 'up' and not host.forced_down):
        return ''
    seen = (host.updated_at or 'unknown').partition('.')[0]
    return f'{_DOWN}{host.name} is down, last heartbeat {seen} UTC'
