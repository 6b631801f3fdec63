# SPDX-License-Identifier: Apache-2.0
"""Checks of the destination: its service, its room, what it offers."""

from collections.abc import Iterator

from osc_migrate import checks
from osc_migrate import resources

_ENABLE = 'openstack compute service set --enable {destination} nova-compute'


@checks.destination_check('destination-service')
def service(candidate: checks.Candidate) -> Iterator[checks.Draft]:
    """The compute service of the destination must be up and enabled.

    Nova's ComputeFilter refuses a disabled or dead host even when it is
    named (``nova/scheduler/filters/compute_filter.py``).
    """
    destination = candidate.destination
    assert destination is not None
    if destination.state != 'up' or destination.forced_down:
        yield checks.error(
            'its compute service is down',
            'start nova-compute on {destination}',
        )
    elif destination.status != 'enabled':
        why = destination.disabled_reason
        yield checks.error(
            'its compute service is disabled' + (f' ({why})' if why else ''),
            _ENABLE,
            disabled_reason=why,
        )


@checks.destination_check('destination-room')
def room(candidate: checks.Candidate) -> Iterator[checks.Draft]:
    """The destination must have room for the server in Placement.

    Capacity is (total - reserved) x allocation ratio; a single request may
    also not exceed ``max_unit``. Nova asks Placement for allocation
    candidates before anything else, and answers "No valid host was found"
    where there are none (``nova/scheduler/manager.py``).
    """
    destination = candidate.destination
    assert destination is not None
    if destination.providers is None:
        yield checks.unknown(
            'its room is unknown: Placement shows it only to administrators',
            'ask somebody with the role admin',
        )
        return
    short = False
    for resource_class, needed in candidate.server.request.total.items():
        found = destination.room(resource_class)
        free = found.free if found else 0
        if needed > free:
            short = True
            unit = ' MB' if resource_class == 'MEMORY_MB' else ''
            unit = ' GB' if resource_class == 'DISK_GB' else unit
            yield checks.error(
                f'needs {needed}{unit} of {resource_class}, {free}{unit} is '
                'free',
                resource_class=resource_class,
                needed=needed,
                free=free,
            )
    key = resources.query(candidate.server.request)
    offered = candidate.snapshot.candidates.get(key)
    if offered is None or destination.name in offered or short:
        return
    if not _lacking(candidate) and not _refused(candidate):
        yield checks.error(
            'Placement does not offer it for this request, although it has '
            'the room in sum: max_unit, min_unit or step_size forbids it, '
            'or one provider of its tree is too small',
            'openstack resource provider inventory list '
            f'{destination.hypervisor_id}',
            request=key,
        )


@checks.destination_check('destination-traits')
def traits(candidate: checks.Candidate) -> Iterator[checks.Draft]:
    """The destination must have the traits that the server requires.

    Traits come from the flavor (``trait:NAME=required``), the image, the
    CPU thread policy and vTPM. Placement refuses a host that lacks one, and
    one that has a forbidden trait.
    """
    missing = _lacking(candidate)
    if missing:
        yield checks.error(
            f'lacks the traits {", ".join(sorted(missing))}',
            missing=sorted(missing),
        )
    refused = _refused(candidate)
    if refused:
        yield checks.error(
            f'has the traits {", ".join(sorted(refused))}, which the server '
            'forbids',
            forbidden=sorted(refused),
        )


@checks.destination_check('group-anti-affinity')
def anti_affinity(candidate: checks.Candidate) -> Iterator[checks.Draft]:
    """An anti-affinity group must have a place left on the destination.

    At most ``max_server_per_host`` members (1 unless the group says more)
    may be on one host. Nova checks it twice: in the scheduler
    (ServerGroupAntiAffinityFilter) and on the destination.
    """
    destination = candidate.destination
    assert destination is not None
    for group in candidate.snapshot.groups_of(candidate.server):
        if group.policy != 'anti-affinity':
            continue
        there = group.members_on(destination.name)
        if len(there) >= group.max_server_per_host:
            yield checks.error(
                f'already has {len(there)} of the anti-affinity group '
                f'{group.name} (at most {group.max_server_per_host})',
                f'openstack server group show {group.id}',
                group=group.id,
                members=sorted(there),
            )


@checks.destination_check('group-affinity')
def affinity(candidate: checks.Candidate) -> Iterator[checks.Draft]:
    """A member of an affinity group moves only to a host of the group.

    The scheduler counts the server itself as a member where it is now, so a
    group that is together on one host, even a group of one, cannot be moved
    (``ServerGroupAffinityFilter``; ``nova/scheduler/utils.py``).
    """
    destination = candidate.destination
    assert destination is not None
    for group in candidate.snapshot.groups_of(candidate.server):
        if group.policy == 'affinity' and not group.members_on(
            destination.name
        ):
            yield checks.error(
                f'no other member of the affinity group {group.name} is there',
                'remove the group, or rebuild the servers without it: '
                f'openstack server group show {group.id}',
                group=group.id,
            )


@checks.destination_check('destination-zone')
def zone(candidate: checks.Candidate) -> Iterator[checks.Draft]:
    """A server that is pinned to an availability zone must stay in it.

    The zone comes from the request that made the server
    (``pinned_availability_zone``, microversion 2.96); Nova asks Placement
    only for hosts of the zone's aggregates (``map_az_to_placement_aggregate``
    in ``nova/scheduler/request_filter.py``).
    """
    destination = candidate.destination
    assert destination is not None
    pinned = candidate.server.pinned_availability_zone
    if pinned and destination.zone != pinned:
        yield checks.error(
            f'is in the availability zone {destination.zone}, the server is '
            f'pinned to {pinned}',
            pinned_availability_zone=pinned,
        )
    elif (
        pinned is None
        and destination.zone != candidate.server.availability_zone
    ):
        yield checks.unknown(
            f'is in the availability zone {destination.zone}; whether the '
            'server is pinned to its own is known from microversion 2.96 on',
        )


def _lacking(candidate: checks.Candidate) -> frozenset[str]:
    destination = candidate.destination
    if destination is None or not destination.providers:
        return frozenset()
    offered = frozenset().union(*(p.traits for p in destination.providers))
    wanted = candidate.server.request.required_traits
    return frozenset(t for t in wanted - offered if not t.startswith('!'))


def _refused(candidate: checks.Candidate) -> frozenset[str]:
    destination = candidate.destination
    if destination is None or not destination.providers:
        return frozenset()
    return candidate.server.request.forbidden_traits & (
        destination.providers[0].traits
    )
