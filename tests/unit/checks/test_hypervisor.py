# SPDX-License-Identifier: Apache-2.0
"""Checks of hypervisor and processor."""

from osc_migrate import testing
from osc_migrate.checks import Severity
from osc_migrate.checks import hypervisor as subject
from tests.unit.checks import base
from tests.unit.checks.base import COLD
from tests.unit.checks.base import EVACUATE
from tests.unit.checks.base import LIVE

ELSEWHERE = testing.server(host='not-in-the-snapshot')


def there(**attributes: object):
    """Return the destination with attributes."""
    return testing.host('compute-2', **attributes)


def processor(**attributes: object):
    """Return the destination with another processor."""
    return there(cpu_info=testing.cpu_info(**attributes))


class TypeTest(base.CheckTest):
    def test_the_same_type_is_silent(self):
        self.assertSilent(subject.hypervisor_type)

    def test_nova_refuses_another_type_live(self):
        self.assertFinds(
            Severity.ERROR,
            'runs the hypervisor VMware, the source runs QEMU',
            subject.hypervisor_type,
            destination=there(hypervisor_type='VMware'),
        )

    def test_nova_does_not_look_at_it_cold(self):
        for way in (COLD, EVACUATE):
            self.assertFinds(
                Severity.UNKNOWN,
                'VMware',
                subject.hypervisor_type,
                way=way,
                destination=there(hypervisor_type='VMware'),
            )

    def test_a_type_that_nobody_tells_is_unknown(self):
        draft = self.assertFinds(
            Severity.UNKNOWN,
            'only administrators see os-hypervisors',
            subject.hypervisor_type,
            destination=there(hypervisor_type=None),
        )
        self.assertIn('admin', draft.remedy)

    def test_a_source_that_is_not_there_is_not_compared(self):
        for check in (
            subject.hypervisor_type,
            subject.hypervisor_version,
            subject.architecture,
            subject.vendor,
            subject.features,
            subject.memory_backing,
        ):
            self.assertSilent(check, ELSEWHERE)


class VersionTest(base.CheckTest):
    def test_the_same_or_a_newer_one_is_silent(self):
        self.assertSilent(subject.hypervisor_version)
        self.assertSilent(
            subject.hypervisor_version,
            destination=there(hypervisor_version=9000000),
        )

    def test_an_older_one_does_not_take_it_live(self):
        draft = self.assertFinds(
            Severity.ERROR,
            'has the older hypervisor QEMU 7.2.11, the source has 8.2.2',
            subject.hypervisor_version,
            destination=there(hypervisor_version=7002011),
        )
        self.assertEqual(
            {'source': 8002002, 'destination': 7002011}, draft.evidence
        )

    def test_a_version_is_written_with_dots(self):
        self.assertFinds(
            Severity.ERROR,
            'QEMU 9.2.0, the source has 10.0.0',
            subject.hypervisor_version,
            source=testing.host('compute-1', hypervisor_version=10000000),
            destination=there(hypervisor_version=9002000),
        )

    def test_it_takes_it_cold(self):
        self.assertSilent(
            subject.hypervisor_version,
            way=COLD,
            destination=there(hypervisor_version=7002011),
        )

    def test_a_version_that_nobody_tells_is_left_to_the_type(self):
        self.assertSilent(
            subject.hypervisor_version,
            destination=there(hypervisor_version=None),
        )


class ArchitectureTest(base.CheckTest):
    def test_the_same_is_silent(self):
        self.assertSilent(subject.architecture)

    def test_another_forbids_every_way(self):
        """Nova would try it cold; the guest could not run there."""
        for way in (LIVE, COLD, EVACUATE):
            self.assertFinds(
                Severity.ERROR,
                'has aarch64 processors, the source has x86_64',
                subject.architecture,
                way=way,
                destination=processor(arch='aarch64'),
            )

    def test_a_processor_that_nobody_tells_is_unknown_once(self):
        """Where the node is unknown altogether, its type is enough."""
        self.assertFinds(
            Severity.UNKNOWN,
            'processor',
            subject.architecture,
            destination=there(cpu_info=None),
        )
        self.assertSilent(
            subject.architecture,
            destination=there(cpu_info=None, hypervisor_type=None),
        )


class VendorTest(base.CheckTest):
    def test_the_same_is_silent(self):
        self.assertSilent(subject.vendor)

    def test_another_does_not_take_it_live(self):
        draft = self.assertFinds(
            Severity.ERROR,
            'has processors of AMD, the source has Intel',
            subject.vendor,
            destination=processor(vendor='AMD'),
        )
        self.assertIn('server migrate', draft.remedy)

    def test_it_takes_it_cold(self):
        self.assertSilent(
            subject.vendor, way=COLD, destination=processor(vendor='AMD')
        )

    def test_on_arm_it_is_unknown(self):
        """Nova compares an ARM host with itself."""
        arm = testing.cpu_info(arch='aarch64', vendor='ARM')
        self.assertFinds(
            Severity.UNKNOWN,
            'Ampere',
            subject.vendor,
            source=testing.host('compute-1', cpu_info=arm),
            destination=processor(arch='aarch64', vendor='Ampere'),
        )

    def test_a_vendor_that_nobody_tells_is_left_to_the_architecture(self):
        self.assertSilent(subject.vendor, destination=there(cpu_info=None))


class FeaturesTest(base.CheckTest):
    def test_the_same_is_silent(self):
        self.assertSilent(subject.features)

    def test_another_model_with_all_features_is_worth_knowing(self):
        more = frozenset({'aes', 'avx', 'avx2', 'avx512f'})
        self.assertFinds(
            Severity.INFO,
            'has the processor Icelake, the source has Skylake-Server',
            subject.features,
            destination=processor(model='Icelake', features=more),
        )

    def test_a_feature_that_is_missing_depends_on_the_cpu_mode(self):
        draft = self.assertFinds(
            Severity.UNKNOWN,
            'lacks the CPU features avx2;',
            subject.features,
            destination=processor(features=frozenset({'aes', 'avx'})),
        )
        self.assertEqual({'missing': ['avx2']}, draft.evidence)
        self.assertIn('on compute-1: grep cpu_', draft.remedy)

    def test_many_of_them_are_counted(self):
        for count, text in ((12, 'f06, f07 and 4 more;'), (8, 'f06, f07;')):
            many = testing.cpu_info(
                features=frozenset(f'f{number:02}' for number in range(count))
            )
            self.assertFinds(
                Severity.UNKNOWN,
                text,
                subject.features,
                source=testing.host('compute-1', cpu_info=many),
                destination=processor(features=frozenset()),
            )

    def test_on_arm_another_model_is_unknown(self):
        arm = testing.cpu_info(arch='aarch64', model='Neoverse-N1')
        self.assertFinds(
            Severity.UNKNOWN,
            'QEMU alone knows',
            subject.features,
            source=testing.host('compute-1', cpu_info=arm),
            destination=processor(arch='aarch64', model='Neoverse-V1'),
        )

    def test_what_other_checks_say_is_left_to_them(self):
        none = frozenset()
        for destination in (
            there(cpu_info=None),
            processor(arch='aarch64', features=none),
            processor(vendor='AMD', features=none),
        ):
            self.assertSilent(subject.features, destination=destination)

    def test_a_cold_migration_does_not_mind(self):
        self.assertSilent(
            subject.features,
            way=COLD,
            destination=processor(features=frozenset()),
        )


class MemoryBackingTest(base.CheckTest):
    def backed(self, name: str, *traits: str):
        tree = testing.provider(name, traits=frozenset(traits))
        return testing.host(name, providers=(tree,))

    def test_two_hosts_of_one_kind_are_silent(self):
        self.assertSilent(subject.memory_backing)
        self.assertSilent(
            subject.memory_backing,
            source=self.backed('compute-1', 'COMPUTE_MEM_BACKING_FILE'),
            destination=self.backed('compute-2', 'COMPUTE_MEM_BACKING_FILE'),
        )

    def test_a_difference_is_worth_knowing(self):
        backed = self.backed('compute-2', 'COMPUTE_MEM_BACKING_FILE')
        self.assertFinds(
            Severity.INFO,
            'has file-backed memory',
            subject.memory_backing,
            destination=backed,
        )
        self.assertFinds(
            Severity.INFO,
            'does not have file-backed memory',
            subject.memory_backing,
            source=self.backed('compute-1', 'COMPUTE_MEM_BACKING_FILE'),
        )
        self.assertSilent(subject.memory_backing, way=COLD, destination=backed)

    def test_traits_that_nobody_tells_are_not_compared(self):
        self.assertSilent(
            subject.memory_backing, destination=there(providers=None)
        )


def told(guest=None, *, ours=None, theirs=None, missing=('avx512f',)):
    """Return probes of both hosts; the destination lacks some flags."""
    flags = frozenset({'aes', *missing})
    mine = testing.host_probe(
        'compute-1',
        [guest] if guest else [],
        processor=ours or testing.processor(flags=flags),
    )
    other = theirs or testing.processor(flags=flags - set(missing))
    return {
        'compute-1': mine,
        'compute-2': testing.host_probe('compute-2', processor=other),
    }


class ProbedTest(base.CheckTest):
    """What probes of the hosts answer where the APIs do not."""

    silent_host = testing.host('compute-2', cpu_info=None)
    lacking_host = testing.host(
        'compute-2',
        cpu_info=testing.cpu_info(features=frozenset({'aes', 'avx'})),
    )

    def test_a_processor_that_no_api_tells(self):
        self.assertFinds(
            Severity.UNKNOWN,
            'is unknown',
            subject.architecture,
            destination=self.silent_host,
        )
        self.assertSilent(
            subject.architecture, destination=self.silent_host, probes=told()
        )
        arm = testing.processor(arch='aarch64')
        self.assertFinds(
            Severity.ERROR,
            'has aarch64 processors',
            subject.architecture,
            destination=self.silent_host,
            probes=told(theirs=arm),
        )
        amd = testing.processor(vendor='AMD')
        self.assertFinds(
            Severity.ERROR,
            'has processors of AMD',
            subject.vendor,
            destination=self.silent_host,
            probes=told(theirs=amd),
        )

    def test_half_an_answer_is_none(self):
        probes = told()
        del probes['compute-1']
        self.assertFinds(
            Severity.UNKNOWN,
            'is unknown',
            subject.architecture,
            destination=self.silent_host,
            probes=probes,
        )

    def test_the_flags_of_the_kernel_are_compared(self):
        self.assertFinds(
            Severity.UNKNOWN,
            'lacks the CPU features avx512f; Nova refuses unless',
            subject.features,
            destination=self.silent_host,
            probes=told(),
        )

    def test_what_the_guest_has_decides(self):
        """The definition of the guest says what nova.conf said of it."""
        for guest, severity, text in (
            ({'cpu_mode': 'host-model'}, Severity.ERROR, '(host-model)'),
            (
                {'cpu_mode': 'host-passthrough', 'cpu_model': None},
                Severity.ERROR,
                '(host-passthrough)',
            ),
            (
                {
                    'cpu_mode': 'custom',
                    'cpu_features': frozenset({'avx2', 'aes'}),
                },
                Severity.ERROR,
                'lacks avx2, which the CPU of the guest must have',
            ),
            (
                {'cpu_mode': 'custom', 'cpu_model': 'Haswell'},
                Severity.UNKNOWN,
                'the model of the guest, Haswell,',
            ),
        ):
            self.assertFinds(
                severity,
                text,
                subject.features,
                destination=self.lacking_host,
                probes=told(testing.guest_probe(**guest)),
            )
        for guest in (
            {'type': 'qemu'},
            {'cpu_mode': 'custom', 'cpu_model': 'Skylake-Server'},
        ):
            self.assertSilent(
                subject.features,
                destination=self.lacking_host,
                probes=told(testing.guest_probe(**guest)),
            )
