# SPDX-License-Identifier: Apache-2.0
"""Checks of the server itself: its state, and what is being done to it."""

from collections.abc import Iterator
import datetime

from osc_migrate import checks
from osc_migrate import exceptions
from osc_migrate import model

# nova.compute.power_state
_RUNNING, _PAUSED = 1, 3
# nova.compute.api: live_migrate, resize and evacuate
_MOVABLE = {
    model.MigrationType.LIVE: ('active', 'paused'),
    model.MigrationType.COLD: ('active', 'stopped'),
    model.MigrationType.EVACUATE: ('active', 'stopped', 'error'),
}
# What other checks speak of.
_ELSEWHERE = ('building', 'error', 'resized')
_ADVICE = {
    'suspended': 'openstack server resume {server}',
    'rescued': 'openstack server unrescue {server}',
    'paused': 'openstack server unpause {server}',
    'shelved': 'openstack server shelve --offload {server}',
    'soft-delete': 'openstack server restore {server}',
    'stopped': 'openstack server migrate {server}',
}
_FAILED = ('error', 'failed', 'cancelled')
# Nova saves the record of a migration that really runs every few seconds.
_ORPHANED_AFTER = datetime.timedelta(minutes=10)


@checks.server_check('server-state')
def state(candidate: checks.Candidate) -> Iterator[checks.Draft]:
    """The server must be in a state that can be moved this way.

    A live migration takes active and paused servers, a cold one active and
    stopped ones, an evacuation active, stopped and broken ones, and each of
    them only a server that has been launched. Nova answers 409 to anything
    else (``live_migrate``, ``resize`` and ``evacuate`` in
    ``nova/compute/api.py``).

    What to do: resume or unrescue it, which is its owner's to decide. A
    shelved one holds its place on the host until it is offloaded. Or leave it
    (``drain --partial``). On a dead host none of this works, but a server that
    is called broken (``server set --state error``) can be evacuated.
    """
    server = candidate.server
    if server.vm_state is None:
        yield checks.unknown(
            f'is {server.status}: its cell does not answer, or the caller '
            'may not see its state',
            'openstack server show {server}',
        )
        return
    if server.vm_state in _ELSEWHERE:
        return
    evidence = {'status': server.status, 'vm_state': server.vm_state}
    if server.vm_state == 'shelved_offloaded':
        yield checks.error('is on no host, so nothing moves', **evidence)
    elif server.vm_state not in _MOVABLE[candidate.migration_type]:
        yield checks.error(
            f'is {server.status}, which Nova does not '
            f'{_verb(candidate.migration_type)}',
            _advice(candidate),
            **evidence,
        )
    elif server.launched_at is None:
        yield checks.error(
            f'is {server.status}, but has never been launched',
            'openstack server event list {server}',
            **evidence,
        )


def _advice(candidate: checks.Candidate) -> str:
    """Say what brings the server into a state that can be moved."""
    _, is_down = _source(candidate)
    if not is_down:
        return _ADVICE.get(candidate.server.vm_state or '', '')
    if candidate.migration_type is model.MigrationType.EVACUATE:
        return 'openstack server set --state error {server}'
    return ''


@checks.server_check('server-error')
def broken(candidate: checks.Candidate) -> Iterator[checks.Draft]:
    """A server in ERROR must be repaired first.

    Nova moves it neither live nor cold, it only evacuates it from a dead host.
    Since 2025.2 a live migration that fails or is aborted leaves the server in
    ERROR although its guest goes on running on the source
    (``_do_live_migration`` in ``nova/compute/manager.py``).

    What to do: if its guest runs, reset its state (``openstack server set
    --state active``); any other ERROR needs somebody to look at its fault.
    """
    server = candidate.server
    if (
        server.vm_state != 'error'
        or candidate.migration_type is model.MigrationType.EVACUATE
    ):
        return
    why = f': {server.fault}' if server.fault else ''
    look = 'openstack server show {server}'
    reset = 'openstack server set --state active {server}'
    if server.power_state != _RUNNING:
        yield checks.error(f'is in ERROR{why}', look, fault=server.fault)
        return
    ended = _last_migration(candidate)
    if ended is None:
        yield checks.error(
            f'is in ERROR{why}, but its guest runs',
            f'{look}; if all is well: {reset}',
            fault=server.fault,
        )
    else:
        yield checks.error(
            f'is in ERROR since the {ended.migration_type} {ended.uuid} to '
            f'{ended.dest_compute} ended ({ended.status}), but its guest '
            f'runs on {server.host}',
            reset,
            fault=server.fault,
            migration=ended.uuid,
        )


@checks.server_check('server-resize')
def resized(candidate: checks.Candidate) -> Iterator[checks.Draft]:
    """A resize or a cold migration must be confirmed or reverted first.

    Until then the server (VERIFY_RESIZE) holds a place on two hosts and Nova
    moves it in no way (``nova/compute/api.py``). ``resize_confirm_window``
    in nova.conf can confirm by itself, but no API tells whether it does.

    What to do: ask whoever began it, then confirm or revert it (``openstack
    server resize confirm``).
    """
    if candidate.server.vm_state == 'resized':
        yield checks.error(
            'waits for the confirmation of a resize or cold migration',
            'openstack server migration confirm {server}',
            status=candidate.server.status,
        )


@checks.server_check('server-task')
def task(candidate: checks.Candidate) -> Iterator[checks.Draft]:
    """Nothing else may be under way with the server.

    While ``task_state`` is set, or the server is still being built, Nova
    answers 409 to a migration (``check_instance_state`` in
    ``nova/compute/api.py``). It passes by itself, as a rule. An evacuation
    does not ask.

    What to do: wait, as a drain does by itself.
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


@checks.server_check('server-migration')
def migration(candidate: checks.Candidate) -> Iterator[checks.Draft]:
    """No record of an earlier migration may be left in progress.

    A nova-compute that is killed leaves the records of its migrations as
    they were (``_init_instance`` in ``nova/compute/manager.py``), and with
    them, often, allocations in Placement and inactive port bindings on the
    destination. They do not stop the next migration but may make it fail.

    What to do: see whether it really runs (``openstack server migration
    watch``). What a dead nova-compute left is put right by hand: see the
    bindings of its ports, and ``nova-manage placement audit``.
    """
    server = candidate.server
    is_evacuation = candidate.migration_type is model.MigrationType.EVACUATE
    if is_evacuation or server.task_state is not None:
        return
    for record in candidate.snapshot.unended_migrations:
        if record.server_id != server.id or record.status == 'finished':
            continue
        where = f'{record.source_compute} to {record.dest_compute}'
        what = f'{record.migration_type} {record.uuid} ({where})'
        evidence = {'migration': record.uuid, 'status': record.status}
        if _age(record, candidate.snapshot) > _ORPHANED_AFTER:
            yield checks.warning(
                f'its {what} is still {record.status} since '
                f'{record.updated_at}, though nothing is under way: a '
                'nova-compute died',
                f'openstack resource provider allocation show {record.uuid}',
                **evidence,
            )
        else:
            yield checks.wait(
                f'its {what} is {record.status}: it begins or ends just now',
                'openstack server migration list --server {server}',
                **evidence,
            )


@checks.server_check('server-power')
def power(candidate: checks.Candidate) -> Iterator[checks.Draft]:
    """The guest of a server that moves live must really run.

    Nova's conductor refuses a live migration when ``power_state`` is neither
    running nor paused (``_check_instance_is_active`` in
    ``nova/conductor/tasks/live_migrate.py``), even if the server is ACTIVE:
    the guest has stopped and Nova has not noticed yet.

    What to do: stop it, so that Nova knows, and move it cold; or start it
    again.
    """
    server = candidate.server
    if not candidate.is_live or server.vm_state not in ('active', 'paused'):
        return
    if server.power_state is None:
        yield checks.unknown(
            'whether its guest runs is unknown',
            'openstack server show {server}',
        )
    elif server.power_state not in (_RUNNING, _PAUSED):
        yield checks.error(
            f'is {server.status}, but its guest does not run '
            f'(power_state {server.power_state})',
            'openstack server stop {server}',
            power_state=server.power_state,
        )


@checks.server_check('server-downtime')
def downtime(candidate: checks.Candidate) -> Iterator[checks.Draft]:
    """A cold migration stops a running guest, an evacuation leaves it off.

    For a cold migration Nova powers the guest off, moves it, and starts it
    on the destination (``_finish_resize`` in ``nova/compute/manager.py``). A
    stopped server stays stopped, so nothing is lost. An evacuated server is
    left stopped since microversion 2.95.

    What to do: agree on a time with its owner. With ``--method live`` it
    rather stays than stops.
    """
    if candidate.server.vm_state != 'active':
        return
    if candidate.migration_type is model.MigrationType.COLD:
        yield checks.warning('will be powered off while it moves')
    elif candidate.migration_type is model.MigrationType.EVACUATE:
        yield checks.warning(
            'will be stopped on its new host',
            'openstack server start {server}',
        )


@checks.server_check('server-source-down')
def source_down(candidate: checks.Candidate) -> Iterator[checks.Draft]:
    """The compute service of the source must work for the server to leave.

    Nova refuses a live and a cold migration from a host whose service is down;
    only an evacuation takes servers from a dead host, and refuses while the
    service is up (``check_instance_host`` and ``evacuate`` in
    ``nova/compute/api.py``, ``_check_host_is_up`` in
    ``nova/conductor/tasks/live_migrate.py``).

    What to do: start nova-compute; or fence the host and evacuate. Never
    evacuate from a host that is not fenced: a guest that runs twice destroys
    its disks.
    """
    if candidate.server.vm_state == 'shelved_offloaded':
        return
    name, is_down = _source(candidate)
    is_evacuation = candidate.migration_type is model.MigrationType.EVACUATE
    if is_down is None:
        yield checks.unknown(
            'whether the compute service of its host is up is unknown',
            exceptions.ASK_ADMIN,
        )
    elif is_down and not is_evacuation:
        yield checks.error(
            f'the compute service of {name} is down',
            f'start nova-compute on {name}, or fence the host and '
            f'evacuate: openstack compute drain {name} --evacuate --fenced',
            host=name,
        )
    elif is_evacuation and not is_down:
        yield checks.error(
            f'the compute service of {name} is up, so nothing can be '
            'evacuated',
            f'openstack compute drain {name}',
            host=name,
        )


def _source(candidate: checks.Candidate) -> tuple[str, bool | None]:
    """Return the name of the server's host and whether its service is down."""
    source = candidate.source
    if source is not None:
        return source.name, source.state != 'up' or source.forced_down
    server = candidate.server
    # the caller may not list services, but perhaps see this (2.16)
    is_down = {'UP': False, 'MAINTENANCE': False, 'DOWN': True}.get(
        server.host_status or ''
    )
    return server.host or 'its host', is_down


def _verb(way: model.MigrationType) -> str:
    if way is model.MigrationType.EVACUATE:
        return 'evacuate'
    return f'{way}-migrate'


def _last_migration(candidate: checks.Candidate) -> model.Migration | None:
    """Return the server's newest record if it failed and left it here."""
    records = [
        record
        for record in candidate.snapshot.migrations or ()
        if record.server_id == candidate.server.id
    ]
    newest = max(records, key=lambda record: record.id, default=None)
    if (
        newest is not None
        and newest.status in _FAILED
        and newest.source_compute == candidate.server.host
    ):
        return newest
    return None


def _age(
    record: model.Migration, snapshot: model.Snapshot
) -> datetime.timedelta:
    """Return how long before the snapshot Nova last touched a record."""
    touched = _moment(record.updated_at or record.created_at)
    return _moment(snapshot.taken_at) - touched


def _moment(text: str) -> datetime.datetime:
    """Read a time, which Nova writes without its zone."""
    moment = datetime.datetime.fromisoformat(text)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=datetime.UTC)
    return moment
