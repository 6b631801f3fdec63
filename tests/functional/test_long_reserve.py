# SPDX-License-Identifier: Apache-2.0
"""What goes wrong with a reserved destination, and what a move costs."""

import json
import signal
import time

from tests.functional import base
from tests.functional import test_reserve

_FEW = """
flavors: {small: {vcpus: 1, ram: 256, disk: 1}}
servers:
  - {count: 4, name: few, flavor: small, host: compute-1}
"""
_COMMAND = 'compute drain compute-1 --to compute-3 --reserve'
_REASON = 'by hand (50 %) [rack 4]'


class TestKilled(test_reserve.ReserveTest):
    """SIGKILL in the middle, with the destination open or closed."""

    def killed(self, was: str | None, *, is_open: bool) -> None:
        """Kill a drain while it has its destination open, or closed."""
        self.scenario(_FEW)
        if was is not None:
            self.disable('compute-3', was)
        running = self.openstack_start(_COMMAND)
        self.wait_for(
            lambda: 'reserved for' in (self.state('compute-3')[1] or ''),
            120,
            'the destination was not reserved',
        )
        wanted = 'enabled' if is_open else 'disabled'
        deadline = time.monotonic() + 120
        while True:
            # at a request, or right after the first of them
            status, _ = self.state('compute-3')
            began = self.migrations('few-1') or is_open
            if status == wanted and began:
                running.process.send_signal(signal.SIGKILL)
                break
            self.assertLess(time.monotonic(), deadline, 'it never came')
        running.process.wait()
        self.assertIn(
            'reserves compute-3',
            self.state('compute-1')[1] or '',
        )

    def state_before(self, was: str | None) -> tuple[str, str | None]:
        """Return what the destination has to be in the end."""
        return ('enabled', None) if was is None else ('disabled', was)

    def test_run_again(self) -> None:
        """The same command goes on, and restores what there was."""
        for was in (None, _REASON):
            for is_open in (True, False):
                with self.subTest(was=was, is_open=is_open):
                    self.killed(was, is_open=is_open)
                    result = self.openstack(_COMMAND, 300)
                    self.assertEqual(0, result.code, result.stderr)
                    self.assertEqual(
                        self.state_before(was), self.state('compute-3')
                    )
                    self.assertEqual({}, self.servers_on('compute-1'))
                    self.assertEqual(4, len(self.servers_on('compute-3')))
                    self.reset()

    def test_undrain(self) -> None:
        """Both hosts are what they were."""
        for was, is_open in ((None, False), (_REASON, True)):
            with self.subTest(was=was, is_open=is_open):
                self.killed(was, is_open=is_open)
                result = self.openstack('compute undrain compute-1')
                self.assertEqual(0, result.code, result.stderr)
                self.assertIn('as it was before', result.stderr)
                self.assertEqual(
                    self.state_before(was), self.state('compute-3')
                )
                self.assertEqual(('enabled', None), self.state('compute-1'))
                self.reset()

    def test_interrupted(self) -> None:
        """Once, twice, or by SIGTERM: it is given back."""
        for signals in (
            (signal.SIGINT,),
            (signal.SIGTERM,),
            (signal.SIGINT, signal.SIGINT),
        ):
            with self.subTest(signals=signals):
                self.scenario(_FEW)
                self.disable('compute-3', _REASON)
                self.lab_set('compute-1', 'link_mb_s=20')
                running = self.openstack_start(_COMMAND)
                self.wait_for(
                    lambda: any(
                        self.migrations(f'few-{n}') for n in (1, 2, 3, 4)
                    ),
                    120,
                    'no migration was begun',
                )
                for number in signals:
                    running.process.send_signal(number)
                    time.sleep(2)
                result = running.wait(180)
                self.assertEqual(
                    ('disabled', _REASON), self.state('compute-3')
                )
                if len(signals) == 1:
                    self.assertEqual(4, result.code, result.stderr)
                    self.assertIn(
                        'compute-1 --to compute-3 --reserve', result.stderr
                    )
                self.reset()

    def reset(self) -> None:
        """Bring the lab back to what it was before a test."""
        base.populate.reset(self.clouds)
        self.ids.clear()


class TestStranger(test_reserve.ReserveTest):
    """Something foreign on the reserved host."""

    def test_is_noticed(self) -> None:
        """It stops the drain; what ran is ended, the host given back."""
        self.scenario(
            _FEW + '  - {name: stranger, flavor: small, host: compute-2}\n'
        )
        self.lab_set('compute-1', 'link_mb_s=30')
        running = self.openstack_start(f'{_COMMAND} --parallel 1')
        # somebody enables the host and moves a server there
        self.wait_for(
            lambda: any(self.migrations(f'few-{n}') for n in (1, 2, 3, 4)),
            120,
            'no migration was begun',
        )

        def slip_in() -> bool:
            self.nova(
                'PUT',
                f'/os-services/{self.service("compute-3")["id"]}',
                {'status': 'enabled'},
                microversion='2.69',
            )
            body = {'host': 'compute-3', 'block_migration': 'auto'}
            self.nova(
                'POST',
                f'/servers/{self.identity("stranger")}/action',
                {'os-migrateLive': body},
            )
            time.sleep(3)
            host = self.server('stranger')['OS-EXT-SRV-ATTR:host']
            return bool(host == 'compute-3')

        self.wait_for(slip_in, 60, 'the stranger does not get in')
        result = running.wait(300)
        self.assertEqual(3, result.code, result.stderr)
        self.assertIn(
            'compute-3 holds what is not of this drain: ', result.stderr
        )
        self.assertIn(self.identity('stranger'), result.stderr)
        self.assertIn('Nothing more was started', result.stderr)
        self.assertNotEqual({}, self.servers_on('compute-1'))
        self.assertEqual(('enabled', None), self.state('compute-3'))
        for server in self.servers_on('compute-1').values():
            self.assertIsNone(server['OS-EXT-STS:task_state'])

        result = self.openstack(_COMMAND)
        self.assertEqual(1, result.code, result.stderr)
        self.assertIn('the server stranger', result.stderr)
        self.lab_set('compute-1', 'link_mb_s=1000')
        self.openstack(
            'compute drain compute-3 --no-disable --to compute-2 --server '
            + self.identity('stranger'),
            300,
        )
        result = self.openstack(_COMMAND, 300)
        self.assertEqual(0, result.code, result.stderr)
        self.assertEqual(4, len(self.servers_on('compute-3')))


class TestTopology(test_reserve.ReserveTest):
    """What is refused, and what gets worse."""

    def test_room_by_count_but_not_by_cell(self) -> None:
        """Nova's refusal is quoted, with what the server needs."""
        flavors = (
            'flavors:\n'
            '  two: {vcpus: 2, ram: 256, disk: 1, '
            'extra_specs: {"hw:cpu_policy": dedicated}}\n'
            '  three: {vcpus: 3, ram: 256, disk: 1, '
            'extra_specs: {"hw:cpu_policy": dedicated}}\n'
            'servers:\n'
        )
        # one after the other: built at once, both might claim one cell
        for server in (
            '  - {name: left, flavor: three, host: compute-6}\n',
            '  - {name: right, flavor: three, host: compute-6}\n',
            '  - {name: wide, flavor: two, host: compute-5}\n',
        ):
            self.scenario(flavors + server)
        nodes = {
            node['host_node']
            for name in ('left', 'right')
            for node in self.topology(name)['nodes']
        }
        # one CPU is free in either
        self.assertEqual({0, 1}, nodes)
        result = self.drain('compute-5 --to compute-6')
        self.assertEqual(3, result.code, result.stderr)
        self.assertIn('No valid host was found', result.stderr)
        self.assertRegex(
            result.stderr,
            'by count compute-6 had the room, but it needs that in its '
            'cells, as it has now: 1 NUMA cell on . of the host, dedicated',
        )
        self.assertEqual(
            'compute-5', self.server('wide')['OS-EXT-SRV-ATTR:host']
        )

    def test_something_got_worse(self) -> None:
        """Large pages have become small ones; strict ends with 3."""
        self.scenario(
            'flavors:\n'
            '  huge: {vcpus: 1, ram: 4096, disk: 1, '
            'extra_specs: {"hw:mem_page_size": "1048576"}}\n'
            '  large: {vcpus: 1, ram: 1024, disk: 1, '
            'extra_specs: {"hw:mem_page_size": large}}\n'
            'servers:\n'
            '  - {count: 2, name: huge, flavor: huge, host: compute-6}\n'
            '  - {name: large, flavor: large, host: compute-5}\n'
        )
        self.assertEqual(1048576, self.topology('large')['pagesize_kb'])
        result = self.drain(
            'compute-5 --to compute-6 --method cold --strict-topology -f json'
        )
        self.assertEqual(2048, self.topology('large')['pagesize_kb'])
        self.assertEqual(3, result.code, result.stderr)
        self.assertIn(
            'large: worse (page size in KiB: 1048576 -> 2048)', result.stderr
        )
        (row,) = json.loads(result.stdout)
        self.assertEqual('moved', row['Result'])
        self.assertEqual('worse', row['Topology']['verdict'])
        self.assertIn(
            {
                'what': 'page size in KiB',
                'before': 1048576,
                'after': 2048,
                'verdict': 'worse',
            },
            row['Topology']['changes'],
        )
