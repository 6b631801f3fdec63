# SPDX-License-Identifier: Apache-2.0
"""What a destination was before a drain reserved it, and giving that back.

There is no memory but Nova's: the reason of the host that is drained has it,
and while the destination is closed, its own reason, too.
"""

import dataclasses

from osc_migrate import cloud as cloud_module
from osc_migrate import exceptions
from osc_migrate import model
from osc_migrate import token as token_module

# nova-compute puts it on and takes it off, some moments after the service
# where the message bus is slow
DISABLED = 'COMPUTE_STATUS_DISABLED'
# Nova's libvirt driver writes so when it lost its hypervisor
_AUTOMATIC = 'AUTO: '


def fenced(snapshot: model.Snapshot, host: str) -> model.Snapshot:
    """Show a fenced host as down, as Nova will once it is told."""
    if host not in snapshot.hosts:
        return snapshot
    down = dataclasses.replace(
        snapshot.hosts[host], state='down', forced_down=True
    )
    return dataclasses.replace(snapshot, hosts={**snapshot.hosts, host: down})


def opened(snapshot: model.Snapshot, name: str) -> model.Snapshot:
    """Return the cloud as it is while a host is enabled."""
    host = snapshot.hosts[name]
    host = dataclasses.replace(
        host,
        status='enabled',
        providers=host.providers
        and tuple(
            dataclasses.replace(one, traits=one.traits - {DISABLED})
            for one in host.providers
        ),
    )
    return dataclasses.replace(
        snapshot,
        hosts={**snapshot.hosts, name: host},
        # Placement was asked while the host was disabled
        candidates={},
    )


def before(
    destination: model.Host, source: str, token: token_module.Token | None
) -> token_module.Reserved:
    """Find out what a destination was before the drain reserved it.

    :param source: the host that is drained
    :param token: its mark, if it has one already
    :raises InvalidInput: another drain has reserved it, or Nova disabled it
    """
    name = destination.name
    known = token.reserves if token else None
    if known is not None and known.host != name:
        known = None
    mark = token_module.read_reserved(destination.disabled_reason)
    if mark is not None and mark.reserved_for != source:
        raise exceptions.InvalidInput(
            f'{name} is reserved for the drain of {mark.reserved_for} by '
            f'{mark.user} since {mark.since}; to end that: openstack compute '
            f'undrain {mark.reserved_for}'
        )
    if mark is not None:
        reason = mark.reason if mark.was == 'disabled' else ''
        return known or token_module.Reserved(
            host=name, was=mark.was, reason=reason
        )
    if known is not None and destination.status == 'enabled':
        return known  # open, as a run that was killed has left it
    is_closed = destination.status == 'disabled'
    reason = (destination.disabled_reason or '') if is_closed else ''
    if reason.startswith(_AUTOMATIC):
        raise exceptions.InvalidInput(
            f'{name} was disabled by Nova itself ({reason}): choose another '
            'destination, or see to its hypervisor'
        )
    return token_module.Reserved(
        host=name, was=destination.status, reason=reason
    )


def give_back(
    cloud: cloud_module.Cloud, source: str, reserved: token_module.Reserved
) -> str:
    """Give a destination the state that it had before it was reserved.

    One that somebody else has disabled meanwhile stays so.

    :return: a sentence that says what it is now
    :raises CloudError: Nova refused
    """
    name = reserved.host
    service = cloud.services().get(name)
    if service is None:
        return f'{name}, which was reserved, exists no more'
    mark = token_module.read_reserved(service.disabled_reason)
    is_ours = mark is not None and mark.reserved_for == source
    if service.status == 'disabled' and not is_ours:
        return f'{name} is disabled ({service.disabled_reason}) and stays so'
    if reserved.was == 'enabled':
        if service.status != 'enabled':
            cloud.enable(service)
        return f'{name} is enabled, as it was before'
    cloud.disable(service, reserved.reason)
    said = f' ({reserved.reason})' if reserved.reason else ''
    return f'{name} is disabled{said}, as it was before'
