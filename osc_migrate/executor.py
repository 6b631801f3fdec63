# SPDX-License-Identifier: Apache-2.0
"""The only loop: observe, advance, ask, sleep. One thread.

What to do is decided by :mod:`osc_migrate.machine`; here is only when: within
the limits, never before a look, and no more often than Nova has news. A
request that waits costs nothing: only moves under way are looked at.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
import dataclasses
import datetime
import time
from typing import Protocol

from osc_migrate import exceptions
from osc_migrate import machine
from osc_migrate import model
from osc_migrate import planner
from osc_migrate.task import TERMINAL_RECORDS
from osc_migrate.task import Action
from osc_migrate.task import Answer
from osc_migrate.task import Observation
from osc_migrate.task import Phase
from osc_migrate.task import Policy
from osc_migrate.task import Request
from osc_migrate.task import Sight
from osc_migrate.task import Task

Reporter = Callable[[Task], object]
Discover = Callable[[Mapping[str, model.Migration]], Iterable[Task]]
# seconds that Nova may be out of reach before we give up
_PATIENCE = 600.0
# Nova writes the figures of a copy every 5 s (live_migration_monitor_interval)
_FIGURES = 5.0
# of how many copies, so that hundreds at once do not mean hundreds of requests
_FIGURES_PER_TICK = 4


class Nova(Protocol):
    """What the executor needs of :class:`osc_migrate.cloud.Cloud`."""

    def look(self, server_id: str) -> Sight:
        """Return what Nova shows of a server now."""

    def migrations(self, **filters: str) -> list[model.Migration]:
        """Return migration records, the newest first."""

    def running_migration(
        self, server_id: str, migration_id: int
    ) -> model.Migration | None:
        """Return a live migration in progress with its figures."""

    def ask(self, request: Request) -> Answer:
        """Send a request, once."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How many migrations may be under way at once.

    Those of others count too. Nova itself runs one live migration at a time
    on each source by default and queues the rest, so two for each source
    keep it busy without a gap.
    """

    total: int = 8
    per_source: int = 2
    per_destination: int = 2

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            if getattr(self, field.name) < 1:
                raise exceptions.InvalidInput(
                    f'The limit {field.name} must be at least 1'
                )

    def allow(
        self,
        source: str,
        destination: str | None,
        busy: Sequence[tuple[str | None, str | None]],
    ) -> bool:
        """Whether one more migration may start beside those under way."""
        leaving = sum(1 for one, _ in busy if one == source)
        arriving = sum(
            1 for _, one in busy if one is not None and one == destination
        )
        return (
            len(busy) < self.total
            and leaving < self.per_source
            and arriving < self.per_destination
        )


class Executor:
    """Carries out a plan.

    :param reporters: each is called with a task whenever it changed
    :param choose: called with a task that was refused a destination, it
        returns another one, or ``None`` to leave it to Nova
    :param discover: called with the newest record of every server whose
        migrations changed lately, it returns tasks to follow as well
    """

    def __init__(
        self,
        cloud: Nova,
        *,
        limits: Limits | None = None,
        policy: Policy | None = None,
        reporters: Iterable[Reporter] = (),
        choose: Callable[[Task], str | None] | None = None,
        discover: Discover | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._cloud = cloud
        self._limits = limits or Limits()
        self.policy = policy or Policy()
        self._reporters = tuple(reporters)
        self._choose = choose
        self._discover = discover
        self._clock = clock
        self._sleep = sleep
        self.is_stopping = False
        self._tasks: dict[str, Task] = {}
        self._records: dict[str, model.Migration] = {}
        self._newest = ''
        self._figures_at: dict[str, float] = {}
        self._figures_left = 0
        self._silent_since: float | None = None

    def stop(self) -> None:
        """Start nothing more; what runs is still followed to its end."""
        self.is_stopping = True

    def pause(self, seconds: float) -> None:
        """Wait between two plans, but not when told to stop."""
        if not self.is_stopping:
            self._sleep(seconds)

    def run(
        self, plan: planner.Plan, under_way: Iterable[Task] = ()
    ) -> tuple[Task, ...]:
        """Carry out a plan and return what became of each move.

        :param under_way: migrations to follow that were asked for before,
            from :func:`osc_migrate.machine.attach`

        Ends when every move has ended or is stuck; after :meth:`stop` the
        moves that were not begun are still pending.

        :raises CloudError: Nova was out of reach for ten minutes
        """
        servers = {s.server.id: s.server for s in plan.report.servers}
        self._tasks = {}
        self._adopt(under_way)
        self._tasks |= {
            move.server_id: Task(
                move=move,
                name=servers[move.server_id].name,
                memory_mb=servers[move.server_id].flavor.ram,
            )
            for move in plan.moves
            if move.server_id not in self._tasks
        }
        self._records, self._newest = {}, ''
        while True:
            self._tick()
            if self._is_over():
                return tuple(self._tasks.values())
            self._sleep(self._interval())

    def command(self, server_id: str, action: Action) -> Answer:
        """Abort a live migration that is followed, or complete it by force.

        :raises InvalidInput: no migration of that server is under way
        """
        task = self._tasks.get(server_id)
        if task is None or task.record is None or not task.phase.holds_slot:
            raise exceptions.InvalidInput(
                f'No migration of the server {server_id} is under way'
            )
        request = Request(
            action=action, server_id=server_id, migration_id=task.record.id
        )
        answer = self._cloud.ask(request)
        task = machine.answered(task, request, answer, self._clock())
        if answer.is_accepted:
            task = machine.commanded(task, action, self._clock())
        self._put(task)
        return answer

    def _adopt(self, tasks: Iterable[Task]) -> None:
        """Follow migrations that were asked for before."""
        now = self._clock()
        for task in tasks:
            known = self._tasks.get(task.server_id)
            if known is None or known.phase.is_final:
                self._tasks[task.server_id] = dataclasses.replace(
                    task, since=now, started=now
                )

    def _is_over(self) -> bool:
        return all(
            task.phase.is_final
            or task.phase is Phase.STUCK
            or (task.phase is Phase.PENDING and self.is_stopping)
            for task in self._tasks.values()
        )

    def _tick(self) -> None:
        """Look at what is under way, then start what may start."""
        try:
            self._read_records()
            if self._discover is not None:
                self._adopt(self._discover(self._records))
            self._figures_left = _FIGURES_PER_TICK
            for task in sorted(self._tasks.values(), key=self._seen_last):
                if task.phase.holds_slot:
                    self._put(self._follow(task))
            if not self.is_stopping:
                self._start()
        except exceptions.Forbidden:
            raise
        except exceptions.CloudError:
            now = self._clock()
            self._silent_since = self._silent_since or now
            if now - self._silent_since > _PATIENCE:
                raise
        else:
            self._silent_since = None

    def _read_records(self) -> None:
        """Read the migration records that changed since the last look.

        Nova's own times are used, with a minute's overlap: clocks differ.
        """
        filters = {'changes_since': self._newest} if self._newest else {}
        for record in reversed(self._cloud.migrations(**filters)):
            known = self._records.get(record.server_id)
            if known is None or record.id >= known.id:
                self._records[record.server_id] = record
            moment = record.updated_at or record.created_at
            self._newest = max(self._newest, _minute_before(moment))

    def _follow(self, task: Task) -> Task:
        """Observe a move and take steps until there is nothing to ask."""
        record = self._records.get(task.server_id)
        seen = Observation(sight=None, record=self._with_figures(task, record))
        task, request = machine.advance(task, seen, self._clock(), self.policy)
        if request is not None and request.action is Action.LOOK:
            sight = self._cloud.look(task.server_id)
            seen = dataclasses.replace(seen, sight=sight)
            task, request = machine.advance(
                task, seen, self._clock(), self.policy
            )
        return self._ask(task, request)

    def _with_figures(
        self, task: Task, record: model.Migration | None
    ) -> model.Migration | None:
        """Add the figures of a running copy, as often as they change."""
        if (
            record is None
            or record.status != 'running'
            or record.migration_type != 'live-migration'
        ):
            return record
        now = self._clock()
        asked = self._figures_at.get(task.server_id, -_FIGURES)
        if now - asked < _FIGURES or self._figures_left == 0:
            return record
        self._figures_left -= 1
        self._figures_at[task.server_id] = now
        return (
            self._cloud.running_migration(task.server_id, record.id) or record
        )

    def _seen_last(self, task: Task) -> float:
        """Order tasks so that those whose figures are oldest come first."""
        return self._figures_at.get(task.server_id, 0)

    def _start(self) -> None:
        """Start pending moves, in their order, as far as the limits allow."""
        for task in list(self._tasks.values()):
            if task.phase is not Phase.PENDING:
                continue
            now = self._clock()
            if now < task.not_before:
                continue
            busy = self._busy()
            if len(busy) >= self._limits.total:
                return
            move = task.move
            if not self._limits.allow(move.source, move.destination, busy):
                continue
            self._begin(task)

    def _begin(self, task: Task) -> None:
        """Look at a server, then ask for its move."""
        move = task.move
        if task.refused and self._choose and move.destination is None:
            destination = self._choose(task)
            move = dataclasses.replace(move, destination=destination)
            task = dataclasses.replace(task, move=move)
            if not self._limits.allow(move.source, destination, self._busy()):
                self._put(task)
                return
        sight = self._cloud.look(task.server_id)
        own = self._cloud.migrations(instance_uuid=task.server_id)
        record = max(own, key=lambda one: one.id, default=None)
        seen = Observation(sight=sight, record=record)
        task, request = machine.start(task, seen, self._clock(), self.policy)
        self._put(self._ask(task, request))

    def _ask(self, task: Task, request: Request | None) -> Task:
        if request is None or request.action is Action.LOOK:
            return task
        # what comes after the request is known only if this is kept first
        self._put(task)
        answer = self._cloud.ask(request)
        return machine.answered(task, request, answer, self._clock())

    def _busy(self) -> list[tuple[str | None, str | None]]:
        """Return source and destination of every migration under way."""
        ours = [
            (task.move.source, task.destination)
            for task in self._tasks.values()
            if task.phase.holds_slot
        ]
        others = [
            (record.source_compute, record.dest_compute)
            for record in self._records.values()
            if record.status not in TERMINAL_RECORDS
            and record.status != 'finished'
            and not (
                record.server_id in self._tasks
                and self._tasks[record.server_id].phase.holds_slot
            )
        ]
        return ours + others

    def _put(self, task: Task) -> None:
        known = self._tasks[task.server_id]
        self._tasks[task.server_id] = task
        if _is_news(known, task):
            for report in self._reporters:
                report(task)

    def _interval(self) -> float:
        """Sleep short when something is about to change, else longer."""
        quick = (
            Phase.ASKED,
            Phase.FINISHING,
            Phase.TO_CONFIRM,
            Phase.CONFIRMING,
            Phase.RESETTING,
            Phase.PREPARING,
        )
        held = [t for t in self._tasks.values() if t.phase.holds_slot]
        if not held or any(task.phase in quick for task in held):
            return 1.0
        left = [
            task.progress.seconds_left
            for task in held
            if task.progress and task.progress.seconds_left is not None
        ]
        return min(5.0, max(1.0, min(left, default=2.0) / 2))


def _is_news(old: Task, new: Task) -> bool:
    """Whether anything changed that somebody would want to see."""
    return (old.phase, old.reason, old.destination, old.progress) != (
        new.phase,
        new.reason,
        new.destination,
        new.progress,
    )


def _minute_before(moment: str) -> str:
    """Return the ISO 8601 time one minute before another one."""
    at = datetime.datetime.fromisoformat(moment.removesuffix('Z'))
    return (at - datetime.timedelta(minutes=1)).isoformat()
