# SPDX-License-Identifier: Apache-2.0
"""Boot a lab into its run folder.

All processes start at once. Their sockets are made here and handed down,
so a port is free when it is chosen and taken from then on.
"""

import dataclasses
import os
import socket
import sys
import time

from lab import database
from lab import folder as folders
from lab import populate
from lab import processes
from lab import readiness
from lab import scenario as scenarios
from lab import settings

WEB = ('keystone', 'placement', 'glance', 'neutron')


def _say_since(start: float) -> database.Say:
    def say(text: str) -> None:
        seconds = time.monotonic() - start
        print(f'{seconds:6.1f} s  {text}', file=sys.stderr, flush=True)

    return say


def boot(folder: folders.Folder, scenario: scenarios.Scenario) -> None:
    """Boot and populate a lab; the folder is empty and locked by us.

    :raises: :class:`lab.exceptions.LabError` when it does not get ready.
    """
    say = _say_since(time.monotonic())
    folder.create()
    listeners = {name: _listen() for name in settings.PORTS}
    ports = {
        name: listener.getsockname()[1] for name, listener in listeners.items()
    }
    folder.write('ports.json', ports)
    folder.write('hosts.json', scenarios.shapes(scenario))
    folder.write('nova.json', dataclasses.asdict(scenario.nova))
    folder.write('behaviour.json', {})
    settings.write(folder, scenario, ports)
    database.prepare(folder, ports, say)
    os.mkfifo(folder.starts)
    say(f'starting the services of {len(scenario.hosts)} hosts')
    _start(folder, scenario, listeners)
    readiness.wait(folder, set(scenario.hosts), say)
    if scenario != scenarios.Scenario(
        nova=scenario.nova, hosts=scenario.hosts
    ):
        say('creating what the scenario names')
    populate.populate(scenario, folder.clouds)
    folder.ready.touch()
    say('ready')


def _listen() -> socket.socket:
    listener = socket.create_server(('127.0.0.1', 0), backlog=512)
    listener.set_inheritable(False)
    return listener


def _start(
    folder: folders.Folder,
    scenario: scenarios.Scenario,
    listeners: dict[str, socket.socket],
) -> None:
    """Start every process; afterwards only they have the sockets."""
    names = [*processes.NOVA, *scenario.hosts, processes.DISCOVERY]
    cinder = str(folder / 'etc' / 'cinder.conf')
    _spawn(folder, 'broker', listeners['broker'], 'broker', [])
    # First what takes longest, and what all others ask.
    _spawn(folder, 'nova', listeners['nova'], 'zygote', names)
    for name in WEB:
        _spawn(folder, name, listeners[name], 'web', [name])
    _spawn(
        folder,
        'cinder',
        listeners['cinder'],
        'volumes',
        ['--config-file', cinder],
    )


def _spawn(
    folder: folders.Folder,
    name: str,
    listener: socket.socket,
    module: str,
    arguments: list[str],
) -> None:
    descriptor = listener.fileno()
    processes.spawn(
        folder,
        name,
        [sys.executable, '-m', f'lab.{module}', str(descriptor), *arguments],
        environment=_environment(folder),
        inherit=(descriptor,),
    )
    listener.close()


def _environment(folder: folders.Folder) -> dict[str, str]:
    """Return the environment of a service: ours, without what would hurt."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith('OS_') and not name.lower().endswith('_proxy')
    }
    path = [str(folders.CHECKOUT), kept.get('PYTHONPATH', '')]
    return {
        **kept,
        **settings.environment(folder),
        'LAB_RUN': str(folder.path),
        'PYTHONPATH': os.pathsep.join(filter(None, path)),
        'PYTHONWARNINGS': 'ignore',
    }
