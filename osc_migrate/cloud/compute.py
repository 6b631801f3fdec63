# SPDX-License-Identifier: Apache-2.0
"""Read Nova: services, hypervisors, servers, groups, migrations.

Each read names the microversion it is written for; an older Nova is asked
for its newest instead, and what it then leaves out becomes ``None``.
"""

from collections.abc import Iterator, Mapping, Sequence
import itertools
import re
from typing import Any
from urllib import parse

from osc_migrate import exceptions
from osc_migrate import model
from osc_migrate.cloud import connection
from osc_migrate.task import Sight

# scheduler_hints came with 2.100, image.properties with 2.98
SERVERS = (2, 100)
SERVICES = (2, 53)
# the last one that tells cpu_info and hypervisor_version
HYPERVISORS = (2, 87)
AGGREGATES = (2, 41)
# policy and max_server_per_host instead of policies
GROUPS = (2, 64)
# user_id and project_id of a record
MIGRATIONS = (2, 80)
PAGE = 1000
# pages of records that no filter limits: a cloud may keep all it ever had
PAGES = 10

_SPELLED = {'changes_since': 'changes-since'}

_UUID = re.compile(r'^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$')


def services(link: connection.Connection) -> list[Any]:
    """Return the nova-compute services as Nova shows them."""
    with connection.translated('GET /os-services'):
        found = link.compute(SERVICES).services.list(binary='nova-compute')
    return [service.to_dict() for service in found]


def hypervisors(link: connection.Connection) -> dict[str, Any]:
    """Return what os-hypervisors tells, by service host."""
    found: dict[str, Any] = {}
    marker = None
    while True:
        with connection.translated('GET /os-hypervisors/detail'):
            page = link.compute(HYPERVISORS).hypervisors.list(
                detailed=True, marker=marker, limit=PAGE
            )
        for item in page:
            known = item.to_dict()
            found[known['service']['host']] = known
        if len(page) < PAGE:
            return found
        marker = page[-1].id


def host(
    service: Mapping[str, Any], hypervisor: Mapping[str, Any] | None
) -> model.Host:
    """Join a service and its node; Placement and Neutron come later."""
    known = hypervisor or {}
    return model.Host(
        name=service['host'],
        service_id=str(service['id']),
        status=service['status'],
        state=service['state'],
        disabled_reason=service.get('disabled_reason'),
        forced_down=bool(service.get('forced_down')),
        zone=service['zone'],
        updated_at=service.get('updated_at'),
        hypervisor_id=known.get('id'),
        hypervisor_hostname=known.get('hypervisor_hostname'),
        hypervisor_type=known.get('hypervisor_type'),
        hypervisor_version=known.get('hypervisor_version'),
        cpu_info=_cpu_info(known.get('cpu_info')),
        running_vms=known.get('running_vms'),
        providers=None,
        agents=None,
    )


def _cpu_info(known: Any) -> model.CpuInfo | None:
    if not isinstance(known, dict) or not known:
        return None
    features = known.get('features') or ()
    return model.CpuInfo(
        arch=known.get('arch'),
        vendor=known.get('vendor'),
        model=known.get('model'),
        features=frozenset(map(str, features)),
        topology={
            key: int(value)
            for key, value in (known.get('topology') or {}).items()
        },
    )


def aggregates(
    link: connection.Connection,
) -> tuple[model.Aggregate, ...]:
    """Return the host aggregates."""
    with connection.translated('GET /os-aggregates'):
        found = link.compute(AGGREGATES).aggregates.list()
    return tuple(
        model.Aggregate(
            name=item.name,
            uuid=getattr(item, 'uuid', None),
            hosts=frozenset(item.hosts),
            metadata=item.metadata,
        )
        for item in found
    )


def groups(link: connection.Connection) -> list[model.ServerGroup]:
    """Return all server groups; the hosts of their members come later."""
    found: list[model.ServerGroup] = []
    while True:
        with connection.translated('GET /os-server-groups'):
            page = link.compute(GROUPS).server_groups.list(
                all_projects=True, limit=PAGE, offset=len(found)
            )
        found += [_group(item.to_dict()) for item in page]
        if len(page) < PAGE:
            return found


def _group(known: Mapping[str, Any]) -> model.ServerGroup:
    policies = known.get('policies') or ['']
    rules = known.get('rules') or {}
    return model.ServerGroup(
        id=known['id'],
        name=known['name'],
        policy=known.get('policy') or policies[0],
        max_server_per_host=int(rules.get('max_server_per_host', 1)),
        members=dict.fromkeys(known['members']),
    )


def servers(
    link: connection.Connection, **filters: str | Sequence[str]
) -> Iterator[dict[str, Any]]:
    """Yield the servers of all projects that pass Nova's filters.

    :param filters: a sequence of ``status`` means any of them
    """
    # unknown filters are errors since 2.102; all of ours are known
    asked: dict[str, Any] = {'all_tenants': 1, 'limit': PAGE, **filters}
    while True:
        page = link.get(
            'compute',
            f'/servers/detail?{parse.urlencode(asked, doseq=True)}',
            microversion=link.microversion(SERVERS),
        )['servers']
        yield from page
        if len(page) < PAGE:
            return
        asked['marker'] = page[-1]['id']


def visible_servers(
    link: connection.Connection, **filters: str | Sequence[str]
) -> list[dict[str, Any]]:
    """Return the servers of all projects, or of the caller's if need be.

    Not for a filter by host: Nova ignores it if the caller may not use it.
    """
    try:
        return list(servers(link, **filters))
    except exceptions.Forbidden:
        # who may not look into other projects has one
        return list(servers(link, **filters, all_tenants='0'))


def server_body(
    link: connection.Connection, server_id: str
) -> dict[str, Any] | None:
    """Return one server as Nova shows it, ``None`` if there is none."""
    try:
        body = link.get(
            'compute',
            f'/servers/{server_id}',
            microversion=link.microversion(SERVERS),
        )
    except exceptions.CloudError as error:
        if error.status_code == 404:
            return None
        raise
    known: dict[str, Any] = body['server']
    return known


def sight(known: Mapping[str, Any] | None) -> Sight:
    """Read what matters while a server moves; ``None`` means it is gone."""
    # a list of what changed also has the deleted ones
    if known is None or known['status'] == 'DELETED':
        return Sight(exists=False)
    return Sight(
        exists=True,
        name=known['name'],
        memory_mb=known['flavor']['ram'],
        status=known['status'],
        vm_state=known.get('OS-EXT-STS:vm_state'),
        task_state=known.get('OS-EXT-STS:task_state'),
        power_state=known.get('OS-EXT-STS:power_state'),
        host=known.get('OS-EXT-SRV-ATTR:host'),
        fault=(known.get('fault') or {}).get('message'),
    )


def find_server(link: connection.Connection, name: str) -> dict[str, Any]:
    """Return the one server with this id or name, of any project.

    Of the caller's project if that is all that the caller may see.

    :raises ServerNotFound: there is none
    :raises AmbiguousName: there are several
    """
    if _UUID.match(name):
        known = server_body(link, name)
        if known is not None:
            return known
    # Nova reads the name as a regular expression
    listed = visible_servers(link, name=f'^{re.escape(name)}$')
    found = [server for server in listed if server['name'] == name]
    if not found:
        raise exceptions.ServerNotFound(name)
    if len(found) > 1:
        raise exceptions.AmbiguousName(name, (s['id'] for s in found))
    return found[0]


def migrations(
    link: connection.Connection, **filters: str
) -> list[model.Migration]:
    """Return the records that pass Nova's filters, the newest first.

    Those that the caller's project began if the caller may see no more. An
    administrator's migrations of its servers are not among them: Nova keeps
    the project of who asked (``nova/objects/migration.py``).

    :raises Forbidden: not even these may be seen
    """
    if link.confined_to:
        filters['project_id'] = link.confined_to
    try:
        return list(_records(link, filters))
    except exceptions.Forbidden:
        # os-migrations:index:all_projects; index alone is enough for one
        project = link.session.get_project_id()
        if link.confined_to or not project or link.compute_max < MIGRATIONS:
            raise
    found = list(_records(link, {**filters, 'project_id': project}))
    link.confined_to = project
    return found


def _records(
    link: connection.Connection, filters: Mapping[str, str]
) -> Iterator[model.Migration]:
    """Yield all records that pass filters, the newest 10,000 without any."""
    asked: dict[str, Any] = {
        'limit': PAGE,
        **{_SPELLED.get(key, key): value for key, value in filters.items()},
    }
    for number in itertools.count(1):
        # novaclient drops the link, which comes with a full page: one may be
        # of less than we ask for
        page = link.get(
            'compute',
            f'/os-migrations?{parse.urlencode(asked)}',
            microversion=link.microversion(MIGRATIONS),
        )
        for known in page['migrations']:
            yield migration(known)
        is_bounded = not filters.keys() - {'project_id'}
        if not page.get('migrations_links') or (
            is_bounded and number >= PAGES
        ):
            return
        asked['marker'] = page['migrations'][-1]['uuid']


def running_migrations(
    link: connection.Connection, server_id: str
) -> list[model.Migration]:
    """Return the live migrations of a server in progress, with figures."""
    with connection.translated(f'GET /servers/{server_id}/migrations'):
        found = link.compute(MIGRATIONS).server_migrations.list(server_id)
    return [migration(item.to_dict(), server_id) for item in found]


def migration(
    known: Mapping[str, Any], server_id: str | None = None
) -> model.Migration:
    """Read a migration in either of Nova's two spellings."""
    return model.Migration(
        id=known['id'],
        uuid=known.get('uuid', ''),
        server_id=known.get('instance_uuid') or server_id or '',
        status=known['status'],
        # GET /servers/{id}/migrations lists live migrations only
        migration_type=known.get('migration_type') or 'live-migration',
        source_compute=known.get('source_compute'),
        dest_compute=known.get('dest_compute'),
        user_id=known.get('user_id'),
        created_at=known['created_at'],
        updated_at=known.get('updated_at'),
        memory_total=known.get('memory_total_bytes'),
        memory_processed=known.get('memory_processed_bytes'),
        memory_remaining=known.get('memory_remaining_bytes'),
        disk_total=known.get('disk_total_bytes'),
        disk_processed=known.get('disk_processed_bytes'),
        disk_remaining=known.get('disk_remaining_bytes'),
    )
