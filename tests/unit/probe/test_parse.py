# SPDX-License-Identifier: Apache-2.0
"""From what commands wrote to values."""

from oslotest import base

from osc_migrate import hardware
from osc_migrate.probe import commands
from osc_migrate.probe import domain
from osc_migrate.probe import parse
from osc_migrate.probe import xml
from tests.unit.probe import transcripts

DPDK = '0b9ad2f1-6a43-4f4e-9c8d-2b6f1f2a7e01'
OFF = '5d0c9c36-8f0e-4d6f-a4c3-90c2b7d5e102'
SHARED = '9f6c0d3a-1e57-4b8a-8b51-7c1d6e3f4a03'


class TwoSocketsTest(base.BaseTestCase):
    """A host of two cells with hyperthreads and huge pages."""

    def setUp(self):
        super().setUp()
        self.probe = transcripts.probe(transcripts.text('two-sockets'))

    def test_versions(self):
        self.assertEqual({}, self.probe.gaps)
        self.assertEqual('9.0.0', self.probe.libvirt_version)
        self.assertEqual('7.2.9', self.probe.hypervisor_version)
        self.assertLess((8, 6), hardware.version(self.probe.libvirt_version))

    def test_processor(self):
        found = self.probe.processor
        self.assertEqual(
            ('x86_64', 'Intel', 'Skylake-Server-IBRS', 1, 12, 2),
            (
                found.arch,
                found.vendor,
                found.model,
                found.sockets,
                found.cores,
                found.threads,
            ),
        )
        self.assertIn('arch-capabilities', found.features)
        self.assertIn('avx512f', found.flags)

    def test_cells(self):
        zero, one = self.probe.cells
        self.assertEqual((0, 95332, 21034), _memory(zero))
        self.assertEqual((1, 96733, 30188), _memory(one))
        self.assertEqual(frozenset({*range(12), *range(24, 36)}), zero.cpu_ids)
        self.assertEqual(frozenset({12, 36}), one.cpus[0].siblings)
        self.assertEqual(
            hardware.Pages(total=40, free=26), zero.pages[1048576]
        )
        self.assertEqual(
            hardware.Pages(total=2048, free=1024), one.pages[2048]
        )

    def test_machine_types(self):
        self.assertEqual(
            {
                'pc',
                'pc-i440fx-6.2',
                'pc-i440fx-7.2',
                'pc-q35-6.1',
                'pc-q35-6.2',
                'pc-q35-7.2',
                'q35',
            },
            self.probe.machine_types,
        )

    def test_a_pinned_guest(self):
        guest = self.probe.guests[DPDK]
        self.assertEqual(
            frozenset({*range(2, 6), *range(26, 30)}), guest.dedicated_cpus
        )
        self.assertEqual(guest.dedicated_cpus, guest.emulator_pins)
        self.assertEqual(2, guest.vcpu_cpus[0])
        self.assertEqual(
            ('kvm', 'pc-q35-6.2', 8192, 'strict', {0}),
            (
                guest.type,
                guest.machine_type,
                guest.memory_mb,
                guest.memory_mode,
                guest.nodeset,
            ),
        )
        (cell,) = guest.cells
        self.assertEqual(
            (8192, {0}, 1048576), (cell.memory_mb, cell.nodes, cell.page_kib)
        )

    def test_the_mode_of_its_cpu_is_what_was_asked_for(self):
        """libvirt fills in a model for a guest that runs."""
        guest = self.probe.guests[DPDK]
        self.assertEqual('host-model', guest.cpu_mode)
        self.assertEqual('Skylake-Server-IBRS', guest.cpu_model)
        self.assertIn('vmx', guest.cpu_features)
        self.assertNotIn('mpx', guest.cpu_features)

    def test_a_guest_of_two_cells_that_is_off(self):
        guest = self.probe.guests[OFF]
        self.assertEqual({}, guest.vcpu_cpus)
        self.assertEqual({6, 30, 18, 42}, guest.dedicated_cpus)
        self.assertEqual(
            [({0}, 2048), ({1}, 2048)],
            [(cell.nodes, cell.page_kib) for cell in guest.cells],
        )

    def test_a_guest_that_shares_cpus(self):
        guest = self.probe.guests[SHARED]
        self.assertEqual(frozenset(), guest.dedicated_cpus)
        self.assertEqual({0, 1, 12, 13, 24, 25, 36, 37}, guest.known_cpus)
        self.assertEqual(
            ('custom', 'Haswell-noTSX', ()),
            (guest.cpu_mode, guest.cpu_model, guest.cells),
        )

    def test_the_output_is_kept(self):
        self.assertIn('1048576KiB: 26', self.probe.outputs[FREE])
        self.assertIn(DPDK, self.probe.outputs[f'virsh dumpxml {DPDK}'])


FREE = 'virsh freepages --all'


def _memory(cell: hardware.Cell):
    return cell.id, cell.memory_mb, cell.free_memory_mb


class RecordedTest(base.BaseTestCase):
    """What Debian's own programs have written."""

    def test_the_test_driver(self):
        probe = transcripts.probe(transcripts.text('test-driver'))
        self.assertEqual({}, probe.gaps)
        self.assertEqual('9.0.0', probe.libvirt_version)
        self.assertEqual([0, 1], [cell.id for cell in probe.cells])
        self.assertEqual(frozenset(range(8, 16)), probe.cells[1].cpu_ids)
        self.assertEqual(
            hardware.Pages(total=0, free=97), probe.cells[0].pages[2048]
        )
        (guest,) = probe.guests.values()
        self.assertEqual(8192, guest.memory_mb)
        self.assertEqual({0: 15, 1: 15}, guest.vcpu_cpus)

    def test_a_host_without_libvirt(self):
        """The kernel still tells its cells and flags."""
        probe = transcripts.probe(transcripts.text('no-libvirt'))
        self.assertTrue(probe.has_answered)
        self.assertIsNone(probe.libvirt_version)
        self.assertEqual(
            {
                'virsh capabilities',
                'virsh freepages --all',
                'virsh list --all --uuid',
                'virsh nodeinfo',
                'virsh version',
            },
            probe.gaps.keys(),
        )
        self.assertEqual(
            'virsh version: Failed to connect socket to '
            "'/var/run/libvirt/libvirt-sock-ro': No such file or directory",
            probe.why_not,
        )
        (cell,) = probe.cells
        self.assertEqual(frozenset({0, 1}), cell.cpu_ids)
        self.assertEqual('AuthenticAMD', probe.processor.vendor)


class GapTest(base.BaseTestCase):
    def found(self, **answers):
        """Return the probe of answers, underscores for spaces."""
        return parse.host_probe(
            'compute-2',
            {name.replace('_', ' '): both for name, both in answers.items()},
        )

    def test_silence(self):
        probe = self.found()
        self.assertFalse(probe.has_answered)
        self.assertEqual({*commands.HOST, commands.LIST}, probe.gaps.keys())
        self.assertEqual((), probe.cells)
        self.assertIsNone(probe.processor)

    def test_reasons(self):
        for code, text, reason in (
            (127, 'timeout: failed to run command', 'failed to run command'),
            (124, 'half', 'it did not end within 15 s'),
            (1, '', 'it ended with the code 1'),
            (0, 'no colon', 'it wrote nothing that can be read'),
            (1, 'error: one\nerror: two\n\n', 'two'),
        ):
            probe = self.found(lscpu=(code, text))
            self.assertIn(reason, probe.gaps['lscpu'])
            self.assertNotIn('\n', probe.gaps['lscpu'])

    def test_foreign_xml(self):
        """Nothing is expanded, and nothing fetched."""
        bomb = (
            '<!DOCTYPE capabilities [<!ENTITY a "b">]>'
            '<capabilities>&a;</capabilities>'
        )
        for text in (bomb, '<domain/>', '<capabilities>', '', 'error'):
            probe = self.found(virsh_capabilities=(0, text))
            self.assertIn('virsh capabilities', probe.gaps)
            self.assertEqual(frozenset(), probe.machine_types)

    def test_names_that_are_no_uuid(self):
        for text in ('; reboot', '-r', 'instance-00000001', '../..'):
            self.assertRaises(ValueError, parse.guest_ids, text)


class NumbersTest(base.BaseTestCase):
    def test_sets(self):
        for text, found in (
            ('', set()),
            ('0', {0}),
            ('0-3,^2', {0, 1, 3}),
            ('1,3-4', {1, 3, 4}),
            ('0 1 2', {0, 1, 2}),
        ):
            self.assertEqual(found, xml.numbers(text))
        for text in ('a', '1-', '3-1', '-1', '0-99999999999', '٣'):
            self.assertRaises(ValueError, xml.numbers, text)

    def test_amounts(self):
        for unit, kib in (('KiB', 8), ('MiB', 8192), ('b', 0), (None, 8)):
            attributes = {'unit': unit} if unit else {}
            pages = xml.ElementTree.Element('page', size='8', **attributes)
            self.assertEqual(kib, xml.size(pages))
        odd = xml.ElementTree.Element('page', size='8', unit='stone')
        self.assertRaises(ValueError, xml.size, odd)

    def test_versions(self):
        for text, found in (
            ('9.0.0', (9, 0, 0)),
            ('10.5', (10, 5)),
            ('8.x', (8,)),
            ('', ()),
            (None, ()),
        ):
            self.assertEqual(found, hardware.version(text))

    def test_vcpus(self):
        self.assertRaises(ValueError, domain.vcpuinfo, 'CPU: 3\n')
        self.assertRaises(ValueError, domain.vcpuinfo, '')
        self.assertRaises(ValueError, domain.numatune, 'nothing')
