# SPDX-License-Identifier: Apache-2.0
"""What became of a migration: the values of a summary. Pure.

Results are Nova's words for the end of a record, but for ``to confirm`` (a
cold migration that has arrived and may still be reverted), ``orphaned`` (the
record is in progress, but nothing runs), ``deleted`` and ``under way``.
"""

import dataclasses

from osc_migrate import model
from osc_migrate.account import Account
from osc_migrate.moments import between
from osc_migrate.task import TERMINAL_RECORDS
from osc_migrate.task import Phase
from osc_migrate.task import Sight
from osc_migrate.task import Task

TO_CONFIRM = 'to confirm'
ORPHANED = 'orphaned'
DELETED = 'deleted'
UNDER_WAY = 'under way'
_GOOD = ('completed', 'confirmed', 'done', TO_CONFIRM, DELETED)
# Nova's words for the ways to move, and ours
_TYPES = {
    'live-migration': 'live',
    'migration': 'cold',
    'evacuation': 'evacuate',
}
# the reason of an orphan begins with this
ORPHAN = 'its record is in progress, but nothing runs'
_WAITING = (Phase.ASKED, Phase.QUEUED, Phase.PREPARING)
_COPYING = (Phase.RUNNING, Phase.POST_COPY, Phase.FINISHING, Phase.ABORTING)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How one migration ended, or where it is now.

    Times are seconds. ``is_at_least`` says that it ran before it was seen,
    so that ``running`` is the part that was seen. ``copied`` is in bytes.
    """

    server_id: str
    name: str
    migration_type: str
    source: str | None
    destination: str | None
    migration: str
    result: str
    queued: float | None
    running: float | None
    total: float | None
    is_at_least: bool
    copied: int | None
    reason: str
    remedy: str
    request_ids: tuple[str, ...]

    @property
    def is_good(self) -> bool:
        """Whether nobody must care about it any more, or only confirm it."""
        return self.result in _GOOD

    @property
    def is_ended(self) -> bool:
        """Whether nothing more will happen by itself."""
        return self.result != UNDER_WAY

    @property
    def rate(self) -> float | None:
        """Return the mean of bytes a second."""
        if not self.copied or not self.running or self.is_at_least:
            return None
        return self.copied / self.running


def migration_type(task: Task) -> str:
    """Return how a task moves: live, cold, evacuate or resize."""
    known = task.record.migration_type if task.record else ''
    return _TYPES.get(known, known) or str(task.move.migration_type)


def result(task: Task) -> str:
    """Return how a task ended, in Nova's words."""
    record = task.record
    if task.phase is Phase.STUCK and task.reason.startswith(ORPHAN):
        return ORPHANED
    if task.phase is Phase.SKIPPED:
        return DELETED if 'deleted' in task.reason else str(task.phase)
    if not task.phase.is_final:
        return UNDER_WAY if task.phase is not Phase.STUCK else str(task.phase)
    if task.phase is Phase.DONE:
        return record.status if record else 'completed'
    if record is None:
        return str(task.phase)
    if record.status == 'finished':
        return TO_CONFIRM
    if record.status in ('completed', 'done', 'confirmed'):
        # the record may say so: the server does not agree
        return str(task.phase)
    return record.status


def of_task(task: Task, now: float) -> Outcome:
    """Make the outcome of a task.

    :param now: seconds of the clock of the task
    """
    end = task.since if task.phase.is_final else now
    first = task.entered[0][0] if task.entered else task.phase
    return Outcome(
        server_id=task.server_id,
        name=task.name or task.server_id,
        migration_type=migration_type(task),
        source=task.move.source or None,
        destination=task.destination,
        migration=task.record.uuid if task.record else '',
        result=result(task),
        queued=_spent(task, _WAITING, end),
        running=_spent(task, _COPYING, end),
        total=None if task.started is None else end - task.started,
        is_at_least=first in _COPYING,
        copied=_copied(task),
        reason=task.reason,
        remedy=task.remedy,
        request_ids=task.request_ids,
    )


def _spent(task: Task, phases: tuple[Phase, ...], end: float) -> float | None:
    """Add up the seconds that a task was in some phases."""
    ends = [at for _, at in task.entered[1:]] + [end]
    began = [(phase, at) for phase, at in task.entered]
    if began and began[0][0] in _WAITING and task.started is not None:
        # it waited before it was seen
        began[0] = (began[0][0], min(began[0][1], task.started))
    spans = [
        until - since
        for (phase, since), until in zip(began, ends, strict=False)
        if phase in phases
    ]
    return sum(spans) if spans else None


def _copied(task: Task) -> int | None:
    """Return the bytes that were sent, as far as Nova has shown them."""
    known = [s for s in task.samples if s.memory_total]
    if not known:
        return None
    last = known[-1]
    sent = (last.memory_processed or 0) + (last.disk_processed or 0)
    if task.phase is Phase.DONE:
        # what remained at the last look was sent, too
        sent += (last.memory_remaining or 0) + (last.disk_remaining or 0)
    return sent or None


def of_record(
    record: model.Migration, sight: Sight | None, account: Account
) -> Outcome:
    """Make the outcome of a migration that nobody watched.

    :param sight: its server now, if it still exists
    """
    ended = record.status in TERMINAL_RECORDS or record.status == 'finished'
    is_moving = sight is not None and sight.task_state is not None
    word = {'finished': TO_CONFIRM}.get(record.status, record.status)
    if not ended:
        word = UNDER_WAY if is_moving else ORPHANED
    reason, remedy = _reason(record, sight, account, word)
    return Outcome(
        server_id=record.server_id,
        name=(sight and sight.name) or record.server_id,
        migration_type=_TYPES.get(
            record.migration_type, record.migration_type
        ),
        source=record.source_compute,
        destination=record.dest_compute,
        migration=record.uuid,
        result=word,
        queued=account.queued,
        running=account.running,
        total=between(record.created_at, record.updated_at) if ended else None,
        is_at_least=False,
        copied=None,
        reason=reason,
        remedy=remedy,
        request_ids=account.request_ids,
    )


def _is_alive(sight: Sight) -> bool:
    """Whether Nova calls a server an error whose guest runs."""
    # nova.compute.power_state: running, paused
    return sight.status == 'ERROR' and sight.power_state in (1, 3)


def _reason(
    record: model.Migration, sight: Sight | None, account: Account, word: str
) -> tuple[str, str]:
    """Say why a migration ended as it did, and what to do about it."""
    if word == TO_CONFIRM:
        return '', f'openstack server migration confirm {record.server_id}'
    if word in _GOOD:
        return '', ''
    reason = orphan(record, sight) if word == ORPHANED else account.reason
    if sight is None or not _is_alive(sight):
        return reason, ''
    alive = f'its server is in ERROR while its guest runs on {sight.host}'
    return (
        '; '.join(filter(None, (reason, alive))),
        f'openstack server set --state active {record.server_id}',
    )


def orphan(record: model.Migration, sight: Sight | None) -> str:
    """Explain a record that Nova has forgotten."""
    where = 'its server is gone'
    if sight is not None and sight.exists:
        where = f'its server is {sight.status} on {sight.host}, with no task'
    moment = (record.updated_at or record.created_at).partition('.')[0]
    return (
        f'{ORPHAN}: {where}, and Nova has not written it since {moment} UTC; '
        'a nova-compute that was restarted or killed leaves such records, '
        'nothing is done to them here'
    )
