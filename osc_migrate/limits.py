# SPDX-License-Identifier: Apache-2.0
"""How many migrations may be under way at once. Pure.

Migrations of others count like ours, as the links are the same. One that
copies disks weighs more than one that copies only memory. Whether hosts share
storage is in no API, so that nothing is taken to copy disks at first; once a
copy of disks from a host is seen, every move from there of a server with
local disks is, from before it is asked for.
"""

from collections.abc import Collection, Iterable
import dataclasses

from osc_migrate import exceptions
from osc_migrate import model
from osc_migrate.task import Task

# a disk is larger than the memory and shares the link with others for longer
_WEIGHT_OF_DISKS = 2


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """One migration under way: where from, where to, how heavy.

    ``groups`` are the anti-affinity groups of its server.
    """

    source: str | None
    destination: str | None
    weight: int
    groups: frozenset[str]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much may be under way in all, from one host, and to one host.

    Nova itself runs one live migration at a time on each source by default
    and queues the rest, so two for each source keep it busy without a gap.

    :raises InvalidInput: a limit below one
    """

    total: int = 8
    per_source: int = 2
    per_destination: int = 2

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            if getattr(self, field.name) < 1:
                raise exceptions.InvalidInput(
                    f'The limit {field.name} must be at least 1'
                )

    def allow(self, one: Load, others: Iterable[Load]) -> bool:
        """Whether a migration may start beside those under way.

        Something heavier than a limit may start alone. What goes where
        Nova chooses may turn out to go to any host. Two members of an
        anti-affinity group never go to the same host at the same time, nor
        where Nova chooses: its scheduler sees only what has arrived.
        """
        busy = list(others)
        leaving = [b for b in busy if b.source == one.source]
        hosts = {b.destination for b in busy}
        if one.destination is not None:
            hosts = {one.destination}
        arriving = [
            [b for b in busy if b.destination in (host, None)]
            for host in hosts
        ]
        is_rivalled = any(
            b.groups & one.groups for to_host in arriving for b in to_host
        )
        return (
            not is_rivalled
            and _fits(one, busy, self.total)
            and _fits(one, leaving, self.per_source)
            and all(_fits(one, b, self.per_destination) for b in arriving)
        )


def _fits(one: Load, others: list[Load], limit: int) -> bool:
    return not others or (
        sum(other.weight for other in others) + one.weight <= limit
    )


def of_task(task: Task, copying: Collection[str] = ()) -> Load:
    """Return how a move of ours weighs.

    :param copying: the hosts from which disks are copied
    """
    is_expected = task.has_local_disks and task.move.source in copying
    has_copied = copies_disks(task.record) or bool(
        task.progress and task.progress.disk_total
    )
    return Load(
        source=task.move.source,
        destination=task.destination,
        weight=_WEIGHT_OF_DISKS if is_expected or has_copied else 1,
        groups=task.groups,
    )


def of_record(record: model.Migration) -> Load:
    """Return how the migration of somebody else weighs."""
    return Load(
        source=record.source_compute,
        destination=record.dest_compute,
        weight=_WEIGHT_OF_DISKS if copies_disks(record) else 1,
        groups=frozenset(),
    )


def copies_disks(record: model.Migration | None) -> bool:
    """Whether a migration is seen to copy disks: not before it runs."""
    return bool(record and record.disk_total)
