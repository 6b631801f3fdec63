# SPDX-License-Identifier: Apache-2.0
"""What is read after the moves, and what is made of it."""

from collections.abc import Sequence
import dataclasses
from typing import Any

from oslotest import base

from osc_migrate import hardware
from osc_migrate import model
from osc_migrate import proof
from osc_migrate import testing
from osc_migrate import topology
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

    def gathered(
        self,
        cloud: Cloud,
        tasks: list[Task],
        hosts: Sequence[model.Host] = (),
        **asked: Any,
    ) -> topology.Proof:
        """Compare what was moved."""
        ask = asked.pop('ask', lambda names: self.fail('nobody asked before'))
        snapshot = testing.snapshot(self.before.values(), hosts, **asked)
        return proof.gather(
            cloud, tasks, self.before, snapshot=snapshot, ask=ask
        )

    def probe(self, host: str, mode: str) -> hardware.HostProbe:
        """Build what a host with two threads a core says."""
        guest = testing.guest_probe('web', memory_mode=mode)
        return testing.host_probe(host, [guest])

    def test_what_only_the_hosts_know(self) -> None:
        """Threads of a core, and whose memory it is: asked twice."""
        before = {
            host: self.probe(host, 'strict')
            for host in ('compute-1', 'compute-2')
        }
        asked: list[str] = []

        def ask(names: Sequence[str]) -> proof.Probes:
            asked.extend(names)
            return {'compute-2': self.probe('compute-2', 'preferred')}

        cloud = Cloud(web=pinned(0, 2, 4), stranger=pinned(0, 3, 5))
        found = self.gathered(
            cloud, [self.moved('web')], probes=before, ask=ask
        )
        self.assertEqual(['compute-2'], asked)
        self.assertEqual(
            {
                'servers pinned in the same cells': (0, 1),
                'CPUs on cores shared with others': (0, 2),
                'memory from its own cells only': (1, 0),
            },
            {
                change.what: (change.before, change.after)
                for change in found.comparisons[0].changes
                if change.verdict == 'worse'
            },
        )

    def test_what_has_no_topology_costs_nothing(self) -> None:
        """Nor does what has not arrived."""
        cloud = Cloud()
        tasks = [self.moved('plain'), self.moved('web', Phase.FAILED)]
        found = self.gathered(cloud, tasks)
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
        hosts = [testing.host('compute-2', providers=(tree,))]
        found = self.gathered(cloud, tasks, hosts)
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
        hosts = [testing.host('compute-2', providers=())]
        found = self.gathered(Cloud(), [self.moved('web')], hosts)
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
        waiting = dataclasses.replace(
            task,
            phase=Phase.PENDING,
            move=dataclasses.replace(task.move, destination=None),
            refused=frozenset({'compute-3'}),
        )
        told = proof.explained(waiting, self.before)
        self.assertIn('by count compute-3 had the room', told.reason)
        for name, reason in (('plain', REFUSAL), ('web', 'no disk left')):
            task = dataclasses.replace(self.moved(name), reason=reason)
            self.assertEqual(task, proof.explained(task, self.before))
