# SPDX-License-Identifier: Apache-2.0
"""Delete everything that servers were made of, and every trace of them."""

from collections.abc import Iterable
import concurrent.futures
from typing import Any

from lab import api as apis
from lab import catalogue
from lab import topology

TIMEOUT = 120


def delete_everything(admin: apis.Api) -> None:
    """Delete servers, volumes, ports, groups, flavors, images, networks.

    :raises: :class:`lab.exceptions.LabError` when something stays.
    """
    _end_migrations(admin)
    _delete(admin, 'compute', '/servers', _servers(admin))
    apis.wait_for(
        lambda: not _servers(admin), TIMEOUT, 'Servers are not deleted'
    )
    _forget_migrations()
    _delete_allocations(admin)
    volumes = admin.send('block-storage', 'GET', '/volumes?all_tenants=1')
    _delete(admin, 'block-storage', '/volumes', volumes['volumes'])
    for kind in ('ports', 'networks'):
        found = admin.send('network', 'GET', f'/v2.0/{kind}')[kind]
        _delete(admin, 'network', f'/v2.0/{kind}', found)
    images = admin.send('image', 'GET', '/v2/images?limit=1000')['images']
    _delete(admin, 'image', '/v2/images', images)
    groups = catalogue.groups(admin)
    _delete(admin, 'compute', '/os-server-groups', groups)
    flavors = admin.compute('GET', '/flavors?is_public=None')['flavors']
    _delete(admin, 'compute', '/flavors', flavors)


def _servers(admin: apis.Api) -> list[dict[str, Any]]:
    path = '/servers/detail?all_tenants=1'
    found: list[dict[str, Any]] = admin.compute('GET', path)['servers']
    return found


def _delete(
    admin: apis.Api, service: str, path: str, found: Iterable[dict[str, Any]]
) -> None:
    def delete(entry: dict[str, Any]) -> None:
        try:
            admin.send(service, 'DELETE', f'{path}/{entry["id"]}')
        except apis.ApiError as error:
            if error.status != 404:
                raise

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        list(pool.map(delete, found))


def _end_migrations(admin: apis.Api) -> None:
    """End the live migrations first: a deleted server's would go on."""

    def migrating() -> list[dict[str, Any]]:
        return [
            server
            for server in _servers(admin)
            if server['OS-EXT-STS:task_state'] == 'migrating'
        ]

    for server in migrating():
        path = f'/servers/{server["id"]}/migrations'
        for migration in admin.compute('GET', path)['migrations']:
            try:
                admin.compute('DELETE', f'{path}/{migration["id"]}')
            except apis.ApiError as error:
                if error.status not in (400, 404, 409):  # it ended itself
                    raise
    apis.wait_for(
        lambda: not migrating(), TIMEOUT, 'Live migrations do not end'
    )


def _forget_migrations() -> None:
    """Let Nova have no history: a test must not see the one before."""
    with topology.database('nova') as connection:
        connection.execute('DELETE FROM migrations')
    connection.close()


def _delete_allocations(admin: apis.Api) -> None:
    """Free what failed migrations have left in Placement."""

    def placement(method: str, path: str) -> Any:
        return admin.send('placement', method, path)

    providers = placement('GET', '/resource_providers')['resource_providers']
    for provider in providers:
        path = f'/resource_providers/{provider["uuid"]}/allocations'
        for consumer in placement('GET', path)['allocations']:
            placement('DELETE', f'/allocations/{consumer}')
