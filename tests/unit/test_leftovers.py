# SPDX-License-Identifier: Apache-2.0
"""What is still on a host when its drain has ended."""

from collections.abc import Iterable
from typing import Any

from oslotest import base

from osc_migrate import leftovers
from osc_migrate import model
from osc_migrate import testing
from osc_migrate.task import Phase
from osc_migrate.task import Sight
from tests.unit import scenes

SERVER = scenes.SERVER


class Cloud:
    """What a host shows: its servers, records and consumers."""

    def __init__(
        self,
        servers: dict[str, Sight] | None = None,
        records: Iterable[model.Migration] = (),
        consumers: Iterable[str] = (),
        elsewhere: Sight = scenes.GONE,
    ) -> None:
        self._elsewhere = elsewhere
        self._servers = servers or {}
        self._records = list(records)
        self._consumers = list(consumers)

    def servers_on(self, host: str) -> dict[str, Sight]:
        """Return the servers of the host."""
        assert host == 'compute-1'
        return self._servers

    def migrations(self, **filters: str) -> list[model.Migration]:
        """Return the records of moves from the host."""
        assert filters['source_compute'] == 'compute-1'
        status = filters.get('status')
        return [one for one in self._records if status in (None, one.status)]

    def look(self, server_id: str) -> Sight:
        """Return a server that is not on the host."""
        return self._elsewhere

    def allocations(self, host: model.Host) -> dict[str, Any]:
        """Return who holds something of the host."""
        return {consumer: {} for consumer in self._consumers}


class LeftoverTest(base.BaseTestCase):
    def find(self, *tasks: Any, **cloud: Any) -> list[leftovers.Leftover]:
        """Find what is left on a host."""
        host = cloud.pop('host', testing.host())
        return leftovers.find(Cloud(**cloud), host, tasks)  # type: ignore[arg-type]

    def test_nothing(self) -> None:
        """Empty means empty."""
        self.assertEqual([], self.find())
        ended = [
            scenes.record(status, server_id='s')
            for status in ('completed', 'confirmed', 'error', 'cancelled')
        ]
        self.assertEqual([], self.find(records=ended))

    def test_a_server(self) -> None:
        """With the reason of its move if there was one."""
        (left,) = self.find(servers={SERVER: scenes.broken(name='web')})
        self.assertEqual(
            ('server', SERVER, 'web', 'is ERROR', False),
            (left.kind, left.id, left.name, left.message, left.is_expected),
        )
        self.assertIn(f'preflight {SERVER}', left.remedy)
        failed = scenes.task(Phase.FAILED, reason='why', remedy='what')
        (left,) = self.find(failed, servers={SERVER: scenes.sight()})
        self.assertEqual(('why', 'what'), (left.message, left.remedy))
        # an allocation that is its own is not said twice
        (left,) = self.find(
            servers={SERVER: scenes.sight()}, consumers=[SERVER]
        )
        self.assertEqual('server', left.kind)

    def test_a_cold_migration_that_may_be_reverted(self) -> None:
        """Its disk and its allocation are still here: said once."""
        for status in ('finished', 'confirming', 'reverting'):
            record = scenes.record(
                status, server_id='s', migration_type='migration'
            )
            (left,) = self.find(records=[record], consumers=[record.uuid])
            self.assertEqual(
                ('migration', record.uuid, 's'),
                (left.kind, left.id, left.name),
            )
            self.assertIn(status, left.message)
            self.assertIn('migration confirm s', left.remedy)
            # the server itself says more
            (left,) = self.find(
                records=[record],
                servers={'s': scenes.resized()},
                consumers=[record.uuid],
            )
            self.assertEqual('server', left.kind)

    def test_an_allocation_that_nobody_needs(self) -> None:
        """Neither a server of the host, nor known at all."""
        (left,) = self.find(consumers=['ghost'])
        self.assertEqual(
            ('allocation', 'ghost', '', False),
            (left.kind, left.id, left.name, left.is_expected),
        )
        self.assertIn('is not on it', left.message)
        self.assertIn('nova-manage placement audit', left.remedy)

    def test_what_is_about_to_arrive(self) -> None:
        """A server that is built for the host, or on its way to it."""
        for sight, said in (
            (
                scenes.sight(status='BUILD', host=None, task_state='spawning'),
                'is being built (spawning)',
            ),
            (
                scenes.moving(host='compute-2'),
                'is on its way from compute-2 (migrating)',
            ),
        ):
            (left,) = self.find(consumers=['new'], elsewhere=sight)
            self.assertTrue(left.is_transient)
            self.assertFalse(left.is_expected)
            self.assertEqual('web', left.name)
            self.assertIn(said, left.message)
        at_rest = scenes.sight(host='compute-2')
        (left,) = self.find(consumers=['new'], elsewhere=at_rest)
        self.assertFalse(left.is_transient)

    def test_an_allocation_of_a_migration(self) -> None:
        """It is named, with its server, whatever became of it."""
        for status in ('running', 'error', 'completed'):
            record = scenes.record(status, server_id='s')
            (left,) = self.find(records=[record], consumers=[record.uuid])
            self.assertEqual(
                ('allocation', record.uuid, 's'),
                (left.kind, left.id, left.name),
            )
            self.assertIn(f'the migration of s ({status})', left.message)

    def test_what_an_evacuation_leaves_goes_by_itself(self) -> None:
        """A nova-compute gives it back when it starts again."""
        record = scenes.record(
            'done', server_id='s', migration_type='evacuation'
        )
        (left,) = self.find(records=[record], consumers=['s'])
        self.assertTrue(left.is_expected)
        self.assertEqual('', left.remedy)
        for other in (
            scenes.record(
                'failed', server_id='s', migration_type='evacuation'
            ),
            scenes.record('done', server_id='s', migration_type='x'),
        ):
            (left,) = self.find(records=[other], consumers=['s'])
            self.assertFalse(left.is_expected)

    def test_allocations_that_may_not_be_seen(self) -> None:
        """Are not asked for; the snapshot has said so."""
        host = testing.host(providers=None)
        self.assertEqual([], self.find(host=host, consumers=['ghost']))
