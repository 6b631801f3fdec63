# SPDX-License-Identifier: Apache-2.0
"""Follow migrations that are under way, whoever began them.

It is the executor with nothing to begin: it looks, and asks Nova only for
what it is told to (an abort, a completion by force). What it adds is whom to
follow, what gives no sign of life, what Nova has forgotten, and why it failed.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
import dataclasses
import datetime
import time

from osc_migrate import exceptions
from osc_migrate import executor
from osc_migrate import life
from osc_migrate import machine
from osc_migrate import model
from osc_migrate import outcome
from osc_migrate import pacing
from osc_migrate import past
from osc_migrate.outcome import Outcome
from osc_migrate.past import Wanted
from osc_migrate.task import TERMINAL_RECORDS
from osc_migrate.task import Action
from osc_migrate.task import Deadlines
from osc_migrate.task import OnStall
from osc_migrate.task import Phase
from osc_migrate.task import Policy
from osc_migrate.task import Task
from osc_migrate.task import end

Reporter = Callable[[Task], object]
Order = tuple[str, Action]
_NEVER = float('inf')
# seconds without a task and without a word of Nova that make an orphan
_ORPHANED = 60.0
# seconds between two looks at the services
_SERVICES = 10.0
# seconds between two looks when nothing happens
_LONGEST = 10.0
# seconds after which orders are looked for
_SLICE = 0.2
# failed migrations that are explained in one round
_EXPLAINED = 2


def policy(
    on_stall: OnStall = OnStall.WAIT,
    *,
    max_pause: float = 10,
    timeout_per_gib: float | None = None,
) -> Policy:
    """Make the policy of one who looks on: nothing but what is told.

    :param max_pause: seconds
    :param timeout_per_gib: seconds
    """
    return Policy(
        on_stall=on_stall,
        max_pause=max_pause,
        reset_state=False,
        tries=0,
        deadlines=Deadlines(
            asked=_NEVER,
            queued=_NEVER,
            preparing=_NEVER,
            running_per_gib=timeout_per_gib or _NEVER,
            cold=_NEVER,
            confirming=_NEVER,
            finishing=1800,
        ),
    )


class _TimeUp(Exception):
    """The time that somebody wanted to watch is over."""


class Watch:
    """Follows migrations until they end.

    :param reporters: each is called with a task whenever it changed
    :param wait: waits for some seconds
    :param orders: returns what somebody ordered since it was called last
    :param obeyed: called with a sentence about what Nova said to an order
    """

    def __init__(
        self,
        cloud: pacing.Source,
        *,
        policy: Policy,
        reporters: Iterable[Reporter] = (),
        wait: Callable[[float], object] = time.sleep,
        orders: Callable[[], Iterable[Order]] = tuple,
        obeyed: Callable[[str], object] = str,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._wanted = Wanted()
        self._reporters = tuple(reporters)
        self._idle_wait = wait
        self._orders = orders
        self._obeyed = obeyed
        self._clock = clock
        self.cloud = pacing.PacedCloud(cloud, clock=clock, wait=self._wait)
        self._executor = executor.Executor(
            self.cloud,
            policy=policy,
            reporters=[self._report],
            discover=self._discover,
            clock=clock,
            sleep=self._sleep,
        )
        self._life = life.Life()
        self._services_at: float | None = None
        self._deadline: float | None = None
        self._begin: str | None = None
        self._records: Mapping[str, model.Migration] = {}
        self._seen: set[str] = set()
        # the task that each server has now, and all by migration
        self._current: dict[str, Task] = {}
        self._all: dict[str, Task] = {}
        self._unexplained: list[Task] = []
        self._pause = 1.0
        # whether the last round saw all that there is to follow
        self._is_current = False
        self.is_timed_out = False

    def run(
        self,
        wanted: Wanted,
        *,
        until: Callable[[], bool] = lambda: True,
        timeout: float | None = None,
    ) -> tuple[Outcome, ...]:
        """Follow until all that is followed has ended.

        :param until: while this is false, wait for new ones
        :param timeout: seconds; ``is_timed_out`` tells whether they are over
        :raises CloudError: Nova was out of reach for ten minutes
        """
        self._wanted = wanted
        if timeout is not None:
            self._deadline = self._clock() + timeout
        try:
            self._executor.run(until=lambda: self._is_current and until())
            self._explain(len(self._unexplained))
        except _TimeUp:
            self.is_timed_out = True
            for task in self._unexplained:
                self._forward(task)
        return self.outcomes()

    def outcomes(self) -> tuple[Outcome, ...]:
        """Return what became of all that was followed, up to now."""
        now = self._clock()
        return tuple(outcome.of_task(task, now) for task in self._all.values())

    def last(self, server_id: str) -> model.Migration | None:
        """Return the newest record of a server that was seen."""
        return self._records.get(server_id)

    def _discover(
        self, records: Mapping[str, model.Migration]
    ) -> Iterator[Task]:
        """Find what to follow as well; the executor calls this in a round."""
        self._is_current = False
        self._records = records
        if self._begin is None:
            self._begin = max(
                (r.updated_at or r.created_at for r in records.values()),
                default='',
            )
        self._look_at_services()
        candidates = {record.uuid: record for record in records.values()}
        candidates |= {record.uuid: record for record in self.cloud.changed}
        for record in sorted(candidates.values(), key=lambda one: one.id):
            self._life.note(record, self._clock())
            if record.uuid in self._seen or not self._is_due(record):
                continue
            newest = records.get(record.server_id, record)
            yield from self._take(record, newest, candidates)
        self._let_go()
        self._tell_silence()
        self._explain(_EXPLAINED)
        self._is_current = True

    def _is_due(self, record: model.Migration) -> bool:
        """Whether a migration is under way, or was since we began."""
        if not self._wanted.takes(record):
            return False
        if record.status == 'finished':
            is_new = record.server_id in self._wanted.servers
        else:
            is_new = record.status not in TERMINAL_RECORDS
        return is_new or record.created_at > (self._begin or '')

    def _take(
        self,
        record: model.Migration,
        newest: model.Migration,
        others: Mapping[str, model.Migration],
    ) -> Iterator[Task]:
        """Begin to follow a migration, or tell at once how it ended."""
        before = self._current.get(record.server_id)
        if before is not None and before in self._under_way():
            assert before.record is not None
            last = others.get(before.record.uuid, before.record)
            self._report(_closed(before, last, self._clock()))
        sight = self.cloud.look(record.server_id)
        age = self._life.age(record.updated_at or record.created_at)
        task = dataclasses.replace(
            machine.attach(
                record,
                name=sight.name,
                memory_mb=sight.memory_mb,
                is_ours=False,
            ),
            started=self._clock() - self._life.age(record.created_at),
        )
        self._seen.add(record.uuid)
        if record.id < newest.id:
            # the server is migrated again already
            task = dataclasses.replace(task, record=record)
            self._report(_closed(task, record, self._clock()))
        elif (
            record.status not in (*TERMINAL_RECORDS, 'finished')
            and sight.task_state is None
            and age > _ORPHANED
        ):
            task = dataclasses.replace(task, record=record)
            reason = outcome.orphan(record, sight)
            now = self._clock()
            self._report(end(task, Phase.STUCK, reason, now=now))
        else:
            yield task

    def _let_go(self) -> None:
        """Follow no longer what Nova has forgotten meanwhile."""
        for task in self._under_way():
            record = task.record
            assert record is not None
            moment = record.updated_at or record.created_at
            known = self.cloud.known(task.server_id)
            if (
                known is None
                or known.task_state is not None
                or record.status in (*TERMINAL_RECORDS, 'finished')
                or self._life.age(moment) < _ORPHANED
            ):
                continue
            sight = self.cloud.look(task.server_id)
            if sight.task_state is None:
                reason = outcome.orphan(record, sight)
                self._executor.leave(task.server_id, reason, '')

    def _under_way(self) -> list[Task]:
        return [
            task
            for task in self._current.values()
            if task.phase.holds_slot
            and task.phase is not Phase.STUCK
            and task.record is not None
        ]

    def _look_at_services(self) -> None:
        now = self._clock()
        if (
            self._services_at is not None
            and now - self._services_at < _SERVICES
        ):
            return
        self._services_at = now
        try:
            services = self.cloud.services()
        except exceptions.Forbidden:
            return  # the caller is no administrator: then nobody tells
        self._life.see(services, datetime.datetime.now(datetime.UTC))

    def _tell_silence(self) -> None:
        """Report what became silent, and what is heard of again."""
        for task in self._under_way():
            if self._life.is_news(task, self._clock()):
                self._forward(task)

    def _report(self, task: Task) -> None:
        """Take note of a task; what failed is explained before it is told."""
        self._current[task.server_id] = task
        self._pause = 1.0
        if task.record is not None:
            self._all[task.record.uuid] = task
        if task.phase is Phase.FAILED and outcome.result(task) in past.FAILED:
            self._unexplained.append(task)
        else:
            self._forward(task)

    def _forward(self, task: Task) -> None:
        shown = self._life.shown(task, self._clock())
        for report in self._reporters:
            report(shown)

    def _explain(self, most: int) -> None:
        """Read why some migrations failed, and tell it."""
        while self._unexplained and most > 0:
            most -= 1
            task = self._unexplained[0]
            task = past.explained(self.cloud, task)
            del self._unexplained[0]
            assert task.record is not None
            self._all[task.record.uuid] = task
            self._forward(task)

    def _sleep(self, seconds: float) -> None:
        """Wait between two rounds, longer and longer when nothing happens."""
        self._pause = min(_LONGEST, self._pause * 1.5)
        if all(task.phase is Phase.QUEUED for task in self._under_way()):
            seconds = max(seconds, self._pause)
        until = self._clock() + seconds
        while (left := until - self._clock()) > 0:
            self._wait(min(left, _SLICE))
            orders = list(self._orders())
            for server_id, action in orders:
                self._obey(server_id, action)
            if orders:
                return

    def _wait(self, seconds: float) -> None:
        if self._deadline is not None and self._clock() >= self._deadline:
            raise _TimeUp
        self._idle_wait(seconds)

    def _obey(self, server_id: str, action: Action) -> None:
        name = self._current[server_id].name
        try:
            answer = self._executor.command(server_id, action)
        except exceptions.InvalidInput as error:
            self._obeyed(str(error))
            return
        said = 'accepted' if answer.is_accepted else answer.message
        self._obeyed(f'{action} of {name}: {said}')


def _closed(task: Task, record: model.Migration, now: float) -> Task:
    """End a task by its record alone: its server is migrated again."""
    task = dataclasses.replace(task, record=record)
    if record.status in ('completed', 'confirmed', 'done', 'reverted'):
        return end(task, Phase.DONE, '', now=now)
    if record.status in (*TERMINAL_RECORDS, 'finished'):
        reason = 'the server is migrated again since'
        return end(task, Phase.FAILED, reason, now=now)
    return end(task, Phase.STUCK, outcome.orphan(record, None), now=now)
