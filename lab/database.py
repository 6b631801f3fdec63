# SPDX-License-Identifier: Apache-2.0
"""The databases: built once, kept as a template, fitted to each boot.

A template is valid for the installed versions and for the code that built
it, which its name is a digest of. It is built beside and then renamed, so
two labs may build the same one at once.
"""

from collections.abc import Callable, Iterator
import contextlib
import hashlib
from importlib import metadata
import os
import pathlib
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from typing import Any

from lab import exceptions
from lab import folder as folders
from lab import identity
from lab import scenario as scenarios
from lab import settings

TEMPLATES = folders.CHECKOUT / 'lab' / 'run-template'
PACKAGES = (
    *('keystone', 'openstack-placement', 'nova', 'neutron', 'glance'),
    *('cinder', 'oslo.db', 'SQLAlchemy', 'alembic'),
)
SOURCES = ('database', 'identity', 'schema')
STALE = 3600  # seconds after which what is not used may go

Say = Callable[[str], None]


def _digest() -> str:
    here = pathlib.Path(__file__).parent
    try:
        parts = [f'{name} {metadata.version(name)}' for name in PACKAGES]
    except metadata.PackageNotFoundError as error:
        raise exceptions.LabError(
            f'{error.name} is not installed: run the lab by `tox -e lab`.'
        ) from error
    parts += [(here / f'{name}.py').read_text() for name in SOURCES]
    parts += [settings.PASSWORD, settings.REGION, *settings.SERVICES]
    return hashlib.sha256('\n'.join(parts).encode()).hexdigest()[:16]


def prepare(
    folder: folders.Folder,
    ports: settings.Ports,
    say: Say,
) -> None:
    """Put databases into ``folder`` that fit this boot.

    :raises: :class:`lab.exceptions.LabError` when they cannot be built.
    """
    template = TEMPLATES / _digest()
    if not template.exists():
        say('building the databases (once; the next boots use a copy)')
        _build(template, say)
    shutil.copytree(template, folder / 'db', dirs_exist_ok=True)
    _write_catalog(folder, ports)


def _build(template: pathlib.Path, say: Say) -> None:
    TEMPLATES.mkdir(exist_ok=True)
    _sweep()
    with tempfile.TemporaryDirectory(dir=TEMPLATES) as name:
        folder = folders.Folder(name)
        folder.create()
        settings.write(
            folder,
            scenarios.Scenario(hosts={}),
            dict.fromkeys(settings.PORTS, 1),
        )
        _build_all(folder, say)
        for path in list((folder / 'db').glob('*.sqlite*')):
            if path.suffix in ('.sqlite', '.sqlite_cell0'):
                _fold(path)
        # Somebody else may have been faster.
        with contextlib.suppress(OSError):
            (folder / 'db').rename(template)


def _sweep() -> None:
    """Remove the templates of other versions, and halves of them."""
    for entry in TEMPLATES.iterdir():
        # Another lab may sweep, too.
        with contextlib.suppress(FileNotFoundError):
            if time.time() - entry.stat().st_mtime > STALE:
                shutil.rmtree(entry, ignore_errors=True)


def _fold(path: pathlib.Path) -> None:
    """Move what was written into the one file of a database."""
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute('PRAGMA journal_mode = DELETE')


def _build_all(folder: folders.Folder, say: Say) -> None:
    """Build all databases at once, each by a process of its own."""
    environment = {
        **os.environ,
        **settings.environment(folder),
        'LAB_RUN': str(folder.path),
    }
    builders = {}
    for service in settings.SERVICES:
        with open(folder.log(service), 'wb') as log:
            builders[service] = subprocess.Popen(
                [sys.executable, '-m', 'lab.schema', service],
                cwd=folders.CHECKOUT,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
    try:
        _wait(folder, dict(builders), say)
    finally:
        for builder in builders.values():
            builder.kill()
            builder.wait()


def _wait(folder: folders.Folder, builders: dict[str, Any], say: Say) -> None:
    while builders:
        for service, builder in list(builders.items()):
            code = builder.poll()
            if code:
                text = folder.log(service).read_text()[-2000:]
                raise exceptions.LabError(
                    f'The database of {service} was not built:\n{text}'
                )
            if code == 0:
                say(f'the database of {service} is built')
                del builders[service]
        time.sleep(0.1)


@contextlib.contextmanager
def _open(folder: folders.Folder, name: str) -> Iterator[sqlite3.Connection]:
    path = folder / 'db' / f'{name}.sqlite'
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        yield connection


def _write_catalog(folder: folders.Folder, ports: settings.Ports) -> None:
    with _open(folder, 'keystone') as connection:
        for service in settings.SERVICES:
            connection.execute(
                'UPDATE endpoint SET url = replace(url, ?, ?)',
                (
                    identity.placeholder(service),
                    settings.url(ports, service),
                ),
            )
