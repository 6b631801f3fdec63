# SPDX-License-Identifier: Apache-2.0
"""Undo a drain: give the host back its state, and its servers if wished.

Which servers a drain moved is in Nova's migration records since the drain
began. One that was moved again since, by anybody, stays where it is: whoever
did that knew why.
"""

from collections.abc import Collection
import dataclasses

from osc_migrate import cloud as cloud_module
from osc_migrate import exceptions
from osc_migrate import handover
from osc_migrate import model
from osc_migrate import planner
from osc_migrate import token as token_module

# of records whose servers arrived
_ARRIVED = ('completed', 'confirmed')


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Stay:
    """A server that the drain moved and that is not brought back."""

    server_id: str
    name: str
    reason: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Whose drain is undone: who ran it, and since when."""

    host: model.Host
    since: str
    user_ids: frozenset[str]


def mark(
    cloud: cloud_module.Cloud, host: str
) -> tuple[model.Host, token_module.Token | None]:
    """Return a host's service and the mark of its drain.

    Or the mark of the drain that it was reserved for, as a destination.

    :raises HostNotFound: there is no such host
    :raises InvalidInput: it is disabled, but not by a drain
    """
    services = cloud.services()
    if host not in services:
        raise exceptions.HostNotFound(host, services)
    service = services[host]
    reason = service.disabled_reason
    token = token_module.read(reason) or token_module.read_reserved(reason)
    if token is None and service.status != 'enabled':
        raise exceptions.InvalidInput(
            f'{host} was disabled by somebody else '
            f'({service.disabled_reason or "no reason given"}); to enable it '
            f'all the same: openstack compute service set --enable {host} '
            'nova-compute'
        )
    return service, token


def reopen(
    cloud: cloud_module.Cloud, service: model.Host, token: token_module.Token
) -> str:
    """Give a host's service back the state it had before its drain.

    So is the destination that the drain reserved, if it died meanwhile.

    :return: a sentence that says what was done
    :raises CloudError: Nova refused
    """
    given_back = ''
    if token.reserves is not None:
        given_back = handover.give_back(cloud, service.name, token.reserves)
    if token.was == 'enabled':
        cloud.enable(service)
        done = f'{service.name} is enabled again'
    else:
        cloud.disable(service, token.reason)
        done = (
            f'{service.name} was disabled before the drain and stays so; its '
            f'reason is again: {token.reason or "none"}'
        )
    if given_back:
        done += f'; {given_back}'
    if service.forced_down:
        done += (
            '; its service is forced down: when nova-compute runs again: '
            f'openstack compute service set --up {service.name} nova-compute'
        )
    return done


def find(
    cloud: cloud_module.Cloud, origin: Origin
) -> tuple[list[str], list[Stay]]:
    """Find the servers that a drain moved: to bring back, and to leave.

    :raises CloudError: Nova does not answer
    """
    since = origin.since.removesuffix('Z')
    newest: dict[str, model.Migration] = {}
    for record in cloud.migrations(source_compute=origin.host.name):
        if (
            record.created_at >= since
            and record.user_id in origin.user_ids
            and record.status in _ARRIVED
            and record.migration_type in ('live-migration', 'migration')
        ):
            known = newest.setdefault(record.server_id, record)
            newest[record.server_id] = max(known, record, key=lambda r: r.id)
    back: list[str] = []
    stays: list[Stay] = []
    for record in newest.values():
        reason, name = _why_not(cloud, record)
        if reason:
            stays.append(
                Stay(server_id=record.server_id, name=name, reason=reason)
            )
        else:
            back.append(record.server_id)
    return back, stays


def _why_not(
    cloud: cloud_module.Cloud, record: model.Migration
) -> tuple[str, str]:
    """Say why a server is left where it is, and its name."""
    sight = cloud.look(record.server_id)
    if not sight.exists:
        return 'was deleted', ''
    if sight.host == record.source_compute:
        return 'is back already', sight.name
    if sight.host != record.dest_compute:
        return f'was moved on to {sight.host}', sight.name
    own = cloud.migrations(instance_uuid=record.server_id)
    if max(one.id for one in own) > record.id and any(
        one.id > record.id and one.status in _ARRIVED for one in own
    ):
        return f'was moved again since, and is on {sight.host}', sight.name
    return '', sight.name


def plan(
    cloud: cloud_module.Cloud, server_ids: Collection[str], host: str
) -> planner.Plan:
    """Plan to bring servers back to a host, as if it were enabled.

    :raises CloudError: Nova does not answer
    """
    snapshot = handover.opened(cloud.snapshot(servers=server_ids), host)
    return planner.plan(snapshot, to=[host])
