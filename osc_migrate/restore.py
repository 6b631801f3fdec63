# SPDX-License-Identifier: Apache-2.0
"""Undo a drain: give the host back its state, and its servers if wished.

Which servers a drain moved is in Nova's migration records since the drain
began. One that was moved again since, by anybody, stays where it is: whoever
did that knew why.
"""

from collections.abc import Collection, Iterable
import dataclasses

from osc_migrate import cloud as cloud_module
from osc_migrate import exceptions
from osc_migrate import handover
from osc_migrate import machine
from osc_migrate import model
from osc_migrate import planner
from osc_migrate import token as token_module
from osc_migrate.task import TERMINAL_RECORDS
from osc_migrate.task import Sight
from osc_migrate.task import Task

# of records whose servers arrived
_ARRIVED = ('completed', 'confirmed')
_WAYS = ('live-migration', 'migration')


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Stay:
    """A server that the drain moved and that is not brought back."""

    server_id: str
    name: str
    reason: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """The servers that a drain moved: to bring back, on their way, to leave.

    ``back`` has ids, ``begun`` the moves of a run that was interrupted.
    """

    back: list[str]
    begun: list[Task]
    stays: list[Stay]


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


def find(cloud: cloud_module.Cloud, origin: Origin) -> Found:
    """Find the servers that a drain moved.

    :raises CloudError: Nova does not answer
    """
    found = Found(back=[], begun=[], stays=[])
    for record in _moved(cloud, origin):
        sight = cloud.look(record.server_id)
        own = cloud.migrations(instance_uuid=record.server_id)
        last = max(own, key=lambda one: one.id, default=record)
        if _is_coming(sight, last, origin.host.name):
            found.begun.append(
                machine.attach(
                    last,
                    name=sight.name,
                    memory_mb=sight.memory_mb,
                    is_ours=last.user_id in origin.user_ids,
                )
            )
        elif reason := _why_not(sight, record, own):
            stay = Stay(
                server_id=record.server_id, name=sight.name, reason=reason
            )
            found.stays.append(stay)
        else:
            found.back.append(record.server_id)
    return found


def _moved(
    cloud: cloud_module.Cloud, origin: Origin
) -> Iterable[model.Migration]:
    """Return the newest record by which a drain moved each server."""
    since = origin.since.removesuffix('Z')
    newest: dict[str, model.Migration] = {}
    for record in cloud.migrations(source_compute=origin.host.name):
        if (
            record.created_at >= since
            and record.user_id in origin.user_ids
            and record.status in _ARRIVED
            and record.migration_type in _WAYS
        ):
            known = newest.setdefault(record.server_id, record)
            newest[record.server_id] = max(known, record, key=lambda r: r.id)
    return newest.values()


def _is_coming(sight: Sight, last: model.Migration, host: str) -> bool:
    """Whether an undrain that was interrupted had begun to bring it back.

    A cold migration that is confirmed by nobody is at home already.
    """
    return (
        last.migration_type in _WAYS
        # a cold one has no destination until it is claimed there
        and last.dest_compute in (host, None)
        and last.status not in TERMINAL_RECORDS
        and (bool(sight.task_state) or sight.status == 'VERIFY_RESIZE')
    )


def _why_not(
    sight: Sight, record: model.Migration, own: Iterable[model.Migration]
) -> str:
    """Say why a server is left where it is."""
    if not sight.exists:
        return 'was deleted'
    if sight.host == record.source_compute:
        return 'is back already'
    if sight.host != record.dest_compute:
        return f'was moved on to {sight.host}'
    if any(one.id > record.id and one.status in _ARRIVED for one in own):
        return f'was moved again since, and is on {sight.host}'
    return ''


def plan(
    cloud: cloud_module.Cloud, server_ids: Collection[str], host: str
) -> planner.Plan:
    """Plan to bring servers back to a host, as if it were enabled.

    :raises CloudError: Nova does not answer
    """
    snapshot = handover.opened(cloud.snapshot(servers=server_ids), host)
    return planner.plan(snapshot, to=[host])
