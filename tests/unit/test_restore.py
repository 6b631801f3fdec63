# SPDX-License-Identifier: Apache-2.0
"""What a drain has moved: to bring back, on its way, and to leave."""

from typing import Any

from oslotest import base

from osc_migrate import model
from osc_migrate import restore
from osc_migrate import testing
from osc_migrate.task import Sight
from tests.unit import scenes

OUT = {
    'server_id': scenes.SERVER,
    'source_compute': 'compute-1',
    'dest_compute': 'compute-2',
    'user_id': 'alice',
    'created_at': '2026-01-31T12:00:00.000000',
    'status': 'completed',
}
BACK = {
    **OUT,
    'source_compute': 'compute-2',
    'dest_compute': 'compute-1',
    'created_at': '2026-01-31T13:00:00.000000',
    'status': 'running',
}


class Nova:
    """One server, and the records of its migrations."""

    def __init__(self, sight: Sight, *records: dict[str, Any]) -> None:
        self.sight = sight
        self.records = [
            testing.migration(number, **record)
            for number, record in enumerate(records, 1)
        ]

    def look(self, server_id: str) -> Sight:
        return self.sight

    def migrations(self, **filters: str) -> list[model.Migration]:
        source = filters.get('source_compute')
        return [
            record
            for record in self.records
            if source in (None, record.source_compute)
        ]


class FindTest(base.BaseTestCase):
    def found(self, sight: Sight, *records: dict[str, Any]) -> restore.Found:
        """Find what alice and bob moved since noon."""
        origin = restore.Origin(
            host=testing.host('compute-1'),
            since='2026-01-31T12:00:00Z',
            user_ids=frozenset({'alice', 'bob'}),
        )
        nova: Any = Nova(sight, *records)
        return restore.find(nova, origin)

    def test_what_the_drain_moved_comes_back(self) -> None:
        """Whoever of the two moved it, and not what others did."""
        there = scenes.sight(host='compute-2')
        for change, is_back in (
            ({}, True),
            ({'user_id': 'bob'}, True),
            ({'user_id': 'carol'}, False),
            ({'created_at': '2026-01-31T11:59:59.000000'}, False),
            ({'status': 'error'}, False),
            ({'migration_type': 'evacuation'}, False),
        ):
            with self.subTest(str(change)):
                found = self.found(there, {**OUT, **change})
                self.assertEqual([scenes.SERVER] * is_back, found.back)
                self.assertEqual(([], []), (found.begun, found.stays))

    def test_what_was_moved_since_stays(self) -> None:
        """Whoever did that knew why."""
        on = {**OUT, 'source_compute': 'compute-2', 'user_id': 'carol'}
        for sight, record, reason in (
            (scenes.GONE, {}, 'was deleted'),
            (scenes.sight(), {**BACK, 'status': 'completed'}, 'is back'),
            (
                scenes.sight(host='compute-3'),
                {**on, 'dest_compute': 'compute-3'},
                'was moved on to compute-3',
            ),
            (scenes.sight(host='compute-2'), on, 'was moved again since'),
        ):
            with self.subTest(reason):
                found = self.found(sight, OUT, *([record] if record else ()))
                (stay,) = found.stays
                self.assertIn(reason, stay.reason)
                self.assertEqual(([], []), (found.back, found.begun))

    def test_what_an_interrupted_run_began_is_followed(self) -> None:
        """It is not asked for again, and confirmed if it was asked by us."""
        cold = {'migration_type': 'migration'}
        moving = scenes.moving(host='compute-2')
        resized = scenes.resized(host='compute-1')
        for sight, change, is_ours in (
            (moving, {}, True),
            (moving, {'user_id': 'carol'}, False),
            (moving, {**cold, 'dest_compute': None}, True),
            (resized, {**cold, 'status': 'finished'}, True),
        ):
            with self.subTest(str(change)):
                found = self.found(sight, OUT, {**BACK, **change})
                (task,) = found.begun
                self.assertIs(is_ours, task.is_ours)
                self.assertEqual(1, task.baseline)
                self.assertEqual(([], []), (found.back, found.stays))

    def test_what_looks_like_begun(self) -> None:
        """A record of which the server knows nothing, or an owner's resize."""
        found = self.found(scenes.sight(host='compute-2'), OUT, BACK)
        self.assertEqual(([scenes.SERVER], []), (found.back, found.begun))
        resize = {'migration_type': 'resize', 'status': 'finished'}
        found = self.found(
            scenes.resized(host='compute-1'), OUT, BACK | resize
        )
        self.assertEqual([], found.begun)
