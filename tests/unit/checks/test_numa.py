# SPDX-License-Identifier: Apache-2.0
"""Checks of NUMA topologies, dedicated and realtime CPUs."""

from osc_migrate import model
from osc_migrate import testing
from osc_migrate.checks import Severity
from osc_migrate.checks import numa as subject
from tests.unit.checks import base
from tests.unit.checks.base import COLD


def of_flavor(vcpus: int = 4, **extra_specs: str):
    """Return a server whose flavor has these ``hw:`` extra specs."""
    specs = {f'hw:{key}': value for key, value in extra_specs.items()}
    flavor = testing.flavor(vcpus=vcpus, extra_specs=specs)
    return testing.server(flavor=flavor)


def cell(*vcpus: int):
    """Return a cell of a guest."""
    return model.NumaCell(
        vcpus=frozenset(vcpus),
        memory_mb=1024,
        host_node=None,
        cpu_pinning=None,
    )


def host(**topology: int):
    """Return a destination whose processor has this topology."""
    return testing.host(
        'compute-2', cpu_info=testing.cpu_info(topology=topology)
    )


class CellsTest(base.CheckTest):
    def test_a_guest_without_a_topology_is_silent(self):
        hidden = testing.server(flavor=testing.flavor(extra_specs=None))
        empty = testing.server(
            topology=model.Topology(cells=(), pagesize_kb=None)
        )
        for server in (testing.server(), hidden, empty, of_flavor(x='y')):
            self.assertSilent(subject.cells, server, destination=host(cells=0))

    def test_a_host_with_enough_cells_is_silent(self):
        for way in (base.LIVE, COLD):
            self.assertSilent(
                subject.cells, of_flavor(numa_nodes='2'), way=way
            )

    def test_too_few_cells(self):
        draft = self.assertFinds(
            Severity.ERROR,
            'has 2 NUMA cells, 3 are needed',
            subject.cells,
            of_flavor(numa_nodes='3'),
        )
        self.assertEqual({'cells': 2, 'needed': 3}, draft.evidence)

    def test_too_small_cells(self):
        """The default host has 8 CPUs in each of its two."""
        self.assertSilent(subject.cells, of_flavor(8, cpu_policy='dedicated'))
        self.assertFinds(
            Severity.ERROR,
            'has 8 CPUs in a NUMA cell, 9 are needed in one',
            subject.cells,
            of_flavor(9, cpu_policy='dedicated'),
        )

    def test_what_the_guest_has_is_believed(self):
        server = testing.server(
            topology=model.Topology(
                cells=(cell(0, 1, 2, 3), cell(4)), pagesize_kb=None
            )
        )
        small = host(cells=2, cores=3)
        self.assertSilent(subject.cells, server)
        self.assertFinds(
            Severity.ERROR,
            '4 are needed',
            subject.cells,
            server,
            destination=small,
        )

    def test_a_probe_tells_of_a_host_that_the_api_hides(self):
        hidden = testing.host('compute-2', cpu_info=None)
        probes = {'compute-2': testing.host_probe('compute-2')}
        for count, vcpus, text in (
            ('2', 4, None),
            ('3', 4, 'has 2 NUMA cells, 3 are needed'),
            ('1', 9, 'has 8 CPUs in a NUMA cell, 9 are needed in one'),
        ):
            drafts = self.found(
                subject.cells,
                of_flavor(vcpus, numa_nodes=count),
                destination=hidden,
                probes=probes,
            )
            self.assertEqual(
                [text] if text else [], [draft.message for draft in drafts]
            )

    def test_a_host_that_nobody_tells_of_is_unknown(self):
        for destination in (
            testing.host('compute-2', cpu_info=None),
            host(cores=4),
        ):
            self.assertFinds(
                Severity.UNKNOWN,
                'how many NUMA cells it has is unknown, 2 are needed',
                subject.cells,
                of_flavor(numa_nodes='2'),
                destination=destination,
            )


class FitTest(base.CheckTest):
    def test_a_guest_without_a_topology_is_silent(self):
        self.assertSilent(subject.fit)
        self.assertSilent(subject.fit, of_flavor(cpu_policy='shared'))

    def test_what_is_free_in_a_cell_is_unknown(self):
        for specs, text in (
            ({'numa_nodes': '2'}, '2 NUMA cells of up to 2 CPUs;'),
            ({'cpu_policy': 'dedicated'}, '4 dedicated CPUs'),
            (
                {'cpu_policy': 'mixed', 'cpu_dedicated_mask': '^0-1'},
                '2 dedicated CPUs',
            ),
            (
                {
                    'cpu_policy': 'dedicated',
                    'emulator_threads_policy': 'isolate',
                },
                'emulator threads (isolate)',
            ),
            (
                {'mem_page_size': 'large'},
                '512 MB of memory pages (large)',
            ),
            ({'pmem': '6GB'}, '1 NUMA cell '),
        ):
            self.assertFinds(
                Severity.UNKNOWN, text, subject.fit, of_flavor(**specs)
            )

    def test_an_image_may_ask_for_it(self):
        server = testing.server(image_properties={'hw_numa_nodes': 2})
        self.assertFinds(Severity.UNKNOWN, '2 NUMA', subject.fit, server)

    def test_the_size_of_the_pages_now_is_what_counts(self):
        server = testing.server(
            flavor=testing.flavor(extra_specs={'hw:mem_page_size': 'any'}),
            topology=model.Topology(cells=(cell(0),), pagesize_kb=2048),
        )
        draft = self.assertFinds(
            Severity.UNKNOWN,
            '512 MB of memory pages (2048 KiB)',
            subject.fit,
            server,
            way=COLD,
        )
        self.assertEqual(2048, draft.evidence['pagesize_kb'])


class RealtimeTest(base.CheckTest):
    def test_other_guests_are_silent(self):
        self.assertSilent(subject.realtime)
        self.assertSilent(subject.realtime, of_flavor(cpu_realtime='no'))

    def test_deadlines_are_missed_live(self):
        server = of_flavor(cpu_realtime='yes')
        self.assertFinds(
            Severity.WARNING, 'realtime CPUs', subject.realtime, server
        )
        self.assertSilent(subject.realtime, server, way=COLD)
