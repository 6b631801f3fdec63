# SPDX-License-Identifier: Apache-2.0
"""The listing of moves that drain and undrain print at their end."""

from collections.abc import Iterable, Mapping
import typing

if typing.TYPE_CHECKING:
    from osc_migrate import model
    from osc_migrate import planner
    from osc_migrate.checks import Finding
    from osc_migrate.task import Task

COLUMNS = ('ID', 'Name', 'Method', 'From', 'To', 'Result', 'Reason')
Row = tuple[str | None, ...]


def planned(plan: 'planner.Plan') -> list[Row]:
    """List a plan: what would be moved, and what would stay."""
    servers = {entry.server.id: entry.server for entry in plan.report.servers}
    moves: list[Row] = [
        (
            move.server_id,
            servers[move.server_id].name,
            str(move.migration_type),
            move.source,
            move.destination,
            'planned',
            '',
        )
        for move in plan.moves
    ]
    return moves + staying(plan.stranded)


def ended(tasks: Iterable['Task']) -> list[Row]:
    """List how moves ended."""
    return [
        (
            task.server_id,
            task.name,
            str(task.move.migration_type),
            task.move.source,
            task.destination,
            'moved' if task.phase == 'done' else str(task.phase),
            task.reason,
        )
        for task in tasks
    ]


def staying(
    stranded: Mapping['model.Server', tuple['Finding', ...]],
) -> list[Row]:
    """List the servers that cannot move, with the checks that say so."""
    return [
        (
            server.id,
            server.name,
            'none',
            server.host,
            None,
            'stays',
            ', '.join(sorted({finding.check for finding in findings})),
        )
        for server, findings in stranded.items()
    ]
