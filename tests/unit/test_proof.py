# SPDX-License-Identifier: Apache-2.0
"""What is read after the moves, and what is made of it."""

import dataclasses

from oslotest import base

from osc_migrate import model
from osc_migrate import proof
from osc_migrate import testing
from osc_migrate.task import Phase
from osc_migrate.task import Task
from tests.unit import scenes

REFUSAL = 'conductor: No valid host was found. There are not enough hosts'


def pinned(node: int, *cpus: int) -> model.Topology:
    """Build the topology of a guest in one cell of its host."""
    cell = model.NumaCell(
        vcpus=frozenset(range(len(cpus))),
        memory_mb=512,
        host_node=node,
        cpu_pinning={str(guest): cpu for guest, cpu in enumerate(cpus)},
    )
    return model.Topology(cells=(cell,), pagesize_kb=None)


class Cloud:
    """What Nova and Placement tell of compute-2 now."""

    def __init__(self, **topologies: model.Topology) -> None:
        self.asked: list[str] = []
        self._known = {
            testing.identifier(name): (name, known)
            for name, known in topologies.items()
        }

    def topologies(self, host: str) -> dict[str, tuple[str, model.Topology]]:
        self.asked.append(host)
        return self._known

    def usage(self, host: model.Host) -> dict[str, tuple[int, int]]:
        return {'PCPU': (4, 8), 'MEMORY_MB': (1024, 65536), 'DISK_GB': (1, 9)}


class ProofTest(base.BaseTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.before = {
            server.id: server
            for server in (
                testing.server('web', topology=pinned(0, 4, 5)),
                testing.server('db', topology=pinned(1, 12)),
                testing.server('plain'),
            )
        }

    def moved(self, name: str, phase: Phase = Phase.DONE) -> Task:
        """Build the task of a server that was moved to compute-2."""
        task = scenes.task(phase, name=name)
        move = dataclasses.replace(
            task.move, server_id=testing.identifier(name)
        )
        return dataclasses.replace(task, move=move)

    def test_what_has_no_topology_costs_nothing(self) -> None:
        """Nor does what has not arrived."""
        cloud = Cloud()
        tasks = [self.moved('plain'), self.moved('web', Phase.FAILED)]
        found = proof.gather(cloud, tasks, self.before, {})
        self.assertEqual(((), ()), (found.comparisons, found.loads))
        self.assertEqual([], cloud.asked)

    def test_neighbours_count_at_both_ends(self) -> None:
        """Alone in its cell before, beside another server after."""
        cloud = Cloud(
            web=pinned(0, 4, 5), db=pinned(0, 6), stranger=pinned(1, 12)
        )
        tasks = [self.moved('web'), self.moved('db')]
        room = testing.room(8, 2)
        tree = testing.provider('compute-2', resources={'PCPU': room})
        hosts = {
            'compute-2': testing.host('compute-2', providers=(tree,)),
        }
        found = proof.gather(cloud, tasks, self.before, hosts)
        self.assertEqual(['compute-2'], cloud.asked)
        self.assertEqual(
            ['worse', 'worse'], [str(c.verdict) for c in found.comparisons]
        )
        changed = {
            change.what
            for one in found.comparisons
            for change in one.changes
            if change.verdict == 'worse'
        }
        self.assertEqual({'servers pinned in the same cells'}, changed)
        self.assertEqual(
            [('PCPU', 2, 4, 8), ('MEMORY_MB', 0, 1024, 65536)],
            [
                (one.resource_class, one.before, one.after, one.total)
                for one in found.loads
            ],
        )

    def test_a_full_host_and_a_hidden_topology(self) -> None:
        """Placement tells nothing of the first, Nova not of the second."""
        hosts = {'compute-2': testing.host('compute-2', providers=())}
        found = proof.gather(Cloud(), [self.moved('web')], self.before, hosts)
        self.assertEqual('unknown', str(found.comparisons[0].verdict))
        self.assertEqual({None}, {one.before for one in found.loads})

    def test_a_refusal_is_quoted_and_explained(self) -> None:
        """Of a server with cells only, and once."""
        task = dataclasses.replace(self.moved('web'), reason=REFUSAL)
        told = proof.explained(task, self.before)
        self.assertTrue(told.reason.startswith(REFUSAL))
        self.assertIn('by count compute-2 had the room', told.reason)
        self.assertIn('dedicated CPUs 4, 5', told.reason)
        self.assertEqual(told, proof.explained(told, self.before))
        for name, reason in (('plain', REFUSAL), ('web', 'no disk left')):
            task = dataclasses.replace(self.moved(name), reason=reason)
            self.assertEqual(task, proof.explained(task, self.before))
