# SPDX-License-Identifier: Apache-2.0
"""Checks of what the caller may do, by the policy that Nova ships.

A deployment may have another policy; no API tells it. ``--ignore-check``
lowers what these checks say to a warning.
"""

from collections.abc import Iterator

from osc_migrate import checks
from osc_migrate import exceptions
from osc_migrate import model


@checks.server_check('server-policy')
def policy(candidate: checks.Candidate) -> Iterator[checks.Draft]:
    """The caller must be allowed to move servers.

    An administrator may everything. The manager of a project may migrate
    its servers live and cold, but not say where to, and may not evacuate;
    nobody else may do anything (``nova/policies/migrate_server.py``,
    ``nova/policies/evacuate.py``).

    What to do: ask an administrator, or get the role manager in the project.
    """
    roles = candidate.snapshot.roles
    if not roles or 'admin' in roles:
        return
    held = ', '.join(sorted(roles))
    is_evacuation = candidate.migration_type is model.MigrationType.EVACUATE
    if 'manager' in roles and not is_evacuation:
        yield checks.warning(
            'may be moved by a project manager, but Nova chooses the '
            'destination: naming one needs the role admin',
            exceptions.ASK_ADMIN,
            roles=sorted(roles),
        )
    else:
        needed = 'admin' if is_evacuation else 'manager or admin'
        yield checks.error(
            f'needs the role {needed}, the caller has {held}',
            exceptions.ASK_ADMIN,
            roles=sorted(roles),
        )


@checks.server_check('server-lock')
def lock(candidate: checks.Candidate) -> Iterator[checks.Draft]:
    """Only an administrator may move a locked server.

    Nova answers 409 to everybody else (``check_instance_lock`` in
    ``nova/compute/api.py``); for an administrator the lock is no obstacle,
    nor is it for an evacuation.

    What to do: act as an administrator, or ask whoever locked it (``openstack
    server unlock``).
    """
    server = candidate.server
    is_evacuation = candidate.migration_type is model.MigrationType.EVACUATE
    if not server.locked or is_evacuation:
        return
    why = f' ({server.locked_reason})' if server.locked_reason else ''
    roles = candidate.snapshot.roles
    unlock = 'openstack server unlock {server}'
    if 'admin' in roles:
        yield checks.info(f'is locked{why}; an administrator may move it')
    elif roles:
        yield checks.error(
            f'is locked{why}, and the caller is no administrator', unlock
        )
    else:
        yield checks.unknown(
            f'is locked{why}, and the roles of the caller are unknown', unlock
        )
