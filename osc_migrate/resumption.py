# SPDX-License-Identifier: Apache-2.0
"""The moves from a host that have begun and not ended, whoever began them.

That is how a drain goes on where another run of it was ended: among them are
cold migrations that wait for their confirmation, and servers that a migration
of the drain left in ERROR, here or there.
"""

from collections.abc import Callable, Collection, Iterable
import dataclasses

from osc_migrate import cloud as cloud_module
from osc_migrate import exceptions
from osc_migrate import executor as executor_module
from osc_migrate import leftovers
from osc_migrate import machine
from osc_migrate import model
from osc_migrate import selection as selection_module
from osc_migrate import settle
from osc_migrate.task import TERMINAL_RECORDS
from osc_migrate.task import Sight
from osc_migrate.task import Task

# seconds between two looks for a record that Nova has yet to write
_RECORD = 1.0
# of the tasks of a server: of a live or cold migration
_MOVING = ('migrating', 'resize_')


def under_way(
    cloud: cloud_module.Cloud,
    snapshot: model.Snapshot,
    host: str,
    *,
    is_ours: Callable[[model.Migration], bool],
    is_meant: Callable[[str], bool],
) -> list[Task]:
    """Find the moves from a host that are to be followed.

    :param is_ours: whether the drain asked for a migration
    :param is_meant: whether a server is meant, by its id
    :raises CloudError: Nova does not answer
    """
    newest: dict[str, model.Migration] = {}
    for record in cloud.migrations(source_compute=host):
        known = newest.setdefault(record.server_id, record)
        newest[record.server_id] = max(known, record, key=lambda r: r.id)
    found = []
    for record in newest.values():
        is_own = is_ours(record)
        if not (is_own or is_meant(record.server_id)):
            continue
        if not _is_of_interest(record, is_ours=is_own):
            continue
        sight = cloud.look(record.server_id)
        if not _agrees(sight, record):
            continue
        found.append(_joined(snapshot, record, sight, is_ours=is_own))
    return found


def is_own(
    record: model.Migration,
    host: str,
    *,
    user_id: str | None,
    named: Collection[str],
) -> bool:
    """Whether a drain that leaves no mark asked for a migration.

    Only cold ones, which wait for a confirmation, need an owner.

    :param host: the host that is drained
    :param user_id: the caller
    :param named: ids of the servers that the caller has named
    """
    return (
        record.migration_type == 'migration'
        and record.status not in TERMINAL_RECORDS
        and record.source_compute == host
        and record.user_id == user_id
        and record.server_id in named
    )


def unconfirmed(
    cloud: cloud_module.Cloud,
    host: str,
    found: Iterable[leftovers.Leftover],
    *,
    user_id: str | None,
    selection: selection_module.Selection,
) -> set[str]:
    """Find servers that the caller moved cold, and that are not confirmed.

    A drain that leaves no mark cannot tell whether it was it who asked, so
    it does not confirm them. It may be, if they meet its conditions.

    :param found: what is left on the host
    :raises CloudError: Nova does not answer
    """
    moved = {left.name for left in found if left.kind == 'migration'}
    meant: set[str] = set()
    if not moved:
        return meant
    for record in cloud.migrations(source_compute=host, status='finished'):
        if not is_own(record, host, user_id=user_id, named=moved):
            continue
        try:
            seen = cloud.snapshot(servers=[record.server_id])
        except exceptions.ServerNotFound:
            continue
        there = seen.servers[record.server_id].host
        if there and selection.choose(seen, there):
            meant.add(record.server_id)
    return meant


def await_records(
    cloud: cloud_module.Cloud,
    snapshot: model.Snapshot,
    host: str,
    executor: executor_module.Executor,
) -> None:
    """Wait until all that was asked for before is known.

    :param snapshot: a first look at the host
    :raises CloudError: Nova was out of reach for long
    """
    waited = 0.0
    while waited < executor.policy.deadlines.asked and executor.patiently(
        lambda: is_unrecorded(cloud, snapshot, host)
    ):
        if executor.is_stopping:
            break
        executor.pause(_RECORD)
        waited += _RECORD


def is_unrecorded(
    cloud: cloud_module.Cloud, snapshot: model.Snapshot, host: str
) -> bool:
    """Whether a server moves since a first look, and has no record yet.

    That is what a client before us asked for last. It counts from the moment
    that Nova takes it, but only its record says whose it is and where it goes.

    :raises CloudError: Nova does not answer
    """
    moving = {s.id for s in snapshot.servers_on(host) if _moves(s.task_state)}
    if not moving:
        return False
    sights = cloud.servers_on(host)
    recorded = {
        record.server_id
        for record in cloud.migrations(source_compute=host)
        if record.status not in TERMINAL_RECORDS
    }
    return any(
        server_id in sights and _moves(sights[server_id].task_state)
        for server_id in moving - recorded
    )


def _moves(task_state: str | None) -> bool:
    return bool(task_state) and str(task_state).startswith(_MOVING)


def _joined(
    snapshot: model.Snapshot,
    record: model.Migration,
    sight: Sight,
    *,
    is_ours: bool,
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
        for group in snapshot.groups.values()
        if group.policy == 'anti-affinity'
        and record.server_id in group.members
    )
    was = None
    if sight.status == 'ERROR':
        was = settle.ALIVE.get(sight.power_state or 0)
    server = snapshot.servers.get(record.server_id)
    return dataclasses.replace(
        task,
        groups=rivals,
        has_local_disks=server is not None and server.has_local_disks,
        was=was,
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
