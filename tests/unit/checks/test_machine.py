# SPDX-License-Identifier: Apache-2.0
"""Check of the machine type of the guest."""

from osc_migrate import testing
from osc_migrate.checks import Severity
from osc_migrate.checks import machine as subject
from tests.unit.checks import base
from tests.unit.checks.base import COLD


def probes(*known: str):
    """Return probes of both hosts; the destination knows these types."""
    return {
        'compute-1': testing.host_probe('compute-1', [testing.guest_probe()]),
        'compute-2': testing.host_probe(
            'compute-2', machine_types=frozenset(known)
        ),
    }


class MachineTypeTest(base.CheckTest):
    def test_without_a_probe_nothing_is_said(self):
        self.assertSilent(subject.machine_type)
        asked = testing.server(image_properties={'hw_machine_type': 'q35'})
        self.assertSilent(subject.machine_type, asked)
        self.assertSilent(subject.machine_type, asked, probes=probes())

    def test_a_type_that_is_known_is_silent(self):
        self.assertSilent(
            subject.machine_type, probes=probes('pc-q35-8.2', 'q35')
        )

    def test_a_type_that_is_not_known(self):
        draft = self.assertFinds(
            Severity.ERROR,
            'does not know the machine type pc-q35-8.2 of the guest',
            subject.machine_type,
            probes=probes('pc-q35-7.2', 'pc-i440fx-7.2', 'q35'),
        )
        self.assertEqual(['pc-q35-7.2'], draft.evidence['known'])

    def test_moved_cold_it_gets_what_the_image_says(self):
        self.assertSilent(subject.machine_type, probes=probes('q35'), way=COLD)
        asked = testing.server(
            image_properties={'hw_machine_type': 'pc-q35-9.0'}
        )
        self.assertFinds(
            Severity.ERROR,
            'pc-q35-9.0',
            subject.machine_type,
            asked,
            probes=probes('q35'),
            way=COLD,
        )
