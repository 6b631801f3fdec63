# SPDX-License-Identifier: Apache-2.0
"""Empty a host, and prove that it is empty.

The steps stand apart so that a command can show and ask in between:
:func:`close` disables the service, :func:`empty` moves until nothing is left
that can move, :func:`leftovers` says what Nova and Placement still hold there.
Each may be repeated; together they are also how a drain is resumed.
"""

from collections.abc import Callable, Iterable
import dataclasses
import datetime

from osc_migrate import cloud as cloud_module
from osc_migrate import exceptions
from osc_migrate import executor as executor_module
from osc_migrate import machine
from osc_migrate import model
from osc_migrate import planner
from osc_migrate import token as token_module
from osc_migrate.checks import Finding
from osc_migrate.task import TERMINAL_RECORDS
from osc_migrate.task import Phase
from osc_migrate.task import Task

# seconds between the two looks that must both find the host empty
_SECOND_LOOK = 3.0
_UNFINISHED = ('finished', 'confirming', 'reverting')


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Leftover:
    """Something that is still on the host, or still holds a part of it."""

    kind: str
    id: str
    name: str
    message: str
    remedy: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """How a drain ended.

    ``stranded`` are the servers that were not tried, with the findings that
    forbid it. ``is_interrupted`` says that moves were not begun.
    """

    host: str
    tasks: tuple[Task, ...]
    stranded: dict[model.Server, tuple[Finding, ...]]
    leftovers: tuple[Leftover, ...]
    is_interrupted: bool

    @property
    def is_empty(self) -> bool:
        """Whether nothing at all is left on the host."""
        return not self.leftovers


def close(
    cloud: cloud_module.Cloud, host: model.Host, *, user: str, reason: str
) -> token_module.Token:
    """Disable a host's service with the mark of the drain.

    A host that carries a mark already is left as it is: this drain resumes
    or joins that one.

    :raises InvalidInput: the reason does not fit
    :raises CloudError: Nova refused
    """
    known = token_module.read(host.disabled_reason)
    if known is not None and host.status == 'disabled':
        return known
    token = token_module.make(
        host, user=user, since=_nova_time(host), reason=reason
    )
    cloud.disable(host, str(token))
    return token


def _nova_time(host: model.Host) -> str:
    """Return the time by Nova's clock, which may differ from ours."""
    now = datetime.datetime.now(datetime.UTC)
    if host.state == 'up' and host.updated_at:
        seen = datetime.datetime.fromisoformat(host.updated_at)
        now = seen.replace(tzinfo=datetime.UTC)
    return now.strftime('%Y-%m-%dT%H:%M:%SZ')


def empty(
    cloud: cloud_module.Cloud,
    host: str,
    plan: planner.Plan,
    executor: executor_module.Executor,
    replan: Callable[[Iterable[str]], planner.Plan],
    *,
    since: str,
    user_id: str | None,
) -> Result:
    """Carry out a plan, and plans for what arrives meanwhile.

    Migrations from the host that are under way already are followed like
    our own. Ends when two looks in a row find no server that was not dealt
    with.

    :param replan: plans moves for the servers of the host but for those
        whose ids it is given
    :param since: when the drain began, by Nova's clock; with ``user_id`` it
        tells which cold migrations are this drain's to confirm
    :raises CloudError: Nova is out of reach
    """
    tasks: dict[str, Task] = {}
    patience = executor.policy.deadlines.busy
    quiet_looks = 0
    while True:
        joined = _under_way(cloud, host, since=since, user_id=user_id)
        fresh = [task for task in joined if task.server_id not in tasks]
        tasks.update((t.server_id, t) for t in executor.run(plan, fresh))
        if executor.is_stopping:
            break
        there = cloud.servers_on(host).keys()
        waiting = {s.id for s in plan.stranded if _passes(plan.stranded[s])}
        if there - tasks.keys() - {s.id for s in plan.stranded}:
            quiet_looks = 0
        elif waiting & there and patience > 0:
            patience -= _SECOND_LOOK
        else:
            quiet_looks += 1
        if quiet_looks == 2:
            break
        executor.pause(_SECOND_LOOK)
        plan = replan(tasks.keys())
    return Result(
        host=host,
        tasks=tuple(tasks.values()),
        stranded=dict(plan.stranded),
        leftovers=tuple(leftovers(cloud, host, tasks.values())),
        is_interrupted=executor.is_stopping,
    )


def _passes(findings: Iterable[Finding]) -> bool:
    return all(finding.is_transient for finding in findings)


def _under_way(
    cloud: cloud_module.Cloud, host: str, *, since: str, user_id: str | None
) -> list[Task]:
    """Find the migrations from a host that have not ended yet.

    Records that a restart of nova-compute left behind look the same, so the
    server must agree that it is under way or waits for a confirmation.
    """
    newest: dict[str, model.Migration] = {}
    for record in cloud.migrations(source_compute=host):
        known = newest.setdefault(record.server_id, record)
        newest[record.server_id] = max(known, record, key=lambda r: r.id)
    found = []
    for record in newest.values():
        if record.status in TERMINAL_RECORDS:
            continue
        is_ours = record.user_id == user_id and record.created_at >= since[:19]
        if record.status == 'finished' and not (
            is_ours and record.migration_type == 'migration'
        ):
            continue
        sight = cloud.look(record.server_id)
        if sight.task_state or sight.status == 'VERIFY_RESIZE':
            task = machine.attach(
                record,
                name=sight.name,
                memory_mb=sight.memory_mb,
                is_ours=is_ours,
            )
            found.append(task)
    return found


def leftovers(
    cloud: cloud_module.Cloud, host: str, tasks: Iterable[Task] = ()
) -> list[Leftover]:
    """Say what is still on a host: servers, migrations, allocations.

    Empty means empty: no server, no migration in progress, no cold migration
    that a revert could bring back, nothing allocated in Placement.
    """
    reasons = {task.server_id: task for task in tasks}
    found = []
    servers = cloud.servers_on(host)
    for server_id, sight in servers.items():
        task = reasons.get(server_id)
        found.append(
            Leftover(
                kind='server',
                id=server_id,
                name=sight.name,
                message=(task and task.reason) or f'is {sight.status}',
                remedy=(task and task.remedy)
                or f'openstack server migration preflight {server_id}',
            )
        )
    found += _migrations(cloud, host, servers)
    found += _allocations(cloud, host, servers)
    return found


def _migrations(
    cloud: cloud_module.Cloud, host: str, servers: Iterable[str]
) -> list[Leftover]:
    """Find cold migrations from here that nobody confirmed."""
    return [
        Leftover(
            kind='migration',
            id=record.uuid,
            name=record.server_id,
            message=(
                f'its cold migration to {record.dest_compute} is '
                f'{record.status}: its disk and allocation are still here'
            ),
            remedy=f'openstack server migration confirm {record.server_id}',
        )
        for status in _UNFINISHED
        for record in cloud.migrations(source_compute=host, status=status)
        if record.server_id not in servers
    ]


def _allocations(
    cloud: cloud_module.Cloud, host: str, servers: Iterable[str]
) -> list[Leftover]:
    """Find what Placement still holds for somebody who is not here."""
    snapshot = cloud.snapshot(host=host)
    known = {record.uuid for record in snapshot.migrations or ()}
    if snapshot.hosts[host].providers is None:
        return []
    return [
        Leftover(
            kind='allocation',
            id=consumer,
            name='',
            message=(
                'holds resources of this host, but is '
                + ('a migration' if consumer in known else 'not here')
            ),
            remedy='nova-manage placement audit --verbose',
        )
        for consumer in cloud.allocations(snapshot.hosts[host])
        if consumer not in servers
    ]


def is_clean(tasks: Iterable[Task]) -> bool:
    """Whether every move ended well, or its server is gone."""
    return all(t.phase in (Phase.DONE, Phase.SKIPPED) for t in tasks)


def reopen(
    cloud: cloud_module.Cloud, host: str, *, is_rehearsal: bool = False
) -> str:
    """Give a host's service back the state it had before the drain.

    :param is_rehearsal: only say what would be done
    :return: a sentence that says what was done
    :raises HostNotFound: there is no such host
    :raises InvalidInput: the host is disabled, but not by a drain
    """
    services = cloud.services()
    if host not in services:
        raise exceptions.HostNotFound(host, services)
    service = services[host]
    token = token_module.read(service.disabled_reason)
    if service.status == 'enabled':
        return f'{host} is enabled already'
    if token is None:
        raise exceptions.InvalidInput(
            f'{host} was disabled by somebody else '
            f'({service.disabled_reason or "no reason given"}); to enable it '
            f'all the same: openstack compute service set --enable {host} '
            'nova-compute'
        )
    would = 'would be' if is_rehearsal else 'is'
    if token.was == 'enabled':
        if not is_rehearsal:
            cloud.enable(service)
        return f'{host} {would} enabled again'
    if not is_rehearsal:
        cloud.disable(service, token.reason or 'disabled before the drain')
    return (
        f'{host} was disabled before the drain and stays so; its reason '
        f'{would} again: {token.reason}'
    )
