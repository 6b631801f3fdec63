# SPDX-License-Identifier: Apache-2.0
"""The listings that drain and undrain print: of a plan, and of its end.

What a program reads has more columns than what fits on a terminal.
"""

from collections.abc import Iterable, Mapping, Sequence
import typing
from typing import Any

from cliff import columns
from osc_lib.cli import format_columns

if typing.TYPE_CHECKING:
    from osc_migrate import leftovers
    from osc_migrate import limits as limits_module
    from osc_migrate import model
    from osc_migrate import planner
    from osc_migrate.checks import Finding
    from osc_migrate.task import Task
    from osc_migrate.topology import Proof

COLUMNS = ('ID', 'Name', 'Method', 'From', 'To', 'Result', 'Reason')
MORE = ('Next Step', 'Request IDs')
TIMES = ('Round', 'Start', 'Duration')
Row = tuple[Any, ...]
Listing = tuple[Sequence[str], list[Row]]


class Seconds(columns.FormattableColumn):  # type: ignore[type-arg]
    """A time: words for people, a number for programs."""

    def human_readable(self) -> str:
        from osc_migrate import report

        return '' if self._value is None else report.duration(self._value)

    def machine_readable(self) -> float | None:
        return None if self._value is None else round(self._value, 1)


class Topology(columns.FormattableColumn):  # type: ignore[type-arg]
    """What a move changed: a word for people, all of it for programs."""

    def human_readable(self) -> str:
        return str(self._value.verdict) if self._value else ''

    def machine_readable(self) -> dict[str, Any] | None:
        from osc_migrate import topology

        return topology.document(self._value) if self._value else None


def listing(rows: Iterable[Row], formatter: str) -> Listing:
    """Choose the columns for people or for programs."""
    if formatter == 'table':
        return COLUMNS, [row[: len(COLUMNS)] for row in rows]
    return (*COLUMNS, *MORE), list(rows)


def compared(listed: Listing, proof: 'Proof', formatter: str) -> Listing:
    """Add a column of what the moves changed for servers with a topology.

    People are not shown it if there is nothing in it.
    """
    if formatter == 'table' and not proof.comparisons:
        return listed
    known = {one.server_id: one for one in proof.comparisons}
    names, rows = listed
    return (*names, 'Topology'), [
        (*row, Topology(known.get(row[0]))) for row in rows
    ]


def row(
    server_id: str,
    name: str,
    *,
    result: str,
    method: str = 'none',
    source: str | None = None,
    destination: str | None = None,
    reason: str = '',
    remedy: str = '',
    request_ids: Iterable[str] = (),
) -> Row:
    """Make a row for programs."""
    ids = format_columns.ListColumn(list(dict.fromkeys(request_ids)))
    what = (server_id, name, method, source, destination)
    return (*what, result, reason, remedy, ids)


def planned(
    plan: 'planner.Plan', limits: 'limits_module.Limits', formatter: str
) -> Listing:
    """List a plan: what would be moved when, and what would stay."""
    from osc_migrate import schedule

    names = {e.server.id: e.server.name for e in plan.report.servers}
    rows = [
        (
            *row(
                slot.move.server_id,
                names[slot.move.server_id],
                method=str(slot.move.migration_type),
                source=slot.move.source,
                destination=slot.move.destination,
                result='planned',
            ),
            slot.round,
            Seconds(slot.start),
            Seconds(slot.duration),
        )
        for slot in schedule.foresee(plan, limits)
    ]
    listed = [_timed(one, formatter) for one in rows]
    listed += untimed(staying(plan.stranded), formatter)
    if formatter == 'table':
        return (*TIMES, *COLUMNS), listed
    return (*COLUMNS, *MORE, *TIMES), listed


def untimed(rows: Iterable[Row], formatter: str) -> list[Row]:
    """Put what would not be moved beside what would."""
    nothing = (None, Seconds(None), Seconds(None))
    return [_timed((*one, *nothing), formatter) for one in rows]


def _timed(one: Row, formatter: str) -> Row:
    # on a terminal, times tell more than what is the same in each line
    if formatter == 'table':
        return (*one[-len(TIMES) :], *one[: len(COLUMNS)])
    return one


def ended(tasks: Iterable['Task']) -> list[Row]:
    """List how moves ended."""
    return [
        row(
            task.server_id,
            task.name,
            method=str(task.move.migration_type),
            source=task.move.source,
            destination=task.destination,
            result='moved' if task.phase == 'done' else str(task.phase),
            reason=task.reason,
            remedy=task.remedy,
            request_ids=task.request_ids,
        )
        for task in tasks
    ]


def staying(
    stranded: Mapping['model.Server', tuple['Finding', ...]],
) -> list[Row]:
    """List the servers that cannot move, and why."""
    from osc_migrate import planner

    rows: list[Row] = []
    for server, findings in stranded.items():
        reason, remedy = planner.why(findings)
        rows.append(
            row(
                server.id,
                server.name,
                source=server.host,
                result='stays',
                reason=reason,
                remedy=remedy,
            )
        )
    return rows


def left(
    found: Iterable['leftovers.Leftover'], host: str, known: Iterable[Row]
) -> list[Row]:
    """List what is left beside the servers that are listed already."""
    ids = {one[0] for one in known}
    return [
        row(
            one.id,
            one.name,
            source=host,
            result=f'{one.kind} left',
            reason=one.message,
            remedy=one.remedy,
        )
        for one in found
        if one.id not in ids
    ]
