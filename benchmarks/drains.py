# SPDX-License-Identifier: Apache-2.0
"""Empty a host in the ways that people use today, and in ours.

``python -m benchmarks drains [--only plain|mixed]`` fills compute-1 of a lab
with the same servers for each way, one after the other: ours; the loop that
manuals prescribe (one ``openstack server migrate --wait`` after the other);
and ``nova host-evacuate-live``, which asks for all at once. The bound is what
the link needs for the memory of all that can move, and for what its guests
write meanwhile; Nova's own work around a copy comes on top for everybody.
Whoever uses another way than ours gives a server up after a minute, and the
host after five: behind a migration that never ends, Nova begins no other one.
Ours may force and move cold what does not move live: the others cannot.
"""

import argparse
from collections.abc import Callable
from concurrent import futures
import dataclasses
import json
import os
import pathlib
import resource
import subprocess
import sys
import time
from typing import Any

import yaml

from benchmarks import mixed
from lab import api as apis
from lab import control
from lab import physics
from lab import populate
from lab import scenario as scenarios
from osc_migrate.task import TERMINAL_RECORDS

HOST = 'compute-1'
LINK = 200.0  # MiB a second, as in drains.yaml
DOWNTIME = 0.3  # the lab's
PATIENCE = 60  # seconds that somebody waits for one server
LONGEST = 300  # and for the host
PLAIN = """
flavors: {gib: {ram: 1024, disk: 1}}
servers:
  - {count: 20, name: plain, flavor: gib, host: compute-1, dirty_mb_s: 20}
"""


@dataclasses.dataclass(slots=True)
class Race:
    """One way to empty the host, and how it went."""

    way: str
    seconds: float
    bound: float
    left: list[str]
    in_error: list[str]
    requests: int
    cpu_seconds: float

    def row(self) -> list[str]:
        """Return the cells of the table."""
        return [
            self.way,
            f'{self.seconds:.0f} s',
            f'{self.seconds / self.bound:.2f}',
            str(len(self.left)),
            str(len(self.in_error)),
            str(self.requests),
            f'{self.cpu_seconds:.1f} s',
            f'{100 * self.cpu_seconds / self.seconds:.1f} %',
        ]


def call(*words: str, timeout: float | None = None) -> str:
    """Run a command of the same environment and return what it prints."""
    program = pathlib.Path(sys.executable).with_name(words[0])
    with subprocess.Popen(
        [str(program), *words[1:]],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            return process.communicate(timeout=timeout)[0]
        except subprocess.TimeoutExpired:
            process.terminate()
            return process.communicate()[0]


def ours() -> None:
    """Empty the host with this project's command."""
    call(
        *('openstack', 'compute', 'drain', HOST, '--yes', '--partial'),
        *('--allow-cold', '--on-stall', 'force-complete', '--max-pause', '5'),
    )


def disable() -> None:
    """Disable the host, as manuals say first."""
    call(
        *('openstack', 'compute', 'service', 'set', '--disable'),
        *(HOST, 'nova-compute'),
    )


def loop() -> None:
    """Move one server after the other, and wait for each."""
    disable()
    listed = json.loads(
        call(
            *('openstack', 'server', 'list', '--all-projects'),
            *('--host', HOST, '-f', 'json'),
        )
    )
    deadline = time.monotonic() + LONGEST
    for server in listed:
        if time.monotonic() > deadline:
            return
        migrate = ('openstack', 'server', 'migrate', '--wait', server['ID'])
        if server['Status'] in ('ACTIVE', 'PAUSED'):
            call(*migrate, '--live-migration', timeout=PATIENCE)
        elif server['Status'] == 'SHUTOFF':
            call(*migrate, timeout=PATIENCE)
            call('openstack', 'server', 'migration', 'confirm', server['ID'])


def flood() -> None:
    """Ask for all live migrations at once, and wait until none is left."""
    disable()
    clouds = os.environ['OS_CLIENT_CONFIG_FILE']
    auth = yaml.safe_load(pathlib.Path(clouds).read_text('utf-8'))
    for key, value in auth['clouds']['lab']['auth'].items():
        # the command nova does not read clouds.yaml
        os.environ[f'OS_{key.upper()}'] = value
    call('nova', 'host-evacuate-live', HOST)
    api = apis.Api(clouds)
    deadline = time.monotonic() + LONGEST
    while time.monotonic() < deadline:
        path = f'/os-migrations?source_compute={HOST}'
        records = api.send('compute', 'GET', path)['migrations']
        running = [r for r in records if r['status'] not in TERMINAL_RECORDS]
        if not running:
            return
        time.sleep(1)


WAYS: dict[str, Callable[[], None]] = {
    'compute drain': ours,
    'migrate --wait loop': loop,
    'host-evacuate-live': flood,
}


def bound(text: str) -> float:
    """Return how many seconds the link needs for all that can move live."""
    scenario = scenarios.loads(text)
    total = 0.0
    for server in scenarios.expand(scenario.servers):
        flavor = scenario.flavors[server.flavor or '']
        if server.host != HOST or server.status not in ('ACTIVE', 'PAUSED'):
            continue
        if server.dirty_mb_s >= LINK or server.live.fails_at:
            continue
        writes = server.dirty_mb_s if server.status == 'ACTIVE' else 0.0
        copy = physics.start(flavor.ram, 0)
        while not copy.is_done:
            copy = physics.advance(
                copy, 0.05, rate=LINK, dirty_rate=writes, downtime=DOWNTIME
            )
            total += 0.05
    return total


def asked() -> int:
    """Return how many requests Nova has answered since its start."""
    with open(control.logs('api')) as log:
        return sum(' status: ' in line for line in log)


def race(
    way: str,
    text: str,
    meanwhile: Callable[[apis.Api], None] = lambda api: None,
) -> Race:
    """Fill the host, empty it in one way, and empty the cloud.

    :param meanwhile: what owners do with their servers in that time
    """
    clouds = os.environ['OS_CLIENT_CONFIG_FILE']
    populate.create(scenarios.loads(text), clouds)
    print(f'{way} ...', file=sys.stderr, flush=True)
    before, used = asked(), _cpu_seconds()
    began = time.monotonic()
    with futures.ThreadPoolExecutor() as pool:
        owners = pool.submit(meanwhile, apis.Api(clouds))
        WAYS[way]()
        seconds = time.monotonic() - began
        owners.result()
    requests, spent = asked() - before, _cpu_seconds() - used
    path = f'/servers/detail?all_tenants=1&host={HOST}'
    api = apis.Api(clouds)
    there = api.send('compute', 'GET', path)['servers']
    everything = api.send('compute', 'GET', '/servers/detail?all_tenants=1')
    ended = Race(
        way=way,
        seconds=seconds,
        bound=bound(text),
        left=sorted(server['name'] for server in there),
        in_error=sorted(
            server['name']
            for server in everything['servers']
            if server['status'] == 'ERROR'
        ),
        requests=requests,
        cpu_seconds=spent,
    )
    populate.reset(clouds)
    return ended


def _cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def show(name: str, text: str, races: list[Race]) -> None:
    """Print the table of one set of servers."""
    number = len(scenarios.expand(scenarios.loads(text).servers))
    print(f'\n{name}: {number} servers, bound {races[0].bound:.0f} s')
    head = ['', 'time', '/ bound', 'left', 'ERROR', 'requests', 'CPU', 'core']
    for row in [head, *(each.row() for each in races)]:
        print(f'{row[0]:<22}', *(f'{cell:>9}' for cell in row[1:]))
    for each in races:
        print(f'  left by {each.way}: {", ".join(each.left) or "nothing"}')
        if each.in_error:
            print(f'  in ERROR after it: {", ".join(each.in_error)}')


def main() -> int:
    """Race, print, and write what was measured."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--only', choices=('plain', 'mixed'))
    parser.add_argument('--json', type=pathlib.Path)
    arguments = parser.parse_args()
    sets: dict[str, tuple[Any, ...]] = {
        'plain': (PLAIN,),
        'mixed': (mixed.SCENARIO, mixed.happens),
    }
    found: dict[str, Any] = {}
    for name, (text, *more) in sets.items():
        if arguments.only in (None, name):
            races = [race(way, text, *more) for way in WAYS]
            show(name, text, races)
            found[name] = [dataclasses.asdict(each) for each in races]
    if arguments.json:
        arguments.json.write_text(json.dumps(found, indent=1) + '\n')
    return 0


if __name__ == '__main__':
    sys.exit(main())
