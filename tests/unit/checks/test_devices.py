# SPDX-License-Identifier: Apache-2.0
"""Checks of PCI devices, accelerators and virtual GPUs."""

from osc_migrate import testing
from osc_migrate.checks import Severity
from osc_migrate.checks import devices as subject
from tests.unit.checks import base
from tests.unit.checks.base import COLD
from tests.unit.checks.base import EVACUATE
from tests.unit.checks.base import LIVE

GPU = 'CUSTOM_PCI_10DE_1DB6'
FLAVOR = testing.flavor(extra_specs={'pci_passthrough:alias': 'gpu:1'})


def device(name: str, capacity: int = 1, used: int = 0, *traits: str):
    """Return the provider of a PCI device."""
    return testing.provider(
        name,
        parent_id='root',
        resources={GPU: testing.room(capacity, used)},
        traits=frozenset({'COMPUTE_MANAGED_PCI_DEVICE', *traits}),
    )


def host(name: str, *children, traits: tuple[str, ...] = (), **attributes):
    """Return a host with children below its root provider."""
    root = testing.provider(name, traits=frozenset(traits))
    return testing.host(name, providers=(root, *children), **attributes)


HOLDER = testing.server(
    flavor=FLAVOR, allocations={testing.identifier('gpu-1'): {GPU: 1}}
)


class AliasTest(base.CheckTest):
    def test_a_server_without_devices_is_silent(self):
        self.assertSilent(subject.pci_alias)
        hidden = testing.server(flavor=testing.flavor(extra_specs=None))
        self.assertSilent(subject.pci_alias, hidden)
        self.assertSilent(subject.pci_device, hidden)

    def test_what_the_alias_says_is_unknown(self):
        for server in (testing.server(flavor=FLAVOR), HOLDER):
            draft = self.assertFinds(
                Severity.UNKNOWN,
                'has PCI devices (gpu:1); they move live only if',
                subject.pci_alias,
                server,
            )
            self.assertIn('openstack server migrate {server}', draft.remedy)

    def test_it_moves_cold(self):
        self.assertSilent(subject.pci_alias, HOLDER, way=COLD)

    def test_since_2026_2_a_trait_tells_that_it_cannot(self):
        draft = self.assertFinds(
            Severity.ERROR,
            'that Placement does not know as live-migratable',
            subject.pci_alias,
            HOLDER,
            source=host('compute-1', device('gpu-1'), traits=('OWNER_NOVA',)),
        )
        self.assertEqual(
            [testing.identifier('gpu-1')], draft.evidence['providers']
        )

    def test_what_it_holds_beside_its_devices_does_not_matter(self):
        other = testing.provider('other', parent_id='root', resources={})
        held = {**HOLDER.allocations, testing.identifier('other'): {}}
        draft = self.assertFinds(
            Severity.ERROR,
            'live-migratable',
            subject.pci_alias,
            testing.server(flavor=FLAVOR, allocations=held),
            source=host(
                'compute-1',
                device('gpu-1'),
                device('gpu-9'),
                other,
                traits=('OWNER_NOVA',),
            ),
        )
        self.assertEqual(
            [testing.identifier('gpu-1')], draft.evidence['providers']
        )

    def test_before_that_the_trait_tells_nothing(self):
        self.assertFinds(
            Severity.UNKNOWN,
            'they move live only',
            subject.pci_alias,
            HOLDER,
            source=host('compute-1', device('gpu-1')),
        )

    def test_a_device_with_the_trait_still_depends_on_the_alias(self):
        able = device('gpu-1', 1, 1, 'HW_PCI_LIVE_MIGRATABLE')
        self.assertFinds(
            Severity.UNKNOWN,
            'they move live only',
            subject.pci_alias,
            HOLDER,
            source=host('compute-1', able, traits=('OWNER_NOVA',)),
        )


class DeviceTest(base.CheckTest):
    SOURCE = host('compute-1', device('gpu-1', 1, 1))

    def test_a_server_without_devices_is_silent(self):
        self.assertSilent(subject.pci_device)

    def test_a_free_device_is_silent(self):
        for way in (LIVE, COLD, EVACUATE):
            self.assertSilent(
                subject.pci_device,
                HOLDER,
                way=way,
                source=self.SOURCE,
                destination=host('compute-2', device('gpu-2')),
            )

    def test_none_left_is_an_error(self):
        other = testing.provider(
            'nic',
            parent_id='root',
            resources={},
            traits=frozenset({'COMPUTE_MANAGED_PCI_DEVICE'}),
        )
        for child in (device('gpu-2', 1, 1), other):
            self.assertFinds(
                Severity.ERROR,
                f'needs 1 PCI devices of {GPU}, 0 are free',
                subject.pci_device,
                HOLDER,
                source=self.SOURCE,
                destination=host('compute-2', child),
            )

    def test_what_placement_does_not_count_is_unknown(self):
        for server, source, destination in (
            (HOLDER, self.SOURCE, host('compute-2')),
            (HOLDER, self.SOURCE, testing.host('compute-2', providers=None)),
            (HOLDER, host('compute-1'), host('compute-2', device('gpu-2'))),
            (testing.server(flavor=FLAVOR), self.SOURCE, None),
        ):
            self.assertFinds(
                Severity.UNKNOWN,
                'has free PCI devices for gpu:1 is in no API',
                subject.pci_device,
                server,
                source=source,
                destination=destination,
            )


class OneTimeUseTest(base.CheckTest):
    def test_an_ordinary_device_is_silent(self):
        self.assertSilent(subject.one_time_use)
        self.assertSilent(
            subject.one_time_use,
            HOLDER,
            source=host('compute-1', device('gpu-1')),
        )

    def test_one_for_one_use_is_spent(self):
        once = device('gpu-1', 1, 1, 'HW_PCI_ONE_TIME_USE')
        for way in (LIVE, COLD):
            self.assertFinds(
                Severity.WARNING,
                'leaves 1 PCI devices for one-time use behind',
                subject.one_time_use,
                HOLDER,
                way=way,
                source=host('compute-1', once),
            )

    def test_a_source_that_nobody_tells_of_is_silent(self):
        unseen = testing.host('compute-1', providers=None)
        self.assertSilent(subject.one_time_use, HOLDER, source=unseen)
        gone = testing.server(
            flavor=FLAVOR, host='gone', allocations=HOLDER.allocations
        )
        self.assertSilent(subject.one_time_use, gone)


class AcceleratorTest(base.CheckTest):
    SERVER = testing.server(
        flavor=testing.flavor(extra_specs={'accel:device_profile': 'fpga'})
    )

    def test_a_server_without_one_is_silent(self):
        self.assertSilent(subject.accelerator)

    def test_an_accelerator_stays(self):
        for way in (LIVE, COLD):
            self.assertFinds(
                Severity.ERROR,
                'has an accelerator (fpga)',
                subject.accelerator,
                self.SERVER,
                way=way,
            )

    def test_it_can_be_evacuated(self):
        self.assertSilent(subject.accelerator, self.SERVER, way=EVACUATE)


class VirtualGpuTest(base.CheckTest):
    SERVER = testing.server(
        flavor=testing.flavor(extra_specs={'resources:VGPU': '1'})
    )

    def test_a_server_without_one_is_silent(self):
        self.assertSilent(subject.vgpu)
        ram = testing.flavor(extra_specs={'resources:CUSTOM_LICENSE': '1'})
        self.assertSilent(subject.vgpu, testing.server(flavor=ram))
        away = testing.server(flavor=ram, host='gone')
        self.assertSilent(subject.vgpu, away)

    def test_it_moves_cold(self):
        self.assertSilent(subject.vgpu, self.SERVER, way=COLD)

    def test_old_hypervisors_do_not_take_it_live(self):
        old = {'hypervisor_version': 8000099}
        for source, destination, name in (
            (host('compute-1', **old), host('compute-2'), 'compute-1'),
            (host('compute-1'), host('compute-2', **old), 'compute-2'),
        ):
            self.assertFinds(
                Severity.ERROR,
                f'{name} has the hypervisor version 8000099',
                subject.vgpu,
                self.SERVER,
                source=source,
                destination=destination,
            )

    def test_recent_ones_may(self):
        for destination in (
            host('compute-2', hypervisor_version=8001000),
            host('compute-2', hypervisor_version=None),
        ):
            self.assertFinds(
                Severity.UNKNOWN,
                'the virtual GPU (VGPU) live is in no API',
                subject.vgpu,
                self.SERVER,
                destination=destination,
            )

    def test_probes_tell_the_version_of_libvirt(self):
        new = {
            name: testing.host_probe(name)
            for name in ('compute-1', 'compute-2')
        }
        old = testing.host_probe('compute-2', libvirt_version='8.0.0')
        draft = self.assertFinds(
            Severity.UNKNOWN, 'VGPU', subject.vgpu, self.SERVER, probes=new
        )
        self.assertNotIn('libvirt 8.6', draft.message)
        self.assertFinds(
            Severity.ERROR,
            'compute-2 has libvirt 8.0.0; virtual GPUs move live from',
            subject.vgpu,
            self.SERVER,
            probes={**new, 'compute-2': old},
        )

    def test_a_class_below_the_root_may_be_one(self):
        """``[devices]mdev_types`` may name its own resource classes."""
        server = testing.server(
            flavor=testing.flavor(extra_specs={'resources:CUSTOM_A100': '1'})
        )
        parent = testing.provider(
            'pgpu',
            parent_id='root',
            resources={'CUSTOM_A100': testing.room(4)},
        )
        self.assertFinds(
            Severity.UNKNOWN,
            '(CUSTOM_A100)',
            subject.vgpu,
            server,
            source=host('compute-1', parent),
        )
        self.assertSilent(
            subject.vgpu, server, source=host('compute-1', device('gpu-1'))
        )
