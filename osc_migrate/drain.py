# SPDX-License-Identifier: Apache-2.0
"""Empty a host, and prove that it is empty.

The steps of a :class:`Drain` stand apart so that a command can show and ask
in between: ``plan`` changes nothing, ``close`` disables the service, ``run``
moves until nothing is left that can move. Nova is the journal: doing it all
again after a crash, from any machine, resumes it.
"""

from collections.abc import Callable, Iterable, Mapping
import dataclasses

from osc_migrate import cloud as cloud_module
from osc_migrate import exceptions
from osc_migrate import executor as executor_module
from osc_migrate import leftovers
from osc_migrate import model
from osc_migrate import planner
from osc_migrate import resumption
from osc_migrate import selection as selection_module
from osc_migrate import token as token_module
from osc_migrate.checks import Finding
from osc_migrate.task import Phase
from osc_migrate.task import Task

# seconds between the two looks that must both find nothing new
_SECOND_LOOK = 3.0
# destinations that refused a server before Nova may choose
_REFUSALS = 2
# seconds between two looks for a record that Nova has yet to write
_RECORD = 1.0


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
    forbid it. ``is_interrupted`` says that moves were not begun, and
    ``is_reopened`` that it was because somebody had enabled the host.
    ``is_everything`` is false if only chosen servers were meant.
    """

    host: str
    tasks: tuple[Task, ...]
    stranded: Mapping[model.Server, tuple[Finding, ...]]
    leftovers: tuple[leftovers.Leftover, ...]
    is_interrupted: bool
    is_reopened: bool = False
    is_everything: bool = True

    @property
    def is_empty(self) -> bool:
        """Whether nothing is left that will not go by itself."""
        return all(left.is_expected for left in self.leftovers)

    @property
    def is_clean(self) -> bool:
        """Whether no server was broken on its way, here or elsewhere."""
        bad = (Phase.FAILED, Phase.STUCK)
        return all(task.phase not in bad for task in self.tasks)


class Drain:
    """The drain of one host.

    ``snapshot`` is that of the beginning; one with probes of hosts may be
    put in its place.

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
        # named servers that are not on the host, or no longer, and where
        self.away: dict[str, str | None] = {}
        self._selection = self._resolved()
        # whether another run had closed the host before
        self.is_joined = False
        self.is_reopened = False
        self._stop: Callable[[], object] = bool
        self.request_id: str | None = None

    def _resolved(self) -> selection_module.Selection:
        """Find out which servers are meant by their names.

        A drain that is resumed has moved some of them; what no server is
        called is a mistake.
        """
        selection = self._options.selection
        there = self.snapshot.servers_on(self.host.name)
        known = {name for server in there for name in (server.id, server.name)}
        ids = {}
        for name in sorted((selection.servers | selection.exclude) - known):
            ids[name], sight = self._cloud.find(name)
            self.away[name] = sight.host
        return selection.resolved(self.snapshot, self.host.name, ids)

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

    def _as_probed(self, snapshot: model.Snapshot) -> model.Snapshot:
        """Add what hosts said at the beginning: all that is known of them."""
        return dataclasses.replace(snapshot, probes=self.snapshot.probes)

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
        snapshot = self._as_probed(snapshot or self.snapshot)
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

        A host that carries a mark keeps it: this drain resumes or joins that
        one, and another user is only added. A fenced host is also forced
        down.

        :raises InvalidInput: the reason does not fit
        :raises HostNotFound: the host is gone
        :raises CloudError: Nova refused
        """
        # the plan took its time, and so did whoever agreed to it
        services = self._cloud.services()
        if self.host.name not in services:
            raise exceptions.HostNotFound(self.host.name, services)
        host = services[self.host.name]
        known = token_module.read(host.disabled_reason)
        user_id = self.snapshot.user_id or ''
        if known is None:
            self.is_joined = False
            self.token = token_module.make(
                host, user=user, user_id=user_id, reason=reason
            )
        else:
            self.is_joined = True
            self.token = known.joined(user, user_id)
        if self.token != known:
            self.request_id = self._cloud.disable(host, str(self.token))
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
        snapshot = self._as_probed(snapshot)
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
        self._stop = executor.stop
        tasks: dict[str, Task] = {}
        patience = executor.policy.deadlines.busy
        quiet_looks = 0
        self._await_records(executor)
        while quiet_looks < 2:
            self._move(plan, tasks, executor)
            if executor.is_stopping:
                break
            executor.pause(_SECOND_LOOK)
            plan = executor.patiently(lambda: self._again(tasks))
            if executor.is_stopping:
                break
            is_waiting = self._is_awaited(plan, tasks, executor)
            if plan.moves or (is_waiting and patience > 0):
                quiet_looks = 0
                patience -= _SECOND_LOOK if is_waiting else 0
            else:
                quiet_looks += 1
        left = executor.patiently(lambda: self._leftovers(plan, tasks))
        return Result(
            host=self.host.name,
            tasks=tuple(tasks.values()),
            stranded=plan.stranded,
            leftovers=tuple(left),
            is_interrupted=executor.is_stopping,
            is_reopened=self.is_reopened,
            is_everything=self._selection.is_everything,
        )

    def _move(
        self,
        plan: planner.Plan,
        tasks: dict[str, Task],
        executor: executor_module.Executor,
    ) -> None:
        """Carry out a plan, and end what was begun before."""
        joined = executor.patiently(self.under_way)
        fresh = [task for task in joined if task.server_id not in tasks]
        # what is stuck may still end, and holds its slot until then
        stuck = [t for t in tasks.values() if t.phase is Phase.STUCK]
        ended = executor.run(plan, fresh + stuck)
        tasks.update((task.server_id, task) for task in ended)

    def _await_records(self, executor: executor_module.Executor) -> None:
        """Wait until all that was asked for before us is known."""
        waited = 0.0
        while waited < executor.policy.deadlines.asked and executor.patiently(
            lambda: resumption.is_unrecorded(
                self._cloud, self.snapshot, self.host.name
            )
        ):
            if executor.is_stopping:
                break
            executor.pause(_RECORD)
            waited += _RECORD

    def services(self) -> Mapping[str, model.Host]:
        """Return the compute services; the drain ends if ours was enabled.

        Whoever enables the host wants servers on it, and would see them
        leave again.
        """
        services = self._cloud.services()
        self._see(services)
        return services

    def _see(self, services: Mapping[str, model.Host]) -> None:
        own = services.get(self.host.name)
        if self.token is not None and own and own.status == 'enabled':
            self.is_reopened = True
            self._stop()

    def _again(self, done: Iterable[str]) -> planner.Plan:
        """Plan for what has arrived, or was busy, since the last look."""
        limit = self._selection.limit
        if limit is not None and len(list(done)) >= limit:
            done = self._cloud.servers_on(self.host.name)
        snapshot = self._cloud.snapshot(host=self.host.name)
        self._see(snapshot.hosts)
        return self.plan(snapshot, done)

    def _is_awaited(
        self,
        plan: planner.Plan,
        tasks: Mapping[str, Task],
        executor: executor_module.Executor,
    ) -> bool:
        """Whether a server may yet move, or has a place here and arrives."""
        if plan.moves or _is_waiting(plan):
            return _is_waiting(plan)
        left = executor.patiently(lambda: self._leftovers(plan, tasks))
        return any(one.is_transient for one in left)

    def _leftovers(
        self, plan: planner.Plan, tasks: Mapping[str, Task]
    ) -> list[leftovers.Leftover]:
        """Say what is left; of chosen servers, only what is left of them."""
        untried = {
            server.id: planner.why(found)
            for server, found in plan.stranded.items()
        }
        found = leftovers.find(self._cloud, self.host, tasks.values(), untried)
        selection = self._selection
        if selection.is_everything:
            return found
        meant = set(tasks)
        if selection.limit is None:
            meant.update(selection.choose(self.snapshot, self.host.name))
        return [left for left in found if {left.id, left.name} & meant]

    def under_way(self) -> list[Task]:
        """Find the moves from the host that have begun and not ended.

        What others began is only followed if its server is meant.
        """
        selection = self._selection
        meant = set(selection.choose(self.snapshot, self.host.name))
        return resumption.under_way(
            self._cloud,
            self.snapshot,
            self.host.name,
            is_ours=self.is_ours,
            is_meant=lambda server_id: (
                selection.is_everything or server_id in meant
            ),
        )

    def is_ours(self, record: model.Migration) -> bool:
        """Whether this drain asked for a migration, in whatever run."""
        if self.token is None:
            return False
        users = {self.snapshot.user_id, *self.token.user_ids}
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
