# SPDX-License-Identifier: Apache-2.0
"""The only loop: observe, advance, ask, sleep. One thread.

What to do is decided by :mod:`osc_migrate.machine`; here is only when: within
the limits, never before a look, and no more often than Nova has news. A
request that waits costs nothing: only moves under way are looked at.
"""

from collections.abc import Callable, Iterable, Mapping
import dataclasses
import time
from typing import TypeVar

from osc_migrate import contract
from osc_migrate import exceptions
from osc_migrate import figures
from osc_migrate import hosts as hosts_module
from osc_migrate import limits as limits_module
from osc_migrate import machine
from osc_migrate import model
from osc_migrate import moments
from osc_migrate import planner
from osc_migrate.task import TERMINAL_RECORDS
from osc_migrate.task import Action
from osc_migrate.task import Answer
from osc_migrate.task import Observation
from osc_migrate.task import Phase
from osc_migrate.task import Policy
from osc_migrate.task import Request
from osc_migrate.task import Task
from osc_migrate.task import end
from osc_migrate.task import planned

T = TypeVar('T')
Reporter = Callable[[Task], object]
Discover = Callable[[Mapping[str, model.Migration]], Iterable[Task]]
# seconds that Nova may be out of reach before we give up
_PATIENCE = 600.0
# seconds between two tries to reach Nova
_RETRY = 5.0
# seconds of records that are read twice, lest one is missed
_OVERLAP = 60.0
# a record of somebody else that Nova has not touched for so long is an orphan
_ORPHANED = 3600.0


class Executor:
    """Carries out a plan.

    :param reporters: each is called with a task whenever it changed
    :param choose: called with a task that was refused a destination, it
        returns another one, or ``None`` to leave it to Nova
    :param explain: called with a task that failed, or failed once, it
        returns the same with what Nova tells about that in its reason
    :param since: ISO 8601 time of Nova; what failed since then counts as a
        try of ours, so that a resumed drain does not begin to count anew
    :param discover: called with the newest record of every server whose
        migrations changed lately, it returns tasks to follow as well
    :param hosts: returns the compute services by host: nothing is begun from
        one that is down, or to one that was closed
    :param is_ours: whether we may confirm what began meanwhile
    """

    def __init__(
        self,
        cloud: contract.Nova,
        *,
        limits: limits_module.Limits | None = None,
        policy: Policy | None = None,
        reporters: Iterable[Reporter] = (),
        choose: Callable[[Task], str | None] | None = None,
        discover: Discover | None = None,
        explain: Callable[[Task], Task] | None = None,
        hosts: Callable[[], Mapping[str, model.Host]] | None = None,
        is_ours: Callable[[model.Migration], bool] = lambda record: False,
        since: str = '',
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._cloud = cloud
        self._limits = limits or limits_module.Limits()
        self.policy = policy or Policy()
        self._reporters = tuple(reporters)
        self._choose = choose
        self._discover = discover
        self._explain = explain
        self._hosts = hosts_module.Hosts(hosts, clock)
        self._is_ours = is_ours
        self._since = since
        self._clock = clock
        self._sleep = sleep
        self.is_stopping = False
        self._tasks: dict[str, Task] = {}
        self._records: dict[str, model.Migration] = {}
        self._newest = ''
        self._fresh = ''
        self._changed: dict[str, float] = {}
        self._busy_at = 0.0
        self._figures = figures.Figures(cloud, clock)
        self._silent_since: float | None = None

    def stop(self) -> None:
        """Start nothing more; what runs is still followed to its end."""
        self.is_stopping = True

    def pause(self, seconds: float) -> None:
        """Wait between two plans, but not when told to stop."""
        if not self.is_stopping:
            self._sleep(seconds)

    def patiently(self, act: Callable[[], T]) -> T:
        """Do something that may be repeated, until Nova is in reach.

        :raises CloudError: Nova was out of reach for ten minutes, or
            refuses
        """
        began = self._clock()
        while True:
            try:
                return act()
            except exceptions.ServiceUnavailable:
                if self._clock() - began > _PATIENCE or self.is_stopping:
                    raise
                self._sleep(_RETRY)

    def run(
        self,
        plan: planner.Plan | None = None,
        under_way: Iterable[Task] = (),
        *,
        until: Callable[[], bool] = lambda: True,
    ) -> tuple[Task, ...]:
        """Carry out a plan and return what became of each move.

        :param under_way: migrations to follow that were asked for before,
            from :func:`osc_migrate.machine.attach`
        :param until: while this is false, wait for more to be discovered

        Ends when every move has ended or is stuck; after :meth:`stop` the
        moves that were not begun are still pending.

        :raises CloudError: Nova was out of reach for ten minutes
        """
        self._tasks = {}
        self._adopt(under_way)
        for task in planned(plan) if plan else ():
            self._tasks.setdefault(task.server_id, task)
        for task in self._tasks.values():
            self._report(task)
        self._records, self._newest = {}, ''
        self._busy_at = self._clock()
        while True:
            self._tick()
            if self._is_over() and until():
                self._give_up()
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

    def leave(self, server_id: str, reason: str, remedy: str) -> None:
        """Follow a migration no longer that Nova itself has forgotten."""
        task = self._tasks[server_id]
        now = self._clock()
        self._put(end(task, Phase.STUCK, reason, remedy, now=now))

    def _adopt(self, tasks: Iterable[Task]) -> None:
        """Follow migrations that were asked for before."""
        now = self._clock()
        for task in tasks:
            known = self._tasks.get(task.server_id)
            if (
                known is None
                or known.phase.is_final
                or known.baseline < task.baseline
            ):
                self._tasks[task.server_id] = dataclasses.replace(
                    task,
                    since=now,
                    started=now if task.started is None else task.started,
                )

    def _is_over(self) -> bool:
        return all(
            task.phase.is_final
            or task.phase is Phase.STUCK
            or (
                task.phase is Phase.PENDING
                and (self.is_stopping or self._is_blocked(task))
            )
            for task in self._tasks.values()
        )

    def _is_blocked(self, task: Task) -> bool:
        """Whether what may never end is in the way: stuck, or of others."""
        waited = self._clock() - self._busy_at
        if waited > self.policy.deadlines.queued:
            return True
        others = self._tasks.values()
        stuck = [self._load(t) for t in others if t.phase is Phase.STUCK]
        return not self._limits.allow(self._load(task), stuck)

    def _give_up(self) -> None:
        """End the moves that have no slot to wait for."""
        reason = 'was not begun: migrations without end hold all slots'
        for task in tuple(self._tasks.values()):
            if task.phase is Phase.PENDING and not self.is_stopping:
                remedy = 'openstack server migration list --status running'
                now = self._clock()
                self._put(end(task, Phase.FAILED, reason, remedy, now=now))

    def _tick(self) -> None:
        """Look at what is under way, then start what may start."""
        try:
            self._read_records()
            if self._discover is not None:
                self._adopt(self._discover(self._records))
            self._figures.renew()
            for task in sorted(
                self._tasks.values(), key=self._figures.read_at
            ):
                if task.phase.holds_slot:
                    if task.phase is not Phase.STUCK:
                        self._busy_at = self._clock()
                    self._put(self._hosts.told(self._follow(task)))
            self._start()
        except (exceptions.Forbidden, exceptions.NoEndpoint):
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

        Nova's own times are used, as clocks differ.
        """
        filters = {'changes_since': self._newest} if self._newest else {}
        for record in reversed(self._cloud.migrations(**filters)):
            known = self._records.get(record.server_id)
            if known is None or record.id >= known.id:
                self._records[record.server_id] = record
                if record != known:
                    self._changed[record.server_id] = self._clock()
            moment = record.updated_at or record.created_at
            self._newest = max(self._newest, moments.before(moment, _OVERLAP))
            self._fresh = max(self._fresh, moments.before(moment, _ORPHANED))

    def _follow(self, task: Task) -> Task:
        """Observe a move and take steps until there is nothing to ask."""
        record = self._records.get(task.server_id)
        seen = Observation(
            sight=None, record=self._figures.added(task, record)
        )
        task, request = machine.advance(task, seen, self._clock(), self.policy)
        if request is not None and request.action is Action.LOOK:
            sight = self._cloud.look(task.server_id)
            seen = dataclasses.replace(seen, sight=sight)
            task, request = machine.advance(
                task, seen, self._clock(), self.policy
            )
        task = self._ask(task, request)
        is_over = task.phase in (Phase.PENDING, Phase.FAILED)
        if self._explain is None or task.record is None or not is_over:
            return task
        return machine.told(self._explain(task))

    def _start(self) -> None:
        """Start pending moves, as far as the limits allow.

        In their order, but what was tried before comes after what was not.
        """
        for task in sorted(self._tasks.values(), key=lambda one: one.tries):
            if task.phase is not Phase.PENDING or self.is_stopping:
                continue
            load = self._load(task)
            if task.refused and self._choose and load.destination is None:
                # it will have one that is looked at again
                load = dataclasses.replace(load, destination='')
            if self._clock() >= task.not_before and self._fits(load):
                self._begin(task)

    def _begin(self, task: Task) -> None:
        """Look at a server, then ask for its move."""
        sight = self._cloud.look(task.server_id)
        own = self._cloud.migrations(instance_uuid=task.server_id)
        if self._since and not task.tries:
            task = machine.with_history(task, own, self._since)
        task, why = self._hosts.aimed(task)
        is_early = why and task.put_off <= self.policy.deadlines.busy
        if is_early or self.is_stopping:
            self._put(machine.put_off(task, why, self._clock()))
            return
        if task.refused and task.move.destination in (None, *task.refused):
            destination = self._choose(task) if self._choose else None
            move = dataclasses.replace(task.move, destination=destination)
            task = dataclasses.replace(task, move=move)
            if not self._fits(self._load(task)):
                self._put(task)
                return
        record = max(own, key=lambda one: one.id, default=None)
        seen = Observation(sight=sight, record=record)
        task, request = machine.start(task, seen, self._clock(), self.policy)
        if record is not None and not task.is_ours and self._is_ours(record):
            task = dataclasses.replace(task, is_ours=True)
        self._put(self._ask(task, request))

    def _load(self, task: Task) -> limits_module.Load:
        return limits_module.of_task(task, self._figures.copying)

    def _fits(self, load: limits_module.Load) -> bool:
        """Whether the limits allow a move beside all that is under way."""
        ours = [
            self._load(other)
            for other in self._tasks.values()
            if other.phase.holds_slot
        ]
        others = [
            limits_module.of_record(record)
            for record in self._records.values()
            if record.status not in (*TERMINAL_RECORDS, 'finished')
            and (record.updated_at or record.created_at) > self._fresh
            and self._clock() - self._changed[record.server_id] < _ORPHANED
            and not (
                (task := self._tasks.get(record.server_id))
                and (task.phase.holds_slot or task.has_been(record))
            )
        ]
        return self._limits.allow(load, ours + others)

    def _ask(self, task: Task, request: Request | None) -> Task:
        if request is None or request.action is Action.LOOK:
            return task
        # what comes after the request is known only if this is kept first
        self._put(task)
        answer = self._cloud.ask(request)
        return machine.answered(task, request, answer, self._clock())

    def _put(self, task: Task) -> None:
        known = self._tasks[task.server_id]
        self._tasks[task.server_id] = task
        if _is_news(known, task):
            self._report(task)

    def _report(self, task: Task) -> None:
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
