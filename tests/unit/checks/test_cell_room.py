# SPDX-License-Identifier: Apache-2.0
"""Check of the room in single NUMA cells, by count and by probe."""

import dataclasses

from osc_migrate import hardware
from osc_migrate import model
from osc_migrate import testing
from osc_migrate.checks import Severity
from osc_migrate.checks import cell_room as subject
from osc_migrate.checks import numa
from tests.unit.checks import base
from tests.unit.checks.base import COLD
from tests.unit.checks.test_numa import of_flavor


def pinning(name: str, *cpus: int, page_kib: int | None = None, node: int = 0):
    """Return a guest with these CPUs to itself and 8 GiB in one cell."""
    return testing.guest_probe(
        name,
        vcpu_pins={n: frozenset({cpu}) for n, cpu in enumerate(cpus)},
        cells=(
            hardware.GuestCell(
                id=0,
                vcpus=frozenset(range(len(cpus))),
                memory_mb=8192,
                nodes=frozenset({node}),
                page_kib=page_kib,
            ),
        ),
    )


def dedicating(free: int, total: int = 16):
    """Return a destination that dedicates CPUs."""
    resources = {
        'PCPU': testing.room(total, total - free),
        'MEMORY_MB': testing.room(65536, 0),
        'DISK_GB': testing.room(1000),
    }
    provider = testing.provider('compute-2', resources=resources)
    return testing.host('compute-2', providers=(provider,))


def probed(*guests: hardware.GuestProbe, **attributes):
    """Return the probes of a destination with these guests."""
    probe = testing.host_probe('compute-2', guests, **attributes)
    return {'compute-2': probe}


class CountTest(base.CheckTest):
    def test_a_guest_without_a_topology_is_silent(self):
        for probes in ({}, probed()):
            self.assertSilent(subject.room, probes=probes)

    def test_what_fits_by_count_is_named(self):
        """Nobody asked the hosts: one unknown a server, a note a host."""
        server = of_flavor(4, cpu_policy='dedicated')
        draft = self.assertFinds(
            Severity.INFO,
            'fits by count (6 PCPU, 65536 MEMORY_MB free, with cells like '
            'the source)',
            subject.room,
            server,
            destination=dedicating(6),
        )
        self.assertEqual(
            {'PCPU': 6, 'MEMORY_MB': 65536}, draft.evidence['free']
        )
        self.assertIn('--probe ssh', draft.remedy)
        self.assertFinds(Severity.UNKNOWN, 'in no API', numa.fit, server)
        self.assertSilent(numa.fit, server, probes=probed())

    def test_other_hardware_is_named(self):
        other = testing.cpu_info(topology={'cells': 4, 'cores': 2})
        self.assertFinds(
            Severity.INFO,
            'with other cells than the source',
            subject.room,
            of_flavor(numa_nodes='2'),
            destination=testing.host('compute-2', cpu_info=other),
        )

    def test_what_does_not_fit_by_count_is_left_to_the_other_check(self):
        self.assertSilent(
            subject.room,
            of_flavor(4, cpu_policy='dedicated'),
            destination=dedicating(3),
        )
        hidden = testing.host('compute-2', providers=None)
        self.assertSilent(
            subject.room, of_flavor(numa_nodes='2'), destination=hidden
        )


class ResidentsTest(base.CheckTest):
    """Servers of the destination, where the snapshot is about them too."""

    def snapshot(self, *pins: tuple[int, tuple[int, ...]]):
        """Return a pair with residents of these cells and CPUs."""
        residents = [
            testing.server(
                f'resident-{node}',
                host='compute-2',
                topology=model.Topology(
                    cells=(
                        model.NumaCell(
                            vcpus=frozenset(range(len(cpus))),
                            memory_mb=512,
                            host_node=node,
                            cpu_pinning={
                                str(n): c for n, c in enumerate(cpus)
                            },
                        ),
                    ),
                    pagesize_kb=None,
                ),
            )
            for node, cpus in pins
        ]
        pair = base.candidate(
            of_flavor(4, cpu_policy='dedicated'), destination=dedicating(6)
        )
        servers = {s.id: s for s in (pair.server, *residents)}
        seen = dataclasses.replace(pair.snapshot, servers=servers)
        return dataclasses.replace(pair, snapshot=seen)

    def test_cells_that_they_fill(self):
        pair = self.snapshot((0, tuple(range(5))), (1, tuple(range(8, 13))))
        (draft,) = subject.room(pair)
        self.assertIs(Severity.ERROR, draft.severity)
        self.assertIn(
            'has room by count, but not 1 NUMA cell with 4 CPUs that no '
            'server is pinned to (cell 0: 3; cell 1: 3)',
            draft.message,
        )

    def test_a_cell_that_they_leave(self):
        pair = self.snapshot((0, tuple(range(8))), (1, tuple(range(8, 12))))
        (draft,) = subject.room(pair)
        self.assertIs(Severity.INFO, draft.severity)

    def test_one_that_will_come_may_lie_in_any_cell(self):
        pair = self.snapshot((0, tuple(range(5))))
        coming = testing.server(
            'coming',
            topology=model.Topology(
                cells=(
                    model.NumaCell(
                        vcpus=frozenset(range(8)),
                        memory_mb=512,
                        host_node=1,
                        cpu_pinning={str(n): n for n in range(8)},
                    ),
                ),
                pagesize_kb=None,
            ),
        )
        servers = {**pair.snapshot.servers, coming.id: coming}
        ahead = dataclasses.replace(pair.snapshot, servers=servers).after(
            model.Move(
                server_id=coming.id,
                source='compute-1',
                destination='compute-2',
                migration_type=base.LIVE,
            )
        )
        (draft,) = subject.room(dataclasses.replace(pair, snapshot=ahead))
        self.assertIs(Severity.INFO, draft.severity)


class ProbeTest(base.CheckTest):
    def test_a_host_that_was_not_asked_is_unknown(self):
        self.assertFinds(
            Severity.UNKNOWN,
            'it was not probed',
            subject.room,
            of_flavor(numa_nodes='2'),
            probes={'compute-1': testing.host_probe()},
        )

    def test_a_host_that_did_not_answer_is_unknown_and_why(self):
        why = 'Host key verification failed.'
        self.assertFinds(
            Severity.UNKNOWN,
            f'unknown: ssh: {why}',
            subject.room,
            of_flavor(numa_nodes='2'),
            probes={'compute-2': hardware.unreached('compute-2', why)},
        )

    def test_room_that_is_surely_there_is_silent(self):
        """All CPUs are dedicated, and half of them free."""
        for way in (base.LIVE, COLD):
            self.assertSilent(
                subject.room,
                of_flavor(4, cpu_policy='dedicated'),
                destination=dedicating(12),
                probes=probed(pinning('other', 0, 1, 2, 3)),
                way=way,
            )

    def test_room_by_count_but_not_by_cell_is_an_error(self):
        """Six CPUs are free, three in each cell."""
        taken = (0, 1, 2, 3, 4, 8, 9, 10, 11, 12)
        draft = self.assertFinds(
            Severity.ERROR,
            'no NUMA cell has 4 free dedicated CPUs and 512 MB of memory '
            '(cell 0: 3 CPUs, 32768 MB; cell 1: 3 CPUs, 32768 MB)',
            subject.room,
            of_flavor(4, cpu_policy='dedicated'),
            destination=dedicating(6),
            probes=probed(pinning('other', *taken)),
        )
        self.assertEqual(
            [3, 3], [cell['cpus_at_most'] for cell in draft.evidence['cells']]
        )
        self.assertEqual(
            {'virsh freepages --all': ['Node 0:']}, draft.evidence['outputs']
        )

    def test_which_cpus_are_dedicated_may_decide(self):
        """Four of sixteen CPUs are dedicated; which is in nova.conf."""
        self.assertFinds(
            Severity.UNKNOWN,
            'may have room in its NUMA cells for 4 free dedicated CPUs',
            subject.room,
            of_flavor(4, cpu_policy='dedicated'),
            destination=dedicating(4, 4),
            probes=probed(),
        )

    def test_cpus_that_others_share_are_not_dedicated(self):
        sharing = testing.guest_probe('other', cpu_set=frozenset(range(12)))
        self.assertSilent(
            subject.room,
            of_flavor(4, cpu_policy='dedicated'),
            destination=dedicating(4, 4),
            probes=probed(sharing),
        )

    def test_threads_of_a_core_may_be_needed_in_pairs(self):
        """One CPU of each core is taken."""
        taken = tuple(range(0, 16, 2))
        for policy, severity in (
            ('prefer', None),
            ('require', Severity.ERROR),
        ):
            server = of_flavor(
                4, cpu_policy='dedicated', cpu_thread_policy=policy
            )
            drafts = self.found(
                subject.room,
                server,
                destination=dedicating(8),
                probes=probed(pinning('other', *taken)),
            )
            self.assertEqual(
                [severity] if severity else [], [d.severity for d in drafts]
            )

    def test_isolated_emulator_threads_need_one_more(self):
        wish = {
            'cpu_policy': 'dedicated',
            'emulator_threads_policy': 'isolate',
        }
        others = probed(pinning('other', 0, 1, 2, 3, 8, 9, 10, 11))
        self.assertSilent(
            subject.room,
            of_flavor(4, cpu_policy='dedicated'),
            destination=dedicating(8),
            probes=others,
        )
        self.assertFinds(
            Severity.ERROR,
            'no NUMA cell has 5 free dedicated CPUs',
            subject.room,
            of_flavor(4, **wish),
            destination=dedicating(8),
            probes=others,
        )

    def test_the_guest_itself_does_not_count(self):
        """What an earlier try has left there is taken away before."""
        self.assertSilent(
            subject.room,
            of_flavor(8, cpu_policy='dedicated'),
            destination=dedicating(16),
            probes=probed(pinning('server', *range(8))),
        )


def paged(size: str, ram: int, **specs: str):
    """Return a server with this much memory in pages."""
    specs = {f'hw:{k}': v for k, v in {**specs, 'mem_page_size': size}.items()}
    flavor = testing.flavor(vcpus=2, ram=ram, extra_specs=specs)
    return testing.server(flavor=flavor)


class PagesTest(base.CheckTest):
    def test_pages_that_are_free_are_silent(self):
        for size, ram in (('2048', 4096), ('1GB', 16384), ('large', 16384)):
            self.assertSilent(subject.room, paged(size, ram), probes=probed())

    def test_pages_that_a_switch_holds_are_not_free(self):
        """The host has 16, Nova's guests hold none, and 3 are free."""
        pages = {1048576: hardware.Pages(total=16, free=3)}
        cells = (testing.cell(0, pages=pages), testing.cell(1, pages=pages))
        self.assertFinds(
            Severity.ERROR,
            'no NUMA cell has 4096 MB of free 1 GiB pages (cell 0: 3072 MB '
            'in 1 GiB pages; cell 1: 3072 MB in 1 GiB pages)',
            subject.room,
            paged('1048576', 4096),
            probes=probed(cells=cells),
        )

    def test_pages_of_a_guest_that_is_off_are_not_free(self):
        off = [
            pinning(f'off-{node}', page_kib=1048576, node=node)
            for node in (0, 1)
        ]
        self.assertSilent(
            subject.room, paged('1GB', 8192), probes=probed(*off)
        )
        self.assertFinds(
            Severity.ERROR,
            'no NUMA cell has 9216 MB of free 1 GiB pages',
            subject.room,
            paged('1GB', 9216),
            probes=probed(*off),
        )

    def test_two_cells_need_two_cells(self):
        pages = {2048: hardware.Pages(total=1024, free=1024)}
        cells = (testing.cell(0, pages=pages), testing.cell(1))
        wish = {'numa_nodes': '2'}
        self.assertSilent(
            subject.room,
            paged('2MB', 4096, **wish),
            probes=probed(cells=cells),
        )
        self.assertFinds(
            Severity.ERROR,
            'has no 2 NUMA cells with 3072 MB of free 2 MiB pages each',
            subject.room,
            paged('2MB', 6144, **wish),
            probes=probed(cells=cells),
        )

    def test_memory_that_is_no_multiple_of_a_page(self):
        self.assertFinds(
            Severity.ERROR,
            'no NUMA cell has 1536 MB of free 1 GiB pages',
            subject.room,
            paged('1GB', 1536),
            probes=probed(),
        )

    def test_ordinary_memory_may_come_back_from_caches(self):
        server = testing.server(
            flavor=testing.flavor(
                ram=16384, extra_specs={'hw:numa_nodes': '1'}
            )
        )
        self.assertFinds(
            Severity.UNKNOWN, '16384 MB', subject.room, server, probes=probed()
        )
        huge = testing.server(
            flavor=testing.flavor(
                ram=40960, extra_specs={'hw:numa_nodes': '1'}
            )
        )
        self.assertFinds(
            Severity.ERROR,
            'no NUMA cell has 40960 MB of memory',
            subject.room,
            huge,
            probes=probed(),
        )

    def test_a_host_that_tells_no_pages_is_unknown(self):
        cells = (testing.cell(0, pages={}), testing.cell(1, pages={}))
        self.assertFinds(
            Severity.UNKNOWN,
            'may have room',
            subject.room,
            paged('1GB', 1024),
            probes=probed(cells=cells),
        )


class PlanTest(base.CheckTest):
    def test_servers_that_go_there_before_take_their_room(self):
        """Two of 6 CPUs fit one to a cell; the third fits by count only."""
        going = [
            testing.server(
                f'going-{number}',
                host='compute-2',
                flavor=testing.flavor(
                    vcpus=6, extra_specs={'hw:cpu_policy': 'dedicated'}
                ),
            )
            for number in (1, 2)
        ]
        pair = base.candidate(
            of_flavor(4, cpu_policy='dedicated'),
            destination=dedicating(4),
            probes=probed(),
        )
        self.assertEqual(
            [Severity.UNKNOWN], [d.severity for d in subject.room(pair)]
        )
        servers = {server.id: server for server in (pair.server, *going)}
        ahead = dataclasses.replace(pair.snapshot, servers=servers)
        pair = dataclasses.replace(pair, snapshot=ahead)
        (draft,) = subject.room(pair)
        self.assertIs(Severity.ERROR, draft.severity)
        self.assertIn('beside 2 that go there too', draft.message)
