# SPDX-License-Identifier: Apache-2.0
"""A made-up Nova as a client sees it: what the executor and a drain need.

Every request has a number, and what goes wrong with it is said before: no
answer, an answer that is lost, an error, the client that dies, or somebody
else who is quicker. A :class:`Watchdog` looks at each request that changes
something and complains of what must never be asked.
"""

from collections.abc import Callable, Iterator, Mapping
import contextlib
import dataclasses
from typing import Any, Protocol

from osc_migrate import exceptions
from osc_migrate import model
from osc_migrate import testing
from osc_migrate.task import Action
from osc_migrate.task import Answer
from osc_migrate.task import Request
from osc_migrate.task import Sight
from tests.property import matter
from tests.property import world as worlds

OPERATOR, OWNER = 'operator', 'owner'
FAULTS = ('reset', 'lost', 'broken', 'crash-before', 'crash-after')


class Crash(BaseException):
    """The client died, as by SIGKILL."""


class NoEnd(AssertionError):
    """The client goes on for longer than it may."""


@dataclasses.dataclass(slots=True, kw_only=True, eq=False)
class Flight:
    """A move that Nova accepted; ``asked`` is the number of the request.

    ``recorded`` is the number of the request before which its record came.
    """

    server: matter.Server
    user_id: str
    source: str
    destination: str | None
    asked: int
    read: int
    recorded: int | None = None
    record: matter.Record | None = None

    @property
    def is_over(self) -> bool:
        """Whether Nova holds nothing for it any more."""
        record = self.record
        if not self.server.exists:
            # its guest is destroyed, whatever the record says for how long
            return True
        if record is None:
            return False
        return record.status not in matter.BUSY_RECORDS or not record.is_alive


class Watchdog(Protocol):
    """Sees what is asked before Nova does."""

    def asked(self, nova: 'Nova', request: Request) -> None:
        """A request that changes something has come."""

    def took_off(self, nova: 'Nova', flight: Flight) -> None:
        """A move was accepted."""

    def placed(self, nova: 'Nova', flight: Flight) -> None:
        """A move got its destination."""


class Nova:
    """The API.

    :param faults: what goes wrong, by the number of the request
    :param interruptions: what others do just before a request, by its number
    :param refusals: an HTTP status for every request to move that server
    """

    user_id = OPERATOR

    def __init__(
        self,
        world: worlds.World,
        watchdog: Watchdog,
        *,
        faults: Mapping[int, str],
        interruptions: Mapping[int, Callable[['Nova'], None]],
        refusals: Mapping[str, int],
        patience: float,
    ) -> None:
        self.world = world
        self.number = 0
        self.flights: list[Flight] = []
        self.read = -1
        # the numbers of the last look at each server and before the last sleep
        self.looks: dict[str, int] = {}
        self.rested = 0
        self._watchdog = watchdog
        self._faults = faults
        self._interruptions = interruptions
        self._refusals = refusals
        self._patience = patience
        self._by_record: dict[int, Flight] = {}
        world.on_placed = self._placed

    # the client's time

    clock = property(lambda self: self.world.clock)

    def sleep(self, seconds: float) -> None:
        """Let the client sleep."""
        assert seconds > 0, 'the client does not sleep at all'
        self.rested = self.number
        self.world.pass_time(seconds)
        if self.world.now > self._patience:
            raise NoEnd(f'no end after {self.world.now} s')

    # requests

    @contextlib.contextmanager
    def _request(self) -> Iterator[str]:
        """Count a request; yield what is wrong with it."""
        self.number += 1
        number = self.number
        fault = self._faults.get(number, '')
        if fault == 'crash-before':
            raise Crash
        if number in self._interruptions:
            self._interruptions[number](self)
        yield fault
        if fault == 'crash-after':
            raise Crash

    @contextlib.contextmanager
    def _reading(self) -> Iterator[None]:
        with self._request() as fault:
            if fault in ('reset', 'lost', 'broken'):
                raise exceptions.ServiceUnavailable(f'made up: {fault}')
            yield

    def look(self, server_id: str) -> Sight:
        """Return what Nova shows of a server now."""
        with self._reading():
            self.looks[server_id] = self.number
            return _sight(self.world.servers[server_id])

    def servers_on(self, host: str) -> dict[str, Sight]:
        """Return what Nova shows of the servers of a host, by id."""
        with self._reading():
            return {s.id: _sight(s) for s in self._on(host)}

    def _on(self, host: str) -> list[matter.Server]:
        return [
            server
            for server in self.world.servers.values()
            if server.exists and server.host == host
        ]

    def migrations(self, **filters: str) -> list[model.Migration]:
        """Return the records that pass the filters, the newest first."""
        with self._reading():
            if not set(filters) - {'changes_since'}:
                self.read = self.number
            return [
                self._record(record)
                for record in reversed(self.world.records)
                if self._passes(record, **filters)
            ]

    def _passes(
        self,
        record: matter.Record,
        *,
        changes_since: str = '',
        source_compute: str = '',
        instance_uuid: str = '',
        status: str = '',
    ) -> bool:
        return (
            self.world.iso(record.updated) >= changes_since
            and source_compute in ('', record.source)
            and instance_uuid in ('', record.server.id)
            and status in ('', record.status)
        )

    def running_migration(
        self, server_id: str, migration_id: int
    ) -> model.Migration | None:
        """Return a live migration in progress with its figures.

        :raises CloudError: 404, as there is no such server
        """
        with self._reading():
            if not self.world.servers[server_id].exists:
                raise exceptions.CloudError('gone', status_code=404)
            record = self.world.records[migration_id - 1]
            if record.status not in ('queued', 'preparing', 'running'):
                return None
            return self._record(record, record.memory)

    def _record(
        self,
        record: matter.Record,
        memory: tuple[int, int, int] | None = None,
    ) -> model.Migration:
        total, processed, remaining = memory or (None, None, None)
        return testing.migration(
            record.id,
            server_id=record.server.id,
            status=record.status,
            migration_type=record.migration_type,
            source_compute=record.source,
            dest_compute=record.destination,
            user_id=record.user_id,
            created_at=self.world.iso(record.created),
            updated_at=self.world.iso(record.updated),
            memory_total=total,
            memory_processed=processed,
            memory_remaining=remaining,
        )

    def allocations(self, host: model.Host) -> dict[str, Any]:
        """Return by consumer what is allocated on a host."""
        with self._reading():
            held = {server.id for server in self._on(host.name)}
            for record in self.world.records:
                if record.source == host.name and (
                    record.status in matter.UNCONFIRMED
                    or (record.status in matter.BUSY_RECORDS)
                ):
                    held.add(testing.identifier(f'migration-{record.id}'))
            return {consumer: {} for consumer in held}

    # the cloud as a whole

    def services(self) -> dict[str, model.Host]:
        """Return the hosts."""
        with self._reading():
            return self._hosts()

    def _hosts(self) -> dict[str, model.Host]:
        world = self.world
        return {
            name: testing.host(
                name,
                status='disabled' if name in world.disabled else 'enabled',
                disabled_reason=world.disabled.get(name),
                state='down' if name in world.down else 'up',
                updated_at=world.iso(world.now),
                providers=(testing.provider(name),),
            )
            for name in world.hosts
        }

    def snapshot(
        self, host: str = '', servers: tuple[str, ...] = ()
    ) -> model.Snapshot:
        """Return all that a plan needs.

        :raises ServerNotFound: no such server
        """
        with self._reading():
            for server_id in servers:
                if not self.world.servers[server_id].exists:
                    raise exceptions.ServerNotFound(server_id)
            known = [
                self._server(server)
                for server in self.world.servers.values()
                if server.exists
                and (server.host == host or server.id in servers)
            ]
            return testing.snapshot(
                known,
                self._hosts().values(),
                self._groups(),
                taken_at=f'{self.world.iso(self.world.now)}+00:00',
                user_id=OPERATOR,
                migrations=tuple(map(self._record, self.world.records)),
            )

    def _server(self, server: matter.Server) -> model.Server:
        return testing.server(
            server.name,
            id=server.id,
            status=server.status,
            vm_state=server.vm_state,
            task_state=server.task_state,
            power_state=server.power_state,
            host=server.host,
            hypervisor_hostname=server.host,
            fault=server.fault,
            flavor=testing.flavor(ram=server.ram),
            groups=(server.group,) if server.group else (),
        )

    def _groups(self) -> list[model.ServerGroup]:
        servers = [s for s in self.world.servers.values() if s.exists]
        return [
            testing.group(
                id=name,
                members={s.id: s.host for s in servers if s.group == name},
            )
            for name in sorted({s.group for s in servers} - {''})
        ]

    def disable(self, host: model.Host, reason: str) -> None:
        """Disable a compute service."""
        with self._request() as fault:
            if fault not in ('reset', 'broken'):
                self.world.disabled[host.name] = reason
            if fault in ('reset', 'broken', 'lost'):
                raise exceptions.ServiceUnavailable(f'made up: {fault}')

    def enable(self, host: model.Host) -> None:
        """Enable a compute service; its reason is forgotten."""
        with self._request() as fault:
            if fault not in ('reset', 'broken'):
                self.world.disabled.pop(host.name, None)
            if fault in ('reset', 'broken', 'lost'):
                raise exceptions.ServiceUnavailable(f'made up: {fault}')

    def traits(self, host: model.Host) -> frozenset[str]:
        """Return what Placement has of a host."""
        with self._reading():
            return frozenset()

    # what changes servers

    def ask(self, request: Request) -> Answer:
        """Take a request, once."""
        with self._request() as fault:
            if fault == 'broken':
                return _answer(500)
            if fault == 'reset':
                return _answer(None)
            self._watchdog.asked(self, request)
            status = _ACTIONS[request.action](self, request)
            return _answer(None if fault == 'lost' else status)

    def move(
        self,
        server: matter.Server,
        kind: str,
        destination: str | None,
        **who: Any,
    ) -> int:
        """Take the request for a move; return the HTTP status."""
        is_live = kind == 'live-migration'
        fit = ('active', 'paused') if is_live else ('active', 'stopped')
        if not server.exists:
            return 404
        if server.task_state is not None or server.vm_state not in fit:
            return 409
        if not is_live and server.host in self.world.down:
            return 409
        trip = matter.Trip()
        if who['user'] == OPERATOR:
            if server.id in self._refusals:
                return self._refusals[server.id]
            trip = server.trips.pop(0) if server.trips else trip
        server.task_state = 'migrating' if is_live else 'resize_prep'
        flight = Flight(
            server=server,
            user_id=who['user'],
            source=server.host,
            destination=destination,
            asked=self.number,
            read=self.read,
        )
        self.flights.append(flight)
        if flight.user_id == OPERATOR:
            self._watchdog.took_off(self, flight)
        self.world.after(trip.lag, lambda: self._begin(flight, kind, trip))
        return 202

    def _begin(self, flight: Flight, kind: str, trip: matter.Trip) -> None:
        """Let the conductor take a move over: now there is a record."""
        record = self.world.new_record(
            flight.server,
            kind,
            flight.destination,
            user=flight.user_id,
            trip=trip,
        )
        flight.record, flight.recorded = record, self.number
        self._by_record[record.id] = flight
        if not flight.server.exists:
            self.world.write(record, 'error')
        elif kind == 'live-migration':
            self.world.live(record)
        else:
            self.world.cold(record)

    def _placed(self, record: matter.Record) -> None:
        flight = self._by_record[record.id]
        flight.destination = record.destination
        if flight.user_id == OPERATOR:
            self._watchdog.placed(self, flight)

    def newest(self, server: matter.Server) -> matter.Record | None:
        """Return a server's newest record."""
        own = [r for r in self.world.records if r.server is server]
        return own[-1] if own else None

    def _move(self, request: Request) -> int:
        server = self.world.servers[request.server_id]
        is_live = request.action is Action.LIVE_MIGRATE
        kind = 'live-migration' if is_live else 'migration'
        return self.move(server, kind, request.destination, user=OPERATOR)

    def confirm(self, request: Request) -> int:
        """Take a confirmation."""
        server = self.world.servers[request.server_id]
        record = self.newest(server)
        if not server.exists:
            return 404
        if server.vm_state != 'resized' or server.task_state is not None:
            return 409
        if record is None or record.status != 'finished':
            return 400
        self.world.confirm(record)
        return 204

    def abort(self, request: Request) -> int:
        """Take an abort of a live migration."""
        assert request.migration_id is not None
        record = self.world.records[request.migration_id - 1]
        if record.server.task_state != 'migrating':
            return 409
        if record.status not in ('queued', 'preparing', 'running'):
            return 400
        if record.is_alive and record.source not in self.world.dead:
            self.world.abort(record)
        return 202

    def _force(self, request: Request) -> int:
        assert request.migration_id is not None
        record = self.world.records[request.migration_id - 1]
        server = record.server
        if server.task_state != 'migrating' or server.vm_state != 'active':
            return 409
        if record.status != 'running':
            return 400
        if record.is_alive:
            self.world.force(record)
        return 202

    def _reset(self, request: Request) -> int:
        server = self.world.servers[request.server_id]
        if not server.exists:
            return 404
        server.vm_state, server.task_state = 'active', None
        return 202

    def _pause(self, request: Request) -> int:
        server = self.world.servers[request.server_id]
        if server.vm_state != 'active' or server.task_state is not None:
            return 409
        server.task_state = 'pausing'

        def paused() -> None:
            server.vm_state, server.task_state = 'paused', None
            server.power_state = matter.PAUSED

        self.world.after(1, paused)
        return 202


_ACTIONS: Mapping[Action, Callable[[Nova, Request], int]] = {
    Action.LIVE_MIGRATE: Nova._move,
    Action.COLD_MIGRATE: Nova._move,
    Action.CONFIRM: Nova.confirm,
    Action.ABORT: Nova.abort,
    Action.FORCE_COMPLETE: Nova._force,
    Action.RESET_STATE: Nova._reset,
    Action.PAUSE: Nova._pause,
}


def _answer(status: int | None) -> Answer:
    is_bad = status is None or status >= 400
    return Answer(
        status_code=status,
        message=f'made up: {status}' if is_bad else '',
        request_id=None if status is None else 'req-1',
    )


def _sight(server: matter.Server) -> Sight:
    if not server.exists:
        return Sight(exists=False)
    return Sight(
        exists=True,
        name=server.name,
        memory_mb=server.ram,
        status=server.status,
        vm_state=server.vm_state,
        task_state=server.task_state,
        power_state=server.power_state,
        host=server.host,
        fault=server.fault,
    )
