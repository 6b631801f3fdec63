# SPDX-License-Identifier: Apache-2.0
"""What happens inside a made-up Nova: how servers move, step by step.

It follows the order in which Nova 34 writes what a client can see: the task
of the server before the record exists, the host before the record is
completed, ``failed`` before the server turns to ERROR.
"""

from collections.abc import Callable

from tests.property.matter import BUSY_RECORDS
from tests.property.matter import GIB
from tests.property.matter import POWER
from tests.property.matter import SHUTDOWN
from tests.property.matter import Clock
from tests.property.matter import Record
from tests.property.matter import Server
from tests.property.matter import Trip


class World(Clock):
    """Servers, hosts and migrations, and the time that passes.

    :param leaves_error: as Nova 34 does after a live migration that failed
    :param per_source: how many live migrations a source runs at once
    :param confirms_after: seconds; 0 means never
    """

    def __init__(
        self,
        hosts: tuple[str, ...],
        *,
        leaves_error: bool = True,
        per_source: int = 1,
        confirms_after: float = 0,
    ) -> None:
        super().__init__()
        self.hosts = hosts
        self.leaves_error = leaves_error
        self.confirms_after = confirms_after
        self.servers: dict[str, Server] = {}
        self.records: list[Record] = []
        self.dead: set[str] = set()
        self.down: set[str] = set()
        self.disabled: dict[str, str] = {}
        self.on_placed: Callable[[Record], None] = lambda record: None
        self._per_source = per_source
        self._queues: dict[str, list[Record]] = {}

    # migrations

    def new_record(
        self,
        server: Server,
        kind: str,
        destination: str | None,
        *,
        user: str,
        trip: Trip,
    ) -> Record:
        """Write a migration record."""
        record = Record(
            id=len(self.records) + 1,
            server=server,
            status='accepted' if kind == 'live-migration' else 'pre-migrating',
            migration_type=kind,
            source=server.host,
            destination=destination,
            user_id=user,
            trip=trip,
            was=server.vm_state,
            created=self.now,
            updated=self.now,
        )
        self.records.append(record)
        return record

    def write(self, record: Record, status: str) -> None:
        """Change what a record says."""
        record.status, record.updated = status, self.now

    def place(self, record: Record) -> bool:
        """Find a destination, as Nova's scheduler does, or end the record.

        Of those that it may choose it takes the one that most others are on
        their way to: the worst for whoever keeps limits.
        """
        wanted = [record.destination] if record.destination else self.hosts
        fit = [
            host
            for host in wanted
            if host != record.source
            and host not in self.disabled
            and host not in self.down
            and not self._has_rival(host, record.server)
        ]
        if not fit or record.source in self.down:
            self.fail(record, 'error')
            return False
        record.destination = max(fit, key=self.arriving)
        self.on_placed(record)
        return True

    def arriving(self, host: str) -> int:
        """Count the migrations under way to a host."""
        return sum(
            record.destination == host
            for record in self.records
            if record.status in BUSY_RECORDS and record.is_alive
        )

    def _has_rival(self, host: str, server: Server) -> bool:
        return any(
            other.group == server.group and other.host == host
            for other in self.servers.values()
            if server.group and other.exists and other is not server
        )

    def fail(self, record: Record, status: str) -> None:
        """End a migration; the server stays what it was."""
        record.server.task_state = None
        self.write(record, status)

    def live(self, record: Record) -> None:
        """Begin a live migration where the conductor takes it over."""
        if record.trip.fails_at == 'scheduler':
            self.fail(record, 'error')
        elif self.place(record):
            self.write(record, 'queued')
            self._queue(record.source).append(record)
            self._run_queue(record.source)

    def _queue(self, host: str) -> list[Record]:
        return self._queues.setdefault(host, [])

    def _run_queue(self, host: str) -> None:
        """Let the source take up what it may run at once."""
        if host in self.dead:
            return
        for record in self._queue(host)[: self._per_source]:
            if record.status == 'queued':
                self.write(record, 'preparing')
                self._later(1, record, lambda r=record: self._run(r))

    def _later(
        self, seconds: float, record: Record, act: Callable[[], None]
    ) -> None:
        """Go on with a migration, unless its nova-compute died or it ended."""
        expected = record.status

        def go_on() -> None:
            if record.is_alive and record.status == expected:
                if record.server.exists:
                    act()
                else:
                    self._leave_queue(record)
                    self.write(record, 'error')

        self.after(seconds, go_on)

    def _leave_queue(self, record: Record) -> None:
        queue = self._queue(record.source)
        queue[:] = [other for other in queue if other is not record]
        self._run_queue(record.source)

    def _run(self, record: Record) -> None:
        assert record.destination is not None
        if record.trip.fails_at == 'check' or self._has_rival(
            record.destination, record.server
        ):
            self._leave_queue(record)
            self.fail(record, 'error')
            return
        self.write(record, 'running')
        self._copy(record, self.now)

    def _copy(self, record: Record, began: float) -> None:
        """Write figures every five seconds, until the copy ends."""
        total = record.server.ram * 1024**2
        share = (self.now - began) / record.trip.seconds
        sent = round(total * share)
        left = total - sent
        if record.trip.is_endless:
            sent = round(GIB / 8 * (self.now - began))
            left = round(total * (0.5 + 0.1 * (round(self.now) % 3)))
        record.memory = (total, sent, left)
        record.updated = self.now
        rest = record.trip.seconds - (self.now - began)
        if record.trip.fails_at == 'copy' and share >= 0.5:
            self._break(record, 'failed')
        elif record.trip.is_endless or rest > 5:
            self._later(5, record, lambda: self._copy(record, began))
        else:
            self._later(rest, record, lambda: self._arrive(record))

    def _arrive(self, record: Record) -> None:
        """The guest runs on the destination: the server, then the record."""
        assert record.destination is not None
        server = record.server
        server.host, server.task_state = record.destination, None
        if record.trip.fails_at == 'end':
            server.vm_state, server.fault = 'error', 'no network there'

        def finish() -> None:
            self._leave_queue(record)
            is_bad = record.trip.fails_at == 'end'
            self.write(record, 'error' if is_bad else 'completed')

        self._later(record.trip.tail, record, finish)

    def _break(self, record: Record, status: str) -> None:
        """A copy ends early: Nova writes so in two steps."""
        record.server.task_state = None
        self._leave_queue(record)
        self.write(record, status)

        def settle() -> None:
            if record.server.task_state is None and self.leaves_error:
                record.server.vm_state = 'error'
                self.write(record, 'error')

        if self.leaves_error:
            self._later(0.5, record, settle)

    def abort(self, record: Record) -> None:
        """Take an abort: at once from the queue, soon from a copy."""
        if record.trip.ignores_abort:
            return
        if record.status == 'queued':
            self._leave_queue(record)
            self.fail(record, 'cancelled')
        elif record.status == 'preparing':
            self._later(1, record, lambda: self._break(record, 'cancelled'))
        else:
            self.after(1, lambda: self._abort_copy(record))

    def _abort_copy(self, record: Record) -> None:
        if record.is_alive and record.status == 'running':
            self._break(record, 'cancelled')

    def force(self, record: Record) -> None:
        """Complete a copy by force."""
        self._later(1, record, lambda: self._arrive(record))

    def cold(self, record: Record) -> None:
        """Begin a cold migration or a resize, from the conductor on."""
        if record.trip.fails_at == 'scheduler' or not self.place(record):
            self.fail(record, 'error')
            return
        server = record.server
        server.task_state = 'resize_migrating'
        self.write(record, 'migrating')

        def moved() -> None:
            assert record.destination is not None
            if record.trip.fails_at in ('check', 'copy'):
                server.vm_state, server.fault = 'error', 'no space left'
                server.power_state = SHUTDOWN
                self.fail(record, 'error')
                return
            server.task_state, server.host = (
                'resize_finish',
                record.destination,
            )
            self.write(record, 'post-migrating')
            self._later(record.trip.tail + 0.5, record, finished)

        def finished() -> None:
            if record.trip.fails_at == 'end':
                server.vm_state, server.fault = 'error', 'no network there'
                self.fail(record, 'error')
                return
            server.vm_state, server.task_state = 'resized', None
            self.write(record, 'finished')
            if self.confirms_after:
                self._later(
                    self.confirms_after, record, lambda: self.confirm(record)
                )

        self._later(record.trip.seconds, record, moved)

    def confirm(self, record: Record) -> None:
        """Take a confirmation: the record first, then the server."""
        self.write(record, 'confirming')

        def confirmed() -> None:
            self.write(record, 'confirmed')
            self.after(0.2, settled)

        def settled() -> None:
            record.server.vm_state = record.was
            record.server.power_state = POWER[record.was]

        self._later(0.5, record, confirmed)

    def revert(self, record: Record) -> None:
        """Take a resize or cold migration back."""
        record.server.task_state = 'resize_reverting'
        self.write(record, 'reverting')

        def reverted() -> None:
            server = record.server
            server.vm_state, server.host = record.was, record.source
            self.fail(record, 'reverted')

        self._later(2, record, reverted)

    # nova-compute

    def kill(self, host: str) -> None:
        """Kill a nova-compute: what it works at stays as it is."""
        if host in self.dead:
            return
        self.dead.add(host)
        for record in self.records:
            if record.source == host and record.status in BUSY_RECORDS:
                record.is_alive = False
        self._queues.pop(host, None)
        self.after(60, lambda: self.down.update({host} & self.dead))

    def revive(self, host: str) -> None:
        """Start it again: tasks are given up, most records left behind."""
        if host not in self.dead:
            return
        self.dead.discard(host)
        self.down.discard(host)
        for record in self.records:
            if record.is_alive or record.server.host != host:
                continue
            if record.status in BUSY_RECORDS:
                record.server.task_state = None
                if record.status == 'running':
                    self.write(record, 'error')
        self._run_queue(host)
