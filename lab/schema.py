# SPDX-License-Identifier: Apache-2.0
"""Build the database of one service, by its own commands.

``python -m lab.schema SERVICE`` in the environment of that service. The
commands run as forks, because each parses its own command line while the
import of what they share takes seconds.
"""

from collections.abc import Callable
import importlib
import os
import sys
import traceback
from typing import Any

from lab import folder as folders
from lab import identity
from lab import settings

# Nova fills these in from its own options whenever it reads them.
CELL = ['--name', 'cell1', '--transport-url', '{scheme}://{hostname}:{port}/']
CELL_DATABASE = ['--database_connection', '{scheme}:////{path}']
CELL0_DATABASE = ['--database_connection', '{scheme}:////{path}_cell0']


def _commands(folder: folders.Folder, service: str) -> list[list[str]]:
    root = os.geteuid() == 0
    owner = ['--keystone-user', 'root', '--keystone-group', 'root']
    keys = owner if root else []
    return {
        'keystone': [
            ['db_sync'],
            ['fernet_setup', *keys],
            ['credential_setup', *keys],
            ['bootstrap', '--bootstrap-password', settings.PASSWORD],
        ],
        'nova': [
            ['api_db', 'sync'],
            ['cell_v2', 'map_cell0', *CELL0_DATABASE],
            ['db', 'sync'],
            ['cell_v2', 'create_cell', *CELL, *CELL_DATABASE],
        ],
        'placement': [['db', 'sync']],
        'glance': [['db_sync']],
        'cinder': [['db', 'sync']],
    }[service]


def _fork(function: Callable[[], Any], title: str) -> None:
    """Run ``function`` in a child and see that it went well.

    :raises: SystemExit when it did not.
    """
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        code: Any = 1
        try:
            code = function()
        except SystemExit as error:
            code = error.code
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(0 if not code else 1)
    if os.waitpid(child, 0)[1]:
        sys.exit(f'failed: {title}')


def _neutron(folder: folders.Folder) -> None:
    """Make the tables from the models: the migrations need ALTER TABLE."""
    from neutron.db.migration.models import head
    import sqlalchemy

    url = settings.database(folder, 'neutron')['connection']
    head.get_metadata().create_all(sqlalchemy.create_engine(url))


def build(folder: folders.Folder, service: str) -> None:
    """Build the database of ``service``."""
    if service == 'neutron':
        _neutron(folder)
        return
    program = [f'{service}-manage']
    sys.argv = program
    module = importlib.import_module(f'{service}.cmd.manage')
    # Not earlier: Nova insists on being imported before these.
    from lab import sqlite
    from lab import transport

    sqlite.tune()
    transport.register()
    name = 'glance-api' if service == 'glance' else service
    files = ['--config-file', str(folder / 'etc' / f'{name}.conf')]
    for command in _commands(folder, service):
        sys.argv = program + files + command
        _fork(module.main, ' '.join(command))
    if service == 'keystone':
        sys.argv = program
        _fork(identity.create, 'identity')


if __name__ == '__main__':
    build(folders.current(), sys.argv[1])
