# SPDX-License-Identifier: Apache-2.0
"""One cloud at one moment, and as it will be after a move."""

import dataclasses

from oslotest import base

from osc_migrate import model
from osc_migrate import testing


def move(
    server: model.Server, destination: str | None = 'compute-2'
) -> model.Move:
    """Return a live move from compute-1."""
    return model.Move(
        server_id=server.id,
        source='compute-1',
        destination=destination,
        migration_type=model.MigrationType.LIVE,
    )


def used(snapshot: model.Snapshot, host: str) -> dict[str, int]:
    """Return what is used of the root provider of a host."""
    [root] = snapshot.hosts[host].providers or ()
    return {name: room.used for name, room in root.resources.items()}


class ValueTest(base.BaseTestCase):
    def test_every_attribute_must_be_said(self):
        """The edge cannot forget one and call it unknown."""
        for cls in (model.Server, model.Host, model.Snapshot, model.Port):
            self.assertRaises(TypeError, cls)
            defaults = [
                field.name
                for field in dataclasses.fields(cls)
                if field.default is not dataclasses.MISSING
            ]
            self.assertEqual([], defaults)

    def test_values_do_not_change(self):
        server = testing.server()
        error = dataclasses.FrozenInstanceError
        with self.assertRaisesRegex(error, 'name'):
            server.name = 'other'

    def test_a_server_is_told_apart_by_its_id(self):
        one, other = testing.server('one'), testing.server('other')
        self.assertEqual(1, len({one, testing.server('one')}))
        self.assertEqual(2, len({one, other}))

    def test_what_a_server_boots_from_may_be_unknown(self):
        for image, is_volume_backed in (
            ('an-id', False),
            ('', True),
            (None, None),
        ):
            server = testing.server(image=image)
            self.assertIs(is_volume_backed, server.is_volume_backed)

    def test_disks_that_are_no_volumes(self):
        for image, flavor, has_local_disks in (
            ('an-id', {}, True),
            (None, {}, True),
            ('', {}, False),
            ('', {'ephemeral': 1}, True),
            ('', {'swap': 1}, True),
        ):
            server = testing.server(
                image=image, flavor=testing.flavor(**flavor)
            )
            self.assertIs(has_local_disks, server.has_local_disks)

    def test_when_a_migration_has_ended(self):
        for status in ('completed', 'error', 'confirmed', 'cancelled'):
            self.assertTrue(testing.migration(status=status).has_ended)
        for status in ('accepted', 'running', 'finished', 'confirming'):
            self.assertFalse(testing.migration(status=status).has_ended)


class HostTest(base.BaseTestCase):
    def test_a_host_is_usable_when_up_and_enabled(self):
        self.assertTrue(testing.host().is_usable)
        self.assertFalse(testing.host(state='down').is_usable)
        self.assertFalse(testing.host(status='disabled').is_usable)

    def test_its_traits_are_those_of_the_root(self):
        root = testing.provider(traits=frozenset({'A'}))
        child = testing.provider('child', traits=frozenset({'B'}))
        host = testing.host(providers=(root, child))
        self.assertEqual({'A'}, host.traits)
        for providers in (None, ()):
            self.assertIsNone(testing.host(providers=providers).traits)

    def test_its_room_is_that_of_the_tree(self):
        root = testing.provider(resources={'VGPU': testing.room(4, 1)})
        child = testing.provider(
            'child', resources={'VGPU': testing.room(2, max_unit=2)}
        )
        host = testing.host(providers=(root, child))
        self.assertEqual(testing.room(6, 1, max_unit=2), host.room('VGPU'))
        self.assertEqual(testing.room(0), host.room('VCPU'))
        self.assertIsNone(testing.host(providers=None).room('VCPU'))


class SnapshotTest(base.BaseTestCase):
    def test_servers_on_a_host(self):
        here = testing.server('here')
        away = testing.server('away', host='compute-2')
        snapshot = testing.snapshot([here, away])
        self.assertEqual([here], list(snapshot.servers_on('compute-1')))

    def test_groups_of_a_server(self):
        """A group that was not read is not there; unknown ones are none."""
        web = testing.group('web')
        server = testing.server(groups=(web.id, 'not-read'))
        hidden = testing.server('hidden', groups=None)
        snapshot = testing.snapshot([server, hidden], groups=[web])
        self.assertEqual([web], list(snapshot.groups_of(server)))
        self.assertEqual([], list(snapshot.groups_of(hidden)))

    def test_migrations_that_have_not_ended(self):
        records = (
            testing.migration(1),
            testing.migration(2, status='completed'),
        )
        snapshot = testing.snapshot(migrations=records)
        self.assertEqual(records[:1], snapshot.unended_migrations)
        hidden = testing.snapshot(migrations=None)
        self.assertEqual((), hidden.unended_migrations)

    def test_aggregates_by_host(self):
        fast, all_ = (
            model.Aggregate(
                name=name, uuid=None, hosts=frozenset(hosts), metadata={}
            )
            for name, hosts in (('fast', ['a']), ('all', ['a', 'b']))
        )
        snapshot = testing.snapshot(aggregates=(fast, all_))
        self.assertEqual(
            {'a': (fast, all_), 'b': (all_,)}, snapshot.aggregates_by_host
        )
        hidden = testing.snapshot(aggregates=None)
        self.assertEqual({}, hidden.aggregates_by_host)


class AfterTest(base.BaseTestCase):
    def test_the_server_takes_its_room_along(self):
        server = testing.server()
        node = testing.provider(
            resources={
                'VCPU': testing.room(8, 3),
                'MEMORY_MB': testing.room(4096, 1024),
                'DISK_GB': testing.room(10, 1),
            }
        )
        before = testing.snapshot(
            [server],
            [
                testing.host('compute-1', providers=(node,)),
                testing.host('compute-2'),
            ],
        )
        after = before.after(move(server))
        self.assertEqual(
            {'VCPU': 2, 'MEMORY_MB': 512, 'DISK_GB': 0},
            used(after, 'compute-1'),
        )
        self.assertEqual(
            {'VCPU': 1, 'MEMORY_MB': 512, 'DISK_GB': 1},
            used(after, 'compute-2'),
        )
        self.assertEqual('compute-2', after.servers[server.id].host)
        self.assertEqual(3, used(before, 'compute-1')['VCPU'])

    def test_it_lets_go_of_what_it_really_holds(self):
        """Which may be less than a move asks for."""
        node = testing.identifier('compute-1')
        server = testing.server(allocations={node: {'MEMORY_MB': 100}})
        full = testing.provider(
            resources={'MEMORY_MB': testing.room(1000, 900)}
        )
        snapshot = testing.snapshot(
            [server],
            [
                testing.host('compute-1', providers=(full,)),
                testing.host('compute-2'),
            ],
        )
        after = snapshot.after(move(server))
        self.assertEqual({'MEMORY_MB': 800}, used(after, 'compute-1'))
        self.assertEqual(
            {
                testing.identifier('compute-2'): {
                    'VCPU': 1,
                    'MEMORY_MB': 512,
                    'DISK_GB': 1,
                }
            },
            after.servers[server.id].allocations,
        )

    def test_dedicated_cpus_are_taken_from_shared_ones(self):
        """Where the host offers no other."""
        pinned = testing.flavor(extra_specs={'hw:cpu_policy': 'dedicated'})
        server = testing.server(flavor=pinned)
        after = testing.snapshot([server]).after(move(server))
        self.assertEqual(1, used(after, 'compute-2')['VCPU'])

    def test_its_groups_know_where_it_is(self):
        web, other = testing.group('web'), testing.group('other')
        server = testing.server(groups=(web.id,))
        after = testing.snapshot([server], groups=[web, other]).after(
            move(server)
        )
        self.assertEqual(
            (server.id,), after.groups[web.id].members_on('compute-2')
        )
        self.assertEqual({}, after.groups[other.id].members)

    def test_a_move_that_is_left_to_nova_changes_nothing(self):
        server = testing.server()
        snapshot = testing.snapshot([server])
        self.assertIs(snapshot, snapshot.after(move(server, None)))

    def test_hosts_that_are_not_known_have_no_room_to_count(self):
        server = testing.server()
        hidden = [
            testing.host(name, providers=None)
            for name in ('compute-1', 'compute-2')
        ]
        for hosts in (hidden, []):
            after = testing.snapshot([server], hosts).after(move(server))
            moved = after.servers[server.id]
            self.assertEqual(
                ('compute-2', None), (moved.host, moved.allocations)
            )
            self.assertEqual(len(hosts), len(after.hosts))
