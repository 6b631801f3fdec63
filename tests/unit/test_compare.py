# SPDX-License-Identifier: Apache-2.0
"""Two hosts side by side."""

import contextlib
import dataclasses
import io

from oslotest import base

from osc_migrate import compare
from osc_migrate import exceptions
from osc_migrate import hardware
from osc_migrate import model
from osc_migrate import testing
from osc_migrate.osc import compare as command


def rows(snapshot, **kept):
    """Return the rows by their names."""
    found = compare.compare(snapshot, 'compute-1', 'compute-2')
    return {row.attribute: row for row in found}


def pair(**attributes):
    """Return a snapshot of two hosts, the second with these attributes."""
    hosts = [
        testing.host('compute-1'),
        testing.host('compute-2', **attributes),
    ]
    return testing.snapshot(hosts=hosts)


class CompareTest(base.BaseTestCase):
    def assertDiffers(self, snapshot, name, first, second):
        """This row differs, and so do the hosts."""
        found = rows(snapshot)
        self.assertEqual((first, second), found[name].values)
        self.assertTrue(found[name].differs)
        self.assertTrue(compare.has_difference(found.values()))

    def test_like_hosts(self):
        found = rows(pair())
        self.assertFalse(compare.has_difference(found.values()))
        self.assertEqual(
            [], [r.attribute for r in found.values() if r.differs]
        )
        self.assertEqual(('x86_64',) * 2, found['architecture'].values)
        self.assertEqual(('8.2.2',) * 2, found['hypervisor version'].values)
        self.assertEqual((2, 2), found['NUMA cells'].values)
        self.assertNotIn('PCPU capacity', found)
        self.assertNotIn('libvirt version', found)

    def test_a_host_that_is_not_there(self):
        self.assertRaises(
            exceptions.HostNotFound, compare.compare, pair(), 'compute-1', 'x'
        )

    def test_a_host_and_itself(self):
        """There is nothing to compare: wrong usage."""
        compared = command.CompareHosts(None, None)
        parser = compared.get_parser('openstack compute compare')
        said = io.StringIO()
        with contextlib.redirect_stderr(said):
            ended = self.assertRaises(
                SystemExit, compared.run, parser.parse_args(['c-1', 'c-1'])
            )
        self.assertEqual(2, ended.code)
        self.assertIn('name two different hosts', said.getvalue())

    def test_hardware(self):
        other = testing.cpu_info(
            model='Cascadelake-Server',
            features=frozenset({'aes', 'avx', 'avx512vnni'}),
            topology={'cells': 4, 'sockets': 1, 'cores': 4, 'threads': 2},
        )
        snapshot = pair(cpu_info=other)
        for name, first, second in (
            ('CPU model', 'Skylake-Server', 'Cascadelake-Server'),
            ('CPU features (only here)', ['avx2'], ['avx512vnni']),
            ('NUMA cells', 2, 4),
        ):
            self.assertDiffers(snapshot, name, first, second)

    def test_service(self):
        """That one is closed is no difference between the hosts."""
        snapshot = pair(zone='az2', hypervisor_type='LXC')
        self.assertDiffers(snapshot, 'availability zone', 'nova', 'az2')
        self.assertDiffers(snapshot, 'hypervisor', 'QEMU', 'LXC')
        closed = testing.provider(
            'compute-2', traits=frozenset({'COMPUTE_STATUS_DISABLED'})
        )
        found = rows(pair(status='disabled', providers=(closed,)))
        self.assertTrue(found['status'].differs)
        self.assertFalse(compare.has_difference(found.values()))

    def test_aggregates_and_traits(self):
        fast = model.Aggregate(
            name='fast',
            uuid=None,
            hosts=frozenset({'compute-2'}),
            metadata={},
        )
        quick = testing.provider('compute-2', traits=frozenset({'CUSTOM_A'}))
        snapshot = dataclasses.replace(
            pair(providers=(quick,)), aggregates=(fast,)
        )
        self.assertDiffers(snapshot, 'aggregates', [], ['fast'])
        self.assertDiffers(snapshot, 'traits (only here)', [], ['CUSTOM_A'])

    def test_room(self):
        """What is used differs without making the hosts different."""
        used = testing.provider(
            'compute-2',
            resources={
                'VCPU': testing.room(64, 12),
                'MEMORY_MB': testing.room(65400, 1024),
                'DISK_GB': testing.room(1000),
            },
        )
        found = rows(pair(providers=(used,)))
        self.assertEqual((0, 12), found['VCPU used'].values)
        self.assertEqual((64, 52), found['VCPU free'].values)
        self.assertTrue(found['VCPU used'].differs)
        self.assertFalse(found['MEMORY_MB capacity'].differs)
        self.assertFalse(compare.has_difference(found.values()))
        pinned = testing.provider(
            'compute-2', resources={'PCPU': testing.room(8, 2)}
        )
        self.assertDiffers(pair(providers=(pinned,)), 'PCPU capacity', 0, 8)

    def test_what_is_not_known_is_no_difference(self):
        snapshot = pair(cpu_info=None, providers=None, hypervisor_version=None)
        snapshot = dataclasses.replace(snapshot, aggregates=None)
        found = rows(snapshot)
        for name in ('CPU model', 'aggregates', 'VCPU capacity', 'traits'):
            self.assertIsNone(found[name].differs, name)
        self.assertFalse(compare.has_difference(found.values()))

    def test_servers_and_their_pins(self):
        cell = model.NumaCell(
            vcpus=frozenset({0, 1}),
            memory_mb=512,
            host_node=1,
            cpu_pinning={'0': 9, '1': 10},
        )
        servers = [
            testing.server('plain', host='compute-2'),
            testing.server(
                'pinned',
                host='compute-2',
                topology=model.Topology(cells=(cell,), pagesize_kb=None),
            ),
        ]
        snapshot = dataclasses.replace(
            pair(), servers={server.id: server for server in servers}
        )
        found = rows(snapshot)
        self.assertEqual((0, 2), found['servers'].values)
        self.assertEqual((0, 1), found['servers with NUMA topology'].values)
        name = 'CPUs pinned by servers in cell 1'
        self.assertEqual(([], [9, 10]), found[name].values)
        self.assertFalse(compare.has_difference(found.values()))


class ProbeTest(base.BaseTestCase):
    def probed(self, **attributes):
        """Return a snapshot with probes of both hosts."""
        probes = {
            'compute-1': testing.host_probe('compute-1'),
            'compute-2': testing.host_probe('compute-2', **attributes),
        }
        return dataclasses.replace(pair(), probes=probes)

    def test_like_hosts(self):
        found = rows(self.probed())
        self.assertFalse(compare.has_difference(found.values()))
        self.assertEqual(('10.0.0', '10.0.0'), found['libvirt version'].values)
        self.assertEqual(
            (16, 16), found['cell 0 1048576 KiB pages, total'].values
        )

    def test_what_differs(self):
        pages = {1048576: hardware.Pages(total=8, free=1)}
        found = rows(
            self.probed(
                libvirt_version='8.0.0',
                machine_types=frozenset({'q35'}),
                cells=(testing.cell(0, pages=pages), testing.cell(1)),
            )
        )
        for name, values in (
            ('libvirt version', ('10.0.0', '8.0.0')),
            ('machine types (only here)', (['pc-q35-8.2'], [])),
            ('cell 0 1048576 KiB pages, total', (16, 8)),
            ('cell 0 1048576 KiB pages, free', (16, 1)),
            ('cell 0 2048 KiB pages, total', (2048, 0)),
        ):
            self.assertEqual(values, found[name].values)
            self.assertTrue(found[name].differs)
            self.assertEqual('free' in name, found[name].is_use)
        self.assertTrue(compare.has_difference(found.values()))

    def test_a_host_that_did_not_answer(self):
        silent = hardware.unreached('compute-2', 'Connection refused')
        snapshot = dataclasses.replace(
            self.probed(),
            probes={
                'compute-1': testing.host_probe('compute-1'),
                'compute-2': silent,
            },
        )
        found = rows(snapshot)
        self.assertIsNone(found['libvirt version'].differs)
        self.assertEqual(
            ('', 'ssh: Connection refused'), found['not answered'].values
        )
        self.assertFalse(compare.has_difference(found.values()))
