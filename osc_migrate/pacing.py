# SPDX-License-Identifier: Apache-2.0
"""A cloud that is asked rarely, however many migrations there are.

It stands between the executor and :class:`osc_migrate.cloud.Cloud`: requests
go out at most twice a second, and when several servers must be looked at in
one round, all that changed since the last time come with a single request.
"""

from collections.abc import Callable, Mapping, Sequence
import datetime
from typing import Protocol, TypeVar

from osc_migrate import exceptions
from osc_migrate import model
from osc_migrate.account import InstanceAction
from osc_migrate.task import Answer
from osc_migrate.task import Request
from osc_migrate.task import Sight

T = TypeVar('T')
# seconds between two requests: two a second at most, whatever the network
# does to the time in between
_APART = 0.55
# servers that are looked at one by one in a round, before all are at once
_SINGLE = 2
# seconds of changes that are read twice, lest one is missed
_OVERLAP = 60
# none of these is also what a server is called that rests
_MOVING = ('MIGRATING', 'RESIZE', 'REVERT_RESIZE', 'REBUILD')


class Source(Protocol):
    """What is needed of :class:`osc_migrate.cloud.Cloud`."""

    def look(self, server_id: str) -> Sight:
        """Return what Nova shows of a server now."""

    def find(self, name: str) -> tuple[str, Sight]:
        """Return the id of a server, and what Nova shows of it."""

    def sights(
        self, filters: Mapping[str, str | Sequence[str]]
    ) -> dict[str, Sight]:
        """Return what Nova shows of all servers that pass its filters."""

    def services(self) -> dict[str, model.Host]:
        """Return every nova-compute service by host."""

    def migrations(self, **filters: str) -> list[model.Migration]:
        """Return migration records, the newest first."""

    def running_migration(
        self, server_id: str, migration_id: int
    ) -> model.Migration | None:
        """Return a live migration in progress with its figures."""

    def requests_of(self, record: model.Migration) -> list[str]:
        """Return the ids of the requests that a migration is about."""

    def action(self, server_id: str, request_id: str) -> InstanceAction:
        """Return a request for a server with its events."""

    def topology(self, server_id: str) -> model.Topology | None:
        """Return the topology of a server, ``None`` if Nova hides it."""

    def ask(self, request: Request) -> Answer:
        """Send a request, once."""


class PacedCloud:
    """A cloud for the executor of a watch.

    A round begins with :meth:`migrations`. ``changed`` are the records that
    the last round brought, the newest first, and ``newest`` is the latest
    time that Nova was seen to write. ``unreachable`` is what was wrong with
    the last request, if Nova did not answer it.

    :param wait: waits for some seconds
    """

    def __init__(
        self,
        cloud: Source,
        *,
        clock: Callable[[], float],
        wait: Callable[[float], object],
    ) -> None:
        self._cloud = cloud
        self._clock = clock
        self._wait = wait
        self._asked = clock() - _APART
        self._looks = 0
        self._known: dict[str, Sight] = {}
        self._read: str | None = None
        self._is_current = False
        self.changed: list[model.Migration] = []
        self.newest = ''
        self.unreachable: str | None = None

    def migrations(self, **filters: str) -> list[model.Migration]:
        """Return migration records, the newest first."""
        self._looks = 0
        self._is_current = False
        self.changed = self._turn(lambda: self._cloud.migrations(**filters))
        for record in self.changed:
            self.newest = max(
                self.newest, record.updated_at or record.created_at
            )
        return self.changed

    def running_migration(
        self, server_id: str, migration_id: int
    ) -> model.Migration | None:
        """Return a live migration in progress with its figures."""
        return self._turn(
            lambda: self._cloud.running_migration(server_id, migration_id)
        )

    def look(self, server_id: str) -> Sight:
        """Return what Nova shows of a server in this round."""
        self._looks += 1
        if self._looks > _SINGLE:
            if not self._is_current:
                self._read_changes()
            if server_id in self._known:
                return self._known[server_id]
        self._known[server_id] = self._turn(
            lambda: self._cloud.look(server_id)
        )
        return self._known[server_id]

    def known(self, server_id: str) -> Sight | None:
        """Return what Nova showed of a server when it was last asked."""
        return self._known.get(server_id)

    def find(self, name: str) -> tuple[str, Sight]:
        """Return the id of a server, and what Nova shows of it.

        :raises ServerNotFound, AmbiguousName: no such server
        """
        return self._turn(lambda: self._cloud.find(name))

    def sights_since(self, moment: str) -> dict[str, Sight]:
        """Return what Nova shows of the servers that changed since a time."""
        return self._turn(
            lambda: self._cloud.sights({'changes-since': moment})
        )

    def services(self) -> dict[str, model.Host]:
        """Return every nova-compute service by host."""
        services = self._turn(self._cloud.services)
        for service in services.values():
            self.newest = max(self.newest, service.updated_at or '')
        return services

    def history(self, record: model.Migration) -> tuple[InstanceAction, ...]:
        """Return the requests that a migration is about, with events."""
        found = self._turn(lambda: self._cloud.requests_of(record))
        return tuple(self._action(record.server_id, one) for one in found)

    def topology(self, server_id: str) -> model.Topology | None:
        """Return the topology of a server, ``None`` if Nova hides it."""
        return self._turn(lambda: self._cloud.topology(server_id))

    def _action(self, server_id: str, request_id: str) -> InstanceAction:
        return self._turn(lambda: self._cloud.action(server_id, request_id))

    def ask(self, request: Request) -> Answer:
        """Send a request, once."""
        return self._turn(lambda: self._cloud.ask(request))

    def _read_changes(self) -> None:
        """Read all servers that changed since this was done before.

        What is known of the others is still so.
        """
        if self._read is None:
            filters: dict[str, str | Sequence[str]] = {'status': _MOVING}
            kept: dict[str, Sight] = {}
        else:
            filters = {'changes-since': self._read}
            kept = self._known
        newest = self.newest
        found = self._turn(lambda: self._cloud.sights(filters))
        self._known = kept | found
        self._is_current = True
        if newest:
            self._read = earlier(newest, _OVERLAP)

    def _turn(self, act: Callable[[], T]) -> T:
        """Ask when it is time to, and note whether Nova answers."""
        early = self._asked + _APART - self._clock()
        if early > 0:
            self._wait(early)
        self._asked = self._clock()
        try:
            answer = act()
        except exceptions.CloudError as error:
            is_answer = error.status_code and error.status_code < 500
            self.unreachable = None if is_answer else str(error)
            raise
        self.unreachable = None
        return answer


def earlier(moment: str, seconds: float) -> str:
    """Return the ISO 8601 time some seconds before another one."""
    at = datetime.datetime.fromisoformat(moment.removesuffix('Z'))
    return (at - datetime.timedelta(seconds=seconds)).isoformat()
