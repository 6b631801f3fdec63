# SPDX-License-Identifier: Apache-2.0
"""The whole life of one move, as a pure function of what is seen.

:func:`advance` takes a task, an observation and the time, and returns the
task as it is now and what to ask of Nova, if anything. When it must see the
server and the observation has only the migration record, it asks for a look.
Success takes four facts: the record is completed (or confirmed), the server
is on the record's destination, it has no task, and it is not in ERROR.
"""

from collections.abc import Iterable
import dataclasses

from osc_migrate import model
from osc_migrate import progress
from osc_migrate import settle
from osc_migrate import stall
from osc_migrate.task import TERMINAL_RECORDS
from osc_migrate.task import Action
from osc_migrate.task import Answer
from osc_migrate.task import Observation
from osc_migrate.task import Phase
from osc_migrate.task import Policy
from osc_migrate.task import Request
from osc_migrate.task import Sight
from osc_migrate.task import Step
from osc_migrate.task import Task
from osc_migrate.task import end
from osc_migrate.task import look
from osc_migrate.task import to

_START = {
    model.MigrationType.LIVE: Action.LIVE_MIGRATE,
    model.MigrationType.COLD: Action.COLD_MIGRATE,
    model.MigrationType.EVACUATE: Action.EVACUATE,
}
_PHASES = {
    'accepted': Phase.QUEUED,
    'queued': Phase.QUEUED,
    'pre-migrating': Phase.PREPARING,
    'preparing': Phase.PREPARING,
    'migrating': Phase.RUNNING,
    'running': Phase.RUNNING,
    'running (post-copy)': Phase.POST_COPY,
    'post-migrating': Phase.FINISHING,
    'finished': Phase.TO_CONFIRM,
    'confirming': Phase.CONFIRMING,
    'reverting': Phase.FINISHING,
}
# nova.compute.api: live_migrate and resize, or evacuate
_MOVABLE = {
    False: ('active', 'paused', 'stopped'),
    True: ('active', 'stopped', 'error'),
}
# of the tasks of a server: of a live or cold migration, an evacuation
_MOVING = ('migrating', 'resize_', 'rebuild')
# seconds after which even a quiet migration's server is looked at
_LOOK_AGAIN = 30.0
_RETRY = 5.0
# a conflict that does not pass is not asked for so often
_LONGEST_RETRY = 60.0


def advance(task: Task, seen: Observation, now: float, policy: Policy) -> Step:
    """Take one step with a move that was asked for.

    :param seen: ``record`` counts only if it is newer than the baseline
    :param now: seconds of a clock that only goes forward
    """
    if not task.phase.holds_slot:
        return task, None
    if seen.sight is not None:
        # a migration that we did not begin shows what the server was before
        was = task.was or seen.sight.vm_state
        task = dataclasses.replace(task, looked=now, was=was)
        if not seen.sight.exists:
            return end(task, Phase.SKIPPED, 'was deleted', now=now), None
    record = seen.record
    if record is None or record.id <= task.baseline:
        return _asked(task, seen.sight, now, policy)
    if task.is_ours and not _is_own(task, record):
        return _overtaken(task, seen.sight, record, now)
    task = _with_record(task, record, now)
    if record.status in ('completed', 'done', 'confirmed'):
        return settle.well(task, seen.sight, now, policy)
    if record.status in TERMINAL_RECORDS:
        return settle.badly(task, seen.sight, now, policy)
    return _under_way(task, seen.sight, now, policy)


def start(task: Task, seen: Observation, now: float, policy: Policy) -> Step:
    """Ask for a pending move, unless what is seen speaks against it.

    :param seen: the server, and its newest migration record of any age
    """
    sight = seen.sight
    assert sight is not None
    if not sight.exists:
        return end(task, Phase.SKIPPED, 'was deleted', now=now), None
    if sight.host != task.move.source:
        reason = f'is on {sight.host} already; somebody else moved it'
        return end(task, Phase.SKIPPED, reason, now=now), None
    if task.put_off > policy.deadlines.busy:
        reason = f'could not begin for {task.put_off:.0f} s: {task.reason}'
        return _untaken(task, reason, now), None
    record = seen.record
    is_evacuation = task.move.migration_type is model.MigrationType.EVACUATE
    if sight.task_state is not None and not is_evacuation:
        is_moving = sight.task_state.startswith(_MOVING)
        if is_moving and record and record.status not in TERMINAL_RECORDS:
            return _attach(task, sight, record, now), None
        return put_off(task, f'busy: {sight.task_state}', now), None
    task = _adapt(task, sight, policy)
    if sight.vm_state not in _MOVABLE[is_evacuation]:
        reason = f'is {sight.status} now'
        return end(task, Phase.FAILED, reason, now=now), None
    return _ask(task, sight, record, now)


def _ask(
    task: Task, sight: Sight, record: model.Migration | None, now: float
) -> Step:
    """Ask for a move, and remember what there was before."""
    task = dataclasses.replace(
        to(task, Phase.ASKED, now),
        started=now if task.started is None else task.started,
        looked=now,
        was=task.was or sight.vm_state,
        baseline=record.id if record else 0,
        tries=task.tries + 1,
        is_sure=False,
        is_ours=True,
        is_forced=False,
        idle=None,
        aborted='',
        record=None,
        samples=(),
        progress=None,
        reason='',
        remedy='',
    )
    return task, Request(
        action=_START[task.move.migration_type],
        server_id=task.server_id,
        destination=task.move.destination,
    )


def answered(task: Task, request: Request, answer: Answer, now: float) -> Task:
    """Take note of what Nova answered to a request."""
    if answer.request_id:
        task = dataclasses.replace(
            task, request_ids=(*task.request_ids, answer.request_id)
        )
    if answer.is_accepted:
        return dataclasses.replace(task, is_sure=True, put_off=0)
    if not answer.is_refused:
        return dataclasses.replace(task, reason=answer.message)
    if request.action in _START.values():
        return _refused(task, answer, now)
    if request.action is Action.FORCE_COMPLETE:
        # it has perhaps just ended, or the guest is paused: go on watching
        return dataclasses.replace(
            task, not_before=now + _LONGEST_RETRY, reason=answer.message
        )
    if request.action is Action.RESET_STATE:
        return end(
            task,
            Phase.FAILED,
            f'{task.reason}; its state could not be reset: {answer.message}',
            f'openstack server set --state active {task.server_id}',
            now=now,
        )
    return dataclasses.replace(task, reason=answer.message)


def told(task: Task) -> Task:
    """Keep what was found out about a try that failed for the next one."""
    if task.phase is not Phase.PENDING or not task.attempts:
        return task
    return dataclasses.replace(
        task, attempts=(*task.attempts[:-1], task.reason)
    )


def commanded(task: Task, action: Action, now: float) -> Task:
    """Take note of an abort or a force-complete that somebody ordered."""
    if action is Action.ABORT:
        why = 'ordered by the operator'
        return dataclasses.replace(to(task, Phase.ABORTING, now), aborted=why)
    return dataclasses.replace(task, is_forced=True)


def put_off(
    task: Task, reason: str, now: float, seconds: float = _RETRY
) -> Task:
    """Wait with a move that Nova does not take now."""
    return dataclasses.replace(
        to(task, Phase.PENDING, now),
        not_before=now + seconds,
        put_off=task.put_off + seconds,
        reason=reason,
    )


def _untaken(task: Task, reason: str, now: float) -> Task:
    """Nova does not take a move."""
    remedy = f'openstack server migration preflight {task.server_id}'
    return end(task, Phase.FAILED, reason, remedy, now=now)


def _adapt(task: Task, sight: Sight, policy: Policy) -> Task:
    """Change the way when the owner stopped or started the server."""
    way = task.move.migration_type
    live = ('paused',) if policy.allow_cold else ('paused', 'active')
    if way is model.MigrationType.LIVE and sight.vm_state == 'stopped':
        way = model.MigrationType.COLD
    elif way is model.MigrationType.COLD and sight.vm_state in live:
        way = model.MigrationType.LIVE
    return dataclasses.replace(
        task, move=dataclasses.replace(task.move, migration_type=way)
    )


def attach(
    record: model.Migration, *, name: str, memory_mb: int, is_ours: bool
) -> Task:
    """Make a task of a migration that was asked for before.

    :param is_ours: whether we may confirm it if it is a cold one
    """
    way = _way(record)
    return Task(
        move=model.Move(
            server_id=record.server_id,
            source=record.source_compute or '',
            destination=record.dest_compute,
            migration_type=way,
        ),
        name=name,
        memory_mb=memory_mb,
        phase=Phase.ASKED,
        baseline=record.id - 1,
        is_ours=is_ours,
    )


def _way(record: model.Migration) -> model.MigrationType:
    return {
        'live-migration': model.MigrationType.LIVE,
        'evacuation': model.MigrationType.EVACUATE,
    }.get(record.migration_type, model.MigrationType.COLD)


def with_history(
    task: Task, records: Iterable[model.Migration], since: str
) -> Task:
    """Count what failed since a drain began as tries of this task."""
    failed = [
        record
        for record in records
        if record.created_at >= since.removesuffix('Z')
        and record.source_compute == task.move.source
        and record.status in ('failed', 'error')
        and _way(record) is task.move.migration_type
    ]
    hosts = {record.dest_compute or '' for record in failed} - {''}
    return dataclasses.replace(
        task, tries=len(failed), refused=task.refused | hosts
    )


def _attach(
    task: Task, sight: Sight, record: model.Migration, now: float
) -> Task:
    """Follow a migration that somebody began since we planned ours."""
    found = attach(
        record, name=task.name, memory_mb=task.memory_mb, is_ours=False
    )
    return dataclasses.replace(
        found,
        since=now,
        started=now if task.started is None else task.started,
        looked=now,
        was=task.was or sight.vm_state,
        tries=task.tries,
        refused=task.refused,
        groups=task.groups,
        has_local_disks=task.has_local_disks,
        attempts=task.attempts,
        request_ids=task.request_ids,
        entered=task.entered,
    )


def _is_own(task: Task, record: model.Migration) -> bool:
    """Whether a record can be that of the move that we asked for."""
    return (
        _way(record) is task.move.migration_type
        and record.migration_type != 'resize'
        and record.source_compute == task.move.source
        and (task.record is None or task.record.id == record.id)
    )


def _overtaken(
    task: Task, sight: Sight | None, record: model.Migration, now: float
) -> Step:
    """Ours has ended unseen, or never began: there is one of another's."""
    if sight is None:
        return task, look(task)
    if record.source_compute == task.move.source:
        return _attach(task, sight, record, now), None
    phase = Phase.SKIPPED if task.record is None else Phase.DONE
    reason = f'was moved on by somebody else, and is on {sight.host}'
    return end(task, phase, reason, now=now), None


def _refused(task: Task, answer: Answer, now: float) -> Task:
    """Nova did not take the request for a move: nothing has happened."""
    if answer.status_code in (404, 409, 429):
        # gone, or busy with something else: look again before anything
        task = dataclasses.replace(task, tries=task.tries - 1)
        seconds = min(max(_RETRY, task.put_off), _LONGEST_RETRY)
        return put_off(task, answer.message, now, seconds)
    return _untaken(task, f'Nova refused: {answer.message}', now)


def _asked(
    task: Task, sight: Sight | None, now: float, policy: Policy
) -> Step:
    """Nova shows no migration of ours yet."""
    if sight is None:
        return task, look(task)
    waited = now - task.since
    if sight.task_state is not None:
        if waited > policy.deadlines.asked:
            reason = (
                f'Nova took the request {waited:.0f} s ago and has not begun'
            )
            remedy = 'openstack compute service list'
            return end(task, Phase.STUCK, reason, remedy, now=now), None
        return task, None
    if waited < policy.deadlines.lost:
        return task, None
    if sight.host != task.move.source:
        reason = f'is on {sight.host}, but Nova shows no migration of it'
        return end(task, Phase.SKIPPED, reason, now=now), None
    if not task.is_sure:
        answer = task.reason or 'no answer came'
        reason = f'{answer}, and Nova shows nothing of the request'
        task = dataclasses.replace(
            task, tries=task.tries - 1, put_off=task.put_off + waited
        )
        return put_off(task, reason, now, 0), None
    return settle.try_again(
        task, 'Nova took the request, but shows no migration', now, policy
    )


def _with_record(task: Task, record: model.Migration, now: float) -> Task:
    """Note what the record shows, and judge how the copy gets on."""
    samples = task.samples
    if record.status == 'running' and record.memory_total is not None:
        sample = progress.Sample(
            at=now,
            status=record.status,
            memory_total=record.memory_total,
            memory_processed=record.memory_processed,
            memory_remaining=record.memory_remaining,
            disk_total=record.disk_total,
            disk_processed=record.disk_processed,
            disk_remaining=record.disk_remaining,
        )
        samples = progress.distinct((*samples, sample))
    seen = task.progress
    if samples is not task.samples:
        seen = progress.judge(samples)
    return dataclasses.replace(
        task, record=record, samples=samples, progress=seen
    )


def _under_way(
    task: Task, sight: Sight | None, now: float, policy: Policy
) -> Step:
    assert task.record is not None
    phase = _PHASES.get(task.record.status, Phase.RUNNING)
    if phase is Phase.TO_CONFIRM:
        return settle.to_confirm(task, sight, now, policy)
    if task.phase not in (Phase.ABORTING, Phase.STUCK):
        task = to(task, phase, now)
    elif task.phase is Phase.STUCK and phase is Phase.RUNNING:
        return task, None
    if sight is None and now - (task.looked or 0) > _LOOK_AGAIN:
        return task, look(task)
    task, is_forgotten = settle.idle(task, sight, now)
    if is_forgotten:
        return settle.try_again(task, settle.FORGOTTEN, now, policy)
    return stall.act(task, now, policy)
