# SPDX-License-Identifier: Apache-2.0
"""How a move ends, or does not: pure, like the rest of the machine.

What a migration record says of its end is only the first of four facts. The
server is looked at before anything is called done, failed, or tried again.
"""

import dataclasses

from osc_migrate import model
from osc_migrate.task import Action
from osc_migrate.task import Phase
from osc_migrate.task import Policy
from osc_migrate.task import Request
from osc_migrate.task import Sight
from osc_migrate.task import Step
from osc_migrate.task import Task
from osc_migrate.task import end
from osc_migrate.task import look
from osc_migrate.task import to

# nova.compute.power_state: running, paused
ALIVE = {1: 'active', 3: 'paused'}
# a nova-compute that is restarted takes the task off its servers, but leaves
# the records of what was queued or prepared (_reset_live_migration)
FORGOTTEN = (
    'Nova has forgotten its migration: its record is in progress, but the '
    'server has no task; a nova-compute was restarted'
)
# seconds for which a server without a task may only just have lost it
_FORGETTING = 30.0
# seconds before what Nova did not take is asked for again
_RETRY = 10.0


def to_confirm(
    task: Task, sight: Sight | None, now: float, policy: Policy
) -> Step:
    """A cold migration waits for its confirmation: look, then confirm."""
    if not task.is_ours:
        return (
            end(
                task,
                Phase.FAILED,
                'somebody else moved it and has not confirmed that yet',
                f'openstack server migration confirm {task.server_id}',
                now=now,
            ),
            None,
        )
    if task.phase not in (Phase.CONFIRMING, Phase.STUCK):
        task = to(task, Phase.TO_CONFIRM, now)
    if sight is None:
        return task, look(task)
    assert task.record is not None
    if task.phase is not Phase.STUCK and (
        now - task.since > policy.deadlines.confirming
    ):
        reason = task.reason or f'is {sight.status}: not confirmed'
        remedy = f'openstack server migration confirm {task.server_id}'
        return end(task, Phase.STUCK, reason, remedy, now=now), None
    is_ready = (
        sight.status == 'VERIFY_RESIZE'
        and sight.task_state is None
        and sight.host == task.record.dest_compute
    )
    if not is_ready or now < task.not_before:
        return task, None
    task = dataclasses.replace(
        to(task, Phase.CONFIRMING, now), not_before=now + _RETRY
    )
    return task, Request(action=Action.CONFIRM, server_id=task.server_id)


def idle(task: Task, sight: Sight | None, now: float) -> tuple[Task, bool]:
    """Note since when nothing is done for a migration in progress.

    :return: the task, and whether two looks apart have shown it so
    """
    if sight is None or not task.is_ours:
        return task, False
    if sight.task_state is not None or sight.host != task.move.source:
        return dataclasses.replace(task, idle=None), False
    since = task.idle if task.idle is not None else now
    task = dataclasses.replace(task, idle=since)
    return task, now - since >= _FORGETTING


def well(task: Task, sight: Sight | None, now: float, policy: Policy) -> Step:
    """The record says that it ended well: see whether the server agrees."""
    if sight is None:
        return task, look(task)
    assert task.record is not None
    if (
        sight.host == task.record.dest_compute
        and sight.task_state is None
        and sight.status not in ('ERROR', 'VERIFY_RESIZE')
    ):
        return end(task, Phase.DONE, '', now=now), None
    reason = (
        f'Nova says {task.record.status}, but the server is {sight.status} '
        f'on {sight.host}'
    )
    if task.phase is not Phase.STUCK:
        task = to(task, Phase.FINISHING, now)
    if sight.status == 'ERROR' and sight.task_state is None:
        if now - task.since < policy.deadlines.settle:
            return task, None
        if sight.fault:
            reason += f': {sight.fault}'
        return _left(task, reason, now), None
    if now - task.since > policy.deadlines.finishing:
        remedy = f'openstack server show {task.server_id}'
        return end(task, Phase.STUCK, reason, remedy, now=now), None
    return task, None


def badly(task: Task, sight: Sight | None, now: float, policy: Policy) -> Step:
    """The record says that it failed: see what has become of the server."""
    if sight is None:
        return task, look(task)
    assert task.record is not None
    if task.phase is Phase.RESETTING:
        return _resetting(task, sight, now, policy)
    if task.phase is not Phase.FINISHING:
        return to(task, Phase.FINISHING, now), None
    if sight.task_state is not None:
        if now - task.since > policy.deadlines.finishing:
            reason = f'{_why(task)}, and it is still {sight.task_state}'
            remedy = f'openstack server show {task.server_id}'
            return end(task, Phase.STUCK, reason, remedy, now=now), None
        return task, None
    if now - task.since < policy.deadlines.settle:
        return task, None
    if sight.host != task.move.source or sight.status == 'VERIFY_RESIZE':
        reason = f'{_why(task)}, and it is {sight.status} on {sight.host}'
        if sight.fault:
            reason += f': {sight.fault}'
        return _left(task, reason, now), None
    way = task.move.migration_type
    if sight.status != 'ERROR' or way is model.MigrationType.EVACUATE:
        return try_again(task, _why(task), now, policy)
    reason = f'{_why(task)}, and Nova left it in ERROR'
    is_alive = sight.power_state in ALIVE and task.was in ('active', 'paused')
    if not is_alive:
        return _left(task, f'{reason}: {sight.fault or "no fault"}', now), None
    reason += f' while its guest runs on {sight.host}'
    remedy = f'openstack server set --state active {task.server_id}'
    if not policy.reset_state:
        return end(task, Phase.FAILED, reason, remedy, now=now), None
    task = dataclasses.replace(
        to(task, Phase.RESETTING, now), reason=reason, remedy=remedy
    )
    return _reset(task, now)


def _reset(task: Task, now: float) -> Step:
    """Ask Nova to call the server active again."""
    return dataclasses.replace(task, not_before=now + _RETRY), Request(
        action=Action.RESET_STATE, server_id=task.server_id
    )


def _resetting(task: Task, sight: Sight, now: float, policy: Policy) -> Step:
    """Wait until the server is again what it was, then go on."""
    if sight.task_state is None and sight.vm_state == task.was:
        return try_again(task, _why(task), now, policy)
    if now - task.since > policy.deadlines.resetting:
        return end(task, Phase.FAILED, task.reason, task.remedy, now=now), None
    if sight.vm_state == 'active' and sight.task_state is None:
        # Nova can reset to active only; the guest itself is still paused
        return task, Request(action=Action.PAUSE, server_id=task.server_id)
    if sight.vm_state == 'error' and now >= task.not_before:
        return _reset(task, now)
    return task, None


def _left(task: Task, reason: str, now: float) -> Task:
    """The server is not where or what it should be: that wants a human."""
    remedy = f'openstack server show {task.server_id} -c fault -c status'
    return end(task, Phase.FAILED, reason, remedy, now=now)


def _why(task: Task) -> str:
    """Say how the migration ended, and whose doing it was."""
    assert task.record is not None
    if task.aborted:
        return f'was aborted ({task.aborted})'
    to = task.destination or "a host of Nova's choice"
    return f'the migration to {to} ended: {task.record.status}'


def try_again(task: Task, reason: str, now: float, policy: Policy) -> Step:
    """Go on to the next destination, then to cold if that is allowed."""
    record = task.record
    is_cancelled = record is not None and record.status == 'cancelled'
    if is_cancelled and not task.aborted:
        reason = 'somebody else aborted its migration'
        return end(task, Phase.FAILED, reason, now=now), None
    move = task.move
    tries = task.tries
    most = min(policy.stalls, policy.tries) if task.aborted else policy.tries
    if tries >= most:
        is_stoppable = task.was == 'active' and policy.allow_cold
        if move.migration_type is not model.MigrationType.LIVE or (
            not is_stoppable
        ):
            remedy = f'openstack server migration preflight {task.server_id}'
            said = dict.fromkeys((*task.attempts, reason))
            reason = '; then '.join(said)
            return end(task, Phase.FAILED, reason, remedy, now=now), None
        tries = 0
        move = dataclasses.replace(
            move, migration_type=model.MigrationType.COLD
        )
    refused = task.refused | ({task.destination or ''} - {''})
    return (
        dataclasses.replace(
            to(task, Phase.PENDING, now),
            move=dataclasses.replace(move, destination=None),
            tries=tries,
            refused=refused,
            attempts=(*task.attempts, reason),
            reason=reason,
        ),
        None,
    )
