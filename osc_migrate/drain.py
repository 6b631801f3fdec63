# SPDX-License-Identifier: Apache-2.0
"""Empty a host, and prove that it is empty.

The steps of a :class:`Drain` stand apart so that a command can show and ask
in between: ``plan`` changes nothing, ``close`` disables the service, ``run``
moves until nothing is left that can move. Nova is the journal: doing it all
again after a crash, from any machine, resumes it.
"""

from collections.abc import Iterable, Mapping
import dataclasses

from osc_migrate import cloud as cloud_module
from osc_migrate import exceptions
from osc_migrate import executor as executor_module
from osc_migrate import leftovers
from osc_migrate import machine
from osc_migrate import model
from osc_migrate import planner
from osc_migrate import selection as selection_module
from osc_migrate import settle
from osc_migrate import token as token_module
from osc_migrate.checks import Finding
from osc_migrate.task import TERMINAL_RECORDS
from osc_migrate.task import Phase
from osc_migrate.task import Sight
from osc_migrate.task import Task

# seconds between the two looks that must both find nothing new
_SECOND_LOOK = 3.0
# destinations that refused a server before Nova may choose
_REFUSALS = 2


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How to drain.

    ``to`` restricts the destinations; with ``is_scheduled`` Nova chooses
    among them all. ``ignore`` holds ids of checks that only warn. With
    ``is_fenced`` the caller vouches that the host is off, or its servers
    would run twice on the same disks once they are evacuated.
    """

    method: str = 'auto'
    allow_cold: bool = False
    to: frozenset[str] = frozenset()
    is_scheduled: bool = False
    is_fenced: bool = False
    order: str = 'largest'
    ignore: frozenset[str] = frozenset()
    selection: selection_module.Selection = dataclasses.field(
        default_factory=selection_module.Selection
    )


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """How a drain ended.

    ``stranded`` are the servers that were not tried, with the findings that
    forbid it. ``is_interrupted`` says that moves were not begun.
    """

    host: str
    tasks: tuple[Task, ...]
    stranded: Mapping[model.Server, tuple[Finding, ...]]
    leftovers: tuple[leftovers.Leftover, ...]
    is_interrupted: bool

    @property
    def is_empty(self) -> bool:
        """Whether nothing is left that will not go by itself."""
        return all(left.is_expected for left in self.leftovers)


class Drain:
    """The drain of one host.

    :raises HostNotFound: there is no host of exactly this name
    :raises CloudError: Nova does not answer
    """

    def __init__(
        self,
        cloud: cloud_module.Cloud,
        host: str,
        options: Options | None = None,
    ) -> None:
        self._cloud = cloud
        self._options = options or Options()
        self.snapshot = self._as_fenced(cloud.snapshot(host=host), host)
        self.host = self.snapshot.hosts[host]
        self.token = token_module.read(self.host.disabled_reason)
        self._selection = self._options.selection.resolved(self.snapshot, host)

    def _as_fenced(
        self, snapshot: model.Snapshot, host: str
    ) -> model.Snapshot:
        """Show a fenced host as down, as Nova will once it is told."""
        if not self._options.is_fenced or host not in snapshot.hosts:
            return snapshot
        fenced = dataclasses.replace(
            snapshot.hosts[host], state='down', forced_down=True
        )
        return dataclasses.replace(
            snapshot, hosts={**snapshot.hosts, host: fenced}
        )

    def plan(
        self,
        snapshot: model.Snapshot | None = None,
        done: Iterable[str] = (),
    ) -> planner.Plan:
        """Plan the moves of the servers that are meant.

        :param snapshot: a newer one than that of the beginning
        :param done: ids of servers that were dealt with already
        :raises InvalidInput: options that make no sense
        """
        snapshot = snapshot or self.snapshot
        options = self._options
        chosen = self._selection.choose(snapshot, self.host.name)
        limit = self._selection.limit
        over = set(done)
        servers = {
            server_id: snapshot.servers[server_id]
            for server_id in chosen
            if server_id not in over
        }
        plan = planner.plan(
            dataclasses.replace(snapshot, servers=servers),
            self.host.name,
            order=options.order,
            allow_cold=options.allow_cold,
            method=options.method,
            to=options.to,
            ignore=options.ignore,
        )
        moves = plan.moves
        if limit is not None:
            moves = moves[: max(0, limit - len(over))]
        if options.is_scheduled:
            moves = tuple(
                dataclasses.replace(move, destination=None) for move in moves
            )
        return dataclasses.replace(plan, moves=moves)

    def close(self, *, user: str, reason: str = '') -> token_module.Token:
        """Disable the service with the mark of the drain.

        A host that carries a mark is left as it is: this drain resumes or
        joins that one. A fenced host is also forced down.

        :raises InvalidInput: the reason does not fit
        :raises CloudError: Nova refused
        """
        if self.token is None:
            self.token = token_module.make(
                self.host,
                user=user,
                user_id=self.snapshot.user_id or '',
                reason=reason,
            )
            self._cloud.disable(self.host, str(self.token))
        if self._options.is_fenced:
            self._cloud.force_down(self.host)
        return self.token

    def choose(self, task: Task) -> str | None:
        """Choose another destination; after two refusals Nova does."""
        options = self._options
        if options.is_scheduled:
            return None
        if len(task.refused) >= _REFUSALS and not options.to:
            return None
        try:
            snapshot = self._cloud.snapshot(servers=[task.server_id])
        except exceptions.ServerNotFound:
            return None
        # where it may only go to few hosts, one that failed is tried again
        hosts = (options.to or snapshot.hosts.keys()) - task.refused
        hosts = hosts or options.to
        plan = planner.plan(
            snapshot,
            self.host.name,
            method=str(task.move.migration_type),
            to=hosts - {self.host.name},
            ignore=options.ignore,
        )
        if plan.moves:
            return plan.moves[0].destination
        return min(hosts) if options.to else None

    def run(
        self, plan: planner.Plan, executor: executor_module.Executor
    ) -> Result:
        """Carry out a plan, and plans for what arrives meanwhile.

        Migrations from the host that are under way already are followed
        like our own. Ends when two looks in a row find no server that was
        not dealt with.

        :raises CloudError: Nova was out of reach for long
        """
        tasks: dict[str, Task] = {}
        patience = executor.policy.deadlines.busy
        quiet_looks = 0
        while quiet_looks < 2:
            joined = executor.patiently(self.under_way)
            fresh = [task for task in joined if task.server_id not in tasks]
            # what is stuck may still end, and holds its slot until then
            stuck = [t for t in tasks.values() if t.phase is Phase.STUCK]
            ended = executor.run(plan, fresh + stuck)
            tasks.update((task.server_id, task) for task in ended)
            if executor.is_stopping:
                break
            executor.pause(_SECOND_LOOK)
            plan = executor.patiently(lambda: self._again(tasks))
            is_waiting = _is_waiting(plan)
            if plan.moves or (is_waiting and patience > 0):
                quiet_looks = 0
                patience -= _SECOND_LOOK if is_waiting else 0
            else:
                quiet_looks += 1
        left = executor.patiently(lambda: self._leftovers(tasks.values()))
        return Result(
            host=self.host.name,
            tasks=tuple(tasks.values()),
            stranded=plan.stranded,
            leftovers=tuple(left),
            is_interrupted=executor.is_stopping,
        )

    def _again(self, done: Iterable[str]) -> planner.Plan:
        """Plan for what has arrived, or was busy, since the last look."""
        limit = self._selection.limit
        if limit is not None and len(list(done)) >= limit:
            done = self._cloud.servers_on(self.host.name)
        return self.plan(self._cloud.snapshot(host=self.host.name), done)

    def _leftovers(self, tasks: Iterable[Task]) -> list[leftovers.Leftover]:
        """Say what is left; of chosen servers, only what is left of them."""
        found = leftovers.find(self._cloud, self.host, tasks)
        selection = self._selection
        if selection.is_everything:
            return found
        meant = {task.server_id for task in tasks}
        if selection.limit is None:
            meant.update(selection.choose(self.snapshot, self.host.name))
        return [left for left in found if {left.id, left.name} & meant]

    def under_way(self) -> list[Task]:
        """Find the moves from the host that have begun and not ended.

        Among them are cold migrations of this drain that wait for their
        confirmation, and servers that a migration of this drain left in
        ERROR, here or there. What others began is only followed if its
        server is meant.
        """
        everything = self._selection.is_everything
        meant = self._selection.choose(self.snapshot, self.host.name)
        newest: dict[str, model.Migration] = {}
        for record in self._cloud.migrations(source_compute=self.host.name):
            known = newest.setdefault(record.server_id, record)
            newest[record.server_id] = max(known, record, key=lambda r: r.id)
        found = []
        for record in newest.values():
            is_ours = self._is_ours(record)
            if not (is_ours or everything or record.server_id in meant):
                continue
            if not _is_of_interest(record, is_ours=is_ours):
                continue
            sight = self._cloud.look(record.server_id)
            if not _agrees(sight, record):
                continue
            found.append(self._joined(record, sight, is_ours=is_ours))
        return found

    def _joined(
        self, record: model.Migration, sight: Sight, *, is_ours: bool
    ) -> Task:
        """Make a task of a migration that was asked for before."""
        task = machine.attach(
            record,
            name=sight.name,
            memory_mb=sight.memory_mb,
            is_ours=is_ours,
        )
        rivals = frozenset(
            group.id
            for group in self.snapshot.groups.values()
            if group.policy == 'anti-affinity'
            and record.server_id in group.members
        )
        was = None
        if sight.status == 'ERROR':
            was = settle.ALIVE.get(sight.power_state or 0)
        return dataclasses.replace(task, groups=rivals, was=was)

    def _is_ours(self, record: model.Migration) -> bool:
        """Whether this drain asked for a migration."""
        users = {self.snapshot.user_id}
        if self.token is None:
            return False
        users.add(self.token.user_id)
        since = self.token.since.removesuffix('Z')
        return record.created_at >= since and record.user_id in users


def _is_waiting(plan: planner.Plan) -> bool:
    """Whether some server is only busy, and might move later."""
    # in one way or another: a paused server never moves cold
    waiting = {s.server.id for s in plan.report.servers if s.method == 'wait'}
    return any(
        server.id in waiting or all(finding.is_transient for finding in found)
        for server, found in plan.stranded.items()
    )


def _is_of_interest(record: model.Migration, *, is_ours: bool) -> bool:
    if record.status == 'finished':
        # an owner's resize is not ours to confirm
        return is_ours and record.migration_type == 'migration'
    if record.status in ('failed', 'error', 'cancelled'):
        return is_ours
    return record.status not in TERMINAL_RECORDS


def _agrees(sight: Sight, record: model.Migration) -> bool:
    """Whether the server shows that a record has not ended.

    Records that a restart of nova-compute left behind look the same.
    """
    if record.status in TERMINAL_RECORDS:
        return sight.status == 'ERROR'
    return bool(sight.task_state) or sight.status == 'VERIFY_RESIZE'
