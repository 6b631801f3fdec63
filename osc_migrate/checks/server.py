# SPDX-License-Identifier: Apache-2.0
"""Checks of the server itself: its state, and what is being done to it."""

from collections.abc import Iterator

from osc_migrate import checks
from osc_migrate import model

# nova.compute.power_state
_RUNNING, _PAUSED = 1, 3
# nova.compute.api: live_migrate and resize
_MOVABLE = {
    model.MigrationType.LIVE: ('active', 'paused'),
    model.MigrationType.COLD: ('active', 'stopped'),
    model.MigrationType.EVACUATE: ('active', 'stopped', 'error'),
}
_ADVICE = {
    'suspended': 'openstack server resume {server}',
    'rescued': 'openstack server unrescue {server}',
    'paused': 'openstack server unpause {server}',
    'resized': 'openstack server migration confirm {server}',
    'shelved': 'openstack server unshelve {server}',
    'soft-delete': 'openstack server restore {server}',
    'error': 'openstack server show {server} -c fault',
    'stopped': 'openstack server start {server}',
}


@checks.server_check('server-state')
def state(candidate: checks.Candidate) -> Iterator[checks.Draft]:
    """The server must be in a state that can be moved this way.

    A live migration takes active and paused servers, a cold one active and
    stopped ones, an evacuation active, stopped and broken ones. Nova answers
    409 to anything else (``nova/compute/api.py``: ``live_migrate``,
    ``resize``, ``evacuate``). Only its owner can bring a suspended or rescued
    server back; an unconfirmed resize must be confirmed or reverted first.
    """
    server = candidate.server
    if server.vm_state is None or server.vm_state == 'building':
        return
    if server.vm_state not in _MOVABLE[candidate.migration_type]:
        way = candidate.migration_type
        yield checks.error(
            f'is {server.status}, which Nova does not {_verb(way)}',
            _ADVICE.get(server.vm_state, ''),
            status=server.status,
            vm_state=server.vm_state,
        )


@checks.server_check('server-task')
def task(candidate: checks.Candidate) -> Iterator[checks.Draft]:
    """Nothing else may be under way with the server.

    While ``task_state`` is set, or the server is still being built, Nova
    answers 409 to a migration. It passes by itself, as a rule.
    """
    server = candidate.server
    if candidate.migration_type is model.MigrationType.EVACUATE:
        return
    doing = server.task_state
    if doing is None and server.vm_state == 'building':
        doing = 'building'
    if doing is not None:
        yield checks.wait(
            f'is busy: {doing}',
            'openstack server event list {server}',
            task_state=doing,
        )


@checks.server_check('server-power')
def power(candidate: checks.Candidate) -> Iterator[checks.Draft]:
    """The guest of a server that moves live must really run.

    Nova's conductor refuses a live migration when ``power_state`` is neither
    running nor paused (``nova/conductor/tasks/live_migrate.py``), even if the
    server is ACTIVE: the guest stopped and Nova has not noticed yet.
    """
    server = candidate.server
    if not candidate.is_live or server.vm_state not in ('active', 'paused'):
        return
    if server.power_state not in (None, _RUNNING, _PAUSED):
        yield checks.error(
            f'is {server.status}, but its guest does not run '
            f'(power_state {server.power_state})',
            'openstack server stop {server}',
            power_state=server.power_state,
        )


@checks.server_check('server-lock')
def lock(candidate: checks.Candidate) -> Iterator[checks.Draft]:
    """Only an administrator may move a locked server.

    Nova answers 409 to everybody else (``check_instance_lock`` in
    ``nova/compute/api.py``); for an administrator the lock is no obstacle.
    """
    server = candidate.server
    if not server.locked:
        return
    why = f' ({server.locked_reason})' if server.locked_reason else ''
    if 'admin' in candidate.snapshot.roles:
        yield checks.info(f'is locked{why}; an administrator may move it')
    else:
        yield checks.error(
            f'is locked{why}, and the caller is no administrator',
            'openstack server unlock {server}',
        )


@checks.server_check('server-downtime')
def downtime(candidate: checks.Candidate) -> Iterator[checks.Draft]:
    """A cold migration stops a running guest.

    Nova powers the guest off, moves it, and starts it on the destination.
    A stopped server stays stopped, so nothing is lost there.
    """
    if candidate.migration_type is not model.MigrationType.COLD:
        return
    if candidate.server.vm_state == 'active':
        yield checks.warning('will be powered off while it moves')


@checks.server_check('server-source-down')
def source_down(candidate: checks.Candidate) -> Iterator[checks.Draft]:
    """The compute service of the source must work for the server to leave.

    Nova refuses a live and a cold migration from a host whose service is
    down; only an evacuation takes servers from a dead host, and refuses
    while the service is up (``check_instance_host`` and ``evacuate`` in
    ``nova/compute/api.py``).
    """
    source = candidate.source
    if source is None:
        return
    is_dead = source.state != 'up' or source.forced_down
    is_evacuation = candidate.migration_type is model.MigrationType.EVACUATE
    if is_dead and not is_evacuation:
        yield checks.error(
            f'the compute service of {source.name} is down',
            f'start nova-compute on {source.name}, or fence the host and '
            f'evacuate: openstack compute drain {source.name} --evacuate '
            '--fenced',
            updated_at=source.updated_at,
        )
    elif is_evacuation and not is_dead:
        yield checks.error(
            f'the compute service of {source.name} is up, so nothing can be '
            'evacuated',
            f'openstack compute drain {source.name}',
        )


def _verb(way: model.MigrationType) -> str:
    if way is model.MigrationType.EVACUATE:
        return 'evacuate'
    return f'{way}-migrate'
