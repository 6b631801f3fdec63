# SPDX-License-Identifier: Apache-2.0
"""A drain of choosy servers to a host that is kept for it.

compute-5 and compute-6 are alike, with two cells each; compute-2 has one.
"""

import json
from typing import Any

from tests.functional import drains
from tests.functional import terminals

CHOOSY = """
flavors:
  pinned:
    {vcpus: 2, ram: 512, disk: 1, extra_specs: {"hw:cpu_policy": dedicated}}
  cells: {vcpus: 2, ram: 1024, disk: 1, extra_specs: {"hw:numa_nodes": "2"}}
  pages:
    {vcpus: 1, ram: 1024, disk: 1, extra_specs: {"hw:mem_page_size": "2048"}}
servers:
  - {name: pinned, flavor: pinned, host: compute-5}
  - {name: cells, flavor: cells, host: compute-5}
  - {name: pages, flavor: pages, host: compute-5}
"""
NAMES = ('pinned', 'cells', 'pages')


class ReserveTest(drains.DrainTest):
    """A test that looks at both ends of a reserved drain."""

    def topology(self, name: str) -> dict[str, Any]:
        """Return the topology of a server, as Nova tells it."""
        path = f'/servers/{self.identity(name)}/topology'
        return dict(self.nova('GET', path).json())

    def state(self, host: str) -> tuple[str, str | None]:
        """Return status and reason of a host's service."""
        service = self.service(host)
        return service['status'], service['disabled_reason']


class TestReserve(ReserveTest):
    """Drains of compute-5 to a reserved host."""

    def test_like_host(self) -> None:
        """All arrive as they were; the destination is what it was."""
        self.scenario(CHOOSY)
        self.disable('compute-6', 'spare (rack 4) [by hand]')
        before = {name: self.topology(name) for name in NAMES}
        result = self.drain(
            'compute-5 --to compute-6 --reserve --strict-topology -f json'
        )
        self.assertEqual(0, result.code, result.stderr)
        self.assertEqual(set(NAMES), set(self.servers_on('compute-6')))
        for name, had in before.items():
            has = self.topology(name)
            self.assertEqual(had['pagesize_kb'], has['pagesize_kb'])
            for then, now in zip(had['nodes'], has['nodes'], strict=True):
                self.assertEqual(then['vcpu_set'], now['vcpu_set'])
                self.assertEqual(then['memory_mb'], now['memory_mb'])
                self.assertEqual(
                    len(then['cpu_pinning']), len(now['cpu_pinning'])
                )
        self.assertEqual(
            ('disabled', 'spare (rack 4) [by hand]'), self.state('compute-6')
        )
        self.assertNotIn('reserves', self.state('compute-5')[1] or '')
        self.assertIn('What the move changed:\n', result.stderr)
        self.assertRegex(
            result.stderr, r'pages: same \(1 NUMA cell on . of the host, '
        )
        self.assertRegex(result.stderr, r'compute-6: .*PCPU 0 -> 2 used of 8')
        rows = {row['Name']: row for row in json.loads(result.stdout)}
        # the largest cell first, then the larger memory
        self.assertEqual('pages', next(iter(rows)))
        for name in NAMES:
            self.assertEqual('same', rows[name]['Topology']['verdict'])
        past = self.openstack(
            'server migration watch --past --topology '
            + self.identity('pages')
        )
        self.assertEqual(0, past.code, past.stderr)
        self.assertRegex(
            past.stdout, r'pages has now: 1 NUMA cell on . of the host, pages'
        )

    def test_unlike_host(self) -> None:
        """Told why, and nothing has changed; nor on a host in use."""
        self.scenario(
            CHOOSY + '  - {name: stranger, flavor: pages, host: compute-6}\n'
        )
        before = {name: self.state(f'compute-{name}') for name in (2, 5, 6)}
        result = self.drain('compute-5 --to compute-2 --reserve')
        self.assertEqual(3, result.code, result.stderr)
        self.assertIn(
            'cells: compute-2 has 1 NUMA cell, 2 are needed', result.stderr
        )
        result = self.drain('compute-5 --to compute-6 --reserve')
        self.assertEqual(1, result.code, result.stderr)
        self.assertIn(
            'compute-6 cannot be reserved, as it is not empty: it holds the '
            f'server stranger ({self.identity("stranger")})',
            result.stderr,
        )
        for name in (2, 5, 6):
            self.assertEqual(before[name], self.state(f'compute-{name}'))
        self.assertEqual([], self.migrations('cells'))

    def test_lost_terminal(self) -> None:
        """What runs ends in order, and the destination is given back."""
        self.scenario(CHOOSY)
        words = 'compute drain compute-5 --to compute-6 --reserve --yes'
        terminal = terminals.Terminal(words.split())
        self.addCleanup(terminal.close)
        self.wait_for(
            lambda: terminal.read() and self.servers_on('compute-6'),
            120,
            'nothing has moved',
        )
        terminal.hang_up()
        self.assertEqual(4, terminal.process.wait(120))
        self.assertEqual(('enabled', None), self.state('compute-6'))
        for name in NAMES:
            self.assertEqual('ACTIVE', self.server(name)['status'])
