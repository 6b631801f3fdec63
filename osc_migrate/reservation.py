# SPDX-License-Identifier: Apache-2.0
"""A destination that a drain keeps for itself: closed but for its own moves.

Nova refuses a disabled host as a destination even when it is named, so the
host is open for as long as one of our requests is being scheduled, and closed
at all other times. What it was before is in the mark of the host that is
drained (:mod:`osc_migrate.token`), so that whoever runs the drain again, or
undoes it, can give it back: there is no other memory.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
import contextlib
import dataclasses
import time

from osc_migrate import cloud as cloud_module
from osc_migrate import exceptions
from osc_migrate import executor as executor_module
from osc_migrate import handover
from osc_migrate import model
from osc_migrate import token as token_module
from osc_migrate.task import TERMINAL_RECORDS
from osc_migrate.task import Action
from osc_migrate.task import Answer
from osc_migrate.task import Request
from osc_migrate.task import Sight

_MOVES = (Action.LIVE_MIGRATE, Action.COLD_MIGRATE, Action.EVACUATE)
# seconds between two looks while a request is being scheduled
_POLL = 0.3
# seconds to wait for: a trait to go, a record to come, the scheduler's word
_TRAIT, _RECORD, _SCHEDULED = 10.0, 5.0, 60.0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Stranger:
    """Something on the destination that is not of the drain.

    ``name`` is empty for what only holds a part of it in Placement: a build
    or a migration on its way there, or one that was not confirmed.
    """

    id: str
    name: str

    def __str__(self) -> str:
        if self.name:
            return f'the server {self.name} ({self.id})'
        return f'an allocation of {self.id}'


def make(
    cloud: cloud_module.Cloud,
    snapshot: model.Snapshot,
    source: model.Host,
    *,
    to: Collection[str] | None,
    is_ours: Callable[[model.Migration], bool],
) -> 'Reservation | None':
    """Make the reservation of the one destination, if there is to be one.

    :param to: the destinations, or ``None``
    :raises InvalidInput: there are none or several, or it is the source
    :raises HostNotFound: there is no such host
    """
    if to is None:
        return None
    if len(to) != 1 or source.name in to:
        raise exceptions.InvalidInput(
            'To reserve a destination, name exactly one other host'
        )
    (name,) = to
    if name not in snapshot.hosts:
        raise exceptions.HostNotFound(name, snapshot.hosts)
    return Reservation(cloud, source, snapshot.hosts[name], is_ours=is_ours)


def written(
    cloud: cloud_module.Cloud,
    services: Mapping[str, model.Host],
    source: str,
    *,
    token: token_module.Token,
    reservation: 'Reservation | None',
) -> tuple[token_module.Token, str | None]:
    """Write the mark of a drain, if the host does not have it already.

    A destination that an earlier run reserved, and this one does not, is
    given back before the mark forgets it.

    :param services: all hosts, as they are now
    :return: the mark as it is then, and the id of the request if there was
        one
    :raises InvalidInput: it does not fit
    :raises CloudError: Nova refused
    """
    kept = token.reserves
    wanted = reservation.host if reservation is not None else None
    if reservation is not None:
        token = reservation.marked(token, services)
    else:
        token = dataclasses.replace(token, reserves=None)
    if kept is not None and kept.host != wanted:
        handover.give_back(cloud, source, kept)
    if str(token) == services[source].disabled_reason:
        return token, None
    return token, cloud.disable(services[source], str(token))


class Reservation:
    """The Nova of an executor, which opens and closes the destination.

    :param source: the host that is drained
    :param destination: the host that is reserved
    :param is_ours: whether a migration record is one of the drain
    """

    def __init__(
        self,
        cloud: cloud_module.Cloud,
        source: model.Host,
        destination: model.Host,
        *,
        is_ours: Callable[[model.Migration], bool],
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._cloud = cloud
        self._source = source
        self._destination = destination
        self._is_ours = is_ours
        self.clock = clock
        self.sleep = sleep
        self._mark: token_module.Token | None = None
        self._is_open = False
        self._asked: set[str] = set()
        self.strangers: tuple[Stranger, ...] = ()
        self.said = ''
        self._on_strangers: Callable[[], object] = lambda: None

    @property
    def host(self) -> str:
        """The name of the host that is reserved."""
        return self._destination.name

    def opened(
        self, services: Mapping[str, model.Host]
    ) -> Mapping[str, model.Host]:
        """Return the services as our requests find them."""
        if self.host not in services:
            return services
        own = dataclasses.replace(services[self.host], status='enabled')
        return {**services, self.host: own}

    # the life of a reservation

    def check(self, token: token_module.Token | None) -> None:
        """See that the destination can be reserved; change nothing.

        :param token: the mark of the drain, if it began before
        :raises InvalidInput: it holds something else, or is another's
        """
        handover.before(self._destination, self._source.name, token)
        strangers = self._look_around()
        if strangers:
            raise exceptions.InvalidInput(
                f'{self.host} cannot be reserved, as it is not empty: it '
                f'holds {_listed(strangers)}. Choose an empty host, or empty '
                f'it first: {self._away(strangers)}; or move there without '
                '--reserve'
            )

    def marked(
        self, token: token_module.Token, services: Mapping[str, model.Host]
    ) -> token_module.Token:
        """Return the mark of the drain that remembers the destination.

        :param services: all hosts, as they are now
        :raises InvalidInput: it does not fit
        """
        destination = services.get(self.host, self._destination)
        reserved = handover.before(destination, self._source.name, token)
        token, self._mark = token_module.reserving(
            token, self._source.name, reserved
        )
        return token

    @contextlib.contextmanager
    def kept(
        self, executor: executor_module.Executor, token: token_module.Token
    ) -> Iterator[None]:
        """Keep the destination closed, and give it back in the end.

        What it is then is in ``said``. Something foreign on it stops the
        executor.

        :param token: the mark of the drain, which Nova has by now
        :raises CloudError: Nova refused, or was out of reach for long
        """
        self._on_strangers = executor.stop
        try:
            executor.patiently(self._close)
            executor.patiently(self.inspect)
            yield
        finally:
            self.said = executor.patiently(lambda: self._give_back(token))

    def _give_back(self, token: token_module.Token) -> str:
        """Give the destination back, then let the drain's mark forget it."""
        assert token.reserves is not None
        said = handover.give_back(
            self._cloud, self._source.name, token.reserves
        )
        self._is_open = False
        source = self._cloud.services()[self._source.name]
        mark = token_module.read(source.disabled_reason)
        # somebody may have enabled the source meanwhile
        if mark is not None and mark.reserves is not None:
            mark = dataclasses.replace(mark, reserves=None)
            self._cloud.disable(source, str(mark))
        return said

    def inspect(self) -> None:
        """Look for what is not of the drain, and raise the alarm.

        :raises CloudError: Nova does not answer
        """
        found = self._look_around()
        if found:
            self.strangers = found
            self._on_strangers()

    def warning(self, beside: str) -> str:
        """Say what else is on the destination, and the choice there is.

        :param beside: the command that goes on without the reservation
        """
        return (
            f'{self.host} holds what is not of this drain: '
            f'{_listed(self.strangers)}. Nothing more was started. Move it '
            f'away and run the same again: {self._away(self.strangers)}; or '
            f'go on beside it, without --reserve: {beside}'
        )

    def _away(self, strangers: Collection[Stranger]) -> str:
        """Return the command that moves them away, or shows them."""
        ids = [one.id for one in strangers if one.name]
        if not ids:
            return f'openstack server migration watch --host {self.host}'
        servers = ' '.join(f'--server {server_id}' for server_id in ids)
        return f'openstack compute drain {self.host} --no-disable {servers}'

    def _look_around(self) -> tuple[Stranger, ...]:
        """Find what is on the destination, or on its way, and not ours."""
        records = self._cloud.migrations(source_compute=self._source.name)
        ours = {r.server_id for r in records if self._is_ours(r)}
        here = self._cloud.servers_on(self.host)
        names = {server_id: sight.name for server_id, sight in here.items()}
        if self._destination.providers is not None:
            for consumer in self._cloud.allocations(self._destination):
                names.setdefault(consumer, '')
        return tuple(
            Stranger(id=consumer, name=name)
            for consumer, name in names.items()
            if consumer not in ours | self._asked
        )

    # what an executor needs of Nova

    def look(self, server_id: str) -> Sight:
        """Return what Nova shows of a server now."""
        return self._cloud.look(server_id)

    def migrations(self, **filters: str) -> list[model.Migration]:
        """Return migration records, the newest first."""
        if self._is_open:
            self._close()  # Nova was out of reach when it was due
        return self._cloud.migrations(**filters)

    def running_migration(
        self, server_id: str, migration_id: int
    ) -> model.Migration | None:
        """Return a live migration in progress with its figures."""
        return self._cloud.running_migration(server_id, migration_id)

    def ask(self, request: Request) -> Answer:
        """Send a request, once; open the destination if it goes there."""
        if request.action not in _MOVES or request.destination != self.host:
            return self._cloud.ask(request)
        known = self._newest(request.server_id)
        baseline = known.id if known else 0
        self._asked.add(request.server_id)
        try:
            self._open()
            answer = self._cloud.ask(request)
            if not answer.is_refused:
                self._await_scheduler(request, baseline)
        finally:
            self._close()
        self.inspect()
        return answer

    def _open(self) -> None:
        self._is_open = True
        self._cloud.enable(self._destination)
        began = self.clock()
        while self.clock() - began < _TRAIT:
            if handover.DISABLED not in self._cloud.traits(self._destination):
                return
            self.sleep(_POLL)

    def _close(self) -> None:
        self._cloud.disable(self._destination, str(self._mark))
        self._is_open = False

    def _await_scheduler(self, request: Request, baseline: int) -> None:
        """Wait until a request needs the destination open no longer."""
        began = self.clock()
        while (waited := self.clock() - began) < _SCHEDULED:
            record = self._newest(request.server_id)
            if record is not None and record.id > baseline:
                if _is_scheduled(record, request):
                    return
            elif waited > _RECORD:
                sight = self._cloud.look(request.server_id)
                if sight.task_state is None:
                    return  # nothing has come of it
            self.sleep(_POLL)

    def _newest(self, server_id: str) -> model.Migration | None:
        own = self._cloud.migrations(instance_uuid=server_id)
        return max(own, key=lambda one: one.id, default=None)


def _is_scheduled(record: model.Migration, request: Request) -> bool:
    """Whether the scheduler has spoken: its word is in the record."""
    if record.status in TERMINAL_RECORDS:
        return True
    if request.action is Action.EVACUATE and record.status == 'accepted':
        return False  # it names the destination from the first
    return record.dest_compute is not None


def _listed(strangers: Collection[Stranger]) -> str:
    some = [str(one) for one in strangers][:3]
    more = len(strangers) - len(some)
    return ', '.join(some) + (f' and {more} more' if more else '')
