# SPDX-License-Identifier: Apache-2.0
"""Checks of disks, volumes and shares."""

from osc_migrate import testing
from osc_migrate.checks import Severity
from osc_migrate.checks import storage as subject
from tests.unit.checks import base
from tests.unit.checks.base import COLD
from tests.unit.checks.base import EVACUATE
from tests.unit.checks.base import LIVE

OWNER = testing.identifier('user')


def sized(image: str = 'image', **attributes: int):
    """Return a server with a flavor of these sizes."""
    flavor = testing.flavor(**{'disk': 0, **attributes})
    return testing.server(image=image, flavor=flavor)


def attached(**attributes: object):
    """Return a server with one volume."""
    return testing.server(
        volumes=(testing.volume(id='volume-1', **attributes),)
    )


class CopyTest(base.CheckTest):
    def test_a_server_of_volumes_is_silent(self):
        for way in (LIVE, COLD, EVACUATE):
            self.assertSilent(subject.copy, sized('', disk=20), way=way)

    def test_local_disks_take_time(self):
        draft = self.assertFinds(
            Severity.INFO,
            'has 24 GB of local disks, to be copied unless storage is shared '
            '(3 min at 1 Gbit/s)',
            subject.copy,
            sized(disk=20, ephemeral=3, swap=1000),
        )
        self.assertEqual({'disk_gb': 24, 'seconds': 206}, draft.evidence)

    def test_swap_is_made_anew_by_a_cold_migration(self):
        self.assertFinds(
            Severity.INFO,
            'has 3 GB of local disks',
            subject.copy,
            sized('', ephemeral=3, swap=1000),
            way=COLD,
        )
        self.assertFinds(
            Severity.INFO,
            'has 1 GB of local disks',
            subject.copy,
            sized('', swap=1024),
        )
        self.assertSilent(subject.copy, sized('', swap=1000), way=COLD)

    def test_an_evacuation_loses_them(self):
        draft = self.assertFinds(
            Severity.WARNING,
            'loses what is in its 20 GB of local disks',
            subject.copy,
            sized(disk=20),
            way=EVACUATE,
        )
        self.assertEqual({'disk_gb': 20}, draft.evidence)

    def test_a_flavor_may_leave_the_size_to_the_image(self):
        self.assertFinds(
            Severity.INFO,
            'has local disks of the size of its image',
            subject.copy,
            sized(),
        )
        self.assertFinds(
            Severity.WARNING,
            'loses what is in its local disks',
            subject.copy,
            sized(),
            way=EVACUATE,
        )

    def test_long_times_are_said_in_hours(self):
        for size, text in (
            (13, '111 s'),
            (14, '2 min'),
            (100, '14 min'),
            (836, '119 min'),
            (837, '2 h'),
            (2000, '4 h'),
        ):
            self.assertFinds(
                Severity.INFO, f'({text} at', subject.copy, sized(disk=size)
            )


class ConfigDriveTest(base.CheckTest):
    def test_a_server_without_one_is_silent(self):
        self.assertSilent(subject.config_drive)

    def test_it_may_be_blank_after_a_live_migration(self):
        server = testing.server(config_drive=True)
        self.assertFinds(
            Severity.WARNING, 'may be blank', subject.config_drive, server
        )
        self.assertSilent(subject.config_drive, server, way=COLD)


class PersistentMemoryTest(base.CheckTest):
    def test_a_server_without_any_is_silent(self):
        self.assertSilent(subject.persistent_memory, way=COLD)
        hidden = testing.server(flavor=testing.flavor(extra_specs=None))
        self.assertSilent(subject.persistent_memory, hidden, way=COLD)

    def test_what_is_in_it_moves_live_only(self):
        server = testing.server(
            flavor=testing.flavor(extra_specs={'hw:pmem': '6GB,16GB'})
        )
        self.assertSilent(subject.persistent_memory, server)
        for way in (COLD, EVACUATE):
            self.assertFinds(
                Severity.WARNING,
                'loses what is in its persistent memory (6GB,16GB)',
                subject.persistent_memory,
                server,
                way=way,
            )


class VolumeStateTest(base.CheckTest):
    def test_a_ready_volume_is_silent(self):
        self.assertSilent(subject.volumes)
        for status in ('in-use', 'reserved'):
            self.assertSilent(subject.volumes, attached(status=status))
        for migration_status in ('success', 'error'):
            self.assertSilent(
                subject.volumes, attached(migration_status=migration_status)
            )

    def test_a_broken_one_is_in_the_way(self):
        for status in ('error', 'error_extending'):
            draft = self.assertFinds(
                Severity.ERROR,
                f'its volume volume-1 is {status}',
                subject.volumes,
                attached(status=status),
            )
            self.assertFalse(draft.is_transient)

    def test_a_busy_one_is_waited_for(self):
        for server, text in (
            (attached(status='backing-up'), 'is busy: backing-up'),
            (attached(migration_status='migrating'), '(migrating)'),
        ):
            draft = self.assertFinds(
                Severity.ERROR, text, subject.volumes, server
            )
            self.assertTrue(draft.is_transient)

    def test_a_state_that_nobody_tells_is_unknown(self):
        self.assertFinds(
            Severity.UNKNOWN,
            'volume-1 is unknown',
            subject.volumes,
            attached(status=None),
        )

    def test_every_volume_is_looked_at(self):
        server = testing.server(
            volumes=(
                testing.volume(status='error'),
                testing.volume(),
                testing.volume(status='extending'),
            )
        )
        self.assertEqual(2, len(self.found(subject.volumes, server)))


class EncryptedTest(base.CheckTest):
    def test_plain_volumes_are_silent(self):
        for encrypted in (False, None):
            self.assertSilent(subject.encrypted, attached(encrypted=encrypted))

    def test_whether_the_caller_gets_the_key_is_unknown(self):
        for user_id in ('operator', None):
            draft = self.assertFinds(
                Severity.UNKNOWN,
                'has 1 encrypted volumes',
                subject.encrypted,
                attached(encrypted=True),
                user_id=user_id,
            )
            self.assertIn('openstack volume show volume-1', draft.remedy)

    def test_its_owner_does(self):
        self.assertSilent(
            subject.encrypted, attached(encrypted=True), user_id=OWNER
        )


class MultiattachTest(base.CheckTest):
    def test_a_volume_of_its_own_is_silent(self):
        for multiattach in (False, None):
            self.assertSilent(
                subject.multiattach, attached(multiattach=multiattach)
            )

    def test_a_shared_one_is_worth_knowing(self):
        self.assertFinds(
            Severity.INFO,
            'has 1 volumes that other servers may use',
            subject.multiattach,
            attached(multiattach=True),
        )


class ShareTest(base.CheckTest):
    SERVER = testing.server(shares=('share-1', 'share-2'))

    def host(self, name: str, *traits: str):
        """Return a host with traits."""
        tree = testing.provider(name, traits=frozenset(traits))
        return testing.host(name, providers=(tree,))

    def test_a_server_without_shares_is_silent(self):
        for way in (LIVE, COLD, EVACUATE):
            self.assertSilent(subject.shares, way=way)

    def test_shares_do_not_move_live_nor_by_evacuation(self):
        for way, text in ((LIVE, 'live'), (EVACUATE, 'by evacuation')):
            draft = self.assertFinds(
                Severity.ERROR,
                f'has shares (share-1, share-2), with which it does not move '
                f'{text}',
                subject.shares,
                self.SERVER,
                way=way,
            )
            self.assertIn('/servers/{server}/shares/share-1', draft.remedy)

    def test_whether_they_move_cold_depends_on_every_nova_compute(self):
        new = self.host('compute-1', 'OWNER_NOVA')
        self.assertFinds(
            Severity.UNKNOWN,
            'only if every nova-compute is of 2026.2',
            subject.shares,
            self.SERVER,
            way=COLD,
            source=new,
        )
        self.assertSilent(
            subject.shares,
            self.SERVER,
            way=COLD,
            source=new,
            destination=self.host('compute-2', 'OWNER_NOVA'),
        )

    def test_shares_that_nobody_tells_matter_where_there_can_be_any(self):
        """Nova attaches a share only where virtiofs can work."""
        virtiofs = ('COMPUTE_STORAGE_VIRTIO_FS', 'COMPUTE_MEM_BACKING_FILE')
        huge = testing.flavor(extra_specs={'hw:mem_page_size': 'large'})
        for flavor, traits, finds in (
            (testing.flavor(), virtiofs, 1),
            (huge, virtiofs[:1], 1),
            (testing.flavor(), virtiofs[:1], 0),
            (testing.flavor(extra_specs=None), virtiofs[:1], 0),
            (huge, virtiofs[1:], 0),
        ):
            drafts = self.found(
                subject.shares,
                testing.server(flavor=flavor, shares=None),
                source=self.host('compute-1', *traits),
            )
            self.assertEqual(
                [Severity.UNKNOWN] * finds, [d.severity for d in drafts]
            )
        gone = testing.server(host='gone', shares=None)
        self.assertSilent(subject.shares, gone)
