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
from osc_migrate import handover
from osc_migrate import leftovers
from osc_migrate import model
from osc_migrate import planner
from osc_migrate import reservation as reservation_module
from osc_migrate import resumption
from osc_migrate import selection as selection_module
from osc_migrate import token as token_module
from osc_migrate.emptying import Options as Options
from osc_migrate.emptying import Result as Result
from osc_migrate.task import Phase
from osc_migrate.task import Task

# seconds between the two looks that must both find nothing new
_SECOND_LOOK = 3.0
# destinations that refused a server before Nova may choose
_REFUSALS = 2


class Drain:
    """The drain of one host.

    ``snapshot`` is that of the beginning; one with probes of hosts may be
    put in its place. ``reservation``, if there is one, is the Nova that the
    executor asks; ``before`` holds the servers as last seen on the host.

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
        snapshot = cloud.snapshot(host=host)
        if self._options.is_fenced:
            snapshot = handover.fenced(snapshot, host)
        self.host = snapshot.hosts[host]
        self.token = token_module.read(self.host.disabled_reason)
        to = self._options.to if self._options.is_reserved else None
        self.reservation = reservation_module.make(
            cloud, snapshot, self.host, to=to, is_ours=self.is_ours
        )
        self.before: dict[str, model.Server] = {}
        self.snapshot = self._as_open(snapshot)
        # named servers that are not on the host, or no longer, and where
        self.away: dict[str, str | None] = {}
        self._selection = self._resolved()
        # whether another run had closed the host before
        self.is_joined = False
        self.is_reopened = False
        # ids of records of users who had not joined when they were seen
        self._strangers: set[int] = set()
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

    def check(self) -> None:
        """See that there is something to do; change nothing.

        :raises InvalidInput: no server is meant, or the destination is
            not free
        """
        # from a host with a mark, all that were chosen may have left
        conditions = self._options.selection.conditions
        if conditions and self.token is None and not self._meant():
            raise exceptions.InvalidInput(
                f'No server of {self.host.name} matches {conditions}'
            )
        if self.reservation is not None:
            self.reservation.check(self.token)

    def _as_open(self, snapshot: model.Snapshot) -> model.Snapshot:
        """Show a reserved destination as our requests find it.

        What the servers have here is kept, to compare it afterwards.
        """
        self.before |= {s.id: s for s in snapshot.servers_on(self.host.name)}
        if self.reservation is None:
            return snapshot
        return handover.opened(snapshot, self.reservation.host)

    def _as_probed(self, snapshot: model.Snapshot) -> model.Snapshot:
        """Add what hosts said at the beginning: all that is known of them."""
        probes = self.snapshot.probes
        return self._as_open(dataclasses.replace(snapshot, probes=probes))

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
        self.is_joined = known is not None
        if known is None:
            token = token_module.make(
                host, user=user, user_id=user_id, reason=reason
            )
        else:
            token = known.joined(user, user_id)
        self.token, self.request_id = reservation_module.written(
            self._cloud,
            services,
            host.name,
            token=token,
            reservation=self.reservation,
        )
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
            seen = self._cloud.snapshot(servers=[task.server_id])
        except exceptions.ServerNotFound:
            return None
        return planner.another(
            self._as_probed(seen),
            self.host.name,
            task.refused,
            to=options.to,
            method=str(task.move.migration_type),
            ignore=options.ignore,
        )

    def run(
        self, plan: planner.Plan, executor: executor_module.Executor
    ) -> Result:
        """Carry out a plan, and plans for what arrives meanwhile.

        Migrations from the host that are under way already are followed
        like our own. Ends when two looks in a row find no server that was
        not dealt with.

        :raises CloudError: Nova was out of reach for long
        """
        if self.reservation is None:
            return self._run(plan, executor)
        assert self.token is not None, 'close() comes first'
        with self.reservation.kept(executor, self.token):
            return self._run(plan, executor)

    def _run(
        self, plan: planner.Plan, executor: executor_module.Executor
    ) -> Result:
        self._stop = executor.stop
        tasks: dict[str, Task] = {}
        patience = executor.policy.deadlines.busy
        quiet_looks = 0
        resumption.await_records(
            self._cloud, self.snapshot, self.host.name, executor
        )
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
        # what another run of this drain moved before us was only skipped
        fresh = [
            task
            for task in joined
            if (known := tasks.get(task.server_id)) is None
            or known.phase is Phase.SKIPPED
        ]
        # what is stuck may still end, and holds its slot until then
        stuck = [t for t in tasks.values() if t.phase is Phase.STUCK]
        ended = executor.run(plan, fresh + stuck)
        tasks.update((task.server_id, task) for task in ended)

    def services(self) -> Mapping[str, model.Host]:
        """Return the compute services; the drain ends if ours was enabled.

        Whoever enables the host wants servers on it, and would see them
        leave again.
        """
        services = self._cloud.services()
        self._see(services)
        kept = self.reservation
        return services if kept is None else kept.opened(services)

    def _see(self, services: Mapping[str, model.Host]) -> None:
        own = services.get(self.host.name)
        if self.token is None or own is None:
            return
        mark = token_module.read(own.disabled_reason)
        if mark is not None and mark.since == self.token.since:
            self.token = mark  # others may have joined
        if own.status == 'enabled':
            self.is_reopened = True
            self._stop()

    def _again(self, done: Iterable[str]) -> planner.Plan:
        """Plan for what has arrived, or was busy, since the last look."""
        limit = self._selection.limit
        if limit is not None and len(list(done)) >= limit:
            done = self._cloud.servers_on(self.host.name)
        if self.reservation is not None:
            self.reservation.inspect()
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
        if plan.moves or planner.is_waiting(plan):
            return planner.is_waiting(plan)
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
            meant |= self._meant()
        if self.token is None:
            meant |= resumption.unconfirmed(
                self._cloud,
                self.host.name,
                found,
                user_id=self.snapshot.user_id,
                selection=selection,
            )
        return [left for left in found if {left.id, left.name} & meant]

    def _meant(self) -> set[str]:
        """Return the servers that are meant, and named ones that have left."""
        chosen = self._selection.choose(self.snapshot, self.host.name)
        there = {s.id for s in self.snapshot.servers_on(self.host.name)}
        return {*chosen, *(self._selection.servers - there)}

    def under_way(self) -> list[Task]:
        """Find the moves from the host that have begun and not ended.

        What others began is only followed if its server is meant.
        """
        selection = self._selection
        meant = self._meant()
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
            return resumption.is_own(
                record,
                self.host.name,
                user_id=self.snapshot.user_id,
                named=self._selection.servers,
            )
        if record.created_at < self.token.since.removesuffix('Z'):
            return False
        if not self._is_user(record) and record.id not in self._strangers:
            # who joins is in the mark before asking for anything
            self.services()
            self._strangers.add(record.id)
        return self._is_user(record)

    def _is_user(self, record: model.Migration) -> bool:
        others = self.token.user_ids if self.token else ()
        return record.user_id in (self.snapshot.user_id, *others)
