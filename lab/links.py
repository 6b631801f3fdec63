# SPDX-License-Identifier: Apache-2.0
"""The links between the hosts, shared by nova-compute processes.

A running copy is an empty file in ``$LAB_RUN/links``; its name says which
process copies what from where to where. The file of a process that is gone
is ignored; one that is only frozen goes on using the link, as its QEMU would.
"""

from collections.abc import Iterator
import contextlib
import os
import pathlib

from lab import behaviour
from lab import physics


@contextlib.contextmanager
def occupied(migration: str, source: str, destination: str) -> Iterator[None]:
    """Use both links as long as the copy runs."""
    folder = _folder()
    folder.mkdir(exist_ok=True)
    path = folder / '~'.join(
        [migration, str(os.getpid()), source, destination]
    )
    path.touch()
    try:
        yield
    finally:
        path.unlink(missing_ok=True)


def running() -> dict[str, tuple[str, str]]:
    """Return source and destination of each copy, by its migration."""
    copies = {}
    for path in _folder().glob('*~*'):
        migration, process, source, destination = path.name.split('~')
        if _is_alive(int(process)):
            copies[migration] = (source, destination)
    return copies


def rate(migration: str) -> float:
    """Return what the links give a copy just now, in MiB per second."""
    capacity: dict[str, float] = {}
    paths: dict[str, tuple[str, str]] = {}
    for copy, hosts in running().items():
        paths[copy] = (f'out of {hosts[0]}', f'into {hosts[1]}')
        for link, host in zip(paths[copy], hosts, strict=True):
            capacity[link] = behaviour.of_host(host)['link_mb_s']
    return physics.share(capacity, paths)[migration]


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


def _folder() -> pathlib.Path:
    return pathlib.Path(os.environ['LAB_RUN'], 'links')
