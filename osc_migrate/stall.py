# SPDX-License-Identifier: Apache-2.0
"""What to do with a migration that takes too long. Pure.

Each phase has its own deadline, and time in Nova's queue does not count
against the migration. A deadline of ours frees nothing: we ask Nova to abort,
and if Nova does not, the move is stuck and keeps its slot.
"""

import dataclasses

from osc_migrate import model
from osc_migrate import progress
from osc_migrate.task import Action
from osc_migrate.task import OnStall
from osc_migrate.task import Phase
from osc_migrate.task import Policy
from osc_migrate.task import Request
from osc_migrate.task import Step
from osc_migrate.task import Task
from osc_migrate.task import end
from osc_migrate.task import to

_GIB = 1024**3
# seconds before an abort that Nova did not take is asked for again
_RETRY = 10.0


def act(task: Task, now: float, policy: Policy) -> Step:
    """Escalate a move that is under way, if it is time to."""
    deadlines = policy.deadlines
    spent = now - task.since
    if task.phase is Phase.ABORTING:
        if spent > deadlines.aborting:
            return _stuck(task, 'Nova does not abort it', now), None
        if not task.is_sure and now >= task.not_before:
            # refused, or never heard of: to abort twice is no harm
            return abort(task, task.aborted, now)
        return task, None
    if task.phase is Phase.STUCK:
        return task, None
    limit = {
        Phase.QUEUED: deadlines.queued,
        Phase.PREPARING: deadlines.preparing,
        Phase.FINISHING: deadlines.finishing,
        Phase.CONFIRMING: deadlines.confirming,
        Phase.POST_COPY: deadlines.cold,
        Phase.RUNNING: running_limit(task, policy),
    }.get(task.phase, deadlines.asked)
    overdue = spent > limit
    late = f'{task.phase} for {spent:.0f} s, more than {limit:.0f} s'
    if task.move.migration_type is not model.MigrationType.LIVE:
        return (_stuck(task, late, now) if overdue else task), None
    if task.phase is Phase.RUNNING:
        return _running(task, late if overdue else '', now, policy)
    if not overdue:
        return task, None
    if task.phase in (Phase.QUEUED, Phase.PREPARING):
        return abort(task, late, now)
    return _stuck(task, late, now), None


def running_limit(task: Task, policy: Policy) -> float:
    """Return how many seconds a live migration may run."""
    record = task.record
    size = task.memory_mb * 1024 * 1024
    if record is not None and record.memory_total:
        size = record.memory_total + (record.disk_total or 0)
    if task.move.migration_type is not model.MigrationType.LIVE:
        return policy.deadlines.cold
    return policy.deadlines.running_per_gib * max(2.0, size / _GIB)


def abort(task: Task, why: str, now: float) -> Step:
    """Ask Nova to abort the migration of a task."""
    assert task.record is not None
    return dataclasses.replace(
        to(task, Phase.ABORTING, now),
        aborted=why,
        reason=why,
        is_sure=False,
        not_before=now + _RETRY,
    ), Request(
        action=Action.ABORT,
        server_id=task.server_id,
        migration_id=task.record.id,
    )


def _running(task: Task, late: str, now: float, policy: Policy) -> Step:
    """Judge a running copy, and act as the policy says."""
    seen = task.progress
    is_endless = (
        seen is not None and seen.verdict is progress.Verdict.NOT_CONVERGING
    )
    why = late or (seen.reason if seen is not None and is_endless else '')
    if task.is_forced and now < task.not_before:
        return task, None
    if not why or policy.on_stall is OnStall.WAIT:
        return dataclasses.replace(task, reason=why), None
    if policy.on_stall is OnStall.ABORT:
        return abort(task, why, now)
    if late and task.is_forced:
        return abort(task, f'{why}, and could not be forced to end', now)
    pause = seen.predicted_pause_seconds if seen is not None else None
    if pause is not None and pause <= policy.max_pause:
        assert task.record is not None
        return dataclasses.replace(
            task,
            is_forced=True,
            not_before=now + policy.deadlines.aborting,
            reason=f'{why}; completed by force, pause {pause:.1f} s',
        ), Request(
            action=Action.FORCE_COMPLETE,
            server_id=task.server_id,
            migration_id=task.record.id,
        )
    if late:
        return abort(task, f'{why}, and forcing it would pause too long', now)
    return dataclasses.replace(task, reason=why), None


def _stuck(task: Task, why: str, now: float) -> Task:
    remedy = f'openstack server migration list --server {task.server_id}'
    return end(task, Phase.STUCK, why, remedy, now=now)
