# SPDX-License-Identifier: Apache-2.0
"""Whether the cells of guests fit those of a host."""

from oslotest import base

from osc_migrate import cells
from osc_migrate import hardware
from osc_migrate import model
from osc_migrate import testing

GIB = 1048576


def server(topology=None, **specs):
    """Return a server of 4 CPUs and 4 GiB with these ``hw:`` extra specs."""
    specs = {f'hw:{name}': value for name, value in specs.items()}
    flavor = testing.flavor(vcpus=4, ram=4096, extra_specs=specs)
    return testing.server(flavor=flavor, topology=topology)


def topology(*pins, pagesize_kb=None):
    """Return a topology: of each cell its CPUs and how many are pinned."""
    return model.Topology(
        cells=tuple(
            model.NumaCell(
                vcpus=frozenset(range(count)),
                memory_mb=1024,
                host_node=0,
                cpu_pinning={str(n): n for n in range(pinned)} or None,
            )
            for count, pinned in pins
        ),
        pagesize_kb=pagesize_kb,
    )


def demand(cpus=0, memory_mb=1024, pages=None):
    """Return what one cell of a guest asks for."""
    return cells.Demand(cpus=cpus, memory_mb=memory_mb, pages=pages)


def supply(number=0, cpus=8, memory_mb=4096, **pages_mb):
    """Return what a cell has, pages by ``k4``, ``k2048`` ..."""
    return cells.Supply(
        id=number,
        cpus=cpus,
        memory_mb=memory_mb,
        pages_mb={int(k[1:]): v for k, v in pages_mb.items()} or None,
    )


class DemandTest(base.BaseTestCase):
    def assertAsks(self, asked, wanted, is_live=True):
        found = cells.demands(wanted, is_live=is_live)
        self.assertEqual(
            asked, [(d.cpus, d.memory_mb, d.pages) for d in found]
        )

    def test_of_the_flavor(self):
        for specs, asked in (
            ({}, []),
            ({'numa_nodes': '2'}, [(0, 2048, None)] * 2),
            ({'cpu_policy': 'dedicated'}, [(4, 4096, None)]),
            (
                {'cpu_policy': 'dedicated', 'numa_nodes': '2'},
                [(2, 2048, None)] * 2,
            ),
            (
                {
                    'cpu_policy': 'dedicated',
                    'numa_nodes': '2',
                    'emulator_threads_policy': 'isolate',
                },
                [(3, 2048, None), (2, 2048, None)],
            ),
            ({'mem_page_size': '2048'}, [(0, 4096, 2048)]),
            ({'mem_page_size': '2MB'}, [(0, 4096, 2048)]),
            ({'mem_page_size': '1GiB'}, [(0, 4096, GIB)]),
            ({'mem_page_size': 'large'}, [(0, 4096, 'large')]),
            ({'mem_page_size': 'small'}, [(0, 4096, 'small')]),
            ({'mem_page_size': 'any'}, [(0, 4096, 'any')]),
            ({'mem_page_size': 'odd'}, [(0, 4096, 'any')]),
        ):
            self.assertAsks(asked, server(**specs))

    def test_of_what_the_guest_has(self):
        """Who may not see pins still sees the policy of the flavor."""
        pinned = topology((2, 1), (2, 2))
        self.assertAsks(
            [(1, 1024, None), (2, 1024, None)],
            server(pinned, cpu_policy='mixed'),
        )
        hidden = topology((3, 0), (1, 0))
        self.assertAsks(
            [(3, 1024, None), (1, 1024, None)],
            server(hidden, cpu_policy='dedicated'),
        )
        self.assertAsks([(0, 1024, None)] * 2, server(hidden, numa_nodes='2'))

    def test_live_it_keeps_the_size_of_its_pages(self):
        """Cold, it gets what the flavor says."""
        known = server(topology((4, 0), pagesize_kb=GIB), mem_page_size='any')
        self.assertAsks([(0, 1024, GIB)], known)
        self.assertAsks([(0, 1024, 'any')], known, is_live=False)


class FitTest(base.BaseTestCase):
    def test_each_cell_goes_to_one_of_its_own(self):
        two = (demand(4), demand(4))
        self.assertFalse(cells.fits([two], [supply(cpus=8)]))
        self.assertTrue(
            cells.fits([two], [supply(0, cpus=4), supply(1, cpus=4)])
        )

    def test_guests_share_a_cell(self):
        one = (demand(4),)
        room = [supply(0, cpus=8), supply(1, cpus=3)]
        self.assertTrue(cells.fits([one, one], room))
        self.assertFalse(cells.fits([one, one, one], room))

    def test_the_first_choice_may_be_wrong(self):
        """A small guest gives way to a large one in the only cell for it."""
        small, large = (demand(2, 4096),), (demand(6, 512),)
        room = [supply(0, cpus=6), supply(1, cpus=2)]
        self.assertTrue(cells.fits([small, large], room))

    def test_pages(self):
        room = [supply(k4=4096, k2048=2048, k1048576=0)]
        for pages, memory, found in (
            (2048, 2048, True),
            (2048, 2049, False),
            (GIB, 1024, False),
            ('large', 2048, True),
            ('large', 4096, False),
            ('small', 4096, True),
            ('any', 4096, True),
            ('any', 5000, False),
            (None, 4096, True),
            (None, 4097, False),
        ):
            self.assertIs(
                found,
                cells.fits([[demand(0, memory, pages)]], room),
                (pages, memory),
            )

    def test_pages_that_are_taken_are_gone(self):
        room = [supply(k2048=2048)]
        guest = (demand(0, 1024, 2048),)
        self.assertTrue(cells.fits([guest] * 2, room))
        self.assertFalse(cells.fits([guest] * 3, room))

    def test_pages_that_nobody_told(self):
        self.assertIsNone(cells.fits([[demand(pages=2048)]], [supply()]))
        self.assertTrue(cells.fits([[demand()]], [supply()]))

    def test_what_takes_too_long_is_undecided(self):
        """Many like guests, and one too many."""
        guests = [(demand(1, 1024, 4),)] * 40
        room = [supply(n, cpus=10, k4=10240) for n in range(4)]
        room[0] = supply(0, cpus=9, k4=10240)
        self.assertIsNone(cells.fits(guests, room))


class BoundsTest(base.BaseTestCase):
    def test_a_host_that_dedicates_no_cpus_of_its_own(self):
        """Every CPU that no guest has to itself may be pinned."""
        guest = testing.guest_probe(
            vcpu_pins={0: frozenset({0}), 1: frozenset(range(8))}
        )
        probe = testing.host_probe(guests=[guest])
        found = cells.bounds(testing.host(), probe)
        self.assertEqual([7, 8], [cell.cpus for cell in found.most])
        self.assertEqual([7, 8], [cell.cpus for cell in found.surely])

    def test_a_host_whose_room_is_hidden(self):
        host = testing.host(providers=None)
        found = cells.bounds(host, testing.host_probe())
        self.assertEqual([8, 8], [cell.cpus for cell in found.most])
        self.assertEqual([0, 0], [cell.cpus for cell in found.surely])

    def test_pages_of_which_half_is_known(self):
        """Only what is surely free counts as sure."""
        pages = {
            2048: hardware.Pages(total=512, free=None),
            GIB: hardware.Pages(total=None, free=4),
        }
        probe = testing.host_probe(cells=(testing.cell(pages=pages),))
        found = cells.bounds(testing.host(), probe)
        self.assertEqual({2048: 1024, GIB: 4096}, found.most[0].pages_mb)
        self.assertEqual({2048: 0, GIB: 0}, found.surely[0].pages_mb)
