# SPDX-License-Identifier: Apache-2.0
"""The values of a move under way: what was asked, what was seen, how far.

A :class:`Task` is a move and how far it is; it is never changed, only
replaced (see :mod:`osc_migrate.machine`). All times are seconds of one clock
that only goes forward.
"""

import dataclasses
import enum

from osc_migrate import model
from osc_migrate import planner
from osc_migrate.progress import Progress
from osc_migrate.progress import Sample

TERMINAL_RECORDS = frozenset(
    {
        'completed',
        'confirmed',
        'reverted',
        'done',
        'failed',
        'error',
        'cancelled',
    }
)


class Phase(enum.StrEnum):
    """How far a move is, in the operator's words."""

    PENDING = 'pending'
    ASKED = 'asked'
    QUEUED = 'queued'
    PREPARING = 'preparing'
    RUNNING = 'running'
    POST_COPY = 'post-copy'
    FINISHING = 'finishing'
    TO_CONFIRM = 'to confirm'
    CONFIRMING = 'confirming'
    ABORTING = 'aborting'
    RESETTING = 'resetting'
    STUCK = 'stuck'
    DONE = 'done'
    FAILED = 'failed'
    SKIPPED = 'skipped'

    @property
    def is_final(self) -> bool:
        """Whether nothing more will be seen or asked of the move."""
        return self in (Phase.DONE, Phase.FAILED, Phase.SKIPPED)

    @property
    def holds_slot(self) -> bool:
        """Whether Nova has, or may have, work to do for the move."""
        return self is not Phase.PENDING and not self.is_final


class Action(enum.StrEnum):
    """What the machine can want; all but the look change something."""

    LOOK = 'look'
    LIVE_MIGRATE = 'live-migrate'
    COLD_MIGRATE = 'cold-migrate'
    EVACUATE = 'evacuate'
    CONFIRM = 'confirm'
    ABORT = 'abort'
    FORCE_COMPLETE = 'force-complete'
    RESET_STATE = 'reset-state'
    PAUSE = 'pause'


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One thing to ask of Nova."""

    action: Action
    server_id: str
    destination: str | None = None
    migration_id: int | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What Nova answered to a request.

    ``status_code`` is ``None`` when no answer came: the request may have
    been carried out or not.
    """

    status_code: int | None
    message: str
    request_id: str | None

    @property
    def is_accepted(self) -> bool:
        """Whether Nova said yes."""
        return self.status_code is not None and self.status_code < 400

    @property
    def is_refused(self) -> bool:
        """Whether Nova said no, so that nothing was carried out."""
        return self.status_code is not None and 400 <= self.status_code < 500


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """What ``GET /servers/{id}`` shows; nothing but false if it is gone."""

    exists: bool
    name: str = ''
    memory_mb: int = 0
    status: str = ''
    vm_state: str | None = None
    task_state: str | None = None
    power_state: int | None = None
    host: str | None = None
    fault: str | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """What was seen of one server at a moment.

    ``sight`` is ``None`` when the server itself was not looked at. ``record``
    is its newest migration record, with figures while it runs.
    """

    sight: Sight | None
    record: model.Migration | None


class OnStall(enum.StrEnum):
    """What to do with a live migration that will not end by itself."""

    WAIT = 'wait'
    FORCE_COMPLETE = 'force-complete'
    ABORT = 'abort'


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Deadlines:
    """How long each phase may take, in seconds.

    ``running_per_gib`` is multiplied with the memory (and disk, if it is
    copied) of the server, at least two GiB, and measured from the moment
    that the migration runs. ``lost`` is how long to look for what an
    unanswered request has done; ``settle`` how long a failed migration is
    left alone before it is judged, as Nova writes its end in several steps.
    """

    asked: float = 300
    lost: float = 20
    busy: float = 600
    queued: float = 7200
    preparing: float = 900
    running_per_gib: float = 150
    cold: float = 7200
    finishing: float = 300
    confirming: float = 900
    aborting: float = 180
    resetting: float = 60
    settle: float = 3


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What may be done to get a server away.

    ``max_pause`` is in seconds. ``tries`` is how often a server is asked to
    move in one way; the last time Nova may choose where to. ``stalls`` is
    how often one is aborted that does not end: another destination seldom
    helps a guest that dirties its memory faster than it can be sent.
    """

    on_stall: OnStall = OnStall.ABORT
    max_pause: float = 10
    allow_cold: bool = False
    reset_state: bool = True
    tries: int = 3
    stalls: int = 2
    deadlines: Deadlines = Deadlines()


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """A move, and how far it is.

    ``was`` is the server's ``vm_state`` before; ``baseline`` the id of the
    newest migration record it had before we asked, so that an old failure
    cannot fail a new move. ``started`` is when the move was first asked for,
    ``since`` when its phase began, ``looked`` when the server was last
    looked at, ``idle`` since when it has no task though its migration is in
    progress, and ``entered`` holds every phase with the time it began.
    ``is_sure`` says that Nova's answer to the request has come, ``put_off``
    how many seconds Nova has not taken it, in a row.
    ``aborted`` says why we asked for an abort, ``refused`` holds the hosts
    that it could not go to, ``groups`` its anti-affinity groups,
    ``attempts`` how each try before this one ended. ``has_local_disks`` is
    false if that is not known.
    """

    move: model.Move
    name: str
    memory_mb: int
    phase: Phase = Phase.PENDING
    since: float = 0
    entered: tuple[tuple[Phase, float], ...] = ()
    started: float | None = None
    looked: float | None = None
    idle: float | None = None
    not_before: float = 0
    put_off: float = 0
    was: str | None = None
    baseline: int = 0
    tries: int = 0
    is_sure: bool = True
    is_ours: bool = True
    is_forced: bool = False
    aborted: str = ''
    refused: frozenset[str] = frozenset()
    groups: frozenset[str] = frozenset()
    has_local_disks: bool = False
    record: model.Migration | None = None
    samples: tuple[Sample, ...] = ()
    progress: Progress | None = None
    request_ids: tuple[str, ...] = ()
    attempts: tuple[str, ...] = ()
    reason: str = ''
    remedy: str = ''

    @property
    def server_id(self) -> str:
        """The id of the server that moves."""
        return self.move.server_id

    @property
    def destination(self) -> str | None:
        """Where it goes, as far as it is known."""
        # the record is that of the try before while the next one waits
        is_waiting = self.phase is Phase.PENDING
        recorded = self.record and self.record.dest_compute
        return (None if is_waiting else recorded) or self.move.destination

    def has_been(self, record: model.Migration) -> bool:
        """Whether a migration is a try of this move that was given up."""
        return self.record is not None and self.record.id == record.id

    def __str__(self) -> str:
        to = self.destination or '(Nova chooses)'
        text = (
            f'{self.name} {self.move.migration_type} {self.move.source} -> '
            f'{to}: {self.phase}'
        )
        return f'{text} ({self.reason})' if self.reason else text


Step = tuple[Task, Request | None]


def look(task: Task) -> Request:
    """Make the request to look at the server of a task."""
    return Request(action=Action.LOOK, server_id=task.server_id)


def to(task: Task, phase: Phase, now: float) -> Task:
    """Put a task in a phase, from now on if it was not there before."""
    if task.phase is phase:
        return task
    return dataclasses.replace(
        task, phase=phase, since=now, entered=(*task.entered, (phase, now))
    )


def end(
    task: Task, phase: Phase, reason: str, remedy: str = '', *, now: float
) -> Task:
    """Put a task in one of its last phases, or among the stuck."""
    return dataclasses.replace(
        to(task, phase, now), reason=reason, remedy=remedy
    )


def planned(plan: planner.Plan) -> list[Task]:
    """Make a task of every move of a plan."""
    servers = {entry.server.id: entry.server for entry in plan.report.servers}
    return [
        Task(
            move=move,
            name=servers[move.server_id].name,
            memory_mb=servers[move.server_id].flavor.ram,
            groups=plan.apart.get(move.server_id, frozenset()),
            has_local_disks=servers[move.server_id].has_local_disks,
        )
        for move in plan.moves
    ]
