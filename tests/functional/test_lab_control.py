# SPDX-License-Identifier: Apache-2.0
"""The command line of the lab: what it starts, and that it ends all of it.

Each lab here has a run folder of its own, beside the one that the other
functional tests share. What lives is read from ``/proc`` and not from the
lab's own records, which may be what is wrong.
"""

import json
import os
import pathlib
import signal
import subprocess
import sys
import time
from typing import Any

from oslotest import base
import yaml

from lab import api as apis
from lab import folder as folders
from lab import processes
from tests.functional import own

TWO_HOSTS = """
nova: {service_down_time: 6, max_microversion: "2.90"}
hosts: {compute-1: {}, compute-2: {}}
flavors: {pinned: {extra_specs: {"hw:numa_nodes": "1"}}}
images: {tiny: {properties: {hw_disk_bus: virtio}}}
servers:
  - {name: pinned, flavor: pinned, host: compute-1, tags: [gold]}
  - {name: volume, host: compute-1, volume_backed: true, config_drive: true}
"""
CONTROL = (
    *('broker', 'keystone', 'placement', 'glance', 'neutron', 'cinder'),
    *('nova', *processes.NOVA),
)


class ControlTest(base.BaseTestCase):
    """What all tests of the command line need."""

    def assert_good(self, result: tuple[int, str]) -> None:
        code, output = result
        self.assertEqual(0, code, output)

    def wait_for(self, predicate: Any, message: str) -> None:
        apis.wait_for(predicate, 120, message)

    def wait_until(self, lab: own.Lab, host: str, state: str) -> None:
        self.wait_for(lambda: lab.state(host) == state, f'{host} not {state}')


class RunningLabTest(ControlTest):
    """A lab that is up, and what can be done with it."""

    lab: own.Lab

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        cls.lab = own.Lab(TWO_HOSTS)
        cls.addClassCleanup(cls.lab.remove)
        code, output = cls.lab.up()
        if code:
            raise AssertionError(output)

    def test_ready(self) -> None:
        """When `up` returns, every service runs and every user gets in."""
        code, output = self.lab.call('status')
        self.assertEqual(0, code)
        rows = [line.split() for line in output.splitlines()]
        running = {row[0] for row in rows if row[1] == 'running'}
        self.assertEqual({*CONTROL, 'compute-1', 'compute-2'}, running)
        clouds = yaml.safe_load((self.lab.run / 'clouds.yaml').read_text())
        roles = {}
        for name in clouds['clouds']:
            session = apis.Api(self.lab.run / 'clouds.yaml', name).session
            auth = session.auth.get_access(session)
            roles[name] = (auth.project_name, 'admin' in auth.role_names)
            self.assertIn(name.removeprefix('lab-'), ('lab', *auth.role_names))
        self.assertEqual(
            {
                'lab': ('admin', True),
                'lab-member': ('demo', False),
                'lab-manager': ('demo', False),
                'lab-reader': ('demo', False),
            },
            roles,
        )

    def test_up_twice(self) -> None:
        """A lab that is up is not booted over."""
        before = self.lab.living()
        code, output = self.lab.up()
        self.assertEqual(1, code)
        self.assertIn('is up already: end it with `down`', output)
        self.assertEqual(before, self.lab.living())

    def test_host_killed(self) -> None:
        """Nova sees a host go down when killed, and up when started."""
        self.wait_until(self.lab, 'compute-1', 'up')
        self.assert_good(self.lab.call('host', 'kill', 'compute-1'))
        self.wait_until(self.lab, 'compute-1', 'down')
        self.wait_until(self.lab, 'compute-2', 'up')
        self.assert_good(self.lab.call('host', 'start', 'compute-1'))
        self.wait_until(self.lab, 'compute-1', 'up')

    def test_host_stopped(self) -> None:
        """A stopped host has ended when the command returns."""
        number = self.lab.number('compute-2')
        self.assert_good(self.lab.call('host', 'stop', 'compute-2'))
        self.assertNotIn(number, self.lab.living())
        code, output = self.lab.call('host', 'stop', 'compute-2')
        self.assertEqual(1, code)
        self.assertIn('does not run: `host start compute-2`', output)
        self.assert_good(self.lab.call('host', 'start', 'compute-2'))
        self.assertNotEqual(number, self.lab.number('compute-2'))
        self.wait_until(self.lab, 'compute-2', 'up')

    def test_host_frozen(self) -> None:
        """Nova sees a frozen host go down; thawed, the same one is up."""
        number = self.lab.number('compute-2')
        self.assert_good(self.lab.call('host', 'freeze', 'compute-2'))
        self.wait_until(self.lab, 'compute-2', 'down')
        self.assertIn('frozen', self.lab.call('status')[1])
        self.assert_good(self.lab.call('host', 'thaw', 'compute-2'))
        self.wait_until(self.lab, 'compute-2', 'up')
        self.assertEqual(number, self.lab.number('compute-2'))

    def test_host_unknown(self) -> None:
        """An unknown host is refused by a sentence that names the known."""
        self.assertEqual(
            (
                1,
                'lab: There is no host compute-9: known are compute-1, '
                'compute-2.\n',
            ),
            self.lab.call('host', 'kill', 'compute-9'),
        )

    def test_set(self) -> None:
        """Behaviour is kept, nested, by what it belongs to."""
        self.assert_good(self.lab.call('set', 'compute-1', 'link_mb_s=10'))
        self.assert_good(
            self.lab.call('set', 'web', 'live.fails_at=pre', 'dirty_mb_s=5')
        )
        self.assert_good(self.lab.call('set', 'web', 'dirty_mb_s=6'))
        wanted = {
            'host:compute-1': {'link_mb_s': 10.0},
            'server:web': {'live': {'fails_at': 'pre'}, 'dirty_mb_s': 6.0},
        }
        kept = folders.Folder(self.lab.run).read('behaviour.json')
        self.assertEqual(wanted, {name: kept[name] for name in wanted})

    def test_set_unknown_key(self) -> None:
        """A key that cannot change is refused, and nothing is written."""
        before = (self.lab.run / 'behaviour.json').read_text()
        for name, text in (
            ('compute-1', 'dirty_mb_s=5'),  # of a server
            ('web', 'link_mb_s=5'),  # of a host
            ('web', 'live.fails_when=pre'),
            ('web', 'live.fails_at=lunch'),
            ('web', 'dirty_mb_s'),
        ):
            code, output = self.lab.call('set', name, 'cold.seconds=1', text)
            self.assertEqual((1, 1), (code, len(output.splitlines())), output)
            self.assertIn(text.partition('=')[0], output)
        after = (self.lab.run / 'behaviour.json').read_text()
        self.assertEqual(before, after)

    def test_logs(self) -> None:
        """The log of each process can be had."""
        code, output = self.lab.call('logs', 'compute-1')
        self.assertEqual(0, code)
        self.assertIn('Starting compute node', output)
        code, output = self.lab.call('logs', 'compute-9')
        self.assertEqual(1, code)
        self.assertIn('There is no log of compute-9', output)

    def test_max_microversion(self) -> None:
        """Nova neither offers nor takes what is newer than the scenario."""
        api = self.lab.api()
        versions = api.session.get(
            '/', endpoint_filter={'service_type': 'compute'}
        ).json()
        self.assertEqual('2.90', versions['version']['version'])
        api.send('compute', 'GET', '/servers', microversion='2.90')
        error = self.assertRaises(
            apis.ApiError,
            api.send,
            'compute',
            'GET',
            '/servers',
            microversion='2.91',
        )
        self.assertEqual(406, error.status)

    def test_preflight_of_an_older_nova(self) -> None:
        """What 2.90 does not tell is unknown, and no reason to fail."""
        config = str(self.lab.run / 'clouds.yaml')
        result = subprocess.run(
            [
                pathlib.Path(sys.executable).with_name('openstack'),
                *['--os-cloud', 'lab', 'server', 'migration', 'preflight'],
                *['--host', 'compute-1', '--findings', '-f', 'json'],
            ],
            env={**own.ENVIRONMENT, 'OS_CLIENT_CONFIG_FILE': config},
            capture_output=True,
            text=True,
        )
        self.assertEqual(0, result.returncode, result.stderr)
        self.assertIn('2 servers: 2 live; all fit', result.stderr)
        found = {
            (row['Check'], row['Server']) for row in json.loads(result.stdout)
        }
        self.assertIn(('image-properties', 'pinned'), found)
        self.assertNotIn(('image-properties', 'volume'), found)


class LifeTest(ControlTest):
    """Labs that come and go."""

    def make(self, scenario: str = own.ONE_HOST) -> own.Lab:
        lab = own.Lab(scenario)
        self.addCleanup(lab.remove)
        return lab

    def test_side_by_side(self) -> None:
        """Two labs boot at once, and the end of one is not the other's.

        What was killed in one does not stop its next boot.
        """
        first, second = self.make(), self.make()
        boots = [lab.start('up', str(lab.scenario)) for lab in (first, second)]
        for boot in boots:
            output, _ = boot.communicate(timeout=300)
            self.assertEqual(0, boot.returncode, output)
        self.assertEqual(len(CONTROL) + 1, len(first.living()))
        others = second.living()
        self.assert_good(first.call('down'))
        self.assertEqual(set(), first.living())
        self.assertEqual(others, second.living())
        self.wait_until(second, 'compute-1', 'up')

        for name in ('nova', 'keystone'):
            os.kill(second.number(name), signal.SIGKILL)
        old = second.living()
        self.assert_good(second.up())
        self.assertEqual(set(), old & second.living())
        self.wait_until(second, 'compute-1', 'up')

    def test_boot_killed(self) -> None:
        """What a killed `up` leaves is found and ended."""
        lab = self.make()
        boot = lab.start('up', str(lab.scenario))
        self.wait_for(
            lambda: (lab.run / 'processes' / 'compute-1').exists(),
            'not half-way',
        )
        boot.kill()
        boot.communicate()
        self.assertGreater(len(lab.living()), 3)
        self.assert_good(lab.call('down'))
        self.assertEqual(set(), lab.living())

    def test_boot_interrupted(self) -> None:
        """An `up` that is told to end takes down what it has started."""
        lab = self.make()
        boot = lab.start('up', str(lab.scenario))
        self.wait_for(
            lambda: (lab.run / 'processes' / 'keystone').exists(),
            'not half-way',
        )
        boot.terminate()
        boot.communicate()
        self.assertEqual(143, boot.returncode)
        self.assertEqual(set(), lab.living())

    def test_foreign_process(self) -> None:
        """A process that got the number of one of ours is left alone."""
        lab = self.make()
        folder = folders.Folder(lab.run)
        folder.create()
        with subprocess.Popen(['sleep', '60']) as foreign:
            self.addCleanup(foreign.kill)
            path = lab.run / 'processes' / 'keystone'
            path.write_text(f'{foreign.pid} 1\n')
            self.assert_good(lab.call('down'))
            time.sleep(0.2)
            self.assertIsNone(foreign.poll())
            foreign.kill()

    def test_foreign_folder(self) -> None:
        """A folder with other things in it is not touched."""
        lab = self.make()
        lab.run.mkdir()
        (lab.run / 'thesis.txt').write_text('years of work')
        code, output = lab.up()
        self.assertEqual(1, code)
        self.assertIn('is not a run folder of the lab', output)
        self.assertEqual(['thesis.txt'], os.listdir(lab.run))

    def test_run(self) -> None:
        """A command runs as the administrator; its exit code is ours."""
        lab = self.make()
        script = (
            'openstack hypervisor list -f value -c State && '
            f'{sys.executable} -m lab status && exit 7'
        )
        code, output = lab.call(
            'run', str(lab.scenario), '--', 'sh', '-c', script
        )
        self.assertEqual(7, code, output)
        self.assertIn('\nup\n', output)
        self.assertIn('keystone', output)
        self.assertEqual(set(), lab.living())

    def test_run_interrupted(self) -> None:
        """A `run` that is told to end ends its command and its lab."""
        lab = self.make()
        words = ('run', str(lab.scenario), '--', 'sh', '-c')
        run = lab.start(*words, 'touch "$LAB_RUN/here"; exec sleep 300')
        self.wait_for((lab.run / 'here').exists, 'the command did not run')
        self.assertGreater(len(lab.living()), len(CONTROL))
        run.terminate()
        run.communicate(timeout=30)
        self.assertEqual(143, run.returncode)
        self.assertEqual(set(), lab.living())
