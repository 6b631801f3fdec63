# SPDX-License-Identifier: Apache-2.0
"""What is still on a host: the proof that a drain has ended, or not.

Empty means empty: no server, no cold migration that a revert could bring
back, nothing allocated in Placement. Four reads, whatever the size.
"""

from collections.abc import Iterable, Mapping
import dataclasses

from osc_migrate import cloud as cloud_module
from osc_migrate import model
from osc_migrate.task import Sight
from osc_migrate.task import Task

# of a cold migration whose disk and allocation are still on its source
_UNFINISHED = ('finished', 'confirming', 'reverting')


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Leftover:
    """Something that is still on the host, or still holds a part of it.

    ``kind`` is ``server``, ``migration`` or ``allocation``. ``is_expected``
    marks what goes by itself, like the allocations of evacuated servers,
    which a nova-compute gives back when it starts again; ``is_transient``
    what is about to arrive, and must leave then.
    """

    kind: str
    id: str
    name: str
    message: str
    remedy: str
    is_expected: bool
    is_transient: bool = False


def find(
    cloud: cloud_module.Cloud,
    host: model.Host,
    tasks: Iterable[Task] = (),
    untried: Mapping[str, tuple[str, str]] | None = None,
) -> list[Leftover]:
    """Say what is still on a host.

    :param tasks: moves that were tried, to say why their servers are left
    :param untried: reason and remedy of servers that were not, by id
    :raises CloudError: Nova does not answer
    """
    servers = cloud.servers_on(host.name)
    records = cloud.migrations(source_compute=host.name)
    return [
        *_servers(
            servers,
            {
                **(untried or {}),
                **{
                    task.server_id: (task.reason, task.remedy)
                    for task in tasks
                },
            },
        ),
        *_unfinished(cloud, host.name, servers),
        *_allocations(cloud, host, servers, records),
    ]


def _servers(
    servers: Mapping[str, Sight], known: Mapping[str, tuple[str, str]]
) -> Iterable[Leftover]:
    for server_id, sight in servers.items():
        reason, remedy = known.get(server_id, ('', ''))
        yield Leftover(
            kind='server',
            id=server_id,
            name=sight.name,
            message=reason or f'is {sight.status}',
            remedy=remedy
            or f'openstack server migration preflight {server_id}',
            is_expected=False,
        )


def _unfinished(
    cloud: cloud_module.Cloud, host: str, servers: Iterable[str]
) -> Iterable[Leftover]:
    for status in _UNFINISHED:
        for record in cloud.migrations(source_compute=host, status=status):
            if record.server_id in servers:
                continue
            yield Leftover(
                kind='migration',
                id=record.uuid,
                name=record.server_id,
                message=(
                    f'its {record.migration_type} to {record.dest_compute} '
                    f'is {record.status}: disk and allocation are still here'
                ),
                remedy=(
                    f'openstack server migration confirm {record.server_id}'
                ),
                is_expected=False,
            )


def _allocations(
    cloud: cloud_module.Cloud,
    host: model.Host,
    servers: Iterable[str],
    records: Iterable[model.Migration],
) -> Iterable[Leftover]:
    if host.providers is None:
        return
    by_uuid = {record.uuid: record for record in records}
    evacuated = {
        record.server_id
        for record in by_uuid.values()
        if record.migration_type == 'evacuation' and record.status == 'done'
    }
    for consumer in cloud.allocations(host):
        record = by_uuid.get(consumer)
        if consumer in servers or (record and record.status in _UNFINISHED):
            continue  # said already
        if record is None and consumer not in evacuated:
            yield _allocation_of_server(consumer, cloud.look(consumer))
        else:
            yield _allocation(
                consumer, record, is_expected=consumer in evacuated
            )


def _allocation_of_server(consumer: str, sight: Sight) -> Leftover:
    """Say why a server that is not on the host holds a part of it."""
    is_built = sight.status == 'BUILD'
    if not is_built and sight.task_state is None:
        return _allocation(consumer, None, is_expected=False)
    doing = f'being built ({sight.task_state})'
    if not is_built:
        doing = f'on its way from {sight.host} ({sight.task_state})'
    return Leftover(
        kind='allocation',
        id=consumer,
        name=sight.name,
        message=f'is {doing}, and has a place on this host',
        remedy=f'openstack server event list {consumer}',
        is_expected=False,
        is_transient=True,
    )


def _allocation(
    consumer: str, record: model.Migration | None, *, is_expected: bool
) -> Leftover:
    message = 'holds resources of this host in Placement, but is not on it'
    remedy = 'nova-manage placement audit --verbose'
    if is_expected:
        message = (
            'was evacuated; nova-compute gives its resources back when it '
            'starts again'
        )
        remedy = ''
    elif record is not None:
        message = (
            'holds resources of this host in Placement: it is the migration '
            f'of {record.server_id} ({record.status})'
        )
    return Leftover(
        kind='allocation',
        id=consumer,
        name=record.server_id if record else '',
        message=message,
        remedy=remedy,
        is_expected=is_expected,
    )
