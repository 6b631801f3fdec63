# SPDX-License-Identifier: Apache-2.0
"""Checks of the destination: its service, its room, what it offers."""

from collections.abc import Hashable, Iterator

from osc_migrate import checks
from osc_migrate import exceptions
from osc_migrate import inventory
from osc_migrate import resources

_DISABLED = 'COMPUTE_STATUS_DISABLED'
_THREADS = 'HW_CPU_HYPERTHREADING'
_UNITS = {'MEMORY_MB': ' MB', 'DISK_GB': ' GB'}


def _zones(candidate: checks.Candidate) -> Hashable:
    server = candidate.server
    if server.pinned_availability_zone == '':
        return None
    return server.pinned_availability_zone, server.availability_zone


@checks.destination_check('destination-service', alike=lambda candidate: '')
def service(candidate: checks.Candidate) -> Iterator[checks.Draft]:
    """The compute service of the destination must be up and enabled.

    Nova's ComputeFilter refuses a disabled or dead host even when it is
    named (``nova/scheduler/filters/compute_filter.py``). Placement learns of
    it by the trait COMPUTE_STATUS_DISABLED; nova-compute takes it away when
    the service is enabled, or at its next start if it did not hear of that
    (``compute_status_filter`` in ``nova/scheduler/request_filter.py``).

    What to do: start the service if it is down, enable it if nobody keeps it
    disabled on purpose, or take another destination.
    """
    destination = candidate.destination
    assert destination is not None
    if destination.state != 'up' or destination.forced_down:
        yield checks.error(
            'its compute service is down',
            'start nova-compute on {destination}',
            updated_at=destination.updated_at,
        )
    elif destination.status != 'enabled':
        why = destination.disabled_reason
        yield checks.error(
            'its compute service is disabled' + (f' ({why})' if why else ''),
            'openstack compute service set --enable {destination} '
            'nova-compute',
            disabled_reason=why,
        )
    elif destination.providers and _DISABLED in (
        destination.providers[0].traits
    ):
        yield checks.error(
            'its compute service is enabled, but Placement still has it as '
            'disabled',
            'restart nova-compute on {destination}',
            trait=_DISABLED,
        )


@checks.destination_check('destination-room', alike=checks.asked)
def room(candidate: checks.Candidate) -> Iterator[checks.Draft]:
    """The destination must have room for the server in Placement.

    Capacity is (total - reserved) x allocation ratio; one server may also
    not take more than ``max_unit``, the size of the host itself. What a port
    or a flavor asks for in a group must come from one provider. Nova asks
    Placement for allocation candidates before anything else, and answers
    "No valid host was found" where there are none
    (``nova/scheduler/manager.py``).

    For dedicated CPUs Nova also tries hosts that offer VCPU and no PCPU at
    all; whether one of these can pin CPUs is written in its nova.conf only.

    What to do: take a destination with room, or make some there by moving
    others away first.
    """
    destination, request = candidate.destination, candidate.server.request
    assert destination is not None
    providers = destination.providers
    if providers is None:
        yield checks.unknown(
            'its room is unknown: Placement shows it only to administrators',
            exceptions.ASK_ADMIN,
        )
        return
    asked = inventory.translated(providers, request)
    _, shortages = inventory.allot(providers, asked)
    for shortage in shortages:
        yield _short(shortage)
    if shortages:
        return
    if asked is not request:
        yield checks.unknown(
            'offers VCPU and no PCPU for dedicated CPUs; Nova goes there only '
            'if neither cpu_shared_set nor disable_fallback_pcpu_query is set',
            'on {destination}: grep -E "cpu_.*_set|fallback" '
            '/etc/nova/nova.conf',
        )
    elif candidate.snapshot.candidates:
        yield from _not_offered(candidate)


@checks.destination_check('destination-traits', alike=checks.asked)
def traits(candidate: checks.Candidate) -> Iterator[checks.Draft]:
    """The destination must have the traits that the server requires.

    Traits come from the flavor (``trait:NAME=required``), the image, the
    CPU thread policy, secure boot, vTPM and encrypted memory
    (``from_request_spec`` in ``nova/scheduler/utils.py`` and
    ``nova/scheduler/request_filter.py``). Placement refuses a host that
    lacks one, and one that has a forbidden trait.

    What to do: take a host that has them. A trait that nova-compute does not
    report itself can be given to a host that deserves it (``openstack resource
    provider trait set``).
    """
    missing = _lacking(candidate)
    if missing:
        yield checks.error(
            f'lacks the traits {", ".join(missing)}',
            'openstack resource provider trait list '
            f'{candidate.destination and candidate.destination.hypervisor_id}',
            missing=missing,
        )
    refused = _refused(candidate)
    if refused:
        yield checks.error(
            f'has the traits {", ".join(refused)}, which the server forbids',
            'openstack server show {server} -c flavor',
            forbidden=refused,
        )


@checks.destination_check('destination-zone', alike=_zones)
def zone(candidate: checks.Candidate) -> Iterator[checks.Draft]:
    """A server that is pinned to an availability zone must stay in it.

    The zone comes from the request that made the server
    (``pinned_availability_zone``, microversion 2.96); Nova asks Placement only
    for hosts of the aggregates that carry the zone's name
    (``map_az_to_placement_aggregate`` in
    ``nova/scheduler/request_filter.py``). A zone that no aggregate carries,
    like the default one, binds nothing.

    What to do: take a host of the zone, or, from microversion 2.104 on, let an
    administrator unpin the server.
    """
    destination, server = candidate.destination, candidate.server
    assert destination is not None
    pinned = server.pinned_availability_zone
    if pinned == '' or destination.zone == (
        pinned or server.availability_zone
    ):
        return
    zones = {
        aggregate.metadata.get('availability_zone')
        for aggregate in candidate.snapshot.aggregates or ()
    }
    if pinned is None:
        yield checks.unknown(
            f'is in the availability zone {destination.zone}; whether the '
            f'server is pinned to {server.availability_zone} is known from '
            'microversion 2.96 on',
            'openstack availability zone list --compute --long',
        )
    elif candidate.snapshot.aggregates is None or pinned in zones:
        yield checks.error(
            f'is in the availability zone {destination.zone}, the server is '
            f'pinned to {pinned}',
            'openstack availability zone list --compute --long',
            pinned_availability_zone=pinned,
        )


def _short(shortage: inventory.Shortage) -> checks.Draft:
    name, needed, free = (
        shortage.resource_class,
        shortage.needed,
        shortage.free,
    )
    unit = _UNITS.get(name, '')
    text = f'needs {needed}{unit} of {name}, {free}{unit} is free'
    if shortage.suffix:
        text += f' at one provider (request group {shortage.suffix})'
    limit = shortage.max_unit
    if limit is not None and needed > limit:
        text = (
            f'needs {needed}{unit} of {name}, one server may have at most '
            f'{limit}{unit}'
        )
    return checks.error(
        text,
        'openstack hypervisor show {destination}',
        resource_class=name,
        needed=needed,
        free=free,
        max_unit=limit,
    )


def _not_offered(candidate: checks.Candidate) -> Iterator[checks.Draft]:
    """Believe Placement where it does not offer what seems to fit."""
    destination = candidate.destination
    assert destination is not None
    key = resources.query(candidate.server.request)
    offered = candidate.snapshot.candidates.get(key)
    if offered is None or destination.name in offered:
        return
    if _DISABLED in (destination.traits or ()):
        return
    if not _lacking(candidate) and not _refused(candidate):
        yield checks.error(
            'Placement does not offer it for this request, although it has '
            'the room in sum: max_unit, min_unit or step_size forbids it',
            'openstack resource provider inventory list '
            f'{destination.hypervisor_id}',
            request=key,
        )


def _lacking(candidate: checks.Candidate) -> list[str]:
    """Return the required traits that no provider of the tree has."""
    destination, request = candidate.destination, candidate.server.request
    if destination is None or not destination.providers:
        return []
    wanted = request.required_traits
    if not wanted:
        return []
    root = destination.providers[0].traits
    missing = request.root_required - root
    offered = root.union(*(p.traits for p in destination.providers[1:]))
    missing |= wanted - offered
    return sorted(name for name in missing if name[0] != '!')


def _refused(candidate: checks.Candidate) -> list[str]:
    """Return the forbidden traits that the root provider has.

    A disabled host is spoken of elsewhere. Where dedicated CPUs are taken
    from VCPU, Nova asks for no thread policy.
    """
    destination, request = candidate.destination, candidate.server.request
    if destination is None or not destination.providers:
        return []
    refused = request.forbidden_traits & destination.providers[0].traits
    if not refused:
        return []
    ignored = {_DISABLED}
    if inventory.translated(destination.providers, request) is not request:
        ignored.add(_THREADS)
    return sorted(refused - ignored)
