# SPDX-License-Identifier: Apache-2.0
"""What Placement tells: who has room, for whom, and who holds it."""

from osc_migrate import cloud
from osc_migrate import exceptions
from osc_migrate import model
from osc_migrate import testing
from osc_migrate.cloud import placement
from tests.unit.cloud import recorded
from tests.unit.cloud.recorded import PLACEMENT

CANDIDATES = f'{PLACEMENT}/allocation_candidates'


def allocations(provider: str) -> str:
    """Return where the allocations of a provider are."""
    return f'{PLACEMENT}/resource_providers/{provider}/allocations'


class PlacementTest(recorded.RecordedTest):
    def node(self, name: str) -> str:
        """Return the id of a host's node, and so of its provider."""
        (node,) = (
            known['id']
            for known in recorded.body('hypervisors')['hypervisors']
            if known['service']['host'] == name
        )
        return str(node)

    def test_trees(self) -> None:
        """Room and traits of every host, in one answer."""
        self.answer('GET', CANDIDATES, 'candidates')
        found = placement.trees(self.link())
        self.assertEqual(4, len(found))
        (root,) = found[self.node('compute-1')]
        self.assertIsNone(root.parent_id)
        # overcommitted four times; half a gigabyte is the host's own
        self.assertEqual(32, root.resources['VCPU'].capacity)
        self.assertEqual(16384 - 512, root.resources['MEMORY_MB'].capacity)
        self.assertGreater(root.resources['VCPU'].used, 0)
        self.assertLessEqual(
            root.resources['VCPU'].used, root.resources['VCPU'].capacity
        )
        self.assertIsNone(root.resources['VCPU'].max_unit)
        self.assertIn('CUSTOM_FAST', found[self.node('compute-2')][0].traits)
        disabled = found[self.node('compute-3')][0]
        self.assertIn('COMPUTE_STATUS_DISABLED', disabled.traits)
        (request,) = self.asked(PLACEMENT)
        self.assertEqual(
            'placement 1.36', request.headers['OpenStack-API-Version']
        )

    def test_a_tree_begins_with_its_root(self) -> None:
        """In whatever order Placement lists its parts."""
        known = recorded.body('candidates')
        root = self.node('compute-1')
        summaries = known['provider_summaries']
        child = {**summaries[root], 'parent_provider_uuid': root}
        known['provider_summaries'] = {'child': child, **summaries}
        self.wire.get(CANDIDATES, json=known)
        tree = placement.trees(self.link())[root]
        self.assertEqual([root, 'child'], [one.id for one in tree])

    def test_offers(self) -> None:
        """The roots of those that can serve a request."""
        self.answer('GET', CANDIDATES, 'candidates')
        offered = placement.offered(self.link(), 'resources=MEMORY_MB:1')
        names = [f'compute-{number}' for number in range(1, 5)]
        self.assertEqual(set(map(self.node, names)), offered)
        self.answer('GET', CANDIDATES, 'candidates-none')
        self.assertEqual(
            frozenset(), placement.offered(self.link(), 'resources=VCPU:999')
        )

    def test_holders(self) -> None:
        """Servers, and migrations that hold their source."""
        root = self.node('compute-1')
        self.answer('GET', allocations(root), 'allocations')
        host = testing.host(hypervisor_id=root, providers=None)
        found = cloud.Cloud(self.session()).allocations(host)
        held = recorded.body('allocations')['allocations']
        self.assertEqual(held.keys(), found.keys())
        known = recorded.server('active')['id']
        self.assertEqual(
            {root: {'VCPU': 1, 'MEMORY_MB': 512, 'DISK_GB': 1}}, found[known]
        )
        unconfirmed = {
            one['uuid']
            for one in recorded.body('migrations')['migrations']
            if one['status'] == 'finished'
        }
        self.assertEqual(set(), unconfirmed - found.keys())

    def test_holders_of_a_whole_tree(self) -> None:
        """A consumer may hold something of several providers."""
        held = {'resources': {'VCPU': 1}, 'consumer_generation': 1}
        for provider, consumers in (('p1', ['a', 'b']), ('p2', ['b'])):
            self.wire.get(
                allocations(provider),
                json={'allocations': dict.fromkeys(consumers, held)},
            )
        tree = tuple(testing.provider(id=name) for name in ('p1', 'p2'))
        self.assertEqual(
            {
                'a': {'p1': {'VCPU': 1}},
                'b': {'p1': {'VCPU': 1}, 'p2': {'VCPU': 1}},
            },
            cloud.Cloud(self.session()).allocations(
                testing.host(providers=tree)
            ),
        )

    def test_a_host_without_a_node_holds_nothing(self) -> None:
        """Nothing is asked then."""
        host = testing.host(hypervisor_id=None, providers=None)
        self.assertEqual({}, cloud.Cloud(self.session()).allocations(host))
        self.assertEqual([], self.asked(PLACEMENT))

    def test_is_for_administrators(self) -> None:
        """Others are told so."""
        self.answer('GET', CANDIDATES, 'placement-forbidden')
        error = self.assertRaises(
            exceptions.Forbidden, placement.trees, self.link()
        )
        self.assertIn('Access was denied', str(error))

    def test_a_host_that_is_not_in_the_answer_has_no_room(self) -> None:
        """Placement leaves out what has none at all."""
        tree = (testing.provider('compute-1'),)
        host = testing.host('compute-1', providers=None)
        found: dict[str, tuple[model.ResourceProvider, ...]] = {
            host.hypervisor_id or '': tree
        }
        self.assertEqual(tree, placement.with_providers(host, found).providers)
        self.assertEqual((), placement.with_providers(host, {}).providers)
