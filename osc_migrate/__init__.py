# SPDX-License-Identifier: Apache-2.0
"""Checks and migration primitives for OpenStack servers: the public API.

Only names stand here; each is documented where it is defined. They are
imported when they are first used, because ``openstack`` loads this package
for every command, also for those that are not ours.
"""

import importlib
import typing

if typing.TYPE_CHECKING:
    from osc_migrate.cloud import Cloud
    from osc_migrate.drain import Drain
    from osc_migrate.executor import Executor
    from osc_migrate.limits import Limits
    from osc_migrate.planner import Plan
    from osc_migrate.planner import plan
    from osc_migrate.probe import Ssh
    from osc_migrate.probe import with_probes
    from osc_migrate.task import Policy
    from osc_migrate.task import Task
    from osc_migrate.verdict import Report
    from osc_migrate.verdict import preflight

__all__ = [
    'Cloud',
    'Drain',
    'Executor',
    'Limits',
    'Plan',
    'Policy',
    'Report',
    'Ssh',
    'Task',
    'plan',
    'preflight',
    'with_probes',
]

_HOMES = {
    'Cloud': 'cloud',
    'Drain': 'drain',
    'Executor': 'executor',
    'Limits': 'limits',
    'Plan': 'planner',
    'Policy': 'task',
    'Report': 'verdict',
    'Ssh': 'probe',
    'Task': 'task',
    'plan': 'planner',
    'preflight': 'verdict',
    'with_probes': 'probe',
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
    home = importlib.import_module(f'osc_migrate.{_HOMES[name]}')
    return getattr(home, name)
