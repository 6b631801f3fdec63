# SPDX-License-Identifier: Apache-2.0
"""How a request fits a tree of resource providers."""

from oslotest import base

from osc_migrate import inventory
from osc_migrate import testing


def group(
    required: str = '', forbidden: str = '', **resources: int
) -> inventory.RequestGroup:
    """Return a group of a request; traits are separated by spaces."""
    return inventory.RequestGroup(
        resources=resources,
        required_traits=frozenset(required.split()),
        forbidden_traits=frozenset(forbidden.split()),
    )


def request(
    policy: str | None = None, root: str = '', **groups: inventory.RequestGroup
) -> inventory.ResourceRequest:
    """Return a request; the group ``plain`` is the one without suffix."""
    return inventory.ResourceRequest(
        groups={
            '' if suffix == 'plain' else suffix: asked
            for suffix, asked in groups.items()
        },
        group_policy=policy,
        root_required=frozenset(root.split()),
        same_subtree=(),
    )


def provider(
    name: str, traits: str = '', **free: int
) -> inventory.ResourceProvider:
    """Return a provider with so much of each class."""
    return testing.provider(
        name,
        id=name,
        resources={key: testing.room(value) for key, value in free.items()},
        traits=frozenset(traits.split()),
    )


class RequestTest(base.BaseTestCase):
    REQUEST = request(
        root='ROOT !DISABLED',
        plain=group('GOLD', 'SLOW', VCPU=1, MEMORY_MB=512),
        _port=group('PHYSNET', 'DEAD', VCPU=2),
    )

    def test_the_total_adds_up_the_groups(self):
        self.assertEqual({'VCPU': 3, 'MEMORY_MB': 512}, self.REQUEST.total)

    def test_the_tree_must_have_what_any_group_requires(self):
        self.assertEqual(
            {'ROOT', 'GOLD', 'PHYSNET'}, self.REQUEST.required_traits
        )

    def test_the_root_must_not_have_what_it_is_forbidden(self):
        """What a group forbids binds only the provider that serves it."""
        self.assertEqual({'DISABLED', 'SLOW'}, self.REQUEST.forbidden_traits)
        bare = request(port=group(VCPU=1))
        self.assertEqual(frozenset(), bare.forbidden_traits)


class RoomTest(base.BaseTestCase):
    def test_free_is_never_below_zero(self):
        self.assertEqual(1, testing.room(3, 2).free)
        self.assertEqual(0, testing.room(3, 5).free)


class AllotTest(base.BaseTestCase):
    def assertFits(self, expected, providers, asked):
        """The request fits, and so."""
        self.assertEqual((expected, []), inventory.allot(providers, asked))

    def assertShort(self, expected, providers, asked):
        """These pairs of class and what is left of it fall short."""
        _, short = inventory.allot(providers, asked)
        self.assertEqual(
            expected, [(item.resource_class, item.free) for item in short]
        )

    def test_classes_of_the_plain_group_may_come_from_anywhere(self):
        self.assertFits(
            {'root': {'VCPU': 1}, 'gpu': {'VGPU': 1}},
            [provider('root', VCPU=4), provider('gpu', VGPU=1)],
            request(plain=group(VCPU=1, VGPU=1)),
        )

    def test_one_class_comes_from_one_provider(self):
        gpus = [provider('gpu-1', VGPU=1), provider('gpu-2', VGPU=1)]
        self.assertShort([('VGPU', 1)], gpus, request(plain=group(VGPU=2)))

    def test_the_provider_with_most_of_it_serves(self):
        gpus = [provider('gpu-1', VGPU=1), provider('gpu-2', VGPU=3)]
        self.assertFits(
            {'gpu-2': {'VGPU': 1}}, gpus, request(plain=group(VGPU=1))
        )

    def test_a_group_with_a_suffix_comes_from_one_provider(self):
        parts = [provider('a', EGR=5), provider('b', IGR=5)]
        asked = request(port=group(EGR=1, IGR=1))
        self.assertShort([('EGR', 0), ('IGR', 0)], parts, asked)
        whole = provider('c', EGR=5, IGR=5)
        self.assertFits({'c': {'EGR': 1, 'IGR': 1}}, [*parts, whole], asked)

    def test_the_scarcest_class_decides(self):
        """More of one class does not make up for less of another."""
        two = [provider('a', EGR=100, IGR=1), provider('b', EGR=5, IGR=5)]
        self.assertFits(
            {'b': {'EGR': 2, 'IGR': 2}}, two, request(port=group(EGR=2, IGR=2))
        )

    def test_only_what_falls_short_is_named(self):
        part = [provider('a', EGR=5, IGR=2, PPS=1)]
        asked = request(port=group(EGR=5, IGR=2, PPS=9))
        self.assertShort([('PPS', 1)], part, asked)

    def test_only_a_provider_with_the_traits_serves_a_group(self):
        bridges = [
            provider('a', 'PHYSNET_1', EGR=9),
            provider('b', 'PHYSNET_2', EGR=5),
            provider('c', 'PHYSNET_2 SLOW', EGR=7),
        ]
        asked = request(port=group('PHYSNET_2', 'SLOW', EGR=1))
        self.assertFits({'b': {'EGR': 1}}, bridges, asked)
        self.assertShort([('EGR', 0)], bridges[:1], asked)

    def test_groups_share_what_a_provider_has(self):
        bridge = [provider('a', EGR=5)]
        asked = request(port_1=group(EGR=3), port_2=group(EGR=3))
        self.assertShort([('EGR', 2)], bridge, asked)
        self.assertFits(
            {'a': {'EGR': 3}, 'b': {'EGR': 3}},
            [*bridge, provider('b', EGR=4)],
            asked,
        )

    def test_isolated_groups_share_nothing(self):
        bridge = [provider('a', EGR=9)]
        asked = request('isolate', port_1=group(EGR=3), port_2=group(EGR=3))
        self.assertShort([('EGR', 0)], bridge, asked)
        self.assertFits(
            {'a': {'EGR': 3}, 'b': {'EGR': 3}},
            [*bridge, provider('b', EGR=4)],
            asked,
        )

    def test_one_server_may_not_have_more_than_max_unit(self):
        limited = testing.provider(
            resources={'VCPU': testing.room(64, max_unit=2)}
        )
        _, [short] = inventory.allot([limited], request(plain=group(VCPU=3)))
        self.assertEqual((3, 2, 2), (short.needed, short.free, short.max_unit))
        self.assertEqual(
            [], inventory.allot([limited], request(plain=group(VCPU=2)))[1]
        )

    def test_what_is_overcommitted_already_has_nothing_left(self):
        full = testing.provider(resources={'VCPU': testing.room(4, 9)})
        _, [short] = inventory.allot([full], request(plain=group(VCPU=1)))
        self.assertEqual(0, short.free)

    def test_a_group_of_traits_alone_needs_no_room(self):
        asked = request(plain=group(VCPU=1), port=group('PHYSNET'))
        _, short = inventory.allot([provider('root', VCPU=1)], asked)
        self.assertEqual([], short)


class TranslatedTest(base.BaseTestCase):
    ASKED = request(plain=group(PCPU=3, VCPU=1, MEMORY_MB=512))

    def test_a_host_with_dedicated_cpus_is_asked_for_them(self):
        offering = [provider('root', PCPU=0, VCPU=9)]
        self.assertIs(self.ASKED, inventory.translated(offering, self.ASKED))

    def test_any_other_is_asked_for_shared_ones(self):
        self.assertEqual(
            {'VCPU': 4, 'MEMORY_MB': 512},
            inventory.translated([provider('root', VCPU=9)], self.ASKED).total,
        )

    def test_who_needs_none_asks_for_none(self):
        for asked in (
            request(plain=group(VCPU=1)),
            request(port=group(EGR=1)),
        ):
            self.assertIs(
                asked, inventory.translated([provider('root')], asked)
            )


class ChargedTest(base.BaseTestCase):
    TREE = (provider('root', VCPU=9, DISK_GB=9), provider('gpu', VGPU=9))

    def test_it_adds_and_takes_away(self):
        taken = {'root': {'VCPU': 2}, 'elsewhere': {'VCPU': 1}}
        after = inventory.charged(self.TREE, taken, 1)
        self.assertEqual(7, after[0].resources['VCPU'].free)
        self.assertEqual(9, after[0].resources['DISK_GB'].free)
        self.assertIs(self.TREE[1], after[1])
        self.assertEqual(self.TREE, inventory.charged(after, taken, -1))

    def test_nothing_falls_below_zero(self):
        after = inventory.charged(self.TREE, {'root': {'VCPU': 2}}, -1)
        self.assertEqual(0, after[0].resources['VCPU'].used)

    def test_what_a_provider_does_not_have_is_not_charged(self):
        taken = {'root': {'PCPU': 2}}
        self.assertEqual(self.TREE, inventory.charged(self.TREE, taken, 1))
