# SPDX-License-Identifier: Apache-2.0
"""Read Placement: who has room, for whom, and who holds it.

The summaries of allocation candidates tell room and traits of every tree in
one answer, whatever the number of hosts; a tree without any free memory is
not in them.
"""

from collections.abc import Iterable, Mapping
import dataclasses
from typing import Any

from osc_migrate import exceptions
from osc_migrate import model
from osc_migrate.cloud import connection

# root_required came with 1.35, same_subtree with 1.36: what Nova 34 uses
MICROVERSION = '1.36'
# every host that runs servers at all has memory
_ANY_ROOM = 'resources=MEMORY_MB:1'


def trees(
    link: connection.Connection,
) -> dict[str, tuple[model.ResourceProvider, ...]]:
    """Return the tree of providers by the id of its root, root first."""
    summaries = _candidates(link, _ANY_ROOM)['provider_summaries']
    found: dict[str, list[model.ResourceProvider]] = {}
    for provider_id, summary in summaries.items():
        tree = found.setdefault(summary['root_provider_uuid'], [])
        provider = _provider(provider_id, summary)
        tree.insert(0 if provider.parent_id is None else len(tree), provider)
    return {root: tuple(tree) for root, tree in found.items()}


def offered(link: connection.Connection, query: str) -> frozenset[str]:
    """Return the ids of the root providers that can serve a request."""
    answer = _candidates(link, query)
    summaries = answer['provider_summaries']
    return frozenset(
        summaries[provider]['root_provider_uuid']
        for request in answer['allocation_requests']
        for provider in request['allocations']
    )


def _candidates(link: connection.Connection, query: str) -> Any:
    return link.get(
        'placement',
        f'/allocation_candidates?{query}',
        microversion=MICROVERSION,
    )


def _provider(
    provider_id: str, summary: Mapping[str, Any]
) -> model.ResourceProvider:
    return model.ResourceProvider(
        id=provider_id,
        parent_id=summary['parent_provider_uuid'],
        resources={
            resource_class: model.Room(
                capacity=amount['capacity'],
                used=amount['used'],
                max_unit=None,
            )
            for resource_class, amount in summary['resources'].items()
        },
        traits=frozenset(summary['traits']),
    )


def allocations(
    link: connection.Connection, provider_ids: Iterable[str]
) -> dict[str, dict[str, Mapping[str, int]]]:
    """Return by consumer what it holds of each of these providers.

    A consumer is a server, or a migration that holds its source.
    """
    found: dict[str, dict[str, Mapping[str, int]]] = {}
    for provider_id in provider_ids:
        held = link.get(
            'placement',
            f'/resource_providers/{provider_id}/allocations',
            microversion=MICROVERSION,
        )['allocations']
        for consumer, allocation in held.items():
            by_provider = found.setdefault(consumer, {})
            by_provider[provider_id] = allocation['resources']
    return found


def traits(
    link: connection.Connection, provider_id: str | None
) -> frozenset[str]:
    """Return the traits of a provider; none where Placement is not told.

    :raises CloudError: Placement does not answer
    """
    if provider_id is None:
        return frozenset()
    try:
        found = link.get(
            'placement',
            f'/resource_providers/{provider_id}/traits',
            microversion=MICROVERSION,
        )
    except exceptions.Forbidden:
        return frozenset()
    return frozenset(found['traits'])


def usage(
    link: connection.Connection, provider_id: str | None
) -> dict[str, tuple[int, int]]:
    """Return used and total of each class; nothing where it is not told.

    The total is what there is, without any overcommit.

    :raises CloudError: Placement does not answer
    """
    if provider_id is None:
        return {}
    path = f'/resource_providers/{provider_id}'
    try:
        used, known = (
            link.get('placement', f'{path}/{what}', microversion=MICROVERSION)
            for what in ('usages', 'inventories')
        )
    except exceptions.Forbidden:
        return {}
    return {
        name: (used['usages'].get(name, 0), one['total'])
        for name, one in known['inventories'].items()
    }


def with_providers(
    host: model.Host,
    found: Mapping[str, tuple[model.ResourceProvider, ...]],
) -> model.Host:
    """Give a host its tree; none in the answer means no room at all."""
    tree = found.get(host.hypervisor_id or '', ())
    return dataclasses.replace(host, providers=tree)
