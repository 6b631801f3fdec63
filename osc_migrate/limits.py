# SPDX-License-Identifier: Apache-2.0
"""How many migrations may be under way at once. Pure.

Migrations of others count like ours, as the links are the same. One that
copies disks weighs more than one that copies only memory.
"""

from collections.abc import Iterable
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


def of_task(task: Task) -> Load:
    """Return how a move of ours weighs."""
    return Load(
        source=task.move.source,
        destination=task.destination,
        weight=_weight(task.record),
        groups=task.groups,
    )


def of_record(record: model.Migration) -> Load:
    """Return how the migration of somebody else weighs."""
    return Load(
        source=record.source_compute,
        destination=record.dest_compute,
        weight=_weight(record),
        groups=frozenset(),
    )


def _weight(record: model.Migration | None) -> int:
    return _WEIGHT_OF_DISKS if record and record.disk_total else 1
