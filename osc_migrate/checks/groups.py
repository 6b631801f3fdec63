# SPDX-License-Identifier: Apache-2.0
"""Checks of server groups: which servers may be on one host.

The scheduler counts the members where they are now; the destination counts
again, with those that are on their way to it.
"""

from collections.abc import Hashable, Iterator

from osc_migrate import checks
from osc_migrate import exceptions
from osc_migrate import model

_SHOW = 'openstack server group show '


def _grouped(candidate: checks.Candidate) -> Hashable:
    # the group counts without the server, so no two are alike
    return candidate.server.id if candidate.server.groups else None


@checks.destination_check('group-anti-affinity', alike=_grouped)
def anti_affinity(candidate: checks.Candidate) -> Iterator[checks.Draft]:
    """An anti-affinity group must have a place left on the destination.

    At most ``max_server_per_host`` members (1 unless the group says more)
    may be on one host. Nova checks it twice: in the scheduler
    (ServerGroupAntiAffinityFilter), and on the destination, where members
    that are moving there or from there count too, until a cold migration is
    confirmed (``_validate_instance_group_policy`` in
    ``nova/compute/manager.py``).

    What to do: take a host without a member of the group, or move that member
    first.
    """
    destination = candidate.destination
    assert destination is not None
    for group in candidate.snapshot.groups_of(candidate.server):
        if group.policy != 'anti-affinity':
            continue
        most = group.max_server_per_host
        there = _others_on(group, destination.name, candidate.server)
        if len(there) >= most:
            yield checks.error(
                f'already has {len(there)} of the anti-affinity group '
                f'{group.name} (at most {most})',
                _SHOW + group.id,
                group=group.id,
                members=there,
            )
        else:
            yield from _unsettled(group, there, candidate)


@checks.destination_check('group-affinity', alike=_grouped)
def affinity(candidate: checks.Candidate) -> Iterator[checks.Draft]:
    """A member of an affinity group moves only to a host of the group.

    The scheduler counts the server itself as a member where it is now, so a
    group that is together on one host, even a group of one, cannot be moved
    (``ServerGroupAffinityFilter``; ``_get_group_details`` in
    ``nova/scheduler/utils.py``).

    What to do: take a host where another member is already. Where there is
    none, Nova has no way around it: the servers must be made anew without the
    group, or stay.
    """
    destination = candidate.destination
    assert destination is not None
    for group in candidate.snapshot.groups_of(candidate.server):
        if group.policy != 'affinity' or group.members_on(destination.name):
            continue
        if _is_unlocated(group, candidate):
            yield checks.unknown(
                f'whether members of the affinity group {group.name} are '
                'there is unknown',
                exceptions.ASK_ADMIN,
                group=group.id,
            )
        else:
            yield checks.error(
                f'no other member of the affinity group {group.name} is there',
                f'make the servers anew without the group: {_SHOW}{group.id}',
                group=group.id,
            )


@checks.server_check('group-membership')
def membership(candidate: checks.Candidate) -> Iterator[checks.Draft]:
    """A soft policy is only a wish, but an unknown one may be a hard one.

    ``soft-affinity`` and ``soft-anti-affinity`` change only which host Nova
    prefers (``nova/scheduler/weights/affinity.py``); naming a destination
    overrules them. Groups of other projects are shown to administrators.

    What to do: nothing for a soft policy; of a group that cannot be seen ask
    an administrator.
    """
    if candidate.server.groups is None:
        yield checks.unknown(
            'whether a server group holds it is unknown',
            exceptions.ASK_ADMIN,
        )
    for group in candidate.snapshot.groups_of(candidate.server):
        if group.policy.startswith('soft-'):
            yield checks.info(
                f'is in the group {group.name} ({group.policy}), which a '
                'named destination overrules',
                _SHOW + group.id,
                group=group.id,
            )


def _unsettled(
    group: model.ServerGroup, there: list[str], candidate: checks.Candidate
) -> Iterator[checks.Draft]:
    """Count those that move, too, and say if some cannot be counted."""
    destination = candidate.destination
    assert destination is not None
    moving = _moving(group, destination.name, candidate)
    counted = {record.server_id for record in moving}.union(there)
    if len(counted) >= group.max_server_per_host:
        say = (
            checks.error
            if all(record.status == 'finished' for record in moving)
            else checks.wait
        )
        listed = ', '.join(f'{m.server_id} ({m.status})' for m in moving)
        yield say(
            f'counts members of the anti-affinity group {group.name} '
            f'that move there or from there: {listed}',
            'openstack server migration list --host {destination}',
            group=group.id,
            members=sorted(counted),
        )
    elif _is_unlocated(group, candidate):
        yield checks.unknown(
            f'whether members of the anti-affinity group {group.name} '
            'are there is unknown',
            exceptions.ASK_ADMIN,
            group=group.id,
        )


def _others_on(
    group: model.ServerGroup, host: str, server: model.Server
) -> list[str]:
    """Return the ids of the other members on a host."""
    return sorted(m for m in group.members_on(host) if m != server.id)


def _moving(
    group: model.ServerGroup, host: str, candidate: checks.Candidate
) -> list[model.Migration]:
    """Return the migrations of other members to or from a host, not ended.

    An unconfirmed cold migration has not ended for its source either.
    """
    return [
        record
        for record in candidate.snapshot.unended_migrations
        if host in (record.source_compute, record.dest_compute)
        and record.server_id in group.members
        and record.server_id != candidate.server.id
    ]


def _is_unlocated(
    group: model.ServerGroup, candidate: checks.Candidate
) -> bool:
    """Whether a member is on a host that the caller may not see.

    To an administrator, a member without a host is on none.
    """
    return (
        None in group.members.values()
        and 'admin' not in candidate.snapshot.roles
    )
