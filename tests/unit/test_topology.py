# SPDX-License-Identifier: Apache-2.0
"""What a move changed for a guest with a NUMA topology."""

import dataclasses
from typing import Any

from oslotest import base

from osc_migrate import model
from osc_migrate import topology
from osc_migrate.topology import Verdict


def cell(
    node: int | None = 0, pins: tuple[int, ...] = (), memory: int = 512
) -> model.NumaCell:
    """Build a cell of a guest on a cell of its host."""
    return model.NumaCell(
        vcpus=frozenset(range(len(pins) or 1)),
        memory_mb=memory,
        host_node=node,
        cpu_pinning={str(guest): cpu for guest, cpu in enumerate(pins)},
    )


def place(
    *cells: model.NumaCell, pagesize_kb: int | None = None, **more: Any
) -> topology.Place:
    """Build a place with a topology."""
    known = model.Topology(cells=cells, pagesize_kb=pagesize_kb)
    values: dict[str, Any] = {
        'host': 'compute-1',
        'topology': known,
        'others': {},
        'siblings': None,
        'is_strict': None,
    }
    return topology.Place(**{**values, **more})


def alone(*cells: model.NumaCell) -> model.Topology:
    """Build the topology of another server."""
    return model.Topology(cells=cells, pagesize_kb=None)


def load(before: int | None, after: int) -> topology.Load:
    """Build how full a host of eight CPUs is."""
    return topology.Load(
        host='compute-2',
        resource_class='VCPU',
        before=before,
        after=after,
        total=8,
    )


class CompareTest(base.BaseTestCase):
    def changes(
        self, before: topology.Place, after: topology.Place
    ) -> dict[str, tuple[Any, Any, str]]:
        """Return what is not the same, by what it is."""
        compared = topology.compare('id', 'web', before=before, after=after)
        return {
            change.what: (change.before, change.after, str(change.verdict))
            for change in compared.changes
            if change.verdict is not Verdict.SAME
        }

    def test_the_same(self) -> None:
        """Other cells and CPUs of the host are as good."""
        before = place(cell(0, (4, 5)), cell(1, (12, 13)), pagesize_kb=2048)
        after = place(cell(1, (14, 15)), cell(0, (6, 7)), pagesize_kb=2048)
        self.assertEqual({}, self.changes(before, after))

    def test_each_thing_for_the_worse_and_the_better(self) -> None:
        """What is less of one is more of the other."""
        two = place(cell(0), cell(1))
        for what, good, bad, values in (
            ('page size in KiB', {'pagesize_kb': 1048576}, {}, None),
            (
                'page size in KiB',
                {'pagesize_kb': 1048576},
                {'pagesize_kb': 2048},
                (1048576, 2048),
            ),
        ):
            before, after = place(cell(), **good), place(cell(), **bad)
            found = self.changes(before, after)
            self.assertEqual({what}, set(found))
            if values:
                self.assertEqual((*values, 'worse'), found[what])
                back = self.changes(after, before)[what]
                self.assertEqual((*reversed(values), 'better'), back)
        self.assertEqual(
            {
                'NUMA cells': (2, 1, 'worse'),
                'memory of the cells in MiB': ('512 + 512', '1024', 'worse'),
                'host cells': (2, 1, 'worse'),
            },
            self.changes(two, place(cell(memory=1024))),
        )
        self.assertEqual(
            {'host cells': (2, 1, 'worse')},
            self.changes(two, place(cell(1), cell(1))),
        )
        pinned = self.changes(place(cell(0, (4, 5))), place(cell(0)))
        self.assertEqual((2, 0, 'worse'), pinned['dedicated CPUs'])

    def test_pinned_beside_others(self) -> None:
        """Others count in the same cell, and only with dedicated CPUs."""
        others = {
            'same cell': alone(cell(0, (6,))),
            'other cell': alone(cell(1, (12,))),
            'not pinned': alone(cell(0)),
        }
        what = 'servers pinned in the same cells'
        before = place(cell(0, (4,)))
        found = self.changes(before, place(cell(0, (4,)), others=others))
        self.assertEqual({what: (0, 1, 'worse')}, found)
        self.assertEqual(
            {}, self.changes(place(cell(0)), place(cell(0), others=others))
        )

    def test_shared_cores_need_a_look_at_the_hosts(self) -> None:
        """Siblings are in no API; what only one end tells is unknown."""
        others = {'noisy': alone(cell(1, (12,)))}
        siblings = {4: frozenset({12}), 12: frozenset({4})}
        what = 'CPUs on cores shared with others'
        before = place(cell(0, (4, 5)), siblings={})
        after = place(cell(0, (4, 5)), others=others, siblings=siblings)
        self.assertEqual({what: (0, 1, 'worse')}, self.changes(before, after))
        blind = place(cell(0, (4, 5)))
        self.assertEqual(
            {what: (None, 1, 'unknown')}, self.changes(blind, after)
        )

    def test_memory_of_other_cells(self) -> None:
        """A guest that may take memory anywhere is slower."""
        before = place(cell(0), is_strict=True)
        after = place(cell(0), is_strict=False)
        what = 'memory from its own cells only'
        self.assertEqual({what: (1, 0, 'worse')}, self.changes(before, after))

    def test_what_nova_does_not_tell_is_unknown(self) -> None:
        """Neither better nor worse."""
        before = place(cell(0))
        gone = dataclasses.replace(before, topology=None)
        self.assertEqual(
            {
                'topology': (
                    '1 NUMA cell on 0 of the host',
                    'unknown',
                    'unknown',
                )
            },
            self.changes(before, gone),
        )
        hidden = place(cell(None))
        self.assertEqual(
            {'host cells': (1, None, 'unknown')}, self.changes(before, hidden)
        )

    def test_the_worst_counts(self) -> None:
        """Better pages do not make up for lost CPUs."""
        before = place(cell(0, (4,)), pagesize_kb=2048)
        after = place(cell(0), pagesize_kb=1048576)
        compared = topology.compare('id', 'web', before=before, after=after)
        self.assertIs(Verdict.WORSE, compared.verdict)
        better = topology.compare('id', 'web', before=after, after=before)
        self.assertIs(Verdict.WORSE, better.verdict)


class ProofTest(base.BaseTestCase):
    def test_overcommit(self) -> None:
        """A host that has become fuller than it is large is worse."""
        for before, after, verdict in (
            (0, 8, 'same'),
            (12, 12, 'same'),
            (8, 9, 'worse'),
            (None, 9, 'unknown'),
        ):
            self.assertEqual(verdict, load(before, after).verdict)
        proof = topology.Proof(comparisons=(), loads=(load(8, 10),))
        self.assertTrue(proof.is_worse)
        self.assertEqual(
            [
                'What the move changed:',
                '  compute-2: VCPU 8 -> 10 used of 8 (overcommitted 1.25 '
                'times)',
            ],
            topology.lines(proof),
        )

    def test_is_told_to_people_and_programs(self) -> None:
        """What differs, or what it has; nothing if there is nothing."""
        before = place(cell(0, (4,)), pagesize_kb=1048576)
        after = place(cell(1, (5,)), pagesize_kb=2048, host='compute-2')
        worse = topology.compare('id-1', 'web', before=before, after=after)
        same = topology.compare('id-2', 'db', before=before, after=before)
        proof = topology.Proof(
            comparisons=(worse, same), loads=(load(None, 4),)
        )
        self.assertTrue(proof.is_worse)
        self.assertEqual(
            [
                'What the move changed:',
                '  web: worse (page size in KiB: 1048576 -> 2048)',
                '  db: same (1 NUMA cell on 0 of the host, dedicated CPUs 4, '
                'pages of 1048576 KiB)',
                '  compute-2: VCPU unknown -> 4 used of 8',
            ],
            topology.lines(proof),
        )
        said = topology.document(worse)
        self.assertEqual(
            ('id-1', 'compute-1', 'compute-2', 'worse'),
            tuple(
                said[key]
                for key in ('server_id', 'source', 'destination', 'verdict')
            ),
        )
        self.assertIn(
            {
                'what': 'page size in KiB',
                'before': 1048576,
                'after': 2048,
                'verdict': 'worse',
            },
            said['changes'],
        )
        self.assertEqual(
            {
                'host': 'compute-2',
                'resource_class': 'VCPU',
                'before': None,
                'after': 4,
                'total': 8,
                'verdict': 'same',
            },
            topology.document(load(None, 4)),
        )
        nothing = topology.Proof(comparisons=(), loads=())
        self.assertEqual([], topology.lines(nothing))
        self.assertFalse(nothing.is_worse)

    def test_shape(self) -> None:
        """In words, as far as it is known."""
        for known, words in (
            (None, 'unknown'),
            (alone(), 'no NUMA topology'),
            (alone(cell(None)), '1 NUMA cell'),
            (alone(cell(1), cell(0)), '2 NUMA cells on 0, 1 of the host'),
        ):
            self.assertEqual(words, topology.shape(known))
