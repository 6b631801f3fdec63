# SPDX-License-Identifier: Apache-2.0
"""Scenes of a move for the tests of the machine: sights, records, tasks.

The server is on compute-1, is ACTIVE and is to go to compute-2.
"""

from typing import Any

from osc_migrate import model
from osc_migrate import task as tasks
from osc_migrate import testing
from osc_migrate.task import Observation
from osc_migrate.task import Phase
from osc_migrate.task import Sight
from osc_migrate.task import Task

LIVE = model.MigrationType.LIVE
COLD = model.MigrationType.COLD
EVACUATE = model.MigrationType.EVACUATE
SERVER = testing.identifier('server')
POLICY = tasks.Policy()
TYPES = {LIVE: 'live-migration', COLD: 'migration', EVACUATE: 'evacuation'}
GONE = Sight(exists=False)


def sight(**attributes: Any) -> Sight:
    """Build what Nova shows of a server at rest."""
    values: dict[str, Any] = {
        'exists': True,
        'name': 'web',
        'memory_mb': 512,
        'status': 'ACTIVE',
        'vm_state': 'active',
        'task_state': None,
        'power_state': 1,
        'host': 'compute-1',
        'fault': None,
    }
    return Sight(**{**values, **attributes})


def moving(**attributes: Any) -> Sight:
    """Build what Nova shows of a server that is migrated live."""
    return sight(
        **{'status': 'MIGRATING', 'task_state': 'migrating', **attributes}
    )


def broken(**attributes: Any) -> Sight:
    """Build what Nova 34 shows after a live migration has failed."""
    return sight(**{'status': 'ERROR', 'vm_state': 'error', **attributes})


def resized(**attributes: Any) -> Sight:
    """Build what Nova shows of a cold migration that awaits a decision."""
    return sight(
        **{
            'status': 'VERIFY_RESIZE',
            'vm_state': 'resized',
            'host': 'compute-2',
            **attributes,
        }
    )


def record(status: str, number: int = 8, **attributes: Any) -> model.Migration:
    """Build the record of a live migration to compute-2."""
    return testing.migration(number, status=status, **attributes)


def task(phase: Phase = Phase.ASKED, **attributes: Any) -> Task:
    """Build a move that was asked for at 0; its baseline is record 7."""
    way = attributes.pop('way', LIVE)
    values: dict[str, Any] = {
        'move': model.Move(
            server_id=SERVER,
            source='compute-1',
            destination='compute-2',
            migration_type=way,
        ),
        'name': 'web',
        'memory_mb': 512,
        'phase': phase,
        'was': 'active',
        'baseline': 7,
        'tries': 1,
        'started': 0.0,
        'looked': 0.0,
    }
    return Task(**{**values, **attributes})


def pending(**attributes: Any) -> Task:
    """Build a move that was not asked for yet."""
    never = {'was': None, 'tries': 0, 'started': None, 'looked': None}
    return task(Phase.PENDING, **{**never, 'baseline': 0, **attributes})


def seen(
    sight: Sight | None = None, record: model.Migration | None = None
) -> Observation:
    """Build an observation."""
    return Observation(sight=sight, record=record)
