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
        now = self._clock()
        if self._read and (self._at is None or now - self._at >= _CURRENT):
            self._known, self._at = self._read(), now
        return aimed(task, self._known)


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
    source = hosts.get(move.source)
    if (
        source is not None
        and (source.state != 'up' or source.forced_down)
        and move.migration_type is not model.MigrationType.EVACUATE
    ):
        return task, (
            f'nova-compute of {source.name} is down since its last heartbeat '
            f'at {source.updated_at} UTC'
        )
    return task, ''
